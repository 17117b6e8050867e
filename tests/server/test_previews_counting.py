"""What previews count, against astropy, numpy and gammapy."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.stats import poisson_conf_interval
from gammapy.data import EventList
from numpy.typing import NDArray

from tests.dl3files import TSTART, TSTOP, Habits, write_dl3
from vo_server.previews.counting import (
    counts_map,
    event_rate,
    merged_intervals,
    middle,
    poisson_interval,
    radius,
    reach,
    sky_frame,
    spectrum,
)
from vo_server.previews.eventlist import good_times, opened
from vo_server.previews.model import EventList as Published
from vo_server.previews.model import Preview
from vo_server.products.file import Place, Record
from vo_server.products.fitsfile import FitsError

Floats = NDArray[np.float64]

CENTRES = [(83.63, 22.01), (0.02, -30.0), (359.99, 5.0), (40.0, 89.6), (200.0, -90.0)]


def around(ra: float, dec: float, number: int, sigma: float = 1.0) -> SkyCoord:
    random = np.random.default_rng(7)
    angle, distance = random.uniform(0, 360, number), np.abs(random.normal(0, sigma, number))
    return SkyCoord(ra, dec, unit="deg").directional_offset_by(angle * u.deg, distance * u.deg)


def in_blocks(*columns: Floats, size: int = 1000) -> Iterator[tuple[Floats, ...]]:
    for start in range(0, len(columns[0]), size):
        yield tuple(column[start : start + size] for column in columns)


@pytest.mark.parametrize(("ra", "dec"), CENTRES)
def test_a_map_counts_each_event_in_the_pixel_that_astropy_names(ra: float, dec: float) -> None:
    events = around(ra, dec, 5000)
    frame = sky_frame(ra, dec, 4.0, 5000)
    found = counts_map(in_blocks(events.ra.deg, events.dec.deg), frame)
    x, y = frame.wcs.world_to_pixel(events)
    expected, _, _ = np.histogram2d(y, x, bins=np.arange(frame.side + 1) - 0.5)
    assert np.array_equal(found.counts, expected)
    assert found.outside == 5000 - found.counts.sum() > 0


@pytest.mark.parametrize(("ra", "dec"), CENTRES)
def test_a_map_shows_the_sky_as_it_is(ra: float, dec: float) -> None:
    """The centre in the middle, north up, east to the left, and all pixels of the same area."""
    frame = sky_frame(ra, dec, 5.0, 10_000)
    centre, half = SkyCoord(ra, dec, unit="deg"), frame.side // 2
    assert frame.wcs.pixel_to_world(half, half).separation(centre).deg < 1e-9
    north, east = (centre.directional_offset_by(angle * u.deg, 1 * u.deg) for angle in (0, 90))
    x, y = frame.wcs.world_to_pixel(north)
    assert (x, y) == (pytest.approx(half, abs=1e-6), pytest.approx(half + 1 / frame.pixel, rel=1e-4))
    x, y = frame.wcs.world_to_pixel(east)
    assert (x, y) == (pytest.approx(half - 1 / frame.pixel, rel=1e-4), pytest.approx(half, abs=1e-6))
    corners = frame.wcs.pixel_to_world([0, 1, 1, 0], [0, 0, 1, 1]).cartesian.xyz.value.T
    normal = np.cross(corners[2] - corners[0], corners[3] - corners[1]) / 2
    assert np.degrees(np.degrees(np.linalg.norm(normal))) == pytest.approx(frame.pixel**2, rel=1e-3)
    assert frame.holds(ra, dec)
    assert not frame.holds((ra + 180) % 360, -dec)


def test_the_pixel_of_a_known_event() -> None:
    frame = sky_frame(83.63, 22.01, 5.0, 5000)
    found = counts_map([(np.array([83.63]), np.array([22.01 + 10 * frame.pixel]))], frame)
    row, column = np.argwhere(found.counts)[0]
    assert (row, column) == (frame.side // 2 + 10, frame.side // 2)


def test_positions_that_are_none_lie_outside() -> None:
    frame = sky_frame(10.0, 0.0, 5.0, 4)
    ra, dec = np.array([np.nan, 10.0, 10.0, 10.0]), np.array([0.0, np.inf, 91.0, 0.0])
    found = counts_map([(ra, dec)], frame)
    assert (found.counts.sum(), found.outside) == (1, 3)


@pytest.mark.parametrize(
    ("diameter", "events", "pixel"),
    [(5.0, 0, 0.1), (5.0, 7600, 0.05), (5.0, 10**7, 0.02), (12.0, 100_000, 0.05), (0.0, 1, 0.005)],
)
def test_pixels_suit_the_number_of_events(diameter: float, events: int, pixel: float) -> None:
    frame = sky_frame(0.0, 0.0, diameter, events)
    assert frame.pixel == pixel
    assert frame.side % 2 == 1
    assert frame.side * frame.pixel >= diameter


def test_no_map_is_larger_than_can_be_drawn() -> None:
    assert max(sky_frame(0, 0, d, n).side for d in (0.1, 1, 5, 30, 360) for n in (0, 10**4, 10**9)) < 500


def test_smoothing_keeps_the_counts() -> None:
    frame = sky_frame(83.63, 22.01, 5.0, 100)
    events = around(83.63, 22.01, 100, 0.3)
    found = counts_map([(events.ra.deg, events.dec.deg)], frame)
    assert found.smoothing > 0
    assert found.shown.sum() == pytest.approx(100, rel=1e-6)
    one = counts_map([(np.array([83.63]), np.array([22.01]))], frame).shown
    offsets = np.arange(frame.side) - frame.side // 2
    assert np.sqrt((one.sum(axis=0) * offsets**2).sum()) == pytest.approx(found.smoothing, rel=0.01)


def test_many_events_and_none_are_shown_as_they_are() -> None:
    frame = sky_frame(83.63, 22.01, 0.2, 10**6)
    many = np.full(10**6, 83.63), np.full(10**6, 22.01)
    for blocks in ([many], []):
        found = counts_map(blocks, frame)
        assert found.smoothing == 0
        assert np.array_equal(found.shown, found.counts)


@pytest.mark.parametrize(("ra", "dec"), CENTRES)
def test_the_middle_of_events_and_the_farthest(ra: float, dec: float) -> None:
    events = around(ra, dec, 20_000, 0.5)
    found = SkyCoord(*middle(in_blocks(events.ra.deg, events.dec.deg)), unit="deg")
    centre = SkyCoord(ra, dec, unit="deg")
    assert found.separation(centre).deg < 0.02
    reach = radius(in_blocks(events.ra.deg, events.dec.deg), ra, dec)
    assert reach == pytest.approx(events.separation(centre).deg.max(), abs=1e-9)
    assert radius([], ra, dec) == 0


def test_how_far_most_events_reach() -> None:
    random = np.random.default_rng(8)
    ra, dec = random.uniform(0, 360, 5000), random.normal(80, 5, 5000).clip(-90, 90)
    distances = SkyCoord(10, 85, unit="deg").separation(SkyCoord(ra, dec, unit="deg")).deg
    blocks = [(ra[:1000], dec[:1000]), (ra[1000:], dec[1000:]), (np.array([np.nan]), np.array([1.0]))]
    found = reach(blocks, 10, 85, 0.95)
    assert found == pytest.approx(np.quantile(distances, 0.95), abs=0.02)
    assert reach([(np.array([190.0]), np.array([-85.0]))], 10, 85, 0.5) == pytest.approx(180, abs=0.02)
    assert reach([], 10, 85, 0.5) == 0


def test_a_spectrum_counts_as_numpy_does() -> None:
    energy = 0.05 * np.random.default_rng(1).pareto(1.5, 50_000) + 0.05
    found = spectrum(in_blocks(energy))
    assert np.array_equal(found.counts, np.histogram(energy, found.edges)[0])
    assert (found.counts.sum(), found.uncounted) == (50_000, 0)
    assert np.allclose(np.diff(np.log10(found.edges)), 0.1)
    assert found.counts[0] > 0 < found.counts[-1]


def test_energies_that_are_none_are_told_apart() -> None:
    energy = np.array([np.nan, 0.0, -1.0, np.inf, 1e-30, 1e30, 2.0])
    found = spectrum([(energy,)])
    assert (found.counts.tolist(), found.uncounted) == ([1], 6)
    assert found.edges[0] <= 2.0 < found.edges[1]
    empty = spectrum([(energy[:4],)])
    assert (empty.counts.size, empty.edges.size, empty.uncounted) == (0, 0, 4)


def test_rates_count_good_time_only() -> None:
    random = np.random.default_rng(2)
    time = np.sort(random.uniform(1000.0, 2800.0, 5000))
    good = np.array([[1100.0, 1700.0], [1900.0, 2500.0]])
    found = event_rate(in_blocks(time), good, (1000.0, 2800.0), len(time))
    inside = sum(((time >= a) & (time <= b)).sum() for a, b in good)
    assert (found.counts.sum(), found.uncounted) == (inside, 5000 - inside)
    assert found.exposure.sum() == pytest.approx(1200.0)
    assert found.gaps.tolist() == [[0, 100], [700, 900], [1500, 1800]]
    assert found.span == (0, 1800)
    for start, stop, counts in zip(found.start, found.stop, found.counts, strict=True):
        assert counts == ((time - 1000 >= start) & (time - 1000 < stop)).sum()
        assert any(a - 1000 - 1e-9 <= start < stop <= b - 1000 + 1e-9 for a, b in good)
    assert np.average(found.rate, weights=found.exposure) == pytest.approx(inside / 1200)


def test_an_event_at_the_very_end_of_good_time_counts() -> None:
    found = event_rate([(np.array([0.0, 10.0, 20.0]),)], np.array([[0.0, 20.0]]), (0.0, 20.0), 3)
    assert (found.counts.sum(), found.uncounted) == (3, 0)


def test_good_times_may_overlap_and_come_in_any_order() -> None:
    odd = np.array([[5.0, 9.0], [0.0, 3.0], [2.0, 4.0], [7.0, 7.0], [np.nan, 8.0], [6.0, 8.0], [9.0, 9.5]])
    assert merged_intervals(odd).tolist() == [[0, 4], [5, 9.5]]
    assert merged_intervals(np.empty((0, 2))).shape == (0, 2)


def test_a_thousand_good_times_become_few_bins() -> None:
    start = np.arange(1000) * 2.0
    good = np.stack([start, start + 1.5], axis=1)
    time = np.arange(0, 2000, 0.01)
    found = event_rate([(time,)], good, (0.0, 2000.0), len(time))
    assert len(found.counts) <= 120
    assert found.exposure.sum() == pytest.approx(1500)
    assert found.rate == pytest.approx(np.full(len(found.rate), 100), rel=0.02)


@pytest.mark.parametrize("events", [0, 1, 50])
def test_no_good_time_at_all(events: int) -> None:
    found = event_rate([(np.zeros(events),)], np.empty((0, 2)), (0.0, 100.0), events)
    assert (found.counts.size, found.uncounted, found.gaps.tolist()) == (0, events, [[0, 100]])


def test_errors_are_those_of_poisson() -> None:
    counts = np.array([0, 1, 2, 3, 10, 100, 10_000])
    low, high = poisson_interval(counts)
    exact = poisson_conf_interval(counts, "frequentist-confidence", sigma=1)
    assert high == pytest.approx(exact[1], rel=0.01)
    assert low == pytest.approx(exact[0], rel=0.03, abs=0.01)


@pytest.fixture
def odd_list(tmp_path: Path) -> Path:
    """Scaled integers, other units, lower-case names, a clock of its own for the good times."""
    n = 20
    columns = {
        "RA": fits.Column("ra", "1D", unit="rad", array=np.radians(np.linspace(1, 2, n))),
        "ENERGY": fits.Column("ENERGY", "1I", unit="GeV", array=np.arange(n)),
    }
    gti = {"MJDREFI": 51911, "MJDREFF": 0.000742870370370241, "TIMESYS": "TT", "TIMEUNIT": "s"}
    shifted = [(TSTART - 86400, TSTOP - 86400)]
    habits = Habits(events=n, columns=columns, gtis=shifted, gti_header=gti, irfs=False)
    plain = write_dl3(tmp_path / "odd.fits", habits)
    for key, value in (("TSCAL5", 10.0), ("TZERO5", 5.0), ("TNULL5", 3)):
        fits.setval(plain, key, value=value, ext=1)
    packed = tmp_path / "odd.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    return packed


def place(path: Path, hdu: str) -> Place:
    return Place(Record(str(path), path.stat().st_size, "0" * 64, path.stat().st_mtime), hdu)


def test_odd_columns_are_read_in_our_units(odd_list: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = opened(place(odd_list, "EVENTS"))
    ((ra, energy),) = events.blocks((("RA", "deg"), ("ENERGY", "TeV")))
    assert ra == pytest.approx(np.linspace(1, 2, 20))
    stored = np.where(np.arange(20) == 3, np.nan, np.arange(20))
    assert energy == pytest.approx((stored * 10 + 5) / 1000, nan_ok=True)
    assert good_times(place(odd_list, "GTI"), events)[0] == pytest.approx([TSTART, TSTOP], abs=1e-4)
    monkeypatch.setattr("vo_server.previews.eventlist._BLOCK_BYTES", 100)
    blocks = list(events.blocks((("RA", "deg"),)))
    assert len(blocks) > 5
    assert np.concatenate([b for (b,) in blocks]) == pytest.approx(ra)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [(("NOTHING", "deg"), "has no column NOTHING"), (("RA", "TeV"), "in 'rad', not in TeV")],
)
def test_columns_that_cannot_be_read(odd_list: Path, wanted: tuple[str, str], told: str) -> None:
    with pytest.raises(FitsError, match=told):
        list(opened(place(odd_list, "EVENTS")).blocks([wanted]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:3000],
        lambda content: b"not FITS at all" * 1000,
        lambda content: content.replace(b"TFORM1  = '1K", b"TFORM1  = '?K"),
        lambda content: content.replace(b"NAXIS2  =", b"NAXIS9  ="),
        lambda content: b"",
    ],
)
def test_damaged_files_are_told_of(tmp_path: Path, damage: Any) -> None:
    path = write_dl3(tmp_path / "x.fits", Habits(irfs=False))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FitsError):
        list(opened(place(path, "EVENTS")).blocks((("RA", "deg"),)))


def test_a_damaged_gzip_file(tmp_path: Path) -> None:
    path = write_dl3(tmp_path / "x.fits", Habits(irfs=False, events=5000))
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(FitsError):
        list(opened(place(path, "EVENTS")).blocks((("RA", "deg"),)))


def test_a_real_run_against_gammapy(shared_data: Path) -> None:
    path = (shared_data / "hess-dl3-dr1/data/hess_dl3_dr1_obs_id_023523.fits.gz").resolve()
    theirs = EventList.read(path)
    events = opened(place(path, "EVENTS"))
    frame = sky_frame(83.633333, 21.514444, 5.0, events.rows)
    counted = counts_map(events.blocks((("RA", "deg"), ("DEC", "deg"))), frame)
    x, y = frame.wcs.world_to_pixel(theirs.radec)
    inside = (np.rint(x) >= 0) & (np.rint(x) < frame.side) & (np.rint(y) >= 0) & (np.rint(y) < frame.side)
    assert counted.counts.sum() == inside.sum() == 6847
    peak = np.unravel_index(np.argmax(counted.shown), counted.counts.shape)
    crab = SkyCoord(83.6331, 22.0145, unit="deg")
    assert frame.wcs.pixel_to_world(*peak[::-1]).separation(crab).deg < 0.08
    energies = spectrum(events.blocks((("ENERGY", "TeV"),)))
    assert np.array_equal(energies.counts, np.histogram(theirs.energy.to_value("TeV"), energies.edges)[0])
    assert energies.counts.sum() == len(theirs.table) == 7613
    span = events.keyword("TSTART", "s") or 0.0, events.keyword("TSTOP", "s") or 0.0
    rate = event_rate(events.blocks((("TIME", "s"),)), good_times(place(path, "GTI"), events), span, 7613)
    assert (rate.counts.sum(), rate.exposure.sum()) == (7612, pytest.approx(1687.0))


def test_keys_differ_with_what_is_shown() -> None:
    events = Place(Record("/a", 1, "x", 1.0), "EVENTS")
    found = Published("ivo://a/b?1", "b", False, "1", "t", 1.0, 2.0, 5.0, None, 53000.0, events, None)
    preview = Preview(found, "spectrum", "png")
    moved = replace(events, record=replace(events.record, path="/b", modified=None))
    assert Preview(replace(found, events=moved), "spectrum", "png").key == preview.key
    others = [
        replace(preview, kind="thumbnail"),
        replace(preview, form="svg"),
        replace(preview, event_list=replace(found, simulated=True)),
        replace(preview, event_list=replace(found, target=None)),
        replace(preview, event_list=replace(found, gti=events)),
        replace(
            preview,
            event_list=replace(found, events=replace(events, record=replace(events.record, checksum="y"))),
        ),
    ]
    assert len({preview.key, *(other.key for other in others)}) == 7
    assert found.start_utc == "2003-12-27 00:00:00"
