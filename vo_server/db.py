"""Queries as the read-only role: streaming, cancelling, and driver errors turned into the server's own."""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

import adbc_driver_manager as adbc
import adbc_driver_postgresql as driver
import psycopg
import pyarrow as pa
from adbc_driver_manager._reader import AdbcRecordBatchReader
from psycopg import errors as pg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout

from schema.collection import Collection
from schema.load import catalogue
from schema.model import Catalogue
from vo_server import errors
from vo_server.adql.placeholders import PLACEHOLDER
from vo_server.cancellation import Cancellation
from vo_server.install import COLLECTIONS, reader_url
from vo_server.pool import Pool
from vo_server.settings import Settings

log = logging.getLogger(__name__)

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]

BATCH_BYTES: Final = 1 << 21
"""Size of a batch: the unit in which rows travel from the driver to a writer."""

CATALOGUE_AGE: Final = 2.0
"""Seconds after which the catalogue is checked against the database again."""

TRANSFER_LIMIT: Final = 6 * 3600.0
"""Seconds after which even a client that still reads is cut off, so that no connection is lost for good."""

_SMALL_CONNECTIONS: Final = 2
"""Connections beside those of the public queries, so that the server can always ask the database."""

MOST_WAITING: Final = 50
"""Queries that may wait for a connection; each holds a thread, and other requests need threads too."""

_WAIT_FOR_CONNECTION: Final = 10.0
_WAIT_FOR_CHECK: Final = 2.0

_INSIST: Final = 0.5
"""Seconds between two attempts to cancel: the first may come before the query does."""

_BATCH_BYTES: Final = driver.StatementOptions.BATCH_SIZE_HINT_BYTES.value

_TOO_LONG: Final = (
    "The query took longer than the time limit of this service, {:g} s. Conditions on columns with an index"
    " (indexed = 1 in tap_schema.columns) make it faster, and so may TOP."
)

