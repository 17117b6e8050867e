"""What a benchmark is: a figure of ours beside a yardstick, measured alternately in one run."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

REPEATS = 5

SHORT = 0.1
"""Times below are printed in milliseconds."""


@dataclass(frozen=True)
class Figure:
    """Medians of ours and of the yardstick in seconds; `limit` is the largest ratio that is ok."""

    name: str
    ours: float
    yardstick: float
    limit: float
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.yardstick

    def __str__(self) -> str:
        verdict = "ok" if self.ratio <= self.limit else "OVER"
        line = (
            f"{self.name:<32} ours {_shown(self.ours)}  yardstick {_shown(self.yardstick)}"
            f"  RATIO {self.ratio:6.2f}  limit {self.limit:5.2f}  {verdict}"
        )
        return f"{line}  ({self.note})" if self.note else line


Benchmark = Callable[[], Iterable[Figure]]


def compare(
    name: str,
    ours: Callable[[], object],
    yardstick: Callable[[], object],
    *,
    limit: float,
    note: str = "",
) -> Figure:
    """Time both alternately, so that a slow moment of the machine hits both, and take the medians.

    Each runs once before that, unmeasured: files are then in the page cache for both.
    """
    ours()
    yardstick()
    pairs = [(_seconds(ours), _seconds(yardstick)) for _ in range(REPEATS)]
    return Figure(name, median(p[0] for p in pairs), median(p[1] for p in pairs), limit, note)


def _shown(seconds: float) -> str:
    """The time in seconds, or in milliseconds if it is short."""
    return f"{seconds:9.4f} s " if seconds >= SHORT else f"{1000 * seconds:9.4f} ms"


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
