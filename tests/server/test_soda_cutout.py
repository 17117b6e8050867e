"""Cutouts as files: their events against astropy's own selection, what else is in them, and gammapy."""

import gzip
import hashlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy import constants
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from gammapy.data import GTI, EventList, Observation
from numpy.typing import NDArray

from tests.dl3files import TIME_HEADER, TSTART, TSTOP, Habits, write_dl3, write_irfs, write_map
from vo_server.errors import QueryCancelledError, ServerError
from vo_server.products.file import Place, Record
from vo_server.soda.cutout import make
from vo_server.soda.dataset import Dataset
from vo_server.soda.selection import Selection

HC = (constants.h * constants.c).to_value("eV m")
IRFS = {"aeff": "AEFF", "edisp": "EDISP", "psf": "PSF"}
CTA_IRFS = {
    "aeff": "EFFECTIVE AREA",
    "edisp": "ENERGY DISPERSION",
    "psf": "POINT SPREAD FUNCTION",
    "bkgrate": "BACKGROUND",
}


def record(path: Path) -> Record:
    content = path.read_bytes()
    return Record(str(path.resolve()), len(content), hashlib.sha256(content).hexdigest(), None)


def dataset(path: Path, others: dict[str, tuple[Path, str]] | None = None, **hdus: str) -> Dataset:
    """An event list with its good times, HDUs of its own file and of others."""
    products = {"event-list": Place(record(path), "EVENTS"), "gti": Place(record(path), "GTI")}
    products.update({name: Place(record(path), hdu) for name, hdu in hdus.items()})
    for name, (other, hdu) in (others or {}).items():
        products[name] = Place(record(other), hdu)
    return Dataset("ivo://some.where/release?1", "1", products, frozenset())


def nothing() -> None:
    """Nothing stops the work."""


def cut(found: Dataset, path: Path, **values: str) -> fits.HDUList | None:
    """The cutout, written to a file and opened; None if there is none."""
    made = make(found, Selection.of(values), nothing)
    if made is None:
        return None
    content = b"".join(made.content.chunks(0, made.content.size))
    assert len(content) == made.content.size
    assert len(content) % 2880 == 0
    path.write_bytes(content)
    opened = fits.open(path, memmap=False, checksum=True)
    opened.verify("exception")
    assert made.events == len(opened["EVENTS"].data)
    return opened


@dataclass(frozen=True)
class Judged:
    """A file with its events as astropy reads them."""

    found: Dataset
    rows: NDArray[Any]
    sky: SkyCoord
    mjd: NDArray[np.float64]
    energy: NDArray[np.float64]
    bounds: tuple[float, float]


def judged(path: Path, found: Dataset) -> Judged:
    with fits.open(path, memmap=False) as hdus:
        header, rows = hdus["EVENTS"].header, hdus["EVENTS"].data.view(np.ndarray).copy()
    table = Table.read(path, hdu="EVENTS")
    ra, dec = (np.asarray(table[name], np.float64) for name in ("RA", "DEC"))
    sky = SkyCoord(ra, dec, unit="deg", frame=header["RADECSYS"].lower()).icrs
    start = Time(header["MJDREFI"], header["MJDREFF"], format="mjd", scale=header["TIMESYS"].lower())
    mjd = (start + np.asarray(table["TIME"]) * u.s).utc.mjd
    energy = np.asarray(table["ENERGY"], np.float64)
    ends = (start + np.array([header["TSTART"], header["TSTOP"]]) * u.s).utc.mjd
    return Judged(found, rows, sky, mjd, energy, tuple(ends))


def encloses(vertices: SkyCoord, sky: SkyCoord) -> NDArray[np.bool_]:
    """Whether a polygon winds around each direction: its vertices are seen all around from within."""
    angles = np.array([sky.position_angle(vertex).rad for vertex in vertices])
    turns = np.diff(np.vstack([angles, angles[:1]]), axis=0)
    turned = ((turns + np.pi) % (2 * np.pi) - np.pi).sum(axis=0)
    near = sky.separation(vertices[0]) < 90 * u.deg
    return (np.abs(turned) > np.pi) & near


Choice = tuple[dict[str, str], NDArray[np.bool_]]


