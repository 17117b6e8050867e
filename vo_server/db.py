"""Queries as the read-only role: streaming, cancelling, and driver errors turned into the server's own."""

import contextlib
import logging
import re
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import psycopg
import pyarrow as pa
from psycopg import errors as pg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout

from schema.collection import Collection
from schema.load import catalogue
from schema.model import Catalogue
from vo_server import errors
from vo_server.adql.placeholders import PLACEHOLDER
from vo_server.cancellation import Cancellation
from vo_server.deliveries import Deliveries
from vo_server.roles import COLLECTIONS, reader_url
from vo_server.rows import BackendError, Reader, RowsError, cancel
from vo_server.settings import Settings

log = logging.getLogger(__name__)

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]
Pool = ConnectionPool[Connection]

BATCH_BYTES: Final = 1 << 20
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
_MOMENT: Final = 0.01

WAIT_FOR_DATABASE: Final = 2.0
"""Seconds for which a pool tries to connect before it waits to be asked again: it is there soon after
the database is, and does not try more and more rarely."""

_TOO_LONG: Final = (
    "The query took longer than the time limit of this service, {:g} s. Conditions on columns with an index"
    " (indexed = 1 in tap_schema.columns) make it faster, and so may TOP."
)

_TOO_SLOW: Final = "The answer was read too slowly while others waited; please try again later, or as a job."

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
    except BackendError as error:
        found = Fault(_class_of(error.sqlstate), error.message, error.context)
        raise _told(found, error.sqlstate) from error
    except RowsError as error:
        raise errors.ServerError(f"The rows of a query cannot be read: {error}.") from error


class Fault(NamedTuple):
    """What PostgreSQL says of an error: its class by SQLSTATE, and where it came about."""

    kind: type[psycopg.Error]
    message: str
    context: str


def _class_of(sqlstate: str) -> type[psycopg.Error]:
    """The class that psycopg has for an SQLSTATE, or for its first two characters."""
    for state in (sqlstate, sqlstate[:2] + "000"):
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


def storable(text: str) -> bool:
    """Whether a row can have this text: PostgreSQL has none with a NUL character, and takes none."""
    return "\0" not in text


def literal(value: str | float | None) -> str:
    """A value as SQL. Raises psycopg.DataError for text with a NUL character."""
    text = sql.Literal(value).as_string(None)
    # A number with a point would be NUMERIC otherwise.
    return f"{text}::float8" if isinstance(value, float) else text


def with_values(statement: str, values: Sequence[Any]) -> str:
    """A statement with its placeholders `$1`, `$2`... replaced by the values, as `rows.Reader` wants it."""
    literals = [literal(value) for value in values]
    return PLACEHOLDER.sub(lambda m: literals[int(m[1]) - 1] if m[1] else m[0], statement)


class Statement(NamedTuple):
    """SQL without placeholders, and how many bytes of its rows make a batch."""

    sql: str
    batch_bytes: int


class Access(NamedTuple):
    """What the streams of a database share."""

    pool: Pool
    threads: ThreadPoolExecutor
    deliveries: Deliveries


