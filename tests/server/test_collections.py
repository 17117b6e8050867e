"""The pages of collections, their metadata for search engines, and the map of the site."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest
from lxml import etree

from schema.collection import Collection
from tests.dl3files import Habits, write_dl3
from tests.fluxfiles import write_flux
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from vo_server.app import create_app
from vo_server.collections.find import find_collection
from vo_server.errors import NotFoundError
from vo_server.roles import owner_url
from vo_server.settings import Settings

HOSTILE = '</script><script>alert(1)</script> & "more"'
KEYS: dict[str, Any] = {
    "name": "My DL3 & more",
    "schema": "my",
    "authority": "example.org",
    "title": "Runs <of> mine",
    "description": HOSTILE,
    "creators": ["Josiah Carberry", "A Collaboration"],
    "orcids": ["0000-0002-1825-0097", ""],
    "doi": "10.5281/zenodo.1421099",
    "licence": "CC-BY-4.0",
    "licence_url": "https://creativecommons.org/licenses/by/4.0/",
    "reference_url": "https://example.org/<a>?b=1&c=2",
    "release_date": "2021-05-01",
    "events": True,
}


@pytest.fixture(scope="module")
def client(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("release")
    write_dl3(directory / "1.fits", Habits(events=5, obs_id="1"))
    write_dl3(directory / "2.fits", Habits(events=7, obs_id="2"))
    write_flux(directory / "sed.fits")
    listener = free_socket()
    settings = replace(module_settings, public_url=url_of(listener), title="Test & archive")
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        assert Archive(settings, connection).ingest(directory, **KEYS).problems == []
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def page(client: httpx.Client, path: str) -> etree._Element:
    """A page, which is well-formed XML."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return etree.fromstring(answer.text.removeprefix("<!DOCTYPE html>\n").encode())


@pytest.fixture(scope="module")
def landing(client: httpx.Client) -> etree._Element:
    return page(client, "/collections/my")


@pytest.fixture(scope="module")
def dataset(landing: etree._Element) -> dict[str, Any]:
    (script,) = landing.iter("script")
    assert script.get("type") == "application/ld+json"
    found: dict[str, Any] = json.loads(script.text)
    return found


def facts(landing: etree._Element) -> dict[str, str]:
    rows = landing.iterfind("body/table/tr")
    return {row.findtext("th"): "".join(row.find("td").itertext()) for row in rows if len(row) == 2}


def test_facts(landing: etree._Element) -> None:
    told = facts(landing)
    assert landing.findtext("body/h1") == "Runs <of> mine"
    assert told["Identifier"] == "ivo://example.org/collections/my"
    assert told["DOI"] == "10.5281/zenodo.1421099"
    assert told["Creators"] == "Josiah Carberry; A Collaboration"
    assert told["Observations"] == "2"
    assert told["Events"] == "12"
    assert told["Spectra, light curves"] == "1"
    services = {row.findtext("th"): row.findtext("td/a") for row in landing.iter("tr")}
    assert services["SSA 1.1"].endswith("/ssa/my?")
    assert told["Public since"] == "2021-05-01"
    assert told["Reference"] == "https://example.org/<a>?b=1&c=2"
    assert HOSTILE in "".join(landing.itertext())


def test_links_lead_somewhere(client: httpx.Client, landing: etree._Element) -> None:
    links = [a.get("href") for a in landing.iter("a")] + [i.get("src") for i in landing.iter("img")]
    assert not [link for link in links if not link.startswith(("http://", "https://"))]
    own = [link for link in links if link.startswith(str(client.base_url).rstrip("/"))]
    assert len(own) > 10
    for link in own:
        answer = client.get(link)
        # A cone search without a cone tells how it is asked; all others answer.
        assert answer.status_code == 200, link


def test_example_queries_run(client: httpx.Client, landing: etree._Element) -> None:
    runs = [a.get("href") for a in landing.iter("a") if a.text == "Run it"]
    assert len(runs) == 4
    rows = [len(page(client, run.removeprefix(str(client.base_url))).findall(".//tr[td]")) for run in runs]
    assert rows[0] == 3


