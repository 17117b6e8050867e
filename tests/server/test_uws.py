"""Asynchronous TAP jobs over a socket: the resource tree of UWS 1.1 and what becomes of a job."""

import gc
import io
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
import pyvo
import requests
from astropy.io.votable import parse_single_table
from lxml import etree

from tests.server.serving import free_socket, served, url_of
from tests.xmlcheck import VOTABLE, parsed
from vo_server.app import create_app
from vo_server.roles import owner_url
from vo_server.settings import Settings

UWS = "http://www.ivoa.net/xml/UWS/v1.0"
NS = {"u": UWS, "v": VOTABLE}
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
HREF = "{http://www.w3.org/1999/xlink}href"

QUERY = "SELECT schema_name FROM tap_schema.schemas ORDER BY schema_index"
TRIVIAL = {"LANG": "ADQL", "QUERY": QUERY, "RESPONSEFORMAT": "csv"}
SLOW = {
    "LANG": "ADQL",
    "QUERY": "SELECT COUNT(*) FROM tap_schema.columns a, tap_schema.columns b, tap_schema.columns c,"
    " tap_schema.columns d WHERE a.description || c.description < b.description || d.description",
}
"""Keeps a processor busy for minutes."""


def create(client: httpx.Client, **parameters: Any) -> str:
    """The URL of a new job."""
    answer = client.post("/tap/async", data=parameters)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def document(client: httpx.Client, url: str, **parameters: str) -> etree._Element:
    """The valid document of a job."""
    answer = client.get(url, params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    return parsed(answer.content)


def text(root: etree._Element, name: str) -> str | None:
    """The text of a child, None for a nil one."""
    found = root.find(f"u:{name}", NS)
    assert found is not None
    return None if found.get(NIL) == "true" else found.text


def finished(client: httpx.Client, url: str) -> etree._Element:
    """The document of a job when it has ended."""
    deadline = time.monotonic() + 30
    while True:
        root = document(client, url, WAIT="10")
        if text(root, "phase") not in {"PENDING", "QUEUED", "EXECUTING"}:
            return root
        assert time.monotonic() < deadline


def executing(client: httpx.Client, url: str) -> None:
    """Return when the job runs."""
    deadline = time.monotonic() + 10
    while client.get(f"{url}/phase").text != "EXECUTING":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def no_query_runs(settings: Settings) -> bool:
    """True as soon as the public role has no statement running any more."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state = 'active'"
        " AND datname = current_database()"
    )
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        deadline = time.monotonic() + 10
        while connection.execute(query, [settings.reader_role]).fetchone() != (0,):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return True


def test_a_job_from_creation_to_result(client: httpx.Client) -> None:
    url = create(client, **TRIVIAL, runid="mine")
    job_id = url.rsplit("/", 1)[1]
    assert len(job_id) == 24
    root = document(client, url)
    assert root.get("version") == "1.1"
    assert [text(root, n) for n in ("jobId", "runId", "ownerId", "phase")] == [
        job_id,
        "mine",
        None,
        "PENDING",
    ]
    assert [text(root, n) for n in ("quote", "startTime", "endTime")] == [None, None, None]
    assert text(root, "executionDuration") == "3600"
    given = {p.get("id"): p.text for p in root.findall("u:parameters/u:parameter", NS)}
    assert given == {**TRIVIAL, "RUNID": "mine"}
    assert root.findall("u:results/u:result", NS) == []
    assert client.get(f"{url}/results/result").status_code == 404
    answer = client.post(f"{url}/phase", data={"PHASE": "RUN"})
    assert (answer.status_code, answer.headers["location"]) == (303, url)
    root = finished(client, url)
    assert text(root, "phase") == "COMPLETED"
    (result,) = root.findall("u:results/u:result", NS)
    assert (result.get("id"), result.get(HREF)) == ("result", f"{url}/results/result")
    delivered = client.get(f"{url}/results/result")
    assert (
        delivered.headers["content-type"]
        == result.get("mime-type")
        == "text/csv;header=present;charset=utf-8"
    )
    assert delivered.text == "schema_name\r\nivoa\r\ntap_schema\r\n"
    assert str(len(delivered.content)) == result.get("size") == delivered.headers["content-length"]
    assert root.findtext("u:jobInfo/rows", None, NS) == "2"


def test_run_in_the_request_that_creates(client: httpx.Client) -> None:
    answer = client.post("/tap/async", data={**TRIVIAL, "phase": "RUN"})
    assert answer.status_code == 303
    root = finished(client, answer.headers["location"])
    assert text(root, "phase") == "COMPLETED"
    assert "PHASE" not in {p.get("id") for p in root.findall("u:parameters/u:parameter", NS)}
    assert answer.is_redirect
    assert client.post("/tap/async", data={"PHASE": "ABORT"}).status_code == 400


def test_the_small_resources_agree_with_the_document(client: httpx.Client) -> None:
    url = create(client, **TRIVIAL)
    root = document(client, url)
    for child, element in (
        ("phase", "phase"),
        ("executionduration", "executionDuration"),
        ("destruction", "destruction"),
    ):
        answer = client.get(f"{url}/{child}")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text == text(root, element)
    for child in ("quote", "owner"):
        assert client.get(f"{url}/{child}").text == ""
    parameters = parsed(client.get(f"{url}/parameters").content)
    assert len(parameters) == 3
    assert len(parsed(client.get(f"{url}/results").content)) == 0
    assert client.get(f"{url}/error").status_code == 404
    assert client.get(f"{url}/nonsense").status_code == 404
    assert client.get("/tap/async/none").status_code == 404
    assert client.get("/tap/async/none/phase").status_code == 404
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    assert finished(client, url) is not None
    assert client.get(f"{url}/quote").text.endswith("Z")


def test_parameters_come_in_any_order_and_the_last_runid_wins(client: httpx.Client) -> None:
    url = create(client)
    for given in ({"QUERY": QUERY}, {"lang": "ADQL", "RunId": "one"}, {"FORMAT": "csv", "RUNID": "two"}):
        answer = client.post(f"{url}/parameters", data=given)
        assert (answer.status_code, answer.headers["location"]) == (303, url)
    assert text(document(client, url), "runId") == "two"
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    assert text(finished(client, url), "phase") == "COMPLETED"
    answer = client.post(f"{url}/parameters", data={"QUERY": "x"})
    assert answer.status_code == 403
    assert "while a job is PENDING" in answer.text
    assert client.post(url, data={"QUERY": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"LANG": "ADQL", "QUERY": "SELECT nothing FROM tap_schema.tables"}, "unknown column nothing"),
        ({"LANG": "ADQL"}, "QUERY is missing"),
        ({"LANG": "ADQL", "QUERY": [QUERY, QUERY]}, "QUERY may be given once only; it was given 2 times"),
        ({**TRIVIAL, "LANG": "OOBLECK"}, "unknown query language LANG='OOBLECK'"),
        ({**TRIVIAL, "MAXREC": "-1"}, "MAXREC must be a whole number"),
        (
            {**TRIVIAL, "QUERY": "SELECT 1 / (schema_index - schema_index) FROM tap_schema.schemas"},
            "division",
        ),
    ],
)
def test_what_is_wrong_is_told_when_the_job_runs(
    client: httpx.Client, parameters: dict[str, Any], message: str
) -> None:
    url = create(client, **parameters, PHASE="RUN")
    root = finished(client, url)
    assert text(root, "phase") == "ERROR"
    summary = root.find("u:errorSummary", NS)
    assert summary is not None
    assert dict(summary.attrib) == {"type": "fatal", "hasDetail": "true"}
    told = summary.findtext("u:message", "", NS)
    assert message in told
    answer = client.get(f"{url}/error")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-votable+xml")
    (info,) = parsed(answer.content).findall("v:RESOURCE/v:INFO", NS)
    assert (info.get("value"), info.text) == ("ERROR", told)
    assert client.get(f"{url}/results/result").status_code == 404
    sync = client.post("/tap/sync", data=parameters)
    (info,) = parsed(sync.content).findall("v:RESOURCE/v:INFO", NS)
    assert info.text == told


@pytest.mark.parametrize("response", ["votable", "votable/td", "csv"])
def test_a_fault_behind_the_first_rows_is_an_error_too(client: httpx.Client, response: str) -> None:
    """The writer tells it in its document; but the result of a job is whole or there is none."""
    query = (
        "SELECT 1 / (a.column_index - 5 + b.column_index * 0) FROM tap_schema.columns a, tap_schema.columns b"
        " WHERE a.column_index <> 5 OR b.column_name = 'obs_title'"
    )
    url = create(client, LANG="ADQL", QUERY=query, MAXREC="100000", RESPONSEFORMAT=response, PHASE="RUN")
    root = finished(client, url)
    assert text(root, "phase") == "ERROR"
    assert "division by zero" in client.get(f"{url}/error").text


def test_maxrec_is_that_of_sync(client: httpx.Client) -> None:
    query = {"LANG": "ADQL", "QUERY": "SELECT column_name FROM tap_schema.columns"}
    url = create(client, **query, MAXREC="3", PHASE="RUN")
    finished(client, url)
    answer = client.get(f"{url}/results/result")
    assert len(parse_single_table(io.BytesIO(answer.content)).array) == 3
    assert b'value="OVERFLOW"' in answer.content


def test_abort_before_while_and_after_running(client: httpx.Client, module_settings: Settings) -> None:
    url = create(client, **TRIVIAL)
    assert client.post(f"{url}/phase", data={"PHASE": "ABORT"}).headers["location"] == url
    assert client.get(f"{url}/phase").text == "ABORTED"
    assert client.post(f"{url}/phase", data={"PHASE": "RUN"}).status_code == 403
    url = create(client, **SLOW, PHASE="RUN")
    executing(client, url)
    client.post(f"{url}/phase", data={"PHASE": "ABORT"})
    assert client.get(f"{url}/phase").text == "ABORTED"
    assert no_query_runs(module_settings)
    assert client.get(f"{url}/phase").text == "ABORTED"
    assert client.get(f"{url}/results/result").status_code == 404
    assert "aborted on request" in client.get(f"{url}/error").text
    url = create(client, **TRIVIAL, PHASE="RUN")
    finished(client, url)
    assert client.post(f"{url}/phase", data={"PHASE": "ABORT"}).status_code == 403
    assert client.post(f"{url}/phase", data={"PHASE": "RUN"}).status_code == 403
    assert client.get(f"{url}/phase").text == "COMPLETED"


@pytest.mark.parametrize("how", ["DELETE", "ACTION"])
def test_delete_while_running(client: httpx.Client, module_settings: Settings, how: str) -> None:
    url = create(client, **SLOW, PHASE="RUN")
    executing(client, url)
    answer = client.delete(url) if how == "DELETE" else client.post(url, data={"ACTION": "DELETE"})
    assert answer.status_code == 303
    assert answer.headers["location"] == url.rsplit("/", 1)[0]
    assert client.get(url).status_code == 404
    assert no_query_runs(module_settings)


def test_a_deleted_result_is_gone(client: httpx.Client, module_settings: Settings) -> None:
    url = create(client, **TRIVIAL, PHASE="RUN")
    finished(client, url)
    files = module_settings.data_dir / "results" / url.rsplit("/", 1)[1]
    assert [p.name for p in files.rglob("*") if p.is_file()] == ["result"]
    client.delete(url)
    assert not files.exists()
    assert client.get(f"{url}/results/result").status_code == 404


def test_ranges_and_head(client: httpx.Client) -> None:
    url = create(client, **TRIVIAL, PHASE="RUN") + "/results/result"
    finished(client, url.removesuffix("/results/result"))
    whole = client.get(url).content
    head = client.head(url)
    assert (head.headers["content-length"], head.headers["accept-ranges"]) == (str(len(whole)), "bytes")
    assert head.content == b""
    for asked, start, end in (("3-9", 3, 10), ("5-", 5, len(whole)), ("-4", len(whole) - 4, len(whole))):
        part = client.get(url, headers={"Range": f"bytes={asked}"})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
        assert part.content == whole[start:end]
    assert client.get(url, headers={"Range": "bytes=0-1,4-5"}).content == whole


def test_wait(client: httpx.Client) -> None:
    url = create(client, **TRIVIAL)
    begun = time.monotonic()
    document(client, url, WAIT="0")
    document(client, url, WAIT="-1", PHASE="QUEUED")
    assert time.monotonic() - begun < 5
    document(client, url, WAIT="1")
    assert time.monotonic() - begun >= 1
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(document, client, url, WAIT="-1", PHASE="PENDING") for _ in range(20)]
        time.sleep(0.3)
        assert not any(w.done() for w in waiting)
        client.post(f"{url}/phase", data={"PHASE": "RUN"})
        assert {text(w.result(), "phase") for w in waiting} <= {"QUEUED", "EXECUTING", "COMPLETED"}
    finished(client, url)
    begun = time.monotonic()
    document(client, url, WAIT="-1")
    assert time.monotonic() - begun < 5
    assert client.get(url, params={"WAIT": "soon"}).status_code == 400


def test_a_wait_ends_when_the_job_is_deleted(client: httpx.Client) -> None:
    url = create(client, **TRIVIAL)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, url, params={"WAIT": "30"})
        time.sleep(0.2)
        client.delete(url)
        assert waiting.result().status_code == 404


def listed(client: httpx.Client, **parameters: Any) -> list[tuple[str | None, str | None]]:
    root = parsed(client.get("/tap/async", params=parameters).content)
    assert root.get("version") == "1.1"
    return [(ref.get(HREF), ref.findtext("u:phase", None, NS)) for ref in root.findall("u:jobref", NS)]


def test_the_list_shows_the_clients_own_jobs(client: httpx.Client) -> None:
    with httpx.Client(base_url=client.base_url) as mine, httpx.Client(base_url=client.base_url) as other:
        assert listed(mine) == []
        first, second = create(mine, **TRIVIAL), create(mine, **TRIVIAL, PHASE="RUN")
        create(other, **TRIVIAL)
        finished(mine, second)
        assert listed(mine) == [(second, "COMPLETED"), (first, "PENDING")]
        assert listed(mine, PHASE="PENDING") == [(first, "PENDING")]
        assert len(listed(mine, phase=["PENDING", "COMPLETED"])) == 2
        assert listed(mine, PHASE="ARCHIVED") == []
        assert listed(mine, LAST="1") == [(second, "COMPLETED")]
        created = text(document(mine, first), "creationTime") or ""
        after = datetime.fromisoformat(created) + timedelta(milliseconds=1)
        assert listed(mine, AFTER=after.isoformat()) == [(second, "COMPLETED")]
        assert listed(mine, AFTER="2200-01-01") == []
        assert len(listed(other)) == 1
        # Whoever is given the URL of a job may use it.
        assert document(other, first) is not None
        assert mine.get("/tap/async", params={"PHASE": "DONE"}).status_code == 400
        mine.delete(first)
        assert listed(mine) == [(second, "COMPLETED")]


def test_destruction_and_duration_are_limited(client: httpx.Client) -> None:
    url = create(client, **TRIVIAL)
    for wanted, given in (("120", "120"), ("0", "86400"), ("99999999", "86400")):
        answer = client.post(f"{url}/executionduration", data={"EXECUTIONDURATION": wanted})
        assert answer.status_code == 303
        assert client.get(f"{url}/executionduration").text == given
    assert client.post(f"{url}/executionduration", data={"EXECUTIONDURATION": "long"}).status_code == 400
    assert client.post(f"{url}/executionduration").status_code == 400
    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    client.post(f"{url}/destruction", data={"DESTRUCTION": soon.isoformat()})
    assert client.get(f"{url}/destruction").text == soon.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    client.post(f"{url}/destruction", data={"DESTRUCTION": "2999-01-01T00:00:00Z"})
    latest = datetime.fromisoformat(client.get(f"{url}/destruction").text)
    assert timedelta(days=29) < latest - datetime.now(UTC) <= timedelta(days=30)
    assert client.post(f"{url}/destruction", data={"DESTRUCTION": "later"}).status_code == 400
    client.post(f"{url}/destruction", data={"DESTRUCTION": "2020-01-01T00:00:00Z"})
    assert client.get(url).status_code == 404


def test_parts_of_a_form_are_kept_with_the_job(client: httpx.Client, module_settings: Settings) -> None:
    answer = client.post(
        "/tap/async", data={"UPLOAD": "one,param:part/1"}, files={"part/1": ("x.csv", b"a,b\n1,2\n")}
    )
    url = answer.headers["location"]
    answer = client.post(f"{url}/parameters", data={"upload": "two,param:p2"}, files={"p2": b"\x00\xff"})
    assert answer.status_code == 303
    found = {
        p.get("id"): (p.text, p.get("byReference")) for p in parsed(client.get(f"{url}/parameters").content)
    }
    assert found == {
        "UPLOAD": ("one,param:part/1;two,param:p2", None),
        "part/1": (f"{url}/parameters/part%2F1", "true"),
        "p2": (f"{url}/parameters/p2", "true"),
    }
    assert client.get(f"{url}/parameters/part%2F1").content == b"a,b\n1,2\n"
    assert client.get(f"{url}/parameters/p2").content == b"\x00\xff"
    assert client.get(f"{url}/parameters/p3").status_code == 404
    client.delete(url)
    assert not (module_settings.data_dir / "results" / url.rsplit("/", 1)[1]).exists()


def test_a_table_that_comes_with_a_job(client: httpx.Client) -> None:
    query = {"LANG": "ADQL", "QUERY": "SELECT b, a FROM TAP_UPLOAD.mine", "RESPONSEFORMAT": "csv"}
    answer = client.post(
        "/tap/async",
        data={**query, "UPLOAD": "mine,param:part"},
        files={"part": ("x.csv", b"a,b\n1,one\n2,two\n", "text/csv")},
    )
    url = answer.headers["location"]
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    assert text(finished(client, url), "phase") == "COMPLETED"
    assert client.get(f"{url}/results/result").text == "b,a\r\none,1\r\ntwo,2\r\n"
    url = create(client, **query, UPLOAD="mine,param:absent", PHASE="RUN")
    finished(client, url)
    assert "no part named 'absent'" in client.get(f"{url}/error").text


def test_pyvo(client: httpx.Client) -> None:
    with warnings.catch_warnings(), requests.Session() as session:
        warnings.simplefilter("ignore", ResourceWarning)  # pyvo leaves its streams to the collector
        _use_pyvo(pyvo.dal.TAPService(f"{client.base_url}/tap", session=session))
        gc.collect()


def _use_pyvo(service: pyvo.dal.TAPService) -> None:
    table = service.run_async(QUERY).to_table()
    assert list(table["schema_name"]) == ["ivoa", "tap_schema"]
    job = service.submit_job(QUERY, runid="r", maxrec=1)
    assert (job.phase, job.owner) == ("PENDING", None)
    job.execution_duration = 60
    assert job.execution_duration.sec == 60
    job.run().wait()
    assert job.phase == "COMPLETED"
    assert len(job.fetch_result()) == 1
    assert [j.jobid for j in service.get_job_list()] == [job.job_id]
    job.delete()
    job = service.submit_job("SELECT nothing FROM ivoa.obscore")
    job.run().wait()
    with pytest.raises(pyvo.dal.DALQueryError, match="unknown column nothing"):
        job.raise_if_error()
    job = service.submit_job(SLOW["QUERY"])
    job.run()
    job.abort()
    assert job.phase == "ABORTED"


def test_browsers_get_pages(client: httpx.Client) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    url = create(client, **{**TRIVIAL, "QUERY": "SELECT '<b>' FROM tap_schema.schemas"}, RUNID="my <run>")
    answer = client.get(url, headers=browser)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Job my &lt;run&gt;" in answer.text
    assert "SELECT &#x27;&lt;b&gt;&#x27;" in answer.text
    assert 'value="RUN"' in answer.text
    client.post(f"{url}/phase", data={"PHASE": "RUN"})
    finished(client, url)
    answer = client.get(url, headers=browser)
    assert f'href="{url}/results/result"' in answer.text
    assert "refresh" not in answer.headers
    assert f'href="{url}"' in client.get("/tap/async", headers=browser).text
    java = {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}
    assert client.get(url, headers=java).headers["content-type"] == "text/xml; charset=utf-8"


def test_limits_by_address(settings: Settings) -> None:
    listener = free_socket()
    settings = replace(settings, public_url=url_of(listener), jobs_per_address=2, worker=False)
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url) as client:
        first, second = create(client), create(client)
        refused = client.post("/tap/async", data=TRIVIAL)
        assert refused.status_code == 429
        assert "2 jobs of yours are waiting or running" in refused.text
        client.delete(first)
        client.post(f"{second}/phase", data={"PHASE": "ABORT"})
        third, fourth = create(client, **TRIVIAL), create(client)
        with psycopg.connect(owner_url(settings), autocommit=True) as connection:
            connection.execute("UPDATE vo.job SET created = created - interval '2 hours'")
        create(client, PHASE="RUN")
        assert client.post(f"{third}/phase", data={"PHASE": "RUN"}).headers["location"] == third
        assert client.post(f"{fourth}/phase", data={"PHASE": "RUN"}).status_code == 429
        assert client.get(f"{fourth}/phase").text == "PENDING"
        assert document(client, third).findtext("u:jobInfo/placeInQueue", "", NS) == "2"


def test_an_owned_job_is_for_its_owner(client: httpx.Client, module_settings: Settings) -> None:
    url = create(client, **TRIVIAL)
    with psycopg.connect(owner_url(module_settings), autocommit=True) as connection:
        connection.execute("UPDATE vo.job SET owner = 'ada' WHERE id = %s", [url.rsplit("/", 1)[1]])
    assert client.get(url).status_code == 403
    assert client.delete(url).status_code == 403
    assert client.get(f"{url}/phase").status_code == 403


def test_the_public_role_sees_no_jobs(module_settings: Settings) -> None:
    with psycopg.connect(module_settings.reader_url, autocommit=True) as reader:
        for table in ("vo.job", "procrastinate.procrastinate_jobs"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT * FROM {table}".encode())


def test_capabilities_tell_the_limits_of_jobs(client: httpx.Client) -> None:
    root = parsed(client.get("/tap/capabilities").content)
    limits = {n: [c.text for c in root.find(f".//{n}")] for n in ("retentionPeriod", "executionDuration")}
    assert limits == {"retentionPeriod": ["172800", "2592000"], "executionDuration": ["3600", "86400"]}
