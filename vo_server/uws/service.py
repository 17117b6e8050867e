"""What the resource tree of jobs stands on, made once for an application."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anyio.to_thread import run_sync

from vo_server.db import Database
from vo_server.settings import Settings
from vo_server.uws.job import ACTIVE, Caller, Job, Phase
from vo_server.uws.listener import Listener
from vo_server.uws.results import ResultStore, upload_key
from vo_server.uws.services import SERVICES
from vo_server.uws.store import JobStore
from vo_server.uws.worker import Worker

LONGEST_WAIT: Final = 60.0
"""Seconds after which WAIT answers at the latest, so that no proxy in between gives up."""

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Jobs:
    """The jobs as the routes use them. Methods without `async` are for threads."""

    settings: Settings
    database: Database
    store: JobStore
    results: ResultStore
    listener: Listener

    @classmethod
    def of(cls, settings: Settings, database: Database) -> "Jobs":
        """The jobs of a server."""
        return cls(settings, database, JobStore(settings), ResultStore(settings), Listener(settings))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen for changes within and, if the settings want it, work."""
        self.store.open()
        helpers = [asyncio.create_task(self.listener.run())]
        if self.settings.worker:
            worker = Worker(self.settings, self.store, self.results, self.listener)
            helpers.append(asyncio.create_task(worker.run()))
        try:
            yield
        finally:
            for helper in reversed(helpers):
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await run_sync(self.store.close)

    def create(self, service: str, caller: Caller, parameters: Pairs, parts: Mapping[str, bytes]) -> Job:
        """A new job of a service with its parameters and the files that came with them."""
        job = self.store.create(secrets.token_urlsafe(18), service, caller, parameters)
        return (self.add(job.id, (), parts) or job) if parts else job

    def add(self, job_id: str, parameters: Pairs, parts: Mapping[str, bytes]) -> Job | None:
        """Add parameters and files to a PENDING job; None if it is not PENDING.

        The files come first: what a job names is there. Those of a job that has moved on meanwhile are
        removed with it.
        """
        for name, content in parts.items():
            self.results.write(upload_key(job_id, name), [content])
        return self.store.add(job_id, parameters, list(parts))

    def run(self, job: Job) -> Job | None:
        """Queue a PENDING job; None if it is not PENDING."""
        lane = SERVICES[job.service].lane(job, self.database, self.settings)
        return self.store.run(job.id, lane)

    def remove(self, job: Job) -> None:
        """Abort and delete a job with all its files: from here on it does not exist."""
        self.store.expire(job.id)
        self.results.remove_job(job.id)
        self.store.remove(job.id)

    async def changed(self, job_id: str, phase: Phase | None, seconds: float) -> Job | None:
        """The job when its phase has changed, at the latest after `seconds` (UWS 1.1, section 2.2.1.1).

        It comes at once if its phase is not active, or not the given one.
        """
        with self.listener.waiting(job_id) as event:
            job = await run_sync(self.store.find, job_id)
            if job is None or phase not in {None, job.phase}:
                return job
            phase_before = job.phase
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, LONGEST_WAIT)):
                    while job is not None and job.phase in ACTIVE and job.phase == phase_before:
                        await event.wait()
                        event.clear()
                        job = await run_sync(self.store.find, job_id)
            return job
