"""Names of objects -> positions, by the Sesame service of the CDS or one like it.

The form of its answers: http://vizier.cds.unistra.fr/vizier/doc/sesame.htx, option `-ox`.
"""

import http.client
import threading
import time
from functools import lru_cache
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    UnknownHandler,
)

from lxml import etree

from vo_server.dali import SOFTWARE
from vo_server.errors import OverloadError

QUERY: Final = "/-oxp/SNV?"
"""Sesame's options: XML as plain text, from Simbad, NED and VizieR, the first that knows the name."""

TIMEOUT: Final = 5.0
LONGEST_ANSWER: Final = 100_000
MOST_KEPT: Final = 1000
KEPT_SECONDS: Final = 3600.0

Position = tuple[float, float]


class Resolver:
    """Asks one service, and keeps its answers for an hour. Safe to call from many threads."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Position | None]] = {}

    def __call__(self, name: str) -> Position:
        """The position of the object: right ascension and declination, ICRS, degrees.

        Raises LookupError if the service knows no such object, OverloadError if it gives no answer.
        """
        with self._lock:
            until, position = self._kept.get(name, (0.0, None))
        if until < time.monotonic():
            position = _position(self._answer(name))
            self._keep(name, position)
        if position is None:
            raise LookupError(name)
        return position

    def _keep(self, name: str, position: Position | None) -> None:
        with self._lock:
            self._kept.pop(name, None)
            while len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[name] = (time.monotonic() + KEPT_SECONDS, position)

    def _answer(self, name: str) -> bytes:
        """The service's document, whatever the pace at which it comes."""
        deadline = time.monotonic() + self._timeout
        url = self._url + QUERY + quote(name, safe="")
        try:
            with _opener().open(url, timeout=self._timeout) as response:
                found = b""
                while part := response.read1(LONGEST_ANSWER):
                    found += part
                    if len(found) > LONGEST_ANSWER or time.monotonic() > deadline:
                        raise OverloadError("The name resolver's answer is too long or too slow.")
                return found
        except HTTPError as error:
            with error:
                raise OverloadError(f"The name resolver answers with HTTP status {error.code}.") from error
        except (URLError, http.client.HTTPException, OSError) as error:
            raise OverloadError("The name resolver does not answer; please try again later.") from error


@lru_cache(maxsize=8)
def resolver(url: str) -> Resolver | None:
    """The resolver at a base URL, the same one each time; None for an empty URL."""
    return Resolver(url) if url else None


def _opener() -> OpenerDirector:
    """What opens URLs: http and https only, wherever a redirection leads."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        HTTPRedirectHandler(),
        HTTPErrorProcessor(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", SOFTWARE)]
    return opener


def _position(document: bytes) -> Position | None:
    """The position in Sesame's answer; None if it knows the name not. Raises OverloadError for others."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise OverloadError("The name resolver's answer is not XML.") from error
    if root.tag != "Sesame" or root.find("Target") is None:
        raise OverloadError("The name resolver's answer is not that of Sesame.")
    for resolved in root.iterfind("Target/Resolver"):
        ra, dec = resolved.findtext("jradeg"), resolved.findtext("jdedeg")
        if ra is not None and dec is not None:
            return _numbers(ra, dec)
    return None


def _numbers(ra: str, dec: str) -> Position:
    try:
        lon, lat = float(ra), float(dec)
    except ValueError:
        lon = lat = float("nan")
    if not (0 <= lon <= 360 and -90 <= lat <= 90):
        raise OverloadError("The name resolver's answer holds no position.")
    return lon, lat
