"""What the tests of whole ingests start from."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.dl3files import write_dl3
from tests.ingesting import SMALL, Archive
from vo_server.settings import Settings


@pytest.fixture
def archive(settings: Settings, database: psycopg.Connection[Any]) -> Archive:
    return Archive(settings, database)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Three observations; the name gives the schema my_release."""
    directory = tmp_path / "My release"
    for number in (1, 2, 3):
        write_dl3(directory / f"run{number}.fits", SMALL.but(obs_id=number))
    return directory
