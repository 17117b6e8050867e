"""How the simulated release is laid out in FITS: columns, cards, and tables as compressed files.

Columns and cards follow GADF 0.3; every HDU says that it is simulated.
"""

import gzip
import io
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ingest import simulate_irf
from ingest.simulate_irf import Floats, ResponseFunctions

Card: TypeAlias = tuple[str, str | int | float | bool, str]

_HDUDOC: Final = "https://github.com/open-gamma-ray-astro/gamma-astro-data-formats"
_HDUVERS: Final = "0.3"
_CREATED: Final = "2021-01-01T00:00:00"
"""Always the same, so that a seed gives the same bytes at any time."""
FOV_ALIGNMENT: Final[Card] = ("FOVALIGN", "RADEC", "DETX and DETY are aligned with RA and Dec")
_WARNING: Final = "SIMULATED DATA, NOT OBSERVATIONS: written by vo-server demo-data."


_DTYPES: Final = {"K": ">i8", "I": ">i2", "D": ">f8", "E": ">f4"}
"""FITS formats of numbers as numpy spells them; texts are spelt `S` and their length."""


class ColumnText(NamedTuple):
    """A column of a binary table: TTYPEn and its comment, type of an element, TUNITn."""

    name: str
    format: str
    unit: str | None
    comment: str


EVENT_COLUMNS: Final = (
    ColumnText("EVENT_ID", "K", None, "OBS_ID * 2**32 + number in the observation"),
    ColumnText("TIME", "D", "s", "time since MJDREF"),
    ColumnText("RA", "E", "deg", "reconstructed right ascension"),
    ColumnText("DEC", "E", "deg", "reconstructed declination"),
    ColumnText("ENERGY", "E", "TeV", "reconstructed energy"),
    ColumnText("DETX", "E", "deg", "FOV_RADEC_LON, grows with decreasing RA"),
    ColumnText("DETY", "E", "deg", "FOV_RADEC_LAT, grows with Dec"),
    ColumnText("MULTIP", "I", None, "telescopes that saw the event"),
)

GTI_COLUMNS: Final = (
    ColumnText("START", "D", "s", "start of good time, since MJDREF"),
    ColumnText("STOP", "D", "s", "end of good time, since MJDREF"),
)

HDU_INDEX_COLUMNS: Final = (
    ColumnText("OBS_ID", "K", None, "observation identifier"),
    ColumnText("HDU_TYPE", "S6", None, "HDU type"),
    ColumnText("HDU_CLASS", "S9", None, "HDU class"),
    ColumnText("FILE_DIR", "S4", None, "directory relative to this file"),
    ColumnText("FILE_NAME", "S32", None, "name of the file"),
    ColumnText("HDU_NAME", "S14", None, "name of the HDU in the file"),
    ColumnText("SIZE", "K", "byte", "size of the file"),
    ColumnText("MD5", "S32", None, "MD5 checksum of the file"),
)

OBS_INDEX_COLUMNS: Final = (
    ColumnText("OBS_ID", "K", None, "observation identifier"),
    ColumnText("OBS_MODE", "S8", None, "observation mode"),
    ColumnText("OBJECT", "S30", None, "simulated target"),
    ColumnText("RA_OBJ", "D", "deg", "right ascension of OBJECT"),
    ColumnText("DEC_OBJ", "D", "deg", "declination of OBJECT"),
    ColumnText("RA_PNT", "D", "deg", "pointing right ascension"),
    ColumnText("DEC_PNT", "D", "deg", "pointing declination"),
    ColumnText("GLON_PNT", "D", "deg", "pointing Galactic longitude"),
    ColumnText("GLAT_PNT", "D", "deg", "pointing Galactic latitude"),
    ColumnText("ZEN_PNT", "E", "deg", "pointing zenith angle at mid-time"),
    ColumnText("ALT_PNT", "E", "deg", "pointing altitude at mid-time"),
    ColumnText("AZ_PNT", "E", "deg", "pointing azimuth at mid-time"),
    ColumnText("TSTART", "D", "s", "start since MJDREF"),
    ColumnText("TSTOP", "D", "s", "end since MJDREF"),
    ColumnText("DATE-OBS", "S10", None, "start date in TIMESYS"),
    ColumnText("TIME-OBS", "S12", None, "start time in TIMESYS"),
    ColumnText("DATE-END", "S10", None, "end date in TIMESYS"),
    ColumnText("TIME-END", "S12", None, "end time in TIMESYS"),
    ColumnText("ONTIME", "D", "s", "sum of good time intervals"),
    ColumnText("LIVETIME", "D", "s", "good time without dead time"),
    ColumnText("DEADC", "D", None, "LIVETIME / ONTIME"),
    ColumnText("N_TELS", "K", None, "number of telescopes"),
    ColumnText("TELLIST", "S7", None, "telescope identifiers"),
    ColumnText("QUALITY", "K", None, "0 is best, 1 has clouds cut out"),
    ColumnText("EVENT_COUNT", "K", None, "number of events"),
)


class _Axis(NamedTuple):
    """The axis NAME_LO, NAME_HI of a multidimensional column."""

    name: str
    unit: str | None
    edges: Floats


_ENERGY: Final = _Axis("ENERG", "TeV", simulate_irf.ENERGY_EDGES)
_THETA: Final = _Axis("THETA", "deg", simulate_irf.OFFSET_EDGES)


