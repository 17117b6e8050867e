"""Results over rows in memory, for the tests of writers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from schema.model import Column
from schema.types import TYPES
from vo_server.results import arrow
from vo_server.results.field import ResultField
from vo_server.results.result import Result

Row = tuple[Any, ...]

VALUES: dict[str, list[Any]] = {
    "SMALLINT": [-32768, 0, 32767],
    "INTEGER": [-(2**31), 0, 2**31 - 1],
    "BIGINT": [-(2**63) + 1, 0, 2**63 - 1],
    "REAL": [0.1, float("inf"), -3.5e-30],
    "DOUBLE PRECISION": [0.1, float("-inf"), 1e300],
    "VARCHAR": ['Crab <&> "Nebula"', "two\nlines\tand a tab", " blanks "],
    "TIMESTAMP": [datetime(2004, 3, 26, 22, 11, 5), datetime(2020, 1, 1, 0, 0, 0, 500000), datetime(1, 1, 1)],
    "POINT": [[83.63, 22.01], [0.0, -90.0], [359.5, 0.0]],
    "CIRCLE": [[83.63, 22.01, 2.5], [0.0, -90.0, 0.1], [1.0, 2.0, 3.0]],
    "POLYGON": [[1.0, 1.0, 2.0, 1.0, 2.0, 2.0], [0.0] * 8, [10.0, 0.0, 11.0, 0.0, 11.0, 1.0]],
    "REGION": ["Circle ICRS 83.63 22.01 2.5", "Polygon ICRS 1 1 2 1 2 2", "Circle ICRS 0 0 1"],
    "MOC": ["3/1-3 5 4/90", "0/0-11", "29/1"],
    "TMOC": ["41/1-3 5", "31/7", "61/1 3"],
    "SMALLINT[]": [[1], [-5, 6], []],
    "INTEGER[]": [[1, 2, 3], [-5], [2**31 - 1]],
    "BIGINT[]": [[1, 2], [2**62], [3]],
    "REAL[]": [[0.5, 1.5], [2.5], [3.5, 4.5, 5.5]],
    "DOUBLE PRECISION[]": [[0.1], [0.2, 0.3], [float("nan"), 1.0]],
}
"""Three values of every type, the extreme ones among them."""


@dataclass
class Batches:
    """A stream of given batches; `failure` is raised behind them."""

    batches: Sequence[pa.RecordBatch]
    failure: Exception | None = None
    closed: bool = field(default=False, init=False)
    complete: bool = field(default=False, init=False)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        yield from self.batches
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.closed = True

    def cancel(self) -> None:
        pass


def columns(*types: str) -> list[Column]:
    """Columns c0, c1... of the named types."""
    shapes = {"REGION": ("a", "b", "c"), "TMOC": ("a",)}
    return [Column(f"c{n}", TYPES[t], shapes=shapes.get(t)) for n, t in enumerate(types)]


def batch(fields: Sequence[ResultField], rows: Sequence[Row]) -> pa.RecordBatch:
    """The rows as they come from the database; a batch has something before and behind them in memory."""
    schema = arrow.schema(fields)
    padded = [rows[0], *rows, rows[-1]]
    arrays = [pa.array(v, f.type) for v, f in zip(zip(*padded, strict=True), schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema).slice(1, len(rows))


def result(
    fields: Sequence[ResultField], rows: Sequence[Row], maxrec: int = 1000, failure: Exception | None = None
) -> Result:
    """The rows in batches of three."""
    batches = [batch(fields, rows[n : n + 3]) for n in range(0, len(rows), 3)]
    return Result(fields, Batches(batches, failure), maxrec)
