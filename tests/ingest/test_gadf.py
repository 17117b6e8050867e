"""What the reader finds in files as instruments write them."""

import hashlib
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import FK5, SkyCoord
from astropy.io import fits
from astropy.time import Time

from ingest.facts import Facts, ReadOptions, Resolution
from ingest.gadf import file_checksum, read, read_events
from ingest.release import find_release
from tests.dl3files import (
    TIME_HEADER,
    TSTART,
    TSTOP,
    Habits,
    index_rows,
    psf_sigma,
    write_dl3,
    write_hdu_index,
    write_irfs,
    write_map,
    write_table,
)


def facts(path: Path, options: ReadOptions | None = None, **habits: Any) -> Facts:
    (source,) = find_release(write_dl3(path / "run.fits", Habits(**habits))).sources
    return read(source, options)


def with_header(path: Path, **header: Any) -> Facts:
    return facts(path, header=header, irfs=False)


def test_a_file_as_gadf_has_it(tmp_path: Path) -> None:
    found = facts(tmp_path)
    assert (found.local_id, found.obs_id, found.target, found.telescope) == (
        "20136",
        "20136",
        "MSH 15-52",
        "SOMESCOPE",
    )
    assert (found.instrument, found.origin, found.creator) == ("Phase I", "A Collaboration", "writer 1.0")
    assert (found.created, found.n_tels, found.tellist) == ("2018-05-06T09:14:21", 4, "1,2,3,4")
    assert (found.ra_pnt, found.dec_pnt, found.alt_pnt, found.az_pnt) == (228.6125, -58.7717, 51.5, 195.7)
    assert (found.fov, found.region) == (5.0, None)
    assert (found.ontime, found.livetime, found.deadc, found.exposure) == (1682.0, 1521.0, 0.9043, 1521.0)
    assert (found.n_events, found.o_ucd) == (50, "pos.eq#time#em.energy")
    assert found.event_energy_min == pytest.approx(0.2e12)
    assert found.event_energy_max == pytest.approx(40e12)
    assert found.energy_min == pytest.approx(0.1e12, rel=0.01)
    assert found.psf is not None
    assert found.psf.value == pytest.approx(2.3548 * psf_sigma(0.5) * 3600, rel=2e-3)
    assert (found.psf.energy, found.psf.offset) == (1e12, 0.5)
    assert found.edisp is not None
    assert found.edisp.value == pytest.approx(8.38, rel=2e-3)
    assert sorted(found.products) == ["aeff", "edisp", "events", "gti", "psf"]
    assert found.problems == ()
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301  our own bytes


def test_times_are_utc_to_the_microsecond(tmp_path: Path) -> None:
    found = facts(tmp_path)
    start, stop = Time([found.t_start, found.t_stop], format="mjd", scale="utc", precision=3).isot
    assert (start, stop) == ("2004-03-26T02:56:42.000", "2004-03-26T03:24:44.000")
    assert found.gtis == ((found.t_start, found.t_stop),)
    assert (found.time.mjdrefi, found.time.timesys, found.time.timeref) == (51910, "TT", "LOCAL")
    assert (found.tstart, found.tstop) == (TSTART, TSTOP)
    assert found.t_moc.order == 41
    ((first, last),) = found.t_moc.ranges
    assert (last - first) / 1e6 == pytest.approx(1682, abs=2.2)