def a_circle(random: np.random.Generator, of: Judged) -> Choice:
    centre = of.sky[random.integers(len(of.sky))]
    radius = random.uniform(0.05, 2)
    lon, lat = centre.ra.deg, centre.dec.deg
    name = random.choice(["CIRCLE", "POS"])
    text = f"{lon} {lat} {radius}"
    return {name: text if name == "CIRCLE" else f"circle {text}"}, of.sky.separation(centre).deg <= radius


def a_polygon(random: np.random.Generator, of: Judged) -> Choice:
    """A star around an event: not convex, clockwise or not."""
    centre = of.sky[random.integers(len(of.sky))]
    corners = random.integers(3, 12)
    turn = 360 / corners * (np.arange(corners) + random.uniform(0, 0.9, corners))
    vertices = centre.directional_offset_by(
        turn[:: random.choice([-1, 1])] * u.deg, random.uniform(0.1, 2, corners) * u.deg
    )
    text = " ".join(f"{v.ra.deg} {v.dec.deg}" for v in vertices)
    name = random.choice(["POLYGON", "POS"])
    return {name: text if name == "POLYGON" else f"Polygon {text}"}, encloses(vertices, of.sky)


def a_range(random: np.random.Generator, of: Judged) -> Choice:
    centre = of.sky[random.integers(len(of.sky))]
    lon1, lon2 = (centre.ra.deg + np.sort(random.uniform(-1, 1, 2))) % 360
    lat1, lat2 = np.sort(centre.dec.deg + random.uniform(-1, 1, 2))
    ra, dec = of.sky.ra.deg, of.sky.dec.deg
    inside = (ra >= lon1) & (ra <= lon2) if lon1 <= lon2 else (ra >= lon1) | (ra <= lon2)
    return {"POS": f"RANGE {lon1} {lon2} {lat1} {lat2}"}, inside & (dec >= lat1) & (dec <= lat2)


def no_region(random: np.random.Generator, of: Judged) -> Choice:
    return {}, np.ones(len(of.sky), np.bool_)


REGIONS: list[Callable[[np.random.Generator, Judged], Choice]] = [a_circle, a_polygon, a_range, no_region]


def a_choice(random: np.random.Generator, of: Judged) -> Choice:
    """Parameters, and the events that astropy takes by them."""
    values, inside = REGIONS[random.integers(len(REGIONS))](random, of)
    if random.random() < 0.5:
        low, high = np.sort(random.uniform(*of.bounds, 2))
        values["TIME"] = f"{low} {high}"
        inside &= (of.mjd >= low) & (of.mjd <= high)
    low, high = np.sort(np.exp(random.uniform(*np.log([of.energy.min(), of.energy.max()]), 2)))
    if random.random() < 0.4:
        values["ENERGY"] = f"{low} {'+Inf' if random.random() < 0.3 else str(high)}"
        inside &= (of.energy >= low) & ((of.energy <= high) | values["ENERGY"].endswith("Inf"))
    elif random.random() < 0.5:
        longest, shortest = ((np.array([low, high]) * u.TeV).to_value(u.m, u.spectral())).tolist()
        values["BAND"] = f"{shortest} {longest}"
        wavelength = (of.energy * u.TeV).to_value(u.m, u.spectral())
        inside &= (wavelength >= shortest) & (wavelength <= longest)
    return values, inside


@pytest.fixture(scope="module")
def lists(shared_data: Path) -> list[Judged]:
    """Event lists of both releases."""
    hess = sorted((shared_data / "hess-dl3-dr1/data").glob("*.fits.gz"))[::10]
    cta = sorted((shared_data / "cta-1dc/data").rglob("gps_baseline_*.fits"))[:2]
    return [judged(path, dataset(path)) for path in (*hess, *cta)]


def test_events_are_those_that_astropy_selects(lists: list[Judged], tmp_path: Path) -> None:
    random = np.random.default_rng(20)
    empty = 0
    for number in range(200):
        of = lists[number % len(lists)]
        values, inside = a_choice(random, of)
        made = cut(of.found, tmp_path / "cutout.fits", **values)
        if made is None:
            assert values
            assert not inside.any(), values
            empty += 1
            continue
        with made:
            rows = made["EVENTS"].data.view(np.ndarray)
            assert rows.tobytes() == of.rows[inside].tobytes(), values
    assert empty < 60


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_dl3(tmp_path / "small.fits", Habits(events=1000))


