"""The server as an operator runs it: commands in processes of their own, a real socket, real releases."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import requests

HESS_COLLECTION = Path(__file__).parents[2] / "resources/collections/hess-dl3-dr1.toml"


@dataclass(frozen=True)
class Installation:
    """A data directory with a private cluster, the port to serve on, and settings besides."""

    directory: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "VO_SERVER_DATA_DIR": str(self.directory),
            "VO_SERVER_PORT": str(self.port),
            "VO_SERVER_FSYNC": "false",
            **{f"VO_SERVER_{name}": value for name, value in self.settings.items()},
        }

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """A `vo-server` command that must end with this exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "vo_server", *arguments],
            env=self.environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """The URL of the server while it runs."""
        with self.process():
            yield self.url

    @contextlib.contextmanager
    def process(self) -> Iterator[subprocess.Popen[bytes]]:
        """The process of a server that answers; stopped at the end if it still runs."""
        log = (self.directory / "serve.log").open("w+")
        process = subprocess.Popen(
            [sys.executable, "-m", "vo_server", "serve"],
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_available(self.url, process, Path(log.name))
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
            log.close()


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    directory = Path(tempfile.mkdtemp(prefix="vo-server-acceptance-"))
    directory.chmod(0o755)
    try:
        yield Installation(directory, free_port())
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def archive(installation: Installation, shared_data: Path) -> Iterator[str]:
    """URL of a served archive with the H.E.S.S. and the CTA release."""
    installation.run("init")
    installation.run("ingest", str(shared_data / "hess-dl3-dr1"), "--collection", str(HESS_COLLECTION))
    installation.run("ingest", str(shared_data / "cta-1dc"))
    with installation.serving() as url:
        yield url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_available(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.TransportError):
            if ">true<" in httpx.get(f"{url}/tap/availability", timeout=5).text:
                return
        time.sleep(0.2)
    pytest.fail(f"the server did not come up: {log.read_text()}")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """The connections of a pyvo client, closed at the end."""
    with requests.Session() as made:
        yield made
