"""Moments in cells of time (MOC 2.0, section 2.2): microseconds of TCB since JD 0."""

from typing import Final

import erfa
import numpy as np
from numpy.typing import NDArray

from moc.model import Integers

UNCORRECTED_ORDER: Final = 31
"""Order of T-MOCs where the light time to the barycentre is not known: 17.9 min, twice what it can be."""

_MJD_ZERO: Final = 207_360_043_200_000_000
"""Microseconds from JD 0 to MJD 0."""

_TT_OF_TAI: Final = 32.184
_TDB_ZERO: Final = 6.55e-5
_TCB_RATE: Final = 1.550519768e-8
_TCB_ORIGIN: Final = 43144.0003725
"""TCB - TDB: IAU 2006 resolution B3 (the origin as MJD). TDB differs from TT by less than 2 ms."""


def microseconds(mjd: NDArray[np.float64]) -> Integers:
    """MJD in UTC as microseconds of TCB since JD 0, without the way of the light to the barycentre."""
    table = erfa.leap_seconds.get()
    _, begins = erfa.cal2jd(table["year"], table["month"], 1)
    steps = np.searchsorted(begins, mjd, side="right") - 1
    tt = _TT_OF_TAI + table["tai_utc"][steps.clip(0)]
    drift = _TCB_RATE * 86400 * (mjd + tt / 86400 - _TCB_ORIGIN)
    day = np.floor(mjd)
    rest = np.rint((mjd - day) * 8.64e10).astype(np.int64)
    ahead = np.rint((tt + _TDB_ZERO + drift) * 1e6).astype(np.int64)
    found: Integers = _MJD_ZERO + day.astype(np.int64) * 86_400_000_000 + rest + ahead
    return found
