"""The two roles that connect to the database: the owner, who may change everything, and the reader."""

from pathlib import Path

import psycopg

from schema.collection import Collection
from vo_server import cluster
from vo_server.settings import Settings

COLLECTIONS = "SELECT definition FROM vo.collection ORDER BY tap_schema"

UPLOADS = "vo_upload"
"""Schema of the tables that users upload; one query knows the name of each."""


class InstallError(RuntimeError):
    """The database cannot be made ready; the message says why and what would help."""


def require(settings: Settings) -> None:
    """Raise InstallError unless the database is ready."""
    with owner(settings) as connection:
        tables = "SELECT to_regclass('ivoa.obscore'), to_regclass('vo.job')"
        if None in (connection.execute(tables).fetchone() or ()):
            raise InstallError("the database is not ready: run `vo-server init` first")


def owner(settings: Settings) -> psycopg.Connection:
    """A connection that may change everything, in autocommit. Raises InstallError."""
    try:
        return psycopg.connect(owner_url(settings), autocommit=True)
    except psycopg.OperationalError as error:
        hint = "has `vo-server init` been run?"
        raise InstallError(f"no connection to the database ({error}); {hint}") from error


def owner_url(settings: Settings) -> str:
    """Where the owner connects."""
    return settings.database_url or cluster.cluster(settings).url


def reader_url(settings: Settings) -> str:
    """Where public queries connect, as the reader role."""
    if settings.reader_url:
        return settings.reader_url
    given = psycopg.conninfo.conninfo_to_dict(owner_url(settings))
    given["user"] = settings.reader_role
    password = password_file(settings)
    if settings.database_url and password.is_file():
        given["password"] = password.read_text().strip()
    return psycopg.conninfo.make_conninfo("", **given)


def read_collections(connection: psycopg.Connection) -> tuple[Collection, ...]:
    """The collections that have been ingested."""
    return tuple(Collection.from_json(definition) for (definition,) in connection.execute(COLLECTIONS))


def password_file(settings: Settings) -> Path:
    """Where the reader's password is kept, readable by the operator alone."""
    return settings.data_dir / f"{settings.reader_role}.password"
