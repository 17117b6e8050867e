"""Looking up names: a service of Sesame's form on loopback, and ones that misbehave."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import httpx
import pytest
from astropy.io.votable import parse_single_table
from lxml import etree

from tests.server.serving import served
from vo_server import resolver as module
from vo_server.app import create_app
from vo_server.errors import OverloadError
from vo_server.resolver import Resolver, resolver
from vo_server.settings import Settings, SettingsError, load_settings

FOUND = """<?xml version="1.0" encoding="UTF-8"?>
<Sesame xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:noNamespaceSchemaLocation="http://cds.unistra.fr/xml/sesame_4x.xsd">
<Target option="SNV"><name>{name}</name><!-- Q1 -->
<Resolver name="S=Simbad (CDS, via client/server)"><otype>SNR</otype>
<jpos>05:34:30.9 +22:00:53</jpos><jradeg>{ra}</jradeg><jdedeg>{dec}</jdedeg><refPos>2011</refPos>
<oname>M   1</oname></Resolver></Target></Sesame>"""
UNKNOWN = """<?xml version="1.0" encoding="UTF-8"?>
<Sesame><Target option="SNV"><name>x</name><INFO>*** Nothing found *** </INFO></Target></Sesame>"""
BOMB = """<?xml version="1.0"?><!DOCTYPE Sesame [<!ENTITY a "1111111111">
{entities}<!ENTITY f SYSTEM "file:///etc/hostname">]>
<Sesame><Target><Resolver><jradeg>{body}</jradeg><jdedeg>1</jdedeg></Resolver></Target></Sesame>"""
LEVELS = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))

POSITIONS = {
    "M 1": (83.6324, 22.0174),
    "Sgr A*": (266.41684, -29.00781),
    "PKS 2155-304 + x/y?&#": (1.5, -2.5),
}

Asked = list[str]


class Sesame(ThreadingHTTPServer):
    """Answers as Sesame does; `asked` holds the paths. `body` and `status` may be set to misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Asked = []
        self.body: bytes | None = None
        self.status = 200
        self.location = ""
        self.pause = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/cgi-bin/nph-sesame"

    def document(self, path: str) -> bytes:
        if self.body is not None:
            return self.body
        name = unquote(path.partition("?")[2])
        if name not in POSITIONS:
            return UNKNOWN.encode()
        ra, dec = POSITIONS[name]
        return FOUND.format(name=name.replace("&", "&amp;"), ra=ra, dec=dec).encode()


class Handler(BaseHTTPRequestHandler):
    server: Sesame

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        try:
            if self.server.pause:
                for _ in range(50):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(self.server.pause)
            self.wfile.write(self.server.document(self.path))
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def sesame(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sesame]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Sesame() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_positions(sesame: Sesame) -> None:
    resolve = Resolver(sesame.url)
    assert {name: resolve(name) for name in POSITIONS} == POSITIONS
    assert sesame.asked[0] == "/cgi-bin/nph-sesame/-oxp/SNV?M%201"
    assert sesame.asked[2] == "/cgi-bin/nph-sesame/-oxp/SNV?PKS%202155-304%20%2B%20x%2Fy%3F%26%23"


def test_answers_are_kept_for_a_while(sesame: Sesame, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = Resolver(sesame.url)
    for _ in range(3):
        assert resolve("M 1") == POSITIONS["M 1"]
        with pytest.raises(LookupError, match="nothing"):
            resolve("nothing")
    assert len(sesame.asked) == 2
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.02)
    resolve = Resolver(sesame.url)
    for asked in (3, 4):
        assert resolve("M 1") == POSITIONS["M 1"]
        assert len(sesame.asked) == asked
        time.sleep(0.05)


