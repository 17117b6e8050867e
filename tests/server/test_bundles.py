"""Bundles over HTTP: DataStores of gammapy, deterministic, resumable, and honest about files that changed."""

import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from astropy.io import fits
from astropy.table import Table
from gammapy.data import DataStore

from tests.dl3files import TIME_HEADER, Habits, index_rows, write_dl3, write_hdu_index
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from vo_server.app import create_app
from vo_server.roles import owner_url
from vo_server.settings import Settings

DID = "ivo://x-unregistered/{}?{}"
LONG = "an event list with a long name " * 5
EVERY = ("events", "gti", "aeff", "edisp", "psf")
UTC_HEADER = {**TIME_HEADER, "MJDREFI": 52000, "MJDREFF": 0.0, "TIMESYS": "UTC"}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`north` has odd names and shares response functions, `south` the same OBS_IDs and another clock."""
    base = tmp_path_factory.mktemp("a")
    north, south = base / "north", base / "south"
    write_dl3(north / "run é" / f"{LONG}.fits", Habits(obs_id=1, events=7))
    write_dl3(north / "a" / "events.fits", Habits(obs_id=2, events=8, irfs=False))
    write_dl3(north / "b" / "Events.fits", Habits(obs_id=3, events=9, irfs=False))
    (north / "odd.fits").symlink_to(north / "run é" / f"{LONG}.fits")
    write_hdu_index(north / "hdu-index.fits", shared_rows())
    header = {"MJDREFI": 52000, "MJDREFF": 0.0, "TIMESYS": "UTC", "TSTART": 1000.0, "TSTOP": 2000.0}
    late = Habits(obs_id=2, header=header, gtis=((1000.0, 2000.0),), gti_header=UTC_HEADER)
    write_dl3(south / "events.fits.gz", late)
    write_dl3(south / "named.fits", Habits(obs_id="Crab/1 b"))
    return base


def shared_rows() -> list[dict[str, Any]]:
    """The index of `north`: FITS tables hold ASCII, so that the file with the odd name is that of a link."""
    found = index_rows(1, "odd.fits", EVERY)
    for obs_id, path in ((2, "a/events.fits"), (3, "b/Events.fits")):
        found += index_rows(obs_id, path, ("events", "gti"))
        found += index_rows(obs_id, "odd.fits", ("aeff", "edisp", "psf"))
    return found


@pytest.fixture(scope="module")
def archive(module_settings: Settings, releases: Path) -> Iterator[Archive]:
    with psycopg.connect(owner_url(module_settings), autocommit=True) as connection:
        archive = Archive(module_settings, connection)
        terms = {"licence": "CC-BY-4.0", "attribution": "Thanks to all."}
        assert archive.ingest(releases / "north", name="north", **terms).problems == []
        rows = ["event-list", "aeff"]
        assert archive.ingest(releases / "south", name="south", product_rows=rows).problems == []
        yield archive


@pytest.fixture(scope="module")
def client(archive: Archive) -> Iterator[httpx.Client]:
    listener = free_socket()
    settings = replace(archive.settings, public_url=url_of(listener), bundle_observations=5)
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


ALL = "SELECT obs_publisher_did FROM ivoa.obscore"


def unpacked(answer: httpx.Response, directory: Path) -> Path:
    """The one directory that an answer unpacks to."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-length"] == str(len(answer.content))
    content = io.BytesIO(answer.content)
    if answer.headers["content-type"] == "application/zip":
        with zipfile.ZipFile(content) as archive:
            assert archive.testzip() is None
            archive.extractall(directory)  # noqa: S202  it is ours
    else:
        with tarfile.open(fileobj=content) as archive:
            archive.extractall(directory, filter="data")
    (found,) = directory.iterdir()
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{found.name}.')
    return found


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_a_bundle_of_everything_is_a_data_store(
    client: httpx.Client, tmp_path: Path, releases: Path, form: str
) -> None:
    answer = client.get("/bundles", params={"QUERY": ALL, "FORMAT": form})
    store = DataStore.from_dir(unpacked(answer, tmp_path))
    observations = store.get_observations(required_irf=["aeff", "edisp", "psf"])
    by_collection = Table.read(next(tmp_path.glob("*/obs-index.fits.gz")))
    assert list(by_collection["OBS_COLLECTION"]) == ["north"] * 3 + ["south"] * 2
    assert list(by_collection["OBS_ID"]) == [1, 2, 3, 4, 5]
    assert list(by_collection["ARCHIVE_OBS_ID"]) == ["1", "2", "3", "Crab/1 b", "2"]
    assert [len(o.events.table) for o in observations] == [7, 8, 9, 50, 50]
    assert [len(o.gti.table) for o in observations] == [1] * 5
    assert len(list(tmp_path.rglob("*.fits*"))) == 5 + 2  # the shared file is there once


