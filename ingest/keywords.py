"""The EVENTS header, with the observation's row of the obs-index behind it where it is silent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy import units
from astropy.coordinates import Angle

from ingest.facts import Problem, ProductError, Scalar, Value
from ingest.fitsfile import unit_factor
from ingest.fitsheader import Header, as_number, keyword
from ingest.frames import Frame, check_ra
from ingest.times import utc_timestamp

_MJD_EPOCH = datetime(1858, 11, 17)
_SCALES_APART = 120.0
"""Seconds that no two time scales of this century differ by."""


class Modes(NamedTuple):
    """Tracking and scan mode in the terms of the ObsCore high-energy extension."""

    tracking: str | None
    scan: str | None


_MODES = {
    "POINTING": Modes("sidereal", None),
    "WOBBLE": Modes("sidereal", None),
    "ON": Modes("sidereal", "on-source"),
    "OFF": Modes("sidereal", "on-off"),
    "ON-OFF": Modes("sidereal", "on-off"),
    "ONOFF": Modes("sidereal", "on-off"),
    "SCAN": Modes("sidereal", None),
    "RASTER": Modes("sidereal", "raster-map"),
    "SLEW": Modes("none", "slew"),
    "DRIFT": Modes("fixed-az-el-transit", None),
}
"""OBS_MODE of GADF and OGIP, and as instruments write it; others are published as they are, without modes."""

# fmt: off
_OBS_INDEX_KEYWORDS = (
    "OBS_ID", "OBS_MODE", "RA_PNT", "DEC_PNT", "ALT_PNT", "AZ_PNT", "TSTART", "TSTOP", "ZEN_PNT",
    "ONTIME", "LIVETIME", "DEADC", "DATE-OBS", "TIME-OBS", "DATE-END", "TIME-END", "N_TELS",
    "TELLIST", "QUALITY", "OBJECT", "GLON_PNT", "GLAT_PNT", "RA_OBJ", "DEC_OBJ", "TMID", "TMID_STR",
    "BKG_SCALE", "TRGRATE", "ZTRGRATE", "MUONEFF", "BROKPIX", "AIRTEMP", "PRESSURE", "NSBLEVEL",
    "RELHUM",
)
# fmt: on
"""The columns of the observation index table (GADF) that a header can fill."""


def modes(obs_mode: str | None) -> Modes:
    """Return what OBS_MODE says about tracking and scanning; nothing is assumed without it."""
    return _MODES.get((obs_mode or "").upper(), Modes(None, None))


@dataclass(frozen=True)
class Keywords:
    """Values by keyword: of the header, else of the index row. `where` names the HDU in messages."""

    path: Path
    where: str
    header: Header
    row: Mapping[str, Value]

    def value(self, name: str) -> Scalar:
        """Return the value; None where both are silent. Keywords may have `_` for `-` (DATE_OBS)."""
        for spelling in (name, name.replace("-", "_")):
            found = keyword(self.header, spelling)
            if found is not None:
                return found
        indexed = self.row.get(name.lower())
        return None if isinstance(indexed, tuple) else indexed

    def text(self, *names: str) -> str | None:
        """Return the first value there is as text."""
        values = (self.value(name) for name in names)
        return next((str(value) for value in values if value is not None), None)

    def number(self, name: str) -> float | None:
        """Return a finite number; None if there is none."""
        return as_number(self.value(name))

    def whole(self, name: str) -> int | None:
        """Return a number without its fraction."""
        found = self.number(name)
        return None if found is None else int(found)

    def position(self, ra_name: str, dec_name: str, frame: Frame) -> tuple[float, float] | None:
        """Return a position in ICRS deg; None if it is not given. Raises ProductError if it is impossible."""
        if self.value(ra_name) is None or self.value(dec_name) is None:
            return None
        ra, dec = (self._coordinate(name) for name in (ra_name, dec_name))
        check_ra(self.path, f"{self.where} {ra_name}", np.array([ra]))
        if abs(dec) > 90:
            message = f"{dec:g} deg is impossible; declinations lie within -90..90"
            raise ProductError(self.path, f"{self.where} {dec_name}", message)
        icrs = frame(np.array(ra), np.array(dec))
        return float(icrs[0]), float(icrs[1])

    def possible_position(self, ra_name: str, dec_name: str, frame: Frame) -> tuple[float, float] | None:
        """Return a position that matters less, as `position` does; None also if it is impossible."""
        try:
            return self.position(ra_name, dec_name, frame)
        except ProductError:
            return None

    def quantity(self, name: str, unit: str) -> float | None:
        """Return a number in `unit`, which is assumed if neither the text nor the comment has another.

        Reads `-67d40m35.3s` and `4780 m` in the value, `[km]` at the start of the comment.
        """
        value = self.value(name)
        if value is None:
            return None
        plain = self.number(name)
        if plain is not None or not isinstance(value, str):
            return None if plain is None else plain * self._comment_factor(name, unit)
        kind = Angle if unit == "deg" else units.Quantity
        try:
            return float(kind(value).to_value(unit))
        except (ValueError, TypeError, units.UnitsError):
            return None

    def _comment_factor(self, name: str, unit: str) -> float:
        comment = self.header.comments.get(name, "")
        match = re.match(r"\s*\[([^\]]+)\]", comment)
        try:
            return unit_factor(match[1], unit) if match else 1.0
        except ValueError:
            return 1.0

    def pointing_mode(self, tracking: str | None) -> str | None:
        """Return `parallel` for CONV_DEP = 0 of a pointed observation.

        GADF does not say what sign or unit another convergence depth has, so that stays open.
        """
        pointed = tracking != "fixed-az-el-transit"
        return "parallel" if pointed and self.number("CONV_DEP") == 0 else None

    def obs_index(self) -> dict[str, Value]:
        """Return the row of the observation index: the index's values, gaps filled from the header."""
        filled = {name.lower(): self.value(name) for name in _OBS_INDEX_KEYWORDS}
        stated = {name: value for name, value in self.row.items() if value is not None}
        return {**self.row, **{name: value for name, value in filled.items() if value is not None}, **stated}

    def date_problem(self, t_start: float) -> Problem | None:
        """Compare DATE-OBS (and TIME-OBS) with `t_start` (MJD UTC): they may differ by time scales only."""
        date, time = self.text("DATE-OBS", "DATE-BEG"), self.text("TIME-OBS")
        whole_day = date is not None and "T" not in date and time is None
        stamp = (
            utc_timestamp(date if time is None or "T" in (date or "") else f"{date}T{time}") if date else None
        )
        if stamp is None:
            return None
        stated = (datetime.fromisoformat(stamp) - _MJD_EPOCH).total_seconds() / 86400
        apart = abs(t_start - stated)
        if apart * 86400 <= _SCALES_APART or (whole_day and apart < 1.5):
            return None
        started = (_MJD_EPOCH + timedelta(days=t_start)).isoformat(timespec="seconds")
        message = f"says {stamp}, but TSTART and its reference say {started} UTC, which is what is published"
        return Problem(self.path, f"{self.where} DATE-OBS", message, fatal=False)

    def _coordinate(self, name: str) -> float:
        found = self.number(name)
        if found is None:
            message = f"{self.value(name)!r} is not a finite number; give degrees"
            raise ProductError(self.path, f"{self.where} {name}", message)
        return found
