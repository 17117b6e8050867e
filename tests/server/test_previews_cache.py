"""The cache keeps previews whole, within its limit, and gives way to a full disk."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vo_server.previews.cache import Cache

KEYS = [f"{i:064x}" for i in range(0, 256 * 40, 256)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "p", 10_000)
    assert cache.read(KEYS[0]) is None
    cache.write(KEYS[0], b"picture")
    assert KEYS[0] in cache
    assert KEYS[1] not in cache
    assert cache.read(KEYS[0]) == b"picture"
    assert [(e.path.name, e.size) for e in cache.entries()] == [(KEYS[0], 7)]


def test_those_used_last_are_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    for number, key in enumerate(KEYS[:15]):
        cache.write(key, b"x" * 100)
        os.utime(next(e.path for e in cache.entries() if e.path.name == key), (1e9 + number, 1e9 + number))
    assert cache.read(KEYS[0]) is not None
    cache.trim()
    assert {e.path.name for e in cache.entries()} == {KEYS[0], *KEYS[7:15]}
    cache.trim()
    assert len(list(cache.entries())) == 9


def test_the_limit_is_kept_while_writing(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    for i in range(300):
        cache.write(f"{i:064x}", b"x" * 100)
    assert sum(e.size for e in cache.entries()) <= 1000 + 50 * 100


def test_others_are_removed_with_what_a_crash_left(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    for key in KEYS[:3]:
        cache.write(key, b"x")
    (tmp_path / "00" / "abc.unfinished").write_bytes(b"half")
    removed = cache.remove_others({KEYS[1]})
    assert {e.path.name for e in removed} == {KEYS[0], KEYS[2], "abc.unfinished"}
    assert [e.path.name for e in cache.entries()] == [KEYS[1]]


def test_a_full_disk_is_only_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tmp_path, 1000)
    monkeypatch.setattr("os.replace", _full)
    cache.write(KEYS[0], b"x")
    assert cache.read(KEYS[0]) is None
    assert list(cache.entries()) == []
    assert "a preview is not kept: [Errno 28] No space left on device" in caplog.text


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "previews", 1000)
    cache.write(KEYS[0], b"x")
    assert cache.read(KEYS[0]) is None


def test_no_picture_is_seen_half_written(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10**9)
    pictures = [bytes([i]) * 300_000 for i in range(8)]

    def work(picture: bytes) -> set[bytes | None]:
        seen = set()
        for _ in range(10):
            cache.write(KEYS[0], picture)
            seen.add(cache.read(KEYS[0]))
        return seen

    with ThreadPoolExecutor(8) as pool:
        seen = set().union(*pool.map(work, pictures))
    assert seen <= set(pictures)


def test_a_directory_that_vanishes(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "p", 1000)
    cache.write(KEYS[0], b"x")
    shutil.rmtree(tmp_path / "p")
    assert cache.read(KEYS[0]) is None
    cache.write(KEYS[0], b"y")
    assert cache.read(KEYS[0]) == b"y"
