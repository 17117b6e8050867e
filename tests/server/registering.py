"""A served archive with a registry, for tests."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
from lxml import etree

from tests.dl3files import Habits, write_dl3
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from tests.xmlcheck import parsed
from vo_server.app import create_app
from vo_server.registry.refresh import refresh
from vo_server.roles import owner_url
from vo_server.settings import Settings

RI = "{http://www.ivoa.net/xml/RegistryInterface/v1.0}Resource"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
OAI = {"o": "http://www.openarchives.org/OAI/2.0/"}
DC = "{http://purl.org/dc/elements/1.1/}"
KEYS: dict[str, Any] = {
    "name": "My-DL3",
    "schema": "my",
    "title": "Runs <of> mine & others",
    "description": "Two runs.",
    "creators": ["Josiah Carberry", "A Collaboration"],
    "orcids": ["0000-0002-1825-0097", ""],
    "doi": "10.5281/zenodo.1421099",
    "subjects": ["gamma-ray-astronomy", "supernova-remnants"],
    "licence": "CC-BY-4.0",
    "licence_url": "https://creativecommons.org/licenses/by/4.0/",
    "contact": "me@example.org",
    "reference": "2018arXiv181004516H",
    "release_date": "2021-05-01",
    "version": "DR1",
}
OWN = {
    "ivo://example.org",
    "ivo://example.org/organisation",
    "ivo://example.org/My-DL3",
    *(
        f"ivo://example.org/services/{key}"
        for key in ("registry", "tap", "sia", "datalink", "soda", "obscore", "scs/my")
    ),
}


class Registry:
    """A served archive with one collection, and what changes it."""

    def __init__(self, settings: Settings, connection: psycopg.Connection, client: httpx.Client) -> None:
        self.settings = settings
        self.client = client
        self.archive = Archive(settings, connection)

    def ask(self, **arguments: str) -> etree._Element:
        """The root of a valid answer."""
        answer = self.client.get("/oai", params=arguments)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/xml")
        return parsed(answer.content)

    def resources(self) -> dict[str, etree._Element]:
        """All records by identifier."""
        root = self.ask(verb="ListRecords", metadataPrefix="ivo_vor", set="ivo_managed")
        return {r.findtext("identifier"): r for r in root.iter(RI)}

    def headers(self, **arguments: str) -> dict[str, tuple[str, str | None]]:
        """Datestamp and status by identifier."""
        root = self.ask(verb="ListIdentifiers", metadataPrefix="ivo_vor", **arguments)
        return {
            h.findtext("o:identifier", namespaces=OAI): (
                h.findtext("o:datestamp", namespaces=OAI),
                h.get("status"),
            )
            for h in root.iterfind("*/o:header", OAI)
        }

    def age(self, days: int) -> None:
        """Make all records older, as if the last change had been some days ago."""
        self.archive.connection.execute(
            "UPDATE vo.record SET datestamp = datestamp - make_interval(days => %(days)s),"
            " created = created - make_interval(days => %(days)s), document = replace("
            "replace(document, 'updated=\"' || to_char(datestamp, 'YYYY-MM-DD'), 'updated=\"' ||"
            " to_char(datestamp - make_interval(days => %(days)s), 'YYYY-MM-DD')),"
            " 'created=\"' || to_char(created, 'YYYY-MM-DD'), 'created=\"' ||"
            " to_char(created - make_interval(days => %(days)s), 'YYYY-MM-DD'))",
            {"days": days},
        )


def two_runs(directory: Path) -> Path:
    """A release of two observations, one with response functions."""
    write_dl3(directory / "1.fits", Habits(events=5, obs_id="1"))
    write_dl3(directory / "2.fits", Habits(events=5, obs_id="2", irfs=False))
    return directory


def serving(settings: Settings, release: Path) -> Iterator[Registry]:
    listener = free_socket()
    settings = replace(
        settings,
        public_url=url_of(listener),
        authority="example.org",
        title="Test & archive",
        publisher="Me",
        contact="a@b.org",
    )
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        found = Archive(settings, connection)
        assert found.ingest(release, authority="example.org", **KEYS).problems == []
        refresh(settings)
        with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
            yield Registry(settings, connection, client)
