"""Real releases through real clients: what TAP answers is what astropy reads in the files."""

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
import pyvo
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time

HC = 1.2398419843320026e-6  # eV m


@pytest.fixture(scope="module")
def tap(archive: str) -> pyvo.dal.TAPService:
    return pyvo.dal.TAPService(f"{archive}/tap")


@pytest.fixture(scope="module")
def headers(shared_data: Path) -> dict[str, dict[str, fits.Header]]:
    """Headers of the H.E.S.S. files by obs_id and HDU."""
    found = {}
    for path in sorted((shared_data / "hess-dl3-dr1/data").glob("*.fits.gz")):
        with fits.open(path) as hdus:
            found[str(hdus["EVENTS"].header["OBS_ID"])] = {h.name: h.header for h in hdus[1:]}
    return found


def column(tap: pyvo.dal.TAPService, query: str) -> list[object]:
    """The first column of a result."""
    table = tap.search(query).to_table()
    return list(table[table.colnames[0]])


HESS = "obs_collection = 'HESS-DL3-DR1'"


def test_counts(tap: pyvo.dal.TAPService) -> None:
    assert column(tap, f"SELECT COUNT(*) FROM ivoa.obscore WHERE {HESS}") == [105]
    joined = f"SELECT SUM(ev_xel) FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea WHERE {HESS}"
    assert column(tap, joined) == [1046156]
    assert column(tap, "SELECT COUNT(*) FROM hess_dr.events") == [1046156]
    assert column(tap, "SELECT COUNT(*) FROM ivoa.obscore WHERE obs_collection = 'cta-1dc'") == [4]


@pytest.mark.parametrize(
    "condition",
    [
        "CONTAINS(POINT(s_ra, s_dec), CIRCLE(83.633, 22.014, 2)) = 1",
        "1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.633, 22.014, 2))",
        "DISTANCE(POINT(s_ra, s_dec), POINT(83.633, 22.014)) < 2",
        "DISTANCE(s_ra, s_dec, 83.633, 22.014) <= 2",
        "CONTAINS(POINT(83.633, 22.014), s_region) = 1",
    ],
)
def test_crab_runs(tap: pyvo.dal.TAPService, condition: str) -> None:
    runs = column(tap, f"SELECT obs_id FROM ivoa.obscore WHERE {condition} ORDER BY obs_id")
    assert runs == ["23523", "23526", "23559", "23592"]


def test_times_are_utc_to_a_millisecond(tap: pyvo.dal.TAPService) -> None:
    (t_min,) = column(tap, "SELECT t_min FROM ivoa.obscore WHERE obs_id = '20136'")
    expected = Time("2004-03-26T02:56:42.000", scale="utc")
    assert expected.tt.isot == "2004-03-26T02:57:46.184"
    assert abs(Time(t_min, format="mjd", scale="utc") - expected) < 1 * u.ms


def test_every_start_and_stop(tap: pyvo.dal.TAPService, headers: dict[str, dict[str, fits.Header]]) -> None:
    table = tap.search(f"SELECT obs_id, t_min, t_max FROM ivoa.obscore WHERE {HESS}").to_table()
    assert len(table) == len(headers) == 105
    for row in table:
        h = headers[row["obs_id"]]["EVENTS"]
        for key, mjd in (("TSTART", row["t_min"]), ("TSTOP", row["t_max"])):
            stated = Time(h["MJDREFI"], h["MJDREFF"] + h[key] / 86400, format="mjd", scale="tt")
            assert abs(Time(mjd, format="mjd", scale="utc") - stated) < 1 * u.ms


def test_positions_are_icrs(tap: pyvo.dal.TAPService, headers: dict[str, dict[str, fits.Header]]) -> None:
    table = tap.search(f"SELECT obs_id, s_ra, s_dec, s_fov FROM ivoa.obscore WHERE {HESS}").to_table()
    for row in table:
        h = headers[row["obs_id"]]["EVENTS"]
        stated = SkyCoord(h["RA_PNT"], h["DEC_PNT"], unit="deg", frame="fk5", equinox="J2000").icrs
        assert stated.separation(SkyCoord(row["s_ra"], row["s_dec"], unit="deg")) < 1 * u.mas
        assert row["s_fov"] == 5


