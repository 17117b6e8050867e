"""Links of datasets over HTTP: rows, faults, limits, descriptors, forms and the page."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import psycopg
import pytest
from astropy.io.votable import parse
from astropy.io.votable.tree import Resource, VOTableFile

from tests.dl3files import Habits, index_rows, write_dl3, write_table
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from tests.xmlcheck import parsed
from vo_server import capabilities
from vo_server.app import create_app
from vo_server.datalink.links import MEDIA_TYPE
from vo_server.datalink.request import wants_page
from vo_server.roles import owner_url
from vo_server.settings import Settings

BASE = "ivo://example.org/My?"
ONE, TWO = BASE + "1", BASE + "a/b%20%23"
KEYS = {
    "name": "My",
    "schema": "my",
    "authority": "example.org",
    "product_rows": ["event-list", "aeff"],
    "licence": "CC-BY-4.0",
    "licence_url": "https://example.org/licence",
    "reference_url": "https://example.org/my?a=1&b=2",
    "progenitor": "https://example.org/dl0/{id}",
}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
JAVA = {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}

Rows = list[dict[str, object]]


@pytest.fixture(scope="module")
def serving(
    module_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, Path]]:
    """A client, and the directory with a run whose response functions lie in its file and one without."""
    directory = tmp_path_factory.mktemp("release")
    write_dl3(directory / "1.fits", Habits(events=5, obs_id="1"))
    write_dl3(directory / "2.fits", Habits(events=5, obs_id="a/b #", irfs=False))
    listener = free_socket()
    settings = replace(module_settings, public_url=url_of(listener), links_ids=3)
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        assert Archive(settings, connection).ingest(directory, **KEYS).problems == []
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client, directory


@pytest.fixture(scope="module")
def client(serving: tuple[httpx.Client, Path]) -> httpx.Client:
    return serving[0]


def ask(client: httpx.Client, *ids: str) -> httpx.Response:
    return client.get("/datalink/links", params=[("ID", did) for did in ids])


def document(answer: httpx.Response) -> VOTableFile:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    parsed(answer.content)
    return parse(io.BytesIO(answer.content))


def rows(answer: httpx.Response) -> Rows:
    table = document(answer).get_first_table().to_table()
    found = [{name: row[name] for name in table.colnames} for row in table]
    return [{k: v for k, v in row.items() if v is not np.ma.masked and str(v)} for row in found]


def test_rows_of_an_observation(serving: tuple[httpx.Client, Path]) -> None:
    client, directory = serving
    size = (directory / "1.fits").stat().st_size
    found = rows(ask(client, ONE))
    assert {r["ID"] for r in found} == {ONE}
    whole = f"{client.base_url}/files/my/1/1.fits".replace("//files", "/files")
    did = quote(ONE, safe="")
    shown = [(r["semantics"], r["local_semantics"], r.get("access_url"), r.get("service_def")) for r in found]
    server = str(client.base_url).rstrip("/")
    assert shown == [
        ("#this", "event-list", whole, None),
        ("#calibration", "aeff", whole, None),
        ("#calibration", "edisp", whole, None),
        ("#calibration", "psf", whole, None),
        ("#package", "event-bundle", f"{server}/bundles?ID={did}", None),
        ("#preview-image", "counts-map", f"{server}/previews/counts-map.png?ID={did}", None),
        ("#preview-plot", "spectrum", f"{server}/previews/spectrum.png?ID={did}", None),
        ("#preview-plot", "event-rate", f"{server}/previews/event-rate.png?ID={did}", None),
        ("#preview", "thumbnail", f"{server}/previews/thumbnail.png?ID={did}", None),
        ("#cutout", "cutout", None, "cutout"),
        ("#proc", "cutouts", None, "cutouts"),
        ("#progenitor", "progenitor", "https://example.org/dl0/1", None),
        ("#documentation", "reference", KEYS["reference_url"], None),
        ("#documentation", "licence", KEYS["licence_url"], None),
    ]
    by_role = {r["local_semantics"]: r for r in found}
    for role in ("event-list", "aeff", "edisp", "psf"):
        row = by_role[role]
        assert (row["content_type"], row["content_qualifier"]) == ("application/fits", role)
        assert int(str(row["content_length"])) == size
    assert by_role["event-bundle"]["content_type"] == "application/x-tar"
    assert {(r["link_auth"], r["link_authorized"]) for r in found if "link_auth" in r} == {("false", True)}


def test_this_is_the_file(serving: tuple[httpx.Client, Path]) -> None:
    client, directory = serving
    answer = client.get(str(rows(ask(client, ONE))[0]["access_url"]))
    assert answer.content == (directory / "1.fits").read_bytes()


def test_identifiers_in_their_order_and_faults_among_them(client: httpx.Client) -> None:
    odd = "no <&> such\x00 é"
    found = rows(ask(client, TWO, odd, ONE))
    order = list(dict.fromkeys(r["ID"] for r in found))
    assert order == [TWO, "no <&> such\ufffd e", ONE]
    (fault,) = [r for r in found if "error_message" in r]
    assert str(fault["error_message"]).startswith("NotFoundFault: ")
    assert fault["semantics"] == "#this"
    assert not {"access_url", "service_def", "content_type"} & set(fault)
    assert "#calibration" not in {r["semantics"] for r in found if r["ID"] == TWO}


def test_a_repeated_identifier_counts_once(client: httpx.Client) -> None:
    assert rows(ask(client, ONE, ONE)) == rows(ask(client, ONE))


def test_posted_identifiers(client: httpx.Client) -> None:
    answer = client.post("/datalink/links?id=" + quote(ONE, safe=""), data={"Id": [TWO]})
    assert list(dict.fromkeys(r["ID"] for r in rows(answer))) == [ONE, TWO]


def test_many_posted_identifiers(client: httpx.Client) -> None:
    answer = client.post("/datalink/links", data={"ID": [f"{BASE}{n}" for n in range(2000)]})
    assert list(dict.fromkeys(r["ID"] for r in rows(answer))) == [f"{BASE}{n}" for n in range(3)]


def test_too_many_identifiers_overflow(client: httpx.Client) -> None:
    answer = ask(client, "x", "y", ONE, TWO)
    root = parsed(answer.content)
    statuses = [i for i in root.iter("{*}INFO") if i.get("name") == "QUERY_STATUS"]
    assert [i.get("value") for i in statuses] == ["OK", "OVERFLOW"]
    assert statuses[1].text == "The first 3 identifiers are answered; 1 more were sent."
    assert statuses[1].getprevious().tag.endswith("TABLE")
    assert list(dict.fromkeys(r["ID"] for r in rows(answer))) == ["x", "y", ONE]


def test_no_identifier_is_an_empty_table_that_describes_the_service(client: httpx.Client) -> None:
    found = document(client.get("/datalink/links"))
    table = found.get_first_table()
    assert len(table.array) == 0
    assert [f.name for f in table.fields][:4] == ["ID", "access_url", "service_def", "error_message"]
    (this,) = [r for r in found.resources if r.utype == "adhoc:this"]
    assert {p.name for p in this.groups[0].entries} == {"ID", "RESPONSEFORMAT"}


def test_the_document_says_what_it_is(client: httpx.Client) -> None:
    (results,) = parsed(ask(client, ONE).content).findall("{*}RESOURCE[@type='results']")
    infos = {i.get("name"): i.get("value") for i in results.findall("{*}INFO")}
    assert infos == {"QUERY_STATUS": "OK", "standardID": "ivo://ivoa.net/std/DataLink#links-1.1"}
    fields = {
        f.get("name"): (f.get("datatype"), f.get("unit"), f.get("ucd")) for f in results.iter("{*}FIELD")
    }
    assert fields["ID"] == ("char", None, "meta.id;meta.main")
    assert fields["content_length"] == ("long", "byte", "phys.size;meta.file")
    assert fields["link_authorized"] == ("boolean", None, "meta.code")
    assert len(fields) == 12


@pytest.mark.parametrize("select", ["obs_publisher_did", 'obs_publisher_did AS "my name"'])
def test_identifiers_in_results_lead_on_as_aladin_follows(client: httpx.Client, select: str) -> None:
    """Aladin puts the encoded value of a column where a LINK has its ID in ${}, and asks for that."""
    query = f"SELECT s_ra, {select} FROM my.obscore WHERE dataproduct_type = 'event-list' ORDER BY obs_id"
    answer = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query})
    table = parse(io.BytesIO(answer.content), verify="exception").get_first_table()
    position, identifier = table.fields
    assert not position.links
    (link,) = identifier.links
    assert link.content_type == "application/x-votable+xml"
    assert [str(did) for did in table.array[identifier.ID]] == [ONE, TWO]
    for did in (ONE, TWO):
        links = client.get(link.href.replace(f"${{{identifier.ID}}}", quote(did, safe="")))
        first = rows(links)[0]
        assert (first["ID"], first["semantics"]) == (did, "#this")


def descriptor(found: VOTableFile, xml_id: str) -> tuple[dict[str, str], dict[str, object]]:
    (resource,) = [r for r in found.resources if xml_id == r.ID]
    assert isinstance(resource, Resource)
    inputs = {p.name: p for p in resource.groups[0].entries}
    return {p.name: p.value for p in resource.params}, inputs


def test_cutout_descriptors_have_the_ranges_of_their_dataset(client: httpx.Client) -> None:
    found = document(ask(client, TWO, ONE))
    for number, (suffix, did) in enumerate((("", TWO), ("-1", ONE))):
        told, inputs = descriptor(found, f"cutout{suffix}")
        assert told["standardID"] == "ivo://ivoa.net/std/SODA#sync-1.0"
        assert told["accessURL"] == f"{str(client.base_url).rstrip('/')}/soda/sync"
        assert inputs["ID"].value == did, number
        other, _ = descriptor(found, f"cutouts{suffix}")
        assert other["standardID"] == "ivo://ivoa.net/std/SODA#async-1.0"
    _, inputs = descriptor(found, "cutout-1")
    assert list(map(float, inputs["CIRCLE"].values.max)) == pytest.approx([228.6125, -58.7717, 2.5])
    assert (inputs["TIME"].unit, inputs["BAND"].unit, inputs["ENERGY"].unit) == ("d", "m", "TeV")
    assert float(inputs["TIME"].values.min) == pytest.approx(53090.1227, abs=1e-3)
    low, high = float(inputs["ENERGY"].values.min), float(inputs["ENERGY"].values.max)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(50, rel=0.3))


def test_a_response_function_with_a_row_of_its_own(client: httpx.Client) -> None:
    found = rows(ask(client, ONE + "/aeff"))
    this = found[0]
    assert (this["semantics"], this["content_qualifier"]) == ("#this", "aeff")
    assert str(this["access_url"]).endswith("/files/my/1/aeff/1.fits")
    assert client.head(str(this["access_url"])).status_code == 200
    (coderived,) = [r for r in found if r["semantics"] == "#coderived"]
    assert coderived["content_type"] == MEDIA_TYPE
    assert rows(client.get(str(coderived["access_url"]))) == rows(ask(client, ONE))
    assert not any("service_def" in r for r in found)


@pytest.mark.parametrize(
    "form",
    ["votable", "application/x-votable+xml", "APPLICATION/X-VOTABLE+XML;content=datalink;a=b", "text/xml"],
)
def test_forms_that_are_the_votable(client: httpx.Client, form: str) -> None:
    answer = client.get("/datalink/links", params={"ID": ONE, "responseformat": form}, headers=BROWSER)
    assert len(rows(answer)) == 14


def test_failures_of_the_whole_request(client: httpx.Client) -> None:
    for parameters in (
        {"RESPONSEFORMAT": "fits"},
        [("RESPONSEFORMAT", "votable"), ("RESPONSEFORMAT", "html")],
    ):
        answer = client.get("/datalink/links", params=parameters)
        assert (answer.status_code, answer.headers["content-type"]) == (400, MEDIA_TYPE)
        (status,) = parsed(answer.content).iter("{*}INFO")
        assert (status.get("value"), status.text.partition(":")[0]) == ("ERROR", "UsageFault")
    answer = client.post("/datalink/links", content=b"<x/>", headers={"Content-Type": "text/xml"})
    assert (answer.status_code, b"UsageFault" in answer.content) == (400, True)


def test_the_database_is_away(settings: Settings, database: psycopg.Connection) -> None:
    with served(create_app(settings)) as url:
        database.execute("ALTER TABLE ivoa.obscore RENAME TO gone")
        answer = httpx.get(f"{url}/datalink/links", params={"ID": ONE})
    (status,) = parsed(answer.content).iter("{*}INFO")
    assert (answer.status_code, status.text.partition(":")[0]) == (503, "TransientFault")


def test_the_page_for_people(client: httpx.Client) -> None:
    answer = client.get("/datalink/links", params={"ID": ONE}, headers=BROWSER)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Accept" in answer.headers["vary"]
    for part in ("MSH 15-52", "2004-03-26", "/previews/counts-map.png?ID=", "CC-BY-4.0", "a=1&amp;b=2"):
        assert part in answer.text, part
    assert client.get("/datalink/links", params={"RESPONSEFORMAT": "html"}).status_code == 200


def test_the_page_of_an_unknown_identifier(client: httpx.Client) -> None:
    answer = client.get("/datalink/links", params={"ID": "<script>"}, headers=BROWSER)
    assert answer.status_code == 404
    assert "no dataset with the identifier <code>&lt;script&gt;</code>" in answer.text


def test_programs_in_java_get_the_votable(client: httpx.Client) -> None:
    assert len(rows(client.get("/datalink/links", params={"ID": ONE}, headers=JAVA))) == 14
    assert not wants_page("*/*")
    assert not wants_page("")
    assert wants_page("text/html")


def test_capabilities(client: httpx.Client) -> None:
    root = parsed(client.get("/datalink/capabilities").content)
    assert root.tag == f"{{{capabilities.CAPABILITIES}}}capabilities"
    urls = {c.get("standardID"): c.findtext("interface/accessURL") for c in root}
    server = str(client.base_url).rstrip("/")
    assert urls["ivo://ivoa.net/std/DataLink#links-1.1"] == f"{server}/datalink/links"
    assert ">true<" in client.get(urls["ivo://ivoa.net/std/VOSI#availability"]).text
    parsed(client.get("/datalink/availability").content)


def test_response_functions_in_other_files_come_alone_and_with_uris(
    settings: Settings, database: psycopg.Connection, tmp_path: Path
) -> None:
    write_dl3(tmp_path / "events.fits", Habits(events=5, obs_id="1", irfs=False))
    write_dl3(tmp_path / "irfs.fits", Habits(events=5, obs_id="1"))
    types = {"events": "events.fits", "gti": "events.fits", "aeff": "irfs.fits", "psf": "irfs.fits"}
    index = [row for kind, name in types.items() for row in index_rows(1, name, [kind])]
    write_table(tmp_path / "hdu-index.fits", index)
    assert Archive(settings, database).ingest(tmp_path, name="My", authority="example.org").problems == []
    with served(create_app(replace(settings, qualifier_uris=True))) as url:
        found = rows(httpx.get(f"{url}/datalink/links", params={"ID": ONE}))
        alone = {r["content_qualifier"]: r for r in found if r["semantics"] == "#calibration"}
        response = "http://www.ivoa.net/rdf/response-type#"
        assert set(alone) == {response + "aeff", response + "psf"}
        assert found[0]["content_qualifier"] == "http://www.ivoa.net/rdf/product-type#event-list"
        for name in ("aeff", "psf"):
            row = alone[response + name]
            assert str(row["access_url"]).endswith(f"/products?ID={quote(ONE, safe='')}&PRODUCT={name}")
