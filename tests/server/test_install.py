"""What `vo-server init` makes of a database, and what the public role can do in it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from vo_server import cluster, install, roles
from vo_server.roles import InstallError, owner_url, reader_url
from vo_server.settings import Settings

Connection = psycopg.Connection[Any]

STATE = """
SELECT 'relation', c.oid::regclass::text, relkind::text, relacl::text FROM pg_class AS c
WHERE relnamespace::regnamespace::text IN ('ivoa', 'tap_schema', 'vo')
UNION ALL SELECT 'schema', nspname, NULL, nspacl::text FROM pg_namespace WHERE nspname NOT LIKE 'pg_%'
UNION ALL SELECT 'role', rolname, rolsuper::text, rolconfig::text FROM pg_roles WHERE rolname NOT LIKE 'pg_%'
UNION ALL SELECT 'function', oid::regprocedure::text, NULL, NULL FROM pg_proc
UNION ALL SELECT 'revision', version_num, NULL, NULL FROM vo.revision
UNION ALL SELECT 'column', table_name || '.' || column_name, t::text, NULL FROM tap_schema.columns AS t
"""


@pytest.fixture
def given(settings: Settings, tmp_path: Path) -> Settings:
    """A database that was given by its URL, with nothing said about the reader; installed."""
    given = replace(settings, reader_url="", data_dir=tmp_path / "data", reader_role="test_reader")
    install.install(given, print)
    return given


@pytest.fixture
def reader(given: Settings) -> Iterator[Connection]:
    """The public role's connection, with its read-only default switched off, as any client could."""
    with psycopg.connect(reader_url(given), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        yield connection


def test_installing_again_changes_nothing(settings: Settings, database: Connection) -> None:
    before = sorted(map(str, database.execute(STATE)))
    assert len(before) > 1000
    install.install(settings, print)
    install.install(settings, print)
    assert sorted(map(str, database.execute(STATE))) == before


def test_the_reader_of_a_given_database_has_a_password(given: Settings) -> None:
    path = given.data_dir / "test_reader.password"
    password = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(password) >= 32
    parts = psycopg.conninfo.conninfo_to_dict(reader_url(given))
    assert (parts["user"], parts["password"]) == ("test_reader", password)
    with psycopg.connect(owner_url(given)) as connection:
        query = "SELECT rolpassword FROM pg_authid WHERE rolname = 'test_reader'"
        (stored,) = connection.execute(query).fetchone() or ("",)
        assert stored.startswith("SCRAM-SHA-256$")
        install.install(given, print)
        assert path.read_text() == password
        assert connection.execute(query).fetchone() == (stored,)


def test_a_role_that_was_lost_gets_a_password_again(given: Settings) -> None:
    path = given.data_dir / "test_reader.password"
    password = path.read_text()
    with psycopg.connect(owner_url(given), autocommit=True) as connection:
        connection.execute("DROP OWNED BY test_reader")
        connection.execute("DROP ROLE test_reader")
        install.install(given, print)
        row = connection.execute(
            "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'test_reader'"
        )
        assert row.fetchone() == (True,)
    assert path.read_text() != password


def test_comments_say_what_the_catalogue_says(database: Connection) -> None:
    query = "SELECT col_description('ivoa.obscore'::regclass, attnum) FROM pg_attribute"
    query += " WHERE attrelid = 'ivoa.obscore'::regclass AND attname = 't_min'"
    assert database.execute(query.encode()).fetchone() == ("Start of the observation as MJD in UTC.",)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea",
        "SELECT count(*) FROM tap_schema.columns WHERE std = 1",
        "SELECT count(*) FROM vo.collection",
        "SELECT count(*) FROM vo.product",
        "SELECT spoint(0, 0) <@ scircle(spoint(0, 0), 0.1)",
    ],
)
def test_the_reader_reads(reader: Connection, query: str) -> None:
    assert len(reader.execute(query.encode()).fetchall()) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM vo.dataset",
        "SELECT * FROM vo.revision",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_shadow",
        "INSERT INTO ivoa.obscore (obs_publisher_did) VALUES ('x')",
        "UPDATE tap_schema.tables SET description = 'x'",
        "DELETE FROM ivoa.obscore",
        "TRUNCATE ivoa.obscore CASCADE",
        "ALTER TABLE ivoa.obscore ADD x integer",
        "DROP TABLE tap_schema.key_columns",
        "CREATE TABLE public.x (a integer)",
        "CREATE TABLE ivoa.x (a integer)",
        "CREATE TEMPORARY TABLE x (a integer)",
        "CREATE SCHEMA x",
        "CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE x",
        "COPY ivoa.obscore TO '/tmp/stolen'",
        "COPY ivoa.obscore FROM PROGRAM 'id'",
        "COPY tap_schema.tables FROM STDIN",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_reload_conf()",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "ALTER ROLE test_reader SUPERUSER",
        "GRANT SELECT ON vo.dataset TO test_reader",
    ],
)
def test_the_reader_does_nothing_else(reader: Connection, statement: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue)):
        reader.execute(statement.encode())


