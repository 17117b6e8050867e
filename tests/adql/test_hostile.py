"""Attempts to write, to read what is not published, or to hold the server up.

Two lines of defence: none of them is ADQL, and the role of public queries may do none of them in SQL.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from schema.model import Catalogue
from vo_server.adql import ADQLError, translate
from vo_server.roles import reader_url
from vo_server.settings import Settings

Rows = Callable[[str], list[tuple[Any, ...]]]

ATTEMPTS = r"""
# other statements and several at once
INSERT INTO sky.obs VALUES (1)
UPDATE sky.obs SET target = 'x'
DELETE FROM sky.obs
CREATE TABLE x (a INTEGER)
DROP TABLE sky.obs
TRUNCATE sky.obs
ALTER TABLE sky.obs ADD x INTEGER
GRANT SELECT ON sky.obs TO PUBLIC
SET ROLE postgres
COPY sky.obs TO '/tmp/x'
SELECT * INTO x FROM sky.obs
SELECT obs_id INTO x FROM sky.obs
WITH d AS (DELETE FROM sky.obs RETURNING *) SELECT * FROM d
SELECT * FROM (DELETE FROM sky.obs RETURNING *) AS d
SELECT * FROM sky.obs; DROP TABLE sky.obs
SELECT * FROM sky.obs; SELECT * FROM sky.obs
SELECT * FROM sky.obs /* x */
VALUES (1)
TABLE sky.obs
EXPLAIN SELECT * FROM sky.obs
WITH RECURSIVE c AS (SELECT * FROM sky.obs) SELECT * FROM c
WITH c AS (SELECT * FROM c) SELECT * FROM c
DECLARE c CURSOR FOR SELECT * FROM sky.obs
EXECUTE x
PREPARE x AS SELECT 1
LISTEN x
NOTIFY x
LOCK TABLE sky.obs
BEGIN
COMMIT
SHOW server_version
SET statement_timeout = 0
DO 'BEGIN END'
CALL x()
VACUUM
# what other dialects put behind a query
SELECT * FROM sky.obs FOR UPDATE
SELECT * FROM sky.obs LIMIT 1
SELECT * FROM sky.obs FETCH FIRST 1 ROWS ONLY
SELECT * FROM ONLY sky.obs
SELECT * FROM sky.obs TABLESAMPLE SYSTEM(1)
SELECT * FROM LATERAL sky.obs
SELECT 1
SELECT * FROM sky.obs AS o(secret)
SELECT secret FROM sky.obs AS o(secret)
SELECT * FROM (SELECT * FROM sky.obs) AS q(a, b)
WITH c(secret) AS (SELECT * FROM sky.obs) SELECT secret FROM c
SELECT * EXCEPT (obs_id) FROM sky.obs
SELECT DISTINCT ON (obs_id) obs_id FROM sky.obs
SELECT TOP -1 obs_id FROM sky.obs
SELECT TOP (SELECT 1 FROM sky.obs) obs_id FROM sky.obs
SELECT obs_id FROM sky.obs ORDER BY s_ra NULLS FIRST
SELECT obs_id FROM sky.obs ORDER BY s_ra USING >
# tables that are not published
SELECT * FROM pg_catalog.pg_authid
SELECT * FROM pg_authid
SELECT * FROM information_schema.tables
SELECT * FROM vo.dataset
SELECT * FROM vo.collection
SELECT * FROM "vo"."product"
SELECT * FROM other.sky.obs
SELECT * FROM vo_server.sky.obs
SELECT * FROM "sky.obs"
SELECT * FROM "sky"."obs"" o"
SELECT * FROM pg_ls_dir('/')
SELECT * FROM generate_series(1, 10)
SELECT * FROM generate_series(1, 10) AS g
# functions that are not in the register
SELECT pg_sleep(10) FROM sky.obs
SELECT "pg_sleep"(10) FROM sky.obs
SELECT pg_catalog.pg_sleep(10) FROM sky.obs
SELECT "pg_catalog"."pg_sleep"(10) FROM sky.obs
SELECT "abs"(1) FROM sky.obs
SELECT vo.stcs_circle('x') FROM sky.obs
SELECT stcs_circle('x') FROM sky.obs
SELECT pg_read_file('/etc/passwd') FROM sky.obs
SELECT lo_import('/etc/passwd') FROM sky.obs
SELECT current_setting('data_directory') FROM sky.obs
SELECT set_config('a.b', '1', 1) FROM sky.obs
SELECT version() FROM sky.obs
SELECT current_user FROM sky.obs
SELECT CURRENT_USER FROM sky.obs
SELECT SESSION_USER FROM sky.obs
SELECT CURRENT_TIMESTAMP FROM sky.obs
SELECT nextval('x') FROM sky.obs
SELECT dblink('x', 'y') FROM sky.obs
SELECT query_to_xml('select 1', 1, 1, '') FROM sky.obs
SELECT pg_advisory_lock(1) FROM sky.obs
SELECT pg_notify('a', 'b') FROM sky.obs
# types and casts
SELECT CAST('pg_authid' AS regclass) FROM sky.obs
SELECT CAST(obs_id AS name) FROM sky.obs
SELECT CAST(obs_id AS VARCHAR[]) FROM sky.obs
SELECT CAST(obs_id AS "VARCHAR") FROM sky.obs
SELECT CAST(obs_id AS VARCHAR) COLLATE "C" FROM sky.obs
SELECT 'pg_authid'::regclass FROM sky.obs
SELECT obs_id::regclass FROM sky.obs
SELECT regclass 'pg_authid' FROM sky.obs
# whole rows, and system columns
SELECT obs FROM sky.obs
SELECT o FROM sky.obs AS o
SELECT "o" FROM sky.obs AS o
SELECT o.* = o.* FROM sky.obs AS o
SELECT COUNT(o) FROM sky.obs AS o
SELECT COUNT(o.*) FROM sky.obs AS o
SELECT ROW(obs_id, target) FROM sky.obs
SELECT (obs_id, target) FROM sky.obs
SELECT (o).obs_id FROM sky.obs AS o
SELECT o.obs_id.x FROM sky.obs AS o
SELECT ctid FROM sky.obs
SELECT xmin FROM sky.obs
SELECT tableoid FROM sky.obs
SELECT "ctid" FROM sky.obs
SELECT "xmin" FROM sky.obs
SELECT o."cmin" FROM sky.obs AS o
SELECT oid FROM sky.obs
# hidden columns
SELECT secret FROM sky.obs
SELECT "secret" FROM sky.obs
SELECT o.secret FROM sky.obs AS o
SELECT sky.obs.secret FROM sky.obs
SELECT region_circle FROM sky.obs
SELECT "region_polygon" FROM sky.obs
SELECT obs_id FROM sky.obs WHERE secret = 1
SELECT obs_id FROM sky.obs ORDER BY secret
SELECT obs_id FROM sky.obs GROUP BY secret
SELECT COUNT(secret) FROM sky.obs
SELECT obs_id FROM sky.obs WHERE EXISTS (SELECT * FROM sky.hea WHERE hea.secret = obs.secret)
SELECT * FROM sky.obs JOIN sky.hea USING (secret)
SELECT * FROM sky.obs AS o JOIN sky.hea AS h ON o.secret = h.secret
SELECT secret FROM (SELECT * FROM sky.obs) AS q
SELECT q.secret FROM (SELECT * FROM sky.obs) AS q
SELECT "s_region:circle" FROM (SELECT * FROM sky.obs) AS q
SELECT q."s_region:polygon" FROM (SELECT s_region FROM sky.obs) AS q
SELECT secret FROM sky.obs NATURAL JOIN sky.hea
WITH c AS (SELECT * FROM sky.obs) SELECT secret FROM c
WITH c AS (SELECT * FROM sky.obs) SELECT "s_region:circle" FROM c
# operators, literals and expressions of PostgreSQL
SELECT obs_id FROM sky.obs WHERE s_region && s_region
SELECT obs_id FROM sky.obs WHERE obs_id ~ 'x'
SELECT obs_id FROM sky.obs WHERE obs_id SIMILAR TO 'x'
SELECT obs_id FROM sky.obs WHERE n_events OPERATOR(pg_catalog.=) 1
SELECT $1 FROM sky.obs
SELECT $$x$$ FROM sky.obs
SELECT E'\\x41' FROM sky.obs
SELECT U&'\0041' FROM sky.obs
SELECT U&"\0041" FROM sky.obs
SELECT B'1' FROM sky.obs
SELECT X'41' FROM sky.obs
SELECT N'a' FROM sky.obs
SELECT DATE '2020-01-01' FROM sky.obs
SELECT INTERVAL '1' DAY FROM sky.obs
SELECT ARRAY[1] FROM sky.obs
SELECT pos[1] FROM tap_upload.t1
SELECT obs_id FROM sky.obs WHERE (obs_id, target) = ('a', 'b')
SELECT obs_id FROM sky.obs WHERE TRUE
SELECT obs_id FROM sky.obs WHERE obs_id = ANY (SELECT obs_id FROM sky.hea)
SELECT COUNT(*) OVER () FROM sky.obs
SELECT RANK() OVER (ORDER BY s_ra) FROM sky.obs
SELECT COUNT(*) FILTER (WHERE s_ra > 1) FROM sky.obs
SELECT EXTRACT(YEAR FROM released) FROM sky.obs
SELECT POSITION('a' IN obs_id) FROM sky.obs
SELECT SUBSTRING(obs_id FROM 1 FOR 2) FROM sky.obs
SELECT XMLPARSE(DOCUMENT 'x') FROM sky.obs
"""


def attempts() -> Iterator[Any]:
    """Each attempt, by the subject that stands above it."""
    subject = ""
    for line in ATTEMPTS.strip().splitlines():
        if line.startswith("# "):
            subject = line.removeprefix("# ")
        else:
            yield pytest.param(line, id=f"{subject}: {line}")


@pytest.mark.parametrize("text", list(attempts()))
def test_adql_refuses(text: str, catalogue: Catalogue) -> None:
    with pytest.raises(ADQLError) as caught:
        translate(text, catalogue)
    assert caught.value.message
    assert caught.value.offending in text


@pytest.mark.parametrize(
    "text",
    [
        "SELECT obs_id FROM sky.obs -- hidden\n; DROP TABLE sky.obs",
        "SELECT obs_id FROM sky.obs --\r\n; DROP TABLE sky.obs",
        "SELECT obs_id FROM sky.obs WHERE obs_id = '--\n' OR secret = '1'",
        "SELECT obs_id FROM sky.obs WHERE obs_id = 'x\\' OR secret = 1 --'\nOR secret = 1",
        'SELECT obs_id AS "a--\n", secret FROM sky.obs',
        "SELECT obs_id /*, 1 AS x */ FROM sky.obs",
    ],
)
def test_comments_and_quotes_hide_nothing(text: str, catalogue: Catalogue) -> None:
    with pytest.raises(ADQLError):
        translate(text, catalogue)


def test_what_stands_in_a_comment_is_not_read(catalogue: Catalogue) -> None:
    plain = translate("SELECT obs_id FROM sky.obs", catalogue)
    assert translate("SELECT obs_id -- , secret\nFROM sky.obs -- ; DROP TABLE x", catalogue) == plain


def doubled(first: str, doubling: str, levels: int) -> str:
    """A value used twice in each of some queries around it; PostgreSQL pulls all of them into one."""
    text = f"SELECT {first} AS x FROM sky.obs"
    for _ in range(levels):
        text = f"SELECT {doubling} AS x FROM ({text}) AS q"
    return text


@pytest.mark.parametrize(
    "text",
    [
        doubled("s_ra", "x + x", 40),
        doubled("target", "x || x", 40),
        doubled(f"'{'x' * 100_000}'", "x || x", 10),
        "WITH a0 AS (SELECT s_ra AS x FROM sky.obs)"
        + "".join(f", a{i} AS (SELECT x + x AS x FROM a{i - 1})" for i in range(1, 40))
        + " SELECT x FROM a39",
    ],
    ids=["numbers", "texts", "long texts", "common tables"],
)
def test_subqueries_do_not_multiply(text: str, catalogue: Catalogue) -> None:
    """With each level the planner's memory and time double, and it does not look at the time limit."""
    with pytest.raises(ADQLError):
        translate(text, catalogue)


