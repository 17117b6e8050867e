"""Long work of a command: its progress bar, and its interruption."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vo_server.commands.console import err


class Terminated(KeyboardInterrupt):
    """SIGTERM during an ingest; like Ctrl-C it makes psycopg cancel what it waits for."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


class Bar:
    """Turns (done, in all) into a progress bar, and remembers them."""

    def __init__(self, progress: Progress, text: str) -> None:
        self.done = 0
        self.total = 0
        self._progress = progress
        self._task = progress.add_task(text, total=None)

    def __call__(self, done: int, total: int) -> None:
        """So many are done of so many in all."""
        self.done, self.total = done, total
        self._progress.update(self._task, completed=done, total=total)


@contextlib.contextmanager
def progress(text: str) -> Iterator[Bar]:
    """A bar on the terminal while the work lasts; elsewhere it shows nothing and still counts."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield Bar(progress, text)


@contextlib.contextmanager
def interruptible(bar: Bar) -> Iterator[None]:
    """SIGINT and SIGTERM end the command with a line on how far it came, and the shell's exit codes."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt as interruption:
        number = signal.SIGTERM if isinstance(interruption, Terminated) else signal.SIGINT
        err.print(
            f"interrupted; {bar.done} of {bar.total} datasets are in, the rest follows with the next ingest"
        )
        raise SystemExit(128 + number) from interruption
    finally:
        signal.signal(signal.SIGTERM, before)
