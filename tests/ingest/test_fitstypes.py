"""Types, units and names of what releases bring along."""

from typing import Any

import numpy as np
import pytest

from ingest.facts import EventArray, IndexColumn
from ingest.fitstypes import (
    event_extras,
    index_extras,
    merged,
    published_name,
    type_of_array,
    type_of_format,
    vounit,
    wider,
)
from schema.model import Column
from schema.types import BIGINT, DOUBLE, INTEGER, REAL, REAL_ARRAY, TYPES, VARCHAR


@pytest.mark.parametrize(
    ("name", "taken", "published"),
    [
        ("MULTIP", (), "multip"),
        (" Theta-2 (deg) ", (), "theta_2_deg"),
        ("ra", ("ra",), "ra_2"),
        ("RA", ("ra", "ra_2"), "ra_3"),
        ("2D", (), "c_2d"),
        ("", (), "column"),
        ("ÄÖ", (), "column"),
        ("XMAX", (), "c_xmax"),
        ("ctid", (), "c_ctid"),
        ("X" * 70, (), "x" * 60),
        ("X" * 70, ("x" * 60,), "x" * 60 + "_2"),
    ],
)
def test_published_names(name: str, taken: tuple[str, ...], published: str) -> None:
    assert published_name(name, taken) == published


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("1D", "DOUBLE PRECISION"),
        ("E", "REAL"),
        ("K", "BIGINT"),
        ("1J", "INTEGER"),
        ("I", "SMALLINT"),
        ("B", "SMALLINT"),
        ("L", "SMALLINT"),
        ("20A", "VARCHAR"),
        ("3E", "REAL[]"),
        ("2K", "BIGINT[]"),
        ("16X", "BIGINT"),
        ("1C", "VARCHAR"),
    ],
)
def test_types_of_formats(form: str, name: str) -> None:
    assert type_of_format(form).name == name


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (np.zeros(2, bool), "SMALLINT"),
        (np.zeros(2, "u1"), "SMALLINT"),
        (np.zeros(2, ">i2"), "SMALLINT"),
        (np.zeros(2, "u2"), "INTEGER"),
        (np.zeros(2, "u4"), "BIGINT"),
        (np.zeros((2, 3), "f4"), "REAL[]"),
        (np.zeros(2, "f8"), "DOUBLE PRECISION"),
        (np.array(["a"]), "VARCHAR"),
        (np.zeros(2, "c8"), "VARCHAR"),
    ],
)
def test_types_of_arrays(values: Any, name: str) -> None:
    assert type_of_array(values).name == name


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        ("REAL", "REAL", "REAL"),
        ("SMALLINT", "BIGINT", "BIGINT"),
        ("SMALLINT", "REAL", "REAL"),
        ("INTEGER", "REAL", "DOUBLE PRECISION"),
        ("BIGINT", "REAL", "DOUBLE PRECISION"),
        ("REAL", "DOUBLE PRECISION", "DOUBLE PRECISION"),
        ("INTEGER", "VARCHAR", "VARCHAR"),
        ("REAL", "REAL[]", "VARCHAR"),
        ("INTEGER[]", "REAL[]", "DOUBLE PRECISION[]"),
        ("SMALLINT[]", "INTEGER[]", "INTEGER[]"),
    ],
)
def test_the_wider_type(a: str, b: str, both: str) -> None:
    assert wider(TYPES[a], TYPES[b]).name == wider(TYPES[b], TYPES[a]).name == both


@pytest.mark.parametrize(
    ("unit", "spelt"),
    [("TeV", "TeV"), ("deg", "deg"), ("sec", "sec"), (" ", None), (None, None), ("cm**2", "cm**2")],
)
def test_units(unit: str | None, spelt: str | None) -> None:
    assert vounit(unit) == spelt


def test_columns_of_events_that_differ_in_case_only() -> None:
    """As HAWC writes: RA beside ra."""
    arrays = [EventArray(name, np.zeros(2, "f4"), "deg", None) for name in ("ra", "Dec", "nHit")]
    found = event_extras(arrays, ("ra", "dec"))
    assert [(c.name, c.type, c.unit, c.source) for c in found] == [
        ("ra_2", REAL, "deg", "EVENTS column ra"),
        ("dec_2", REAL, "deg", "EVENTS column Dec"),
        ("nhit", REAL, "deg", "EVENTS column nHit"),
    ]
    assert found[2].description == "Column nHit of the release's EVENTS tables."


def test_columns_of_the_index_beyond_the_known_ones() -> None:
    columns = [
        IndexColumn("ra_pnt", "D", "deg"),
        IndexColumn("moon", "E", "deg"),
        IndexColumn("MOON", "J", None),
    ]
    assert [(c.name, c.type, c.unit) for c in index_extras(columns, ("ra_pnt",))] == [("moon", REAL, "deg")]


def test_merging_keeps_what_is_known_and_widens() -> None:
    known = (Column("a", INTEGER, "first"), Column("b", REAL_ARRAY))
    found = (Column("a", REAL, "second"), Column("c", VARCHAR))
    assert merged(known, found) == (
        Column("a", DOUBLE, "first"),
        Column("b", REAL_ARRAY),
        Column("c", VARCHAR),
    )
    assert merged(known, ()) == known
    assert merged((), (Column("x", BIGINT),)) == (Column("x", BIGINT),)
