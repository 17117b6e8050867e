"""A database of a benchmark's own."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vo_server import cluster, install
from vo_server.settings import Settings


@contextmanager
def installed() -> Iterator[Settings]:
    """A private cluster for this run, with the settings that operators get."""
    with tempfile.TemporaryDirectory(prefix="vo-server-bench-") as scratch:
        os.chmod(scratch, 0o777)  # noqa: S103  Postgres runs as another user and writes here
        settings = Settings(data_dir=Path(scratch))
        with cluster.running(settings):
            install.install(settings, print)
            yield settings
