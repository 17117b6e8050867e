"""Files are opened by their resolved paths: no part of them may be a link."""

import errno
import os
from pathlib import Path

import pytest

from vo_server.errors import MissingFileError
from vo_server.products.file import Record, look


@pytest.fixture(params=["with /proc", "without"])
def proc(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the kernel tells where an open file lies."""

    def absent(path: str) -> str:
        raise FileNotFoundError(errno.ENOENT, "no such file", path)

    if request.param == "without":
        monkeypatch.setattr(os, "readlink", absent)


def record(path: Path) -> Record:
    return Record(str(path), 4, "x", None)


@pytest.mark.usefixtures("proc")
def test_a_file_is_opened_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "a b" / "é.fits"
    path.parent.mkdir()
    path.write_bytes(b"text")
    with look(record(path)).open() as stream:
        assert stream.read() == b"text"


@pytest.mark.usefixtures("proc")
@pytest.mark.parametrize("kind", ["file", "directory", "absent", "fifo", "directory itself"])
def test_links_and_what_is_no_file_are_missing(tmp_path: Path, kind: str) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "run.fits").write_bytes(b"text")
    path = real / "other.fits"
    if kind == "file":
        path.symlink_to(real / "run.fits")
    elif kind == "directory":
        (tmp_path / "link").symlink_to(real)
        path = tmp_path / "link" / "run.fits"
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory itself":
        path = real
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(MissingFileError):
        look(record(path))
    assert len(os.listdir("/proc/self/fd")) == before