def test_times_of_all_observations_have_one_reference(client: httpx.Client, tmp_path: Path) -> None:
    answer = client.get("/bundles", params={"QUERY": ALL})
    store = DataStore.from_dir(unpacked(answer, tmp_path))
    starts = store.obs_table.time_start
    for obs_id, start in zip(store.obs_table["OBS_ID"], starts, strict=True):
        events = store.obs(int(obs_id), required_irf=[]).events
        assert abs((events.observation_time_start - start).to_value("s")) < 1e-5


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_the_same_request_gives_the_same_octets(client: httpx.Client, form: str) -> None:
    dids = [DID.format("north", n) for n in (1, 2, 3)]
    got = client.get("/bundles", params={"ID": dids, "FORMAT": form})
    posted = client.post("/bundles", data={"id": [*reversed(dids), dids[0]], "format": form.upper()})
    asked = client.get("/bundles", params={"QUERY": "SELECT * FROM north.obscore", "FORMAT": form})
    assert got.content == posted.content == asked.content
    assert got.headers["etag"] == posted.headers["etag"] == asked.headers["etag"]
    other = client.get("/bundles", params={"ID": dids[:2], "FORMAT": form})
    assert other.headers["etag"] != got.headers["etag"]
    assert other.headers["content-disposition"] != got.headers["content-disposition"]


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_any_part_of_it(client: httpx.Client, form: str) -> None:
    asked = {"QUERY": ALL, "FORMAT": form}
    whole = client.get("/bundles", params=asked)
    head = client.head("/bundles", params=asked)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", whole.headers["etag"])
    size = len(whole.content)
    for start in (*range(0, size, size // 41), size - 1):
        part = client.get(
            "/bundles",
            params=asked,
            headers={"Range": f"bytes={start}-{start + 5000}", "If-Range": whole.headers["etag"]},
        )
        assert (part.status_code, part.content) == (206, whole.content[start : start + 5001])


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_curl_resumes(client: httpx.Client, tmp_path: Path, form: str) -> None:
    asked = {"QUERY": ALL, "FORMAT": form}
    whole = client.get("/bundles", params=asked).content
    path = tmp_path / "bundle"
    path.write_bytes(whole[: len(whole) // 3])
    url = client.build_request("GET", "/bundles", params=asked).url
    subprocess.run(["curl", "-sSf", "-C", "-", "-o", path, str(url)], check=True)
    assert path.read_bytes() == whole


def test_programs_unpack_it(client: httpx.Client, tmp_path: Path) -> None:
    for form, command in (("tar", ["tar", "xf"]), ("zip", ["unzip", "-q"])):
        place = tmp_path / form
        place.mkdir()
        (place / "packed").write_bytes(client.get("/bundles", params={"QUERY": ALL, "FORMAT": form}).content)
        subprocess.run([*command, "packed"], cwd=place, check=True)
        (directory,) = (path for path in place.iterdir() if path.is_dir())
        done = subprocess.run(
            ["sha256sum", "-c", "SHA256SUMS"], cwd=directory, check=True, capture_output=True, text=True
        )
        files = [path for path in directory.rglob("*") if path.is_file()]
        assert done.stdout.count(": OK") == len(files) - 1


def test_names_are_plain_and_differ(client: httpx.Client, tmp_path: Path) -> None:
    directory = unpacked(client.get("/bundles", params={"QUERY": ALL}), tmp_path)
    names = sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    long = "_".join(LONG.split(" "))
    assert names == sorted(
        [
            *("LICENCE.txt", "README.txt", "SHA256SUMS", "hdu-index.fits.gz", "obs-index.fits.gz"),
            *(f"data/north/{long}.fits", "data/north/events.fits", "data/north/b/Events.fits"),
            *("data/south/events.fits.gz", "data/south/named.fits"),
        ]
    )
    assert all(name.isascii() for name in names)


def test_texts(client: httpx.Client, tmp_path: Path) -> None:
    directory = unpacked(client.get("/bundles", params={"QUERY": ALL}), tmp_path)
    licence = (directory / "LICENCE.txt").read_text()
    assert "Licence: CC-BY-4.0" in licence
    assert "Attribution: Thanks to all." in licence
    assert "The publisher of these data states no licence." in licence
    readme = (directory / "README.txt").read_text()
    assert "DataStore.from_dir" in readme
    assert f"5: {DID.format('south', '2')}" in readme


def test_index_tables_are_whole_fits_files(client: httpx.Client, tmp_path: Path) -> None:
    directory = unpacked(client.get("/bundles", params={"ID": DID.format("south", 2)}), tmp_path)
    assert directory.name == "south_2"
    for name in ("hdu-index.fits.gz", "obs-index.fits.gz"):
        with fits.open(directory / name) as hdus:
            hdus.verify("exception")
    row = Table.read(directory / "obs-index.fits.gz")[0]
    assert (row["OBS_ID"], row["OBJECT"], row["RA_PNT"], row["TSTART"]) == (2, "MSH 15-52", 228.6125, 1000.0)
    hdus = Table.read(directory / "hdu-index.fits.gz")
    assert {(r["HDU_TYPE"], r["HDU_NAME"]) for r in hdus} == {
        *(("events", "EVENTS"), ("gti", "GTI"), ("aeff", "AEFF"), ("edisp", "EDISP"), ("psf", "PSF"))
    }


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({}, 400, "either ID (an obs_publisher_did, repeatable) or QUERY"),
        ({"ID": "x", "QUERY": ALL}, 400, "one of them"),
        ({"ID": "x"}, 404, "There is no dataset 'x'."),
        ({"ID": [DID.format("north", n) for n in range(100, 131)]}, 400, "holds up to 5 observations"),
        ({"ID": [DID.format("north", n) for n in range(3, 8)]}, 404, "and 1 others"),
        ({"QUERY": "SELECT obs_id FROM ivoa.obscore"}, 400, "must select the column obs_publisher_did"),
        ({"QUERY": "SELECT nothing FROM ivoa.obscore"}, 400, "line 1, column 8"),
        ({"QUERY": "DROP TABLE ivoa.obscore"}, 400, "SELECT"),
        ({"QUERY": f"{ALL} WHERE obs_id = 'none'"}, 404, "selects no observation"),
        ({"QUERY": ALL, "FORMAT": "rar"}, 400, "FORMAT='rar' is not offered; known are tar, zip"),
        ({"QUERY": ALL, "FORMAT": ["tar", "zip"]}, 400, "FORMAT may be given once only"),
    ],
)
def test_errors_are_text(client: httpx.Client, asked: dict[str, Any], status: int, told: str) -> None:
    answer = client.get("/bundles", params=asked)
    assert (answer.status_code, told in answer.text) == (status, True), answer.text
    assert answer.headers["content-type"].startswith("text/plain")


def test_more_than_a_bundle_holds(archive: Archive) -> None:
    settings = replace(archive.settings, bundle_observations=1)
    with served(create_app(settings)) as url:
        for asked in (
            {"QUERY": ALL},
            {"QUERY": f"{ALL} UNION ALL SELECT obs_id || access_url FROM ivoa.obscore"},
        ):
            answer = httpx.get(f"{url}/bundles", params=asked)
            assert (answer.status_code, "holds up to 1" in answer.text) == (400, True), answer.text


def test_files_that_changed_are_told_before_the_answer(client: httpx.Client, releases: Path) -> None:
    path = releases / "south" / "named.fits"
    content, stat = path.read_bytes(), path.stat()
    asked = {"ID": DID.format("south", "Crab/1%20b")}
    whole = client.get("/bundles", params=asked)
    assert whole.status_code == 200
    try:
        path.write_bytes(content[::-1])
        changed = client.get("/bundles", params=asked)
        assert (changed.status_code, "'named.fits'" in changed.text) == (500, True)
        assert "has changed since it was published" in changed.text
        path.unlink()
        missing = client.head("/bundles", params=asked)
        assert missing.status_code == 404
        (releases / "secret.fits").write_bytes(content)
        path.symlink_to(releases / "secret.fits")
        linked = client.get("/bundles", params=asked)
        assert (linked.status_code, "is missing" in linked.text) == (404, True)
    finally:
        path.unlink()
        path.write_bytes(content)
    # Another time and the same content are no change.
    assert path.stat().st_mtime_ns != stat.st_mtime_ns
    again = client.get("/bundles", params=asked)
    assert (again.content, again.headers["etag"]) == (whole.content, whole.headers["etag"])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_response_function_brings_its_observation(client: httpx.Client) -> None:
    alone = client.get("/bundles", params={"ID": DID.format("south", "2/aeff")})
    assert alone.content == client.get("/bundles", params={"ID": DID.format("south", 2)}).content
