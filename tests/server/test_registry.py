"""The publishing registry over HTTP: records, dates, deletions, errors, and a public harvester."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from lxml import etree
from oaipmh_scythe import Scythe

from schema import vocabularies
from tests.dl3files import Habits, write_dl3
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from tests.xmlcheck import parsed
from vo_server.app import create_app
from vo_server.registry import records, tokens
from vo_server.registry.arguments import OAIError
from vo_server.registry.refresh import refresh, update_records
from vo_server.registry.store import END, Place
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


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("release")
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


@pytest.fixture(scope="module")
def registry(module_settings: Settings, release: Path) -> Iterator[Registry]:
    yield from serving(module_settings, release)


@pytest.fixture
def changing(settings: Settings, release: Path) -> Iterator[Registry]:
    """A registry of the test's own."""
    yield from serving(settings, release)


def test_identify(registry: Registry) -> None:
    root = registry.ask(verb="Identify")
    told = {etree.QName(e).localname: e.text for e in root.find("o:Identify", OAI)}
    assert told["repositoryName"] == "Test & archive"
    assert told["baseURL"] == f"{registry.settings.url}/oai"
    assert told["adminEmail"] == "a@b.org"
    assert told["deletedRecord"] == "persistent"
    assert told["granularity"] == "YYYY-MM-DDThh:mm:ssZ"
    assert told["earliestDatestamp"] == min(stamp for stamp, _ in registry.headers().values())
    (resource,) = root.iter(RI)
    assert resource.get(TYPE) == "vg:Registry"
    assert resource.findtext("capability/interface/accessURL") == told["baseURL"]
    assert resource.findtext("managedAuthority") == "example.org"


def test_what_there_is_a_record_of(registry: Registry) -> None:
    resources = registry.resources()
    assert set(resources) == OWN == set(registry.headers())
    kinds = {r.get(TYPE) for r in resources.values()}
    assert {"vg:Authority", "vg:Registry", "vr:Organisation", "vs:CatalogService"} < kinds
    for resource in resources.values():
        for related in resource.iter("relatedResource", "publisher", "managingOrg"):
            assert related.get("ivo-id") in resources
        for subject in resource.iterfind("content/subject"):
            assert vocabularies.problem("uat", subject.text) is None
        for relation in resource.iter("relationshipType"):
            assert vocabularies.problem("relationship-type", relation.text) is None
        for kind in resource.iterfind("content/type"):
            assert vocabularies.problem("content-type", kind.text) is None
        assert len(resource.findtext("shortName")) <= 16


def test_header_and_record_agree(registry: Registry) -> None:
    headers = registry.headers()
    for identifier, resource in registry.resources().items():
        assert headers[identifier] == (resource.get("updated"), None)


def test_collection(registry: Registry) -> None:
    resource = registry.resources()["ivo://example.org/My-DL3"]
    assert resource.get(TYPE) == "vs:CatalogResource"
    assert resource.findtext("title") == "Runs <of> mine & others"
    assert resource.findtext("altIdentifier") == "doi:10.5281/zenodo.1421099"
    assert [e.text for e in resource.iterfind("curation/creator/name")] == KEYS["creators"]
    assert resource.findtext("curation/creator/altIdentifier") == "orcid:0000-0002-1825-0097"
    assert resource.find("curation/date").attrib == {"role": "Available"}
    assert resource.findtext("curation/date") == "2021-05-01"
    assert vocabularies.problem("date-role", "Available") is None
    assert resource.findtext("curation/version") == "DR1"
    assert resource.findtext("curation/contact/email") == "me@example.org"
    assert [e.text for e in resource.iterfind("content/subject")] == KEYS["subjects"]
    assert resource.findtext("content/source") == "2018arXiv181004516H"
    assert resource.findtext("content/referenceURL") == f"{registry.settings.url}/collections/my"
    assert resource.find("rights").get("rightsURI") == KEYS["licence_url"]
    aux = resource.find("capability")
    assert aux.get("standardID") == "ivo://ivoa.net/std/TAP#aux"
    assert aux.findtext("interface/accessURL") == f"{registry.settings.url}/tap"
    assert {t.text for t in resource.iterfind("tableset/schema/table/name")} == {"my.obscore", "my.obs_index"}


