"""The two index tables of GADF ("Data storage"), recognised by their columns: headers are often wrong."""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.facts import HduLocation, IndexColumn, Scalar, Value
from ingest.fitsfile import FitsColumn, Hdu, open_fits
from ingest.fitsheader import text
from schema.products import HDU_TYPES

INDEX_NAME = re.compile(r"(hdu|obs)[-_ ]?index", re.IGNORECASE)
OBS_INDEX_NAME = re.compile(r"obs[-_ ]?index", re.IGNORECASE)
_HDU_INDEX_COLUMNS = ("OBS_ID", "HDU_TYPE", "FILE_NAME", "HDU_NAME")


@dataclass(frozen=True, slots=True)
class HduEntry:
    """A row of an hdu-index; the partition is None where the table has no such columns."""

    obs_id: str
    event_type: str | None
    event_class: str | None
    hdu_type: str
    location: HduLocation


@dataclass(frozen=True, slots=True)
class ObsIndex:
    """An obs-index table: its columns and its rows by OBS_ID (lower-case names, None for NaN and blank)."""

    path: Path
    columns: tuple[IndexColumn, ...]
    rows: dict[str, dict[str, Value]]


@dataclass(frozen=True, slots=True)
class IndexFile:
    """What one file holds: rows of all its hdu-index tables, and its obs-index tables."""

    path: Path
    tables: int
    entries: tuple[HduEntry, ...]
    obs_indexes: tuple[ObsIndex, ...]


def read_index(path: Path) -> IndexFile:
    """Read all index tables of a file. Raises ProductError if the file is damaged."""
    tables = [hdu for hdu in open_fits(path).hdus if hdu.is_table and hdu.column("OBS_ID")]
    hdu_indexes = [hdu for hdu in tables if all(hdu.column(name) for name in _HDU_INDEX_COLUMNS)]
    others = [hdu for hdu in tables if hdu not in hdu_indexes]
    entries = tuple(entry for hdu in hdu_indexes for entry in _entries(hdu))
    return IndexFile(path, len(tables), entries, tuple(_obs_index(hdu) for hdu in others))


def _entries(hdu: Hdu) -> Iterator[HduEntry]:
    base = Path(os.path.normpath(hdu.path.parent / (text(hdu.header, "BASE_DIR") or "")))
    names = (*_HDU_INDEX_COLUMNS, "HDU_CLASS", "FILE_DIR", "EVENT_TYPE", "EVENT_CLASS")
    columns = [_texts(hdu, name) for name in names]
    for obs_id, hdu_type, file_name, hdu_name, hdu_class, file_dir, kind, group in zip(*columns, strict=True):
        if obs_id is None or hdu_type is None or file_name is None:
            continue
        path = Path(os.path.normpath(base / (file_dir or "") / file_name))
        if hdu_type.lower() in HDU_TYPES.values():
            name = hdu_name or hdu_type
            location = HduLocation(path, name, hdu_class.lower() if hdu_class else None)
            yield HduEntry(obs_id, kind, group, hdu_type.lower(), location)


def _texts(hdu: Hdu, name: str) -> list[str | None]:
    column = hdu.column(name)
    if column is None:
        return [None] * hdu.rows
    return [None if value is None else str(value).strip() or None for value in _values(hdu, column)]


def _obs_index(hdu: Hdu) -> ObsIndex:
    columns = [column for column in hdu.columns if not column.is_variable]
    described = tuple(IndexColumn(c.name.lower(), c.format, c.unit) for c in columns)
    values = [_values(hdu, column) for column in columns]
    names = [column.name for column in described]
    rows = (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))
    return ObsIndex(hdu.path, described, {str(row["obs_id"]): row for row in rows})


def _values(hdu: Hdu, column: FitsColumn) -> list[Value]:
    return [_value(value, column.counts) for value in hdu.values(column).tolist()]


def _value(value: Any, counts: bool) -> Value:
    if isinstance(value, list):
        return tuple(_scalar(item, counts) for item in value)
    return _scalar(value, counts)


def _scalar(value: Any, counts: bool) -> Scalar:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, float) and counts:
        return int(value)
    return value if isinstance(value, bool | int | float) else str(value).strip() or None
