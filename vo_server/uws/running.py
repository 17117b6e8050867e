"""One attempt of a job: its query, how far its rows are, and how it is stopped."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from vo_server.cancellation import Cancellation
from vo_server.dali import Parameters
from vo_server.db import Database
from vo_server.errors import VOError
from vo_server.results.result import Result
from vo_server.settings import Settings
from vo_server.tap import query
from vo_server.tap.request import TapRequest
from vo_server.upload.source import Parts, Source
from vo_server.uws.job import Job
from vo_server.uws.results import ResultStore, result_key, upload_key


@dataclass
class Running:
    """A job that is being run; other threads look at it. `begun` is on the monotonic clock."""

    job: Job
    cancellation: Cancellation = field(default_factory=Cancellation)
    rows: int = 0
    failure: VOError | None = None
    begun: float = field(default_factory=time.monotonic)

    def produce(
        self, database: Database, results: ResultStore, settings: Settings, url: str
    ) -> dict[str, Any]:
        """Run the query and store its result; return the columns of vo.job that tell of it.

        `url` is that of the job. Raises what the query and the writer of the format raise, and a failure
        that the writer has told in its document, too: the result of a job is whole or there is none.
        """
        request = TapRequest.from_parameters(Parameters(self.job.to_run), settings, parts(self.job, results))
        key = result_key(self.job)
        result = _Watched.of(query.run(request, database, settings, url, self.cancellation), self)
        try:
            size = results.write(key, request.format.write(result))
        finally:
            result.close()
        if self.failure is not None:
            results.remove(key)
            raise self.failure
        return {
            "result_key": key,
            "result_type": request.content_type,
            "result_size": size,
            "rows": self.rows,
        }


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
    """The result of a job on its way to the writer: rows are counted, and a failure among them is kept."""

    running: Running = field(kw_only=True)

    @classmethod
    def of(cls, result: Result, running: Running) -> "_Watched":
        given = {f.name: getattr(result, f.name) for f in fields(result) if f.init}
        return cls(**given, running=running)

    def batches(self) -> Iterator[Any]:
        """As `Result.batches`."""
        try:
            for batch in super().batches():
                self.running.rows += len(batch)
                yield batch
        except VOError as error:
            self.running.failure = error
            raise
