"""Queries as the read-only role: streaming, cancelling, and driver errors turned into the server's own."""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import psycopg
from psycopg import errors as pg
from psycopg_pool import ConnectionPool, PoolTimeout

from schema.collection import Collection
from schema.load import catalogue
from schema.model import Catalogue
from vo_server import errors
from vo_server.cancellation import Cancellation
from vo_server.install import COLLECTIONS, reader_url
from vo_server.settings import Settings

log = logging.getLogger(__name__)

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]

BATCH_SIZE: Final = 2000
"""Rows of a batch: the unit in which rows travel from the driver to a writer."""

CATALOGUE_AGE: Final = 2.0
"""Seconds after which the catalogue is checked against the database again."""

TRANSFER_LIMIT: Final = 6 * 3600.0
"""Seconds after which even a client that still reads is cut off, so that no connection is lost for good."""

_SMALL_CONNECTIONS: Final = 2
"""Connections beside those of the public queries, so that the server can always ask the database."""

_MOST_WAITING: Final = 20
"""Queries that may wait for a connection; each holds a thread, and other requests need threads too."""

_WAIT_FOR_CONNECTION: Final = 10.0
_WAIT_FOR_CHECK: Final = 2.0

_TOO_LONG: Final = (
    "The query took longer than the time limit of this service, {:g} s. Conditions on columns with an index"
    " (indexed = 1 in tap_schema.columns) make it faster, and so may TOP."
)

DRIVER_ERRORS: Final[tuple[tuple[type[psycopg.Error], type[errors.VOError]], ...]] = (
    (pg.QueryCanceled, errors.QueryTimeoutError),
    (psycopg.DataError, errors.DataError),
    (pg.ProgramLimitExceeded, errors.DataError),
    (pg.CardinalityViolation, errors.DataError),
    (pg.UndefinedTable, errors.CatalogueChangedError),
    (pg.UndefinedColumn, errors.CatalogueChangedError),
    (psycopg.NotSupportedError, errors.DataError),
    (pg.InsufficientResources, errors.OverloadError),
    (pg.OperatorIntervention, errors.OverloadError),
    (psycopg.OperationalError, errors.OverloadError),
    (psycopg.Error, errors.ServerError),
)
"""Driver error -> ours; the first row that fits."""


MEMORY_SOURCE: Final = "mcxt.c"
"""Where PostgreSQL refuses to make a value of more than 1 GB; it reports that as an internal error."""

PGSPHERE_SOURCES: Final = frozenset(
    ("box.c", "circle.c", "ellipse.c", "euler.c", "line.c", "path.c", "point.c", "polygon.c", "sparse.y")
)
"""Where pgSphere finds fault with values; it reports that as internal errors (SQLSTATE XX000)."""

RAISED: Final = "exec_stmt_raise"
"""Where PostgreSQL carries out a RAISE of a function; all such functions are ours."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise driver errors as the server's own."""
    try:
        yield
    except PoolTimeout as error:
        raise errors.OverloadError from error
    except psycopg.Error as error:
        kind = _kind(error)
        if kind is errors.DataError:
            raise errors.DataError(_told(error), error.sqlstate or "") from error
        if kind is errors.CatalogueChangedError:
            log.warning("the catalogue and the database differ: %s", error.diag.message_primary)
        raise kind from error


def _kind(error: psycopg.Error) -> type[errors.VOError]:
    source = Path(error.diag.source_file or "").name
    if isinstance(error, pg.InternalError_) and source in {MEMORY_SOURCE, *PGSPHERE_SOURCES}:
        return errors.DataError
    return next(ours for theirs, ours in DRIVER_ERRORS if isinstance(error, theirs))


def _told(error: psycopg.Error) -> str:
    """What users may know of a fault in the data: the kind of it, not the database's own sentence.

    That could hold values of other rows. pgSphere's sentences and those that our functions raise hold
    none, and say more.
    """
    source = Path(error.diag.source_file or "").name
    if source in PGSPHERE_SOURCES or error.diag.source_function == RAISED:
        return f"The query fails on the data: {error.diag.message_primary}"
    if source == MEMORY_SOURCE:
        return "The query fails on the data: a value becomes too large"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).rstrip("_").lower()
    return f"The query fails on the data: {words}"


class Statement(NamedTuple):
    """SQL with placeholders `$1`, `$2`... and their values."""

    sql: str
    parameters: Sequence[Any]