@pytest.mark.parametrize(
    "header",
    [
        {"MJDREFI": 51910.0, "TIMESYS": "tt", "EQUINOX": " "},
        {"MJDREFI": None, "MJDREFF": None, "MJDREF": 51910.000742870370370241},
        {"MJDREFI": "51910", "MJDREFF": "0.000742870370370241", "TIMEUNIT": None, "TIMEREF": None},
        {"TIMESYS": "TAI", "MJDREFF": 0.000742870370370241 - 32.184 / 86400},
    ],
)
def test_the_same_time_in_other_spellings(tmp_path: Path, header: dict[str, Any]) -> None:
    found = with_header(tmp_path, **header)
    assert abs(found.t_start - 53090 - (2 * 3600 + 56 * 60 + 42) / 86400) * 86400 < 2e-6 + 1e-5 * (
        "MJDREF" in header
    )


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("POINTING", ("sidereal", None)),
        ("WOBBLE", ("sidereal", None)),
        ("wobble", ("sidereal", None)),
        ("ON", ("sidereal", "on-source")),
        ("OFF", ("sidereal", "on-off")),
        ("RASTER", ("sidereal", "raster-map")),
        ("SCAN", ("sidereal", None)),
        ("SLEW", ("none", "slew")),
        ("DRIFT", ("fixed-az-el-transit", None)),
        ("MOONWATCH", (None, None)),
        (None, (None, None)),
    ],
)
def test_obs_mode(tmp_path: Path, mode: str | None, expected: tuple[str | None, str | None]) -> None:
    found = with_header(tmp_path, OBS_MODE=mode)
    assert (found.obs_mode, (found.tracking_mode, found.scan_mode)) == (mode, expected)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"CONV_DEP": 0}, "parallel"),
        ({"CONV_DEP": 1.5}, None),
        ({}, None),
        ({"CONV_DEP": 0, "OBS_MODE": "DRIFT"}, None),
    ],
)
def test_pointing_mode(tmp_path: Path, header: dict[str, Any], expected: str | None) -> None:
    assert with_header(tmp_path, **header).pointing_mode == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"EV_CLASS": "std", "ANA_VER": 8}, "std"),
        ({"ANA_VER": 8}, "8"),
        ({}, None),
    ],
)
def test_analysis_mode(tmp_path: Path, header: dict[str, Any], expected: str | None) -> None:
    assert with_header(tmp_path, **header).analysis_mode == expected


def test_fk5_positions_become_icrs(tmp_path: Path) -> None:
    found = with_header(tmp_path, RADECSYS="FK5", RA_PNT=-131.3875)
    expected = SkyCoord(228.6125, -58.7717, unit="deg", frame=FK5(equinox="J2000")).icrs
    assert (found.ra_pnt, found.dec_pnt) == pytest.approx((expected.ra.deg, expected.dec.deg), abs=1e-9)
    assert found.ra_pnt != pytest.approx(228.6125, abs=1e-6)


@pytest.mark.parametrize("keyword", ["RADECSYS", "RADESYS"])
def test_right_ascension_is_normalised(tmp_path: Path, keyword: str) -> None:
    found = with_header(tmp_path, **{"RADECSYS": None, keyword: "ICRS", "RA_PNT": -1.5})
    assert found.ra_pnt == 358.5


def test_places_and_heights_as_texts_or_with_units_in_comments(tmp_path: Path) -> None:
    found = with_header(tmp_path, GEOLON="-67d40m35.37387601s", GEOLAT="-22.5", ALTITUDE="4780 m")
    assert found.geolon == pytest.approx(-67.676493, abs=1e-6)
    assert (found.geolat, found.altitude) == (-22.5, 4780.0)
    kilometres = with_header(tmp_path / "km", ALTITUDE=(2.15, "[km] Altitude of array centre"))
    assert kilometres.altitude == pytest.approx(2150)


def test_text_identifiers_and_creation_dates_as_hawc_writes_them(tmp_path: Path) -> None:
    found = facts(tmp_path, obs_id="chunks 103 - 133", header={"CREATED": "Wed Jan  6 04:47:56 2021"})
    assert (found.obs_id, found.created) == ("chunks 103 - 133", "2021-01-06T04:47:56")


def test_without_good_times(tmp_path: Path) -> None:
    found = facts(tmp_path, gtis=None, header={"LIVETIME": None, "ONTIME": None})
    assert (found.gtis, found.exposure) == (None, None)
    ((first, last),) = found.t_moc.ranges
    assert (last - first) / 1e6 == pytest.approx(1682, abs=2.2)


