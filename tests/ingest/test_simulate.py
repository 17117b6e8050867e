"""The simulated release, judged with astropy against GADF 0.3 and against its own response functions."""

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_sun
from astropy.io import fits
from astropy.time import Time
from astropy.utils import iers

from ingest.simulate import MAX_OBSERVATIONS, simulate_release
from schema.collection import read_collection

HDUCLAS4 = {"aeff_2d": "AEFF_2D", "edisp_2d": "EDISP_2D", "psf_table": "PSF_TABLE", "bkg_3d": "BKG_3D"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five observations: every source, and all that is special about some of them."""
    return simulate_release(tmp_path_factory.mktemp("simulated") / "release", observations=5, seed=7)


@pytest.fixture(scope="module")
def observations(release: Path) -> Iterator[list[fits.HDUList]]:
    opened = [fits.open(path, checksum=True) for path in sorted((release / "data").iterdir())]
    yield opened
    for hdus in opened:
        hdus.close()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with iers.conf.set_temp("auto_download", False):
        yield


def mjd_reference(header: fits.Header) -> Time:
    return Time(header["MJDREFI"], header["MJDREFF"], format="mjd", scale=header["TIMESYS"].lower())


def axis(hdu: fits.BinTableHDU, name: str) -> tuple[np.ndarray, np.ndarray]:
    low, high = (hdu.data[f"{name}_{end}"][0].astype(float) for end in ("LO", "HI"))
    assert np.array_equal(low[1:], high[:-1])
    return low, high


def test_hdu_index_finds_every_table(release: Path) -> None:
    index = fits.getdata(release / "hdu-index.fits.gz", "HDU_INDEX")
    assert sorted(set(index["HDU_TYPE"])) == ["aeff", "bkg", "edisp", "events", "gti", "psf"]
    assert len(index) == 5 * 6
    for row in index:
        path = release / row["FILE_DIR"] / row["FILE_NAME"]
        header = fits.getheader(path, row["HDU_NAME"])
        assert row["SIZE"] == path.stat().st_size
        assert row["MD5"] == hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        assert header["HDUCLASS"] == "GADF"
        assert header["HDUVERS"] == "0.3"
        assert header.get("HDUCLAS4") == HDUCLAS4.get(row["HDU_CLASS"])
        assert header.get("OBS_ID", row["OBS_ID"]) == row["OBS_ID"]


def test_obs_index_repeats_the_headers(release: Path, observations: list[fits.HDUList]) -> None:
    index = fits.getdata(release / "obs-index.fits.gz", "OBS_INDEX")
    assert list(index["TSTART"]) == sorted(index["TSTART"])
    for row, hdus in zip(index, observations, strict=True):
        header = hdus["EVENTS"].header
        for name in ("OBS_ID", "OBJECT", "RA_PNT", "DEC_PNT", "TSTART", "TSTOP", "LIVETIME", "TELLIST"):
            assert row[name] == header[name]
        assert f"{row['DATE-OBS']}T{row['TIME-OBS']}" == header["DATE-OBS"]
        assert row["EVENT_COUNT"] == header["NAXIS2"]
        assert row["ZEN_PNT"] + row["ALT_PNT"] == pytest.approx(90.0, abs=1e-5)


def test_everything_says_that_it_is_simulated(release: Path) -> None:
    paths = sorted(release.rglob("*.fits.gz"))
    assert len(paths) == 7
    for path in paths:
        with fits.open(path, checksum=True) as hdus:
            for hdu in hdus:
                assert hdu.header["SIMULATED"] is True
                assert hdu.header["TELESCOP"] == "SIMULATED"
                assert hdu.header["INSTRUME"] == "Simulated Cherenkov array"
                assert hdu.header["ORIGIN"] == "vo-server demo-data (simulated)"
                assert "SIMULATED DATA" in str(hdu.header["COMMENT"])
                assert hdu.header.get("OBJECT", "Simulated").startswith("Simulated")
    assert "NOTHING IN THIS DIRECTORY WAS OBSERVED" in (release / "README.txt").read_text("utf-8")


def test_collection_file_is_read(release: Path) -> None:
    collection = read_collection(release / "collection.toml")
    assert (collection.name, collection.schema, collection.licence) == (
        "SIMULATED-DL3",
        "simulated",
        "CC0-1.0",
    )
    assert collection.simulated
    assert collection.events
    assert collection.facility is None
    assert all("imulated" in text for text in (collection.title, collection.terms or ""))
    assert "SIMULATED" in collection.description


def test_times_agree(observations: list[fits.HDUList]) -> None:
    for hdus in observations:
        header, gti, time = hdus["EVENTS"].header, hdus["GTI"].data, hdus["EVENTS"].data["TIME"]
        reference = mjd_reference(header)
        assert abs((reference - Time("2020-01-01", scale="utc")).sec) < 1e-6
        for date, seconds in (("DATE-OBS", "TSTART"), ("DATE-END", "TSTOP")):
            stated = Time(header[date], scale="tt")
            assert abs((stated - (reference + header[seconds] * u.s)).sec) < 1e-3
        assert header["ONTIME"] == (gti["STOP"] - gti["START"]).sum()
        assert header["LIVETIME"] == pytest.approx(header["DEADC"] * header["ONTIME"])
        assert 0.95 <= header["DEADC"] <= 0.97
        assert (gti["START"][0], gti["STOP"][-1]) == (header["TSTART"], header["TSTOP"])
        assert np.all(np.diff(time) >= 0)
        good = (time[:, None] >= gti["START"]) & (time[:, None] <= gti["STOP"])
        assert np.array_equal(good.sum(axis=1), np.ones(time.size))
        assert np.all(good.sum(axis=0) > 200)


def test_some_observations_are_special(observations: list[fits.HDUList]) -> None:
    assert [len(hdus["GTI"].data) for hdus in observations] == [1, 2, 1, 3, 1]
    headers = [hdus["EVENTS"].header for hdus in observations]
    assert [header["N_TELS"] for header in headers] == [4, 4, 3, 4, 4]
    assert headers[2]["TELLIST"] == "1,2,4"
    assert {header["OBJECT"] for header in headers} == {
        "Simulated Crab-like source",
        "Simulated extragalactic source",
        "Simulated northern source",
        "Simulated off field",
    }
    assert any(header["RA_OBJ"] > 359.0 and header["RA_PNT"] < 1.0 for header in headers)
    assert any(header["DEC_PNT"] > 85.0 for header in headers)
    for header in headers:
        pointing = SkyCoord(header["RA_PNT"], header["DEC_PNT"], unit="deg")
        offset = pointing.separation(SkyCoord(header["RA_OBJ"], header["DEC_OBJ"], unit="deg")).deg
        assert offset == pytest.approx(0.0 if "off field" in header["OBJECT"] else 0.5, abs=1e-9)


def test_sources_are_high_in_a_dark_sky(observations: list[fits.HDUList]) -> None:
    for hdus in observations:
        header = hdus["EVENTS"].header
        site = EarthLocation.from_geodetic(
            header["GEOLON"] * u.deg, header["GEOLAT"] * u.deg, header["ALTITUDE"] * u.m
        )
        seconds = np.array([header["TSTART"], 0.5 * (header["TSTART"] + header["TSTOP"]), header["TSTOP"]])
        times = mjd_reference(header) + seconds * u.s
        frame = AltAz(obstime=times, location=site)
        pointing = SkyCoord(header["RA_PNT"], header["DEC_PNT"], unit="deg").transform_to(frame)
        assert np.all(pointing.alt.deg > 40.0)
        assert pointing.alt.deg[1] == pytest.approx(header["ALT_PNT"], abs=1e-3)
        assert pointing.az.deg[1] == pytest.approx(header["AZ_PNT"], abs=1e-3)
        assert np.all(get_sun(times).transform_to(frame).alt.deg < -18.0)


def test_events_lie_in_the_field_of_view(observations: list[fits.HDUList]) -> None:
    identifiers = np.concatenate([hdus["EVENTS"].data["EVENT_ID"] for hdus in observations])
    assert identifiers.dtype.kind + str(identifiers.dtype.itemsize) == "i8"
    assert np.unique(identifiers).size == identifiers.size
    for hdus in observations:
        header, events = hdus["EVENTS"].header, hdus["EVENTS"].data
        assert [events.columns[name].format for name in ("TIME", "RA", "DEC", "ENERGY")] == [
            "D",
            "E",
            "E",
            "E",
        ]
        pointing = SkyCoord(header["RA_PNT"], header["DEC_PNT"], unit="deg")
        position = SkyCoord(events["RA"], events["DEC"], unit="deg")
        assert position.separation(pointing).deg.max() < 2.5
        field = position.transform_to(pointing.skyoffset_frame())
        assert -field.lon.wrap_at(180 * u.deg).deg == pytest.approx(events["DETX"], abs=5e-4)
        assert field.lat.deg == pytest.approx(events["DETY"], abs=5e-4)
        assert set(events["MULTIP"]) == set(range(2, header["N_TELS"] + 1))


def test_energies_are_mostly_within_the_thresholds(observations: list[fits.HDUList]) -> None:
    for hdus in observations:
        energy, header = hdus["EVENTS"].data["ENERGY"], hdus["EFFECTIVE AREA"].header
        inside = (energy > header["LO_THRES"]) & (energy < header["HI_THRES"])
        assert 1000 < energy.size < 10_000
        assert inside.mean() > 0.6
        assert energy.min() > 0.01
        assert np.median(energy) < 1.0


def test_effective_area_has_a_threshold_and_falls_off(observations: list[fits.HDUList]) -> None:
    lowest_zenith = max(observations, key=lambda hdus: hdus["EVENTS"].header["ALT_PNT"])
    for hdus in observations:
        hdu = hdus["EFFECTIVE AREA"]
        area = hdu.data["EFFAREA"][0].T
        low, _ = axis(hdu, "ENERG")
        assert np.all(np.diff(area, axis=1) < 0)
        assert np.all(np.diff(area[:, 0]) > 0)
        below, above = low < 0.99 * hdu.header["LO_THRES"], low > 0.99 * hdu.header["LO_THRES"]
        assert area[below, 0].max() < 0.1 * area[:, 0].max() <= area[above, 0].min()
        assert 1e5 < area[:, 0].max() < 1e6
        assert hdu.header["LO_THRES"] >= lowest_zenith["EFFECTIVE AREA"].header["LO_THRES"]


def test_dispersions_are_normalised_and_of_the_right_width(observations: list[fits.HDUList]) -> None:
    hdus = observations[0]
    threshold = hdus["EFFECTIVE AREA"].header["LO_THRES"]
    low, high = axis(hdus["EDISP"], "MIGRA")
    energies = np.sqrt(np.prod(axis(hdus["EDISP"], "ENERG"), axis=0))
    probability = hdus["EDISP"].data["MATRIX"][0].T * (high - low)[None, :, None]
    assert probability.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    middle = 0.5 * (low + high)[None, :, None]
    mean = (probability * middle).sum(axis=1, keepdims=True)
    width = np.sqrt((probability * (middle - mean) ** 2).sum(axis=1, keepdims=True)) / mean
    usable = energies > 2.0 * threshold
    assert np.all((width[usable] > 0.115) & (width[usable] < 0.16))
    assert np.all(np.abs(mean[energies > 5.0] - 1.0) < 0.02)
    assert np.all(mean[energies < threshold] > 1.1)

    low, high = axis(hdus["PSF"], "RAD")
    ring = 2.0 * np.pi * (np.cos(np.radians(low)) - np.cos(np.radians(high)))
    contained = np.cumsum(hdus["PSF"].data["RPSF"][0].T * ring, axis=2)
    assert contained[:, :, -1] == pytest.approx(1.0, abs=1e-5)
    radius = np.array([np.interp(0.68, row, high) for row in contained[:, 0]])
    assert np.all(np.diff(radius) <= 0)
    assert radius[energies.searchsorted(threshold)] == pytest.approx(0.1, abs=0.015)
    assert radius[energies.searchsorted(20.0)] == pytest.approx(0.05, abs=0.01)


def test_background_is_drawn_from_its_table(observations: list[fits.HDUList]) -> None:
    (off,) = (hdus for hdus in observations if "off field" in hdus["EVENTS"].header["OBJECT"])
    energy = axis(off["BKG"], "ENERG")
    (x_low, x_high), (y_low, y_high) = axis(off["BKG"], "DETX"), axis(off["BKG"], "DETY")
    rate = off["BKG"].data["BKG"][0].T
    solid_angle = (
        np.radians(x_high - x_low)[:, None]
        * (np.sin(np.radians(y_high)) - np.sin(np.radians(y_low)))[None, :]
    )
    per_bin = rate * ((energy[1] - energy[0]) * 1e6)[:, None, None] * solid_angle
    expected = per_bin * off["EVENTS"].header["ONTIME"]
    events = off["EVENTS"].data
    # The sum over bins takes the rate at their centres; it is 2 % low for a power law in ten bins a decade.
    assert events.size == pytest.approx(expected.sum(), rel=0.02, abs=4 * np.sqrt(expected.sum()))
    central = np.hypot(events["DETX"], events["DETY"]) < 1.0
    middle = 0.5 * (x_low + x_high)
    expected_central = expected[:, np.hypot(middle[:, None], middle[None, :]) < 1.0].sum()
    assert central.sum() == pytest.approx(expected_central, rel=0.05, abs=4 * np.sqrt(expected_central))


def test_a_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, again, other = (
        simulate_release(tmp_path / name, observations=1, seed=seed)
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert [str(name) for name in names] == [
        "README.txt",
        "collection.toml",
        "data/simulated_100001.fits.gz",
        "hdu-index.fits.gz",
        "obs-index.fits.gz",
    ]
    for name in names:
        assert (first / name).read_bytes() == (again / name).read_bytes()
    data = Path("data/simulated_100001.fits.gz")
    assert (first / data).read_bytes() != (other / data).read_bytes()


def test_an_occupied_directory_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "mine" / "notes.txt"
    kept.parent.mkdir()
    kept.write_text("keep")
    with pytest.raises(FileExistsError, match="mine exists and is not an empty directory"):
        simulate_release(tmp_path / "mine", observations=1)
    with pytest.raises(FileExistsError, match=r"notes\.txt exists and is not an empty directory"):
        simulate_release(kept, observations=1)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "notes.txt"]


@pytest.mark.parametrize("observations", [0, -1, MAX_OBSERVATIONS + 1])
def test_the_number_of_observations_is_checked(tmp_path: Path, observations: int) -> None:
    with pytest.raises(ValueError, match=f"observations = {observations}: 1 to 500 wanted"):
        simulate_release(tmp_path / "release", observations)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("ingest.simulate.write_fits", fail)
    with pytest.raises(OSError, match="no space left"):
        simulate_release(tmp_path / "release", observations=1)
    assert list(tmp_path.iterdir()) == []
