"""The migrations build exactly what schema.ddl builds from the declarations."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from schema import ddl
from schema.collection import Collection
from schema.load import collection_schema, core_catalogue, load_table, private_tables
from schema.model import Column
from schema.types import DOUBLE
from vo_server import install, roles
from vo_server.settings import Settings

Database = psycopg.Connection[Any]

OBJECTS = {
    "column": """
        SELECT attrelid::regclass::text, attnum, attname, format_type(atttypid, atttypmod), attnotnull,
            attgenerated, pg_get_expr(adbin, adrelid)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped
            AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (%s))
    """,
    "index": """
        SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
        WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (%s))
    """,
    "constraint": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (%s))
    """,
}


def structure(database: Database) -> set[tuple[Any, ...]]:
    """Columns, indexes and constraints of the three schemas, without the table of revisions."""
    found = {
        (kind, *row)
        for kind, query in OBJECTS.items()
        for row in database.execute(query, [["ivoa", "tap_schema", "vo"]])
    }
    return {row for row in found if not any("vo.revision" in str(value) for value in row)}


def rebuild(database: Database) -> None:
    """Drop the tables that the migrations made and build them from the declarations."""
    tables = [*core_catalogue().tables, *private_tables()]
    for table in tables:
        database.execute(f"DROP TABLE {ddl.quoted(table)} CASCADE".encode())
    for table in tables:
        for statement in ddl.create_table(table):
            database.execute(statement.encode())


def test_migrations_build_what_is_declared(database: Database) -> None:
    migrated = structure(database)
    rebuild(database)
    built = structure(database)
    assert built - migrated == set()
    assert migrated - built == set()
    assert len([row for row in built if row[0] == "column"]) == sum(
        len(t.stored) + len(t.hidden) for t in (*core_catalogue().tables, *private_tables())
    )


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE ivoa.obscore ALTER s_ra TYPE real",
        "ALTER TABLE ivoa.obscore ALTER s_fov SET NOT NULL",
        "ALTER TABLE ivoa.obscore ALTER region_circle DROP EXPRESSION",
        "ALTER TABLE vo.dataset ADD more text",
        "ALTER TABLE ivoa.obscore_hea DROP CONSTRAINT obscore_hea_obs_publisher_did_fkey",
        "DROP INDEX ivoa.obscore_position",
        "DROP INDEX vo.dataset_local_id; CREATE INDEX dataset_local_id ON vo.dataset (collection, local_id)",
    ],
)
def test_the_comparison_sees(database: Database, change: str) -> None:
    migrated = structure(database)
    database.execute(change.encode())
    assert structure(database) != migrated


def test_down_and_up_again(settings: Settings, database: Database) -> None:
    before = structure(database)
    config = Config()
    config.set_main_option("script_location", str(roles.ALEMBIC))
    config.attributes["url"] = roles.owner_url(settings)
    command.downgrade(config, "base")
    assert structure(database) == set()
    assert database.execute(
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'vo'::regnamespace"
    ).fetchone() == (0,)
    install.migrate(settings)
    assert structure(database) == before


@pytest.mark.parametrize(
    ("region", "form", "value"),
    [
        ("Circle ICRS 180 45 30", "circle", "<(180d , 45d) , 30d>"),
        (" circle  icrs 1.5 -2 3.25 ", "circle", "<(1.5d , -2d) , 3.25d>"),
        ("Circle ICRS 0 0 90", "circle", "<(0d , 0d) , 90d>"),
        ("Circle ICRS 0 0 91", "rest", "<(180d , 0d) , 89d>"),
        ("Circle ICRS 190 -20 180", "rest", "<(10d , 20d) , 0d>"),
        ("Circle ICRS 1 2 180.001", None, None),
        ("Circle ICRS 1 2 NaN", None, None),
        ("Polygon ICRS 10 0 20 0 15 10", "polygon", "{(10d , 0d),(20d , 0d),(15d , 10d)}"),
        ("Box ICRS 1 2 3 4", None, None),
        (None, None, None),
    ],
)
def test_regions_as_shapes(
    database: Database, region: str | None, form: str | None, value: str | None
) -> None:
    """One of the three columns is filled."""
    forms = {"circle": "scircle", "polygon": "spoly", "rest": "scircle"}
    known = {
        name
        for name in forms
        if database.execute(f"SELECT vo.stcs_{name}(%s)", [region]).fetchone() != (None,)
    }
    assert known == ({form} if form else set())
    for name in known:
        same = f"SELECT vo.stcs_{name}(%s) = %s::{forms[name]}"
        assert database.execute(same, [region, value]).fetchone() == (True,)


