"""Cutouts as jobs: one result for each combination of the parameters' values (SODA 1.0, section 5.2)."""

from collections.abc import Iterator
from contextlib import ExitStack
from math import inf
from typing import Final

from vo_server import errors
from vo_server.dali import Parameters
from vo_server.db import Database
from vo_server.errors import NotFoundError, QueryCancelledError, UsageError
from vo_server.products.content import Content, Octets
from vo_server.settings import Settings
from vo_server.soda import faults
from vo_server.soda.request import CutoutRequest, count
from vo_server.soda.run import run
from vo_server.uws.job import Job, Lane, StoredResult
from vo_server.uws.results import ResultStore, result_key
from vo_server.uws.running import Running

ADVICE: Final = "Fewer combinations of values in one job take less time"

_PLAIN: Final = "text/plain; charset=utf-8"


def produce(
    running: Running, database: Database, results: ResultStore, settings: Settings, url: str
) -> tuple[StoredResult, ...]:
    """Make the cutouts of a job and store them; its `url` is in none of them.

    A cutout without events, and among several one of a dataset that there is not, is a result in plain text
    that begins with the label of an error. Raises what `run` raises, and UsageError for wrong parameters.
    """
    try:
        wanted = CutoutRequest.each(Parameters(running.job.to_run), settings.cutouts_per_job)
        with ExitStack() as on_failure:
            stored = []
            for number, request in enumerate(wanted, 1):
                name = f"cutout-{number}"
                key = result_key(running.job, name)
                content = _content(request, running, database, only=len(wanted) == 1)
                size = results.write(key, _cancellable(content, running))
                on_failure.callback(results.remove, key)
                stored.append(StoredResult(name, key, content.media_type, size))
            on_failure.pop_all()
    except (NotFoundError, UsageError) as error:
        raise UsageError(faults.labelled(str(error), errors.status(error))) from error
    return tuple(stored)


def lane(job: Job, database: Database, settings: Settings) -> Lane:
    """A single cutout is a small job, until it has taken too long for one."""
    return Lane.FAST if count(Parameters(job.to_run)) == 1 else Lane.SLOW


def _content(request: CutoutRequest, running: Running, database: Database, *, only: bool) -> Content:
    try:
        made = run(request, database, running.cancellation, inf)
    except (NotFoundError, UsageError) as error:
        if only:
            raise
        return _told(faults.labelled(str(error), errors.status(error)))
    if made is None:
        return _told(f"{faults.DEFAULT}: no event of {request.did} meets the conditions")
    running.rows += made.events
    return made.content


def _told(message: str) -> Content:
    return Content((Octets(f"{message}\n".encode()),), _PLAIN, "error.txt")


def _cancellable(content: Content, running: Running) -> Iterator[bytes]:
    for chunk in content.chunks(0, content.size):
        if running.cancellation.requested:
            raise QueryCancelledError
        yield chunk
