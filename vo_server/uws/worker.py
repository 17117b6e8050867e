"""The worker: takes jobs from the queue and runs them, each in a thread, until it is stopped.

Any number of workers may share a database and a result store. What is decided about a job (aborted,
overtime, moved to another lane) is first written to its row and only then carried out: whoever runs an
attempt that is no longer the job's own finds that out when it wants to write, and its result is dropped.
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import psycopg
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from obstore.exceptions import BaseError
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException

from vo_server import errors
from vo_server.db import Database
from vo_server.errors import OverloadError, VOError
from vo_server.settings import Settings
from vo_server.uws.job import Job, Lane, Phase
from vo_server.uws.listener import Listener
from vo_server.uws.queue import RUN_JOB
from vo_server.uws.results import ResultStore
from vo_server.uws.running import Running
from vo_server.uws.services import SERVICES, job_url
from vo_server.uws.store import JobStore, connection_options

log = logging.getLogger(__name__)

TICK: Final = 0.5
"""Seconds between two looks at the running jobs."""

SWEEP: Final = 5.0
"""Seconds between two looks for jobs whose worker vanished or whose time has come."""

FORGOTTEN: Final = 86_400.0
"""Seconds of silence after which a worker is struck off; one that only slept must find itself on the list."""

_POLL: Final = 0.5
"""Seconds between two looks into the queue: procrastinate misses a notification that comes while it looks."""

_AGAIN: Final = 1.0

OVERTIME: Final = (
    "The job took longer than its execution duration of {} s and was aborted. {}; a longer execution"
    " duration can be set before a job is run, up to {} s."
)


class Worker:
    """Runs jobs with the slots that the settings give to each lane."""

    def __init__(self, settings: Settings, store: JobStore, results: ResultStore, listener: Listener) -> None:
        self._slots = {Lane.FAST: settings.fast_slots, Lane.SLOW: settings.slow_slots}
        slots = sum(self._slots.values())
        # The limit of each job is watched here; this one is for jobs that nobody watches any more.
        longest = settings.job_duration_hard + 60.0
        self._settings = settings
        # More connections than slots: all jobs may have large results at the same time (`Deliveries`).
        connections = slots + slots // 2
        self._database = Database(replace(settings, sync_timeout=longest, connections=connections))
        self._store = store
        self._results = results
        self._listener = listener
        self._threads = CapacityLimiter(slots)
        self._running: dict[tuple[str, int], Running] = {}
        self._stopping = False
        self._errands: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work until cancelled. Jobs that run then go back to the queue."""
        self._database.open()
        self._listener.heard.append(self._heard)
        helpers = [asyncio.create_task(self._watch()), asyncio.create_task(self._sweep())]
        try:
            while True:
                with contextlib.suppress(psycopg.Error, ConnectorException):
                    await self._work()
                log.warning("the queue does not answer")
                await asyncio.sleep(_AGAIN)
        finally:
            self._listener.heard.remove(self._heard)
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, *self._errands, return_exceptions=True)
            await run_sync(self._database.close)

    async def _work(self) -> None:
        """Serve the lanes until cancelled, or until the connection to the queue is lost."""
        connector = PsycopgConnector(min_size=1, max_size=4, **connection_options(self._settings))
        app = App(connector=connector)
        app.task(name=RUN_JOB)(self._run_job)
        async with app.open_async():
            lanes = [asyncio.create_task(self._serve(app, lane)) for lane in Lane]
            try:
                await asyncio.wait(lanes, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for lane in lanes:
                    lane.cancel()
                await asyncio.sleep(0)
                self._stopping = True
                await run_sync(self._give_back)
                await asyncio.gather(*lanes, return_exceptions=True)
                self._stopping = False

    async def _serve(self, app: App, lane: Lane) -> None:
        silence = self._settings.worker_silence
        await app.run_worker_async(
            queues=[lane.value],
            name=f"worker-{lane.value}",
            concurrency=self._slots[lane],
            fetch_job_polling_interval=_POLL,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=silence / 4,
            stalled_worker_timeout=FORGOTTEN,
        )

    async def _run_job(self, job_id: str) -> None:
        await run_sync(self._execute, job_id, limiter=self._threads)

    def _execute(self, job_id: str) -> None:
        """Run a job from QUEUED to its end, unless it is taken away on the way."""
        job = self._store.start(job_id)
        if job is None:
            return
        running = Running(job)
        self._running[job.id, job.attempt] = running
        try:
            if self._stopping:
                self._store.put_back(job, job.lane)
                return
            self._results.remove_earlier(job)
            produce = SERVICES[job.service].produce
            url = job_url(job, self._settings)
            results = produce(running, self._database, self._results, self._settings, url)
            if self._store.complete(job, results, running.rows) is None:
                self._results.remove_attempt(job)
        except OverloadError as error:
            # The database went away or is full; this may pass.
            log.warning("job %s is interrupted: %s", job.id, error.__cause__ or error)
            self._interrupt(job)
        except Exception as error:  # a job tells of every fault, whatever it is
            self._fail(running, error)
        finally:
            del self._running[job.id, job.attempt]

    def _interrupt(self, job: Job) -> None:
        """Have the job started again; if that cannot be noted, `recover` finds it."""
        try:
            self._store.interrupted(job)
        except OverloadError as error:
            log.warning("job %s is left to be taken up later: %s", job.id, error.__cause__ or error)

    def _fail(self, running: Running, error: Exception) -> None:
        """End the job in ERROR, told as a synchronous query would tell it.

        One that was taken away meanwhile may fail as it likes: its files are gone.
        """
        job = running.job
        try:
            if not self._store.progress([(job.id, job.attempt, running.rows)]):
                return
            told = errors.report(error)
            kind = "transient" if errors.status(told) >= 500 else "fatal"
            values = {"error_message": str(told), "error_type": kind, "rows": running.rows}
            self._store.end(job, Phase.ERROR, **values)
        except OverloadError:
            self._interrupt(job)

    def _give_back(self) -> None:
        """Put all running jobs back into the queue."""
        for running in list(self._running.values()):
            self._store.put_back(running.job, running.job.lane)
            running.cancellation.cancel()

    def _heard(self, job_id: str, phase: Phase) -> None:
        """Cancel the query of a job that was aborted at once; `_look` finds what else was taken away.

        News may come late: that a job is QUEUED can be heard when it runs already.
        """
        if phase is Phase.ABORTED:
            for (running_id, _), running in self._running.items():
                if running_id == job_id:
                    self._errand(running.cancellation.cancel)

    def _errand(self, work: Callable[[], None]) -> None:
        errand = asyncio.create_task(_in_thread(work))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    async def _watch(self) -> None:
        """Look at the running jobs again and again."""
        while True:
            await asyncio.sleep(TICK)
            if self._running:
                await _shielded("watch jobs", self._look)

    def _look(self) -> None:
        """Note how far the jobs are, and stop those that are no longer to run, or not here."""
        running = list(self._running.values())
        left = self._store.progress([(r.job.id, r.job.attempt, r.rows) for r in running])
        for r in running:
            seconds = time.monotonic() - r.begun
            if (r.job.id, r.job.attempt) not in left:
                r.cancellation.cancel()
            elif seconds > r.job.execution_duration:
                self._stop_overtime(r.job)
                r.cancellation.cancel()
            elif self._is_in_the_way(r.job, seconds) and self._store.put_back(r.job, Lane.SLOW):
                r.cancellation.cancel()

    def _stop_overtime(self, job: Job) -> None:
        advice = SERVICES[job.service].advice
        message = OVERTIME.format(job.execution_duration, advice, self._settings.job_duration_hard)
        self._store.end(job, Phase.ABORTED, error_message=message, error_type="fatal")

    def _is_in_the_way(self, job: Job, seconds: float) -> bool:
        """True if the job has had its time on the fast lane and others wait there."""
        overdue = job.lane is Lane.FAST and seconds > self._settings.fast_lane_seconds
        return overdue and self._store.waiting(Lane.FAST)

    async def _sweep(self) -> None:
        while True:
            await _shielded("take up lost jobs", self._store.recover)
            await _shielded("remove jobs", self._remove_due)
            await asyncio.sleep(min(SWEEP, self._settings.worker_silence / 2))

    def _remove_due(self) -> None:
        for job_id in self._store.due():
            self._results.remove_job(job_id)
            self._store.remove(job_id)


async def _in_thread(work: Callable[[], Any]) -> None:
    await run_sync(work)


async def _shielded(what: str, work: Callable[[], Any]) -> None:
    """Do something in a thread; that it fails now does not keep it from being tried again."""
    try:
        await run_sync(work)
    except (VOError, OSError, BaseError) as error:
        log.warning("could not %s: %s", what, error.__cause__ or error)


async def work(settings: Settings) -> None:
    """Be a worker in a process of its own, until SIGINT or SIGTERM."""
    store = JobStore(settings)
    store.open()
    listener = Listener(settings)
    worker = asyncio.create_task(Worker(settings, store, ResultStore(settings), listener).run())
    listening = asyncio.create_task(listener.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, worker.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await worker
    finally:
        listening.cancel()
        await run_sync(store.close)
