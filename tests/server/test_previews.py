"""Previews over HTTP, by the command ahead of time, and what the doctor does about old ones."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from astropy.io import fits
from lxml import etree
from PIL import Image
from typer.testing import CliRunner

from tests.dl3files import Habits, write_dl3
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from vo_server import cli
from vo_server.app import create_app
from vo_server.commands import console
from vo_server.doctor import Finding, examine
from vo_server.previews import processes
from vo_server.previews.ahead import Summary, make_ahead
from vo_server.previews.kinds import FORMS, KINDS, preview_url
from vo_server.previews.model import previews_of
from vo_server.previews.processes import Drawing
from vo_server.previews.published import event_lists
from vo_server.roles import owner_url
from vo_server.settings import Settings

DID = "ivo://x-unregistered/release?"

ODD = {
    "no-events": Habits(events=0),
    "one": Habits(events=1),
    "no-gti": Habits(gtis=None),
    "empty-gti": Habits(gtis=()),
    "no-energy": Habits(columns={"ENERGY": None}),
    "no-target": Habits(header={"OBJECT": None, "RA_OBJ": None, "DEC_OBJ": None}),
    "drift": Habits(header={"RA_PNT": None, "DEC_PNT": None, "OBS_MODE": "DRIFT"}),
    "pole": Habits(
        header={"DEC_PNT": 90.0},
        columns={"DEC": fits.Column("DEC", "1E", unit="deg", array=np.linspace(88, 90, 50))},
    ),
    "nan": Habits(columns={"ENERGY": fits.Column("ENERGY", "1E", unit="TeV", array=np.full(50, np.nan))}),
    "name": Habits(header={"OBJECT": "<&>$\\alpha$'\""}),
}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("a") / "release"
    for name, habits in ODD.items():
        write_dl3(directory / f"{name}.fits.gz", habits.but(obs_id=name, irfs=False))
    for name in ("good", "gone"):
        write_dl3(directory / f"{name}.fits", Habits(obs_id=name, irfs=name == "good"))
    return directory


@pytest.fixture(scope="module")
def served_settings(
    module_settings: Settings, release: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    settings = replace(module_settings, data_dir=tmp_path_factory.mktemp("data"))
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        archive = Archive(settings, connection)
        assert archive.ingest(release, simulated=True, product_rows=["event-list", "aeff"]).problems == []
    return settings


@pytest.fixture(scope="module")
def client(served_settings: Settings) -> Iterator[httpx.Client]:
    listener = free_socket()
    app = create_app(replace(served_settings, public_url=url_of(listener)))
    with served(app, listener) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


Get = Callable[..., httpx.Response]


@pytest.fixture
def get(client: httpx.Client) -> Get:
    def get(name: str, did: str = DID + "good", **more: Any) -> httpx.Response:
        return client.request(more.pop("method", "GET"), f"/previews/{name}", params={"id": did}, **more)

    return get


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_in_each_form(client: httpx.Client, get: Get, kind: str, form: str) -> None:
    answer = client.get(preview_url("", kind, form, DID + "good"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, FORMS[form])
    if form == "png":
        width = 256 if kind == "thumbnail" else 1280
        assert Image.open(io.BytesIO(answer.content)).width == width
    else:
        texts = "".join(etree.fromstring(answer.content).itertext())
        assert ("MSH 15-52 (simulated data)" in texts) == (kind != "thumbnail")
    head = get(f"{kind}.{form}", method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-length", "cache-control", "content-type"):
        assert head.headers[name] == answer.headers[name]
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["content-disposition"] == f'inline; filename="release_good_{kind}.{form}"'
    assert answer.headers["access-control-allow-origin" if "origin" in answer.request.headers else "vary"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "thumbnail"])
@pytest.mark.parametrize("name", ODD)
def test_odd_event_lists_are_shown(get: Get, name: str, kind: str) -> None:
    answer = get(f"{kind}.svg", DID + name)
    assert answer.status_code == 200
    texts = "".join(etree.fromstring(answer.content).itertext())
    assert f"release, observation {name}" in texts
    empty = {
        "no-events": {"counts-map": "no events", "event-rate": "no events", "spectrum": "no events with an"},
        "empty-gti": {"event-rate": "no good time"},
        "no-energy": {"spectrum": "no events with an energy"},
        "nan": {"spectrum": "no events with an energy"},
    }
    told = empty.get(name, {}).get(kind, "no events")
    assert (told in texts) == (kind in empty.get(name, {}))
    if kind == "counts-map":
        assert ("pointing" in texts) == (name != "drift")
        assert "target" in texts or name in {"no-target", "pole"}


def test_a_client_that_has_it_gets_nothing(get: Get) -> None:
    etag = get("spectrum.png").headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        answer = get("spectrum.png", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert get("spectrum.png", headers={"If-None-Match": '"other"'}).status_code == 200
    assert get("spectrum.svg").headers["etag"] != etag


@pytest.mark.parametrize("name", ["spectrum", "spectrum.jpg", "nothing.png", ".png", "spectrum.png.svg"])
def test_unknown_kinds_are_told_which_there_are(get: Get, name: str) -> None:
    answer = get(name)
    assert answer.status_code == 404
    assert "there are counts-map.png, counts-map.svg, spectrum.png" in answer.text


@pytest.mark.parametrize("did", ["nothing", DID, DID + "good/aeff", "\0", "%", "' OR 1=1 --", "x" * 3000])
def test_unknown_identifiers(get: Get, did: str) -> None:
    answer = get("spectrum.png", did)
    assert answer.status_code == 404
    assert answer.text.startswith("There is no event list with the ID ")
    assert len(answer.text) < 300


def test_identifiers_are_wanted_once(client: httpx.Client) -> None:
    none, two = client.get("/previews/spectrum.png"), client.get("/previews/spectrum.png?ID=a&id=b")
    assert (none.status_code, two.status_code) == (400, 400)
    assert none.text == "ID is missing: the obs_publisher_did of a dataset\n"
    assert client.post("/previews/spectrum.png").status_code == 405


def test_many_at_once(client: httpx.Client, served_settings: Settings) -> None:
    url = preview_url("", "counts-map", "png", DID + "pole")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.get(url), range(40)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.content for a in answers}) == 1


def test_too_many_at_once(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "MOST_WAITING", 0)
    answer = get("thumbnail.svg", DID + "no-gti")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


def test_a_file_that_vanishes(get: Get, release: Path) -> None:
    assert get("spectrum.png", DID + "gone").status_code == 200
    path = release / "gone.fits"
    content = path.read_bytes()
    path.unlink()
    answer = get("event-rate.png", DID + "gone")
    assert (answer.status_code, "is missing" in answer.text) == (404, True)
    assert get("spectrum.png", DID + "gone").status_code == 200
    path.write_bytes(content[:2880])
    answer = get("event-rate.png", DID + "gone")
    assert (answer.status_code, "its file has changed" in answer.text) == (404, True)
    path.write_bytes(content)
    assert get("event-rate.png", DID + "gone").status_code == 200


@pytest.fixture
def archive(settings: Settings, database: psycopg.Connection[Any], tmp_path: Path) -> Archive:
    for number in (1, 2):
        write_dl3(tmp_path / "r" / f"{number}.fits", Habits(irfs=False, events=5, obs_id=number))
    archive = Archive(replace(settings, data_dir=tmp_path / "data"), database)
    archive.ingest(tmp_path / "r", authority="org.example")
    return archive


def made(archive: Archive, complaints: list[str]) -> Summary:
    drawing = Drawing(archive.settings)
    steps: list[tuple[int, int]] = []
    try:
        wanted = list(previews_of(event_lists(archive.connection), ("png",)))
        summary = make_ahead(wanted, drawing, 3, lambda *step: steps.append(step), complaints.append)
    finally:
        drawing.close()
    assert steps == [(n, len(wanted)) for n in range(1, len(wanted) + 1)]
    return summary


def test_making_ahead_takes_up_where_it_ended(archive: Archive, tmp_path: Path) -> None:
    complaints: list[str] = []
    assert made(archive, complaints) == Summary(made=8)
    assert made(archive, complaints) == Summary(kept=8)
    next((tmp_path / "data" / "previews").glob("??/*")).unlink()
    assert made(archive, complaints) == Summary(made=1, kept=7)
    write_dl3(tmp_path / "r" / "3.fits", Habits(obs_id=3, irfs=False))
    archive.ingest(tmp_path / "r", authority="org.example")
    (tmp_path / "r" / "3.fits").unlink()
    assert made(archive, complaints) == Summary(kept=8, failed=4)
    assert complaints[0].startswith("ivo://org.example/r?3: counts-map: The file of this dataset is missing")


def told_of_previews(archive: Archive) -> Finding:
    return next(finding for finding in examine(archive.settings) if finding.what.startswith("previews"))


def test_the_doctor_removes_what_nobody_can_ask_for(archive: Archive, tmp_path: Path) -> None:
    made(archive, [])
    before = told_of_previews(archive)
    assert before.what.startswith("previews: 8 are kept, in 0.")
    (tmp_path / "r" / "2.fits").unlink()
    archive.ingest(tmp_path / "r", prune=True, authority="org.example")
    found = told_of_previews(archive)
    assert found.ok
    assert found.what.startswith("previews: 4 are kept")
    assert found.what.endswith("; 4 of datasets that have gone or changed were removed")
    assert told_of_previews(archive) != found
    assert made(archive, []) == Summary(kept=4)


def test_no_previews_at_all(archive: Archive) -> None:
    assert Finding("previews: 0 are kept, in 0.0 MB") in examine(archive.settings)


def test_the_command(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data_dir", "database_url", "reader_url"):
        monkeypatch.setenv(f"VO_SERVER_{name.upper()}", str(getattr(archive.settings, name)))
    monkeypatch.setattr(console.out, "width", 500)
    run = CliRunner().invoke(cli.app, ["previews", "r", "--svg", "--processes", "2"])
    assert run.exit_code == 0
    assert "16 previews made, 0 were there, 0 failed; " in run.output
    assert "16 were there" in CliRunner().invoke(cli.app, ["previews", "--svg"]).output
    unknown = CliRunner().invoke(cli.app, ["previews", "other"])
    assert "there are no event lists of other" in str(unknown.exception)
