"""Equatorial positions of a file to ICRS."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import erfa
import numpy as np
from numpy.typing import NDArray

from ingest.facts import ProductError
from ingest.fitsheader import number, text

Floats: TypeAlias = NDArray[np.float64]
_ROUNDING = 1e-4
"""deg, more than single precision errs at 360"""

Frame: TypeAlias = Callable[[Floats, Floats], tuple[Floats, Floats]]


def _icrs(ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    return _normalised(ra), dec


def _fk5(ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Rotate FK5 J2000 to ICRS (erfa.fk5hip; the spin of the frames is left out: sources do not move)."""
    rotation, _ = erfa.fk5hip()
    vectors = erfa.s2c(np.radians(ra), np.radians(dec)) @ rotation.T
    longitude, latitude = erfa.c2s(vectors)
    return _normalised(np.degrees(longitude)), np.degrees(latitude)


def _normalised(ra: Floats) -> Floats:
    wrapped = np.mod(ra, 360.0)
    return np.where(wrapped >= 360.0, 0.0, wrapped)


_FRAMES: dict[str, Frame] = {"ICRS": _icrs, "FK5": _fk5}


def check_ra(path: Path, where: str, ra: Floats, beyond: float = _ROUNDING) -> None:
    """Raise ProductError for a right ascension (deg) outside -180..360, naming the row of many.

    Some instruments count from -180 to 180, and some let the right ascensions of events run on `beyond`
    these, by a whole turn at most.
    """
    outside = np.flatnonzero(~((ra >= -180 - beyond) & (ra <= 360 + beyond)))
    if outside.size:
        row = int(outside[0])
        at = f" in row {row + 1}" if ra.size > 1 else ""
        message = f"{ra[row]:g} deg{at} is impossible; right ascensions lie within 0..360"
        raise ProductError(path, where, message)


def frame(path: Path, where: str, header: Mapping[str, Any]) -> Frame:
    """Return the function from (ra, dec) in the header's frame to ICRS, all in deg, ra in [0, 360).

    RADECSYS, else RADESYS; ICRS if neither is given (GADF "RA / DEC"). Raises ProductError for other
    frames and for equinoxes other than 2000.
    """
    name = (text(header, "RADECSYS", "RADESYS") or "ICRS").upper()
    if name not in _FRAMES:
        raise ProductError(path, f"{where} RADECSYS", f"unknown frame {name!r}; GADF has ICRS and FK5")
    equinox = number(header, "EQUINOX")
    if name == "FK5" and equinox not in {None, 2000.0}:
        raise ProductError(path, f"{where} EQUINOX", f"{equinox} is not supported; positions must be J2000")
    return _FRAMES[name]