def test_a_time_interval_cuts_all_that_tells_of_time(tmp_path: Path) -> None:
    gaps = [(TSTART, TSTART + 400), (TSTART + 500, TSTART + 900), (TSTART + 1000, TSTOP)]
    header = {
        **{"DATE-OBS": "2004-03-26", "TIME-OBS": "02:56:42", "DATE-END": "2004-03-26T03:24:44.5"},
        **{"TELAPSE": 1682.0, "ONTIME": 1482.0, "LIVETIME": 1400.0, "TDMIN2": 1.0, "MJD-OBS": 53090.1},
    }
    path = write_dl3(tmp_path / "a.fits", Habits(events=1681, gtis=gaps, header=header))
    reference = Time(TIME_HEADER["MJDREFI"], TIME_HEADER["MJDREFF"], format="mjd", scale="tt")
    # Not at an event: they are a second apart, beginning with the first second.
    begin, end = (reference + np.array([TSTART + 300.3, TSTART + 700.6]) * u.s).utc.mjd
    with cut(dataset(path, **IRFS), tmp_path / "cut.fits", TIME=f"{begin} {end}") as made:
        events, gti = made["EVENTS"].header, made["GTI"].data
        assert (events["NAXIS2"], len(made["EVENTS"].data)) == (400, 400)
        expected = [(300.3, 400), (500, 700.6)]
        assert np.allclose([(a - TSTART, b - TSTART) for a, b in gti], expected, rtol=0, atol=2e-6)
        assert events["TSTART"] - TSTART == pytest.approx(300.3, abs=2e-6)
        assert events["TSTOP"] - TSTART == pytest.approx(700.6, abs=2e-6)
        assert events["TELAPSE"] == pytest.approx(400.3, abs=4e-6)
        assert events["ONTIME"] == pytest.approx(99.7 + 200.6, abs=4e-6)
        assert events["LIVETIME"] == pytest.approx(1400 * 300.3 / 1482, abs=4e-6)
        assert events["DEADC"] == 0.9043
        assert (events["DATE-OBS"], events["TIME-OBS"]) == ("2004-03-26", "03:01:42.300")
        assert events["DATE-END"] == "2004-03-26T03:08:23.100"
        assert events["MJD-OBS"] == pytest.approx(53090.1 + 300.3 / 86400, abs=1e-9)
        assert "TDMIN2" not in events
        kept = [("TIME", "s", "TABLE", ":GTI")]
        assert [tuple(events[f"DS{k}1"] for k in ("TYP", "UNI", "VAL", "REF"))] == kept
        assert events["NDSKEYS"] == 1


def test_without_a_time_interval_times_stay(small: Path, tmp_path: Path) -> None:
    with fits.open(small) as whole, cut(dataset(small, **IRFS), tmp_path / "c.fits", ENERGY="1 10") as made:
        for name in ("TSTART", "TSTOP", "ONTIME", "LIVETIME", "DEADC"):
            assert made["EVENTS"].header[name] == whole["EVENTS"].header[name]
        for hdu in ("GTI", *IRFS.values()):
            assert made[hdu].header.tostring() == whole[hdu].header.tostring()
            assert made[hdu].data.tobytes() == whole[hdu].data.tobytes()


def test_the_header_tells_the_selection(small: Path, tmp_path: Path) -> None:
    values = {
        "CIRCLE": "228.6 -58.8 1.5",
        "POS": "RANGE 350 240 -60 +Inf",
        "BAND": f"{HC / 20e12} {HC / 1e12}",
        "ENERGY": "-Inf 10",
    }
    with cut(dataset(small), tmp_path / "cut.fits", **values) as made:
        header = made["EVENTS"].header
        assert header["NDSKEYS"] == 4
        assert (header["DSTYP1"], header["DSVAL1"]) == ("POS(RA,DEC)", "CIRCLE(228.6,-58.8,1.5)")
        assert (header["DSTYP2"], header["DSVAL2"]) == ("RA", "350.0:360.0,0.0:240.0")
        assert (header["DSTYP3"], header["DSVAL3"]) == ("DEC", "-60.0:")
        assert (header["DSTYP4"], header["DSUNI4"]) == ("ENERGY", "TeV")
        assert [float(end) for end in header["DSVAL4"].split(":")] == pytest.approx([1, 10], rel=1e-12)
        history = "\n".join(header["HISTORY"])
        assert "ivo://some.where/release?1" in history
        assert f"{len(made['EVENTS'].data)} of 1000 events" in history
        assert all(f"{name} = {value}" in history for name, value in values.items())


