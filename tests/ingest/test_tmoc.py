import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time
from mocpy import TimeMOC

from ingest.facts import TimeMoc
from ingest.times import JulianDate, barycentric_tcb
from ingest.tmoc import covering_ranges, time_moc

CRAB = (83.63, 22.01)
DAY0 = 2453090.5


def days(*values: float) -> JulianDate:
    return np.full(len(values), DAY0), np.array(values)


def judge(moc: TimeMoc) -> TimeMOC:
    """The MOC as mocpy reads its text; its ranges must be ours."""
    read = TimeMOC.from_string(moc.text)
    assert read.max_order == moc.order
    assert read.to_depth61_ranges.astype(np.int64).tolist() == [list(r) for r in moc.ranges]
    return read


def test_one_interval_covers_its_barycentric_times() -> None:
    start, stop = days(0.1), days(0.12)
    moc = time_moc(start, stop, CRAB, 41, 10_000)
    read = judge(moc)
    assert (moc.order, moc.reason, len(moc.ranges)) == (41, None, 1)
    begin, end = (Time(*barycentric_tcb(jd, CRAB), format="jd", scale="tcb") for jd in (start, stop))
    cell = 2**20 * 1e-6
    assert 0 <= (begin[0].jd - read.min_time.jd) * 86400 < cell + 1e-3
    assert 0 <= (read.max_time.jd - end[0].jd) * 86400 < cell + 1e-3


def test_the_text_is_what_mocpy_writes_for_the_same_ranges() -> None:
    moc = time_moc(days(0.1, 0.2, 0.2001), days(0.12, 0.2, 0.3), CRAB, 36, 10_000)
    ranges = np.array(moc.ranges, dtype=np.uint64)
    theirs = TimeMOC.from_depth61_ranges(36, ranges)
    assert judge(moc) == theirs
    assert TimeMOC.from_string(moc.text).to_string() == theirs.to_string()


def test_touching_and_overlapping_intervals_merge_and_the_order_of_rows_is_free() -> None:
    sorted_moc = time_moc(days(0.1, 0.2), days(0.25, 0.3), CRAB, 41, 10_000)
    assert len(sorted_moc.ranges) == 1
    assert time_moc(days(0.2, 0.1), days(0.3, 0.25), CRAB, 41, 10_000) == sorted_moc


def test_an_instant_still_takes_a_cell() -> None:
    moc = time_moc(days(0.1), days(0.1), CRAB, 41, 10_000)
    assert moc.ranges[0][1] - moc.ranges[0][0] == 2**20


def test_no_interval_is_an_empty_moc() -> None:
    moc = time_moc(days(), days(), CRAB, 41, 10_000)
    assert (moc.text, moc.ranges) == ("41/", ())
    assert judge(moc).empty()


def test_without_a_direction_no_finer_order_than_31_is_claimed() -> None:
    moc = time_moc(days(0.1), days(0.12), None, 41, 10_000)
    assert moc.order == 31
    assert moc.reason == "order 31: no fixed direction, so no light-time correction to the barycentre"
    judge(moc)


def test_light_time_shifts_by_minutes_and_follows_the_direction() -> None:
    towards, away = (
        time_moc(days(0.1), days(0.12), d, 41, 10_000).ranges[0][0] for d in ((185.0, 0.0), (5.0, 0.0))
    )
    assert abs(towards - away) * u.us > 15 * u.min


def test_too_many_cells_lower_the_order_until_they_fit() -> None:
    edges = np.sort(np.random.default_rng(3).uniform(0, 5, 3_000)).reshape(-1, 2)
    start, stop = ((np.full(len(edges), DAY0), edges[:, i]) for i in (0, 1))
    moc = time_moc(start, stop, CRAB, 41, 300)
    assert moc.order < 41
    assert moc.reason == f"order {moc.order}: more than 300 cells at order 41"
    read = judge(moc)
    assert len(read.flatten()) > 0
    fine = np.array(time_moc(start, stop, CRAB, 41, 10**6).ranges)
    coarse = covering_ranges(fine[:, 0], fine[:, 1], moc.order)
    assert coarse.tolist() == [list(r) for r in moc.ranges]


@pytest.mark.parametrize("order", [0, 13, 36, 61])
def test_all_orders_agree_with_mocpy(order: int) -> None:
    judge(time_moc(days(0.1, 5.0), days(0.12, 7.5), CRAB, order, 10_000))
