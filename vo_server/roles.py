"""The two roles that connect to the database: the owner, who may change everything, and the reader."""

from pathlib import Path
from typing import Final

import psycopg

import vo_server
from schema.collection import Collection
from vo_server import cluster
from vo_server.settings import Settings

ALEMBIC: Final = Path(vo_server.__file__).resolve().parent.parent / "alembic"
REVISION: Final = "SELECT version_num FROM vo.revision"

COLLECTIONS = "SELECT definition FROM vo.collection ORDER BY tap_schema"

UPLOADS = "vo_upload"
"""Schema of the tables that users upload; one query knows the name of each."""


class InstallError(RuntimeError):
    """The database cannot be made ready; the message says why and what would help."""


def require(settings: Settings) -> None:
    """Raise InstallError unless the database is ready for this version."""
    with owner(settings) as connection:
        found = revision(connection)
    if found is None:
        raise InstallError("the database is not ready: run `vo-server init` first")
    if found != newest_revision():
        raise InstallError(
            f"the database has revision {found} where {newest_revision()} is needed: run `vo-server init`"
        )


def revision(connection: psycopg.Connection) -> str | None:
    """The migration that the tables are at; None without any."""
    try:
        row = connection.execute(REVISION).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return row[0] if row else None


def newest_revision() -> str:
    """The last of the migrations, by the numbers that the names of their files begin with."""
    return max(path.name.partition("_")[0] for path in (ALEMBIC / "versions").glob("*.py"))


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
