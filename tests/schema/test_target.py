"""Targets that a collection's TOML file names."""

from pathlib import Path
from typing import Any

import pytest

from schema.collection import Collection, CollectionError, collection_from
from schema.target import Target, target_of

CRAB = Target("Crab Nebula", 83.633, 22.014, ("crab_*.fits",))
PKS = Target("PKS 2155-304", 329.7, -30.2)
DECLARED = {
    "Crab Nebula": {"ra": 83.633, "dec": 22.014, "files": ["crab_*.fits"]},
    "PKS 2155-304": {"ra": 329.7, "dec": -30.2},
}


def test_read_and_kept() -> None:
    collection = collection_from({"name": "x", "targets": DECLARED}, Path("/x"))
    assert collection.targets == (CRAB, PKS)
    assert Collection.from_json(collection.to_json()) == collection


@pytest.mark.parametrize(
    ("file", "name", "found"),
    [
        ("crab_sed.fits", None, CRAB),
        ("crab_sed.fits", "PKS 2155-304", CRAB),
        ("sed.fits", "pks 2155-304", PKS),
        ("sed.fits", None, None),
        ("sed.fits", "Vela", None),
    ],
)
def test_the_target_of_a_file(file: str, name: str | None, found: Target | None) -> None:
    assert target_of((PKS, CRAB), file, name) is found


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("Crab", "tables .* wanted"),
        ({"Crab": 3}, "'Crab': a table with ra and dec"),
        ({"Crab": {"ra": 1.0}}, "'Crab': a table with ra and dec"),
        ({"Crab": {"ra": 1, "dec": 2, "x": 3}}, "'Crab': a table with ra and dec"),
        ({"Crab": {"ra": 360, "dec": 2}}, "ra = 360, dec = 2: degrees from 0 to 360"),
        ({"Crab": {"ra": True, "dec": 2}}, "ra = True"),
        ({"Crab": {"ra": float("nan"), "dec": 2}}, "ra = nan"),
        ({"Crab": {"ra": 1, "dec": 2, "files": "a"}}, "files = 'a': a list of names of files wanted"),
        ({"a\0b": {"ra": 1, "dec": 2}}, "a name without control characters"),
        ({" ": {"ra": 1, "dec": 2}}, "a name without control characters"),
    ],
)
def test_what_is_refused(declared: Any, message: str) -> None:
    with pytest.raises(CollectionError, match=message):
        collection_from({"name": "x", "targets": declared}, Path("/x"))
