"""The jobs in the database: each change of phase is one guarded UPDATE, told to whoever waits for it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from vo_server.db import WAIT_FOR_DATABASE, ask_again, translated
from vo_server.errors import TooManyRequestsError
from vo_server.roles import owner_url
from vo_server.settings import Settings
from vo_server.uws.job import Caller, Job, Lane, Phase, StoredResult, before
from vo_server.uws.queue import SCHEMA, Queue

CHANNEL: Final = "vo_job"
"""Where changes of phase are announced, as '<id> <phase>'."""

_CONNECTIONS: Final = 4

_NOW: Final = sql.SQL("timezone('UTC', clock_timestamp())")
_COLUMNS: Final = sql.SQL(", ").join(sql.Identifier(f.name) for f in fields(Job))

_TIME_OF: Final = {
    Phase.QUEUED: "queued",
    Phase.EXECUTING: "started",
    Phase.COMPLETED: "ended",
    Phase.ERROR: "ended",
    Phase.ABORTED: "ended",
}
"""Phase -> the column that tells when it began."""

_CREATE: Final = sql.SQL("""
INSERT INTO vo.job (id, service, phase, owner, session, address, parameters, parts, lane, created,
    execution_duration, destruction, attempt, interruptions, rows, results)
SELECT %(id)s, %(service)s, 'PENDING', %(owner)s, %(session)s, %(address)s, %(parameters)s, '[]', 'fast',
    {now}, %(duration)s, {now} + make_interval(secs => %(retention)s), 0, 0, 0, '[]'
RETURNING {columns}""").format(now=_NOW, columns=_COLUMNS)

_ONE_BY_ONE: Final = "SELECT pg_advisory_xact_lock(hashtext('vo.job'), hashtext(%s))"
"""Jobs of one caller are counted one after the other."""

# Jobs that wait to be run count for an hour only: forgotten ones shut nobody out.
_ACTIVE: Final = sql.SQL("""
SELECT count(*) FROM vo.job
WHERE destruction > {now} AND (phase IN ('QUEUED', 'EXECUTING')
        OR %(pending)s AND phase = 'PENDING' AND created > {now} - interval '1 hour')
    AND CASE WHEN %(owner)s::text IS NULL THEN owner IS NULL AND address = %(address)s
        ELSE owner = %(owner)s END""").format(now=_NOW)

_FIND: Final = sql.SQL("SELECT {columns} FROM vo.job WHERE id = %(id)s AND destruction > {now}").format(
    columns=_COLUMNS, now=_NOW
)

_ADD: Final = sql.SQL("""
UPDATE vo.job SET parameters = (parameters::jsonb || %(parameters)s::jsonb)::text,
    parts = (parts::jsonb || %(parts)s::jsonb)::text
WHERE id = %(id)s AND phase = 'PENDING' RETURNING {columns}""").format(columns=_COLUMNS)

_LIST: Final = sql.SQL("""
SELECT {columns} FROM vo.job
WHERE service = %(service)s AND destruction > {now}
    AND (owner = %(owner)s OR (owner IS NULL AND session = %(session)s))
    AND phase = ANY(%(phases)s) AND (%(after)s::timestamp IS NULL OR created > %(after)s)
ORDER BY created DESC, id LIMIT %(last)s""").format(columns=_COLUMNS, now=_NOW)

_PLACE: Final = """
SELECT count(*) FROM vo.job AS other JOIN vo.job AS this ON this.id = %(id)s
WHERE other.phase = 'QUEUED' AND other.lane = this.lane AND other.queued <= this.queued"""

_PROGRESS: Final = """
UPDATE vo.job SET rows = given.rows
FROM unnest(%(ids)s::text[], %(attempts)s::int[], %(rows)s::bigint[]) AS given (id, attempt, rows)
WHERE job.id = given.id AND job.attempt = given.attempt AND phase = 'EXECUTING'
RETURNING job.id, job.attempt"""

_LOST: Final = sql.SQL("""
SELECT {columns} FROM vo.job WHERE phase IN ('QUEUED', 'EXECUTING') AND NOT EXISTS (
    SELECT FROM procrastinate.procrastinate_jobs AS entry
    LEFT JOIN procrastinate.procrastinate_workers AS worker ON worker.id = entry.worker_id
    WHERE entry.args->>'job_id' = job.id AND (entry.status = 'todo'
        OR entry.status = 'doing' AND worker.last_heartbeat > now() - make_interval(secs => %(silence)s)))