def test_exposure_falls_back_to_the_sum_of_good_times(tmp_path: Path) -> None:
    gtis = [(TSTART, TSTART + 100), (TSTART + 200, TSTART + 250.5)]
    found = facts(tmp_path, gtis=gtis, header={"LIVETIME": None, "ONTIME": None})
    assert found.exposure == 150.5
    assert found.gtis is not None
    assert np.ptp(np.array(found.gtis), axis=1) * 86400 == pytest.approx([100, 50.5], abs=1e-5)
    assert len(found.t_moc.ranges) == 2


def test_time_in_two_good_times_is_exposed_once(tmp_path: Path) -> None:
    gtis = [
        (TSTART + 50, TSTART + 120),
        (TSTART, TSTART + 100),
        (TSTART + 10, TSTART + 20),
        (TSTART + 200,) * 2,
    ]
    found = facts(tmp_path, gtis=gtis, header={"LIVETIME": None, "ONTIME": None})
    assert found.exposure == 120.0


def test_thousands_of_good_times(tmp_path: Path) -> None:
    starts = TSTART + np.arange(20_000) * 400.0
    gtis = list(zip(starts, starts + 200, strict=True))
    found = facts(tmp_path, gtis=gtis, header={"TSTOP": gtis[-1][1], "OBS_MODE": "DRIFT"})
    assert found.gtis is not None
    assert len(found.gtis) == 20_000
    assert found.t_moc.order == 31


def test_good_times_may_have_a_reference_of_their_own(tmp_path: Path) -> None:
    header = {**TIME_HEADER, "MJDREFI": 51909}
    found = facts(tmp_path, gtis=[(TSTART + 86400, TSTOP + 86400)], gti_header=header)
    assert found.gtis is not None
    assert found.gtis[0] == pytest.approx((found.t_start, found.t_stop), abs=1e-11)


def test_start_and_stop_fall_back_to_good_times_then_to_events(tmp_path: Path) -> None:
    missing = {"TSTART": None, "TSTOP": None}
    by_gti = facts(tmp_path / "a", header=missing, gtis=[(TSTART, TSTART + 10), (TSTART + 20, TSTART + 30)])
    assert (by_gti.tstart, by_gti.tstop) == (TSTART, TSTART + 30)
    by_events = facts(tmp_path / "b", header=missing, gtis=None)
    assert (by_events.tstart, by_events.tstop) == (TSTART + 1, TSTOP - 1)


def test_no_events_is_a_valid_list(tmp_path: Path) -> None:
    found = facts(tmp_path, events=0)
    assert (found.n_events, found.event_energy_min, found.event_energy_max) == (0, None, None)
    assert found.energy_min is not None


@pytest.mark.parametrize(("unit", "factor"), [("GeV", 1e3), ("MeV", 1e6), (None, 1)])
def test_energies_in_other_units(tmp_path: Path, unit: str | None, factor: float) -> None:
    column = fits.Column("ENERGY", "1D", unit=unit, array=np.geomspace(0.2, 40, 50) * factor)
    found = facts(tmp_path, columns={"ENERGY": column})
    assert found.event_energy_max == pytest.approx(40e12)


def test_without_energies(tmp_path: Path) -> None:
    found = facts(tmp_path, columns={"ENERGY": None})
    assert (found.o_ucd, found.event_energy_min) == ("pos.eq#time", None)


def test_odd_energies_do_not_count(tmp_path: Path) -> None:
    energies = np.array([np.nan, -1, 0, 2, 3, np.inf])
    column = fits.Column("ENERGY", "1E", unit="TeV", array=energies)
    found = facts(tmp_path, events=6, columns={"ENERGY": column})
    assert (found.event_energy_min, found.event_energy_max) == (2e12, 3e12)


def test_columns_are_described(tmp_path: Path) -> None:
    path = write_dl3(tmp_path / "run.fits")
    with fits.open(path, mode="update") as hdus:
        hdus["EVENTS"].header.comments["TTYPE3"] = "reconstructed right ascension"
    (source,) = find_release(path).sources
    columns = {c.name: c for c in read(source).columns}
    assert (columns["RA"].format, columns["RA"].unit) == ("1E", "deg")
    assert columns["RA"].description == "reconstructed right ascension"
    assert columns["ENERGY"].description is None


