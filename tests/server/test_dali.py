"""Parameters of GET and POST, on the application's own parser."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.server.serving import served
from vo_server import dali, errors
from vo_server.dali import Parameters
from vo_server.errors import UsageError
from vo_server.settings import Settings

SETTINGS = Settings(request_bytes=2000, query_bytes=1000, maxrec_default=100, maxrec_hard=5000)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    async def echo(request: Request) -> Response:
        read = await dali.read_parameters(request, SETTINGS)
        return JSONResponse({name: read.all(name) for name in ("LANG", "QUERY", "MAXREC")})

    app = Starlette(
        routes=[Route("/", echo, methods=["GET", "POST"])],
        exception_handlers={errors.VOError: errors.handler({})},
    )
    with served(app) as url, httpx.Client(base_url=url) as client:
        yield client


def test_names_have_no_case_and_values_stay(client: httpx.Client) -> None:
    read = client.get("/", params={"lang": "ADQL", "Query": "SELECT 'Ä+b' ", "unknown": "x"}).json()
    assert read == {"LANG": ["ADQL"], "QUERY": ["SELECT 'Ä+b' "], "MAXREC": []}


@pytest.mark.parametrize("multipart", [False, True])
def test_posted_forms(client: httpx.Client, multipart: bool) -> None:
    form = {"LANG": "ADQL", "query": "SELECT 'Ä&b=c'\nFROM t"}
    posted = (
        client.post("/", files={n: (None, v) for n, v in form.items()})
        if multipart
        else client.post("/", data=form)
    )
    assert posted.json() == {"LANG": ["ADQL"], "QUERY": [form["query"]], "MAXREC": []}


def test_query_string_and_body_add_up(client: httpx.Client) -> None:
    read = client.post("/?LANG=ADQL&MAXREC=1", data={"maxrec": "2"}).json()
    assert read == {"LANG": ["ADQL"], "QUERY": [], "MAXREC": ["1", "2"]}


def test_empty_values_count_as_not_sent(client: httpx.Client) -> None:
    assert client.get("/?LANG=&QUERY=x").json() == {"LANG": [], "QUERY": ["x"], "MAXREC": []}


def test_large_bodies_are_refused(client: httpx.Client) -> None:
    answer = client.post("/", data={"QUERY": "x" * 3000})
    assert answer.status_code == 413
    assert "2000 bytes" in answer.text


def test_other_bodies_are_refused(client: httpx.Client) -> None:
    answer = client.post("/", json={"QUERY": "x"})
    assert answer.status_code == 400
    assert "application/json" in answer.text


def test_repeated_single_valued_parameter() -> None:
    parameters = Parameters([("LANG", "ADQL"), ("lang", "ADQL")])
    assert parameters.all("LANG") == ("ADQL", "ADQL")
    with pytest.raises(UsageError, match="LANG may be given once only; it was given 2 times"):
        parameters.one("LANG")


@pytest.mark.parametrize(
    ("text", "rows"),
    [(None, 100), ("0", 0), ("7", 7), (" 7 ", 7), ("5001", 5000), ("007", 7), ("9" * 5000, 5000)],
)
def test_maxrec(text: str | None, rows: int) -> None:
    assert dali.maxrec(Parameters([] if text is None else [("maxrec", text)]), SETTINGS) == rows


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "1e3", "٣", "0x10"])
def test_maxrec_that_is_no_number(text: str) -> None:
    with pytest.raises(UsageError, match="MAXREC must be a whole number"):
        dali.maxrec(Parameters([("MAXREC", text)]), SETTINGS)


def test_responseformat_goes_before_format() -> None:
    both = Parameters([("FORMAT", "csv"), ("RESPONSEFORMAT", "tsv")])
    assert dali.response_format(both)[0].names == ("tsv",)
    assert dali.response_format(Parameters([("FORMAT", "csv")]))[0].names == ("csv",)
    assert dali.response_format(Parameters([]))[1] == "application/x-votable+xml"


def test_origin_leaves_out_what_is_not_known() -> None:
    infos = {
        i.name: i.value
        for i in dali.origin(SETTINGS, "ivo://ivoa.net/std/TAP", "http://x/tap/sync", "SELECT 1")
    }
    assert infos.keys() == {"server_software", "service_protocol", "request", "query", "request_date"}
    assert infos["server_software"].startswith("vo-server/")
    assert len(infos["request_date"]) == len("2026-01-01T00:00:00")
