"""Harvests over HTTP: errors, dates, deletions, long lists, and a public harvester."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from lxml import etree
from oaipmh_scythe import Scythe

from tests.server.registering import KEYS, OAI, OWN, Registry, serving, two_runs
from tests.server.serving import served
from tests.xmlcheck import parsed
from vo_server.app import create_app
from vo_server.db import Database
from vo_server.registry import tokens
from vo_server.registry.arguments import OAIError
from vo_server.registry.oai import AT_ONCE, answer
from vo_server.registry.refresh import refresh, update_records
from vo_server.registry.store import END, Place
from vo_server.settings import Settings


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_runs(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def registry(module_settings: Settings, release: Path) -> Iterator[Registry]:
    yield from serving(module_settings, release)


@pytest.fixture
def changing(settings: Settings, release: Path) -> Iterator[Registry]:
    """A registry of the test's own."""
    yield from serving(settings, release)


LIST = {"verb": "ListRecords", "metadataPrefix": "ivo_vor"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ([], "badVerb"),
        ([("verb", "")], "badVerb"),
        ([("verb", "really_wrong_verb")], "badVerb"),
        ([("verb", "identify")], "badVerb"),
        ([("verb", "Identify"), ("verb", "Identify")], "badVerb"),
        ({"verb": "Identify", "x": "1"}, "badArgument"),
        ({"verb": "ListRecords"}, "badArgument"),
        ({"verb": "GetRecord", "metadataPrefix": "ivo_vor"}, "badArgument"),
        ({"verb": "GetRecord", "identifier": "ivo://example.org"}, "badArgument"),
        ([*LIST.items(), ("metadataPrefix", "ivo_vor")], "badArgument"),
        (LIST | {"metadataPrefix": ""}, "badArgument"),
        (LIST | {"metadataPrefix": "a b"}, "badArgument"),
        (LIST | {"metadataPrefix": "really_wrong"}, "cannotDisseminateFormat"),
        (
            {"verb": "GetRecord", "metadataPrefix": "x", "identifier": "ivo://example.org"},
            "cannotDisseminateFormat",
        ),
        ({"verb": "GetRecord", "metadataPrefix": "ivo_vor", "identifier": "ivo://no/one"}, "idDoesNotExist"),
        ({"verb": "GetRecord", "metadataPrefix": "ivo_vor", "identifier": "a\0b"}, "idDoesNotExist"),
        ({"verb": "ListMetadataFormats", "identifier": "ivo://no/one"}, "idDoesNotExist"),
        ({"verb": "ListRecords", "resumptionToken": "junk"}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "W10"}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "é"}, "badResumptionToken"),
        ({"verb": "ListSets", "resumptionToken": "junk"}, "badResumptionToken"),
        (LIST | {"resumptionToken": "junk"}, "badArgument"),
        (LIST | {"from": "2001"}, "badArgument"),
        (LIST | {"from": "2001-02-30"}, "badArgument"),
        (LIST | {"from": "2001-02-03T04:05:06"}, "badArgument"),
        (LIST | {"from": ""}, "badArgument"),
        (LIST | {"from": "2021-01-01", "until": "2020-01-01"}, "badArgument"),
        (LIST | {"from": "2021-01-01", "until": "2021-01-01T00:00:00Z"}, "badArgument"),
        (LIST | {"until": "1999-01-01"}, "noRecordsMatch"),
        (LIST | {"from": "9999-12-31", "until": "9999-12-31"}, "noRecordsMatch"),
        (LIST | {"set": "no_such_set"}, "noRecordsMatch"),
        (LIST | {"set": "no set"}, "badArgument"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_errors(registry: Registry, query: Any, code: str, method: str) -> None:
    pairs = list(query.items()) if isinstance(query, dict) else query
    if method == "GET":
        answer = registry.client.get("/oai?" + urlencode(pairs))
    else:
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = registry.client.post("/oai", content=urlencode(pairs), headers=form)
    assert answer.status_code == 200
    root = parsed(answer.content)
    (error,) = root.findall("o:error", OAI)
    assert error.get("code") == code
    assert error.text
    request = root.find("o:request", OAI)
    assert request.text == f"{registry.settings.url}/oai"
    assert (request.get("verb") is None) == (code in {"badVerb", "badArgument"})


def test_post_is_get(registry: Registry) -> None:
    arguments = {"verb": "GetRecord", "metadataPrefix": "ivo_vor", "identifier": "ivo://example.org"}
    posted = parsed(registry.client.post("/oai", data=arguments).content)
    got = registry.ask(**arguments)
    assert etree.tostring(posted.find("o:GetRecord", OAI)) == etree.tostring(got.find("o:GetRecord", OAI))
    assert registry.client.post("/oai", json=arguments).status_code == 400


def test_dates_of_either_form_include_their_ends(changing: Registry) -> None:
    changing.age(3)
    ((stamp, _),) = set(changing.headers().values())
    moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")
    before, behind = ((moment + timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%SZ") for s in (-1, 1))
    assert set(changing.headers(**{"from": stamp, "until": stamp})) == OWN
    assert set(changing.headers(**{"from": stamp[:10], "until": stamp[:10]})) == OWN
    assert changing.headers(until=before) == {} == changing.headers(**{"from": behind})
    assert set(changing.headers(**{"from": before, "until": "9999-12-31T23:59:59Z"})) == OWN


def test_nothing_new_without_a_change(changing: Registry) -> None:
    changing.age(3)
    known = changing.headers()
    assert refresh(changing.settings) == 0
    assert changing.headers() == known


def test_what_changed_is_new_and_nothing_else(changing: Registry, release: Path) -> None:
    changing.age(3)
    created = changing.resources()["ivo://example.org/My-DL3"].get("created")
    changing.archive.ingest(release, authority="example.org", **(KEYS | {"version": "DR2"}))
    assert refresh(changing.settings) > 0
    yesterday = (datetime.now() - timedelta(days=1)).strftime("%Y-%m-%d")
    assert set(changing.headers(**{"from": yesterday})) == {
        "ivo://example.org/My-DL3",
        "ivo://example.org/services/scs/my",
    }
    resource = changing.resources()["ivo://example.org/My-DL3"]
    assert (resource.get("created"), resource.findtext("curation/version")) == (created, "DR2")
    assert resource.get("updated")[:10] > created[:10]


def test_trouble_is_told_and_keeps_nobody_from_publishing(changing: Registry) -> None:
    known = changing.headers()
    reader = changing.settings.reader_role
    changing.archive.connection.execute(f"REVOKE SELECT ON ivoa.obscore FROM {reader}")
    told: list[str] = []
    update_records(changing.settings, told.append)
    assert len(told) == 1
    assert told[0].startswith("warning: the records of the registry are as they were: ")
    assert changing.headers() == known


def test_removed_collection_stays_as_deleted_record(changing: Registry, release: Path) -> None:
    changing.archive.connection.execute("DELETE FROM ivoa.obscore")
    changing.archive.connection.execute("DELETE FROM vo.dataset")
    changing.archive.connection.execute("DROP SCHEMA my CASCADE")
    changing.archive.connection.execute("DELETE FROM vo.collection")
    changing.archive.publish(changing.archive.connection)
    changing.age(2)
    refresh(changing.settings)
    gone = {i for i, (_, status) in changing.headers().items() if status == "deleted"}
    assert gone == {"ivo://example.org/My-DL3", "ivo://example.org/services/scs/my"}
    root = changing.ask(verb="GetRecord", metadataPrefix="oai_dc", identifier="ivo://example.org/My-DL3")
    assert root.find("o:GetRecord/o:record/o:header", OAI).get("status") == "deleted"
    assert root.find("o:GetRecord/o:record/o:metadata", OAI) is None
    known = changing.headers()
    assert refresh(changing.settings) == 0
    assert changing.headers() == known
    assert changing.archive.ingest(release, authority="example.org", **KEYS).problems == []
    refresh(changing.settings)
    assert {status for _, status in changing.headers().values()} == {None}


def harvester(registry: Registry) -> Scythe:
    return Scythe(f"{registry.settings.url}/oai")


def test_public_harvester(changing: Registry) -> None:
    changing.age(5)
    with harvester(changing) as scythe:
        assert scythe.identify().repositoryName == "Test & archive"
        found = list(scythe.list_records(metadata_prefix="ivo_vor", set_="ivo_managed"))
        assert {r.header.identifier for r in found} == OWN
        assert {r.header.identifier for r in scythe.list_records(metadata_prefix="oai_dc")} == OWN
        changing.archive.connection.execute("DELETE FROM vo.record WHERE identifier LIKE '%/sia'")
        refresh(changing.settings)
        since = (datetime.now() - timedelta(days=1)).strftime("%Y-%m-%d")
        newer = list(scythe.list_records(metadata_prefix="ivo_vor", from_=since))
        assert [r.header.identifier for r in newer] == ["ivo://example.org/services/sia"]
        older = list(scythe.list_identifiers(metadata_prefix="ivo_vor", until=since))
        assert {h.identifier for h in older} == OWN - {"ivo://example.org/services/sia"}


MANY = """
INSERT INTO vo.record SELECT 'ivo://example.org/n/' || n, timestamp '2020-01-01 00:00:00',
    timestamp '2020-01-01 00:00:00' + make_interval(secs => n / 7),
    CASE WHEN mod(n, 50) = 0 THEN NULL ELSE
        replace(document, 'ivo://example.org</id', 'ivo://example.org/n/' || n || '</id') END
FROM generate_series(1, %s) AS n, vo.record WHERE identifier = 'ivo://example.org'
"""


def test_long_list_in_parts(changing: Registry) -> None:
    changing.archive.connection.execute(MANY, [1000])
    with harvester(changing) as scythe:
        found = [h.identifier for h in scythe.list_identifiers(metadata_prefix="ivo_vor")]
    assert len(found) == len(set(found)) == 1000 + len(OWN)
    root = changing.ask(verb="ListRecords", metadataPrefix="oai_dc", until="2020-01-02")
    sizes, token = [], root.find("*/o:resumptionToken", OAI)
    assert token.get("completeListSize") == "1000"
    assert token.get("expirationDate")
    while token.text:
        sizes.append((int(token.get("cursor")), len(root.findall("*/o:record", OAI))))
        again = changing.ask(verb="ListRecords", resumptionToken=token.text)
        root = changing.ask(verb="ListRecords", resumptionToken=token.text)
        assert [e.text for e in again.iter("{*}identifier")] == [e.text for e in root.iter("{*}identifier")]
        token = root.find("*/o:resumptionToken", OAI)
    assert sizes == [(100 * n, 100) for n in range(9)]
    assert token.get("cursor") == "900"


def test_ten_thousand_records(changing: Registry) -> None:
    """The answers stay as small as one part of the list, however long it is."""
    changing.archive.connection.execute(MANY, [10_000])
    largest = seen = deleted = 0
    arguments = {"verb": "ListRecords", "metadataPrefix": "ivo_vor"}
    while arguments:
        answer = changing.client.get("/oai", params=arguments)
        root = etree.fromstring(answer.content)
        largest = max(largest, len(answer.content))
        seen += len(root.findall("*/o:record", OAI))
        deleted += len(root.findall("*/o:record/o:header[@status='deleted']", OAI))
        token = root.findtext("*/o:resumptionToken", namespaces=OAI)
        arguments = {"verb": "ListRecords", "resumptionToken": token} if token else {}
    assert (seen, deleted) == (10_000 + len(OWN), 200)
    assert largest < 120 * len(registry_document(changing))


def test_a_page_is_not_in_memory_at_once(changing: Registry) -> None:
    changing.archive.connection.execute(MANY, [50])
    wanted = [("verb", "ListRecords"), ("metadataPrefix", "ivo_vor")]
    with closing(Database(changing.settings)) as database:
        database.open()
        parts = [part.count(b"<record>") for part in answer(wanted, database, changing.settings)]
    assert sum(parts) == 50 + len(OWN)
    assert max(parts) == AT_ONCE


def registry_document(registry: Registry) -> str:
    """The longest record, that of the TAP service."""
    (text,) = registry.archive.column("SELECT document FROM vo.record WHERE identifier LIKE '%/tap'")
    return str(text)


def test_token_expires() -> None:
    place = Place(datetime(2020, 1, 1), "ivo://example.org")
    listing = tokens.Listing("ivo_vor", datetime.min, END, place, 100, 200)
    assert tokens.read(tokens.write(listing, tokens.expiry())) == listing
    with pytest.raises(OAIError, match="expired") as caught:
        tokens.read(tokens.write(listing, datetime(2020, 1, 1)))
    assert caught.value.code == "badResumptionToken"


def test_unavailable_database_is_told_by_status(settings: Settings, database: psycopg.Connection) -> None:
    database.execute(f"REVOKE USAGE ON SCHEMA vo FROM {settings.reader_role}")
    with served(create_app(settings)) as url:
        answer = httpx.get(f"{url}/oai", params={"verb": "Identify"})
    assert answer.status_code >= 500
