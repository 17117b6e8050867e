import os
from pathlib import Path

import pytest
from astropy.io import fits

from ingest.facts import HduLocation, IndexColumn, ProductError
from ingest.gadf import read
from ingest.release import find_release
from tests import dl3files
from tests.dl3files import Habits, index_rows, write_hdu_index, write_irfs, write_table


def write_dl3(path: Path, habits: Habits | None = None) -> Path:
    return dl3files.write_dl3(path, (habits or Habits()).but(irfs=False))


ALL = ("events", "gti", "aeff", "edisp", "psf")


def test_bare_files_are_found_at_any_depth_and_sorted_by_number(tmp_path: Path) -> None:
    write_dl3(tmp_path / "a" / "run 9, [x].fits.gz", Habits(obs_id=9))
    write_dl3(tmp_path / "b.FIT", Habits(obs_id=10))
    (tmp_path / "notes.txt").write_text("no data")
    release = find_release(tmp_path)
    assert [s.local_id for s in release.sources] == ["9", "10"]
    assert [s.path.name for s in release.sources] == ["run 9, [x].fits.gz", "b.FIT"]
    assert not any(s.indexed for s in release.sources)
    assert release.problems == ()


def test_a_file_by_itself(tmp_path: Path) -> None:
    path = write_dl3(tmp_path / "run.fits", Habits(names={"EVENTS": None}))
    (source,) = find_release(path).sources
    assert source.products == {"events": HduLocation(path, 1)}
    assert source.obs_id == "20136"


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProductError, match="no such file or directory"):
        find_release(tmp_path / "absent")
    release = find_release(tmp_path)
    assert (release.sources, len(release.problems)) == ((), 1)
    assert "nothing to read" in str(release.problems[0])


def test_files_without_events_are_left_out_and_damaged_ones_are_kept_for_the_reader(tmp_path: Path) -> None:
    irfs = write_irfs(tmp_path / "irf.fits")
    damaged = tmp_path / "damaged.fits.gz"
    damaged.write_bytes(b"\x1f\x8b broken")
    release = find_release(tmp_path)
    assert [str(p) for p in release.problems] == [
        f"{irfs}: holds no EVENTS table and no flux points: left out"
    ]
    assert [(s.path, s.local_id) for s in release.sources] == [(damaged, None)]


def test_the_index_gives_places_classes_and_the_row_of_the_observation(tmp_path: Path) -> None:
    run = write_dl3(tmp_path / "data" / "run.fits.gz")
    irfs = write_irfs(tmp_path / "caldb" / "irf.fits")
    index = tmp_path / "index" / "gps"
    write_hdu_index(
        index / "hdu-index.fits.gz",
        [
            *index_rows(20136, "run.fits.gz  ", ["events", "gti"], file_dir="../../data"),
            *index_rows(20136, "irf.fits", ["psf"], file_dir="../../caldb/", hdu_class="PSF_TABLE "),
            *index_rows(20136, "irf.fits", ["aeff"], file_dir=str(tmp_path / "caldb")),
        ],
        {"HDUCLAS1": "INDEX", "HDUCLAS2": "OBS", "EXTNAME": "OBS_INDEX"},
    )
    write_table(
        index / "obs-index.fits.gz", [{"obs_id": 20136, "object": "Crab ", "extra": 2.5, "bad": float("nan")}]
    )
    (source,) = find_release(tmp_path).sources
    assert source.indexed
    assert source.products == {
        "events": HduLocation(run, "events"),
        "gti": HduLocation(run, "gti"),
        "psf": HduLocation(irfs, "psf", "psf_table"),
        "aeff": HduLocation(irfs, "aeff"),
    }
    assert source.obs_index == {"obs_id": 20136, "object": "Crab", "extra": 2.5, "bad": None}
    assert source.obs_index_columns[2] == IndexColumn("extra", "D", None)


