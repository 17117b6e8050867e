"""The one entry point: `translate`, and what it returns."""

import re
from dataclasses import dataclass

from schema.model import Catalogue
from schema.types import VARCHAR, Type
from vo_server.adql.errors import ADQLError
from vo_server.adql.parser import parse
from vo_server.adql.postgres import QueryRenderer
from vo_server.adql.tables import Output

_PLACEHOLDER = re.compile(r"""\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'|\$([0-9]+)""")
"""A placeholder, or quoted text in which none is looked for."""


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column of the result; `source` is the full table.column it passes through unchanged."""

    name: str
    type: Type
    description: str = ""
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """SQL with placeholders `$1`, `$2` ..., the values bound to them, and the columns it returns."""

    sql: str
    parameters: tuple[str | int | float | None, ...]
    columns: tuple[ResultColumn, ...]
    tables: tuple[str, ...]


def translate(text: str, catalogue: Catalogue, *, limit: int | None = None) -> Translation:
    """Translate one ADQL 2.1 query to PostgreSQL.

    At most `limit` rows come back (fewer if the query says TOP): give one more than the user may
    have to learn whether there were more. Raises ADQLError, whatever the text is.
    """
    try:
        query = parse(text)
        renderer = QueryRenderer(catalogue)
        sql, outputs = renderer.statement(query, limit)
    except ADQLError as error:
        raise error.locate(text) from None
    except RecursionError:
        raise ADQLError("the query is nested too deeply").locate(text) from None
    sql, parameters = _numbered(sql, renderer.parameters.values)
    return Translation(sql, parameters, tuple(_column(o) for o in outputs), tuple(renderer.used.tables))


def _column(output: Output) -> ResultColumn:
    meta = output.term.meta
    kind = output.term.type or VARCHAR
    return ResultColumn(output.name, kind, meta.description, meta.unit, meta.ucd, meta.utype, meta.source)


def _numbered(sql: str, values: list[str]) -> tuple[str, tuple[str, ...]]:
    """Placeholders numbered as they occur, without values that the statement came not to use."""
    order: dict[int, int] = {}

    def renumber(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return match.group()
        index = int(match.group(1)) - 1
        return f"${order.setdefault(index, len(order) + 1)}"

    if values:
        sql = _PLACEHOLDER.sub(renumber, sql)
    return sql, tuple(values[i] for i in order)