class Response(NamedTuple):
    """How one field of ResponseFunctions is written: axes in the order of the array's."""

    field: str
    hdu_name: str
    hduclas2: str
    hdu_class: str
    column: str
    unit: str | None
    axes: tuple[_Axis, ...]


RESPONSES: Final = (
    Response("aeff", "EFFECTIVE AREA", "EFF_AREA", "aeff_2d", "EFFAREA", "m2", (_ENERGY, _THETA)),
    Response(
        "edisp", "EDISP", "EDISP", "edisp_2d", "MATRIX", None,
        (_ENERGY, _Axis("MIGRA", None, simulate_irf.MIGRA_EDGES), _THETA),
    ),
    Response(
        "psf", "PSF", "RPSF", "psf_table", "RPSF", "sr-1",
        (_ENERGY, _THETA, _Axis("RAD", "deg", simulate_irf.RAD_EDGES)),
    ),
    Response(
        "bkg", "BKG", "BKG", "bkg_3d", "BKG", "s-1 MeV-1 sr-1",
        (_ENERGY, _Axis("DETX", "deg", simulate_irf.DET_EDGES), _Axis("DETY", "deg", simulate_irf.DET_EDGES)),
    ),
)  # fmt: skip


def class_cards(*classes: str) -> list[Card]:
    """HDUCLASS to HDUCLAS4 (GADF 0.3, hduclass)."""
    return [
        ("HDUCLASS", "GADF", "gamma-astro-data-formats"),
        ("HDUDOC", _HDUDOC, ""),
        ("HDUVERS", _HDUVERS, "version of the format"),
        *((f"HDUCLAS{level}", name, "") for level, name in enumerate(classes, 1)),
    ]


def _origin_cards() -> list[Card]:
    return [
        ("HIERARCH SIMULATED", True, "simulated, not observed"),
        ("ORIGIN", "vo-server demo-data (simulated)", ""),
        ("TELESCOP", "SIMULATED", ""),
        ("INSTRUME", "Simulated Cherenkov array", ""),
        ("CREATOR", f"vo-server {version('vo-server')} demo-data", ""),
        ("CREATED", _CREATED, "UTC; always the same, see README.txt"),
    ]


def response_hdu(response: Response, irf: ResponseFunctions, obs_id: int) -> fits.BinTableHDU:
    """One row of multidimensional columns, the first axis varying fastest (GADF 0.3, fits-arrays)."""
    texts: list[ColumnText] = []
    data: dict[str, NDArray[Any]] = {}
    for axis in response.axes:
        for end, edges in (("LO", axis.edges[:-1]), ("HI", axis.edges[1:])):
            texts.append(ColumnText(f"{axis.name}_{end}", "E", axis.unit, "bin edges"))
            data[f"{axis.name}_{end}"] = edges[None]
    table = getattr(irf, response.field)
    texts.append(ColumnText(response.column, "E", response.unit, "values at bin centres"))
    data[response.column] = table.T[None]
    bounds = ",".join(f"{axis.name}_LO:{axis.name}_HI" for axis in response.axes)
    cards: list[Card] = [
        *class_cards("RESPONSE", response.hduclas2, "FULL-ENCLOSURE", response.hdu_class.upper()),
        ("OBS_ID", obs_id, "observation identifier"),
        ("LO_THRES", irf.lo_thres, "[TeV] low energy threshold"),
        ("HI_THRES", irf.hi_thres, "[TeV] high energy threshold"),
        (f"CREF{len(texts)}", f"({bounds})", "axes"),
    ]
    if response.field == "bkg":
        cards.append(FOV_ALIGNMENT)
    return binary_table(response.hdu_name, texts, data, cards)


def binary_table(
    name: str, texts: Sequence[ColumnText], data: Mapping[str, NDArray[Any]], cards: Sequence[Card]
) -> fits.BinTableHDU:
    """A binary table with commented columns, `cards` and the cards that say what it is."""
    # Big-endian and FITS_rec from the start: astropy turns native bytes round element by element.
    layout = [(text.name, _DTYPES.get(text.format, text.format), data[text.name].shape[1:]) for text in texts]
    rows = np.empty(len(data[texts[0].name]), dtype=layout)
    for text in texts:
        rows[text.name] = data[text.name]
    table = rows.view(fits.FITS_rec)
    for text in texts:
        if text.unit is not None:
            table.columns[text.name].unit = text.unit
    hdu = fits.BinTableHDU(table, name=name)
    for number, text in enumerate(texts, 1):
        hdu.header.comments[f"TTYPE{number}"] = text.comment
    _declare(hdu.header, cards)
    return hdu


def _declare(header: fits.Header, cards: Sequence[Card]) -> None:
    header.extend([*cards, *_origin_cards()], end=True)
    header["COMMENT"] = _WARNING


def write_fits(path: Path, hdus: Sequence[fits.BinTableHDU]) -> bytes:
    """Write tables as gzip-compressed FITS with checksums, and return the file's bytes.

    Neither the gzip header nor the comments of the checksums hold the time of writing.
    """
    primary = fits.PrimaryHDU()
    _declare(primary.header, [])
    for hdu in (primary, *hdus):
        hdu.add_checksum(when=_CREATED)
    plain = io.BytesIO()
    fits.HDUList([primary, *hdus]).writeto(plain)
    content = gzip.compress(plain.getvalue(), mtime=0)
    path.write_bytes(content)
    return content
