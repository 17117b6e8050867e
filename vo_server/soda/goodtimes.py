"""Good time intervals cut to an interval, and the keywords of a header that follow from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from astropy import units
from astropy.io import fits
from numpy.typing import NDArray

from vo_server.eventlists.interval import Interval
from vo_server.eventlists.table import Table
from vo_server.eventlists.times import Clock, is_counted
from vo_server.products.fitsfile import FitsError

_BEGINNINGS: Final = (("DATE-OBS", "TIME-OBS"), ("DATE_OBS", "TIME_OBS"), ("DATE-BEG", "TIME-BEG"))
_ENDS: Final = (("DATE-END", "TIME-END"), ("DATE_END", "TIME_END"))
"""Keywords of a date and of the time of day that may stand apart from it."""

_MJD_BEGINNINGS: Final = ("MJD-OBS", "MJD-BEG")
_MJD_ENDS: Final = ("MJD-END",)
_MIDDLES: Final = ("DATE-AVG", "MJD-AVG")

_DAY: Final = 86400.0
_ROWS: Final = 1 << 16


@dataclass(frozen=True)
class GoodTimes:
    """Rows of a GTI table (bytes, of shape (n, width)) after a cut; their length before and after in s."""

    rows: NDArray[np.uint8]
    before: float
    after: float


def cut(table: Table, time: Interval, events: fits.Header) -> GoodTimes:
    """The good times within an interval (MJD, UTC).

    A table without a time reference of its own counts as its events do. Raises FitsError.
    """
    header = table.hdu.header
    clock = Clock.of(header if is_counted(header) else events)
    begin, end = table.column("START"), table.column("STOP")
    unit = units.Unit(begin.unit) if begin.unit else clock.unit
    if begin.unit != end.unit:
        raise FitsError(f"START and STOP of {table.hdu.name} have different units")
    low, high = clock.elapsed(time, unit)
    rows = np.concatenate([np.empty((0, table.width), np.uint8), *table.chunks(_ROWS)])
    start, stop = begin.values(rows), end.values(rows)
    kept = (start <= high) & (stop >= low)
    rows, cut_start, cut_stop = rows[kept], np.maximum(start[kept], low), np.minimum(stop[kept], high)
    begin.put(rows, cut_start)
    end.put(rows, cut_stop)
    seconds = unit.to(units.s)
    return GoodTimes(rows, _length(start, stop) * seconds, _length(cut_start, cut_stop) * seconds)


def restrict(header: fits.Header, time: Interval, exposure: tuple[float, float] | None) -> None:
    """Change the keywords of time in a header that a cut to an interval (MJD, UTC) changes.

    `exposure` is the good time before and after, in s; without it that of the whole span counts. DEADC
    stays as it is: the fraction of dead time in an interval is not known better than that of the whole.
    """
    begin, end = header.get("TSTART"), header.get("TSTOP")
    if not all(isinstance(value, int | float) for value in (begin, end)):
        if exposure is not None:
            _expose(header, *exposure)
        return
    clock = Clock.of(header)
    low, high = np.clip(clock.elapsed(time, clock.unit), float(begin), float(end)).tolist()
    seconds = clock.unit.to(units.s)
    header["TSTART"], header["TSTOP"] = low, high
    if "TELAPSE" in header:
        header["TELAPSE"] = (high - low) * seconds
    _shift(header, _BEGINNINGS, _MJD_BEGINNINGS, (low - begin) * seconds)
    _shift(header, _ENDS, _MJD_ENDS, (high - end) * seconds)
    for name in _MIDDLES:
        header.remove(name, ignore_missing=True)
    _expose(header, *(exposure or ((end - begin) * seconds, (high - low) * seconds)))


def _expose(header: fits.Header, before: float, after: float) -> None:
    """ONTIME is the good time that is left; LIVETIME becomes less in the same proportion."""
    livetime, dead = header.get("LIVETIME"), header.get("DEADC")
    if "ONTIME" not in header and livetime is None:
        return
    header["ONTIME"] = after
    if isinstance(livetime, int | float) and before > 0:
        header["LIVETIME"] = livetime * (after / before)
    elif isinstance(dead, int | float):
        header["LIVETIME"] = after * dead


def _shift(
    header: fits.Header, dates: Iterable[tuple[str, str]], mjds: Iterable[str], seconds: float
) -> None:
    """Move dates, in whatever scale they are; those that cannot be read are taken out."""
    if not seconds:
        return
    for date, time in dates:
        day = str(header.get(date, "")).strip()
        clock = str(header.get(time, "")).strip()
        if not day or not ("T" in day or clock):
            continue
        try:
            stated = datetime.fromisoformat(day if "T" in day else f"{day}T{clock}")
        except ValueError:
            header.remove(date)
            header.remove(time, ignore_missing=True)
            continue
        moved = (stated + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
        if "T" in day:
            header[date] = moved
        else:
            header[date], header[time] = moved.split("T")
    for name in mjds:
        if isinstance(header.get(name), int | float):
            header[name] += seconds / _DAY


def _length(start: NDArray[np.float64], stop: NDArray[np.float64]) -> float:
    """The length of the union of intervals, which may overlap."""
    order = np.argsort(start)
    start, stop = start[order], np.maximum.accumulate(stop[order])
    before = np.concatenate([start[:1], stop[:-1]])
    return float(np.sum(np.maximum(stop - np.maximum(start, before), 0)))