def test_coverage(registry: Registry) -> None:
    cover = registry.resources()["ivo://example.org/My-DL3"].find("coverage")
    (limits,) = registry.archive.rows(
        "SELECT min(t_min), max(t_max), min(energy_min), max(energy_max)"
        " FROM ivoa.obscore JOIN ivoa.obscore_hea USING (obs_publisher_did)"
    )
    start, end = map(float, cover.findtext("temporal").split())
    # TDB is 64 to 70 s ahead of UTC in these years, and light takes up to 500 s to the barycentre.
    assert limits[0] - 0.02 < start < limits[0] - 400 / 86400
    assert limits[1] + 560 / 86400 < end < limits[1] + 0.02
    low, high = map(float, cover.findtext("spectral").split())
    assert low == pytest.approx(limits[2] * 1.602176634e-19, rel=1e-5)
    assert high == pytest.approx(limits[3] * 1.602176634e-19, rel=1e-5)
    assert cover.findtext("waveband") == "Gamma-ray"
    assert cover.findtext("spatial").startswith(("3/", "4/", "5/", "6/"))


def test_services_tell_the_same_in_their_records(registry: Registry) -> None:
    resources = registry.resources()
    services = {i: r for i, r in resources.items() if "/services/" in i}
    for identifier in services.keys() - {
        "ivo://example.org/services/registry",
        "ivo://example.org/services/obscore",
    }:
        by_standard = {c.get("standardID"): c for c in resources[identifier].iterfind("capability")}
        vosi = "ivo://ivoa.net/std/VOSI#"
        own = by_standard[f"{vosi}capabilities"].findtext("interface/accessURL")
        told = parsed(registry.client.get(own).content)
        assert {c.get("standardID") for c in told} == set(by_standard)
        urls = {u.text for c in told for u in c.iter("accessURL")}
        assert urls == {u.text for u in resources[identifier].iterfind("capability/interface/accessURL")}
        available = parsed(
            registry.client.get(by_standard[f"{vosi}availability"].findtext("interface/accessURL")).content
        )
        assert available[0].text == "true"


def test_tableset_is_that_of_vosi(registry: Registry) -> None:
    told = parsed(registry.client.get("/tap/tables").content)
    listed = registry.resources()["ivo://example.org/services/tap"].find("tableset")
    assert [n.text for n in listed.iter("name")] == [n.text for n in told.iter("name")]
    assert [n.text for n in listed.iter("ucd")] == [n.text for n in told.iter("ucd")]


def test_dublin_core(registry: Registry) -> None:
    root = registry.ask(verb="GetRecord", metadataPrefix="oai_dc", identifier="ivo://EXAMPLE.org/my-dl3")
    told: dict[str, list[str]] = {}
    for element in root.find("*/*/o:metadata", OAI)[0]:
        told.setdefault(element.tag.removeprefix(DC), []).append(element.text)
    assert told["title"] == [KEYS["title"]]
    assert told["creator"] == KEYS["creators"]
    assert told["identifier"][:2] == ["ivo://example.org/My-DL3", "doi:10.5281/zenodo.1421099"]
    assert told["relation"] == ["ivo://example.org/services/tap"]
    assert told["date"] == ["2021-05-01"]


def test_formats_and_sets(registry: Registry) -> None:
    for arguments in ({}, {"identifier": "ivo://example.org/services/tap"}):
        root = registry.ask(verb="ListMetadataFormats", **arguments)
        assert {e.text for e in root.iter("{*}metadataPrefix")} == {"ivo_vor", "oai_dc"}
    assert [e.text for e in registry.ask(verb="ListSets").iter("{*}setSpec")] == ["ivo_managed"]


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


def test_placeholder_works_and_is_told(module_settings: Settings) -> None:
    listener = free_socket()
    settings = replace(module_settings, public_url=url_of(listener), contact="https://example.org/help")
    refresh(settings)
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url) as client:
        root = parsed(client.get("/oai", params={"verb": "Identify"}).content)
        page = client.get("/registry")
    assert root.findtext("o:Identify/o:adminEmail", namespaces=OAI) == records.NOBODY
    assert "set VO_SERVER_AUTHORITY" in page.text
    assert "set VO_SERVER_PUBLIC_URL" in page.text
    assert "set VO_SERVER_CONTACT" in page.text


def test_page(registry: Registry) -> None:
    answer = registry.client.get("/registry")
    root = etree.fromstring(answer.text.replace("<!DOCTYPE html>", "").encode())
    text = " ".join(root.itertext())
    assert f"{registry.settings.url}/oai" in text
    assert "Registry of Registries" in text
    for link in root.iter("a"):
        if link.get("href").startswith(registry.settings.url) and "GetRecord" in link.get("href"):
            parsed(registry.client.get(link.get("href")).content)
    assert "VO_SERVER_PUBLISHER" in text
    assert "the publisher has no name" not in text


def test_unavailable_database_is_told_by_status(settings: Settings, database: psycopg.Connection) -> None:
    database.execute(f"REVOKE USAGE ON SCHEMA vo FROM {settings.reader_role}")
    with served(create_app(settings)) as url:
        answer = httpx.get(f"{url}/oai", params={"verb": "Identify"})
    assert answer.status_code >= 500
