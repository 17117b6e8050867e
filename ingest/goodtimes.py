"""Good time intervals of a GTI table, checked (GADF "GTI")."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.facts import ProductError, TimeMoc, TimeReference
from ingest.fitsfile import Hdu
from ingest.times import SECONDS_NAMES, check_span, has_reference, time_reference, to_tt, utc_mjd
from ingest.tmoc import time_moc


@dataclass(frozen=True)
class GoodTimes:
    """Good time intervals in the unit of their own reference."""

    reference: TimeReference
    start: NDArray[np.float64]
    stop: NDArray[np.float64]

    @property
    def length(self) -> float:
        """Seconds in the union of the intervals: they may overlap."""
        order = np.argsort(self.start)
        start, stop = self.start[order], np.maximum.accumulate(self.stop[order])
        before = np.concatenate([start[:1], stop[:-1]])
        return float(np.sum(np.maximum(stop - np.maximum(start, before), 0))) * self.reference.unit

    @property
    def utc(self) -> tuple[tuple[float, float], ...]:
        """(start, stop) in MJD UTC."""
        start, stop = (utc_mjd(self.reference, edge).tolist() for edge in (self.start, self.stop))
        return tuple(zip(start, stop, strict=True))

    def moc(self, direction: tuple[float, float] | None, order: int, cells: int) -> TimeMoc:
        """The T-MOC of the intervals, as `time_moc` makes it."""
        start, stop = (to_tt(self.reference, edge) for edge in (self.start, self.stop))
        return time_moc(start, stop, direction, order, cells)


def good_times(hdu: Hdu, default: TimeReference | None) -> GoodTimes:
    """Read a GTI table, whose times count from its own reference, else from `default`.

    Raises ProductError for one without columns or reference, and for a row that is no interval.
    """
    if default is None or has_reference(hdu.header):
        own = time_reference(hdu.path, hdu.name, hdu.header)
    else:
        own = default
    start, stop = (hdu.in_unit(name, SECONDS_NAMES[own.unit]) for name in ("START", "STOP"))
    if start is None or stop is None:
        raise ProductError(hdu.path, hdu.name, "no columns START and STOP")
    return intervals(hdu, ("START", "STOP"), own, start, stop)


def intervals(
    hdu: Hdu, names: tuple[str, str], reference: TimeReference, start: NDArray[Any], stop: NDArray[Any]
) -> GoodTimes:
    """Check the intervals between two columns of these names. Raises ProductError with the first bad row."""
    bad = np.flatnonzero(~(stop >= start) | ~np.isfinite(stop - start))
    if bad.size:
        row = int(bad[0])
        message = f"row {row + 1} is no interval: {names[0]} {start[row]}, {names[1]} {stop[row]}"
        raise ProductError(hdu.path, hdu.name, message)
    for name, edges in zip(names, (start, stop), strict=True):
        check_span(hdu.path, f"{hdu.name} column {name}", reference, edges)
    return GoodTimes(reference, start, stop)
