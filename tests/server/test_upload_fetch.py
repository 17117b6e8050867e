"""Uploads by URL: what is fetched, from where, and how much of it."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.server.serving import free_socket, served, url_of
from tests.server.uploading import message_of, rows_of
from vo_server.app import create_app
from vo_server.errors import TooLargeError, UsageError
from vo_server.settings import Settings
from vo_server.upload.fetch import fetch, is_public, public_addresses

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path, and keeps the headers it was sent."""

    seen: list[dict[str, str]] = []  # noqa: RUF012  reset by the fixture

    def do_GET(self) -> None:
        self.seen.append({k.lower(): v for k, v in self.headers.items()})
        ANSWERS[self.path.strip("/")](self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""


def answer(status: int, content: bytes = b"", **headers: str) -> Answer:
    def send(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(content)

    return send


ANSWERS: dict[str, Answer] = {
    "table": answer(200, b"x\n1\n2\n"),
    "moved": answer(302, Location="/table"),
    "circle": answer(302, Location="/circle"),
    "file": answer(302, Location="file:///etc/passwd"),
    "inside": answer(302, Location="http://user:secret@127.0.0.1/table"),
    "missing": answer(404),
    "packed": answer(200, b"x", Content_Encoding="gzip"),
    "long": answer(200, b"x\n" * 1000, Content_Length="2000"),
    "endless": answer(200, b"x\n" * 1_000_000),
}


@pytest.fixture
def files() -> Iterator[str]:
    """The URL of a server of files on loopback."""
    Handler.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["table", "moved"])
def test_what_is_there(files: str, path: str) -> None:
    with fetch(f"{files}/{path}", 100, private=True) as file:
        assert file.read() == b"x\n1\n2\n"
    assert all(
        set(headers) <= {"host", "user-agent", "accept", "accept-encoding"} for headers in Handler.seen
    )


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("missing", "answers with status 404, not 200"),
        ("circle", "more than 5 redirections"),
        ("file", "'file:///etc/passwd' is no http or https URL"),
        ("inside", "a URL with a user name or password is not fetched"),
        ("packed", "answers compressed"),
    ],
)
def test_what_is_not(files: str, path: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        fetch(f"{files}/{path}", 100, private=True)


@pytest.mark.parametrize("path", ["long", "endless"])
def test_the_size_is_limited(files: str, path: str) -> None:
    with pytest.raises(TooLargeError, match="uploadLimit"):
        fetch(f"{files}/{path}", 1000, private=True)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),  # noqa: S104
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *("fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
    ],
)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]"])
def test_loopback_in_any_spelling(files: str, host: str) -> None:
    port = files.rpartition(":")[2]
    with pytest.raises(UsageError, match=r"private address|not known|cannot be read"):
        fetch(f"http://{host}:{port}/table", 100)
    assert Handler.seen == []


def test_one_private_address_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(UsageError, match=r"the host a\.example has a private address"):
        public_addresses("a.example", 80)


def test_the_checked_address_is_connected_to(files: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is looked up once; what a second look-up would say is of no account."""
    asked = []
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "rebinding.example":
            return real(host, *rest, **more)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "203.0.113.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = files.rpartition(":")[2]
    with fetch(f"http://rebinding.example:{port}/table", 100, private=True) as file:
        assert file.read() == b"x\n1\n2\n"
    assert asked == ["rebinding.example"]
    assert Handler.seen[0]["host"] == f"rebinding.example:{port}"


@pytest.fixture
def lenient(settings: Settings) -> Iterator[httpx.Client]:
    """A server that reads from private addresses, too."""
    listener = free_socket()
    settings = replace(
        settings, public_url=url_of(listener), upload_private_addresses=True, upload_bytes=1000, worker=False
    )
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def test_a_query_with_a_url(lenient: httpx.Client, client: httpx.Client, files: str) -> None:
    form = {"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.t", "RESPONSEFORMAT": "csv"}
    form["UPLOAD"] = f"t,{files}/table"
    assert rows_of(lenient.post("/tap/sync", data=form)) == [["1"], ["2"]]
    assert rows_of(lenient.get("/tap/sync", params=form)) == [["1"], ["2"]]
    assert "the host 127.0.0.1 has a private address" in message_of(client.post("/tap/sync", data=form))
    form["UPLOAD"] = f"t,{files}/long"
    told = "UPLOAD t: the file has 2000 bytes; this service accepts 1000 bytes (uploadLimit)"
    assert message_of(lenient.post("/tap/sync", data=form), 413) == told