FOR UPDATE SKIP LOCKED""").format(columns=_COLUMNS)

_FORGET_ENTRIES: Final = """
DELETE FROM procrastinate.procrastinate_jobs WHERE args->>'job_id' = %(id)s AND status <> 'todo'"""

_DUE: Final = sql.SQL("SELECT id FROM vo.job WHERE destruction <= {now} LIMIT 100").format(now=_NOW)


class JobStore:
    """The table of jobs, by the owner's role; safe to use from many threads.

    Methods that change a job return it as it is then, or None if it was not in a phase that allows the
    change: whoever gets None has come too late. All raise what `db.translated` raises.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queue = Queue()
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            min_size=1,
            max_size=_CONNECTIONS,
            open=False,
            timeout=10,
            check=ConnectionPool.check_connection,
            reconnect_timeout=WAIT_FOR_DATABASE,
            reconnect_failed=ask_again,
            **connection_options(settings),
        )

    def open(self) -> None:
        """Start the pool; does not wait for the database."""
        self._pool.open()

    def close(self) -> None:
        """End all connections."""
        self._pool.close()

    def create(self, job_id: str, service: str, caller: Caller, parameters: Sequence[tuple[str, str]]) -> Job:
        """A new job of a service, PENDING. Raises TooManyRequestsError if the caller has too many already."""
        settings = self._settings
        values = {
            "id": job_id,
            "service": service,
            "owner": caller.owner,
            "session": caller.session,
            "address": caller.address,
            "parameters": json.dumps(parameters),
            "duration": min(settings.job_duration, settings.job_duration_hard),
            "retention": min(settings.job_retention, settings.job_retention_hard),
        }
        with translated(), self._pool.connection() as connection:
            job = next(map(_job, connection.execute(_CREATE, values)))
            self._admit(connection, job, pending=True)
        return job

    def find(self, job_id: str) -> Job | None:
        """The job, None if there is none (any more)."""
        with translated(), self._pool.connection() as connection:
            return _one(connection, _FIND, {"id": job_id})

    def listed(
        self, service: str, caller: Caller, phases: Iterable[Phase], after: datetime | None, last: int
    ) -> list[Job]:
        """The newest jobs of a caller, newest first: at most `last`, created after `after` (UTC)."""
        values = {
            "service": service,
            "owner": caller.owner,
            "session": caller.session,
            "phases": list(phases),
            "after": after,
            "last": last,
        }
        with translated(), self._pool.connection() as connection:
            return [_job(row) for row in connection.execute(_LIST, values)]

    def place(self, job_id: str) -> int:
        """How many jobs of its lane are queued up to this one."""
        with translated(), self._pool.connection() as connection:
            row = connection.execute(_PLACE, {"id": job_id}).fetchone()
        return int(row[0]) if row else 0

    def add(
        self, job_id: str, parameters: Sequence[tuple[str, str]], parts: Sequence[str] = ()
    ) -> Job | None:
        """Add parameters, and names of parts, to a PENDING job."""
        values = {"id": job_id, "parameters": json.dumps(parameters), "parts": json.dumps(parts)}
        with translated(), self._pool.connection() as connection:
            return _one(connection, _ADD, values)

    def run(self, job_id: str, lane: Lane) -> Job | None:
        """PENDING -> QUEUED: the job is in the queue when this returns.

        Raises TooManyRequestsError if the caller has too many there already.
        """
        with translated(), self._pool.connection() as connection:
            job = _change(connection, job_id, Phase.QUEUED, earlier=[Phase.PENDING], lane=lane)
            if job is not None:
                self._admit(connection, job, pending=False)
                self._queue.put(connection, job_id, lane)
            return job

    def start(self, job_id: str) -> Job | None:
        """QUEUED -> EXECUTING: the job belongs to the caller under its new `attempt`."""
        with translated(), self._pool.connection() as connection:
            return _change(
                connection,
                job_id,
                Phase.EXECUTING,
                attempt_more=1,
                ended=None,
                error_message=None,
                error_type=None,
                rows=0,
            )

    def put_back(self, job: Job, lane: Lane, interruptions: int = 0) -> Job | None:
        """EXECUTING -> QUEUED, for another worker or another lane."""
        with translated(), self._pool.connection() as connection:
            return self._put_back(connection, job, lane, interruptions)

    def complete(self, job: Job, results: Sequence[StoredResult], rows: int) -> Job | None:
        """EXECUTING -> COMPLETED, by whoever runs this attempt of the job."""
        return self.end(job, Phase.COMPLETED, results=json.dumps(results), rows=rows)

    def end(self, job: Job, phase: Phase, **values: Any) -> Job | None:
        """EXECUTING -> a final phase, by whoever runs this attempt of the job."""
        with translated(), self._pool.connection() as connection:
            earlier = [Phase.EXECUTING]
            return _change(connection, job.id, phase, earlier=earlier, attempt=job.attempt, **values)

    def abort(self, job_id: str, message: str) -> Job | None:
        """Any active phase -> ABORTED; the worker that runs the job hears of it and cancels the query."""
        with translated(), self._pool.connection() as connection:
            return _change(connection, job_id, Phase.ABORTED, error_message=message, error_type="fatal")

    def set_duration(self, job_id: str, seconds: int) -> Job | None:
        """Change how long the job may run; None once it runs."""
        return self._set(job_id, "execution_duration", seconds, [Phase.PENDING, Phase.QUEUED])

    def set_destruction(self, job_id: str, when: datetime) -> Job | None:
        """Change when the job is to vanish (UTC)."""
        return self._set(job_id, "destruction", when, list(Phase))

    def progress(self, running: Sequence[tuple[str, int, int]]) -> set[tuple[str, int]]:
        """Note (job, attempt, rows so far) of running jobs; return those that still are to run."""
        ids, attempts, rows = zip(*running, strict=True)
        values = {"ids": list(ids), "attempts": list(attempts), "rows": list(rows)}
        with translated(), self._pool.connection() as connection:
            return {(found[0], found[1]) for found in connection.execute(_PROGRESS, values)}

    def waiting(self, lane: Lane) -> bool:
        """True if jobs are queued in a lane."""
        query = "SELECT EXISTS (SELECT FROM vo.job WHERE phase = 'QUEUED' AND lane = %s)"
        with translated(), self._pool.connection() as connection:
            return connection.execute(query, [lane]).fetchone() == (True,)

    def recover(self) -> int:
        """Take up the jobs again whose worker vanished, or that the queue has lost; return how many.

        After `settings.job_attempts` interruptions a job ends in ERROR instead.
        """
        silence = self._settings.worker_silence
        with translated(), self._pool.connection() as connection:
            lost = [_job(row) for row in connection.execute(_LOST, {"silence": silence})]
            for job in lost:
                connection.execute(_FORGET_ENTRIES, {"id": job.id})
                self._recovered(connection, job)
            return len(lost)

    def interrupted(self, job: Job) -> Job | None:
        """Queue a job again that ran into a fault which may pass, or end it as `recover` does."""
        with translated(), self._pool.connection() as connection:
            return self._recovered(connection, job)

    def due(self) -> list[str]:
        """Jobs whose destruction time has come; those that are active become ABORTED."""
        with translated(), self._pool.connection() as connection:
            due = [row[0] for row in connection.execute(_DUE)]
            for job_id in due:
                _change(connection, job_id, Phase.ABORTED)
        return due

    def expire(self, job_id: str) -> None:
        """Let a job be gone at once for all who ask, and abort it; its files are still to be removed."""
        query = sql.SQL("UPDATE vo.job SET destruction = {} WHERE id = %s").format(_NOW)
        with translated(), self._pool.connection() as connection:
            connection.execute(query, [job_id])
            _change(connection, job_id, Phase.ABORTED)

    def remove(self, job_id: str) -> None:
        """Forget a job; its files must be gone."""
        with translated(), self._pool.connection() as connection:
            connection.execute("DELETE FROM vo.job WHERE id = %s", [job_id])

    def _admit(self, connection: psycopg.Connection[Any], job: Job, *, pending: bool) -> None:
        """Raise TooManyRequestsError if this job is one too many of its owner or address."""
        settings = self._settings
        limit = settings.jobs_per_address if job.owner is None else settings.jobs_per_owner
        connection.execute(_ONE_BY_ONE, [job.owner or job.address])
        values = {"owner": job.owner, "address": job.address, "pending": pending}
        (count,) = connection.execute(_ACTIVE, values).fetchone() or (0,)
        if count > limit:
            raise TooManyRequestsError(
                f"{limit} jobs of yours are waiting or running; more are taken when some have ended or been"
                " deleted"
            )

    def _set(self, job_id: str, column: str, value: object, phases: Sequence[Phase]) -> Job | None:
        query = sql.SQL(
            "UPDATE vo.job SET {column} = %(value)s WHERE id = %(id)s AND phase = ANY(%(phases)s)"
            " RETURNING {columns}"
        ).format(column=sql.Identifier(column), columns=_COLUMNS)
        values = {"id": job_id, "value": value, "phases": list(phases)}
        with translated(), self._pool.connection() as connection:
            return _one(connection, query, values)

    def _recovered(self, connection: psycopg.Connection[Any], job: Job) -> Job | None:
        count = job.interruptions + (job.phase is Phase.EXECUTING)
        if count < self._settings.job_attempts:
            return self._put_back(connection, job, job.lane, count)
        return _change(
            connection,
            job.id,
            Phase.ERROR,
            attempt=job.attempt,
            interruptions=count,
            error_type="transient",
            error_message=f"The job was started {count} times, and each time what ran it stopped before the"
            " end. It is not started again; please tell the operators.",
        )

    def _put_back(
        self, connection: psycopg.Connection[Any], job: Job, lane: Lane, interruptions: int
    ) -> Job | None:
        more = max(interruptions, job.interruptions)
        changed = _change(
            connection, job.id, Phase.QUEUED, attempt=job.attempt, interruptions=more, lane=lane
        )
        if changed is not None:
            self._queue.put(connection, job.id, lane)
        return changed


