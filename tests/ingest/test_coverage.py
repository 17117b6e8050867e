"""What a collection covers is kept true dataset by dataset; mocpy makes the whole from the headers."""

from pathlib import Path
from typing import Any

import mocpy
import numpy as np
import psycopg
import pytest
from alembic import command
from alembic.config import Config
from astropy import units as u
from astropy.coordinates import Latitude, Longitude
from astropy.io import fits

from ingest import coverage
from ingest.store import remove_collection
from tests.dl3files import write_dl3
from tests.ingesting import SMALL, Archive, set_cards
from vo_server import install, roles


def covered(archive: Archive, collection: str = "My release") -> tuple[Any, Any]:
    """S-MOC and T-MOC of a collection as mocpy reads them; its cells of all lengths tell the same."""
    by_order = archive.rows(
        "SELECT cell_order, sum(s_moc)::text, min(t_min), max(t_max), min(energy_min), max(energy_max)"
        " FROM vo.coverage WHERE collection = %s GROUP BY 1",
        collection,
    )
    assert sorted(row[0] for row in by_order) == sorted(coverage.CELL_ORDERS)
    assert len({row[1:] for row in by_order}) == 1
    sky = by_order[0][1]
    ranges = archive.rows(
        "SELECT lower(r), upper(r) FROM"
        " (SELECT unnest(range_agg(t)) AS r FROM vo.coverage, unnest(times) AS t WHERE collection = %s) AS x"
        " ORDER BY 1",
        collection,
    )
    times = mocpy.TimeMOC.from_depth61_ranges(31, np.array(ranges, np.uint64).reshape(-1, 2))
    return mocpy.MOC.from_string(sky) if sky else None, times


def judged(archive: Archive, collection: str = "My release") -> tuple[Any, Any]:
    """The same, made anew from what is published of each dataset."""
    rows = archive.rows(
        "SELECT s_ra, s_dec, s_fov / 2, t_intervals FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea"
        " WHERE obs_collection = %s",
        collection,
    )
    sky = times = None
    for ra, dec, radius, intervals in rows:
        circle = mocpy.MOC.from_cone(
            lon=Longitude(ra, u.deg), lat=Latitude(dec, u.deg), radius=radius * u.deg, max_depth=10
        )
        good = mocpy.TimeMOC.from_string(intervals).degrade_to_order(31)
        sky = circle if sky is None else sky.union(circle)
        times = good if times is None else times.union(good)
    return sky, times


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    """Five observations on the sky and in two nights, with fields of 5 deg."""
    directory = tmp_path / "My release"
    for number in range(5):
        header = {"RA_PNT": 10.0 * number, "DEC_PNT": 89.0 - 30 * number, "OBJECT": None}
        write_dl3(directory / f"run{number}.fits", SMALL.but(obs_id=number, header=header))
    return directory


def test_coverage_follows_what_is_added_changed_and_removed(archive: Archive, fields: Path) -> None:
    keys = {"name": "My release", "field_of_view": 5.0}
    late = fields / "run4.fits"
    kept = late.read_bytes()
    late.unlink()
    archive.ingest(fields, **keys)
    assert covered(archive) == judged(archive)
    late.write_bytes(kept)
    archive.ingest(fields, **keys)
    assert covered(archive) == judged(archive)
    set_cards(fields / "run1.fits", RA_PNT=200.0)
    archive.ingest(fields, **keys)
    assert covered(archive) == judged(archive)
    for gone in ("run0.fits", "run2.fits"):
        (fields / gone).unlink()
    archive.ingest(fields, prune=True, **keys)
    sky, _ = covered(archive)
    assert covered(archive) == judged(archive)
    assert 1 < sky.sky_fraction / (3 * 19.63 / 41253) < 1.05
    assert archive.value("SELECT count(*) FROM vo.coverage WHERE stale") == 0


def test_only_cells_of_what_has_changed_are_made_anew(archive: Archive, fields: Path) -> None:
    with_gti = fields / "run4.fits"
    archive.ingest(fields, name="My release", field_of_view=5.0)
    (cell,) = archive.column("SELECT cell FROM vo.coverage WHERE cell_order = 26")
    archive.connection.execute(
        "INSERT INTO vo.coverage (collection, cell_order, cell, s_moc, stale)"
        " VALUES ('My release', 26, %s, '5/0', false)",
        [cell + 999],
    )
    set_cards(with_gti, RA_PNT=123.0)
    archive.ingest(fields, name="My release", field_of_view=5.0)
    assert archive.value("SELECT s_moc::text FROM vo.coverage WHERE cell = %s", cell + 999) == "5/0"


