"""Which source reads a connection: libpq where something may be encrypted."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.server.reading import never, read, usable, values
from vo_server import cluster
from vo_server.rows import sources
from vo_server.rows.sources import Copied, Direct
from vo_server.settings import Settings


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a PostgreSQL of our own listens, also over TLS."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    directory = tmp_path_factory.mktemp("tls")
    for parent in (directory, *list(directory.parents)[:2]):
        parent.chmod(0o755)
    mine = cluster.cluster(Settings(data_dir=directory, fsync=False))
    cluster.start(mine)
    port = _free_port()
    try:
        _certify(mine.directory)
        with psycopg.connect(mine.url.replace("/vo_server?", "/postgres?"), autocommit=True) as owner:
            for setting in ("ssl = on", "listen_addresses = '127.0.0.1'", f"port = {port}"):
                owner.execute(f"ALTER SYSTEM SET {setting}")
        cluster.stop(mine)
        cluster.start(mine)
        yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=require"
    finally:
        cluster.stop(mine)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _certify(directory: Path) -> None:
    key, certificate = directory / "server.key", directory / "server.crt"
    subprocess.run(
        [
            *("openssl", "req", "-new", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-newkey", "rsa:2048", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    owner = directory.stat()
    for path in (key, certificate):
        path.chmod(0o600)
        os.chown(path, owner.st_uid, owner.st_gid)


def test_what_is_encrypted_is_read_by_libpq(encrypted: str) -> None:
    sql = "SELECT i, repeat('é', i % 1000), ARRAY[i, NULL] FROM generate_series(1, 30000) AS i"
    with psycopg.connect(encrypted, autocommit=True, gssencmode="disable") as connection:
        assert connection.pgconn.ssl_in_use
        assert isinstance(sources.source(connection, "SELECT 1", never), Copied)
        found = read(connection, sql)
        assert values(found) == list(range(1, 30001))
        assert values(found, 1) == ["é" * (i % 1000) for i in range(1, 30001)]
        assert values(found, 2) == [[i, None] for i in range(1, 30001)]
        assert usable(connection)


@pytest.mark.parametrize(
    ("mode", "kind"), [("disable", Direct), ("prefer", Copied)], ids=["disable", "prefer"]
)
def test_what_may_be_encrypted_by_gssapi(encrypted: str, mode: str, kind: type) -> None:
    """libpq does not tell whether it is."""
    plain = encrypted.replace("sslmode=require", "sslmode=disable")
    with psycopg.connect(plain, autocommit=True, gssencmode=mode) as connection:
        found = sources.source(connection, "SELECT 1", never)
        assert type(found) is kind
        found.close()
