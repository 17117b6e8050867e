"""VOSI documents: valid by the schemas that taplint uses, and true."""

from email.utils import parsedate_to_datetime

import httpx
import psycopg
import pytest
from lxml import etree

from schema import tap_schema
from schema.load import core_catalogue
from schema.model import Catalogue
from tests.server.serving import served
from tests.xmlcheck import parsed
from vo_server import vosi
from vo_server.adql import FEATURES
from vo_server.adql.features import OWN
from vo_server.app import create_app
from vo_server.results import FORMATS
from vo_server.settings import Settings

AVAILABLE = {"a": vosi.AVAILABILITY}
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


@pytest.fixture(scope="module")
def capabilities(client: httpx.Client) -> etree._Element:
    return parsed(client.get("/tap/capabilities").content)


@pytest.fixture(scope="module")
def table_access(capabilities: etree._Element) -> etree._Element:
    (capability,) = capabilities.findall("capability[@standardID='ivo://ivoa.net/std/TAP']")
    return capability


def test_available(client: httpx.Client) -> None:
    answer = client.get("/tap/availability")
    root = parsed(answer.content)
    assert answer.headers["content-type"].startswith("text/xml")
    assert root.findtext("a:available", namespaces=AVAILABLE) == "true"
    assert root.findtext("a:upSince", namespaces=AVAILABLE).endswith("Z")
    assert root.find("a:note", AVAILABLE) is None


def test_not_available_when_published_tables_do_not_answer(
    settings: Settings, database: psycopg.Connection
) -> None:
    database.execute(f"REVOKE USAGE ON SCHEMA ivoa FROM {settings.reader_role}")
    with served(create_app(settings)) as url:
        answer = httpx.get(f"{url}/tap/availability")
    root = parsed(answer.content)
    assert answer.status_code == 200
    assert root.findtext("a:available", namespaces=AVAILABLE) == "false"
    assert root.find("a:upSince", AVAILABLE) is None
    assert root.findtext("a:note", namespaces=AVAILABLE) == "The database does not answer."


def test_capabilities_list_every_endpoint(capabilities: etree._Element, client: httpx.Client) -> None:
    urls = {c.get("standardID"): c.findtext("interface/accessURL") for c in capabilities}
    base = str(client.base_url).rstrip("/")
    assert urls == {
        "ivo://ivoa.net/std/TAP": f"{base}/tap",
        "ivo://ivoa.net/std/VOSI#capabilities": f"{base}/tap/capabilities",
        "ivo://ivoa.net/std/VOSI#availability": f"{base}/tap/availability",
        "ivo://ivoa.net/std/VOSI#tables-1.1": f"{base}/tap/tables",
        "ivo://ivoa.net/std/DALI#examples": f"{base}/tap/examples",
    }


def test_tap_interface(table_access: etree._Element) -> None:
    interface = table_access.find("interface")
    assert (interface.get(TYPE), interface.get("role"), interface.get("version")) == (
        "vs:ParamHTTP",
        "std",
        "1.1",
    )
    assert table_access.find("dataModel").get("ivo-id") == "ivo://ivoa.net/std/ObsCore#core-1.1"


def test_languages_and_features_come_from_the_register(table_access: etree._Element) -> None:
    (language,) = table_access.findall("language")
    assert [v.get("ivo-id") for v in language.findall("version")] == [
        "ivo://ivoa.net/std/ADQL#v2.0",
        "ivo://ivoa.net/std/ADQL#v2.1",
    ]
    declared = {
        features.get("type"): [f.findtext("form") for f in features.findall("feature")]
        for features in language.findall("languageFeatures")
    }
    assert declared == {kind: [f.form for f in features] for kind, features in FEATURES.items()}
    prefix = "ivo://ivoa.net/std/tapregext#features-"
    assert [kind for kind in declared if not kind.lower().startswith(prefix)] == [OWN]


def test_formats_come_from_the_register(table_access: etree._Element) -> None:
    declared = [
        (f.get("ivo-id"), f.findtext("mime"), [a.text for a in f.findall("alias")])
        for f in table_access.findall("outputFormat")
    ]
    assert declared == [(f.ivo_id, f.media_types[0], [*f.names, *f.media_types[1:]]) for f in FORMATS]
    assert declared[0][0] == "ivo://ivoa.net/std/TAPRegExt#output-votable-binary2"


