"""Good time intervals to T-MOC (MOC 2.0): TCB at the barycentre, cells of 2^(61 - order) microseconds."""

import numpy as np
from numpy.typing import NDArray

from ingest.facts import TimeMoc
from ingest.times import JulianDate, barycentric_tcb, microseconds

DEEPEST = 61
UNCORRECTED_ORDER = 31
"""The finest order to claim without light-time correction: cells of 17.9 min (MOC 2.0)."""


def time_moc(
    start: JulianDate, stop: JulianDate, direction: tuple[float, float] | None, order: int, max_cells: int
) -> TimeMoc:
    """Cover the intervals `start`..`stop` (Julian dates TT at the Earth, arrays of one length).

    `direction` is the fixed pointing (ra, dec in ICRS deg); without one the light time to the
    barycentre is not known and the order is UNCORRECTED_ORDER at most. If the text would hold more
    than `max_cells` cells, the order is lowered until it does not.
    """
    reason = None
    if direction is None and order > UNCORRECTED_ORDER:
        order = UNCORRECTED_ORDER
        reason = f"order {order}: no fixed direction, so no light-time correction to the barycentre"
    first = microseconds(barycentric_tcb(start, direction))
    last = np.maximum(microseconds(barycentric_tcb(stop, direction)), first + 1)
    ranges = covering_ranges(first, last, order)
    cells = canonical_cells(ranges, order)
    wanted = order
    while sum(map(len, cells.values())) > max_cells and order > 0:
        order -= 1
        ranges = covering_ranges(first, last, order)
        cells = canonical_cells(ranges, order)
        reason = f"order {order}: more than {max_cells} cells at order {wanted}"
    return TimeMoc(
        order, ascii_moc(cells, order), tuple((int(a), int(b)) for a, b in ranges.tolist()), reason
    )


def covering_ranges(first: NDArray[np.int64], last: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    """Return merged ascending half-open ranges of whole cells of `order`, in microseconds, shape (n, 2)."""
    shift = DEEPEST - order
    low = first >> shift
    high = -(-last >> shift)
    by_start = np.argsort(low, kind="stable")
    low, high = low[by_start], np.maximum.accumulate(high[by_start]) if len(high) else high
    opens = np.ones(len(low), np.bool_)
    opens[1:] = low[1:] > high[:-1]
    closes = np.append(opens[1:], True)[: len(low)]
    return np.stack([low[opens], high[closes]], axis=1) << shift


def canonical_cells(ranges: NDArray[np.int64], order: int) -> dict[int, NDArray[np.int64]]:
    """Split ranges into the largest cells they hold: order -> ascending cell numbers."""
    low, high = (ranges >> (DEEPEST - order)).T
    cells: dict[int, NDArray[np.int64]] = {}
    for level in range(order, -1, -1):
        left, right = (low & 1 == 1) & (low < high), (high & 1 == 1) & (low < high)
        ends = np.concatenate([low[left], high[right] - 1])
        if len(ends):
            cells[level] = np.unique(ends)
        low, high = (low + 1) >> 1, high >> 1
    return dict(sorted(cells.items()))


def ascii_moc(cells: dict[int, NDArray[np.int64]], order: int) -> str:
    """Write ASCII (MOC 2.0): groups by ascending order, inclusive ranges, the MOC's order declared."""
    groups = [f"{level}/{' '.join(_runs(numbers))}" for level, numbers in cells.items()]
    if order not in cells:
        groups.append(f"{order}/")
    return " ".join(groups)


def _runs(numbers: NDArray[np.int64]) -> list[str]:
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    runs = np.split(numbers, breaks)
    return [f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
