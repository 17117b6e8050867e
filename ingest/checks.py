"""Rows against the published tables: types, missing values, ranges. All problems at once."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from ingest.rows import Dataset, Row
from schema.model import Table

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "SMALLINT": (int,),
    "INTEGER": (int,),
    "BIGINT": (int,),
    "REAL": (float, int),
    "DOUBLE PRECISION": (float, int),
    "VARCHAR": (str,),
    "REGION": (str,),
    "MOC": (str,),
    "TMOC": (str,),
    "TIMESTAMP": (str,),
}

_RANGES: Final[tuple[tuple[str, Callable[[Any], bool], str], ...]] = (
    ("s_ra", lambda v: 0 <= v < 360, "0 to 360 degrees"),
    ("s_dec", lambda v: -90 <= v <= 90, "-90 to 90 degrees"),
    ("s_fov", lambda v: 0 < v <= 360, "above 0 and up to 360 degrees"),
    ("t_exptime", lambda v: v >= 0, "seconds from 0"),
    ("ev_xel", lambda v: v >= 0, "a count from 0"),
    ("s_resolution", lambda v: v > 0, "arcsec above 0"),
    ("em_res_power", lambda v: v > 0, "above 0"),
    ("energy_min", lambda v: v > 0, "eV above 0"),
    ("energy_max", lambda v: v > 0, "eV above 0"),
)

_ORDERED: Final = (("t_min", "t_max"), ("em_min", "em_max"), ("energy_min", "energy_max"))


def problems(dataset: Dataset, tables: dict[str, Table]) -> list[str]:
    """What is wrong with a dataset's rows; `tables` by the names obscore, obscore_hea, obs_index."""
    found: list[str] = []
    for name, table in tables.items():
        row: Row = getattr(dataset, name)
        if not row:
            continue
        found += [f"{name}.{p}" for p in (*_types(row, table), *_ranges(row), *_order(row))]
    return found


def _types(row: Row, table: Table) -> Iterator[str]:
    for column in table.stored:
        value = row.get(column.name)
        if value is None:
            if column.required:
                yield f"{column.name} is missing"
        elif column.type.is_array:
            if not isinstance(value, list):
                yield f"{column.name} = {value!r}: an array wanted"
        elif not isinstance(value, _KINDS[column.type.name]):
            yield f"{column.name} = {value!r}: {column.type.name} wanted"
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{column.name} = {value!r}: a finite number wanted"


def _ranges(row: Row) -> Iterator[str]:
    for name, holds, wanted in _RANGES:
        value = row.get(name)
        if isinstance(value, int | float) and not holds(value):
            yield f"{name} = {value!r}: {wanted} wanted"


def _order(row: Row) -> Iterator[str]:
    for low, high in _ORDERED:
        a, b = row.get(low), row.get(high)
        if a is not None and b is not None and a > b:
            yield f"{low} = {a!r} is above {high} = {b!r}"