def test_the_reader_starts_read_only(given: Settings) -> None:
    with psycopg.connect(reader_url(given)) as connection:
        assert connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
        assert connection.execute("SHOW search_path").fetchone() == ("public",)


@pytest.fixture
def bare(settings: Settings) -> Iterator[Settings]:
    """A database with nothing in it."""
    name = "bare"
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = psycopg.conninfo.make_conninfo(owner_url(settings), dbname=name)
        yield replace(
            settings, database_url=url, reader_url=psycopg.conninfo.make_conninfo(url, user="vo_reader")
        )
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_a_database_with_nothing_in_it_becomes_ready(bare: Settings) -> None:
    told: list[str] = []
    install.install(bare, told.append)
    with psycopg.connect(reader_url(bare)) as connection:
        row = connection.execute(
            "SELECT count(*), count(DISTINCT table_name) FROM tap_schema.columns"
        ).fetchone()
    assert row is not None
    assert row[1] == 8
    assert len(told) <= 1
    again: list[str] = []
    install.install(bare, again.append)
    assert again == []


def test_operators_of_pgsphere_installed_by_its_script(bare: Settings) -> None:
    """However this server takes the extension, the way round it has to give the same operators."""
    with psycopg.connect(bare.database_url, autocommit=True) as connection:
        install._run_extension_script(connection)
        row = connection.execute(
            "SELECT spoint(0.1, 0) <@ scircle(spoint(0, 0), 0.2),"
            " scircle(spoint(0, 0), 0.2) @> spoint(0.3, 0),"
            " spoly '{(0d,0d),(10d,0d),(0d,10d)}' && scircle '<(5d,0d),1d>',"
            " degrees(spoint(0, 0) <-> spoint(radians(90), 0))"
        ).fetchone()
        assert row == (True, False, True, 90.0)
        connection.execute(
            "CREATE TABLE t AS SELECT spoint(i / 1000.0, 0) AS p FROM generate_series(1, 3000) AS i"
        )
        connection.execute("CREATE INDEX ON t USING gist (p)")
        connection.execute("SET enable_seqscan = off")
        query = "SELECT count(*) FROM t WHERE p <@ scircle(spoint(1, 0), 0.0105)"
        plan = str(connection.execute(f"EXPLAIN {query}".encode()).fetchall())
        assert "t_p_idx" in plan
        assert connection.execute(query.encode()).fetchone() == (21,)


def test_what_is_missing_is_told(settings: Settings) -> None:
    absent = psycopg.conninfo.make_conninfo(settings.database_url, dbname="absent")
    with pytest.raises(InstallError, match=r'"absent" does not exist.*has `vo-server init` been run\?'):
        roles.owner(replace(settings, database_url=absent))


def test_the_private_cluster_trusts_and_needs_no_password(template: Settings) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(reader_url(template))
    assert (parts["user"], parts["dbname"], "password" in parts) == ("vo_reader", cluster.DATABASE, False)
    assert not list(template.data_dir.glob("*.password"))
