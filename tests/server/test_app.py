"""What every response has, and what stands around the protocols."""

import logging
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.server.serving import served
from vo_server import errors
from vo_server.errors import STATUS, ServerError, VOError


def subclasses(kind: type[VOError]) -> Iterator[type[VOError]]:
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


def test_every_error_has_a_status_and_a_message() -> None:
    for kind in subclasses(VOError):
        assert 400 <= errors.status(kind()) < 600
        assert str(kind()).startswith(kind.__doc__ or "?")
    assert set(STATUS) == set(subclasses(VOError))


@pytest.fixture(scope="module")
def failing() -> Iterator[httpx.Client]:
    async def fail(request: Request) -> Response:
        raise {"bug": ZeroDivisionError("secret"), "known": ServerError(), "busy": errors.OverloadError()}[
            request.path_params["what"]
        ]

    handle = errors.handler({})
    app = Starlette(routes=[Route("/{what}", fail)], exception_handlers={VOError: handle, Exception: handle})
    with served(app) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize("what", ["bug", "known"])
def test_failures_are_logged_and_told_by_reference_only(
    failing: httpx.Client, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = failing.get(f"/{what}")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    reference = answer.text.split("incident ")[1].strip(".\n")
    (record,) = [r for r in caplog.records if r.name == "vo_server.errors"]
    assert reference in record.getMessage()
    assert record.exc_info is not None


def test_retry_after_when_busy(failing: httpx.Client) -> None:
    answer = failing.get("/busy")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


@pytest.mark.parametrize("path", ["/", "/tap/capabilities", "/tap/sync", "/nowhere"])
def test_every_response_names_the_software(client: httpx.Client, path: str) -> None:
    assert client.get(path).headers.get_list("server") == ["vo-server/0.1.0"]


@pytest.mark.parametrize("path", ["/nowhere", "/tap/examples/x", "/tap/sync/x", "/tap/tables/a/b"])
def test_unknown_paths(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/tap/sync"), ("DELETE", "/tap/tables"), ("POST", "/tap/capabilities")]
)
def test_other_methods(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


def test_any_page_may_read_results(client: httpx.Client) -> None:
    answer = client.get("/tap/capabilities", headers={"Origin": "https://aladin.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hrefs += [value for name, value in attrs if name in {"href", "src"} and value]


def test_landing_page(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "Test &amp; archive" in answer.text
    assert f"{client.base_url.join('/tap')}</code>" in answer.text
    assert "$" not in answer.text
    links = _Links()
    links.feed(answer.text)
    assert client.base_url.join("/tap/tables/ivoa.obscore") in map(httpx.URL, links.hrefs)
    for href in links.hrefs:
        assert client.get(href).status_code == 200


def test_base_url_of_tap_shows_its_page(client: httpx.Client) -> None:
    answer = client.get("/tap")
    assert answer.headers["content-type"].startswith("text/html")
    assert "<textarea" in answer.text
