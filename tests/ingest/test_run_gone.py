"""What ingest and removal do about datasets, files and collections that are gone."""

import os
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest.store import StoreError, collection_size, remove_collection
from tests.dl3files import index_rows, write_dl3, write_hdu_index, write_table
from tests.ingesting import SMALL, Archive, counts, set_cards, state


def test_vanished_files_stay_until_pruned(archive: Archive, release: Path) -> None:
    archive.ingest(release, name="x", schema="x", events=True)
    (release / "run2.fits").unlink()
    assert counts(archive.ingest(release, name="x", schema="x", events=True)) == (0, 0, 2, 0, 0)
    assert archive.value("SELECT count(*) FROM x.events") == 15
    assert counts(archive.ingest(release, name="x", schema="x", events=True, prune=True)) == (0, 0, 2, 0, 1)
    for table in ("ivoa.obscore", "ivoa.obscore_hea", "x.obs_index", "x.obscore", "vo.dataset"):
        assert archive.column(f"SELECT obs_publisher_did FROM {table} ORDER BY 1") == [
            "ivo://x-unregistered/x?1",
            "ivo://x-unregistered/x?3",
        ]
    assert archive.column("SELECT DISTINCT obs_id FROM x.events ORDER BY 1") == ["1", "3"]
    assert archive.value("SELECT count(*) FROM vo.product WHERE path LIKE '%run2.fits'") == 0


def test_pruning_spares_what_is_damaged(archive: Archive, release: Path) -> None:
    archive.ingest(release)
    path = release / "run2.fits"
    path.write_bytes(path.read_bytes()[:1000])
    assert counts(archive.ingest(release, prune=True)) == (0, 0, 2, 1, 0)
    assert archive.value("SELECT count(*) FROM ivoa.obscore") == 3


def test_pruning_spares_what_a_damaged_index_hides(archive: Archive, release: Path) -> None:
    index = release / "hdu-index.fits"
    rows = [row for n in (1, 2, 3) for row in index_rows(n, f"run{n}.fits", ["events", "gti"])]
    write_hdu_index(index, rows)
    archive.ingest(release)
    index.write_bytes(index.read_bytes()[:3000])
    (release / "run3.fits").unlink()
    summary = archive.ingest(release, prune=True)
    assert summary.problems[0].path == index
    assert archive.column("SELECT obs_id FROM ivoa.obscore ORDER BY 1") == ["1", "2"]


def test_pruning_removes_what_the_index_lists_no_longer(archive: Archive, release: Path) -> None:
    index = release / "hdu-index.fits"
    rows = [row for n in (1, 2, 3) for row in index_rows(n, f"run{n}.fits", ["events", "gti"])]
    write_hdu_index(index, rows)
    archive.ingest(release)
    index.unlink()
    write_hdu_index(index, rows[:4])
    assert counts(archive.ingest(release, prune=True)) == (0, 0, 2, 0, 1)


def test_pruning_removes_the_old_name_of_a_renamed_observation(archive: Archive, release: Path) -> None:
    archive.ingest(release)
    set_cards(release / "run2.fits", OBS_ID=22)
    write_table(release / "hdu-index-bad.fits", [{"other": 1}])
    assert counts(archive.ingest(release, prune=True)) == (1, 0, 2, 1, 1)
    assert archive.column("SELECT obs_id FROM ivoa.obscore ORDER BY 1") == ["1", "22", "3"]


def test_pruning_leaves_other_releases_alone(archive: Archive, release: Path, tmp_path: Path) -> None:
    archive.ingest(release)
    more = tmp_path / "more"
    write_dl3(more / "run9.fits", SMALL.but(obs_id=9))
    assert counts(archive.ingest(more, name="My release", prune=True)) == (1, 0, 0, 0, 0)
    assert counts(archive.ingest(release, prune=True)) == (0, 0, 3, 0, 0)
    assert archive.column("SELECT obs_id FROM ivoa.obscore ORDER BY 1") == ["1", "2", "3", "9"]