def test_wide_regions_that_were_there_before_are_found(settings: Settings, database: Database) -> None:
    """The views of collections have the column, too, when the installation is through."""
    collection = Collection("A", "a")
    config = Config()
    config.set_main_option("script_location", str(roles.ALEMBIC))
    config.attributes["url"] = roles.owner_url(settings)
    command.downgrade(config, "0011")
    database.execute("INSERT INTO vo.collection VALUES ('A', 'a', %s, now())", [collection.to_json()])
    database.execute("CREATE SCHEMA a; CREATE VIEW a.obscore AS SELECT * FROM ivoa.obscore")
    database.execute(
        "INSERT INTO ivoa.obscore (obs_publisher_did, obs_id, dataset, calib_level, obs_collection, s_region)"
        " VALUES ('ivo://a/b', '1', '1', 2, 'A', 'Circle ICRS 10 20 135')"
    )
    database.execute("INSERT INTO ivoa.obscore_hea (obs_publisher_did) VALUES ('ivo://a/b')")
    install.install(settings, say=lambda _: None)
    for table in ("ivoa.obscore", "a.obscore"):
        rest = f"SELECT region_rest = scircle '<(190d,-20d),45d>' FROM {table}"
        assert database.execute(rest).fetchall() == [(True,)]
    command.downgrade(config, "0011")
    assert database.execute("SELECT to_regclass('a.obscore')").fetchone() == (None,)


def test_a_collection_in_sql(database: Database) -> None:
    """Names, comments and columns arrive as they are, whatever characters they hold."""
    odd = Column('so "so"', DOUBLE, description="it's 100 % \\ odd")
    collection = Collection("A", "a", events=True, obs_index_extras=(odd,))
    database.execute("CREATE SCHEMA a")
    view, *tables = collection_schema(collection).tables
    for table in (*tables, view):
        for statement in ddl.create_table(table):
            database.execute(statement.encode())
    assert database.execute(
        "SELECT col_description('a.obs_index'::regclass, attnum), obj_description('a.obs_index'::regclass)"
        " FROM pg_attribute WHERE attrelid = 'a.obs_index'::regclass AND attname = %s",
        ['so "so"'],
    ).fetchone() == ("it's 100 % \\ odd", tables[0].description)
    shown = database.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'a.obscore'::regclass AND attnum > 0"
    )
    assert {name for (name,) in shown} == {c.name for c in view.columns} | {h.name for h in view.hidden}


def test_columns_added_later(database: Database) -> None:
    database.execute("CREATE SCHEMA a")
    table = load_table("collection_obs_index", "a")
    for statement in ddl.create_table(replace(table, columns=table.columns[:4])):
        database.execute(statement.encode())
    present = [c.name for c in table.columns[:4]]
    for statement in ddl.add_columns(table, present):
        database.execute(statement.encode())
    names = database.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'a.obs_index'::regclass AND attnum > 0"
    )
    assert [name for (name,) in names] == [c.name for c in table.columns]
    assert ddl.add_columns(table, [c.name for c in table.columns]) == []


def test_indexes_dropped_and_made_again(database: Database) -> None:
    before = structure(database)
    table = core_catalogue().by_name["ivoa.obscore"]
    for statements in (ddl.drop_indexes(table), ddl.drop_indexes(table)):
        for statement in statements:
            database.execute(statement.encode())
    assert len(before - structure(database)) == len(table.indexes)
    for statements in (ddl.create_indexes(table), ddl.create_indexes(table)):
        for statement in statements:
            database.execute(statement.encode())
    assert structure(database) == before
