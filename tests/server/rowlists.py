"""Results over rows in memory, for the tests of writers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from schema.model import Column
from schema.types import TYPES
from vo_server.results.result import Result, Row


@dataclass
class Batches:
    """A stream of given batches; `failure` is raised behind them."""

    batches: Sequence[list[Row]]
    failure: Exception | None = None
    closed: bool = field(default=False, init=False)

    def __iter__(self) -> Iterator[list[Row]]:
        yield from self.batches
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.closed = True

    def cancel(self) -> None:
        pass


def columns(*types: str) -> list[Column]:
    """Columns c0, c1... of the named types."""
    shapes = {"REGION": ("a", "b"), "TMOC": ("a",)}
    return [Column(f"c{n}", TYPES[t], shapes=shapes.get(t)) for n, t in enumerate(types)]


def result(
    fields: Sequence[Column], rows: Sequence[Row], maxrec: int = 1000, failure: Exception | None = None
) -> Result:
    """The rows in batches of three."""
    batches = [list(rows[n : n + 3]) for n in range(0, len(rows), 3)]
    return Result(fields, Batches(batches, failure), maxrec)
