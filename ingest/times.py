"""Times of a file to UTC and to the time of T-MOCs, in two doubles all the way.

Elapsed seconds are SI seconds in every scale, also in UTC: leap seconds between the reference and the
event count (FITS 4.0 section 9.3). GADF "Time" gives no default for the reference and the scale.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import erfa
import numpy as np
from numpy.typing import NDArray

from ingest.facts import ProductError, TimeReference
from ingest.fitsheader import keyword, number, text

Floats: TypeAlias = NDArray[np.float64]
JulianDate: TypeAlias = tuple[Floats, Floats]

MJD_ORIGIN = 2400000.5
DAY = 86400.0
AU_LIGHT_SECONDS = 499.004783836
"""Light time of one astronomical unit (IAU 2012 resolution B2 and the speed of light)."""

_LAST_DAY = 100_000
_GPS_MINUS_TAI = -19.0
_NODES = 0.01
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": DAY, "day": DAY}
SECONDS_NAMES = {1e-6: "us", 1e-3: "ms", 1.0: "s", 60.0: "min", 3600.0: "h", DAY: "d"}
"""Units of time by their length in seconds."""


def _shift(jd: JulianDate, seconds: float | Floats) -> JulianDate:
    return jd[0], jd[1] + seconds / DAY


def _sampled(function: Callable[[JulianDate], Floats], jd: JulianDate) -> Floats:
    """Evaluate a slowly varying function of time; on nodes if there are fewer of them than instants.

    Linear between nodes 0.01 d apart, the light time is exact to 2 microseconds.
    """
    mjd = np.atleast_1d((jd[0] - MJD_ORIGIN) + jd[1])
    if not mjd.size:
        return mjd
    nodes = np.arange(math.floor(mjd.min() / _NODES), math.ceil(mjd.max() / _NODES) + 2) * _NODES
    if len(nodes) >= mjd.size:
        return function(jd)
    return np.interp(mjd, nodes, function((np.full(len(nodes), MJD_ORIGIN), nodes)))


def _tdb_minus_tt(jd: JulianDate) -> Floats:
    """Return seconds, at the geocentre (erfa.dtdb; the observer's place adds less than 3 microseconds)."""
    return _sampled(lambda at: np.asarray(erfa.dtdb(*at, 0.0, 0.0, 0.0, 0.0), dtype=np.float64), jd)


def _tdb_to_tt(jd: JulianDate) -> JulianDate:
    return _shift(jd, -_tdb_minus_tt(jd))


_TO_TT: dict[str, Callable[[JulianDate], JulianDate]] = {
    "TT": lambda jd: jd,
    "TAI": lambda jd: erfa.taitt(*jd),
    "GPS": lambda jd: erfa.taitt(*_shift(jd, -_GPS_MINUS_TAI)),
    "TCG": lambda jd: erfa.tcgtt(*jd),
    "TDB": _tdb_to_tt,
    "TCB": lambda jd: _tdb_to_tt(erfa.tcbtdb(*jd)),
}
_SYNONYMS = {"TDT": "TT", "ET": "TT", "IAT": "TAI", "GMT": "UTC", "UT": "UTC"}
TIME_SYSTEMS = (*_TO_TT, "UTC")


def time_reference(path: Path, where: str, header: Mapping[str, Any]) -> TimeReference:
    """Read MJDREFI, MJDREFF (or MJDREF), TIMESYS, TIMEUNIT and TIMEREF.

    TIMEUNIT defaults to s and TIMEREF to LOCAL (GADF). Raises ProductError if one of the others is
    missing or says nothing that is known, or the reference lies outside the years 1858 to 2132.
    """
    whole, fraction = _mjdref(path, where, header)
    if not 0 <= whole + fraction <= _LAST_DAY:
        message = f"{whole + fraction:g} is impossible; MJD 0 to {_LAST_DAY} are the years 1858 to 2132"
        raise ProductError(path, f"{where} MJDREFI", message)
    scale = (text(header, "TIMESYS") or "").upper()
    scale = re.sub(r"\(.*\)$", "", scale).strip()
    scale = _SYNONYMS.get(scale, scale)
    if not scale:
        raise ProductError(
            path, f"{where} TIMESYS", "missing; GADF has no default for it: add e.g. TIMESYS = 'TT'"
        )
    if scale not in TIME_SYSTEMS:
        known = ", ".join(TIME_SYSTEMS)
        raise ProductError(path, f"{where} TIMESYS", f"unknown time system {scale!r}; known are {known}")
    unit = text(header, "TIMEUNIT") or "s"
    if unit.lower() not in _UNITS:
        raise ProductError(path, f"{where} TIMEUNIT", f"unknown time unit {unit!r}; GADF wants 's'")
    timeref = (text(header, "TIMEREF") or "LOCAL").upper()
    return TimeReference(whole, fraction, scale, timeref, _UNITS[unit.lower()])


def check_span(path: Path, where: str, reference: TimeReference, elapsed: Floats) -> None:
    """Raise ProductError if a time (in the file's unit since the reference) lies outside 1858 to 2132."""
    mjd = reference.mjdrefi + reference.mjdreff + elapsed * (reference.unit / DAY)
    outside = np.flatnonzero(~((mjd >= 0) & (mjd <= _LAST_DAY)))
    if outside.size:
        first = outside[0]
        message = (
            f"{elapsed[first]:g} after the reference is MJD {mjd[first]:g}, which is impossible;"
            f" MJD 0 to {_LAST_DAY} are the years 1858 to 2132"
        )
        raise ProductError(path, where, message)


def has_reference(header: Mapping[str, Any]) -> bool:
    """Tell whether the header counts time on its own."""
    return keyword(header, "TIMESYS") is not None and (
        keyword(header, "MJDREFI") is not None or keyword(header, "MJDREF") is not None
    )


def _mjdref(path: Path, where: str, header: Mapping[str, Any]) -> tuple[int, float]:
    whole, fraction, single = (number(header, name) for name in ("MJDREFI", "MJDREFF", "MJDREF"))
    if whole is None and fraction is None and single is not None:
        whole, fraction = single, 0.0
    if whole is None or fraction is None:
        name = "MJDREFI" if whole is None else "MJDREFF"
        message = "missing or not a number; GADF has no default: give MJDREFI and MJDREFF"
        raise ProductError(path, f"{where} {name}", message)
    floor = math.floor(whole)
    return floor, fraction + (whole - floor)


def to_tt(reference: TimeReference, elapsed: Floats) -> JulianDate:
    """Return Julian dates TT of `elapsed` (in the file's unit since the reference).

    In UTC a count from MJD 0 is the MJD itself, as gammapy writes light curves: leap seconds are not in it.
    """
    start = np.float64(MJD_ORIGIN + reference.mjdrefi), np.float64(reference.mjdreff)
    seconds = elapsed * reference.unit
    days = np.floor(seconds / DAY)
    fractions = (seconds - days * DAY) / DAY
    if reference.timesys != "UTC":
        return _TO_TT[reference.timesys]((start[0] + days, start[1] + fractions))
    if reference.mjdrefi == reference.mjdreff == 0:
        return _TO_TT["TAI"](erfa.utctai(start[0] + days, fractions))
    origin = erfa.utctai(*start)
    return _TO_TT["TAI"]((origin[0] + days, origin[1] + fractions))


_FEW = 100
_SAME_OFFSET = 1e-13
"""days (10 ns): UTC - TAI of both ends is the same, so no leap second and no day of one lies between"""


def utc_mjd(reference: TimeReference, elapsed: Floats) -> Floats:
    """Return MJD UTC of `elapsed` (in the file's unit since the reference), to 1 microsecond."""
    tai = erfa.tttai(*to_tt(reference, elapsed))
    if np.size(elapsed) > _FEW:
        ends = [int(np.argmin(elapsed)), int(np.argmax(elapsed))]
        days, fractions = tai[0][ends], tai[1][ends]
        utc = erfa.taiutc(days, fractions)
        offsets = (utc[0] - days) + (utc[1] - fractions)
        if abs(offsets[1] - offsets[0]) < _SAME_OFFSET:
            return np.asarray((tai[0] - MJD_ORIGIN) + (tai[1] + offsets[0]), dtype=np.float64)
    first, second = erfa.taiutc(*tai)
    return np.asarray((first - MJD_ORIGIN) + second, dtype=np.float64)


def barycentric_tcb(tt: JulianDate, direction: tuple[float, float] | None) -> JulianDate:
    """Return Julian dates TCB; with a `direction` (ra, dec in ICRS deg), of the arrival at the barycentre.

    The light time is that of the geocentre (erfa.epv00): that of the place on Earth is below 22 ms.
    """
    tdb = _shift(tt, _tdb_minus_tt(tt))
    if direction is not None:
        tdb = _shift(tdb, _light_time(tdb, direction))
    tcb: JulianDate = erfa.tdbtcb(*tdb)
    return tcb


def _light_time(tdb: JulianDate, direction: tuple[float, float]) -> Floats:
    """Return seconds by which a wave front passes the barycentre after the geocentre."""
    source = erfa.s2c(*np.radians(direction))
    return _sampled(
        lambda at: np.asarray(erfa.epv00(*at)[1]["p"] @ source * AU_LIGHT_SECONDS, dtype=np.float64), tdb
    )


def microseconds(jd: JulianDate) -> NDArray[np.int64]:
    """Return whole microseconds since JD 0, the time axis of T-MOCs (MOC 2.0)."""
    half_days = np.floor(jd[0] * 2)
    rest = (jd[0] - half_days / 2) + jd[1]
    return half_days.astype(np.int64) * 43_200_000_000 + np.rint(rest * (DAY * 1e6)).astype(np.int64)


_DATE_FORMATS: tuple[Callable[[str], datetime], ...] = (
    datetime.fromisoformat,
    lambda value: datetime.strptime(value, "%a %b %d %H:%M:%S %Y"),
    lambda value: datetime.strptime(value, "%d/%m/%y"),
)


def utc_timestamp(value: str) -> str | None:
    """Return a creation date as ISO 8601 in UTC to the second; None if the text is no date.

    Reads ISO 8601, what C's asctime writes, and the dates of FITS before 1997.
    """
    for parse in _DATE_FORMATS:
        try:
            date = parse(" ".join(value.split()))
        except ValueError:
            continue
        if date.tzinfo is not None:
            date = date.astimezone(UTC).replace(tzinfo=None)
        return date.isoformat(timespec="seconds")
    return None


def first_date(header: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return the first of the keywords that holds a date, as `utc_timestamp` writes it."""
    values = (text(header, name) for name in names)
    return next((stamp for value in values if value and (stamp := utc_timestamp(value))), None)