def test_data_subspaces_that_are_there_stay(shared_data: Path, tmp_path: Path) -> None:
    path = next((shared_data / "cta-1dc/data").rglob("gps_baseline_110380.fits"))
    start = 59235.505
    with cut(dataset(path), tmp_path / "c.fits", ENERGY="1 2", TIME=f"{start} {start + 0.01}") as made:
        header = made["EVENTS"].header
        found = [header[f"DSTYP{n}"] for n in range(1, header["NDSKEYS"] + 1)]
        assert found == ["TIME", "ENERGY", "POS(RA,DEC)", "ENERGY"]
        assert header["DSVAL4"] == "1.0:2.0"
        assert (header["DATE_OBS"], header["TIME_OBS"]) == ("2021-01-21", "12:07:12.184")
        assert header["TELAPSE"] == pytest.approx(864, abs=1e-3)
        assert header["LIVETIME"] == pytest.approx(864 * 0.98, abs=1e-3)


def gammapy_reads(path: Path, events: int) -> Observation:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        observation = Observation.read(path)
        assert len(observation.events.table) == len(EventList.read(path).table) == events
        assert observation.gti.time_sum == GTI.read(path).time_sum
        return observation


def test_gammapy_reads_a_cutout_with_its_response_functions(shared_data: Path, tmp_path: Path) -> None:
    path = next((shared_data / "hess-dl3-dr1/data").glob("*023523.fits.gz"))
    found = dataset(path, **IRFS, bkgrate="BKG")
    values = {"CIRCLE": "83.633 22.014 1", "TIME": "53343.925 53343.93", "ENERGY": "0.5 +inf"}
    with cut(found, tmp_path / "cut.fits", **values) as made:
        events = len(made["EVENTS"].data)
        assert made["EVENTS"].header["ONTIME"] == pytest.approx(0.005 * 86400, abs=1e-4)
    observation = gammapy_reads(tmp_path / "cut.fits", events)
    assert set(observation.available_irfs) == {"aeff", "edisp", "psf", "bkg"}
    assert observation.gti.time_sum.to_value("s") == pytest.approx(432, abs=1e-4)
    assert observation.observation_live_time_duration.to_value("s") == pytest.approx(
        432 * 0.9376033, abs=1e-3
    )
    whole = Observation.read(path)
    energy, offset = [1, 10] * u.TeV, 0.5 * u.deg
    assert (
        observation.aeff.evaluate(energy_true=energy, offset=offset)
        == whole.aeff.evaluate(energy_true=energy, offset=offset)
    ).all()
    assert observation.pointing.fixed_icrs.separation(whole.pointing.fixed_icrs).deg < 1e-9


def test_response_functions_of_other_files_come_along(shared_data: Path, tmp_path: Path) -> None:
    path = next((shared_data / "cta-1dc/data").rglob("gps_baseline_110380.fits"))
    irfs = next((shared_data / "cta-1dc/caldb").rglob("irf_file.fits"))
    found = dataset(path, {name: (irfs, hdu) for name, hdu in CTA_IRFS.items()})
    with cut(found, tmp_path / "cut.fits", POS="CIRCLE 266.4 -29 1") as made, fits.open(irfs) as whole:
        assert [hdu.name for hdu in made] == ["PRIMARY", "EVENTS", "GTI", *CTA_IRFS.values()]
        events = len(made["EVENTS"].data)
        for hdu in CTA_IRFS.values():
            assert made[hdu].header.tostring() == whole[hdu].header.tostring()
            assert made[hdu].data.tobytes() == whole[hdu].data.tobytes()
    assert set(gammapy_reads(tmp_path / "cut.fits", events).available_irfs) == {"aeff", "edisp", "psf", "bkg"}