def test_few_answers_are_kept(sesame: Sesame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    resolve = Resolver(sesame.url)
    resolve("M 1")
    resolve("Sgr A*")
    with pytest.raises(LookupError):
        resolve("nothing")
    resolve("Sgr A*")
    assert len(sesame.asked) == 3
    resolve("M 1")
    assert len(sesame.asked) == 4


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not XML"),
        (b"no such thing", "not XML"),
        (b"\xff\xfe\x00", "not XML"),
        (b"<html><body>Welcome to the hotel's network</body></html>", "not that of Sesame"),
        (b"<Sesame/>", "not that of Sesame"),
        (FOUND.format(name="x", ra="83.6", dec="up").encode(), "no position"),
        (FOUND.format(name="x", ra="", dec="1").encode(), "no position"),
        (FOUND.format(name="x", ra="nan", dec="1").encode(), "no position"),
        (FOUND.format(name="x", ra="12", dec="-90.1").encode(), "no position"),
        (FOUND.format(name="x" * 200_000, ra="1", dec="1").encode(), "too long"),
        (BOMB.format(entities=LEVELS, body="&i;").encode(), "no position|not XML"),
        (BOMB.format(entities="", body="&f;").encode(), "no position"),
        (BOMB.format(entities="", body="&unheard;").encode(), "no position|not XML"),
    ],
)
def test_answers_of_another_form(sesame: Sesame, body: bytes, message: str) -> None:
    sesame.body = body
    started = time.monotonic()
    with pytest.raises(OverloadError, match=message):
        Resolver(sesame.url)("M 1")
    assert time.monotonic() - started < 2


def test_answers_that_do_not_come(sesame: Sesame) -> None:
    sesame.status = 500
    with pytest.raises(OverloadError, match="HTTP status 500"):
        Resolver(sesame.url)("M 1")
    sesame.status, sesame.pause = 200, 0.1
    for timeout, message in ((0.05, "does not answer"), (0.4, "too slow")):
        started = time.monotonic()
        with pytest.raises(OverloadError, match=message):
            Resolver(sesame.url, timeout)("M 1")
        assert time.monotonic() - started < 1.5
    sesame.server_close()


def test_nobody_there() -> None:
    with pytest.raises(OverloadError, match="does not answer"):
        Resolver("http://127.0.0.1:1", 1)("M 1")


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_redirections_stay_with_http(sesame: Sesame, location: str) -> None:
    sesame.status, sesame.location = 302, location
    with pytest.raises(OverloadError):
        Resolver(sesame.url)("M 1")


def test_the_setting() -> None:
    assert resolver("") is None
    assert resolver("http://a/b") is resolver("http://a/b")
    assert Settings().name_resolver == ""
    assert load_settings({"VO_SERVER_NAME_RESOLVER": "https://a.org/sesame/"}).name_resolver == (
        "https://a.org/sesame"
    )
    with pytest.raises(SettingsError, match="http or https"):
        load_settings({"VO_SERVER_NAME_RESOLVER": "file:///etc"})


@pytest.fixture
def ask(settings: Settings, sesame: Sesame) -> Iterator[Callable[[str], httpx.Response]]:
    """Sends a query to a server that looks up names."""
    resolving = replace(settings, name_resolver=sesame.url)
    with served(create_app(resolving)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield lambda query: client.post("/tap/sync", data={"LANG": "ADQL", "QUERY": query})


SELECT = "SELECT TOP 1 {} AS v FROM tap_schema.tables"


def test_through_tap(ask: Callable[[str], httpx.Response], sesame: Sesame) -> None:
    answer = ask(SELECT.format("ivo_simbadpoint('M   1')"))
    assert answer.status_code == 200
    table = parse_single_table(io.BytesIO(answer.content))
    assert table.array["v"][0].tolist() == list(POSITIONS["M 1"])
    assert [f.xtype for f in table.fields] == ["point"]
    answer = ask(SELECT.format("ivo_simbadpoint('an invalid identifier')"))
    assert answer.status_code == 400
    assert "the name 'an invalid identifier' cannot be resolved (line 1, column 30)" in answer.text
    sesame.body = b"garbage"
    answer = ask(SELECT.format("ivo_simbadpoint('M 2')"))
    assert (answer.status_code, "answer is not XML" in answer.text) == (503, True)


def test_declared_where_names_are_resolved(settings: Settings, sesame: Sesame) -> None:
    for url, declared in (("", False), (sesame.url, True)):
        app = create_app(replace(settings, name_resolver=url))
        with served(app) as base:
            document = etree.fromstring(httpx.get(f"{base}/tap/capabilities").content)
            answer = httpx.post(
                f"{base}/tap/sync", data={"LANG": "ADQL", "QUERY": SELECT.format("ivo_simbadpoint('M 1')")}
            )
        forms = document.xpath("//feature/form/text()")
        assert ("ivo_simbadpoint(identifier CHAR) -> POINT" in forms) is declared
        assert answer.status_code == (200 if declared else 400)
        assert ("ivo_simbadpoint is not offered here" in answer.text) is not declared
