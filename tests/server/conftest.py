"""The application on a socket over a database of the module's own."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.server.serving import free_socket, served, url_of
from vo_server.app import create_app
from vo_server.settings import Settings


@pytest.fixture(scope="module")
def client(module_settings: Settings) -> Iterator[httpx.Client]:
    """A client of the server over the core tables; TAP_SCHEMA is all that holds rows."""
    listener = free_socket()
    settings = replace(
        module_settings, public_url=url_of(listener), title="Test & archive", contact="a@b.org"
    )
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client
