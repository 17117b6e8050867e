"""Results as MOCs: the union of what their rows cover, in bounded memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from moc.forms import FORMS
from moc.model import SPACE, TIME, Axis, Moc, SpaceTimeMoc, empty, space_time, union
from moc.shapes import FINEST
from vo_server.errors import UsageError
from vo_server.results import covering
from vo_server.results.covering import Coverage, Value
from vo_server.results.result import Result

_FINE_REGIONS: Final = 20_000
"""Different regions of a result beyond which the others are taken at _COARSE, so that none takes long."""

_COARSE: Final = 7

_MOST_RANGES: Final = 1_000_000
"""Ranges that wait to be united."""

_MOST_SEEN: Final = 100_000
"""Values that are remembered, not to be looked at again."""

TIME_ORDER, SPACE_ORDER = 26, 7
"""Orders of MOCs of time and space: 9.5 h, about a night, and 27 arcmin."""

_MOST_CELLS: Final = 20_000
"""Cells of time of a MOC of time and space; with more, its order of time is lowered."""


def write_moc(result: Result, kind: str, form: str) -> Iterator[bytes]:
    """The coverage of a result; `kind` is that of COLLECTED, `form` that of FORMS.

    Raises UsageError before the first octet.
    """
    yield FORMS[form].write(COLLECTED[kind](result))


def space_moc(result: Result) -> Moc:
    """The sky that the rows cover. Raises UsageError if they do not tell, or are not all there."""
    return _collected(result, covering.sky(result.columns), SPACE, FINEST)


def time_moc(result: Result) -> Moc:
    """The times that the rows cover. Raises UsageError if they do not tell, or are not all there."""
    return _collected(result, covering.time(result.columns), TIME, TIME.deepest)


def _collected(result: Result, coverage: Coverage, axis: Axis, finest: int) -> Moc:
    waiting: list[Moc] = []
    size = 0
    seen: set[Value] = set()
    count, order = 0, finest
    for batch in result.batches():
        new = coverage.different(batch) - seen
        if len(seen) < _MOST_SEEN:
            seen |= new
        for found in _mocs(coverage, new, order):
            waiting.append(found)
            size += len(found.ranges)
            if size > _MOST_RANGES:
                waiting, size = [union(waiting)], 0
        count += len(new)
        if axis is SPACE and coverage.together is None and count > _FINE_REGIONS:
            order = _COARSE
    _check_whole(result)
    return union(waiting) if waiting else empty(axis)


def _mocs(coverage: Coverage, values: set[Value], order: int) -> Iterator[Moc]:
    if not values:
        return
    if coverage.together is not None:
        yield coverage.together(list(values), order)
        return
    for value in values:
        yield coverage.one(value, order)


def _check_whole(result: Result) -> None:
    """A MOC cannot say that rows are missing, so there is none then."""
    if result.overflow and result.maxrec:
        raise UsageError(
            f"the result has more than the {result.maxrec} rows of MAXREC, so that its MOC would lack some;"
            " ask for more rows by MAXREC, or for less by TOP or WHERE"
        )


def space_time_moc(result: Result) -> SpaceTimeMoc:
    """Where the rows cover which times. Raises UsageError if they do not tell, or are not all there."""
    sky, time = covering.sky(result.columns), covering.time(result.columns)
    where = lru_cache(maxsize=10_000)(lambda value: sky.one(value, FINEST).degraded(SPACE_ORDER))
    by_cell: dict[int, list[Moc]] = {}
    order = TIME_ORDER
    for batch in result.batches():
        for place, moment in zip(sky.values(batch), time.values(batch), strict=True):
            if place is None or moment is None:
                continue
            covered = where(tuple(place) if isinstance(place, list) else place)
            times = time.one(moment, TIME_ORDER)
            while len(by_cell) + _cells(times, order).size > _MOST_CELLS:
                order -= 1
                by_cell = _halved(by_cell)
            for cell in _cells(times, order).numbers():
                _add(by_cell.setdefault(cell, []), covered)
    _check_whole(result)
    return space_time(order, SPACE_ORDER, ((cell, union(mocs)) for cell, mocs in sorted(by_cell.items())))


@dataclass(frozen=True, slots=True)
class _Cells:
    """Cells of time of an order, as half-open ranges."""

    ranges: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        return sum(high - low for low, high in self.ranges)

    def numbers(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high)


def _cells(times: Moc, order: int) -> _Cells:
    shift = TIME.deepest - order
    return _Cells(tuple((low >> shift, high >> shift) for low, high in times.degraded(order).ranges.tolist()))


def _add(mocs: list[Moc], more: Moc) -> None:
    mocs.append(more)
    if len(mocs) > 64:
        mocs[:] = [union(mocs)]


def _halved(by_cell: dict[int, list[Moc]]) -> dict[int, list[Moc]]:
    halved: dict[int, list[Moc]] = {}
    for cell, mocs in by_cell.items():
        halved.setdefault(cell >> 1, []).append(union(mocs))
    return halved


COLLECTED: Final[Mapping[str, Callable[[Result], Moc | SpaceTimeMoc]]] = {
    "moc": space_moc,
    "tmoc": time_moc,
    "stmoc": space_time_moc,
}
"""Kind of MOC -> how it is collected from a result."""
