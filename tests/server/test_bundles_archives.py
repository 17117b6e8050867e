"""Archives of members too large to make: their headers say what they must, and other programs agree."""

import io
import struct
import tarfile
import zipfile
from dataclasses import dataclass

import pytest

from vo_server.bundles import archives
from vo_server.bundles.archives import stored_zip, tar
from vo_server.bundles.member import Member, names_of, plain
from vo_server.products.content import Content, Octets

GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Hollow:
    """A piece that only says how large it is."""

    size: int
    tag: bytes = b"hollow"


def member(name: str, size: int) -> Member:
    return Member(name, Hollow(size), "0" * 64)  # type: ignore[arg-type]  # its octets are not asked for


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513])
def test_small_members(size: int) -> None:
    content = bytes(range(256)) * 2
    members = [Member("a/b.txt", Octets(content[:size]), "x"), Member("c", Octets(b"c"), "y")]
    made = Content(tar("d", members), "application/x-tar", "d.tar")
    packed = b"".join(made.chunks(0, made.size))
    assert len(packed) == made.size
    assert made.size % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.getnames() == ["d/a/b.txt", "d/c"]
        found = archive.extractfile("d/a/b.txt")
        assert found is not None
        assert found.read() == content[:size]
        assert {(m.mtime, m.mode, m.uid) for m in archive} == {(archives.TIME, 0o644, 0)}
    made = Content(stored_zip("d", members), "application/zip", "d.zip")
    packed = b"".join(made.chunks(0, made.size))
    assert len(packed) == made.size
    with zipfile.ZipFile(io.BytesIO(packed)) as zipped:
        assert zipped.testzip() is None
        assert zipped.read("d/a/b.txt") == content[:size]
        assert zipped.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_large_members_of_tar() -> None:
    pieces = tar("d", [member("large", 9 * GIGABYTE), member("behind", 1)])
    (header,) = pieces[0].chunks(0, pieces[0].size)
    info = tarfile.TarInfo.frombuf(header[-512:], "ascii", "strict")
    assert (info.name, b"size=9663676416" in header) == ("d/large", True)
    assert sum(piece.size for piece in pieces) % tarfile.RECORDSIZE == 0


def test_large_members_of_zip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_crc", lambda piece: 7)
    made = stored_zip("d", [member("large", 5 * GIGABYTE), member("behind", 1)])
    directory = b"".join(b"".join(piece.chunks(0, piece.size)) for piece in made[4:])
    offset = sum(piece.size for piece in made[:4])
    assert [made[0].size, made[2].size] == [30 + len("d/large") + 20, 30 + len("d/behind")]
    wide = directory.index(b"PK\6\6")
    count, length, start = struct.unpack("<QQQ", directory[wide + 32 : wide + 56])
    assert (count, length, start) == (2, wide, offset)
    # Python reads the directory from a file with a hole in place of the members.
    hole = _Hole(offset, directory)
    with zipfile.ZipFile(hole) as zipped:  # type: ignore[call-overload]  # it reads and seeks, no more
        large, behind = zipped.infolist()
    assert (large.file_size, large.header_offset) == (5 * GIGABYTE, 0)
    assert (behind.file_size, behind.header_offset) == (1, made[0].size + 5 * GIGABYTE)


class _Hole(io.RawIOBase):
    """Zeros, and behind them octets."""

    def __init__(self, size: int, behind: bytes) -> None:
        self.zeros, self.behind, self.position = size, behind, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self.position, 2: self.zeros + len(self.behind)}[whence]
        self.position = base + offset
        return self.position

    def read(self, size: int = -1) -> bytes:
        start = max(0, self.position - self.zeros)
        missing = max(0, min(size if size >= 0 else 0, self.zeros - self.position))
        found = self.behind[start : None if size < 0 else start + size - missing]
        self.position += missing + len(found)
        return bytes(missing) + found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("run 1#é.fits.gz", "run_1__.fits.gz"),
        ("..", "_.."),
        (".hidden", "_.hidden"),
        ("-rf", "_-rf"),
        ("", "_"),
        ("a\\b\nc", "a_b_c"),
        ("C:x", "C_x"),
    ],
)
def test_plain_names(name: str, expected: str) -> None:
    assert plain(name) == expected


def test_clashing_names() -> None:
    paths = ["/r/a/x.fits", "/r/b/X.fits", "/r/c/é.fits", "/r/c/_.fits", "/s/b/x.fits", "/r/a/x.fits"]
    found = names_of(("data/r", path) for path in paths)
    assert list(found) == paths[:-1]
    assert list(found.values()) == [
        "data/r/x.fits",
        "data/r/b/X.fits",
        "data/r/_.fits",
        "data/r/c/_.fits",
        "data/r/s/b/x.fits",
    ]
    clash = names_of(("data", path) for path in ("/x", "/é", "/ü", "/_"))
    assert list(clash.values()) == ["data/x", "data/_", "data/2/_", "data/3/_"]