def test_energies_are_the_thresholds_and_agree_with_wavelengths(
    tap: pyvo.dal.TAPService, headers: dict[str, dict[str, fits.Header]]
) -> None:
    table = tap.search(
        "SELECT obs_id, em_min, em_max, energy_min, energy_max"
        f" FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea WHERE {HESS}"
    ).to_table()
    assert table["energy_min"].unit == u.eV
    assert table["em_min"].unit == u.m
    for row in table:
        aeff = headers[row["obs_id"]]["AEFF"]
        assert row["energy_min"] == pytest.approx(aeff["LO_THRES"] * 1e12, rel=1e-12)
        assert row["energy_max"] == pytest.approx(aeff["HI_THRES"] * 1e12, rel=1e-12)
        assert row["em_min"] * row["energy_max"] == pytest.approx(HC, rel=1e-12)
        assert row["em_max"] * row["energy_min"] == pytest.approx(HC, rel=1e-12)


def test_events_are_those_of_the_file(tap: pyvo.dal.TAPService, shared_data: Path) -> None:
    query = (
        "SELECT event_id, time_mjd, ra, dec, energy FROM hess_dr.events"
        " WHERE obs_id = '23523' ORDER BY event_id"
    )
    found = tap.search(query, maxrec=20000).to_table()
    with fits.open(shared_data / "hess-dl3-dr1/data/hess_dl3_dr1_obs_id_023523.fits.gz") as hdus:
        h, data = hdus["EVENTS"].header, hdus["EVENTS"].data
        order = np.argsort(data["EVENT_ID"])
        ra, dec = (data[name][order].astype(float) for name in ("RA", "DEC"))
        sky = SkyCoord(ra, dec, unit="deg", frame="fk5").icrs
        times = Time(h["MJDREFI"], h["MJDREFF"] + data["TIME"][order] / 86400, format="mjd", scale="tt")
        energies = data["ENERGY"][order]
    assert len(found) == len(order)
    assert SkyCoord(found["ra"], found["dec"], unit="deg").separation(sky).max() < 1 * u.mas
    assert abs(Time(found["time_mjd"], format="mjd", scale="utc") - times).max() < 1 * u.us
    np.testing.assert_allclose(found["energy"], energies, rtol=1e-6)


def test_response_functions_in_another_file(tap: pyvo.dal.TAPService) -> None:
    table = tap.search(
        "SELECT obs_id, s_fov, s_resolution, em_res_power, energy_min, energy_max, tracking_mode, o_ucd"
        " FROM cta_1dc.obscore ORDER BY obs_id"
    ).to_table()
    assert list(table["obs_id"]) == ["110380", "111140", "111159", "111630"]
    assert set(table["s_fov"]) == {12.0}
    assert 200 < table["s_resolution"][0] < 400  # arcsec, at 1 TeV
    assert 5 < table["em_res_power"][0] < 20
    assert table["energy_min"][0] == pytest.approx(1.2589e10, rel=1e-3)
    assert np.ma.is_masked(table["tracking_mode"][0]) or table["tracking_mode"][0] == ""
    assert set(table["o_ucd"]) == {"pos.eq#time#em.energy"}


def test_access_url_delivers_the_file(tap: pyvo.dal.TAPService, tmp_path: Path) -> None:
    (url,) = column(tap, "SELECT access_url FROM ivoa.obscore WHERE obs_id = '23523'")
    with fits.open(url, cache=False) as hdus:
        assert hdus["EVENTS"].header["OBS_ID"] == 23523


def test_an_error_says_where_and_what_instead(tap: pyvo.dal.TAPService) -> None:
    with pytest.raises(pyvo.dal.DALQueryError, match=r"unknown column s_rra.*line 1, column 8(.|\n)*s_ra"):
        tap.search("SELECT s_rra FROM ivoa.obscore")