class Stream:
    """Rows of one running query in batches; the first batch has arrived when it is made.

    `seconds` is how long it may keep us waiting for rows, all in all; the time that the reader takes
    between the batches does not count. Iterate it once. `cancel` may be called from any thread; `close`
    gives the connection back and cancels what is still running.
    """

    def __init__(
        self,
        pool: ConnectionPool[Connection],
        statement: Statement,
        size: int,
        seconds: float,
        cancellation: Cancellation,
    ) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._cancelled = False
        self._limit = self._seconds = seconds
        with translated():
            self._connection: Connection | None = pool.getconn(timeout=_WAIT_FOR_CONNECTION)
        try:
            cursor = psycopg.RawCursor(self._connection)
            self._rows = cursor.stream(statement.sql.encode(), statement.parameters, size=size)
            self._size = size
            cancellation.bind(self.cancel)
            if self._cancelled:
                raise errors.QueryCancelledError
            self._first = self._fetch()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[list[Row]]:
        batch, self._first = self._first, []
        while batch:
            yield batch
            batch = self._fetch()
        self.close()

    def _fetch(self) -> list[Row]:
        batch: list[Row] = []
        started = time.monotonic()
        limit = threading.Timer(self._seconds, self._interrupt)
        limit.daemon = True
        limit.start()
        try:
            with translated():
                for row in self._rows:
                    batch.append(row)
                    if len(batch) >= self._size:
                        break
        except errors.QueryTimeoutError as error:
            if self._cancelled:
                raise errors.QueryCancelledError from error
            raise errors.QueryTimeoutError(_TOO_LONG.format(self._limit)) from error
        finally:
            limit.cancel()
            self._seconds = max(0.0, self._seconds - (time.monotonic() - started))
        return batch

    def cancel(self) -> None:
        """Stop the query in the database."""
        self._cancelled = True
        self._interrupt()

    def _interrupt(self) -> None:
        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(psycopg.Error):
                    self._connection.cancel_safe(timeout=5)

    def close(self) -> None:
        """Give the connection back; a query that is still running is cancelled first."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if connection.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                with contextlib.suppress(psycopg.Error):
                    connection.cancel_safe(timeout=5)
            rows = getattr(self, "_rows", None)
            if rows is not None:
                with contextlib.suppress(psycopg.Error):
                    rows.close()
        finally:
            self._pool.putconn(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Database:
    """The published tables, read as the read-only role.

    `stream` and `fetch` are safe to call from many threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.sync_timeout
        self._pool = _pool(settings, settings.connections, settings.sync_timeout + TRANSFER_LIMIT)
        self._small_pool = _pool(settings, _SMALL_CONNECTIONS, settings.sync_timeout)
        self._catalogue: tuple[float, tuple[str, ...], Catalogue, tuple[Collection, ...]] | None = None
        self._catalogue_lock = threading.Lock()

    def open(self) -> None:
        """Start the pools; does not wait for the database."""
        self._pool.open()
        self._small_pool.open()

    def close(self) -> None:
        """End all connections."""
        self._pool.close()
        self._small_pool.close()

    def stream(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        batch_size: int = BATCH_SIZE,
        cancellation: Cancellation | None = None,
    ) -> Stream:
        """Run a query (`$1`, `$2`... for the parameters); its first batch has been fetched on return."""
        statement = Statement(sql, parameters)
        return Stream(self._pool, statement, batch_size, self._seconds, cancellation or Cancellation())

    def fetch(
        self, sql: str, parameters: Sequence[Any] = (), wait: float = _WAIT_FOR_CONNECTION
    ) -> list[Row]:
        """All rows of a small query; `wait` is how many seconds it may take to get a connection.

        It goes by connections of its own: however busy the public queries keep theirs, the server can
        tell its state, read its catalogue and find its files.
        """
        with translated(), self._small_pool.connection(timeout=wait) as connection:
            return psycopg.RawCursor(connection).execute(sql.encode(), parameters).fetchall()

    def catalogue(self) -> Catalogue:
        """The published catalogue, at most CATALOGUE_AGE seconds behind the database."""
        return self._published()[2]

    def collections(self) -> tuple[Collection, ...]:
        """The published collections, at most CATALOGUE_AGE seconds behind the database."""
        return self._published()[3]

    def forget_catalogue(self) -> None:
        """Read the catalogue anew when it is needed next, whatever its age."""
        with self._catalogue_lock:
            self._catalogue = None

    def _published(self) -> tuple[float, tuple[str, ...], Catalogue, tuple[Collection, ...]]:
        with self._catalogue_lock:
            known = self._catalogue
            if known is not None and time.monotonic() - known[0] < CATALOGUE_AGE:
                return known
            definitions = tuple(definition for (definition,) in self.fetch(COLLECTIONS))
            if known is not None and known[1] == definitions:
                known = (time.monotonic(), *known[1:])
            else:
                collections = tuple(map(Collection.from_json, definitions))
                known = (time.monotonic(), definitions, catalogue(collections), collections)
            self._catalogue = known
            return known

    def check(self) -> list[str]:
        """What keeps the database from answering; empty if it does."""
        try:
            listed = self.fetch("SELECT table_name FROM tap_schema.tables", wait=_WAIT_FOR_CHECK)
            published = {name for (name,) in listed}
            expected = {t.adql_name for t in self.catalogue().tables}
            self.fetch("SELECT obs_publisher_did FROM ivoa.obscore LIMIT 1")
        except errors.VOError as error:
            log.warning("the database does not answer: %s", error.__cause__ or error)
            return ["The database does not answer."]
        missing = sorted(expected - published)
        return [f"TAP_SCHEMA does not list {', '.join(missing)}."] if missing else []


def _pool(settings: Settings, size: int, statement_seconds: float) -> ConnectionPool[Connection]:
    return ConnectionPool(
        reader_url(settings),
        min_size=1,
        max_size=size,
        max_waiting=_MOST_WAITING,
        open=False,
        check=ConnectionPool.check_connection,
        kwargs={"autocommit": True, "options": _options(settings, statement_seconds)},
    )


def _options(settings: Settings, statement_seconds: float) -> str:
    """Server settings of every reader connection: time limit, memory, and the URL of `access_url`."""
    values = {
        "statement_timeout": f"{int(statement_seconds * 1000)}",
        "work_mem": f"{settings.query_memory}MB",
        "TimeZone": "UTC",
        "extra_float_digits": "1",
        "default_transaction_read_only": "on",
        "vo.public_url": settings.url,
    }
    return " ".join(f"-c {name}={value.replace(' ', '')}" for name, value in values.items())