def test_point_like_data_with_a_table_of_cuts(tmp_path: Path) -> None:
    """As MAGIC writes: RAD_MAX instead of a PSF, one offset bin."""
    found = facts(tmp_path, psf=None, rad_max=0.1, theta=[(0.39, 0.41)])
    assert (found.psf, found.rad_max) == (None, Resolution(0.1, 1e12, 0.4))
    assert found.edisp is not None
    assert found.edisp.offset == 0.4


def test_point_like_data_with_one_cut(tmp_path: Path) -> None:
    found = facts(tmp_path, psf=None, aeff_header={"RAD_MAX": 0.1414})
    assert found.rad_max == Resolution(0.1414, 1e12, 0.5)


def test_the_reference_may_be_chosen(tmp_path: Path) -> None:
    found = facts(tmp_path, ReadOptions(reference_energy=10.0, reference_offset=2.0, tmoc_order=36))
    assert found.psf is not None
    assert (found.psf.energy, found.psf.offset) == (1e13, 2.0)
    assert found.psf.value == pytest.approx(2.3548 * psf_sigma(2.0) * 3600, rel=2e-3)
    assert found.t_moc.order == 36


def test_names_are_recognised_by_class_or_name(tmp_path: Path) -> None:
    names = {"EVENTS": None, "AEFF": "area", "PSF": "POINT SPREAD FUNCTION", "GTI": "good times"}
    found = facts(tmp_path, names=names)
    assert {kind: at.hdu for kind, at in found.products.items()} == {
        "events": 1,
        "gti": "good times",
        "aeff": "area",
        "edisp": "EDISP",
        "psf": "POINT SPREAD FUNCTION",
    }


def test_responses_in_another_file_and_good_times_beside_the_events(tmp_path: Path) -> None:
    write_dl3(tmp_path / "run.fits.gz", Habits(irfs=False))
    write_irfs(tmp_path / "irf.fits")
    rows = [*index_rows(5, "run.fits.gz", ["events"]), *index_rows(5, "irf.fits", ["aeff", "psf"])]
    write_hdu_index(tmp_path / "hdu-index.fits", rows)
    (source,) = find_release(tmp_path).sources
    found = read(source)
    assert (found.obs_id, found.fov) == ("5", 5.0)
    assert found.gtis is not None
    assert found.psf is not None
    assert found.edisp is None
    sizes = {f.path.name: f.size for f in found.files}
    assert sizes == {name: (tmp_path / name).stat().st_size for name in ("run.fits.gz", "irf.fits")}


def test_the_index_row_fills_what_the_header_does_not_say_but_never_the_times(tmp_path: Path) -> None:
    write_dl3(tmp_path / "run.fits", Habits(header={"OBJECT": None, "N_TELS": None}))
    write_hdu_index(tmp_path / "hdu-index.fits", index_rows(20136, "run.fits", ["events"]))
    row = {
        "obs_id": 20136,
        "object": "From the index",
        "n_tels": 3,
        "tstart": np.float32(TSTART),
        "extra": "x",
        "event_type": "best",
    }
    write_table(tmp_path / "obs-index.fits", [row])
    found = read(find_release(tmp_path).sources[0])
    assert (found.target, found.n_tels, found.event_type) == ("From the index", 3, "best")
    index = found.obs_index
    assert (index["tstart"], index["tstop"], index["extra"]) == (TSTART, TSTOP, "x")
    assert (index["livetime"], index["obs_mode"], index["event_count"]) == (1521.0, "POINTING", 50)
    assert (index["event_time_min"], index["event_time_max"]) == (TSTART + 1, TSTOP - 1)


def test_without_an_index_the_header_gives_the_row(tmp_path: Path) -> None:
    index = facts(tmp_path, header={"DATE_OBS": "2004-03-26", "TIME_OBS": "02:57:46.184"}).obs_index
    assert (index["date-obs"], index["time-obs"], index["obs_id"]) == ("2004-03-26", "02:57:46.184", 20136)


