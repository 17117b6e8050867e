"""Coverage over HTTP and as result formats: mocpy and STILTS read it, headers of the files judge it."""

import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import mocpy
import numpy as np
import psycopg
import pytest
from astropy import units as u
from astropy.coordinates import Latitude, Longitude, SkyCoord
from astropy.io import fits
from PIL import Image

from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from vo_server.app import create_app
from vo_server.coverage.summary import summary
from vo_server.db import Database
from vo_server.roles import owner_url
from vo_server.settings import Settings

REGIONS = "SELECT s_region, t_intervals, t_min, t_max, s_ra, s_dec, s_moc FROM ivoa.obscore NATURAL JOIN"
ALL = f"{REGIONS} ivoa.obscore_hea NATURAL JOIN ivoa.obscore_healpix WHERE obs_collection = 'HESS-DL3-DR1'"


@pytest.fixture(scope="module")
def releases(
    module_settings: Settings, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    settings = replace(module_settings, data_dir=tmp_path_factory.mktemp("data"))
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        archive = Archive(settings, connection)
        for name in ("hess-dl3-dr1", "cta-1dc"):
            keys: dict[str, Any] = {"name": name.upper(), "schema": name.replace("-", "_")}
            archive.ingest(shared_data / name, **keys, processes=2)
    return settings


@pytest.fixture(scope="module")
def client(releases: Settings) -> Iterator[httpx.Client]:
    listener = free_socket()
    app = create_app(replace(releases, public_url=url_of(listener)))
    with served(app, listener) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@dataclass(frozen=True)
class Field:
    """The field of view of an event list and the directions of its events, in deg, from its own files."""

    ra: float
    dec: float
    radius: float
    events: np.ndarray[Any, Any]

    def moc(self, order: int) -> Any:
        """All cells that it touches, as mocpy tells."""
        lon, lat = Longitude(self.ra, u.deg), Latitude(self.dec, u.deg)
        radius = self.radius * u.deg
        return mocpy.MOC.from_cone(lon=lon, lat=lat, radius=radius, max_depth=order, delta_depth=3)

    @property
    def offsets(self) -> np.ndarray[Any, Any]:
        """How far from the pointing the events are, in deg."""
        directions = SkyCoord(*self.events, unit="deg")
        return np.asarray(SkyCoord(self.ra, self.dec, unit="deg").separation(directions).deg)


def fields(directory: Path) -> Iterator[Field]:
    """The field of each event list: where it points, and the largest offset of the effective area."""
    own = directory / "caldb/data/cta/1dc/bcf/South_z20_50h/irf_file.fits"
    for path in sorted(directory.rglob("*.fits*")):
        with fits.open(path) as hdus:
            if "EVENTS" not in hdus:
                continue
            header, events = hdus["EVENTS"].header, hdus["EVENTS"].data
            if own.exists():
                radius = fits.getdata(own, "EFFECTIVE AREA")["THETA_HI"].max()
            else:
                radius = hdus["AEFF"].data["THETA_HI"].max()
            directions = np.array([events["RA"], events["DEC"]], float)
            yield Field(header["RA_PNT"], header["DEC_PNT"], float(radius), directions)


def ask(client: httpx.Client, query: str, form: str, **more: str) -> httpx.Response:
    return client.post(
        "/tap/sync", data={"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form, "MAXREC": "1000", **more}
    )


def moc_of(answer: httpx.Response, tmp_path: Path) -> Any:
    answer.raise_for_status()
    path = tmp_path / "moc.fits"
    path.write_bytes(answer.content)
    return mocpy.MOC.load(path, "fits")


@pytest.mark.parametrize(
    ("name", "lists", "radius", "without"), [("hess-dl3-dr1", 105, 2.5, 147_044), ("cta-1dc", 4, 6.0, 0)]
)
def test_the_moc_covers_the_fields_of_all_event_lists(
    client: httpx.Client,
    shared_data: Path,
    tmp_path: Path,
    name: str,
    lists: int,
    radius: float,
    without: int,
) -> None:
    found = moc_of(client.get(f"/coverage/{name.replace('-', '_')}/moc.fits"), tmp_path)
    known = list(fields(shared_data / name))
    assert len(known) == lists
    assert {field.radius for field in known} == {radius}
    assert all(field.moc(12).difference(found).empty() for field in known)
    whole = mocpy.MOC.union(*(field.moc(found.max_order) for field in known))
    # Cells in doubt at the edges are in, and mocpy was asked to doubt less.
    assert found.sky_fraction == pytest.approx(whole.sky_fraction, rel=4e-3)
    beyond = 0
    for field in known:
        covered = field.offsets <= field.radius
        ra, dec = field.events[:, covered]
        assert found.contains_lonlat(Longitude(ra, u.deg), Latitude(dec, u.deg)).all()
        beyond += int((~covered).sum())
    # H.E.S.S. gives events up to 89 deg away, for which there is no response function.
    assert beyond == without


def test_all_forms_say_the_same(client: httpx.Client, tmp_path: Path) -> None:
    base = "/coverage/hess_dl3_dr1"
    sky = moc_of(client.get(f"{base}/moc.fits"), tmp_path)
    assert mocpy.MOC.from_string(client.get(f"{base}/moc.txt").text) == sky
    assert mocpy.MOC.from_string(client.get(f"{base}/moc.json").text, format="json") == sky
    times = mocpy.TimeMOC.from_string(client.get(f"{base}/tmoc.txt").text)
    path = tmp_path / "t.fits"
    path.write_bytes(client.get(f"{base}/tmoc.fits").content)
    assert mocpy.TimeMOC.load(path, "fits") == times
    path.write_bytes(client.get(f"{base}/stmoc.fits").content)
    both = mocpy.STMOC.load(path, "fits")
    assert both.max_order == (26, 7)
    space = both.query_by_time(times)
    coarse = sky.degrade_to_order(7)
    assert space.difference(coarse).empty()
    assert coarse.difference(space).empty()


def test_stilts_reads_the_moc(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "moc.fits"
    path.write_bytes(client.get("/coverage/hess_dl3_dr1/moc.fits").content)
    points = tmp_path / "points.csv"
    points.write_text("ra,dec\n83.63,22.01\n10,80\n")
    command = ["stilts", "tpipe", f"in={points}", f'cmd=addcol i "inMoc(\\"{path}\\",ra,dec)"', "ofmt=csv"]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert [line.rpartition(",")[2] for line in table] == ["i", "true", "false"]


def test_the_picture(client: httpx.Client) -> None:
    answer = client.get("/coverage/hess_dl3_dr1/moc.png")
    assert answer.headers["content-type"] == "image/png"
    pixels = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).reshape(-1, 3)
    blue = (pixels == (0x16, 0x68, 0xB8)).all(axis=1).sum()
    # The ellipse of all sky is about 60 % of the picture, of which the fields are 1.65 %.
    assert 0.003 < blue / len(pixels) < 0.015


def test_what_clients_keep_is_not_sent_again(client: httpx.Client) -> None:
    answer = client.get("/coverage/hess_dl3_dr1/moc.fits")
    again = client.get("/coverage/hess_dl3_dr1/moc.fits", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/coverage/HESS-DL3-DR1/moc.fits").content == answer.content


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nix/moc.fits", "there are: cta_1dc, hess_dl3_dr1"),
        ("hess_dl3_dr1/moc.xml", "there are moc.fits"),
        ("hess_dl3_dr1/moc", "there are moc.fits"),
        ("hess_dl3_dr1/tmoc.png", "there are moc.fits"),
    ],
)
def test_what_there_is_not(client: httpx.Client, path: str, told: str) -> None:
    answer = client.get(f"/coverage/{path}")
    assert answer.status_code == 404
    assert told in answer.text


def test_a_summary_for_the_registry(releases: Settings) -> None:
    database = Database(releases)
    database.open()
    try:
        found = summary(database, "HESS-DL3-DR1", 6)
        nothing = summary(database, "nix")
    finally:
        database.close()
    assert mocpy.MOC.from_string(found.s_moc).max_order == 6
    assert found.time == pytest.approx((53090.1227, 54706.8755), abs=1e-3)
    assert found.energy is not None
    assert 1e-8 < found.energy[0] < found.energy[1] < 1e-4
    assert (nothing.s_moc, nothing.time, nothing.energy) == (None, None, None)


def test_results_as_mocs(client: httpx.Client, tmp_path: Path) -> None:
    sky = moc_of(client.get("/coverage/hess_dl3_dr1/moc.fits"), tmp_path)
    answer = ask(client, ALL, "moc")
    assert answer.headers["content-type"] == "application/fits;serialization=moc"
    assert moc_of(answer, tmp_path) == sky
    by_moc = ask(client, ALL.replace("s_region, ", ""), "moc")
    assert moc_of(by_moc, tmp_path) == sky
    assert mocpy.MOC.from_string(ask(client, ALL, "moc-txt").text) == sky
    answer = ask(client, ALL, "application/json;serialization=moc")
    assert mocpy.MOC.from_string(answer.text, format="json") == sky


def test_results_with_positions_only(client: httpx.Client) -> None:
    query = "SELECT s_ra, s_dec FROM ivoa.obscore WHERE obs_collection = 'HESS-DL3-DR1'"
    rows = ask(client, query, "csv").text.split()[1:]
    ra, dec = np.array([[float(x) for x in row.split(",")] for row in rows]).T
    theirs = mocpy.MOC.from_lonlat(ra * u.deg, dec * u.deg, max_norder=10)
    assert mocpy.MOC.from_string(ask(client, query, "moc-txt").text) == theirs
    points = ask(
        client, "SELECT POINT(s_ra, s_dec) AS p FROM ivoa.obscore WHERE obs_collection LIKE 'H%'", "moc-txt"
    )
    assert mocpy.MOC.from_string(points.text) == theirs


def test_results_as_times(client: httpx.Client) -> None:
    whole = mocpy.TimeMOC.from_string(client.get("/coverage/hess_dl3_dr1/tmoc.txt").text)
    fine = mocpy.TimeMOC.from_string(ask(client, ALL, "tmoc-txt").text)
    assert fine.max_order == 41
    assert fine.degrade_to_order(31) == whole
    spans = mocpy.TimeMOC.from_string(ask(client, ALL.replace("t_intervals, ", ""), "tmoc-txt").text)
    # The light takes up to 500 s to the barycentre, which is less than a cell.
    assert spans.max_order == 31
    assert fine.difference(spans.add_neighbours()).empty()


def test_results_as_sky_by_time(client: httpx.Client) -> None:
    theirs = mocpy.STMOC.from_string(client.get("/coverage/hess_dl3_dr1/stmoc.txt").text)
    ours = mocpy.STMOC.from_string(ask(client, ALL, "stmoc-txt").text)
    assert ours.serialize("fits")[1].data.tolist() == theirs.serialize("fits")[1].data.tolist()


@pytest.mark.parametrize(
    ("query", "form", "told"),
    [
        ("SELECT obs_id FROM ivoa.obscore", "moc", "a MOC needs a column with regions"),
        ("SELECT s_region FROM ivoa.obscore", "tmoc", "a T-MOC needs a column"),
        ("SELECT t_min, t_max FROM ivoa.obscore", "stmoc", "a MOC needs a column with regions"),
        ("SELECT s_region FROM ivoa.obscore", "moc", "more than the 1000 rows"),
    ],
)
def test_results_without_coverage(client: httpx.Client, query: str, form: str, told: str) -> None:
    more = {"MAXREC": "3"} if "rows" in told else {}
    answer = ask(client, query, form, **more)
    assert answer.status_code == 400
    assert told.replace("1000", more.get("MAXREC", "")) in answer.text


def test_results_without_rows(client: httpx.Client, tmp_path: Path) -> None:
    nothing = "SELECT s_region, t_intervals FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea WHERE 1 = 0"
    assert moc_of(ask(client, nothing, "moc"), tmp_path).empty()
    assert json.loads(ask(client, nothing, "tmoc-json").text) == {"0": []}
    assert ask(client, nothing, "stmoc-txt").text == "t26/ s7/\n"


def test_rows_are_found_by_their_cells(client: httpx.Client, releases: Settings) -> None:
    query = """SELECT COUNT(*) AS n FROM ivoa.obscore NATURAL JOIN ivoa.obscore_healpix
        WHERE healpix_index / 16777216 = ivo_healpix_index(0, 83.63, 22.01)"""
    found = ask(client, query, "csv").text.split()[1]
    here = "SELECT COUNT(*) AS n FROM ivoa.obscore WHERE ivo_healpix_index(0, s_ra, s_dec) = "
    assert found == ask(client, f"{here} ivo_healpix_index(0, 83.63, 22.01)", "csv").text.split()[1] != "0"
    with psycopg.connect(owner_url(releases), autocommit=True) as connection:
        connection.execute("SET enable_seqscan TO off")
        plan = connection.execute(
            "EXPLAIN SELECT * FROM ivoa.obscore_healpix WHERE healpix_index BETWEEN 1 AND 100"
        ).fetchall()
        assert "obscore_healpix_index" in str(plan)
        plan = connection.execute(
            "EXPLAIN SELECT * FROM ivoa.obscore_healpix WHERE s_moc && '5/1'"
        ).fetchall()
        assert "obscore_healpix_s_moc" in str(plan)