def test_base_dir_replaces_the_place_of_the_index(tmp_path: Path) -> None:
    run = write_dl3(tmp_path / "store" / "run.fits")
    rows = index_rows(1, "run.fits", ["events"])
    write_hdu_index(tmp_path / "index" / "hdu_index.fits", rows, {"BASE_DIR": str(tmp_path / "store")})
    (source,) = find_release(tmp_path / "index", [Path("../store")]).sources
    assert source.path == run


def test_what_lies_outside_of_the_release_is_left_out(tmp_path: Path) -> None:
    outside = write_dl3(tmp_path / "outside" / "secret.fits", Habits(obs_id=9))
    release = tmp_path / "release"
    write_dl3(release / "inside.fits", Habits(obs_id=1))
    (release / "again.fits").symlink_to(release / "inside.fits")
    (release / "link.fits").symlink_to(outside)
    found = find_release(release)
    assert {s.path.name for s in found.sources} == {"again.fits"}
    assert [str(p) for p in found.problems if "outside of" in str(p)] == [
        f"{release}/link.fits: events of dataset 9 lies outside of the release, in {tmp_path}/outside: left"
        " out; name that place under `directories` in the collection's file to publish it"
    ]
    allowed = find_release(release, [Path("../outside")])
    assert {s.local_id for s in allowed.sources} == {"1", "9"}


def test_response_functions_outside_of_the_release_are_left_out(tmp_path: Path) -> None:
    release = tmp_path / "release"
    write_dl3(release / "run.fits")
    write_dl3(tmp_path / "irfs.fits")
    rows = [*index_rows(1, "run.fits", ["events"]), *index_rows(1, "../irfs.fits", ["aeff", "psf"])]
    write_hdu_index(release / "hdu-index.fits", rows)
    found = find_release(release)
    assert [set(s.products) for s in found.sources] == [{"events"}]
    assert [(p.path, p.fatal) for p in found.problems] == [(tmp_path / "irfs.fits", False)]
    (source,) = find_release(release, [tmp_path]).sources
    assert set(source.products) == {"events", "aeff", "psf"}


def test_an_index_by_itself_brings_the_obs_index_beside_it(tmp_path: Path) -> None:
    write_dl3(tmp_path / "run.fits")
    index = write_hdu_index(tmp_path / "hdu-index-a.fits", index_rows(1, "run.fits", ALL))
    write_table(tmp_path / "obs-index-b.fits", [{"obs_id": 1, "quality": 1}])
    write_table(tmp_path / "obs-index-a.fits", [{"obs_id": 1, "quality": 0}])
    (source,) = find_release(index).sources
    assert source.obs_index["quality"] == 0


def test_partitions_of_one_observation_are_datasets(tmp_path: Path) -> None:
    """As HAWC writes: an index table per event type in one file, one OBS_ID."""
    for kind in ("1", "2"):
        write_dl3(tmp_path / f"events{kind}.fits")
        rows = index_rows(7, f"events{kind}.fits", ["events", "gti"], event_type=kind, event_class="NN")
        write_hdu_index(tmp_path / "hdu-index-table-NN.fits", rows)
    found = find_release(tmp_path).sources
    assert [(s.local_id, s.obs_id, s.event_class, s.event_type) for s in found] == [
        ("7-NN-1", "7", "NN", "1"),
        ("7-NN-2", "7", "NN", "2"),
    ]


def test_an_index_without_events_gives_nothing_and_is_no_problem(tmp_path: Path) -> None:
    write_irfs(tmp_path / "irf.fits")
    write_hdu_index(tmp_path / "hdu-index-no-events.fits", index_rows(1, "irf.fits", ["aeff", "psf"]))
    release = find_release(tmp_path)
    assert (release.sources, release.problems) == ((), ())


