"""The published tables themselves: every column can be selected, and has the type that is declared."""

import psycopg
import pytest

from schema.load import core_catalogue
from schema.model import Table
from vo_server.adql import translate
from vo_server.roles import owner_url
from vo_server.settings import Settings

CAST = {"smoc": "text"}
"""Types that queries turn into others."""


@pytest.mark.parametrize("table", core_catalogue().tables, ids=lambda t: t.full_name)
def test_every_column_of_a_published_table(table: Table, module_settings: Settings) -> None:
    translation = translate(f"SELECT * FROM {table.adql_name}", core_catalogue(), limit=1)
    with psycopg.connect(owner_url(module_settings), cursor_factory=psycopg.RawCursor) as connection:
        cursor = connection.execute(translation.sql, translation.parameters)
        assert [d.name for d in cursor.description or ()] == [c.name for c in table.columns]
        sent = [CAST.get(c.type.postgres, c.type.postgres).removesuffix("[]") for c in table.columns]
        declared = [psycopg.adapters.types[name] for name in sent]
        arrays = [c.type.is_array for c in table.columns]
        expected = [t.array_oid if a else t.oid for t, a in zip(declared, arrays, strict=True)]
        assert [d.type_code for d in cursor.description or ()] == expected