def _change(  # noqa: PLR0913  the one UPDATE of phases
    connection: psycopg.Connection[Any],
    job_id: str,
    phase: Phase,
    *,
    earlier: Sequence[Phase] | None = None,
    attempt: int | None = None,
    attempt_more: int = 0,
    **values: Any,
) -> Job | None:
    """Set phase, the time that goes with it and `values`, if phase and attempt are as expected; tell it."""
    settings = [sql.SQL("{} = {}").format(sql.Identifier(n), sql.Placeholder(n)) for n in values]
    settings.append(sql.SQL("{} = {}").format(sql.Identifier(_TIME_OF[phase]), _NOW))
    query = sql.SQL("""
WITH changed AS (
    UPDATE vo.job SET phase = %(_phase)s, attempt = attempt + %(_more)s, {settings}
    WHERE id = %(_id)s AND phase = ANY(%(_earlier)s)
        AND (%(_attempt)s::int IS NULL OR attempt = %(_attempt)s)
    RETURNING {columns})
SELECT {columns}, pg_notify(%(_channel)s, id || ' ' || phase) FROM changed""").format(
        settings=sql.SQL(", ").join(settings), columns=_COLUMNS
    )
    guard = {
        "_id": job_id,
        "_phase": phase,
        "_earlier": list(before(phase) if earlier is None else earlier),
        "_attempt": attempt,
        "_more": attempt_more,
        "_channel": CHANNEL,
    }
    return _one(connection, query, {**values, **guard})


def _one(connection: psycopg.Connection[Any], query: sql.Composed, values: dict[str, Any]) -> Job | None:
    row = connection.execute(query, values).fetchone()
    return None if row is None else _job(row)


def _job(row: Sequence[Any]) -> Job:
    values = dict(zip((f.name for f in fields(Job)), row, strict=False))
    values["phase"] = Phase(values["phase"])
    values["lane"] = Lane(values["lane"])
    values["parameters"] = tuple((name, value) for name, value in json.loads(values["parameters"]))
    values["parts"] = tuple(json.loads(values["parts"]))
    values["results"] = tuple(StoredResult(*found) for found in json.loads(values["results"]))
    return Job(**values)


def connection_options(settings: Settings) -> dict[str, Any]:
    """How to connect as the owner so that procrastinate finds its tables, with times in UTC."""
    # A connection that died without a word is noticed within about half a minute.
    alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    options = f"-c search_path={SCHEMA},public -c TimeZone=UTC"
    return {"conninfo": owner_url(settings), "kwargs": {"options": options, **alive}}
