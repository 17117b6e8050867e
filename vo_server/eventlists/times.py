"""Intervals of time as a file counts them: seconds since its reference, in its own scale.

Elapsed seconds are SI seconds in every scale, in UTC too (FITS 4.0, section 9.3); times at the Earth are
not referred to the barycentre, whatever TIMEREF says.
"""

import re
from dataclasses import dataclass
from typing import Final

import erfa
import numpy as np
from astropy import units
from astropy.io import fits
from astropy.time import Time

from vo_server.eventlists.interval import Interval
from vo_server.products.fitsfile import FitsError

_MJD: Final = 2400000.5
_LAST_DAY: Final = 100_000
"""MJD 0 to this are the years 1858 to 2132, outside of which no observation is published."""

_SCALES: Final = {
    **dict.fromkeys(("TT", "TDT", "ET"), ("tt", 0.0)),
    **dict.fromkeys(("TAI", "IAT"), ("tai", 0.0)),
    # GPS is behind TAI by the leap seconds of 1980.
    "GPS": ("tai", 19.0),
    "TCG": ("tcg", 0.0),
    "TDB": ("tdb", 0.0),
    "TCB": ("tcb", 0.0),
    **dict.fromkeys(("UTC", "GMT", "UT"), ("utc", 0.0)),
}
"""TIMESYS -> scale of astropy, and seconds from the reference in that scale to the file's own."""


@dataclass(frozen=True)
class Clock:
    """How a header counts time. `unit` is that of TSTART and the like."""

    reference: Time
    unit: units.UnitBase

    @classmethod
    def of(cls, header: fits.Header) -> "Clock":
        """From MJDREFI and MJDREFF (or MJDREF), TIMESYS and TIMEUNIT. Raises FitsError."""
        try:
            whole = float(header.get("MJDREFI", header.get("MJDREF")))
            fraction = float(header.get("MJDREFF", 0.0)) if "MJDREFI" in header else 0.0
        except (TypeError, ValueError) as error:
            raise FitsError("no time reference (MJDREFI and MJDREFF)") from error
        name = re.sub(r"\(.*\)$", "", str(header.get("TIMESYS", "")).upper()).strip()
        if name not in _SCALES:
            raise FitsError(f"unknown time system {name!r}")
        scale, seconds = _SCALES[name]
        if scale == "utc":
            reference = _utc(whole, fraction)
        else:
            reference = Time(_MJD + whole, fraction + seconds / 86400.0, format="jd", scale=scale)
        return cls(reference, units.Unit(str(header.get("TIMEUNIT", "s")).strip().lower() or "s"))

    def elapsed(self, interval: Interval, unit: units.UnitBase) -> Interval:
        """An interval of MJD (UTC) as time since the reference, in `unit`."""
        return Interval(*(self._elapsed(end, unit) for end in interval))

    def _elapsed(self, mjd: float, unit: units.UnitBase) -> float:
        if not 0 <= mjd <= _LAST_DAY:
            return float(np.copysign(np.inf, mjd))
        day = np.floor(mjd)
        when = getattr(_utc(day, mjd - day), self.reference.scale)
        return float((when - self.reference).to_value(unit))


def is_counted(header: fits.Header) -> bool:
    """True if a header tells how it counts time, so that Clock can read it."""
    return "TIMESYS" in header and ("MJDREFI" in header or "MJDREF" in header)


def _utc(whole: float, fraction: float) -> Time:
    """MJD (UTC) in TAI. Done by erfa's bare function: astropy warns of leap seconds yet unknown."""
    first, second, _ = erfa.ufunc.utctai(_MJD + whole, fraction)
    return Time(first, second, format="jd", scale="tai")
