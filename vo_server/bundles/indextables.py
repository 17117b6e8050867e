"""The two index tables of a bundle (GADF 0.3, "Data storage") as gzipped FITS files."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from astropy.io import fits
from astropy.time import Time
from numpy.typing import NDArray

from schema.products import HDU_TYPES
from schema.types import BIGINT, VARCHAR, Type
from vo_server.bundles.store import Observation, obs_index
from vo_server.products.fitsfile import padding
from vo_server.products.hdus import PRIMARY
from vo_server.results.cells import ascii_text

_FORMS: Final = {
    "short": ("I", ">i2"),
    "int": ("J", ">i4"),
    "long": ("K", ">i8"),
    "float": ("E", ">f4"),
    "double": ("D", ">f8"),
}

_REALS: Final = {"float", "double"}

_SECONDS: Final = ("tstart", "tstop", "tmid", "event_time_min", "event_time_max")
"""Columns in seconds since the reference of their row."""

_REFERENCE: Final = ("mjdrefi", "mjdreff", "timesys")
"""Where the reference of a row is: in a bundle all have that of the header."""

_DASHED: Final = {
    "date_obs": "DATE-OBS",
    "time_obs": "TIME-OBS",
    "date_end": "DATE-END",
    "time_end": "TIME-END",
}

_DOCUMENT: Final = "https://gamma-astro-data-formats.readthedocs.io/en/v0.3/"


def numbers(observations: Sequence[Observation]) -> dict[str, int]:
    """The OBS_ID of each observation by its did.

    GADF wants whole numbers that differ: an identifier that is none, or that another observation of the
    bundle has, is replaced by the next number above all others.
    """
    found: dict[str, int] = {}
    taken: set[int] = set()
    for o in observations:
        if o.obs_id.isascii() and o.obs_id.isdecimal() and len(o.obs_id) <= 18 and int(o.obs_id) not in taken:
            found[o.did] = int(o.obs_id)
            taken.add(int(o.obs_id))
    following = max(taken, default=0) + 1
    for o in observations:
        if o.did not in found:
            found[o.did] = following
            following += 1
    return found


def hdu_index(observations: Sequence[Observation], ids: Mapping[str, int], names: Mapping[str, str]) -> bytes:
    """Where each HDU lies: `names` are the places in the bundle by path on disk, `ids` as from `numbers`."""
    listed = [(ids[o.did], p) for o in observations for p in o.products if p.product in HDU_TYPES]
    columns: dict[str, tuple[Type, list[Any]]] = {
        "OBS_ID": (BIGINT, [obs_id for obs_id, _ in listed]),
        "HDU_TYPE": (VARCHAR, [HDU_TYPES[p.product] for _, p in listed]),
        "HDU_CLASS": (VARCHAR, [p.hdu_class or HDU_TYPES[p.product] for _, p in listed]),
        "FILE_DIR": (VARCHAR, [names[p.record.path].rpartition("/")[0] for _, p in listed]),
        "FILE_NAME": (VARCHAR, [names[p.record.path].rpartition("/")[2] for _, p in listed]),
        "HDU_NAME": (VARCHAR, [p.hdu for _, p in listed]),
        "SIZE": (BIGINT, [p.record.size for _, p in listed]),
    }
    made = [_column(name, kind, None, values) for name, (kind, values) in columns.items()]
    return _file("HDU_INDEX", "HDU", made, {})


def obs_index_table(observations: Sequence[Observation], ids: Mapping[str, int]) -> bytes:
    """What is known of each observation: all columns of the collections' obs_index that have a value.

    Times are in seconds since the reference in the header, that of the first observation. Spectra and light
    curves are no observations.
    """
    observations = [o for o in observations if any(p.product in HDU_TYPES for p in o.products)]
    rows = [dict(o.index) for o in observations]
    reference = _common_reference(rows)
    kinds: dict[str, tuple[Type, str | None]] = {}
    for collection in {o.collection.name: o.collection for o in observations}.values():
        for column in obs_index(collection).stored:
            kinds.setdefault(column.name, (column.type, column.unit))
    made = [_column("OBS_ID", BIGINT, None, [ids[o.did] for o in observations])]
    for name, (kind, unit) in kinds.items():
        values = [row.get(name) for row in rows]
        if name not in {"obs_id", *_REFERENCE} and any(value is not None for value in values):
            made.append(_column(_DASHED.get(name, name.upper()), kind, unit, values))
    made.append(_column("OBS_COLLECTION", VARCHAR, None, [o.collection.name for o in observations]))
    if any(str(ids[o.did]) != o.obs_id for o in observations):
        made.append(_column("ARCHIVE_OBS_ID", VARCHAR, None, [o.obs_id for o in observations]))
    return _file("OBS_INDEX", "OBS", made, reference)


def _common_reference(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Turn the times of all rows to the reference of the first that has one; the keywords that tell it."""
    references = [tuple(row.get(name) for name in _REFERENCE) for row in rows]
    complete = [reference for reference in references if None not in reference]
    if not complete:
        return {}
    common = complete[0]
    for row, reference in zip(rows, references, strict=True):
        if reference != common and None not in reference:
            for name in _SECONDS:
                if row.get(name) is not None:
                    row[name] = _turned(row[name], reference, common)
    return dict(zip(("MJDREFI", "MJDREFF", "TIMESYS"), common, strict=True))


