"""The records of the publishing registry over HTTP, and its page."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from lxml import etree

from schema import vocabularies
from schema.collection import collection_from
from schema.load import catalogue
from tests.server.registering import DC, KEYS, OAI, OWN, RI, TYPE, Registry, serving, two_runs
from tests.server.serving import free_socket, served, url_of
from tests.xmlcheck import parsed
from vo_server.app import create_app
from vo_server.collections.numbers import Numbers
from vo_server.coverage.summary import Summary
from vo_server.registry import oai, records
from vo_server.registry.coverage import united
from vo_server.registry.refresh import refresh
from vo_server.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_runs(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def registry(module_settings: Settings, release: Path) -> Iterator[Registry]:
    yield from serving(module_settings, release)


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


def test_services_over_all_collections_are_found_by_what_these_cover(registry: Registry) -> None:
    resources = registry.resources()
    own = resources["ivo://example.org/My-DL3"].find("coverage")
    for key in ("sia", "tap", "obscore"):
        told = resources[f"ivo://example.org/services/{key}"].find("coverage")
        expected = [(e.tag, e.text) for e in own if e.tag != "footprint"]
        assert [(e.tag, e.text) for e in told] == expected
    for key in ("datalink", "soda", "registry"):
        assert resources[f"ivo://example.org/services/{key}"].find("coverage") is None


def test_coverage_of_several_collections() -> None:
    parts = [
        Summary("3/1 4/20 6/", (53000.0, 53010.0), (1e-9, 1e-7)),
        Summary(None, None, (1e-10, 1e-8)),
        Summary("5/0-15", (52000.5, 52001.0), None),
    ]
    whole = united(parts)
    assert whole == Summary("3/0-1 4/20 5/", (52000.5, 53010.0), (1e-10, 1e-7))
    assert united([]) == united([Summary(None, None, None)]) == Summary(None, None, None)


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


def test_mail_addresses_are_told_without_scheme(module_settings: Settings) -> None:
    settings = replace(module_settings, contact="mailto:a@b.org")
    assert oai.mail(settings) == "a@b.org"
    told = records.registry(records.Archive(settings, catalogue(()), (), ()))
    root = etree.fromstring(told.document(NOW, NOW))
    assert root.findtext("curation/contact/email") == "a@b.org"


def test_authority_of_the_archive_comes_first(module_settings: Settings) -> None:
    names = ("b.example.org", "A.example.org", "c.example.org", "a.example.org")
    nothing = Numbers(0, None, None, None, None, None, None, 0, 0, 0, (), (), (), ())
    collections = (collection_from({"name": name[0], "authority": name}, Path()) for name in names)
    described = tuple(records.Described(c, nothing, Summary(None, None, None), ()) for c in collections)
    settings = replace(module_settings, authority="a.example.org")
    archive = records.Archive(settings, catalogue(()), (), described)
    assert archive.authorities == ("a.example.org", "b.example.org", "c.example.org")


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