def test_limits_come_from_the_settings(table_access: etree._Element, module_settings: Settings) -> None:
    limit = table_access.find("outputLimit")
    assert limit.findtext("default") == str(module_settings.maxrec_default)
    assert limit.findtext("hard") == str(module_settings.maxrec_hard)
    assert limit.find("hard").get("unit") == "row"
    assert table_access.findtext("executionDuration/default") == str(module_settings.job_duration)


@pytest.mark.parametrize("path", ["capabilities", "tables", "tables/ivoa.obscore"])
def test_head_and_last_modified(client: httpx.Client, path: str) -> None:
    head = client.head(f"/tap/{path}")
    assert (head.status_code, head.content) == (200, b"")
    got = client.get(f"/tap/{path}")
    assert got.headers["last-modified"] == head.headers["last-modified"]
    assert parsedate_to_datetime(got.headers["last-modified"]).tzinfo is not None


def test_last_modified_follows_the_catalogue() -> None:
    changes = vosi.Changes()
    first, second = Catalogue(()), Catalogue(core_catalogue().schemas)
    assert changes.last(first) == changes.started
    assert changes.last(first) == changes.started
    assert changes.last(second) >= changes.started
    assert changes.last(second) == changes.last(second)


def test_tables_say_what_tap_schema_says(client: httpx.Client) -> None:
    """The whole tableset against the rows of TAP_SCHEMA: names, types, metadata and flags."""
    root = parsed(client.get("/tap/tables").content)
    rows = tap_schema.rows(core_catalogue())
    assert [s.findtext("name") for s in root.findall("schema")] == [r[0] for r in rows["schemas"]]
    assert [t.findtext("name") for t in root.findall("schema/table")] == [r[1] for r in rows["tables"]]
    columns = [
        (
            table.findtext("name"),
            column.findtext("name"),
            column.findtext("dataType"),
            column.find("dataType").get("arraysize"),
            column.find("dataType").get("extendedType"),
            column.findtext("utype"),
            column.findtext("unit"),
            column.findtext("ucd"),
            int("indexed" in [f.text for f in column.findall("flag")]),
            int(column.get("std") == "true"),
        )
        for table in root.findall("schema/table")
        for column in table.findall("column")
    ]
    assert columns == [(*r[:5], *r[7:11], r[12]) for r in rows["columns"]]


def test_foreign_keys(client: httpx.Client) -> None:
    root = parsed(client.get("/tap/tables/tap_schema.columns").content)
    (key,) = root.findall("foreignKey")
    assert key.findtext("targetTable") == "tap_schema.tables"
    assert key.findtext("fkColumn/fromColumn") == "table_name"
    assert key.findtext("fkColumn/targetColumn") == "table_name"


def test_flags_of_keys(client: httpx.Client) -> None:
    root = parsed(client.get("/tap/tables/ivoa.obscore").content)
    flags = {c.findtext("name"): [f.text for f in c.findall("flag")] for c in root.findall("column")}
    assert "primary" in flags["obs_publisher_did"]
    assert "nullable" not in flags["obs_publisher_did"]


def test_detail(client: httpx.Client) -> None:
    least = parsed(client.get("/tap/tables?detail=min").content)
    most = parsed(client.get("/tap/tables?detail=max").content)
    assert least.find("schema/table/column") is None
    assert len(least.findall("schema/table")) == len(most.findall("schema/table"))
    assert most.find("schema/table/column") is not None
    wrong = client.get("/tap/tables?detail=medium")
    assert (wrong.status_code, wrong.text) == (400, "detail is one of min, max, not 'medium'\n")


@pytest.mark.parametrize("name", ["ivoa.obscore", "IVOA.ObsCore"])
def test_one_table(client: httpx.Client, name: str) -> None:
    root = parsed(client.get(f"/tap/tables/{name}").content)
    assert etree.QName(root).localname == "table"
    assert root.findtext("name") == "ivoa.obscore"
    assert len(root.findall("column")) == len(core_catalogue().by_name["ivoa.obscore"].columns)


def test_unknown_table(client: httpx.Client) -> None:
    answer = client.get("/tap/tables/ivoa.obscure")
    assert answer.status_code == 404
    assert "'ivoa.obscure'" in answer.text
