"""HiPS of the counts: healpy judges what lies where, and HTTP delivers files of the tree only."""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import healpy
import httpx
import numpy as np
import psycopg
import pytest
from astropy.io import fits
from PIL import Image

from tests.dl3files import Habits, write_dl3
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from vo_server.app import create_app
from vo_server.db import Database
from vo_server.hips.making import make
from vo_server.hips.model import HipsError, Plan, current, directory_of
from vo_server.hips.properties import properties
from vo_server.hips.published import plan_of
from vo_server.hips.state import command, hips_states
from vo_server.roles import owner_url, read_collections
from vo_server.settings import Settings

EVENTS = 400


@dataclass
class Site:
    settings: Settings
    archive: Archive
    release: Path

    def plan(self, order: int | None = None) -> Plan:
        database = Database(self.settings)
        database.open()
        try:
            (collection,) = read_collections(self.archive.connection)
            return plan_of(database, self.archive.connection, collection, order)
        finally:
            database.close()

    def make(self, plan: Plan) -> Any:
        return make(plan, self.directory, self.settings, 1, lambda done, total: None)

    @property
    def directory(self) -> Path:
        return directory_of(self.settings, read_collections(self.archive.connection)[0])

    @property
    def tree(self) -> Path:
        found = current(self.directory)
        assert found is not None
        return found


def write_run(directory: Path, number: int, ra: float, dec: float) -> None:
    rng = np.random.default_rng(number)
    at = {"RA": (ra + rng.normal(0, 1, EVENTS)) % 360, "DEC": dec + rng.normal(0, 1, EVENTS)}
    columns = {name: fits.Column(name, "1D", unit="deg", array=values) for name, values in at.items()}
    header = {"RA_PNT": ra, "DEC_PNT": dec}
    habits = Habits(irfs=False, events=EVENTS, obs_id=number, columns=columns, header=header)
    write_dl3(directory / f"run{number}.fits", habits)