JOINS = " JOIN sky.obs AS b{0} ON b{0}.obs_id = a.obs_id"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT COUNT(*) FROM sky.obs AS a" + "".join(JOINS.format(i) for i in range(40)),
        "SELECT COUNT(*) FROM (SELECT a.obs_id FROM sky.obs AS a"
        + "".join(JOINS.format(i) for i in range(20))
        + ") AS q JOIN (SELECT a.obs_id FROM sky.obs AS a"
        + "".join(JOINS.format(i) for i in range(20, 40))
        + ") AS r ON q.obs_id = r.obs_id",
        "WITH q AS (SELECT a.obs_id FROM sky.obs AS a"
        + "".join(JOINS.format(i) for i in range(30))
        + ") SELECT COUNT(*) FROM q, sky.obs AS a"
        + "".join(JOINS.format(i) for i in range(30, 40))
        + " WHERE a.obs_id IN (SELECT obs_id FROM sky.hea)",
    ],
    ids=["joins", "subqueries", "common table"],
)
def test_joins_are_bounded(text: str, catalogue: Catalogue) -> None:
    """The planner's memory and time grow with their third power or more, whatever its limits say."""
    with pytest.raises(ADQLError, match="at most 40 are joined"):
        translate(text, catalogue)


STARS = {
    "SELECT * FROM sky.obs": ("obs",),
    "SELECT o.* FROM sky.obs AS o, sky.hea AS h": ("obs",),
    "SELECT * FROM sky.obs AS o JOIN sky.hea AS h ON o.obs_id = h.obs_id": ("obs", "hea"),
    "SELECT * FROM (SELECT * FROM sky.obs) AS q": ("obs",),
    "SELECT * FROM (SELECT * FROM (SELECT * FROM sky.obs) AS p) AS q": ("obs",),
    "WITH c AS (SELECT * FROM sky.obs) SELECT * FROM c": ("obs",),
    "SELECT * FROM sky.obs UNION ALL SELECT * FROM sky.obs": ("obs",),
    "SELECT * FROM (SELECT * FROM sky.obs EXCEPT SELECT * FROM sky.obs) AS q": ("obs",),
    "SELECT * FROM (SELECT TOP 3 * FROM sky.obs ORDER BY s_ra) AS q ORDER BY 1": ("obs",),
}


