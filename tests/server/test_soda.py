"""Cutouts over a socket: the synchronous service, jobs, errors, and what they tell of themselves."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from astropy.io import fits
from lxml import etree

from tests.dl3files import Habits, write_dl3
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from tests.server.test_uws import document, executing, finished, text
from tests.xmlcheck import parsed
from vo_server.app import create_app
from vo_server.roles import owner_url
from vo_server.settings import Settings
from vo_server.soda import criteria, cutout

NS = {"u": "http://www.ivoa.net/xml/UWS/v1.0"}
HREF = "{http://www.w3.org/1999/xlink}href"
DID = "ivo://x-unregistered/soda?"
HERE = "CIRCLE 228.6 -58.8 30"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("a") / "soda"
    write_dl3(directory / "1.fits", Habits(events=500, obs_id="1"))
    write_dl3(directory / "2.fits.gz", Habits(events=300, obs_id="2"))
    write_dl3(directory / "gone.fits", Habits(events=5, obs_id="gone"))
    return directory


@pytest.fixture(scope="module")
def soda_settings(
    module_settings: Settings, release: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    with psycopg.connect(owner_url(module_settings), autocommit=True) as connection:
        archive = Archive(module_settings, connection)
        assert archive.ingest(release, product_rows=["event-list", "aeff"]).problems == []
    (release / "gone.fits").unlink()
    return replace(module_settings, result_store=str(tmp_path_factory.mktemp("results")), cutouts_per_job=8)


@pytest.fixture(scope="module")
def client(soda_settings: Settings) -> Iterator[httpx.Client]:
    listener = free_socket()
    settings = replace(soda_settings, public_url=url_of(listener))
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def energies(content: bytes) -> np.ndarray:
    with fits.open(io.BytesIO(content)) as hdus:
        return np.array(hdus["EVENTS"].data["ENERGY"], np.float64)


def test_a_cutout(client: httpx.Client) -> None:
    given = {"ID": f"{DID}1", "ENERGY": "1 10", "POS": HERE}
    answer = client.get("/soda/sync", params=given)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/fits"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-disposition"] == 'attachment; filename="1-cutout.fits"'
    all_energies = np.geomspace(0.2, 40, 500).astype("f4").astype("f8")
    assert (energies(answer.content) == all_energies[(all_energies >= 1) & (all_energies <= 10)]).all()
    with fits.open(io.BytesIO(answer.content)) as hdus:
        assert [h.name for h in hdus] == ["PRIMARY", "EVENTS", "GTI", "AEFF", "EDISP", "PSF"]
    posted = client.post("/soda/sync", data={"id": f"{DID}1", "energy": "1 10", "Pos": HERE})
    assert posted.content == answer.content
    head = client.head("/soda/sync", params=given)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(answer.content)))
    part = client.get("/soda/sync", params=given, headers={"Range": "bytes=2880-5759"})
    assert (part.status_code, part.content) == (206, answer.content[2880:5760])
    assert part.headers["etag"] == answer.headers["etag"]


def test_a_packed_list_is_cut_like_any_other(client: httpx.Client) -> None:
    answer = client.get("/soda/sync", params={"ID": f"{DID}2", "BAND": "-Inf 1.3e-18"})
    assert len(energies(answer.content)) == np.sum(np.geomspace(0.2, 40, 300) > 1.2398419843e-18 / 1.3e-18)


def test_without_conditions_it_is_the_whole_list(client: httpx.Client) -> None:
    assert len(energies(client.get("/soda/sync", params={"ID": f"{DID}1"}).content)) == 500


def test_no_event_is_no_content(client: httpx.Client) -> None:
    answer = client.get("/soda/sync", params={"ID": f"{DID}1", "CIRCLE": "0 0 1"})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("given", "status", "label", "told"),
    [
        ([], 400, "UsageError", "ID is missing"),
        ([("ID", "ivo://no/such?thing")], 404, "UsageError", "no dataset"),
        ([("ID", "x" * 5000)], 404, "UsageError", "no dataset"),
        ([("ID", "a\0b")], 404, "UsageError", "no dataset"),
        ([("ID", f"{DID}1/aeff")], 400, "UsageError", "no event list"),
        ([("ID", f"{DID}gone")], 404, "UsageError", "missing"),
        ([("ID", f"{DID}1"), ("ID", f"{DID}2")], 400, "MultiValuedParamNotSupported", "ID"),
        ([("ID", f"{DID}1"), ("TIME", "1 2"), ("time", "1 2")], 400, "MultiValuedParamNotSupported", "TIME"),
        ([("ID", f"{DID}1"), ("CIRCLE", "1 2")], 400, "UsageError", "CIRCLE is longitude"),
        ([("ID", f"{DID}1"), ("ENERGY", "'; DROP TABLE vo.job; --")], 400, "UsageError", "not a number"),
    ],
)
def test_errors_are_plain_text_with_a_label(
    client: httpx.Client, given: list[tuple[str, str]], status: int, label: str, told: str
) -> None:
    for answer in (
        client.get("/soda/sync", params=httpx.QueryParams(given)),
        client.post("/soda/sync", content=str(httpx.QueryParams(given)), headers=FORM),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text.startswith(f"{label}: ")
        assert told in answer.text
        assert "<" not in answer.text


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_other_errors_have_labels_too(client: httpx.Client) -> None:
    assert client.delete("/soda/sync").text.startswith("UsageError: ")
    assert client.get("/soda/nothing").text.startswith("UsageError: ")
    assert client.get("/soda/async/nothing").text.startswith("UsageError: ")
    assert client.get("/nosuch/async").status_code == 404


def test_a_link_in_place_of_the_file_is_not_followed(client: httpx.Client, release: Path) -> None:
    path = release / "1.fits"
    elsewhere = release.parent / "elsewhere.fits"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    try:
        answer = client.get("/soda/sync", params={"ID": f"{DID}1"})
    finally:
        path.unlink()
        elsewhere.rename(path)
    assert (answer.status_code, "missing" in answer.text) == (404, True)


def test_a_damaged_file_is_our_fault(client: httpx.Client, release: Path) -> None:
    path = release / "1.fits"
    content = path.read_bytes()
    path.write_bytes(content[:9000])
    try:
        answer = client.get("/soda/sync", params={"ID": f"{DID}1"})
    finally:
        path.write_bytes(content)
    assert answer.status_code == 500
    assert answer.text.startswith("Error: A file of")
    assert "incident" in answer.text


def test_too_many_at_a_time(soda_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cutout at a time: while it is made others wait, then are told to come again; queries go on."""
    going, hold = threading.Event(), threading.Event()
    choose = cutout.choose

    def slow(*arguments: Any) -> Any:
        going.set()
        assert hold.wait(20)
        return choose(*arguments)

    monkeypatch.setattr(cutout, "choose", slow)
    monkeypatch.setattr("vo_server.soda.routes._WAIT", 0.2)
    with served(create_app(replace(soda_settings, cutouts=1, worker=False))) as url:
        first = threading.Thread(
            target=httpx.get, args=(f"{url}/soda/sync?ID={DID}1",), kwargs={"timeout": 30}
        )
        first.start()
        try:
            assert going.wait(10)
            second = httpx.get(f"{url}/soda/sync", params={"ID": f"{DID}2"})
            assert (second.status_code, second.headers["retry-after"]) == (503, "10")
            assert second.text.startswith("ServiceUnavailable: ")
            assert httpx.get(f"{url}/soda/availability").status_code == 200
        finally:
            hold.set()
            first.join()
        assert httpx.get(f"{url}/soda/sync", params={"ID": f"{DID}2"}).status_code == 200


