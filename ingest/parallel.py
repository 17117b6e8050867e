"""Working through many datasets over processes: results in order, one failure never stops the others."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final, Protocol, TypeVar

from ingest.facts import Facts, ProductError, ReadOptions, Source
from ingest.gadf import read

_AHEAD = 4
"""Jobs in hand per process: enough to keep all busy, few enough to keep results from piling up."""

_PR_SET_PDEATHSIG: Final = 1
"""Number of the option in prctl(2)."""


class Job(Protocol):
    """Anything to be done about one dataset; it must pickle."""

    @property
    def source(self) -> Source:
        """The dataset, named when the job fails."""


J = TypeVar("J", bound=Job)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Read:
    source: Source
    options: ReadOptions | None


def _read(job: _Read) -> Facts:
    return read(job.source, job.options)


def read_all(
    sources: Iterable[Source], options: ReadOptions | None = None, processes: int | None = None
) -> Iterator[tuple[Source, Facts | ProductError]]:
    """Read each source: its facts, or why there are none, in the order given."""
    jobs = (_Read(source, options) for source in sources)
    return ((job.source, result) for job, result in map_ordered(_read, jobs, processes))


def map_ordered(
    function: Callable[[J], R], jobs: Iterable[J], processes: int | None = None
) -> Generator[tuple[J, R | ProductError], None, None]:
    """Yield each job and what `function` (of a module) makes of it, in the order of `jobs`.

    Runs in `processes` (default: one per processor), in this process for one of them or for a single
    job. Whatever is raised, also the death of a process, becomes the ProductError of that job.
    """
    remaining = iter(jobs)
    first = list(islice(remaining, 2))
    workers = 1 if len(first) < 2 else processes or os.cpu_count() or 1
    pool = _Pool(workers)
    waiting: deque[tuple[J, Future[R]]] = deque()
    try:
        for job in chain(first, remaining):
            waiting.append((job, pool.submit(function, job)))
            if len(waiting) >= _AHEAD * workers:
                oldest = _settled(function, *waiting.popleft())
                yield oldest
        while waiting:
            oldest = _settled(function, *waiting.popleft())
            yield oldest
    finally:
        pool.close()


class _Pool:
    """An executor that is replaced when one of its processes has died."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor = _executor(workers)

    def submit(self, function: Callable[[J], R], job: J) -> Future[R]:
        try:
            return self._executor.submit(function, job)
        except BrokenExecutor:
            self.close()
            self._executor = _executor(self._workers)
            return self._executor.submit(function, job)

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def _executor(workers: int) -> Executor:
    if workers == 1:
        return ThreadPoolExecutor(1)
    return _processes(workers)


def _processes(number: int) -> ProcessPoolExecutor:
    fork = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(number, fork, initializer=_follow, initargs=(os.getpid(),))


def _follow(parent: int) -> None:
    """Let this process end with `parent`, however that ends; only Linux can do that.

    It was forked with the parent's connection to the database, which would stay open, and locked, with it.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _settled(function: Callable[[J], R], job: J, future: Future[R]) -> tuple[J, R] | tuple[J, ProductError]:
    error = future.exception()
    if isinstance(error, BrokenExecutor):
        # The pool does not say whose process died, so each job that was in it is tried alone.
        with _processes(1) as alone:
            future = alone.submit(function, job)
            error = future.exception()
    if error is None:
        return job, future.result()
    if isinstance(error, ProductError):
        return job, error
    died = isinstance(error, BrokenExecutor)
    reason = "the reading process died" if died else " ".join(f"{type(error).__name__}: {error}".split())
    message = f"reading failed unexpectedly ({reason}); please report it"
    return job, ProductError(job.source.path, "", message)
