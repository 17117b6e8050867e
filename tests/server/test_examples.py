"""The example queries, and the page of TAP for people."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest
import pyvo
from lxml import etree, html

from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from tests.server.uploading import message_of, rows_of, send
from vo_server.app import create_app
from vo_server.roles import owner_url
from vo_server.settings import Settings
from vo_server.tap.examples import UPLOAD

VOCABULARY = "http://www.ivoa.net/rdf/examples#"


@pytest.fixture(scope="module")
def archive(module_settings: Settings, shared_data: Path) -> Iterator[httpx.Client]:
    """A client of a server of a real release."""
    listener = free_socket()
    settings = replace(module_settings, public_url=url_of(listener), title="A <b> archive", worker=False)
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        Archive(settings, connection).ingest(shared_data / "hess-dl3-dr1", name="HESS", schema="hess_dr")
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def examples(client: httpx.Client) -> dict[str, etree._Element]:
    """The examples by their names, from a document that is well-formed XML."""
    answer = client.get("/tap/examples")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    root = etree.fromstring(answer.content)
    (vocabulary,) = root.xpath("//*[@vocab]")
    assert vocabulary.get("vocab") == VOCABULARY
    found = vocabulary.xpath(".//*[@typeof='example']")
    assert all(e.get("resource") == f"#{e.get('id')}" for e in found)
    return {e.get("id"): e for e in found}


def query_of(example: etree._Element) -> str:
    (query,) = example.xpath(".//*[@property='query']")
    assert len(query) == 0
    return query.text or ""


def test_the_examples_run(archive: httpx.Client) -> None:
    found = examples(archive)
    wanted = {"cone", "fields-of-view", "energy-and-events", "healpix-cells", "measured-quantities"}
    wanted |= {"time-window", "targets"}
    assert set(found) == {*wanted, "pointings-hess_dr"}
    rows = {}
    for name, example in found.items():
        assert example.xpath("count(.//*[@property='name'])") == 1
        tables = [t.text for t in example.xpath(".//*[@property='table']")]
        assert all(f" {table}" in query_of(example) for table in tables)
        form = {"LANG": "ADQL", "QUERY": query_of(example), "RESPONSEFORMAT": "csv"}
        rows[name] = len(rows_of(archive.post("/tap/sync", data=form)))
    assert rows == {
        "cone": 4,
        "fields-of-view": 15,
        "energy-and-events": 99,
        "healpix-cells": 29,
        "measured-quantities": 20,
        "time-window": 20,
        "targets": 35,
        "pointings-hess_dr": 20,
    }


def test_the_example_with_an_upload_runs(archive: httpx.Client) -> None:
    content = b"name,ra,dec\nCrab,83.633,22.014\nnowhere,0,89\n"
    rows = rows_of(send(archive, content, UPLOAD.query, UPLOAD="mine,param:table", RESPONSEFORMAT="csv"))
    assert [row[:2] for row in sorted(rows)] == [["Crab", "23523"], ["Crab", "23526"]]


def test_pyvo_finds_them(archive: httpx.Client) -> None:
    service = pyvo.dal.TAPService(str(archive.base_url.join("/tap")))
    found = {str(e["QUERY"]) for e in service.examples}
    assert {query_of(e).replace("\n", " ") for e in examples(archive).values()} == {
        q.replace("\n", " ") for q in found
    }


def test_the_page(archive: httpx.Client) -> None:
    answer = archive.get("/tap")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = html.parse(io.BytesIO(answer.content)).getroot()
    assert "A <b> archive answers ADQL 2.1 queries" in " ".join(page.text_content().split())
    assert "$" not in answer.text
    form = page.forms[0]
    sent = archive.post(form.action, data={**dict(form.form_values()), "RESPONSEFORMAT": "csv"})
    assert len(rows_of(sent)) == 4
    broken = archive.post(form.action, data={**dict(form.form_values()), "QUERY": "SELECT"})
    assert "QUERY" not in message_of(broken)
    for link in page.xpath("//a/@href"):
        assert archive.get(link).status_code == 200, link
    for anchor in page.xpath("//a/@href[contains(., 'examples#')]"):
        assert anchor.partition("#")[2] in examples(archive)


def test_capabilities_name_them(archive: httpx.Client) -> None:
    root = etree.fromstring(archive.get("/tap/capabilities").content)
    url = root.findtext("capability[@standardID='ivo://ivoa.net/std/DALI#examples']/interface/accessURL")
    assert url == archive.base_url.join("/tap/examples")
    ways = [m.get("ivo-id", "").partition("#")[2] for m in root.iterfind("capability/uploadMethod")]
    assert ways == ["upload-inline", "upload-http", "upload-https"]
    limits = [(n.tag, n.get("unit"), n.text) for n in root.iterfind("capability/uploadLimit/*")]
    assert limits == [("default", "byte", "30000000"), ("hard", "byte", "30000000")]
