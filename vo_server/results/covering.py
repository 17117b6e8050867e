"""Which columns of a result tell of sky and time, and how their values become MOCs."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from moc import shapes
from moc.model import SPACE, TIME, Moc, moc_of
from moc.text import parse
from moc.times import UNCORRECTED_ORDER, microseconds
from schema.types import CIRCLE, MOC, POINT, POLYGON, REGION, TMOC
from vo_server.errors import DataError, UsageError
from vo_server.results.field import ResultField

Value = Any
"""A value of a column as Python has it; of a pair of columns, a tuple of two numbers."""

_STC: Final = re.compile(r"\s*(circle|polygon)\s+(?:icrs\s+)?([-+.\deE\s]+)", re.IGNORECASE | re.ASCII)

_FIRST, _LAST = -2_400_000.0, 5_000_000.0
"""MJD that a T-MOC can hold with room to spare."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The columns (by number) with sky or time in a result, and how a value of theirs becomes a MOC.

    `together` does it for many values at once, where that is quicker. Orders are limited by the second
    argument.
    """

    columns: tuple[int, ...]
    one: Callable[[Value, int], Moc]
    together: Callable[[Sequence[Value], int], Moc] | None = None

    def values(self, batch: pa.RecordBatch) -> Iterator[Value | None]:
        """The values of the rows; None where there is none."""
        if len(self.columns) == 1:
            yield from batch.column(self.columns[0]).to_pylist()
            return
        for first, second in zip(*(batch.column(n).to_pylist() for n in self.columns), strict=True):
            yield None if first is None or second is None else (first, second)

    def different(self, batch: pa.RecordBatch) -> set[Value]:
        """The different values of a batch, for use as keys."""
        if len(self.columns) == 1 and not pa.types.is_list(batch.column(self.columns[0]).type):
            return set(pc.unique(batch.column(self.columns[0])).drop_null().to_pylist())
        return {tuple(value) for value in self.values(batch) if value is not None}


def sky(columns: Sequence[ResultField]) -> Coverage:
    """Where a result has regions, else positions. Raises UsageError if it has neither."""
    for number, column in enumerate(columns):
        if column.type.name in _REGIONS:
            return Coverage((number,), _REGIONS[column.type.name])
    for number, column in enumerate(columns):
        if column.type is POINT:
            return Coverage((number,), _position, _positions)
    pair = _pair(columns, _POSITIONS)
    if pair is None:
        raise UsageError(
            "RESPONSEFORMAT: a MOC needs a column with regions (such as s_region or s_moc) or columns with"
            " positions (such as s_ra and s_dec) in the result; SELECT one"
        )
    return Coverage(pair, _position, _positions)


def time(columns: Sequence[ResultField]) -> Coverage:
    """Where a result has T-MOCs, else start and end. Raises UsageError if it has neither."""
    for number, column in enumerate(columns):
        if column.type is TMOC:
            return Coverage((number,), lambda value, order: parse(value, TIME).degraded(order))
    pair = _pair(columns, _TIMES)
    if pair is None:
        raise UsageError(
            "RESPONSEFORMAT: a T-MOC needs a column with T-MOCs (such as t_intervals) or the columns t_min"
            " and t_max in the result; SELECT them"
        )
    return Coverage(pair, _interval, _intervals)


_POSITIONS: Final = (("s_ra", "s_dec"), ("ra", "dec")), ("pos.eq.ra", "pos.eq.dec")
_TIMES: Final = (("t_min", "t_max"),), ("time.start", "time.end")
"""Names of columns that belong together, and how their UCDs begin."""


def _pair(
    columns: Sequence[ResultField], wanted: tuple[tuple[tuple[str, str], ...], tuple[str, str]]
) -> tuple[int, int] | None:
    names, ucds = wanted
    numbers = [n for n, c in enumerate(columns) if c.type.numeric is not None]
    for first, second in names:
        found = [
            next((n for n in numbers if columns[n].name.lower() == name), None) for name in (first, second)
        ]
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
    found = [next((n for n in numbers if (columns[n].ucd or "").startswith(ucd)), None) for ucd in ucds]
    return None if found[0] is None or found[1] is None else (found[0], found[1])


def _region(text: str, order: int) -> Moc:
    match = _STC.fullmatch(text)
    if match is None:
        raise DataError(
            f"the region {text[:60]!r} is neither a circle nor a polygon in ICRS: no MOC holds it"
        )
    numbers = [float(n) for n in match[2].split()]
    return (_circle if match[1].lower() == "circle" else _polygon)(numbers, order)


def _circle(numbers: Sequence[float], order: int) -> Moc:
    if len(numbers) != 3 or not (abs(numbers[1]) <= 90 and 0 <= numbers[2] <= 180):
        raise DataError(f"the circle {tuple(numbers[:3])} does not lie on the sky: no MOC holds it")
    return shapes.circle(numbers[0], numbers[1], numbers[2], order)


def _polygon(numbers: Sequence[float], order: int) -> Moc:
    corners = list(zip(numbers[::2], numbers[1::2], strict=False))
    if len(numbers) < 6 or len(numbers) % 2 or not all(abs(dec) <= 90 for _, dec in corners):
        raise DataError(f"the polygon {tuple(numbers[:6])} does not lie on the sky: no MOC holds it")
    return shapes.polygon(corners, order)


def _position(value: Sequence[float], order: int) -> Moc:
    return _positions([value], order)


def _positions(values: Sequence[Value], order: int) -> Moc:
    """Positions that are none (NaN) are left out."""
    ra, dec = np.array(values, np.float64).reshape(-1, 2).T
    good = np.isfinite(ra) & np.isfinite(dec)
    if (np.abs(dec[good]) > 90).any():
        raise DataError("a latitude is beyond 90 degrees: no MOC holds it")
    return shapes.positions(ra[good], dec[good], order)


def _interval(value: Sequence[float], order: int) -> Moc:
    return _intervals([value], order)


def _intervals(values: Sequence[Value], order: int) -> Moc:
    start, end = np.array(values, np.float64).reshape(-1, 2).T
    good = (start <= end) & (start > _FIRST) & (end < _LAST)
    ranges = np.stack([microseconds(start[good]), microseconds(end[good]) + 1], axis=1)
    return moc_of(TIME, min(order, UNCORRECTED_ORDER), ranges)


_REGIONS: Final[dict[str, Callable[[Value, int], Moc]]] = {
    REGION.name: _region,
    CIRCLE.name: _circle,
    POLYGON.name: _polygon,
    MOC.name: lambda value, order: parse(value, SPACE).degraded(order),
}
"""Type of a column -> how its values become MOCs."""