@pytest.mark.parametrize(
    "header",
    [
        {"DATE-OBS": "2004-03-26", "TIME-OBS": "02:57:46.184"},
        {"DATE_OBS": "2004-03-26", "TIME_OBS": "02:56:42"},
        {"DATE-OBS": "2004-03-26T02:56:42.000"},
        {"DATE-OBS": "2004-03-26"},
        {"DATE-OBS": "someday"},
    ],
)
def test_dates_that_agree_are_no_problem(tmp_path: Path, header: dict[str, Any]) -> None:
    assert with_header(tmp_path, **header).problems == ()


def test_dates_that_contradict_the_times_are(tmp_path: Path) -> None:
    (problem,) = with_header(tmp_path, **{"DATE-OBS": "2005-03-26T02:56:42"}).problems
    assert (problem.where, problem.fatal) == ("EVENTS DATE-OBS", False)
    assert "2004-03-26T02:56:42 UTC" in problem.message


def test_drifting_instruments_have_the_footprint_of_their_maps(tmp_path: Path) -> None:
    edges = np.geomspace(0.1, 100, 13)
    rad = np.linspace(0, 3, 301)
    profile = np.exp(-0.5 * ((rad[1:] + rad[:-1]) / 2 / 0.3) ** 2)
    reco = np.geomspace(0.01, 1000, 501)
    spread = np.exp(
        -0.5 * ((np.sqrt(reco[1:] * reco[:-1]) / np.sqrt(edges[1:] * edges[:-1])[:, None] - 1) / 0.2) ** 2
    )
    spread *= np.diff(reco)
    write_map(tmp_path / "aeff.fits.gz", "AEFF", [("ENERGY_TRUE", edges)], np.where(edges[:-1] > 0.3, 1e6, 0))
    write_map(tmp_path / "psf.fits", "PSF", [("RAD", rad), ("ENERGY_TRUE", edges)], np.tile(profile, (12, 1)))
    write_map(tmp_path / "edisp.fits", "EDISP", [("E", reco), ("ENERGY_TRUE", edges)], spread)
    no_pointing = {"OBS_MODE": "DRIFT", "RA_PNT": None, "DEC_PNT": None, "TIMESYS": "TAI"}
    write_dl3(tmp_path / "run.fits.gz", Habits(irfs=False, header=no_pointing))
    rows = [*index_rows(1, "run.fits.gz", ["events", "gti"])]
    for kind, name in (("aeff", "aeff.fits.gz"), ("psf", "psf.fits"), ("edisp", "edisp.fits")):
        rows += index_rows(1, name, [kind], hdu_class="map")
    write_hdu_index(tmp_path / "hdu-index.fits", rows)
    found = read(find_release(tmp_path).sources[0])
    assert found.problems == ()
    assert (found.ra_pnt, found.t_moc.order) == (None, 31)
    assert found.region is not None
    assert (found.region.ra, found.region.dec) == pytest.approx((83.6, 22.0))
    assert found.fov == found.region.diameter == pytest.approx(14.13, abs=0.05)
    corners = SkyCoord(found.region.vertices, unit="deg")
    assert corners.separation(SkyCoord(83.6, 22, unit="deg")).deg.max() == pytest.approx(found.fov / 2)
    assert found.energy_min == pytest.approx(edges[edges[:-1].searchsorted(0.3)] * 1e12)
    assert found.psf is not None
    assert found.psf.value == pytest.approx(2.3548 * 0.3 * 3600, rel=0.01)
    assert found.psf.offset is None
    assert found.edisp is not None
    assert found.edisp.value == pytest.approx(1 / (0.99446 * 0.2), rel=0.05)


def test_reading_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = with_header(tmp_path, RADECSYS="FK5", HDUVERS="x" * 60)
    assert found.n_events == 50
    assert capfd.readouterr() == ("", "")