def test_missing_files_are_one_line_a_dataset(tmp_path: Path) -> None:
    write_dl3(tmp_path / "run.fits")
    rows = [
        *index_rows(1, "run.fits", ["events"]),
        *index_rows(1, "irf.fits", ["aeff", "edisp"], file_dir="irfs"),
        *index_rows(2, "gone.fits", ALL),
    ]
    index = write_hdu_index(tmp_path / "hdu-index.fits", rows)
    release = find_release(tmp_path)
    assert [(s.local_id, sorted(s.products)) for s in release.sources] == [("1", ["events"])]
    assert [str(p) for p in release.problems] == [
        f"{index}: dataset 1: listed but not there, published without: aeff, edisp (irfs/irf.fits)",
        f"{index}: dataset 2: the event list gone.fits is listed but not there; the dataset is left out",
    ]


def test_two_files_with_one_identifier(tmp_path: Path) -> None:
    first, second = write_dl3(tmp_path / "a.fits"), write_dl3(tmp_path / "b.fits")
    release = find_release(tmp_path)
    assert [s.path for s in release.sources] == [first]
    (problem,) = release.problems
    assert problem.path == second
    assert problem.where == "EVENTS, dataset 20136"
    assert str(first) in problem.message


def test_of_two_files_with_one_identifier_the_one_that_is_whole(tmp_path: Path) -> None:
    first, second = write_dl3(tmp_path / "a.fits"), write_dl3(tmp_path / "b.fits")
    first.write_bytes(first.read_bytes()[:-2880])
    release = find_release(tmp_path)
    assert [s.path for s in release.sources] == [second]
    (problem,) = release.problems
    assert problem.path == first
    assert "truncated" in problem.message


def test_a_named_pipe_is_kept_for_the_reader_to_refuse(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.fits")
    (source,) = find_release(tmp_path).sources
    with pytest.raises(ProductError, match=r"x\.fits: not a regular file"):
        read(source)


def test_missing_identifiers_in_an_index_leave_the_others_whole(tmp_path: Path) -> None:
    run = write_dl3(tmp_path / "run.fits")
    rows = [*index_rows(1, "run.fits", ["events"]), *index_rows(-9, "gone.fits", ["events"])]
    index = write_hdu_index(tmp_path / "hdu-index.fits", rows)
    fits.setval(index, "TNULL3", value=-9, ext=1)
    release = find_release(index)
    assert [(s.path, s.obs_id) for s in release.sources] == [(run, "1")]
    assert release.problems == ()


def test_two_event_lists_for_one_observation_in_the_index(tmp_path: Path) -> None:
    write_dl3(tmp_path / "a.fits")
    other = write_dl3(tmp_path / "b.fits")
    rows = [*index_rows(1, "a.fits", ["events"]), *index_rows(1, "b.fits", ["events"])]
    write_hdu_index(tmp_path / "hdu-index.fits", rows)
    release = find_release(tmp_path)
    assert [s.path.name for s in release.sources] == ["a.fits"]
    assert [p.path for p in release.problems] == [other]


def test_one_event_list_in_two_indexes_is_one_dataset(tmp_path: Path) -> None:
    write_dl3(tmp_path / "run.fits")
    for name in ("hdu-index.fits", "hdu-index-multi.fits"):
        write_hdu_index(tmp_path / name, index_rows(1, "run.fits", ALL))
    release = find_release(tmp_path)
    assert (len(release.sources), release.problems) == (1, ())


def test_a_damaged_index_is_a_problem_and_the_other_still_counts(tmp_path: Path) -> None:
    write_dl3(tmp_path / "run.fits")
    write_hdu_index(tmp_path / "hdu-index.fits", index_rows(1, "run.fits", ALL))
    (tmp_path / "hdu-index-2.fits").write_bytes(b"not fits")
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "obs-index-empty.fits")
    release = find_release(tmp_path)
    assert len(release.sources) == 1
    assert [p.path.name for p in release.problems] == ["hdu-index-2.fits", "obs-index-empty.fits"]
    assert "not a FITS file" in release.problems[0].message


def test_an_obs_index_without_hdu_index_goes_with_bare_files(tmp_path: Path) -> None:
    write_dl3(tmp_path / "run.fits")
    write_table(tmp_path / "obs-index.fits", [{"obs_id": 20136, "quality": 2}])
    (source,) = find_release(tmp_path).sources
    assert source.obs_index["quality"] == 2