def test_a_map_brings_its_axes_along(small: Path, tmp_path: Path) -> None:
    energies = ("ENERGY", np.geomspace(0.1, 10, 4))
    other = write_map(tmp_path / "map.fits", "BKG", [energies], np.ones(3))
    with cut(dataset(small, {"bkgrate": (other, "BKG")}), tmp_path / "cut.fits", ENERGY="1 2") as made:
        assert [hdu.name for hdu in made][-2:] == ["BKG", "BKG_BANDS"]


def test_hdus_of_other_datasets_are_left_out(small: Path, tmp_path: Path) -> None:
    with fits.open(small, mode="append") as hdus:
        hdus.append(fits.BinTableHDU(hdus["EVENTS"].data, name="EVENTS_2"))
        hdus.append(fits.BinTableHDU(hdus["GTI"].data, name="TELARRAY"))
    found = dataset(small, **IRFS)
    found = Dataset(found.did, found.obs_id, found.products, frozenset({"EVENTS_2"}))
    with cut(found, tmp_path / "cut.fits", ENERGY="1 2") as made:
        assert [h.name for h in made] == ["PRIMARY", "EVENTS", "GTI", *IRFS.values(), "TELARRAY"]


def columns(events: int) -> Iterator[fits.Column]:
    """What instruments write besides: scaled, missing, variable-length and odd columns."""
    numbers = np.arange(events)
    yield fits.Column("TEL_MASK", "9X", array=np.ones((events, 9), bool))
    yield fits.Column("COUNTS", "I", bzero=32768, array=numbers.astype(np.uint16))
    yield fits.Column("PIXELS", "PJ()", array=np.array([np.arange(n % 5) for n in numbers], dtype=object))
    yield fits.Column("LABEL", "7A", array=[f"ev {n}" for n in numbers])


def test_all_columns_stay_as_they_are(tmp_path: Path) -> None:
    more = {column.name: column for column in columns(200)}
    energy = fits.Column("ENERGY", "1E", unit="GeV", array=np.geomspace(200, 40000, 200).astype("f4"))
    path = write_dl3(tmp_path / "a.fits", Habits(events=200, columns={**more, "ENERGY": energy}))
    with fits.open(path) as whole, cut(dataset(path), tmp_path / "cut.fits", ENERGY="1 10") as made:
        kept = (whole["EVENTS"].data["ENERGY"] >= 1000) & (whole["EVENTS"].data["ENERGY"] <= 10000)
        assert 0 < kept.sum() < 200
        for name in whole["EVENTS"].columns.names:
            old, new = whole["EVENTS"].data[name][kept], made["EVENTS"].data[name]
            assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True)), name


def test_what_is_not_a_number_meets_no_condition(tmp_path: Path) -> None:
    energy, ra = np.full(10, 1.0), np.full(10, 228.6)
    energy[3], ra[5] = np.nan, np.nan
    found = {
        "ENERGY": fits.Column("ENERGY", "E", unit="TeV", array=energy),
        "RA": fits.Column("RA", "E", unit="deg", array=ra),
        "DEC": fits.Column("DEC", "E", unit="deg", array=np.full(10, -58.8)),
    }
    path = write_dl3(tmp_path / "a.fits", Habits(events=10, columns=found))
    for values, number in ({"ENERGY": "-Inf +Inf"}, 9), ({"CIRCLE": "0 0 180"}, 9), ({}, 10):
        with cut(dataset(path), tmp_path / "cut.fits", **values) as made:
            assert len(made["EVENTS"].data) == number


@pytest.mark.parametrize(
    ("scale", "seconds"), [("UTC", 0.0), ("TT", 64.184), ("TAI", 32.0), ("GPS", 13.0), ("TDB", 64.184)]
)
def test_times_in_every_scale(tmp_path: Path, scale: str, seconds: float) -> None:
    """`seconds` is how far a clock of the scale was ahead of UTC in 2004."""
    header = {"TIMESYS": scale, "MJDREFI": 53090, "MJDREFF": 0.0, "TSTART": 0.0, "TSTOP": 1000.0}
    times = fits.Column("TIME", "D", unit="s", array=np.arange(1000) + 0.5)
    habits = Habits(events=1000, header=header, columns={"TIME": times}, gtis=[(0.0, 1000.0)], gti_header={})
    path = write_dl3(tmp_path / "a.fits", habits)
    begin = 53090 + (100 - seconds) / 86400
    with cut(dataset(path), tmp_path / "cut.fits", TIME=f"{begin} +Inf") as made:
        assert made["EVENTS"].data["TIME"][0] == 100.5
        assert made["GTI"].data["START"][0] == pytest.approx(100, abs=0.002)