DRIVER_ERRORS: Final[tuple[tuple[type[psycopg.Error], type[errors.VOError]], ...]] = (
    (pg.QueryCanceled, errors.QueryTimeoutError),
    (psycopg.DataError, errors.DataError),
    (pg.ProgramLimitExceeded, errors.DataError),
    (pg.StatementTooComplex, errors.DataError),
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


INTERNAL_FAULTS: Final[tuple[tuple[re.Pattern[str], str | None], ...]] = (
    (re.compile(r"sphere\w+: |radius must be not greater "), None),
    (re.compile(r"invalid memory alloc request size"), "a value becomes too large"),
)
"""Faults in the data that are reported as internal errors (SQLSTATE XX000): the beginnings of pgSphere's
sentences, which users are told as they are, and of PostgreSQL's for a value above 1 GB."""

RAISED: Final = re.compile(r"PL/pgSQL[^\n]* RAISE$", re.MULTILINE)
"""The context of an error that a function raised of itself; all such functions are ours."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise driver errors as the server's own."""
    try:
        yield
    except PoolTimeout as error:
        raise errors.OverloadError from error
    except psycopg.Error as error:
        found = Fault(type(error), error.diag.message_primary or "", error.diag.context or "")
        raise _told(found, error.sqlstate) from error
    except adbc.Error as error:
        details = {_text(name): _text(value) for name, value in error.details}
        found = Fault(
            _class_of(error), details.get("PG_DIAG_MESSAGE_PRIMARY", ""), details.get("PG_DIAG_CONTEXT", "")
        )
        raise _told(found, error.sqlstate) from error


def _text(value: str | bytes) -> str:
    """The driver gives names as bytes, too, whatever its types say."""
    return value if isinstance(value, str) else value.decode(errors="replace")


class Fault(NamedTuple):
    """What PostgreSQL says of an error: its class by SQLSTATE, and where it came about."""

    kind: type[psycopg.Error]
    message: str
    context: str


def _class_of(error: adbc.Error) -> type[psycopg.Error]:
    """The class that psycopg has for an error; without SQLSTATE the connection is broken, or the driver."""
    if not error.sqlstate:
        broken = error.status_code in {adbc.AdbcStatusCode.IO, adbc.AdbcStatusCode.CANCELLED}
        return psycopg.OperationalError if broken else psycopg.Error
    for state in (error.sqlstate, error.sqlstate[:2] + "000"):
        with contextlib.suppress(KeyError):
            return pg.lookup(state)
    return psycopg.Error


def _told(fault: Fault, sqlstate: str | None) -> errors.VOError:
    """What users may know of a fault: of one in the data its kind, not the database's own sentence.

    That could hold values of other rows. pgSphere's sentences (INTERNAL_FAULTS) and those that our
    functions raise hold none, and say more.
    """
    kind = next(ours for theirs, ours in DRIVER_ERRORS if issubclass(fault.kind, theirs))
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", fault.kind.__name__).rstrip("_").lower()
    if RAISED.match(fault.context):
        words = fault.message
    if issubclass(fault.kind, pg.InternalError_):
        for beginning, told in INTERNAL_FAULTS:
            if beginning.match(fault.message):
                kind, words = errors.DataError, told or fault.message
    if kind is errors.CatalogueChangedError:
        log.warning("the catalogue and the database differ: %s", fault.message)
    if kind is errors.DataError:
        return errors.DataError(f"The query fails on the data: {words}", sqlstate or "")
    return kind()


def literal(value: str | float | None) -> str:
    """A value as SQL. Raises psycopg.DataError for text with a NUL character."""
    text = sql.Literal(value).as_string(None)
    # A number with a point would be NUMERIC otherwise.
    return f"{text}::float8" if isinstance(value, float) else text


def with_values(statement: str, values: Sequence[Any]) -> str:
    """A statement with its placeholders `$1`, `$2`... replaced by the values.

    ADBC streams rows only for statements without parameters: it wraps them in COPY.
    """
    literals = [literal(value) for value in values]
    return PLACEHOLDER.sub(lambda m: literals[int(m[1]) - 1] if m[1] else m[0], statement)


class Statement(NamedTuple):
    """SQL without placeholders, and how many bytes of its rows make a batch."""

    sql: str
    batch_bytes: int


class Closable(Protocol):
    """A statement or a reader of the driver."""

    def close(self) -> None:
        """Let go of it."""


class Stream:
    """Rows of one running query in batches; the first batch has arrived when it is made.

    `seconds` is how long it may keep us waiting for rows, all in all; the time that the reader takes
    between the batches does not count. A thread reads one batch ahead. Iterate it once. `cancel` may be
    called from any thread; `close` gives the connection back and cancels what is still running.
    """

    def __init__(
        self,
        pool: Pool,
        threads: ThreadPoolExecutor,
        statement: Statement,
        seconds: float,
        cancellation: Cancellation,
    ) -> None:
        self._pool = pool
        self._threads = threads
        self._lock = threading.Lock()
        self._cancelled = False
        self._limit = self._seconds = seconds
        self._open: list[Closable] = []
        self._batches: Iterator[pa.RecordBatch] = iter(())
        with translated():
            self._connection: adbc.AdbcConnection | None = pool.take(_WAIT_FOR_CONNECTION)
        self._reading: Future[pa.RecordBatch | None] | None = None
        try:
            cancellation.bind(self.cancel)
            if self._cancelled:
                raise errors.QueryCancelledError
            self._reading = threads.submit(self._begin, self._connection, statement)
            self._first = self._fetch(self._reading)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        batch, self._first = self._first, None
        while batch is not None:
            yield batch
            batch = self._fetch(self._reading) if self._reading is not None else None
        self.close()

    def _begin(self, connection: adbc.AdbcConnection, statement: Statement) -> pa.RecordBatch | None:
        """Run the query as far as its first rows (in a thread of its own, as `_read`)."""
        with translated():
            running = adbc.AdbcStatement(connection)
            self._open.append(running)
            running.set_options(**{_BATCH_BYTES: str(statement.batch_bytes)})
            running.set_sql_query(statement.sql)
            handle, _ = running.execute_query()
            # The public ways to read lose the SQLSTATE of an error among the rows.
            reader = AdbcRecordBatchReader._import_from_c(handle.address)
            self._open.append(reader)
            self._batches = iter(reader)
        return self._read()

    def _read(self) -> pa.RecordBatch | None:
        with translated():
            return next(self._batches, None)

    def _fetch(self, reading: Future[pa.RecordBatch | None]) -> pa.RecordBatch | None:
        started = time.monotonic()
        wait([reading], self._seconds)
        while not reading.done():
            self._interrupt()
            wait([reading], _INSIST)
        self._seconds = max(0.0, self._seconds - (time.monotonic() - started))
        try:
            batch = reading.result()
        except errors.QueryTimeoutError as error:
            if self._cancelled:
                raise errors.QueryCancelledError from error
            raise errors.QueryTimeoutError(_TOO_LONG.format(self._limit)) from error
        self._reading = self._threads.submit(self._read) if batch is not None else None
        return batch

    def cancel(self) -> None:
        """Stop the query in the database."""
        self._cancelled = True
        self._interrupt()

    def _interrupt(self) -> None:
        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(adbc.Error):
                    self._connection.cancel()

    def close(self) -> None:
        """Give the connection back; a query that is still running is cancelled first."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if self._reading is not None and not self._reading.cancel():
                while not self._reading.done():
                    with contextlib.suppress(adbc.Error):
                        connection.cancel()
                    wait([self._reading], _INSIST)
            self._batches = iter(())
            while self._open:
                with contextlib.suppress(adbc.Error):
                    self._open.pop().close()
        finally:
            self._pool.give(connection)

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
        self._threads = ThreadPoolExecutor(settings.connections, "rows")
        self._pool = Pool(_conninfo(settings), settings.connections, MOST_WAITING)
        self._small_pool = _small_pool(settings)
        self._catalogue: tuple[float, tuple[str, ...], Catalogue, tuple[Collection, ...]] | None = None
        self._catalogue_lock = threading.Lock()

    def open(self) -> None:
        """Start the pools; does not wait for the database."""
        self._small_pool.open()

    def close(self) -> None:
        """End all connections."""
        self._pool.close()
        self._small_pool.close()
        self._threads.shutdown(wait=False)

    def stream(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        batch_bytes: int = BATCH_BYTES,
        cancellation: Cancellation | None = None,
    ) -> Stream:
        """Run a query (`$1`, `$2`... for the parameters); its first batch has been fetched on return."""
        with translated():
            statement = Statement(with_values(sql, parameters), batch_bytes)
        return Stream(self._pool, self._threads, statement, self._seconds, cancellation or Cancellation())

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


def _small_pool(settings: Settings) -> ConnectionPool[Connection]:
    return ConnectionPool(
        _conninfo(settings, settings.sync_timeout),
        min_size=1,
        max_size=_SMALL_CONNECTIONS,
        max_waiting=MOST_WAITING,
        open=False,
        check=ConnectionPool.check_connection,
        kwargs={"autocommit": True},
    )


def _conninfo(settings: Settings, statement_seconds: float | None = None) -> str:
    """How the reader connects, and its session: time limit, memory, and the URL of `access_url`."""
    values = {
        "statement_timeout": f"{int((statement_seconds or settings.sync_timeout + TRANSFER_LIMIT) * 1000)}",
        "work_mem": f"{settings.query_memory}MB",
        "hash_mem_multiplier": "1",
        "TimeZone": "UTC",
        "extra_float_digits": "1",
        "standard_conforming_strings": "on",
        "default_transaction_read_only": "on",
        "vo.public_url": settings.url,
    }
    options = " ".join(f"-c {name}={value.replace(' ', '')}" for name, value in values.items())
    return psycopg.conninfo.make_conninfo(reader_url(settings), options=options, connect_timeout=10)
