from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time, TimeDelta

from ingest.facts import ProductError, TimeReference
from ingest.times import (
    barycentric_tcb,
    has_reference,
    microseconds,
    time_reference,
    to_tt,
    utc_mjd,
    utc_timestamp,
)

HESS = TimeReference(51910, 0.000742870370370241, "TT", "LOCAL", 1.0)


def reference(**keywords: object) -> TimeReference:
    return time_reference(Path("run.fits"), "EVENTS", fits.Header(keywords))


def iso(mjd: float) -> str:
    return str(Time(mjd, format="mjd", scale="utc", precision=3).isot)


def test_hess_run_20136_starts_at_the_published_second() -> None:
    start, stop = utc_mjd(HESS, np.array([101962602.0, 101964284.0]))
    assert (iso(start), iso(stop)) == ("2004-03-26T02:56:42.000", "2004-03-26T03:24:44.000")


def test_leap_seconds_count_as_elapsed_in_utc() -> None:
    """VERITAS run 64080 states both: 2012-10-13T10:52:08.109 is 242909531.109 s after 2005-02-01."""
    veritas = TimeReference(53402, 0.0, "UTC", "TOPOCENTER", 1.0)
    assert iso(utc_mjd(veritas, np.array([242909531.10891286]))[0]) == "2012-10-13T10:52:08.109"


def test_a_count_from_mjd_0_is_the_mjd_itself_in_utc() -> None:
    days = TimeReference(0, 0.0, "UTC", "LOCAL", 86400.0)
    assert utc_mjd(days, np.array([58849.0, 53005.25])).tolist() == [58849.0, 53005.25]
    assert iso(utc_mjd(TimeReference(0, 0.0, "TT", "LOCAL", 86400.0), np.array([58849.0]))[0]) == (
        "2019-12-31T23:58:50.816"
    )


@pytest.mark.parametrize("scale", ["TT", "TAI", "TDB", "TCG", "TCB", "UTC"])
def test_every_scale_agrees_with_astropy_to_a_microsecond(scale: str) -> None:
    elapsed = np.array([0.0, 12345.678901, 3e8 + 0.123456])
    ours = to_tt(TimeReference(51544, 0.5, scale, "LOCAL", 1.0), elapsed)
    origin = Time(51544, 0.5, format="mjd", scale=scale.lower())
    theirs = (origin.tai if scale == "UTC" else origin) + TimeDelta(elapsed, format="sec")
    apart = (Time(*ours, format="jd", scale="tt") - theirs.tt).to_value("s")
    assert np.abs(apart).max() < 3e-6


def test_gps_is_19_seconds_behind_tai() -> None:
    gps, tai = (
        utc_mjd(TimeReference(51544, 0.0, s, "LOCAL", 1.0), np.array([0.0]))[0] for s in ("GPS", "TAI")
    )
    assert (gps - tai) * 86400 == pytest.approx(19, abs=1e-5)


def test_days_are_a_time_unit() -> None:
    in_days = TimeReference(51910, 0.0, "TT", "LOCAL", 86400.0)
    in_seconds = TimeReference(51910, 0.0, "TT", "LOCAL", 1.0)
    assert utc_mjd(in_days, np.array([2.5])) == utc_mjd(in_seconds, np.array([216000.0]))


def test_barycentric_times_agree_with_astropy() -> None:
    times = Time(53000 + np.linspace(0, 365, 30), format="mjd", scale="tt")
    crab = SkyCoord(83.63, 22.01, unit="deg")
    geocentre = Time(times, location=(0 * u.m, 0 * u.m, 0 * u.m))
    expected = (geocentre.tdb + geocentre.light_travel_time(crab, ephemeris="builtin")).tcb
    ours = Time(*barycentric_tcb((times.jd1, times.jd2), (83.63, 22.01)), format="jd", scale="tcb")
    assert np.abs((ours - expected).to_value("s")).max() < 1e-4
    assert np.ptp((ours.jd - times.jd) * 86400) > 900


def test_many_instants_are_as_exact_as_few() -> None:
    days = np.linspace(0, 1, 2001)
    many = barycentric_tcb((np.full(days.shape, 2453090.5), days), (83.6, 22.0))
    few = barycentric_tcb((np.full(20, 2453090.5), days[::100][:20]), (83.6, 22.0))
    assert np.abs(microseconds(many)[::100][:20] - microseconds(few)).max() <= 2


def test_microseconds_are_exact_integers() -> None:
    assert microseconds((np.array([2453090.5]), np.array([1 / 86400]))).tolist() == [
        2453090 * 86400_000_000 + 43_201_000_000
    ]


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"MJDREFI": 51910, "MJDREFF": 0.25, "TIMESYS": "TT"}, (51910, 0.25, "TT")),
        ({"MJDREFI": 51910.0, "MJDREFF": 0, "TIMESYS": "utc "}, (51910, 0.0, "UTC")),
        ({"MJDREFI": "51910", "MJDREFF": "0.25", "TIMESYS": "UTC(NIST)"}, (51910, 0.25, "UTC")),
        ({"MJDREF": 51910.25, "TIMESYS": "TAI"}, (51910, 0.25, "TAI")),
        ({"MJDREFI": 51910, "MJDREFF": 0.25, "TIMESYS": "TDT"}, (51910, 0.25, "TT")),
    ],
)
def test_ways_of_writing_the_reference(keywords: dict[str, object], expected: tuple[int, float, str]) -> None:
    found = reference(**keywords)
    assert (found.mjdrefi, found.mjdreff, found.timesys) == expected
    assert (found.timeref, found.unit) == ("LOCAL", 1.0)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"MJDREFF": 0.0, "TIMESYS": "TT"}, "EVENTS MJDREFI: missing"),
        ({"MJDREFI": 51910, "TIMESYS": "TT"}, "EVENTS MJDREFF: missing"),
        ({"MJDREFI": 51910, "MJDREFF": 0.0}, "EVENTS TIMESYS: missing"),
        ({"MJDREFI": 51910, "MJDREFF": 0.0, "TIMESYS": " "}, "EVENTS TIMESYS: missing"),
        (
            {"MJDREFI": 51910, "MJDREFF": 0.0, "TIMESYS": "LOCAL"},
            "unknown time system 'LOCAL'; known are TT, TAI",
        ),
        ({"MJDREFI": 51910, "MJDREFF": 0.0, "TIMESYS": "TT", "TIMEUNIT": "fortnight"}, "unknown time unit"),
    ],
)
def test_a_reference_that_does_not_tell_is_refused(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(ProductError, match=message):
        reference(**keywords)


def test_a_table_counts_time_on_its_own_only_with_scale_and_reference() -> None:
    assert has_reference(fits.Header({"MJDREFI": 1, "TIMESYS": "TT"}))
    assert not has_reference(fits.Header({"MJDREFI": 1}))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2018-05-06T09:14:21", "2018-05-06T09:14:21"),
        ("2018-05-06T11:14:21+02:00", "2018-05-06T09:14:21"),
        ("2018-05-06T09:14:21.250Z", "2018-05-06T09:14:21"),
        ("Wed Jan  6 04:47:56 2021", "2021-01-06T04:47:56"),
        ("31/12/98", "1998-12-31T00:00:00"),
        ("2018-05-06", "2018-05-06T00:00:00"),
        ("yesterday", None),
    ],
)
def test_creation_dates(written: str, expected: str | None) -> None:
    assert utc_timestamp(written) == expected
