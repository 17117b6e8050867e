"""Telling HDUs of DL3 files by their header keywords (GADF "HDU classes")."""

from collections.abc import Mapping
from typing import Any

from ingest.facts import HduLocation
from ingest.fitsfile import FitsFile
from ingest.fitsheader import text

_NAMES = {
    "EVENTS": "events",
    "GTI": "gti",
    "AEFF": "aeff",
    "EFFECTIVE AREA": "aeff",
    "EDISP": "edisp",
    "ENERGY DISPERSION": "edisp",
    "PSF": "psf",
    "RPSF": "psf",
    "POINT SPREAD FUNCTION": "psf",
    "BKG": "bkg",
    "BACKGROUND": "bkg",
    "RAD_MAX": "rad_max",
}
_CLASSES = {
    "EVENTS": "events",
    "GTI": "gti",
    "EFF_AREA": "aeff",
    "EDISP": "edisp",
    "RPSF": "psf",
    "PSF": "psf",
    "BKG": "bkg",
    "RAD_MAX": "rad_max",
}


def hdu_type(header: Mapping[str, Any]) -> str | None:
    """Tell the hdu-index's name for this HDU (`events`, `aeff`, ...) by HDUCLAS1/2, else by EXTNAME."""
    first = (text(header, "HDUCLAS1") or "").upper()
    declared = (text(header, "HDUCLAS2") or "").upper() if first == "RESPONSE" else first
    return _CLASSES.get(declared) or _NAMES.get((text(header, "EXTNAME") or "").upper())


def locate(file: FitsFile) -> dict[str, HduLocation]:
    """Find the HDUs of a file by type; the first of each type counts."""
    found: dict[str, HduLocation] = {}
    for hdu in file.hdus:
        kind = hdu_type(hdu.header)
        if kind is not None:
            declared = text(hdu.header, "HDUCLAS4") or text(hdu.header, "HDUCLAS1")
            name = text(hdu.header, "EXTNAME")
            location = HduLocation(file.path, name or hdu.number, declared.lower() if declared else None)
            found.setdefault(kind, location)
    return found
