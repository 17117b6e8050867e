"""Values of SSA parameters: lists and ranges (SSA 1.1, section 8.7.2), moments of time, bands by name.

Raised is UsageError, with the name of the parameter and what would be right.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from math import inf, isinf
from typing import Final

from vo_server.dalivalues import read_number, shown
from vo_server.errors import UsageError
from vo_server.eventlists.interval import Interval

MOST_VALUES: Final = 100
"""Values of one list."""

BANDS: Final = {
    "radio": Interval(1e-2, inf),
    "millimeter": Interval(1e-4, 1e-2),
    "infrared": Interval(1e-6, 1e-4),
    "optical": Interval(3e-7, 1e-6),
    "uv": Interval(1e-7, 3e-7),
    "euv": Interval(1e-8, 1e-7),
    "x-ray": Interval(1e-11, 1e-8),
    "gamma-ray": Interval(0.0, 1e-11),
}
"""Bands of the spectrum by name, in metres (VODataService 1.1, section 3.4, `waveband`)."""

_EVERYTHING: Final = Interval(-inf, inf)
_MJD_EPOCH: Final = datetime(1858, 11, 17)
_MOMENT: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d(?:\.\d{1,6})?))?)?)?)?Z?")


def values(text: str, name: str) -> list[str]:
    """The members of a list, which commas part, without their qualifier."""
    words = [word.partition(";")[0].strip() for word in text.split(",")]
    if len(words) > MOST_VALUES:
        raise UsageError(f"{name} may have {MOST_VALUES} values; it has {len(words)}")
    if not all(words):
        raise UsageError(f"{name} = {shown(text)} has an empty value")
    return words


def intervals(text: str, name: str, limits: Callable[[str, str], Interval]) -> list[Interval]:
    """The ranges of a list: `low/high`, open with one of them missing, or one value, read by `limits`."""
    found = []
    for word in values(text, name):
        low, slash, high = (part.strip() for part in word.partition("/"))
        if not (low or high) or "/" in high:
            raise UsageError(f"{name}: {shown(word)} is no range; write low/high, low/ or /high")
        first = limits(low, name) if low else _EVERYTHING
        last = limits(high or low, name) if high or not slash else _EVERYTHING
        if low and high and first.low > last.low:
            raise UsageError(f"{name}: {shown(word)} is no range, the lower limit comes first")
        found.append(Interval(first.low, last.high))
    return found


def wavelength(text: str, name: str) -> Interval:
    """A wavelength in metres, or a band by its name."""
    band = BANDS.get(text.lower())
    if band is not None:
        return band
    if text[:1].isalpha() and "inf" not in text.lower():
        raise UsageError(f"{name}: {shown(text)} is no wavelength in metres; bands are {', '.join(BANDS)}")
    value = read_number(text, name)
    if isinf(value) or value < 0:
        raise UsageError(f"{name}: {shown(text)} is no wavelength in metres, from 0")
    return Interval(value, value)


def moment(text: str, name: str) -> Interval:
    """A year, month, day or time (ISO 8601, UTC) as MJD, from its beginning to its end."""
    match = _MOMENT.fullmatch(text)
    wanted = f"{name}: {shown(text)} is no time; write ISO 8601 in UTC, such as 2004-12-01T12:00:00"
    if match is None:
        raise UsageError(wanted)
    year, month, day, hour, minute, second = match.groups()
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0))
        start += timedelta(seconds=float(second or 0))
        if month is None:
            stop = start.replace(year=start.year + 1)
        elif day is None:
            stop = (start + timedelta(days=32)).replace(day=1)
        else:
            length = timedelta(days=1) if hour is None else timedelta(minutes=1)
            stop = start if second is not None else start + length
    except (ValueError, OverflowError) as error:
        raise UsageError(wanted) from error
    return Interval(_mjd(start), _mjd(stop))


def _mjd(at: datetime) -> float:
    return (at - _MJD_EPOCH) / timedelta(days=1)