def _turned(seconds: float, old: tuple[Any, ...], new: tuple[Any, ...]) -> float:
    """Seconds since one reference (MJDREFI, MJDREFF, TIMESYS) as seconds since another."""
    moment = Time(old[0], old[1] + seconds / 86400, format="mjd", scale=old[2].lower())
    start = Time(new[0], new[1], format="mjd", scale=new[2].lower())
    in_scale = getattr(moment, start.scale)
    return float(((in_scale.jd1 - start.jd1) + (in_scale.jd2 - start.jd2)) * 86400)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column as a FITS table holds it: one value or row of `values` for each row; `null` is TNULL."""

    name: str
    form: str
    unit: str | None
    values: NDArray[Any]
    null: int | None = None

    def cards(self, number: int) -> Iterator[tuple[str, str | int]]:
        """Its keywords (FITS 4.0, section 7.3.2)."""
        yield f"TTYPE{number}", self.name
        yield f"TFORM{number}", self.form
        if self.unit is not None:
            yield f"TUNIT{number}", self.unit
        if self.null is not None:
            yield f"TNULL{number}", self.null


def _column(name: str, kind: Type, unit: str | None, values: Sequence[Any]) -> _Column:
    """A column of a FITS table; NULL is NaN, TNULL or blank. Arrays of differing lengths become text."""
    lengths = {len(value) for value in values if value is not None} if kind.is_array else set()
    if len(lengths) == 1 and kind.datatype in _REALS:
        (length,) = lengths
        form, dtype = _FORMS[kind.datatype]
        filled = [[np.nan] * length if value is None else value for value in values]
        return _Column(name, f"{length}{form}", unit, np.array(filled, dtype))
    if kind.is_array or kind.datatype not in _FORMS:
        texts = [_text(value) for value in values]
        width = max(map(len, texts), default=0) or 1
        return _Column(name, f"{width}A", None, np.array(texts, f"S{width}"))
    form, dtype = _FORMS[kind.datatype]
    if kind.datatype in _REALS:
        return _Column(name, form, unit, np.array(values, np.float64).astype(dtype))
    missing = int(np.iinfo(dtype).min)
    wholes = np.array([missing if value is None else value for value in values], dtype)
    return _Column(name, form, unit, wholes, missing if None in values else None)


def _text(value: Any) -> bytes:
    """A value in ASCII, arrays as JSON."""
    if value is None:
        return b""
    text = value.isoformat() if isinstance(value, datetime) else value
    return ascii_text(text if isinstance(text, str) else json.dumps(text)).encode("ascii", "replace")


def _file(name: str, kind: str, columns: Sequence[_Column], keywords: Mapping[str, Any]) -> bytes:
    """An empty primary HDU and the table, gzipped without a date."""
    rows = len(columns[0].values)
    table = np.empty(rows, [(c.name, c.values.dtype, c.values.shape[1:]) for c in columns])
    for column in columns:
        table[column.name] = column.values
    header = fits.Header(
        [
            *(("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2)),
            *(("NAXIS1", table.dtype.itemsize), ("NAXIS2", rows), ("PCOUNT", 0), ("GCOUNT", 1)),
            ("TFIELDS", len(columns)),
            *(card for number, column in enumerate(columns, 1) for card in column.cards(number)),
            *(("EXTNAME", name), ("HDUCLASS", "GADF"), ("HDUDOC", _DOCUMENT), ("HDUVERS", "0.3")),
            *(("HDUCLAS1", "INDEX"), ("HDUCLAS2", kind)),
            *keywords.items(),
        ]
    )
    data = table.tobytes()
    written = PRIMARY + header.tostring().encode("ascii") + data + padding(len(data))
    return gzip.compress(written, compresslevel=3, mtime=0)
