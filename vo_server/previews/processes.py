"""Processes that draw, so that the server stays small and quick: started at need, ended when idle."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Final

from vo_server.errors import DrawingError, MissingFileError, NotFoundError, OverloadError
from vo_server.previews.cache import Cache
from vo_server.previews.model import Answer, Picture
from vo_server.settings import Settings

log = logging.getLogger(__name__)

MOST_WAITING: Final = 64
"""Previews that may be drawn or wait at a time."""

IDLE: Final = 120.0
"""Seconds without work after which a process ends."""

LONGEST: Final = 120.0
"""Seconds after which a process that still draws is taken for stuck, and ended."""


class Process:
    """A process that draws one preview at a time; for one thread at a time.

    The library's ProcessPoolExecutor would import the whole server into it, fails every waiting task when
    one process dies, and leaves its processes behind when the server is killed. This one sees the
    connection close, whatever becomes of the server.
    """

    def __init__(self, directory: Path) -> None:
        self.used = time.monotonic()
        ours, theirs = Pipe()
        # matplotlib keeps its list of fonts there; made anew it costs seconds.
        environment = {**os.environ, "MPLCONFIGDIR": str(directory / "matplotlib"), "MPLBACKEND": "agg"}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-m", "vo_server.previews.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the server, which ends it
                env=environment,
            )
        self._connection = ours

    def draw(self, preview: Picture) -> bytes:
        """The picture. Raises NotFoundError where it cannot be made, DrawingError if the process ended."""
        try:
            self._connection.send(preview)
            if not self._connection.poll(LONGEST):
                raise DrawingError
            answer: Answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise DrawingError from error
        self.used = time.monotonic()
        if answer.picture is None:
            log.warning("no preview of %s: %s", preview.subject, answer.reason)
            raise (
                MissingFileError
                if answer.missing
                else NotFoundError(f"This dataset cannot be shown: {answer.reason}.")
            )
        return answer.picture

    def kill(self) -> None:
        """Stop it, whatever it draws; from any thread."""
        self._process.kill()

    def end(self) -> None:
        """Stop it, and be done with it."""
        self._process.kill()
        self._process.wait()
        self._connection.close()


class Drawing:
    """Previews from the cache or drawn, each by one process however many ask for it at a time.

    Safe to use from many threads; `close` it at the end.
    """

    def __init__(self, settings: Settings, processes: int | None = None) -> None:
        self.cache = Cache.of(settings)
        self._directory = settings.data_dir
        self._threads = ThreadPoolExecutor(processes or settings.preview_processes, "previews")
        self._lock = threading.Lock()
        self._idle: list[Process] = []
        self._running: set[Process] = set()
        self._pending: dict[str, Future[bytes]] = {}
        self._closed = False

    def draw(self, preview: Picture) -> Future[bytes]:
        """The picture when it has been drawn and kept.

        The future raises as `Process.draw` does. Raises OverloadError if too many wait.
        """
        key = preview.key
        with self._lock:
            if key in self._pending:
                return self._pending[key]
            if self._closed or len(self._pending) >= MOST_WAITING:
                raise OverloadError
            future = self._threads.submit(self._make, preview, key)
            self._pending[key] = future
        future.add_done_callback(partial(self._forget, key))
        return future

    def rest(self) -> None:
        """End the processes that have been idle for long."""
        now = time.monotonic()
        with self._lock:
            tired = [process for process in self._idle if now - process.used > IDLE]
            self._idle = [process for process in self._idle if process not in tired]
        for process in tired:
            process.end()

    def close(self) -> None:
        """End all processes; what still waits is not drawn."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for process in self._running:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in idle:
            process.end()

    @property
    def processes(self) -> int:
        """How many there are."""
        with self._lock:
            return len(self._idle) + len(self._running)

    def _make(self, preview: Picture, key: str) -> bytes:
        kept = self.cache.read(key)
        if kept is not None:
            return kept
        with self._process() as process:
            picture = process.draw(preview)
        self.cache.write(key, picture)
        return picture

    @contextlib.contextmanager
    def _process(self) -> Iterator[Process]:
        """One that is idle, else a new one; it is not used again after a crash."""
        with self._lock:
            process = self._idle.pop() if self._idle else None
            if process is not None:
                self._running.add(process)
        if process is None:
            process = Process(self._directory)
            with self._lock:
                self._running.add(process)
        usable = True
        try:
            yield process
        except DrawingError:
            usable = False
            raise
        finally:
            with self._lock:
                self._running.discard(process)
                usable = usable and not self._closed
                if usable:
                    self._idle.append(process)
            if not usable:
                process.end()

    def _forget(self, key: str, _: Future[Any]) -> None:
        with self._lock:
            self._pending.pop(key, None)