class Stream:
    """Rows of one running query in batches; the first batch has arrived when it is made.

    `seconds` is how long it may keep us waiting for rows, all in all; the time that the reader takes
    between the batches does not count. A thread reads one batch ahead. Iterate it once. `complete` tells
    that all rows have arrived. `cancel` may be called from any thread; `close` gives the connection back
    and cancels what is still running.
    """

    def __init__(
        self, access: Access, statement: Statement, seconds: float, cancellation: Cancellation
    ) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._reads = threading.Lock()
        self._given_up = False
        self._left_at = 0.0
        self._cancelled = False
        self._limit = self._seconds = seconds
        self._waiting_since: float | None = None
        self._reading: Future[pa.RecordBatch | None] | None = None
        self._reader: Reader | None = None
        with translated():
            self._connection: Connection | None = access.pool.getconn(_WAIT_FOR_CONNECTION)
        try:
            cancellation.bind(self.cancel)
            if self._cancelled:
                raise errors.QueryCancelledError
            with translated():
                self._reader = Reader(self._connection, statement.sql, statement.batch_bytes, self._must_stop)
            self._first = self._waited(self._read)
            if not self.complete:
                access.deliveries.enter(self)
        except BaseException:
            self.close()
            raise

    @property
    def complete(self) -> bool:
        """Whether all rows have arrived."""
        return self._reader is None or self._reader.finished

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        batch, self._first = self._first, None
        while batch is not None:
            if not self.complete:
                self._reading = self._access.threads.submit(self._read)
            yield batch
            batch = self._waited(self._reading.result if self._reading is not None else self._read)
            self._reading = None
        self.close()

    def _read(self) -> pa.RecordBatch | None:
        with translated(), self._reads:
            if self._given_up:
                raise errors.OverloadError(_TOO_SLOW)
            return self._reader.next() if self._reader is not None else None

    def _waited(self, fetch: Callable[[], pa.RecordBatch | None]) -> pa.RecordBatch | None:
        """A batch, the time for which it kept us waiting taken off. Raises QueryTimeoutError and others."""
        self._waiting_since = started = time.monotonic()
        try:
            return fetch()
        except CancelledError as error:
            raise errors.OverloadError(_TOO_SLOW) from error
        except errors.QueryTimeoutError as error:
            if self._cancelled:
                raise errors.QueryCancelledError from error
            raise errors.QueryTimeoutError(_TOO_LONG.format(self._limit)) from error
        finally:
            self._waiting_since, self._left_at = None, time.monotonic()
            self._seconds = max(0.0, self._seconds - (self._left_at - started))

    def _must_stop(self) -> bool:
        since = self._waiting_since
        return self._cancelled or (since is not None and time.monotonic() - since > self._seconds)

    def cancel(self) -> None:
        """Stop the query in the database."""
        self._cancelled = True
        with self._lock:
            if self._connection is not None:
                cancel(self._connection)

    def idle(self) -> float:
        """As in LargeAnswer."""
        return 0.0 if self._waiting_since is not None else time.monotonic() - self._left_at

    def give_up(self) -> None:
        """As in LargeAnswer; whoever still reads gets an OverloadError."""
        self._given_up = True
        self.close()

    def close(self) -> None:
        """Give the connection back; a query that is still running is cancelled first."""
        self._access.deliveries.leave(self)
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            with contextlib.suppress(psycopg.Error):
                self._end(connection)
        finally:
            if self._reader is not None:
                self._reader.close()
            if not self.complete:
                connection.close()
            self._access.pool.putconn(connection)

    def _end(self, connection: Connection) -> None:
        """Bring the query to its end, so that the connection can be used again."""
        if not self.complete:
            self._cancelled = True
            cancel(connection)
        if self._reading is not None and not self._reading.cancel():
            wait([self._reading])
        if self._reader is not None:
            with self._reads:
                self._reader.drain()

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
        self._deliveries = Deliveries(settings.connections)
        limit = settings.sync_timeout
        self._pool = _pool(settings, settings.connections, limit + TRANSFER_LIMIT)
        self._small_pool = _pool(settings, _SMALL_CONNECTIONS, limit)
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
        cancellation = cancellation or Cancellation()
        access = Access(self._pool, self._threads, self._deliveries)
        return Stream(access, statement, self._seconds, cancellation)

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


def _pool(settings: Settings, size: int, seconds: float) -> Pool:
    """At most `size` connections whose statements may take so many seconds."""
    return ConnectionPool(
        _conninfo(settings, seconds),
        min_size=1,
        max_size=size,
        max_waiting=MOST_WAITING,
        reconnect_timeout=WAIT_FOR_DATABASE,
        reconnect_failed=ask_again,
        open=False,
        check=_check,
        kwargs={"autocommit": True},
    )


def ask_again(pool: ConnectionPool[Any]) -> None:
    """Have a pool that could not connect try once more if anybody waits for it."""
    if pool.get_stats().get("requests_waiting"):
        with contextlib.suppress(psycopg.OperationalError):
            pool.putconn(pool.getconn(_MOMENT))


def _check(connection: Connection) -> None:
    """An idle connection that has something to say has come to its end."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    if poll.poll(0):
        connection.close()
        raise psycopg.OperationalError("the connection was closed")


def _conninfo(settings: Settings, seconds: float) -> str:
    """How the reader connects, and its session: time limit, memory, and the URL of `access_url`."""
    values = {
        "statement_timeout": f"{int(seconds * 1000)}",
        "work_mem": f"{settings.query_memory}MB",
        "hash_mem_multiplier": "1",
        "TimeZone": "UTC",
        "extra_float_digits": "1",
        "standard_conforming_strings": "on",
        "default_transaction_read_only": "on",
        "vo.public_url": settings.url,
    }
    options = " ".join(f"-c {name}={value.replace(' ', '')}" for name, value in values.items())
    url = reader_url(settings)
    # Rows are read faster from a connection that is not encrypted; TLS is up to the operator.
    gss = psycopg.conninfo.conninfo_to_dict(url).get("gssencmode", "disable")
    return psycopg.conninfo.make_conninfo(
        url, options=options, connect_timeout=10, gssencmode=gss, client_encoding="utf8"
    )