def test_pruning_after_one_file_was_ingested_by_itself(archive: Archive, release: Path) -> None:
    archive.ingest(release)
    os.utime(release / "run2.fits", (1e9, 1e9))
    set_cards(release / "run3.fits", OBJECT="Vela X")
    assert counts(archive.ingest(release / "run2.fits")) == (0, 0, 1, 0, 0)
    assert counts(archive.ingest(release / "run3.fits")) == (0, 1, 0, 0, 0)
    assert archive.column("SELECT DISTINCT root FROM vo.dataset") == [str(release)]
    before = archive.versions()
    assert counts(archive.ingest(release)) == (0, 0, 3, 0, 0)
    assert archive.versions() == before
    (release / "run2.fits").unlink()
    assert counts(archive.ingest(release, prune=True)) == (0, 0, 2, 0, 1)


def test_pruning_a_release_that_was_moved(archive: Archive, release: Path, tmp_path: Path) -> None:
    archive.ingest(release)
    moved = release.rename(tmp_path / "moved")
    (moved / "run2.fits").unlink()
    assert counts(archive.ingest(moved, name="My release", prune=True)) == (0, 2, 0, 0, 1)
    assert archive.column("SELECT obs_id FROM ivoa.obscore ORDER BY 1") == ["1", "3"]
    assert archive.column("SELECT DISTINCT root FROM vo.dataset") == [str(moved)]


def test_a_file_ingested_by_itself_becomes_part_of_its_release(archive: Archive, release: Path) -> None:
    archive.ingest(release / "run1.fits")
    assert archive.column("SELECT root FROM vo.dataset") == [str(release / "run1.fits")]
    archive.ingest(release)
    assert archive.column("SELECT DISTINCT root FROM vo.dataset") == [str(release)]


def test_a_release_with_nothing_to_publish_makes_no_collection(archive: Archive, release: Path) -> None:
    empty = release.parent / "empty"
    empty.mkdir()
    summary = archive.ingest(empty)
    assert counts(summary) == (0, 0, 0, 1, 0)
    assert [str(p) for p in summary.problems] == [
        f"{empty}: nothing to read: no index table, no event list and no flux points (.fits, .fits.gz)"
    ]
    (empty / "bad.fits").write_text("no")
    write_dl3(empty / "bad2.fits", SMALL.but(obs_id=1, header={"LIVETIME": -1.0}))
    assert counts(archive.ingest(empty, prune=True)) == (0, 0, 0, 2, 0)
    assert archive.column("SELECT name FROM vo.collection") == []
    assert archive.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'empty'") == 0
    assert archive.value("SELECT count(*) FROM tap_schema.schemas WHERE schema_name = 'empty'") == 0
    write_dl3(empty / "good.fits", SMALL)
    assert counts(archive.ingest(empty)) == (1, 0, 0, 2, 0)


def test_removing_a_collection(archive: Archive, release: Path, tmp_path: Path) -> None:
    write_dl3(tmp_path / "other" / "run.fits", SMALL)
    archive.ingest(tmp_path / "other", events=True)
    before = [archive.versions("other.obs_index", "other.events"), *state(archive)]
    archive.ingest(release, events=True, product_rows=["event-list", "aeff"])
    assert collection_size(archive.connection, "My release") == 3
    with pytest.raises(StoreError, match=r"no collection 'x'; those that there are: My release, other$"):
        remove_collection(archive.connection, "x", archive.announce)
    remove_collection(archive.connection, "My release", archive.announce)
    assert [archive.versions("other.obs_index", "other.events"), *state(archive)] == before
    assert counts(archive.ingest(release)) == (3, 0, 0, 0, 0)


def test_a_removal_that_fails_removes_nothing(archive: Archive, release: Path) -> None:
    def fail(connection: psycopg.Connection[Any]) -> None:
        raise psycopg.OperationalError("lost")

    archive.ingest(release)
    before = [archive.versions("my_release.obs_index"), *state(archive)]
    with pytest.raises(psycopg.OperationalError, match="lost"):
        remove_collection(archive.connection, "My release", fail)
    assert [archive.versions("my_release.obs_index"), *state(archive)] == before
