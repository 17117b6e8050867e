"""Uploads in the database: a schema of their own, random names, gone when the query has ended.

The owner writes them, the reader reads them; only the translator of the query that brought a table knows
its name. What a crash leaves behind `reap` removes: it takes what is older than GRACE and in nobody's
use, which the locks of running queries tell.
"""

import contextlib
import logging
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Final

import psycopg
from psycopg import sql

from vo_server.db import translated
from vo_server.errors import OverloadError, UsageError
from vo_server.roles import UPLOADS, InstallError, owner
from vo_server.settings import Settings
from vo_server.upload.kinds import NULL, Storage, Stored
from vo_server.upload.model import UploadedTable

log = logging.getLogger(__name__)

GRACE: Final = 600
"""Seconds between the end of a load and the begin of its query that a table is left alone for."""

ANALYSED: Final = 50
"""Most columns about whose values the planner is told: of more, those that come first."""

LEFT: Final[set[str]] = set()
"""Tables of this process that are still to be dropped."""

_BATCH: Final = 5000
_LISTED: Final = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'"
_LOCKED: Final = """
SELECT relname FROM pg_class JOIN pg_locks ON relation = pg_class.oid
WHERE relnamespace = to_regnamespace(%s) AND pid <> pg_backend_pid()"""
_NAME: Final = re.compile(r"u(\d+)_[0-9a-f]{16}")
_AT: Final = re.compile(r"COPY \w+, line (\d+)(?:, column (\w+))?")


def save(table: UploadedTable, storages: Sequence[Storage], settings: Settings) -> str:
    """Write the table and return its name in the schema UPLOADS. Raises UsageError for wrong values."""
    name = f"u{int(time.time())}_{secrets.token_hex(8)}"
    stored = [s for storage in storages for s in storage.stored]
    with translated(), _owner(settings) as connection, connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute(_create(name, stored))
        _copy(connection, name, table, storages)
        reader = sql.Identifier(settings.reader_role)
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(_full(name), reader))
        connection.execute(_analyze(name, stored))
    return name


def drop(names: Sequence[str], settings: Settings) -> None:
    """Remove tables; those that cannot be removed now are LEFT, for `drop_left` or, after a crash, `reap`."""
    try:
        with _owner(settings) as connection:
            connection.execute("SET lock_timeout = '5s'")
            for name in names:
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_full(name)))
    except (psycopg.Error, OverloadError) as error:
        LEFT.update(names)
        log.warning("uploaded tables stay until they are reaped: %s", error)


def drop_left(settings: Settings) -> None:
    """Try again what `drop` could not do, as when the database was away."""
    names = list(LEFT)
    LEFT.difference_update(names)
    if names:
        drop(names, settings)


def reap(settings: Settings, age: float = GRACE) -> int:
    """Remove tables older than `age` seconds that no query reads; how many there were."""
    count = 0
    with _owner(settings) as connection:
        connection.execute("SET lock_timeout = '50ms'")
        for name in _older(connection, age):
            with contextlib.suppress(psycopg.errors.LockNotAvailable):
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_full(name)))
                count += 1
    return count


def abandoned(connection: psycopg.Connection) -> list[str]:
    """Tables that `reap` would remove, but for those in use."""
    in_use = {name for (name,) in connection.execute(_LOCKED, [UPLOADS])}
    return [name for name in _older(connection, GRACE) if name not in in_use]


def _older(connection: psycopg.Connection, age: float) -> list[str]:
    found = [_NAME.fullmatch(name) for (name,) in connection.execute(_LISTED, [UPLOADS])]
    return [made.group() for made in found if made and time.time() - int(made.group(1)) >= age]


@contextlib.contextmanager
def _owner(settings: Settings) -> Iterator[psycopg.Connection]:
    try:
        connection = owner(settings)
    except InstallError as error:
        raise OverloadError from error
    with connection:
        yield connection


def _full(name: str) -> sql.Identifier:
    return sql.Identifier(UPLOADS, name)


def _create(name: str, stored: Sequence[Stored]) -> sql.Composed:
    columns = [sql.SQL("{} {}").format(sql.Identifier(s.name), sql.SQL(s.postgres)) for s in stored]
    return sql.SQL("CREATE UNLOGGED TABLE {} ({})").format(_full(name), sql.SQL(", ").join(columns))


def _analyze(name: str, stored: Sequence[Stored]) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier(s.name) for s in stored[:ANALYSED])
    return sql.SQL("ANALYZE {} ({})").format(_full(name), columns)


def _copy(
    connection: psycopg.Connection, name: str, table: UploadedTable, storages: Sequence[Storage]
) -> None:
    plan = [(number, s) for number, storage in enumerate(storages) for s in storage.stored]
    columns = sql.SQL(", ").join(sql.Identifier(s.name) for _, s in plan)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(_full(name), columns)
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for start in range(0, table.rows, _BATCH):
                cells = [_cells(table, number, s, start) for number, s in plan]
                copy.write("".join("\t".join(row) + "\n" for row in zip(*cells, strict=True)))
    except (psycopg.DataError, psycopg.errors.InternalError_, psycopg.errors.ProgramLimitExceeded) as error:
        raise UsageError(_told(error, table, plan)) from error


def _cells(table: UploadedTable, number: int, stored: Stored, start: int) -> list[str]:
    encode = stored.encode
    values = table.columns[number][start : start + _BATCH]
    cells: list[str] = []
    try:
        for value in values:
            cells.append(NULL if value is None else encode(value))
    except ValueError as error:
        place = f"row {start + len(cells) + 1}, column {table.fields[number].name}"
        raise UsageError(f"{place}: {values[len(cells)]!r:.60} is {error}") from error
    return cells


def _told(error: psycopg.Error, table: UploadedTable, plan: Sequence[tuple[int, Stored]]) -> str:
    """The database's complaint at its place in the table; all values in it are the user's own."""
    found = _AT.search(error.diag.context or "")
    if found is None:
        return f"the table cannot be stored: {error.diag.message_primary}"
    fields = {s.name: table.fields[number].name for number, s in plan}
    column = f", column {fields[found.group(2)]}" if found.group(2) in fields else ""
    return f"row {found.group(1)}{column}: {error.diag.message_primary}"