def test_what_was_observed_years_apart(archive: Archive, fields: Path) -> None:
    keys = {"name": "My release", "field_of_view": 5.0}
    lengths = "SELECT cell_order, count(*) FROM vo.coverage GROUP BY 1 ORDER BY 1"
    late = fields / "run3.fits"
    with fits.open(late, mode="update") as hdus:
        for hdu in hdus[1:]:
            hdu.header["MJDREFI"] = 60000
    archive.ingest(fields, **keys)
    assert covered(archive) == judged(archive)
    assert archive.rows(lengths) == [(0, 1), (14, 2), (20, 2), (26, 2)]
    late.unlink()
    archive.ingest(fields, prune=True, **keys)
    assert covered(archive) == judged(archive)
    assert archive.rows(lengths) == [(0, 1), (14, 1), (20, 1), (26, 1)]
    for path in fields.iterdir():
        path.unlink()
    archive.ingest(fields, prune=True, **keys)
    assert archive.rows(lengths) == []


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM vo.coverage",
        "DELETE FROM vo.coverage WHERE cell_order < 26",
        "UPDATE vo.coverage SET stale = cell_order = 0, s_moc = '5/77', t_max = 99999",
    ],
)
def test_without_a_true_whole_everything_is_made_anew(archive: Archive, fields: Path, damage: str) -> None:
    keys = {"name": "My release", "field_of_view": 5.0}
    archive.ingest(fields, **keys)
    before = archive.rows("SELECT * FROM vo.coverage ORDER BY cell_order")
    archive.connection.execute(damage.encode())
    assert archive.ingest(fields, **keys).unchanged == 5
    assert archive.rows("SELECT * FROM vo.coverage ORDER BY cell_order") == before


def test_older_databases_get_the_whole(archive: Archive, fields: Path) -> None:
    archive.ingest(fields, name="My release", field_of_view=5.0)
    before = archive.rows("SELECT * FROM vo.coverage ORDER BY cell_order")
    config = Config()
    config.set_main_option("script_location", str(roles.ALEMBIC))
    config.attributes["url"] = roles.owner_url(archive.settings)
    command.downgrade(config, "0010")
    assert len(archive.rows("SELECT * FROM vo.coverage")) == 1
    install.migrate(archive.settings)
    assert archive.rows("SELECT * FROM vo.coverage ORDER BY cell_order") == before


def test_marks_of_an_ingest_that_was_killed_are_seen_by_the_next(archive: Archive, fields: Path) -> None:
    archive.ingest(fields, name="My release", field_of_view=5.0)
    archive.connection.execute("UPDATE vo.coverage SET s_moc = '0/0-11', times = '{}'")
    archive.connection.execute("UPDATE vo.coverage SET stale = true WHERE cell_order = 26")
    archive.ingest(fields, name="My release", field_of_view=5.0)
    assert covered(archive) == judged(archive)


def test_a_change_that_is_undone_leaves_no_mark(archive: Archive, fields: Path) -> None:
    archive.ingest(fields, name="My release", field_of_view=5.0)
    did = archive.column("SELECT obs_publisher_did FROM vo.dataset LIMIT 1")[0]
    with archive.connection.transaction() as change:
        coverage.mark(archive.connection, "My release", did)
        raise psycopg.Rollback(change)
    assert archive.value("SELECT count(*) FROM vo.coverage WHERE stale") == 0


def test_collections_do_not_mix(archive: Archive, fields: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_dl3(other / "run.fits", SMALL.but(obs_id="x", header={"RA_PNT": 77.0}))
    archive.ingest(fields, name="My release", field_of_view=5.0)
    archive.ingest(other, name="other", field_of_view=1.0)
    assert covered(archive) == judged(archive)
    assert covered(archive, "other") == judged(archive, "other")
    remove_collection(archive.connection, "My release", archive.publish)
    assert archive.column("SELECT DISTINCT collection FROM vo.coverage") == ["other"]


def test_datasets_without_a_region_cover_the_cells_of_their_positions(archive: Archive, fields: Path) -> None:
    archive.ingest(fields, name="My release")
    rows = archive.rows("SELECT s_ra, s_dec, s_moc FROM ivoa.obscore NATURAL JOIN ivoa.obscore_healpix")
    assert len(rows) == 5
    ra, dec, cells = zip(*rows, strict=True)
    positions = mocpy.MOC.from_lonlat(ra * u.deg, dec * u.deg, max_norder=12)
    assert [mocpy.MOC.from_string(cell).max_order for cell in cells] == [12] * 5
    whole = archive.value("SELECT s_moc FROM vo.coverage WHERE cell_order = 0")
    assert mocpy.MOC.from_string(whole) == positions
    assert archive.value("SELECT count(*) FROM vo.coverage WHERE times IS NULL AND cell_order = 26") == 0


def test_a_dataset_that_lost_its_cells_gets_them_back(archive: Archive, fields: Path) -> None:
    archive.ingest(fields, name="My release", field_of_view=5.0)
    archive.connection.execute("DELETE FROM ivoa.obscore_healpix")
    archive.ingest(fields, name="My release", field_of_view=5.0)
    assert archive.value("SELECT count(*) FROM ivoa.obscore_healpix") == 5
    assert covered(archive) == judged(archive)
