"""Pieces in a row are read as one, from any octet on, and little of them is in memory."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from vo_server.errors import ChangedFileError
from vo_server.products.content import BLOCK, Computed, Content, Extent, Octets
from vo_server.products.file import DataFile, Record, look

OCTETS = np.random.default_rng(1).bytes(3 * BLOCK + 12345)


@pytest.fixture
def plain(tmp_path: Path) -> DataFile:
    return written(tmp_path / "plain.fits", OCTETS)


@pytest.fixture
def packed(tmp_path: Path) -> DataFile:
    return written(tmp_path / "packed.fits.gz", gzip.compress(OCTETS))


def written(path: Path, octets: bytes) -> DataFile:
    path.write_bytes(octets)
    return look(Record(str(path), len(octets), "x", None))


@pytest.fixture
def content(plain: DataFile, packed: DataFile) -> Content:
    pieces = (
        Octets(b"head"),
        Extent(plain, 0, len(OCTETS)),
        Octets(b""),
        Computed(6, "made", lambda: b"middle"),
        Extent(packed, 1000, BLOCK + 1, packed=True),
        *[Octets(bytes([number])) for number in range(200)],
    )
    return Content(pieces, "a/b", "name")


def test_pieces_come_in_chunks_of_even_size(content: Content) -> None:
    whole = b"head" + OCTETS + b"middle" + OCTETS[1000 : 1000 + BLOCK + 1] + bytes(range(200))
    chunks = list(content.chunks(0, content.size))
    assert b"".join(chunks) == whole
    assert all(BLOCK <= len(chunk) < 2 * BLOCK for chunk in chunks[:-1])


def test_any_part(content: Content) -> None:
    whole = b"".join(content.chunks(0, content.size))
    edges = [0, 1, 4, 5, BLOCK, len(OCTETS) + 3, len(OCTETS) + 10, content.size - 1, content.size]
    for start in edges:
        for stop in edges:
            assert b"".join(content.chunks(start, stop)) == whole[start:stop]


def test_who_waits_keeps_nothing_in_memory(content: Content) -> None:
    readers = [content.chunks(0, content.size) for _ in range(20)]
    tracemalloc.start()
    try:
        for reader in readers:
            next(reader)
        assert tracemalloc.get_traced_memory()[0] < len(readers) * BLOCK / 16
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_that_ends_too_early(plain: DataFile, packed: DataFile, is_packed: bool) -> None:
    extent = Extent(packed if is_packed else plain, 0, len(OCTETS) + 1, is_packed)
    with pytest.raises(ChangedFileError):
        list(extent.chunks(0, extent.size))
