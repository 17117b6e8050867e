"""Files behind datasets over HTTP: bytes, ranges, validators, and nothing that was not ingested."""

import contextlib
import email
import email.policy
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tests.dl3files import Habits, write_dl3
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from vo_server.app import create_app
from vo_server.products.content import Content, Extent
from vo_server.products.delivery import Delivery
from vo_server.products.file import Record, look
from vo_server.roles import owner_url
from vo_server.settings import Settings


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("a") / "release"
    write_dl3(directory / "run 1#é.fits.gz", Habits(events=5, obs_id="1"))
    write_dl3(directory / "2.fits", Habits(events=5, obs_id="a/b ?#"))
    (directory / "notes.txt").write_text("private")
    return directory


@pytest.fixture(scope="module")
def files(module_settings: Settings, release: Path) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A client, and the access_url of each dataset."""
    listener = free_socket()
    settings = replace(module_settings, public_url=url_of(listener))
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        archive = Archive(settings, connection)
        assert archive.ingest(release, product_rows=["event-list", "aeff"]).problems == []
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url) as client:
        body = {"LANG": "ADQL", "RESPONSEFORMAT": "csv"}
        body["QUERY"] = "SELECT obs_id || coalesce(dataproduct_subtype, ''), access_url FROM ivoa.obscore"
        lines = client.post("/tap/sync", data=body).text.splitlines()[1:]
        yield client, dict(line.rsplit(",", 1) for line in lines)


def test_access_urls_lead_to_the_files(files: tuple[httpx.Client, dict[str, str]], release: Path) -> None:
    client, urls = files
    paths = {"1": release / "run 1#é.fits.gz", "a/b ?#": release / "2.fits"}
    assert sorted(urls) == sorted(key + kind for key in paths for kind in ("", "aeff"))
    for key, path in paths.items():
        for kind in ("", "aeff"):
            answer = client.get(urls[key + kind])
            assert answer.status_code == 200
            assert answer.content == path.read_bytes()
            assert answer.headers["content-type"] == "application/fits"
            assert answer.headers["content-length"] == str(path.stat().st_size)
            assert "content-encoding" not in answer.headers


def test_head_and_validators(files: tuple[httpx.Client, dict[str, str]], release: Path) -> None:
    client, urls = files
    head, get = client.head(urls["1"]), client.get(urls["1"])
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "last-modified", "accept-ranges", "content-type"):
        assert head.headers[name] == get.headers[name]
    assert head.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(("asked", "start", "stop"), [("0-9", 0, 10), ("100-", 100, None), ("-7", -7, None)])
def test_ranges(
    files: tuple[httpx.Client, dict[str, str]], release: Path, asked: str, start: int, stop: int | None
) -> None:
    client, urls = files
    content = (release / "2.fits").read_bytes()
    answer = client.get(urls["a/b ?#"], headers={"Range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.content == content[start:stop]
    first = start % len(content)
    last = first + len(answer.content) - 1
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(content)}"


def test_ranges_of_another_version_and_beyond_the_end(
    files: tuple[httpx.Client, dict[str, str]], release: Path
) -> None:
    client, urls = files
    url, size = urls["a/b ?#"], (release / "2.fits").stat().st_size
    etag = client.head(url).headers["etag"]
    same = client.get(url, headers={"Range": "bytes=0-9", "If-Range": etag})
    other = client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (same.status_code, other.status_code, len(other.content)) == (206, 200, size)
    beyond = client.get(url, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize(
    "path",
    [
        "/files/",
        "/files/release/1",
        "/files/release/1/",
        "/files/release/1/notes.txt",
        "/files/release/1/../1/run%201%23%C3%A9.fits.gz/x",
        "/files/release/1/%2e%2e/%2e%2e/etc/passwd",
        "/files/..%2f..%2f..%2fetc%2fpasswd",
        "/files//etc/passwd",
        "/files/release/a/b%20%3F%23/2.fits",
        "/files/RELEASE/a%2Fb%20%3F%23/2.fits",
        "/files/release/1/run%201%23%C3%A9.fits.gz%00",
        "/files/release/%/2.fits",
        "/files/release/%ff/2.fits",
        "/files/release/' OR '1'='1/2.fits",
    ],
)
def test_nothing_else_is_there(files: tuple[httpx.Client, dict[str, str]], path: str) -> None:
    client, _ = files
    request = client.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=path.replace(" ", "%20").encode())
    assert client.send(request).status_code == 404


def test_spellings_of_one_path(files: tuple[httpx.Client, dict[str, str]]) -> None:
    client, urls = files
    url = urls["a/b ?#"].replace("%2F", "%2f").replace("2.fits", "%32.fits")
    assert client.head(url).status_code == 200


def test_several_ranges_come_as_parts(files: tuple[httpx.Client, dict[str, str]], release: Path) -> None:
    client, urls = files
    content = (release / "2.fits").read_bytes()
    answer = client.get(urls["a/b ?#"], headers={"Range": "bytes=100-109, 0-4, -3"})
    assert answer.status_code == 206
    assert answer.headers["content-length"] == str(len(answer.content))
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content, policy=email.policy.HTTP)
    size = len(content)
    assert [(p["content-range"], p.get_payload(decode=True)) for p in message.iter_parts()] == [
        (f"bytes 0-4/{size}", content[:5]),
        (f"bytes 100-109/{size}", content[100:110]),
        (f"bytes {size - 3}-{size - 1}/{size}", content[-3:]),
    ]


def test_what_a_client_has_is_not_sent_again(
    files: tuple[httpx.Client, dict[str, str]], release: Path
) -> None:
    client, urls = files
    head = client.head(urls["1"]).headers
    for name, value in (
        ("If-None-Match", head["etag"]),
        ("If-None-Match", f'"x", W/{head["etag"]}'),
        ("If-Modified-Since", head["last-modified"]),
    ):
        answer = client.get(urls["1"], headers={name: value})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == head["etag"]
    assert client.get(urls["1"], headers={"If-None-Match": '"x"'}).status_code == 200
    assert client.get(urls["1"], headers={"If-Match": '"x"'}).status_code == 412
    assert client.get(urls["1"], headers={"If-Match": head["etag"]}).status_code == 200


def test_names_on_the_disk_of_the_client(files: tuple[httpx.Client, dict[str, str]]) -> None:
    client, urls = files
    assert client.head(urls["a/b ?#"]).headers["content-disposition"] == 'attachment; filename="2.fits"'
    assert client.head(urls["1"]).headers["content-disposition"] == (
        "attachment; filename=\"run 1#_.fits.gz\"; filename*=UTF-8''run%201%23%C3%A9.fits.gz"
    )


def test_a_changed_file_has_another_etag(files: tuple[httpx.Client, dict[str, str]], release: Path) -> None:
    client, urls = files
    path, before = release / "2.fits", client.head(urls["a/b ?#"]).headers["etag"]
    content, stat = path.read_bytes(), path.stat()
    path.write_bytes(content[::-1])
    answer = client.get(urls["a/b ?#"], headers={"Range": "bytes=0-9", "If-Range": before})
    assert (answer.status_code, answer.content) == (200, content[::-1])
    assert answer.headers["etag"] != before
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert client.head(urls["a/b ?#"]).headers["etag"] == before


@pytest.mark.parametrize("what", ["file", "directory above", "pipe", "directory"])
def test_links_and_other_things_are_not_delivered(
    files: tuple[httpx.Client, dict[str, str]], release: Path, tmp_path: Path, what: str
) -> None:
    client, urls = files
    path, secret = release / "2.fits", tmp_path / "2.fits"
    moved = release if what == "directory above" else path
    kept = moved.with_name("kept")
    secret.write_bytes(path.read_bytes())
    moved.rename(kept)
    if what == "pipe":
        os.mkfifo(path)
    elif what == "directory":
        path.mkdir()
    else:
        moved.symlink_to(tmp_path if what == "directory above" else secret)
    try:
        answer = client.get(urls["a/b ?#"])
        assert (answer.status_code, "missing" in answer.text) == (404, True)
    finally:
        path.rmdir() if what == "directory" else moved.unlink()
        kept.rename(moved)
    assert client.head(urls["a/b ?#"]).status_code == 200


def test_a_client_that_goes_away_leaves_nothing_open(module_settings: Settings, tmp_path: Path) -> None:
    big = tmp_path / "big.fits"
    big.touch()
    os.truncate(big, 1 << 30)
    found = look(Record(str(big), big.stat().st_size, "x", None))
    app = Starlette(
        routes=[Route("/", lambda _: Delivery(Content((Extent(found, 0, found.size),), "a/b", "big.fits")))]
    )
    with served(app) as url, httpx.stream("GET", url) as answer:
        # The connection is closed with the iterator: a temporary one would leave at once.
        chunks = answer.iter_raw()
        next(chunks)
        wait_until(lambda: opened(big) == 1)
        answer.close()
        wait_until(lambda: opened(big) == 0)


def test_a_file_that_shrinks_breaks_the_answer_off(tmp_path: Path) -> None:
    big = tmp_path / "big.fits"
    big.write_bytes(bytes(64 << 20))
    found = look(Record(str(big), big.stat().st_size, "x", None))
    app = Starlette(
        routes=[Route("/", lambda _: Delivery(Content((Extent(found, 0, found.size),), "a/b", "big.fits")))]
    )
    with served(app) as url, httpx.stream("GET", url) as answer:
        chunks = answer.iter_raw()
        next(chunks)
        os.truncate(big, 1 << 20)
        with pytest.raises(httpx.RemoteProtocolError):
            list(chunks)


def opened(path: Path) -> int:
    """How often this process has the file open."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(entry.readlink())
    return links.count(path)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_file_that_vanished(files: tuple[httpx.Client, dict[str, str]], release: Path) -> None:
    client, urls = files
    path = release / "2.fits"
    content = path.read_bytes()
    path.unlink()
    answer = client.get(urls["a/b ?#"])
    assert (answer.status_code, "missing" in answer.text) == (404, True)
    path.write_bytes(content)
