"""How event lists count time, against astropy."""

from math import inf

import pytest
from astropy import units as u
from astropy.io import fits
from astropy.time import Time

from vo_server.eventlists.interval import Interval
from vo_server.eventlists.times import Clock, is_counted
from vo_server.products.fitsfile import FitsError


def header(**cards: object) -> fits.Header:
    return fits.Header({"MJDREFI": 51910, "MJDREFF": 0.000742870370370241, "TIMESYS": "TT", **cards})


@pytest.mark.parametrize("scale", ["tt", "tai", "utc", "tdb", "tcg"])
def test_elapsed_time_is_that_of_astropy(scale: str) -> None:
    clock = Clock.of(header(TIMESYS=scale.upper()))
    reference = Time(51910, 0.000742870370370241, format="mjd", scale=scale)
    for mjd in (53343.922, 57754.0, 60000.25):
        low, high = clock.elapsed(Interval(mjd, mjd + 0.5), u.s)
        moment = getattr(Time(mjd, format="mjd", scale="utc"), scale)
        assert low == pytest.approx((moment - reference).to_value("s"), abs=1e-5)
        assert high - low == pytest.approx(43200, abs=1e-3 if scale in {"tcg", "tdb"} else 1e-5)


def test_open_ends_and_units() -> None:
    clock = Clock.of(header(TIMEUNIT="d"))
    assert clock.unit is u.day
    assert clock.elapsed(Interval(-inf, inf), u.s) == (-inf, inf)
    seconds, days = (clock.elapsed(Interval(54000, 54001), unit) for unit in (u.s, u.day))
    assert seconds.low / 86400 == pytest.approx(days.low, abs=1e-12)


@pytest.mark.parametrize(
    ("cards", "told"),
    [({"TIMESYS": "LOCAL"}, "unknown time system 'LOCAL'"), ({"MJDREFI": "x"}, "no time reference")],
)
def test_what_is_no_clock(cards: dict[str, object], told: str) -> None:
    with pytest.raises(FitsError, match=told):
        Clock.of(header(**cards))


def test_whether_a_header_has_a_clock() -> None:
    assert is_counted(header())
    assert not is_counted(fits.Header({"MJDREFI": 51910}))
    assert not is_counted(fits.Header({"TIMESYS": "TT"}))


def test_intervals_have_a_part_in_common() -> None:
    assert Interval(1, 5).common(Interval(3, inf)) == Interval(3, 5)
    assert Interval(1, 2).common(Interval(3, 4)) == (3, 2)
