"""Makes a database ready: roles, pgSphere, migrations, TAP_SCHEMA. Doing it again changes nothing."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql

from schema import ddl, tap_schema
from schema.collection import Collection
from schema.load import catalogue, collection_schema, core_catalogue, private_tables
from schema.model import Table
from vo_server import cluster
from vo_server.roles import ALEMBIC, UPLOADS, InstallError, owner, owner_url, password_file, read_collections
from vo_server.settings import Settings
from vo_server.uws import queue

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('vo-server catalogue'))"
"""Two ingests may change grants and TAP_SCHEMA at once; PostgreSQL refuses the second, so it waits."""

_WITHDRAWN = "^(lo_.*|lowrite|loread|pg_advisory_.*|pg_try_advisory_.*|pg_notify|pg_export_snapshot)$"
"""Functions of PostgreSQL, by name, that the reader of a private cluster cannot call."""

_CONFLICT = "is already the commutator of operator"
_REDUNDANT = re.compile(
    r"CREATE OPERATOR @ \(\s*LEFTARG\s*=\s*(?:bigint|spoint),\s*RIGHTARG\s*=\s*smoc,.*?\);", re.DOTALL
)
"""The statements of pgSphere 1.2.0 that PostgreSQL 15.19 and later refuse; `<@` says the same."""


def install(settings: Settings, say: Callable[[str], None]) -> None:
    """Make the database ready, telling `say` what was done. Idempotent. Raises InstallError."""
    _create_database(settings)
    with owner(settings) as connection:
        _create_extension(connection, say)
        _create_reader(connection, settings)
        if not settings.database_url:
            _withdraw(connection)
    migrate(settings)
    with owner(settings) as connection:
        for table in tables_of(read_collections(connection)):
            _restore(connection, table)
        queue.create(connection)
        grant(connection, settings)
        publish(connection)
        for table in (*core_catalogue().tables, *private_tables()):
            for statement in ddl.comments(table):
                connection.execute(statement.encode())


def migrate(settings: Settings) -> None:
    """Bring the tables to the newest revision."""
    config = Config()
    config.set_main_option("script_location", str(ALEMBIC).replace("%", "%%"))
    config.attributes["url"] = owner_url(settings)
    command.upgrade(config, "head")


def publish(connection: psycopg.Connection) -> None:
    """Write TAP_SCHEMA from the catalogue, in one transaction."""
    with connection.transaction():
        connection.execute(ONE_AT_A_TIME)
        rows = tap_schema.rows(catalogue(read_collections(connection)))
        for table in reversed(rows):
            connection.execute(sql.SQL("DELETE FROM tap_schema.{}").format(sql.Identifier(table)))
        for table, values in rows.items():
            marks = sql.SQL(", ").join([sql.Placeholder()] * len(values[0])) if values else sql.SQL("")
            with connection.cursor() as cursor:
                cursor.executemany(
                    sql.SQL("INSERT INTO tap_schema.{} VALUES ({})").format(sql.Identifier(table), marks),
                    values,
                )


def tables_of(collections: tuple[Collection, ...]) -> tuple[Table, ...]:
    """All tables and views that there are to be, each after those that it is made from."""
    own: list[Table] = []
    for collection in collections:
        view, *tables = collection_schema(collection).tables
        own += [*tables, view]
    return (*core_catalogue().tables, *private_tables(), *own)


def grant(connection: psycopg.Connection, settings: Settings) -> None:
    """Let the reader read the published schemas, and nothing else."""
    reader = sql.Identifier(settings.reader_role)
    with connection.transaction():
        connection.execute(ONE_AT_A_TIME)
        schemas = ["ivoa", "tap_schema", *(c.schema for c in read_collections(connection))]
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA vo TO {}").format(reader))
        private = "vo.collection, vo.product, vo.coverage, vo.record"
        connection.execute(sql.SQL(f"GRANT SELECT ON {private} TO {{}}").format(reader))
        uploads = sql.Identifier(UPLOADS)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(uploads))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(uploads, reader))
        for schema in schemas:
            connection.execute(
                sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {reader}").format(
                    schema=sql.Identifier(schema), reader=reader
                )
            )
            connection.execute(
                sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}").format(
                    schema=sql.Identifier(schema), reader=reader
                )
            )


def _restore(connection: psycopg.Connection, table: Table) -> None:
    """Make a table or view, or indexes of it, that have been lost; rows come back with the next ingest."""
    present = connection.execute("SELECT to_regclass(%s)", [ddl.quoted(table)]).fetchone() != (None,)
    schema = sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(table.schema))
    with connection.transaction():
        if not present:
            connection.execute(schema)
        for statement in ddl.create_indexes(table) if present else ddl.create_table(table):
            connection.execute(statement.encode())


def _create_database(settings: Settings) -> None:
    """The private cluster starts with no database of ours; a given database must exist."""
    if settings.database_url:
        return
    url = psycopg.conninfo.make_conninfo(owner_url(settings), dbname="postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [cluster.DATABASE])
        if known.fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(cluster.DATABASE)))


def _create_extension(connection: psycopg.Connection, say: Callable[[str], None]) -> None:
    """pgSphere, with a way round the two statements that newer PostgreSQL 15 refuses."""
    if connection.execute("SELECT to_regtype('spoint')").fetchone() != (None,):
        return
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_sphere WITH SCHEMA public")
    except psycopg.errors.UndefinedFile as error:
        raise InstallError(
            "pgSphere is not installed for this PostgreSQL; Debian's package is"
            f" postgresql-{connection.info.server_version // 10000}-pgsphere"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise InstallError(
            "the role may not create the extension pg_sphere; have a superuser run CREATE EXTENSION pg_sphere"
        ) from error
    except psycopg.Error as error:
        if _CONFLICT not in str(error):
            raise InstallError(f"CREATE EXTENSION pg_sphere: {error}") from error
        _run_extension_script(connection)
        say(
            "pgSphere 1.2.0 and this PostgreSQL disagree about two redundant operators (@ on smoc);"
            " its objects were installed without them, by its own script, outside the extension mechanism."
        )


def _run_extension_script(connection: psycopg.Connection) -> None:
    row = connection.execute("SELECT setting FROM pg_config() WHERE name = 'SHAREDIR'").fetchone()
    directory = Path(row[0] if row else "") / "extension"
    script = directory / "pg_sphere--1.2.0.sql"
    try:
        text = script.read_text(encoding="utf-8")
    except OSError as error:
        raise InstallError(
            f"CREATE EXTENSION pg_sphere fails on this PostgreSQL and {script} cannot be read from here:"
            " install a newer pgSphere on the database server"
        ) from error
    text = _REDUNDANT.sub("", text).replace("MODULE_PATHNAME", "$libdir/pg_sphere")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("\\"))
    comments = re.compile(r"COMMENT ON OPERATOR @ \((?:bigint|spoint), smoc\).*?;", re.DOTALL)
    with connection.transaction():
        connection.execute("SET LOCAL search_path TO public")
        connection.execute(comments.sub("", kept).encode())


def _withdraw(connection: psycopg.Connection) -> None:
    """Take from PUBLIC the functions with which a reader could fill the disk, block others or wait."""
    found = connection.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
        " AND proname ~ %s AND has_function_privilege('public', oid, 'EXECUTE')",
        [_WITHDRAWN],
    )
    for (function,) in found.fetchall():
        connection.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC".encode())


def _create_reader(connection: psycopg.Connection, settings: Settings) -> None:
    """The role of public queries: it can log in, read, and nothing else."""
    role = sql.Identifier(settings.reader_role)
    known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [settings.reader_role]).fetchone()
    if known is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").format(role))
    has_password = known is not None and password_file(settings).is_file()
    if settings.database_url and not settings.reader_url and not has_password:
        _set_password(connection, settings, role)
    connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(role))
    connection.execute(sql.SQL("ALTER ROLE {} SET search_path = public").format(role))
    # The query of a process that was killed ends, too.
    connection.execute(sql.SQL("ALTER ROLE {} SET client_connection_check_interval = '5s'").format(role))
    connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))


def _set_password(connection: psycopg.Connection, settings: Settings, role: sql.Identifier) -> None:
    """A password that only this installation knows, kept beside its data."""
    path = password_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe(24)
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
    path.touch(mode=0o600)
    path.write_text(password)