@pytest.mark.parametrize("text", STARS)
def test_stars_show_the_published_columns(text: str, catalogue: Catalogue, rows: Rows) -> None:
    tables = [catalogue.by_name[f"sky.{name}"] for name in STARS[text]]
    published = [c.name for t in tables for c in t.columns]
    shown = [c.name for c in translate(text, catalogue).columns]
    assert [re.sub(r"_2\Z", "", name) for name in shown] == published
    rows(text)


def test_natural_joins_do_not_see_hidden_columns(rows: Rows) -> None:
    """`secret` is in both tables, and nowhere equal."""
    joined = rows("SELECT obs_id FROM sky.obs NATURAL JOIN sky.hea")
    listed = rows("SELECT obs_id FROM sky.obs WHERE obs_id IN (SELECT obs_id FROM sky.hea)")
    assert sorted(joined) == sorted(listed)
    assert len(joined) == 36


WRITABLE = "SET default_transaction_read_only = off"
"""A role may lift its own default, so that its grants alone must hold."""

LARGE_OBJECTS = "PostgreSQL lets every role store large objects until EXECUTE on lo_* is revoked from PUBLIC"
LOCKS = "PostgreSQL lets every role take advisory locks until EXECUTE on them is revoked from PUBLIC"

DENIED: list[tuple[tuple[str, ...], str]] = [
    *(
        ((statement,), "25006")
        for statement in (
            "INSERT INTO sky.obs (obs_id) VALUES ('x')",
            "UPDATE sky.obs SET target = 'x'",
            "DELETE FROM sky.obs",
            "TRUNCATE sky.obs",
            "DROP TABLE sky.obs",
            "CREATE TABLE public.x (a int)",
            "ALTER TABLE sky.obs ADD x int",
            "SELECT * INTO public.x FROM sky.obs",
            "GRANT SELECT ON sky.obs TO PUBLIC",
            "CREATE EXTENSION dblink",
            "WITH d AS (DELETE FROM sky.obs RETURNING *) SELECT * FROM d",
        )
    ),
    *(
        ((WRITABLE, statement), "42501")
        for statement in (
            "INSERT INTO sky.obs (obs_id) VALUES ('x')",
            "INSERT INTO ivoa.obscore DEFAULT VALUES",
            "INSERT INTO tap_schema.tables DEFAULT VALUES",
            "UPDATE sky.obs SET target = 'x'",
            "UPDATE vo.collection SET definition = definition",
            "DELETE FROM vo.product",
            "DELETE FROM tap_schema.columns",
            "TRUNCATE sky.obs",
            "DROP TABLE sky.obs",
            "ALTER TABLE sky.obs ADD x int",
            "CREATE TABLE public.x (a int)",
            "CREATE TABLE sky.x (a int)",
            "CREATE SCHEMA mine",
            "CREATE SEQUENCE public.x",
            "CREATE VIEW public.x AS SELECT 1",
            "CREATE FUNCTION public.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE ROLE x",
            "CREATE DATABASE x",
            "CREATE EXTENSION dblink",
            "SELECT * INTO public.x FROM sky.obs",
            "SELECT * FROM sky.obs FOR UPDATE",
            "COMMENT ON TABLE sky.obs IS 'x'",
            "ALTER ROLE CURRENT_USER SUPERUSER",
            "ALTER ROLE CURRENT_USER CREATEDB",
            "ALTER SYSTEM SET work_mem = '1GB'",
            "SELECT lo_import('/etc/passwd')",
            "COPY sky.obs FROM PROGRAM 'true'",
        )
    ),
    *(
        ((statement,), "42501")
        for statement in (
            "SELECT * FROM pg_authid",
            "SELECT * FROM pg_shadow",
            "SELECT * FROM pg_statistic",
            "SELECT * FROM pg_largeobject",
            "SELECT * FROM pg_hba_file_rules",
            "SELECT * FROM pg_config",
            "SELECT * FROM vo.dataset",
            "SELECT table_to_xml('vo.dataset', true, true, '')",
            "SELECT query_to_xml('SELECT * FROM vo.dataset', true, true, '')",
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT pg_read_binary_file('/etc/passwd')",
            "SELECT pg_stat_file('/etc/passwd')",
            "SELECT * FROM pg_ls_dir('/')",
            "SELECT * FROM pg_ls_waldir()",
            "SELECT pg_current_logfile()",
            "SELECT lo_import('/etc/passwd')",
            "SELECT lo_export(1, '/nowhere/x')",
            "COPY sky.obs TO '/nowhere/x'",
            "COPY sky.obs TO PROGRAM 'true'",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT current_setting('data_directory')",
            "SELECT current_setting('hba_file')",
            "SELECT pg_reload_conf()",
            "SELECT pg_rotate_logfile()",
            "SELECT pg_switch_wal()",
            "SELECT pg_log_backend_memory_contexts(pg_backend_pid())",
            "SELECT pg_create_restore_point('x')",
            "SET ROLE pg_read_all_data",
            "SET SESSION AUTHORIZATION postgres",
            "LOAD 'dblink'",
            "CHECKPOINT",
        )
    ),
    (("SELECT dblink_connect('dbname=postgres')",), "42883"),
    (("SELECT secret_of_nobody FROM sky.obs",), "42703"),
    (("BEGIN READ WRITE", "LOCK TABLE sky.obs IN ACCESS EXCLUSIVE MODE"), "42501"),
    (("BEGIN READ WRITE", "LOCK TABLE sky.obs IN ROW EXCLUSIVE MODE"), "42501"),
]