def test_name_and_schema_lead_to_the_page(client: httpx.Client) -> None:
    assert client.get("/collections/My%20DL3%20%26%20more").text == client.get("/collections/my").text
    missing = client.get("/collections/none")
    assert missing.status_code == 404
    assert missing.text == "There is no collection 'none' here; there are: my.\n"


@pytest.mark.parametrize(
    "path", ["/collections/{}", "/scs/{}/capabilities", "/ssa/{}/capabilities", "/coverage/{}/moc.txt"]
)
@pytest.mark.parametrize("name", ["MY", "my%20dl3%20%26%20MORE"])
def test_collections_are_named_in_any_case(client: httpx.Client, path: str, name: str) -> None:
    answer = client.get(path.format(name))
    assert answer.status_code == 200
    assert answer.content == client.get(path.format("my")).content


@pytest.mark.parametrize(
    ("wanted", "schema"), [("a", "a"), ("A", "a"), ("b", "b"), ("Set", "s1"), ("SET", "s2"), ("set", "s1")]
)
def test_which_collection_a_path_names(wanted: str, schema: str) -> None:
    """A schema goes before another collection's name, a name as written before one in another case."""
    named = (("B", "a"), ("A", "b"), ("Set", "s1"), ("SET", "s2"))
    known = [Collection(name, schema) for name, schema in named]
    assert find_collection(known, wanted).schema == schema


def test_a_path_that_names_no_collection() -> None:
    with pytest.raises(NotFoundError, match="no collection 'x' here; there are: none"):
        find_collection([], "x")


def test_dataset(client: httpx.Client, dataset: dict[str, Any]) -> None:
    server = str(client.base_url).rstrip("/")
    assert dataset["@context"] == "https://schema.org/"
    assert dataset["@type"] == "Dataset"
    assert dataset["@id"] == "https://doi.org/10.5281/zenodo.1421099"
    assert dataset["url"] == f"{server}/collections/my"
    assert dataset["description"] == HOSTILE
    assert [i["value"] for i in dataset["identifier"]] == [
        "doi:10.5281/zenodo.1421099",
        "ivo://example.org/collections/my",
    ]
    assert dataset["creator"] == [
        {"@type": "Person", "name": "Josiah Carberry", "@id": "https://orcid.org/0000-0002-1825-0097"},
        {"@type": "Organization", "name": "A Collaboration"},
    ]
    assert dataset["license"] == KEYS["licence_url"]
    assert dataset["keywords"][0] == "gamma-ray-astronomy"
    assert dataset["measurementTechnique"] == "gamma-ray astronomy"
    assert {v["name"] for v in dataset["variableMeasured"]} > {"reconstructed energy"}
    start, end = dataset["temporalCoverage"].split("/")
    assert start <= end
    assert dataset["spatialCoverage"]["additionalProperty"]["value"][1] == "/"
    forms = {d["encodingFormat"]: d["contentUrl"] for d in dataset["distribution"]}
    assert client.get(forms["application/x-tar"]).headers["content-type"] == "application/x-tar"
    assert len(client.get(forms["text/csv"]).text.splitlines()) == 4


def test_list_and_front_page_link_to_it(client: httpx.Client) -> None:
    server = str(client.base_url).rstrip("/")
    for path in ("/", "/collections"):
        assert f'<a href="{server}/collections/my">My DL3 &amp; more</a>' in client.get(path).text


def test_sitemap(client: httpx.Client) -> None:
    answer = client.get("/sitemap.xml")
    root = etree.fromstring(answer.content)
    assert root.tag == "{http://www.sitemaps.org/schemas/sitemap/0.9}urlset"
    pages = [loc.text for loc in root.iter("{*}loc")]
    assert f"{str(client.base_url).rstrip('/')}/collections/my" in pages
    assert [client.get(page).status_code for page in pages] == [200] * len(pages)


def test_robots(client: httpx.Client) -> None:
    lines = client.get("/robots.txt").text.splitlines()
    assert lines[0] == "User-agent: *"
    assert "Disallow: /tap/sync" in lines
    assert lines[-1] == f"Sitemap: {str(client.base_url).rstrip('/')}/sitemap.xml"


def test_nothing_published(module_settings: Settings, settings: Settings) -> None:
    with served(create_app(settings)) as url:
        assert "Nothing has been ingested yet." in httpx.get(f"{url}/collections").text