def test_a_list_without_good_times(tmp_path: Path) -> None:
    path = write_dl3(tmp_path / "a.fits", Habits(events=100, gtis=None))
    whole = dataset(path)
    found = Dataset(whole.did, "1", {"event-list": whole.products["event-list"]}, frozenset())
    middle = Time(TIME_HEADER["MJDREFI"], TIME_HEADER["MJDREFF"], format="mjd", scale="tt")
    begin = (middle + (TSTART + TSTOP) / 2 * u.s).utc.mjd
    with cut(found, tmp_path / "cut.fits", TIME=f"{begin} +Inf") as made:
        header = made["EVENTS"].header
        assert header["ONTIME"] == pytest.approx(841, abs=1e-5)
        assert header["LIVETIME"] == pytest.approx(1521 / 2, abs=1e-5)
        assert header["DSTYP1"] == "MJD(UTC)"


def test_no_event_no_file(small: Path, tmp_path: Path) -> None:
    assert cut(dataset(small), tmp_path / "c.fits", CIRCLE="10 10 1") is None
    assert cut(dataset(small), tmp_path / "c.fits", ENERGY="1 2", BAND="1 2") is None
    assert cut(dataset(small), tmp_path / "c.fits", TIME="100001 +Inf") is None
    empty = write_dl3(tmp_path / "empty.fits", Habits(events=0))
    assert cut(dataset(empty), tmp_path / "c.fits", ENERGY="1 2") is None
    with cut(dataset(empty), tmp_path / "c.fits") as made:
        assert len(made["EVENTS"].data) == 0


def test_the_same_again_and_in_parts(small: Path) -> None:
    packed = small.with_suffix(".fits.gz")
    packed.write_bytes(gzip.compress(small.read_bytes()))
    whole = []
    for path in (small, packed):
        selection = Selection.of({"ENERGY": "1 10"})
        first, again = (make(dataset(path, **IRFS), selection, nothing) for _ in range(2))
        assert first is not None
        assert again is not None
        assert first.content.etag == again.content.etag
        size = first.content.size
        content = b"".join(first.content.chunks(0, size))
        for start, stop in ((0, 10), (5000, 9000), (size - 10, size), (2881, 2881 + 5760)):
            assert b"".join(again.content.chunks(start, stop)) == content[start:stop]
        other = make(dataset(path, **IRFS), Selection.of({"ENERGY": "1 11"}), nothing)
        assert other is not None
        assert other.content.etag != first.content.etag
        whole.append(content)
    assert whole[0] == whole[1]


def test_work_can_be_stopped(small: Path) -> None:
    def stop() -> None:
        raise QueryCancelledError

    with pytest.raises(QueryCancelledError):
        make(dataset(small), Selection.of({"ENERGY": "1 2"}), stop)


@pytest.mark.parametrize("damage", ["cut", "noise", "gzip", "frame", "column"])
def test_a_file_that_cannot_be_read(small: Path, tmp_path: Path, damage: str) -> None:
    bad = tmp_path / "bad.fits"
    content = small.read_bytes()
    if damage == "frame":
        bad = write_dl3(tmp_path / "bad.fits", Habits(header={"RADECSYS": "FK4"}))
    elif damage == "column":
        bad = write_dl3(tmp_path / "bad.fits", Habits(columns={"RA": None}))
    else:
        bad.write_bytes(
            {"cut": content[:20000], "noise": b"noise" * 1000, "gzip": gzip.compress(content)[:9000]}[damage]
        )
    with pytest.raises(ServerError, match="cannot be read"):
        make(dataset(bad), Selection.of({"CIRCLE": "228.6 -58.8 1"}), nothing)


def test_other_response_files_are_read_once_each(small: Path, tmp_path: Path) -> None:
    other = write_irfs(tmp_path / "irfs.fits")
    found = dataset(small, {name: (other, hdu) for name, hdu in IRFS.items()})
    with cut(found, tmp_path / "cut.fits", ENERGY="1 2") as made:
        assert [h.name for h in made].count("AEFF") == 2
