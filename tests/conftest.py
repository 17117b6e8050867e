"""One private cluster per run, with a template database; each test that asks gets a clone of it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from vo_server import cluster
from vo_server.install import install
from vo_server.roles import owner_url
from vo_server.settings import Settings

_numbers = count(1)


def pytest_report_header() -> str:
    return f"PostgreSQL programs: {cluster.binaries()}"


@pytest.fixture(scope="session")
def template() -> Iterator[Settings]:
    """Settings of a running private cluster whose database is installed and empty."""
    directory = Path(tempfile.mkdtemp(prefix="vo-server-test-"))
    directory.chmod(0o755)
    settings = Settings(data_dir=directory, fsync=False, sync_timeout=20.0)
    try:
        with cluster.running(settings):
            install(settings, print)
            yield settings
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def settings(template: Settings) -> Iterator[Settings]:
    """Settings of a database of the test's own: a clone of the template."""
    yield from _clone(template)


@pytest.fixture(scope="module")
def module_settings(template: Settings) -> Iterator[Settings]:
    """As `settings`, for the tests of a whole module."""
    yield from _clone(template)


@pytest.fixture
def database(settings: Settings) -> Iterator[psycopg.Connection]:
    """The owner's connection to the test's own database, in autocommit."""
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        yield connection


def _clone(template: Settings) -> Iterator[Settings]:
    name = f"test_{next(_numbers)}"
    maintenance = psycopg.conninfo.make_conninfo(owner_url(template), dbname="postgres")
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(cluster.DATABASE)
            )
        )
        try:
            url = psycopg.conninfo.make_conninfo(owner_url(template), dbname=name)
            yield replace(template, database_url=url, reader_url=_reader_url(url, template))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _reader_url(url: str, template: Settings) -> str:
    return psycopg.conninfo.make_conninfo(url, user=template.reader_role)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of real releases; in continuous integration it must be there."""
    named = os.environ.get("VO_SERVER_TEST_DATA")
    if named is None:
        if os.environ.get("CI"):
            pytest.fail("VO_SERVER_TEST_DATA is not set")
        pytest.skip("VO_SERVER_TEST_DATA is not set: no real releases here")
    path = Path(named)
    if not path.is_dir():
        pytest.fail(f"VO_SERVER_TEST_DATA = {named} is not a directory")
    return path