def test_a_cutout_stops_in_time_and_when_its_client_goes(
    soda_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, seen = criteria.Criteria.chosen, []

    def slow(self: Any, rows: Any) -> Any:
        seen.append(time.monotonic())
        time.sleep(0.05)
        return chosen(self, rows)

    monkeypatch.setattr(criteria, "ROWS", 2)
    monkeypatch.setattr(criteria.Criteria, "chosen", slow)
    with served(create_app(replace(soda_settings, sync_timeout=0.5, worker=False))) as url:
        answer = httpx.get(f"{url}/soda/sync", params={"ID": f"{DID}1"})
        assert (answer.status_code, answer.text[:30]) == (408, "Error: The cutout takes longer")
    seen.clear()
    listener = free_socket()
    with served(create_app(replace(soda_settings, worker=False)), listener) as url:
        with socket.create_connection(listener.getsockname()) as wire:
            wire.sendall(f"GET /soda/sync?ID={DID}1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            deadline = time.monotonic() + 10
            while not seen:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        gone = time.monotonic()
        time.sleep(0.5)
        assert max(seen) < gone + 0.3
        assert httpx.get(f"{url}/soda/availability").status_code == 200


def create(client: httpx.Client, *pairs: tuple[str, str]) -> str:
    """The URL of a new job."""
    answer = client.post("/soda/async", content=str(httpx.QueryParams(pairs)), headers=FORM)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def results(root: etree._Element) -> dict[str, tuple[str, str, int]]:
    """Name -> URL, media type and size."""
    found = root.findall("u:results/u:result", NS)
    return {r.get("id"): (r.get(HREF), r.get("mime-type"), int(r.get("size"))) for r in found}


def test_a_job_with_one_cutout(client: httpx.Client) -> None:
    given = {"ID": f"{DID}1", "ENERGY": "1 10"}
    url = create(client, *given.items())
    assert url.startswith(f"{client.base_url}/soda/async/".replace("//soda", "/soda"))
    assert results(document(client, url)) == {}
    assert client.get(f"{url}/results/cutout-1").status_code == 404
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    root = finished(client, url)
    assert text(root, "phase") == "COMPLETED"
    whole = client.get("/soda/sync", params=given).content
    assert results(root) == {"cutout-1": (f"{url}/results/cutout-1", "application/fits", len(whole))}
    assert client.get(f"{url}/results/cutout-1").content == whole
    part = client.get(f"{url}/results/cutout-1", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert client.get(f"{url}/results/cutout-2").status_code == 404
    assert root.findtext("u:jobInfo/rows", namespaces=NS) == str(len(energies(whole)))


def test_a_job_with_many_cutouts(client: httpx.Client) -> None:
    values = [
        ("ID", f"{DID}1"),
        ("ID", "ivo://no/such"),
        ("ENERGY", "1 2"),
        ("ENERGY", "90 99"),
        ("POS", HERE),
    ]
    url = create(client, *values, ("PHASE", "RUN"))
    root = finished(client, url)
    assert text(root, "phase") == "COMPLETED"
    found = results(root)
    assert list(found) == ["cutout-1", "cutout-2", "cutout-3", "cutout-4"]
    answers = {name: client.get(place) for name, (place, _, _) in found.items()}
    assert all(len(answers[name].content) == size for name, (_, _, size) in found.items())
    assert energies(answers["cutout-1"].content).size > 10
    assert answers["cutout-2"].headers["content-type"].startswith("text/plain")
    assert answers["cutout-2"].text == f"Error: no event of {DID}1 meets the conditions\n"
    for name in ("cutout-3", "cutout-4"):
        assert answers[name].text == "UsageError: ID: there is no dataset 'ivo://no/such'\n"


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([("ID", "ivo://no/such")], "UsageError: ID: there is no dataset"),
        ([("ENERGY", "1 2")], "UsageError: ID is missing"),
        ([("ID", f"{DID}1"), ("CIRCLE", "1 2 3"), ("CIRCLE", "1 2")], "UsageError: CIRCLE is"),
        ([("ID", f"{DID}1")] * 9, "UsageError: the values make 9 combinations"),
    ],
)
def test_a_job_that_cannot_be_done(client: httpx.Client, pairs: list[tuple[str, str]], told: str) -> None:
    url = create(client, *pairs, ("PHASE", "RUN"))
    root = finished(client, url)
    assert text(root, "phase") == "ERROR"
    assert results(root) == {}
    assert (root.findtext("u:errorSummary/u:message", namespaces=NS) or "").startswith(told)
    answer = client.get(f"{url}/error")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith(told)


def test_each_service_has_jobs_of_its_own(client: httpx.Client) -> None:
    with httpx.Client(base_url=client.base_url) as browser:
        cut = create(browser, ("ID", f"{DID}1"))
        query = browser.post("/tap/async", data={"LANG": "ADQL", "QUERY": "SELECT 1"}).headers["location"]
        for service, job in (("soda", cut), ("tap", query)):
            listed = parsed(browser.get(f"/{service}/async").content).findall("u:jobref", NS)
            assert [ref.get("id") for ref in listed] == [job.rsplit("/", 1)[1]]
        assert browser.get(cut.replace("/soda/", "/tap/")).status_code == 404
        assert browser.get(query.replace("/tap/", "/soda/")).status_code == 404
        page = browser.get("/soda/async", headers={"Accept": "text/html,application/xhtml+xml"})
        assert "SODA jobs" in page.text


def test_an_aborted_job_stops_and_leaves_nothing(
    client: httpx.Client, soda_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, seen = criteria.Criteria.chosen, []

    def slow(self: Any, rows: Any) -> Any:
        seen.append(time.monotonic())
        time.sleep(0.02)
        return chosen(self, rows)

    monkeypatch.setattr(criteria, "ROWS", 10)
    monkeypatch.setattr(criteria.Criteria, "chosen", slow)
    url = create(client, *[("ID", f"{DID}1")] * 6, ("PHASE", "RUN"))
    executing(client, url)
    store = Path(soda_settings.result_store) / url.rsplit("/", 1)[1]
    deadline = time.monotonic() + 20
    while not list(store.rglob("cutout-1")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    client.post(f"{url}/phase", data={"PHASE": "ABORT"})
    assert text(finished(client, url), "phase") == "ABORTED"
    time.sleep(1)
    assert max(seen) < time.monotonic() - 0.4
    assert [path for path in store.rglob("*") if path.is_file()] == []


def test_capabilities(client: httpx.Client) -> None:
    answer = client.get("/soda/capabilities")
    assert answer.headers["content-type"].startswith("text/xml")
    root = parsed(answer.content)
    found = {c.get("standardID"): c.findtext("interface/accessURL") for c in root.findall("capability")}
    base = str(client.base_url).rstrip("/")
    assert found == {
        "ivo://ivoa.net/std/VOSI#capabilities": f"{base}/soda/capabilities",
        "ivo://ivoa.net/std/VOSI#availability": f"{base}/soda/availability",
        "ivo://ivoa.net/std/SODA#sync-1.0": f"{base}/soda/sync",
        "ivo://ivoa.net/std/SODA#async-1.0": f"{base}/soda/async",
    }
    names = [p.text for p in root.findall("capability[3]/interface/param/name")]
    assert names == ["ID", "CIRCLE", "POLYGON", "POS", "BAND", "TIME", "ENERGY"]
    assert ">true<" in client.get("/soda/availability").text
