"""Columns of event lists as they are published, and those that cannot be."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from ingest.gadf import read, read_events
from ingest.release import find_release
from tests.dl3files import Habits, write_dl3


def with_columns(path: Path, *columns: fits.Column) -> tuple[dict[str, np.ndarray[Any, Any]], list[str]]:
    habits = Habits(columns={column.name: column for column in columns}, irfs=False)
    (source,) = find_release(write_dl3(path / "run.fits", habits)).sources
    events = read_events(source)
    arrays = {array.name: array.values for array in events.others}
    if events.event_id is not None:
        arrays["EVENT_ID"] = events.event_id
    problems = read(source).problems
    assert not any(problem.fatal for problem in problems)
    return arrays, [f"{problem.where}: {problem.message}" for problem in problems]


def test_columns_that_the_database_has_no_type_for_are_left_out_and_named(tmp_path: Path) -> None:
    arrays, problems = with_columns(
        tmp_path,
        fits.Column("WAVE", "M", array=np.ones(50, dtype=np.complex128)),
        fits.Column("LIST", "PJ()", array=np.array([[1]] * 50, dtype=object)),
    )
    assert list(arrays) == ["EVENT_ID"]
    assert problems == [
        "EVENTS column WAVE: complex (TFORM M): events are published without it",
        "EVENTS column LIST: variable-length (TFORM PJ(1)): events are published without it",
    ]


def test_unsigned_integers_beyond_signed_ones_do_not_wrap(tmp_path: Path) -> None:
    small, large = np.arange(50, dtype=np.uint64), np.full(50, 2**63 + 2**40, dtype=np.uint64)
    arrays, _ = with_columns(
        tmp_path,
        fits.Column("S", "K", bzero=2**63, array=small),
        fits.Column("L", "K", bzero=2**63, array=large),
    )
    assert (arrays["S"].dtype, arrays["S"].tolist()) == (np.int64, list(range(50)))
    assert (arrays["L"].dtype, arrays["L"][0]) == (np.float64, 2.0**63 + 2.0**40)


def test_whole_floats_identify_events(tmp_path: Path) -> None:
    arrays, problems = with_columns(tmp_path, fits.Column("EVENT_ID", "D", array=np.arange(50) + 2.0**40))
    assert (arrays["EVENT_ID"].dtype, arrays["EVENT_ID"][1]) == (np.int64, 2**40 + 1)
    assert problems == []


@pytest.mark.parametrize(
    "column",
    [
        fits.Column("EVENT_ID", "D", array=np.arange(50) + 0.5),
        fits.Column("EVENT_ID", "D", array=np.full(50, np.nan)),
        fits.Column("EVENT_ID", "K", null=3, array=np.arange(50)),
        fits.Column("EVENT_ID", "K", bzero=2**63, array=np.full(50, 2**64 - 1, dtype=np.uint64)),
        fits.Column("EVENT_ID", "4A", array=["x"] * 50),
        fits.Column("EVENT_ID", "2J", array=np.ones((50, 2))),
    ],
)
def test_identifiers_that_are_not_all_whole_numbers_are_left_out(tmp_path: Path, column: fits.Column) -> None:
    arrays, problems = with_columns(tmp_path, column)
    assert arrays == {}
    assert problems == [
        "EVENTS column EVENT_ID: not a whole number of 64 bits in each row: events are published without it"
    ]


def test_right_ascensions_may_run_on_beyond_360(tmp_path: Path) -> None:
    values = np.linspace(359.5, 360.25, 50)
    habits = Habits(columns={"RA": fits.Column("RA", "D", unit="deg", array=values)}, irfs=False)
    (source,) = find_release(write_dl3(tmp_path / "run.fits", habits)).sources
    np.testing.assert_allclose(read_events(source).ra, values % 360, atol=1e-5)