@pytest.fixture(scope="module")
def site(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    release = tmp_path_factory.mktemp("a") / "release"
    write_run(release, 1, 0.1, 0.0)
    write_run(release, 2, 83.6, 22.0)
    settings = replace(module_settings, data_dir=tmp_path_factory.mktemp("data"))
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        site = Site(settings, Archive(settings, connection), release)
        site.archive.ingest(release, name="release", field_of_view=5.0, licence="CC-BY-4.0")
        assert site.make(site.plan()).events == 2 * EVENTS
        yield site


def positions(release: Path) -> tuple[Any, Any]:
    tables = [fits.getdata(path, "EVENTS") for path in sorted(release.glob("*.fits"))]
    return tuple(np.concatenate([t[name] for t in tables]) for name in ("RA", "DEC"))


def counted(tree: Path, order: int) -> Any:
    """All counts of an order as a HEALPix map, nested; tiles as other software reads them."""
    counts = np.zeros(12 << 2 * (order + 9), np.int64)
    # As hipspy has it: cells row by row, turned by 90 degrees.
    odd_even = np.array([[0]])
    for level in range(9):
        block = np.array([[0, 1], [2, 3]]) << 2 * level
        odd_even = np.block([[b + odd_even for b in row] for row in block])
    place = np.rot90(odd_even)
    for path in tree.glob(f"Norder{order}/Dir*/Npix*.fits"):
        number = int(path.stem.removeprefix("Npix"))
        counts[number * 512**2 + place] = fits.getdata(path)
    return counts


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_events_are_where_healpy_puts_them(site: Site, order: int) -> None:
    ra, dec = positions(site.release)
    cells = healpy.ang2pix(1 << (order + 9), ra, dec, nest=True, lonlat=True)
    found = counted(site.tree, order)
    assert found.sum() == 2 * EVENTS
    assert np.array_equal(np.flatnonzero(found), np.unique(cells))
    assert np.array_equal(
        found[cells],
        np.bincount(np.unique(cells, return_inverse=True)[1])[np.unique(cells, return_inverse=True)[1]],
    )


def test_allsky_and_pictures(site: Site) -> None:
    allsky = fits.getdata(site.tree / "Norder3/Allsky.fits")
    assert (allsky.shape, allsky.sum()) == ((29 * 64, 27 * 64), 2 * EVENTS)
    for path in site.tree.glob("Norder3/Dir*/Npix*.fits"):
        counts, colours = fits.getdata(path), np.asarray(Image.open(path.with_suffix(".png")))
        assert colours.shape == (512, 512, 4)
        # PNG has its rows from the top; what has counts is not transparent.
        assert (colours[::-1, :, 3][counts > 0] == 255).all()


def test_made_once_and_again_after_a_change(site: Site) -> None:
    before = site.tree
    assert site.make(site.plan()) is None
    site.archive.ingest(site.release, name="release", field_of_view=5.0, licence="CC-BY-SA-4.0")
    collections = read_collections(site.archive.connection)
    states = list(hips_states(site.archive.connection, site.settings, collections))
    assert [s.advice for s in states] == [
        "the collection has changed since it was made: run `vo-server hips release`"
    ]
    made = site.make(site.plan())
    assert made.events == 2 * EVENTS
    assert not before.exists()
    states = list(hips_states(site.archive.connection, site.settings, collections))
    assert [s.advice for s in states] == [None]


def test_one_at_a_time(site: Site) -> None:
    held = os.open(site.directory, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(HipsError, match="another process is making a HiPS in "):
            site.make(site.plan())
    finally:
        os.close(held)
    assert site.make(site.plan()) is None


def test_nothing_is_served_that_lacks_event_lists(site: Site) -> None:
    served_before = site.tree
    away = site.release / "run2.fits"
    plan = replace(site.plan(4))
    content = away.read_bytes()
    away.unlink()
    with pytest.raises(HipsError, match=r"1 event lists cannot be counted.*cannot be opened"):
        site.make(plan)
    assert site.tree == served_before
    parts = list(site.directory.glob("*.unfinished/parts/*.npy"))
    assert len(parts) == 1
    away.write_bytes(content)
    counted_then = parts[0].stat().st_mtime_ns
    work = parts[0].parent.parent
    assert work.name == f"{plan.key}.unfinished"
    assert parts[0].stat().st_mtime_ns == counted_then


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[httpx.Client]:
    listener = free_socket()
    app = create_app(replace(site.settings, public_url=url_of(listener)))
    with served(app, listener) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_files_over_http(client: httpx.Client, site: Site) -> None:
    tile = next(site.tree.glob("Norder3/Dir0/*.fits"))
    answer = client.get(f"/hips/release/Norder3/Dir0/{tile.name}")
    assert answer.content == tile.read_bytes()
    assert answer.headers["content-type"] == "application/fits"
    assert "max-age" in answer.headers["cache-control"]
    again = client.get(answer.request.url, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert client.get("/hips/release").headers["location"].endswith("/hips/release/")
    assert "Norder3/Allsky.png" in client.get("/hips/release/").text
    properties = dict(
        line.split(" = ", 1) for line in client.get("/hips/release/properties").text.splitlines()
    )
    told = {key.strip(): value for key, value in properties.items()}
    assert told["hips_service_url"] == f"{str(client.base_url).rstrip('/')}/hips/release"
    assert (told["hips_order"], told["hips_frame"], told["hips_tile_width"]) == ("3", "equatorial", "512")
    assert told["hips_tile_format"] == "png fits"
    assert told["hips_copyright"].startswith("CC-BY")
    assert told["hips_service_url"] in client.get("/hipslist").text


@pytest.mark.parametrize(
    "path",
    [
        *("..%2fcurrent", "%2e%2e/%2e%2e/vo_reader.password", "parts/0.npy", "Norder3/"),
        *("Norder3/Dir0/Npix99999.fits", "Norder3/Dir0/Npix1.fits%00", "current", "properties/x"),
    ],
)
def test_other_files_are_not_served(client: httpx.Client, path: str) -> None:
    assert client.get(f"/hips/release/{path}").status_code == 404


def test_a_tile_without_events_is_nothing_to_warn_of(
    client: httpx.Client, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    assert not (site.tree / "Norder3/Dir0/Npix700.fits").exists()
    with caplog.at_level(logging.WARNING):
        answer = client.get("/hips/release/Norder3/Dir0/Npix700.fits")
    assert (answer.status_code, answer.text.strip()) == (
        404,
        "There is no such tile: nothing was counted there.",
    )
    assert caplog.records == []


def test_creator_did_is_an_ivoid_whatever_the_name(site: Site) -> None:
    plan = site.plan()
    plan = replace(plan, collection=replace(plan.collection, name="Edge & <Poles>", authority="example.org"))
    told = properties(plan, site.settings, 1.0, 0).splitlines()
    assert told[0] == "creator_did          = ivo://example.org/release/hips/counts"
    assert "obs_collection       = Edge & <Poles>" in told


def test_advice_is_a_command_that_a_shell_takes(site: Site) -> None:
    collection = site.plan().collection
    assert command(collection) == "vo-server hips release"
    assert command(replace(collection, name="Edge & <Poles>")) == "vo-server hips 'Edge & <Poles>'"


POOL = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from vo_server.hips import making

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=making._follow)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


def test_processes_end_with_a_maker_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "maker.py"
    script.write_text(POOL)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment) as maker:
        assert maker.stdout is not None
        worker = int(maker.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        maker.send_signal(signal.SIGKILL)
    until = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()


def test_links_in_the_tree_are_not_followed(client: httpx.Client, site: Site) -> None:
    (site.tree / "Norder3/Dir0/Npix767.fits").symlink_to("/etc/passwd")
    assert client.get("/hips/release/Norder3/Dir0/Npix767.fits").status_code == 404
