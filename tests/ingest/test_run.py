"""Ingest from files to rows: what is new, changed or wrong."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from astropy.io import fits

from ingest.simulate import simulate_release
from ingest.store import StoreError
from tests.dl3files import TIME_HEADER, Habits, write_dl3, write_table
from tests.ingesting import DID, SMALL, Archive, Versions, counts, set_cards


def written(archive: Archive, before: Versions, *more: str) -> set[tuple[str, str]]:
    """(table, dataset) of the rows that were written or deleted since."""
    after = archive.versions(*more)
    return {
        (table, did.removeprefix(DID))
        for table in after
        for did, *_ in set(before[table]).symmetric_difference(after[table])
    }


def test_first_ingest(archive: Archive, release: Path) -> None:
    summary = archive.ingest(release)
    assert counts(summary) == (3, 0, 0, 0, 0)
    assert summary.problems == []
    assert summary.text == "My release: 3 added, 0 updated, 0 unchanged, 0 skipped, 0 removed"
    did = f"{DID}1"
    assert archive.rows(
        "SELECT obs_publisher_did, obs_id, obs_collection, dataproduct_type, calib_level, target_name,"
        " access_path FROM ivoa.obscore WHERE obs_id = '1'"
    ) == [(did, "1", "My release", "event-list", 2, "MSH 15-52", "/files/my_release/1/run1.fits")]
    assert archive.rows(
        "SELECT round(t_min::numeric, 6)::text, t_exptime, ev_xel, s_ra, s_dec"
        " FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea WHERE obs_id = '1'"
    ) == [("53090.122708", 1521.0, 5, 228.6125, -58.7717)]
    assert archive.rows("SELECT product, path, hdu FROM vo.product WHERE obs_publisher_did = %s", did) == [
        ("event-list", str(release / "run1.fits"), "EVENTS"),
        ("gti", str(release / "run1.fits"), "GTI"),
    ]
    assert archive.column("SELECT obs_id FROM my_release.obscore ORDER BY 1") == ["1", "2", "3"]
    assert archive.column(
        "SELECT table_name FROM tap_schema.tables WHERE schema_name = 'my_release' ORDER BY table_index"
    ) == ["my_release.obscore", "my_release.obs_index"]


def test_a_simulated_release_in_two_processes(archive: Archive, tmp_path: Path) -> None:
    path = simulate_release(tmp_path / "simulated", 2)
    summary = archive.ingest(path, processes=2)
    assert counts(summary) == (2, 0, 0, 0, 0)
    assert summary.problems == summary.warnings == []
    for name, obs_id, events in archive.rows(
        "SELECT p.path, o.obs_id, h.ev_xel FROM vo.product AS p NATURAL JOIN ivoa.obscore AS o"
        " NATURAL JOIN ivoa.obscore_hea AS h WHERE p.product = 'event-list'"
    ):
        table = fits.getdata(name, "EVENTS")
        assert events == len(table)
        stored = archive.rows(
            "SELECT event_id, time_met, ra, dec, energy FROM simulated.events WHERE obs_id = %s"
            " ORDER BY event_id",
            obs_id,
        )
        order = np.argsort(table["EVENT_ID"])
        columns = [table[n][order].tolist() for n in ("EVENT_ID", "TIME", "RA", "DEC", "ENERGY")]
        assert stored == list(zip(*columns, strict=True))
    assert summary.events == archive.value("SELECT count(*) FROM simulated.events")
    before = archive.versions("simulated.obs_index", "simulated.events")
    assert counts(archive.ingest(path)) == (0, 0, 2, 0, 0)
    assert archive.versions("simulated.obs_index", "simulated.events") == before


def test_ingesting_again_writes_nothing(archive: Archive, release: Path) -> None:
    archive.ingest(release)
    more = "my_release.obs_index"
    before = archive.versions(more)
    definition = archive.rows("SELECT * FROM vo.collection")
    again = archive.ingest(release, prune=True)
    assert counts(again) == (0, 0, 3, 0, 0)
    assert archive.versions(more) == before
    assert archive.rows("SELECT * FROM vo.collection") == definition


def test_the_way_to_the_release_does_not_matter(
    archive: Archive, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.ingest(release)
    before = archive.versions()
    monkeypatch.chdir(release.parent)
    (release.parent / "link").symlink_to(release)
    assert counts(archive.ingest(Path("My release"))) == (0, 0, 3, 0, 0)
    assert counts(archive.ingest(Path("link"), name="My release")) == (0, 0, 3, 0, 0)
    assert archive.versions() == before


def test_a_changed_file_changes_its_rows_only(archive: Archive, release: Path) -> None:
    archive.ingest(release)
    before = archive.versions("my_release.obs_index")
    set_cards(release / "run2.fits", OBJECT="Vela X")
    assert counts(archive.ingest(release)) == (0, 1, 2, 0, 0)
    assert written(archive, before, "my_release.obs_index") == {(t, "2") for t in before}
    assert archive.rows("SELECT obs_id, target_name FROM ivoa.obscore ORDER BY 1") == [
        ("1", "MSH 15-52"),
        ("2", "Vela X"),
        ("3", "MSH 15-52"),
    ]


def test_checksums_follow_a_change_that_keeps_the_size(archive: Archive, release: Path) -> None:
    archive.ingest(release)
    query = "SELECT size, checksum FROM vo.product WHERE path = %s AND product = 'gti'"
    path = release / "run2.fits"
    ((size, checksum),) = archive.rows(query, str(path))
    set_cards(path, OBJECT="Vela X")
    archive.ingest(release)
    assert archive.rows(query, str(path)) != [(size, checksum)]
    assert archive.value(query.replace("size, ", ""), str(path)) != checksum
    assert path.stat().st_size == size


def test_a_touched_file_changes_nothing(archive: Archive, release: Path) -> None:
    archive.ingest(release)
    before = archive.versions("my_release.obs_index")
    updated = archive.rows("SELECT local_id, updated FROM vo.dataset ORDER BY 1")
    os.utime(release / "run2.fits", (1e9, 1e9))
    assert counts(archive.ingest(release)) == (0, 0, 3, 0, 0)
    assert written(archive, before, "my_release.obs_index") == {("vo.dataset", "2")}
    assert archive.rows("SELECT local_id, updated FROM vo.dataset ORDER BY 1") == updated
    before = archive.versions()
    archive.ingest(release)
    assert archive.versions() == before


def test_faulty_files_are_skipped_one_by_one(archive: Archive, release: Path) -> None:
    cut = write_dl3(release / "bad1 truncated.fits", SMALL.but(obs_id=6))
    cut.write_bytes(cut.read_bytes()[:-3000])
    (release / "bad2 text.fits").write_text("no FITS at all\n")
    fits.HDUList([fits.PrimaryHDU()]).writeto(release / "bad3 empty.fits")
    no_reference = dict.fromkeys(TIME_HEADER)
    write_dl3(release / "bad4 times.fits", SMALL.but(obs_id=4, header=no_reference))
    write_dl3(release / "bad5 sky.fits", SMALL.but(obs_id=5, header={"DEC_PNT": 97.0}))
    write_dl3(release / "zbad6 twice.fits", SMALL.but(obs_id=3))
    (release / "bad7 nothing.fits").touch()
    summary = archive.ingest(release)
    assert counts(summary) == (3, 0, 0, 7, 0)
    told = {p.path.name: str(p) for p in summary.problems}
    assert len(told) == 7
    for name, wrong in {
        "bad1 truncated.fits": "truncated",
        "bad2 text.fits": "not a FITS file",
        "bad3 empty.fits": "no EVENTS table",
        "bad4 times.fits": "MJDREFI",
        "bad5 sky.fits": "DEC_PNT",
        "zbad6 twice.fits": str(release / "run3.fits"),
        "bad7 nothing.fits": "not a FITS file",
    }.items():
        assert told[name].startswith(f"{release / name}: ")
        assert wrong in told[name]
        assert "\n" not in told[name]
    assert archive.column("SELECT obs_id FROM ivoa.obscore ORDER BY 1") == ["1", "2", "3"]
    for table in ("ivoa.obscore_hea", "my_release.obs_index", "vo.dataset"):
        assert archive.value(f"SELECT count(*) FROM {table}") == 3
    assert archive.value("SELECT count(DISTINCT path) FROM vo.product") == 3


def test_what_the_tables_refuse_is_skipped(archive: Archive, release: Path) -> None:
    set_cards(release / "run2.fits", LIVETIME=-5.0)
    summary = archive.ingest(release)
    assert counts(summary) == (2, 0, 0, 1, 0)
    assert [str(p) for p in summary.problems] == [
        f"{release / 'run2.fits'}: obscore.t_exptime = -5.0: seconds from 0 wanted"
    ]


def test_an_error_within_a_dataset_leaves_nothing_of_it(archive: Archive, release: Path) -> None:
    keys: dict[str, Any] = {"name": "x", "schema": "x", "events": True}
    archive.ingest(release, **keys)
    archive.connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.obs_id = '2' THEN RAISE EXCEPTION 'full up'; END IF; RETURN NEW; END $$"
    )
    archive.connection.execute(
        "CREATE TRIGGER t BEFORE INSERT ON x.events FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    more = ("x.obs_index", "x.events")
    before = archive.versions(*more)
    for number in (2, 3):
        set_cards(release / f"run{number}.fits", OBJECT="Vela X")
    summary = archive.ingest(release, **keys)
    assert counts(summary) == (0, 1, 1, 1, 0)
    assert [str(p) for p in summary.problems] == [
        f"{release / 'run2.fits'}: the database refuses it: full up"
    ]
    assert {did for _, did in written(archive, before, *more)} == {"ivo://x-unregistered/x?3"}
    archive.connection.execute("DROP TRIGGER t ON x.events")
    assert counts(archive.ingest(release, **keys)) == (0, 1, 2, 0, 0)


def test_the_column_that_the_database_refuses_is_named(archive: Archive, release: Path) -> None:
    keys: dict[str, Any] = {"name": "x", "schema": "x", "events": True}
    archive.ingest(release, **keys)
    archive.connection.execute("DELETE FROM x.events")
    archive.connection.execute("CREATE DOMAIN north AS double precision CHECK (VALUE > 100)")
    archive.connection.execute('ALTER TABLE x.events ALTER COLUMN "dec" TYPE north')
    (first, *_) = archive.ingest(release, **keys).problems
    assert str(first) == (
        f"{release / 'run1.fits'}: the database refuses it: column dec: "
        'value for domain north violates check constraint "north_check"'
    )


def test_a_lost_database_is_no_fault_of_the_files(archive: Archive, release: Path) -> None:
    def kill(done: int, total: int) -> None:
        with psycopg.connect(archive.settings.database_url) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [archive.connection.info.backend_pid])

    archive.progress = kill
    with pytest.raises(psycopg.OperationalError):
        archive.ingest(release)


def test_collections_side_by_side(archive: Archive, release: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_dl3(other / "run.fits", SMALL.but(obs_id=1, header={"OBJECT": "Vela X"}))
    archive.ingest(release)
    archive.ingest(other)
    assert archive.rows("SELECT obs_collection, count(*) FROM ivoa.obscore GROUP BY 1 ORDER BY 1") == [
        ("My release", 3),
        ("other", 1),
    ]
    assert archive.column("SELECT target_name FROM other.obscore") == ["Vela X"]
    assert archive.column("SELECT DISTINCT obs_collection FROM my_release.obscore") == ["My release"]
    assert archive.value("SELECT count(*) FROM my_release.obscore") == 3


def test_response_functions_with_rows_of_their_own(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "r" / "run.fits"
    write_dl3(path, Habits(events=3, obs_id=7))
    archive.ingest(path.parent, product_rows=["event-list", "aeff", "psf"])
    base = "ivo://x-unregistered/r?7"
    expected = [(base, None, 3), (f"{base}/aeff", "aeff", None), (f"{base}/psf", "psf", None)]
    columns = "obs_publisher_did, dataproduct_subtype, ev_xel"
    assert (
        archive.rows(f"SELECT {columns} FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea ORDER BY 1")
        == expected
    )
    assert archive.rows(f"SELECT {columns} FROM r.obscore ORDER BY 1") == expected
    assert archive.column("SELECT access_path FROM ivoa.obscore ORDER BY obs_publisher_did") == [
        "/files/r/7/run.fits",
        "/files/r/7/aeff/run.fits",
        "/files/r/7/psf/run.fits",
    ]
    assert counts(archive.ingest(path.parent, product_rows=["event-list"])) == (0, 1, 0, 0, 0)
    assert archive.column("SELECT obs_publisher_did FROM ivoa.obscore") == [base]


def test_a_schema_belongs_to_one_collection(archive: Archive, release: Path, tmp_path: Path) -> None:
    archive.ingest(release)
    write_dl3(tmp_path / "other" / "run.fits", SMALL)
    before = archive.versions()
    with pytest.raises(
        StoreError, match="'other': the schema 'my_release' belongs to the collection 'My release'"
    ):
        archive.ingest(tmp_path / "other", schema="my_release")
    with pytest.raises(StoreError, match="was ingested with schema 'my_release', not 'new'"):
        archive.ingest(release, schema="new")
    assert archive.versions() == before


def test_one_identifier_in_two_releases(archive: Archive, release: Path, tmp_path: Path) -> None:
    archive.ingest(release)
    other = write_dl3(tmp_path / "other" / "a.fits", SMALL.but(obs_id=1, header={"OBJECT": "Vela X"}))
    summary = archive.ingest(other.parent, name="My release")
    assert counts(summary) == (0, 0, 0, 1, 0)
    assert str(summary.problems[0]) == (
        f"{other}: repeats the identifier 1 of {release / 'run1.fits'}, ingested from {release}"
    )
    (release / "run1.fits").unlink()
    assert counts(archive.ingest(other.parent, name="My release")) == (0, 1, 0, 0, 0)
    assert archive.value("SELECT target_name FROM ivoa.obscore WHERE obs_id = '1'") == "Vela X"


def test_one_file_of_an_ingested_release(archive: Archive, release: Path) -> None:
    archive.ingest(release)
    set_cards(release / "run2.fits", OBJECT="Vela X")
    assert counts(archive.ingest(release / "run2.fits")) == (0, 1, 0, 0, 0)
    assert archive.value("SELECT target_name FROM ivoa.obscore WHERE obs_id = '2'") == "Vela X"
    assert counts(archive.ingest(release, prune=True)) == (0, 0, 3, 0, 0)


def test_columns_of_the_index_appear_and_widen(archive: Archive, release: Path) -> None:
    index = release / "obs-index.fits"
    write_table(index, [{"obs_id": 1, "quality": 2, "moon": np.float32(0.5), "note": "fog"}])
    archive.ingest(release)
    assert archive.rows("SELECT obs_id, quality, moon, note FROM my_release.obs_index ORDER BY 1") == [
        ("1", 2, 0.5, "fog"),
        ("2", -1, None, None),
        ("3", -1, None, None),
    ]
    index.unlink()
    write_table(index, [{"obs_id": n, "moon": 0.1, "note": n, "night": 20040326} for n in (1, 2, 3)])
    archive.ingest(release)
    assert archive.rows("SELECT obs_id, moon, note, night FROM my_release.obs_index ORDER BY 1") == [
        ("1", 0.1, "1", 20040326),
        ("2", 0.1, "2", 20040326),
        ("3", 0.1, "3", 20040326),
    ]
    assert archive.rows(
        "SELECT column_name, datatype FROM tap_schema.columns WHERE table_name = 'my_release.obs_index'"
        " AND column_name IN ('moon', 'note', 'night') ORDER BY column_index"
    ) == [("moon", "double"), ("note", "char"), ("night", "long")]
    assert archive.column("SELECT moon FROM my_release.obscore ORDER BY obs_id") == [0.1, 0.1, 0.1]


def test_index_columns_named_as_the_server_names_its_own(archive: Archive, release: Path) -> None:
    row = {"obs_id": 1, "access_path": "x", "dataset": 7, "intervals": 2.5, "xmax": 3, "size": 4}
    write_table(release / "obs-index.fits", [row])
    assert counts(archive.ingest(release)) == (3, 0, 0, 0, 0)
    assert archive.rows(
        'SELECT access_path, dataset, intervals, c_xmax, "size" FROM my_release.obs_index'
        " WHERE obs_id = '1'"
    ) == [("x", 7, 2.5, 3, 4)]


def columned(path: Path, number: int, **arrays: Any) -> None:
    """An event list of two events with these columns more."""
    formats = {"f4": "E", "f8": "D", "i2": "I", "i4": "J", "i8": "K"}
    columns = {}
    for name, values in arrays.items():
        array = np.array(values)
        count = array[0].size if array.ndim > 1 else ""
        form = f"{array.dtype.itemsize // 4}A" if array.dtype.kind == "U" else formats[array.dtype.str[1:]]
        columns[name] = fits.Column(name, f"{count}{form}", array=array)
    write_dl3(path, SMALL.but(obs_id=number, events=2, columns=columns))


def test_columns_of_events_appear_and_widen(archive: Archive, tmp_path: Path) -> None:
    release = tmp_path / "r"
    f4, f8 = np.float32, np.float64
    columned(release / "a.fits", 1, MULTIP=np.int16([4, 3]), COEFF=f4([[1, 2], [3, 4]]), KIND=["", "p"])
    columned(
        release / "b.fits",
        2,
        MULTIP=np.int32([70000, 1]),
        COEFF=f8([[0.1, 0.2], [0.3, 0.4]]),
        XMAX=f4([9, 8]),
    )
    columned(release / "c.fits", 3, KIND=np.int16([7, 8]), XMAX=f4([[1, 2], [3, 4]]))
    assert counts(archive.ingest(release, events=True)) == (3, 0, 0, 0, 0)
    assert archive.rows(
        "SELECT obs_id, multip, coeff, kind, c_xmax FROM r.events ORDER BY obs_id, event_id"
    ) == [
        ("1", 4, [1.0, 2.0], "", None),
        ("1", 3, [3.0, 4.0], "p", None),
        ("2", 70000, [0.1, 0.2], None, "9"),
        ("2", 1, [0.3, 0.4], None, "8"),
        ("3", None, None, "7", "[1.0, 2.0]"),
        ("3", None, None, "8", "[3.0, 4.0]"),
    ]
    assert archive.rows(
        "SELECT column_name, datatype, arraysize FROM tap_schema.columns WHERE table_name = 'r.events'"
        " AND column_index > 8 ORDER BY column_index"
    ) == [("multip", "int", None), ("coeff", "double", "*"), ("kind", "char", "*"), ("c_xmax", "char", "*")]


def test_events_off_and_on_again(archive: Archive, release: Path) -> None:
    def tables() -> list[str]:
        return archive.column(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'my_release' ORDER BY 1"
        )

    def published() -> int:
        return archive.value("SELECT count(*) FROM tap_schema.tables WHERE table_name = 'my_release.events'")

    archive.ingest(release)
    assert (tables(), published()) == (["obs_index"], 0)
    summary = archive.ingest(release, events=True)
    assert (counts(summary), summary.events) == ((0, 3, 0, 0, 0), 15)
    assert (tables(), published()) == (["events", "obs_index"], 1)
    assert archive.value("SELECT count(*) FROM my_release.events") == 15
    assert counts(archive.ingest(release, events=True)) == (0, 0, 3, 0, 0)
    archive.ingest(release, events=False)
    assert (tables(), published()) == (["obs_index"], 0)
    archive.ingest(release, events=True)
    assert archive.value("SELECT count(*) FROM my_release.events") == 15


def test_an_authority_set_later_renames_all(archive: Archive, release: Path) -> None:
    archive.ingest(release, name="x", schema="x", events=True)
    summary = archive.ingest(release, authority="org.example", name="x", schema="x", events=True)
    assert counts(summary) == (0, 3, 0, 0, 0)
    named = [f"ivo://org.example/x?{n}" for n in (1, 2, 3)]
    for table in ("ivoa.obscore", "ivoa.obscore_hea", "x.obs_index", "vo.dataset", "vo.product", "x.events"):
        assert archive.column(f"SELECT DISTINCT obs_publisher_did FROM {table} ORDER BY 1") == named
    assert archive.column("SELECT DISTINCT publisher_id FROM ivoa.obscore") == ["ivo://org.example"]
    assert archive.value("SELECT count(*) FROM x.events") == 15


def indexes(archive: Archive) -> list[str]:
    return archive.column("SELECT indexname::text FROM pg_indexes WHERE tablename = 'events' ORDER BY 1")


def test_an_interrupted_load_is_mended(archive: Archive, release: Path) -> None:
    class InterruptionError(Exception):
        pass

    def interrupt(done: int, total: int) -> None:
        assert (total, indexes(archive)) == (3, [])
        if done == 2:
            raise InterruptionError

    keys: dict[str, Any] = {"events": True}
    archive.progress = interrupt
    with pytest.raises(InterruptionError):
        archive.ingest(release, **keys)
    assert archive.value("SELECT count(*) FROM my_release.events") == 10
    archive.progress = lambda done, total: None
    assert counts(archive.ingest(release, **keys)) == (1, 0, 2, 0, 0)
    assert indexes(archive) == ["events_obs_publisher_did", "events_position"]
    assert archive.value("SELECT count(*) FROM my_release.events") == 15


def test_two_ingests_of_one_collection_at_once(archive: Archive, release: Path) -> None:
    def meanwhile(done: int, total: int) -> None:
        with (
            psycopg.connect(archive.settings.database_url, autocommit=True) as connection,
            pytest.raises(StoreError, match="'My release' is being ingested by another process"),
        ):
            Archive(archive.settings, connection).ingest(release)

    archive.progress = meanwhile
    assert counts(archive.ingest(release)) == (3, 0, 0, 0, 0)


def test_two_ingests_of_two_collections_at_once(archive: Archive, release: Path, tmp_path: Path) -> None:
    write_dl3(tmp_path / "other" / "run.fits", SMALL)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(archive.settings.database_url) as connection:
        connection.autocommit = True
        other = Archive(archive.settings, connection)
        with archive.connection.transaction():
            archive.ingest(release)
            waiting = pool.submit(other.ingest, tmp_path / "other")
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert counts(waiting.result(timeout=20)) == (1, 0, 0, 0, 0)
    published = (
        "SELECT schema_name FROM tap_schema.schemas WHERE schema_name IN ('other', 'my_release') ORDER BY 1"
    )
    assert archive.column(published) == ["my_release", "other"]
