"""MOCs as ranges of cells (MOC 2.0, section 2): united, degraded, and in the largest cells that fit."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Axis:
    """What a MOC is of. A cell has 2^`dimensions` cells of the next order in it, down to order `deepest`."""

    name: str
    deepest: int
    dimensions: int


SPACE: Final = Axis("SPACE", 29, 2)
TIME: Final = Axis("TIME", 61, 1)


@dataclass(frozen=True, slots=True)
class Moc:
    """A MOC of one axis: half-open ranges of cells of the deepest order, shape (n, 2).

    They ascend, do not touch, and begin and end at cells of `order`. Of SPACE, cells are HEALPix (nested,
    ICRS); of TIME, microseconds since JD 0, TCB at the barycentre.
    """

    axis: Axis
    order: int
    ranges: Integers

    def degraded(self, order: int) -> "Moc":
        """The cells of a lower order that it touches; itself if its order is as low."""
        return self if order >= self.order else moc_of(self.axis, order, self.ranges)

    def cells(self) -> dict[int, Integers]:
        """The largest cells that fit: order -> ascending numbers (MOC 2.0, section 3.1: well-formed)."""
        bits = self.axis.dimensions
        parts = (1 << bits) - 1
        low, high = (self.ranges >> bits * (self.axis.deepest - self.order)).T
        found: dict[int, Integers] = {}
        for level in range(self.order, 0, -1):
            inner_low = np.minimum((low + parts) & ~parts, high)
            inner_high = np.maximum(high & ~parts, inner_low)
            numbers = _counted(np.concatenate([low, inner_high]), np.concatenate([inner_low, high]))
            if len(numbers):
                found[level] = np.sort(numbers)
            kept = inner_low < inner_high
            low, high = inner_low[kept] >> bits, inner_high[kept] >> bits
            if not len(low):
                break
        if len(low):
            found[0] = np.sort(_counted(low, high))
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class SpaceTimeMoc:
    """Where something was observed, by time (MOC 2.0, section 2.3).

    Each element is a range of cells of `time_order`, half-open, and the sky covered in it, at `space_order`;
    elements ascend and do not overlap.
    """

    time_order: int
    space_order: int
    elements: tuple[tuple[int, int, Moc], ...]


def moc_of(axis: Axis, order: int, ranges: Integers) -> Moc:
    """The MOC of all cells of an order that these ranges (at the deepest order, in any order) touch."""
    shift = axis.dimensions * (axis.deepest - order)
    low, high = ranges[:, 0] >> shift, -(-ranges[:, 1] >> shift)
    low, high = low[low < high], high[low < high]
    by_start = np.argsort(low, kind="stable")
    low, high = low[by_start], np.maximum.accumulate(high[by_start]) if len(high) else high
    opens = np.ones(len(low), np.bool_)
    opens[1:] = low[1:] > high[:-1]
    closes = np.append(opens[1:], True)[: len(low)]
    return Moc(axis, order, np.stack([low[opens], high[closes]], axis=1) << shift)


def empty(axis: Axis, order: int = 0) -> Moc:
    """The MOC without cells."""
    return Moc(axis, order, np.empty((0, 2), np.int64))


def union(mocs: Iterable[Moc]) -> Moc:
    """What is in one of the MOCs (one at least), at the lowest of their orders.

    So are MOCs of observations to be combined (MOC 2.0, section 3.3).
    """
    found = tuple(mocs)
    order = min(m.order for m in found)
    return moc_of(found[0].axis, order, np.concatenate([m.ranges for m in found]))


def of_cells(axis: Axis, order: int, numbers: Integers, orders: Integers) -> Moc:
    """The MOC of cells, each with its order."""
    shift = axis.dimensions * (axis.deepest - orders.astype(np.int64))
    low = numbers.astype(np.int64)
    return moc_of(axis, order, np.stack([low << shift, (low + 1) << shift], axis=1))


def space_time(time_order: int, space_order: int, by_cell: Iterable[tuple[int, Moc]]) -> SpaceTimeMoc:
    """A MOC of time and space from the sky in each cell of time, in ascending order.

    Neighbours with the same sky become one element, as the standard has it.
    """
    elements: list[tuple[int, int, Moc]] = []
    for cell, sky in by_cell:
        coarse = sky.degraded(space_order)
        if elements and elements[-1][1] == cell and np.array_equal(elements[-1][2].ranges, coarse.ranges):
            elements[-1] = (elements[-1][0], cell + 1, coarse)
        else:
            elements.append((cell, cell + 1, coarse))
    return SpaceTimeMoc(time_order, space_order, tuple(elements))


def _counted(low: Integers, high: Integers) -> Integers:
    """The numbers from each `low` to before its `high`."""
    counts = high - low
    ends = np.cumsum(counts)
    if not len(ends) or ends[-1] == 0:
        return np.empty(0, np.int64)
    offsets = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
    numbers: Integers = np.repeat(low, counts) + offsets
    return numbers