def test_events_as_arrays(tmp_path: Path) -> None:
    (source,) = find_release(write_dl3(tmp_path / "run.fits", Habits(header={"RADECSYS": "FK5"}))).sources
    events = read_events(source)
    raw = fits.getdata(source.path, "EVENTS")
    assert events.event_id is not None
    assert events.event_id.tolist() == raw["EVENT_ID"].tolist()
    assert np.array_equal(events.time, raw["TIME"])
    expected = SkyCoord(raw["RA"].astype(float), raw["DEC"].astype(float), unit="deg", frame="fk5").icrs
    assert np.abs(events.ra - expected.ra.deg).max() < 1e-9
    assert np.abs(events.dec - expected.dec.deg).max() < 1e-9
    reference = Time(51910, 0.000742870370370241, format="mjd", scale="tt")
    times = Time(reference.jd1, reference.jd2 + raw["TIME"] / 86400, format="jd", scale="tt").utc
    assert np.abs(events.time_mjd - times.mjd).max() * 86400 < 2e-6
    assert events.energy == pytest.approx(raw["ENERGY"])


def test_further_columns_come_as_found(tmp_path: Path) -> None:
    bits = np.zeros((50, 32), dtype=bool)
    bits[:, 30] = True
    columns = {
        "EVENT_ID": fits.Column("EVENT_ID", "1J", bzero=2**31, array=np.arange(50, dtype=np.uint32) + 2**31),
        "ra": fits.Column("ra", "1D", array=np.full(50, 7.0)),
        "EVENT_TYPE": fits.Column("EVENT_TYPE", "32X", array=bits),
        "NAME": fits.Column("NAME", "8A", array=["gamma "] * 50),
        "MULTI": fits.Column("MULTI", "3E", unit="m", array=np.ones((50, 3))),
        "GOOD": fits.Column("GOOD", "L", array=np.arange(50) % 2 == 0),
        "LIST": fits.Column("LIST", "PJ()", array=np.array([[1]] * 50, dtype=object)),
    }
    (source,) = find_release(write_dl3(tmp_path / "run.fits", Habits(columns=columns))).sources
    events = read_events(source)
    assert events.event_id is not None
    assert events.event_id.tolist() == list(range(2**31, 2**31 + 50))
    others = {a.name: a for a in events.others}
    assert list(others) == ["ra", "EVENT_TYPE", "NAME", "MULTI", "GOOD"]
    assert set(others["ra"].values.tolist()) == {7.0}
    assert set(others["EVENT_TYPE"].values.tolist()) == {2}
    assert set(others["NAME"].values.tolist()) == {"gamma"}
    assert (others["MULTI"].values.shape, others["MULTI"].unit) == ((50, 3), "m")
    assert others["GOOD"].values.tolist()[:2] == [True, False]
    assert events.ra.max() > 200


def test_checksum(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 100_000)
    assert file_checksum(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("theta", "expected"),
    [([(0.0, 0.0)], None), ([(0.0, 181.0)], None), ([(0.0, 180.0)], 360.0), ([(0.0, 1.5)], 3.0)],
)
def test_field_of_view(tmp_path: Path, theta: list[tuple[float, float]], expected: float | None) -> None:
    found = facts(tmp_path, theta=theta)
    assert found.fov == expected
    beyond = theta[0][1] > 180
    assert {p.where for p in found.problems} == (
        {f"{name} column THETA_HI" for name in ("AEFF", "EDISP", "PSF")} if beyond else set()
    )
    assert not any(p.fatal for p in found.problems)


def test_energies_from_zero_have_no_lower_bound(tmp_path: Path) -> None:
    path = write_dl3(tmp_path / "run.fits")
    with fits.open(path, mode="update") as hdus:
        hdus["AEFF"].data["ENERG_LO"][0, 0] = 0
        hdus["AEFF"].data["EFFAREA"][0, :, 0] = 1
    found = read(find_release(path).sources[0])
    assert found.energy_min is None
    assert found.energy_max == pytest.approx(50e12, rel=0.3)
