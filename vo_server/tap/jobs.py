"""Queries as jobs: the same query as a synchronous one, with the result store for a client."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, Final

from vo_server.dali import Parameters
from vo_server.db import Database
from vo_server.results.result import Result
from vo_server.settings import Settings
from vo_server.tap import query
from vo_server.tap.request import TapRequest
from vo_server.upload.source import Parts, Source
from vo_server.uws.job import Job, StoredResult
from vo_server.uws.results import ResultStore, result_key, upload_key
from vo_server.uws.running import Running

RESULT: Final = "result"
"""Name of the one result of a TAP job (TAP 1.1, section 2.2.2)."""

ADVICE: Final = "Conditions on columns with an index (indexed = 1 in tap_schema.columns) make queries faster"


def produce(
    running: Running, database: Database, results: ResultStore, settings: Settings, url: str
) -> tuple[StoredResult, ...]:
    """Run the query of a job and store its result; `url` is that of the job.

    Raises what the query and the writer of the format raise, and a failure that the writer has told in its
    document, too: the result of a job is whole or there is none.
    """
    job = running.job
    request = TapRequest.from_parameters(Parameters(job.to_run), settings, parts(job, results))
    key = result_key(job, RESULT)
    result = _Watched.of(query.run(request, database, settings, url, running.cancellation), running)
    try:
        size = results.write(key, request.format.write(result))
    finally:
        result.close()
    if result.failure is not None:
        results.remove(key)
        raise result.failure
    return (StoredResult(RESULT, key, request.content_type, size),)


def parts(job: Job, results: ResultStore) -> Parts:
    """What the parameters of a job can refer to: its stored files, and its texts, as in a form."""
    found: dict[str, Callable[[], Source]] = {
        name: partial(io.BytesIO, value.encode()) for name, value in job.parameters
    }
    found.update({name: partial(_stored, results, upload_key(job.id, name)) for name in job.parts})
    return found


def _stored(results: ResultStore, key: str) -> Source:
    return io.BytesIO(results.read(key))


@dataclass
class _Watched(Result):
    """The result of a job on its way to the writer, its rows counted."""

    running: Running = field(kw_only=True)

    @classmethod
    def of(cls, result: Result, running: Running) -> "_Watched":
        given = {f.name: getattr(result, f.name) for f in fields(result) if f.init}
        return cls(**given, running=running)

    def batches(self) -> Iterator[Any]:
        """As `Result.batches`."""
        for batch in super().batches():
            self.running.rows += len(batch)
            yield batch