WITHDRAWN = [
    ((WRITABLE, "BEGIN", statement), "42501")
    for statement in (
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_advisory_lock(hashtext('vo-server catalogue'))",
        "SELECT pg_try_advisory_lock(1)",
        "SELECT pg_notify('x', 'y')",
        "SELECT pg_export_snapshot()",
    )
]


@pytest.fixture(scope="module")
def reader(module_settings: Settings, connection: psycopg.Connection, catalogue: Catalogue) -> str:
    """Where the reader role connects, with the grants that published schemas have."""
    for name in {t.schema for t in catalogue.tables}:
        connection.execute(f'GRANT USAGE ON SCHEMA "{name}" TO "{module_settings.reader_role}"')
        connection.execute(
            f'GRANT SELECT ON ALL TABLES IN SCHEMA "{name}" TO "{module_settings.reader_role}"'
        )
    return reader_url(module_settings)


@pytest.mark.parametrize(
    ("statements", "sqlstate"), [pytest.param(*d, id="; ".join(d[0])) for d in (*DENIED, *WITHDRAWN)]
)
def test_the_reader_role_may_not(statements: tuple[str, ...], sqlstate: str, reader: str) -> None:
    with psycopg.connect(reader, autocommit=True) as connection:
        *before, last = statements
        for statement in before:
            connection.execute(statement)
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(last)
        assert caught.value.sqlstate == sqlstate, str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMPORARY TABLE x (a int)",
        "SELECT 1 AS a INTO TEMPORARY x",
        "CREATE TEMPORARY VIEW x AS SELECT 1",
        "CREATE FUNCTION pg_temp.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_the_reader_role_has_no_room_for_temporary_objects(statement: str, template: Settings) -> None:
    """In the installed database itself: a clone has not its grants."""
    with psycopg.connect(reader_url(template), autocommit=True) as connection:
        connection.execute(WRITABLE)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_the_reader_role_reads_what_is_published(reader: str) -> None:
    with psycopg.connect(reader, autocommit=True) as connection:
        (count,) = connection.execute("SELECT count(*) FROM sky.obs").fetchone() or (0,)
    assert count == 308


def test_the_reader_role_sees_nobody_elses_queries(reader: str, connection: psycopg.Connection) -> None:
    connection.execute("SELECT 'a word of the owner'")
    with psycopg.connect(reader, autocommit=True) as other:
        seen = other.execute(
            "SELECT query, client_addr FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        ).fetchall()
    assert ("<insufficient privilege>", None) in seen
    assert {query for query, _ in seen} <= {"<insufficient privilege>", ""}


def test_the_reader_role_owns_nothing(reader: str) -> None:
    """What it may do beyond reading would come by an object of its own, or by a grant."""
    with psycopg.connect(reader, autocommit=True) as connection:
        owned = connection.execute(
            "SELECT classid::regclass, objid FROM pg_shdepend"
            " WHERE refobjid = current_user::regrole AND deptype = 'o'"
        ).fetchall()
        granted = connection.execute(
            "SELECT c.oid::regclass::text, a.privilege_type"
            " FROM pg_class AS c, aclexplode(c.relacl) AS a, pg_namespace AS n"
            " WHERE n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            " AND a.grantee IN (0, current_user::regrole) AND a.privilege_type <> 'SELECT'"
        ).fetchall()
        members = connection.execute(
            "SELECT roleid::regrole FROM pg_auth_members WHERE member = current_user::regrole"
        ).fetchall()
    assert (owned, granted, members) == ([], [], [])


def test_no_function_runs_with_rights_of_its_owner(connection: psycopg.Connection) -> None:
    assert connection.execute("SELECT proname FROM pg_proc WHERE prosecdef").fetchall() == []
