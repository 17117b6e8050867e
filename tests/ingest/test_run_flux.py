"""Spectra and light curves in the database: published beside event lists, changed, gone."""

from pathlib import Path

import healpy
import numpy as np

from tests.dl3files import Habits, write_dl3
from tests.fluxfiles import write_curve, write_flux
from tests.ingesting import Archive, counts
from vo_server.doctor import examine

DID = "ivo://x-unregistered/My%20release?"
INDEX = "my_release.obs_index"


def cell(ra: float, dec: float) -> int:
    """The HEALPix cell of order 12 at a position (ICRS, deg)."""
    return int(healpy.ang2pix(4096, ra, dec, nest=True, lonlat=True))


def test_a_release_with_both(archive: Archive, release: Path) -> None:
    sed = write_flux(release / "sed.fits")
    write_curve(release / "lc.fits", header={"OBJECT": None})
    summary = archive.ingest(release, events=True, name="My release")
    assert (counts(summary), summary.problems, summary.warnings) == ((5, 0, 0, 0, 0), [], [])
    assert archive.rows(
        "SELECT dataproduct_type, dataproduct_subtype, calib_level, obs_id, target_name, s_ra, s_dec, em_xel,"
        " t_xel, o_ucd, access_path, access_format FROM ivoa.obscore"
        " WHERE calib_level = 4 ORDER BY obs_id"
    ) == [
        (
            *("light-curve", "flux", 4, "lc", None, None, None, 1, 2, "phot.flux;em.gamma"),
            *("/files/my_release/lc/lc.fits", "application/fits"),
        ),
        (
            *("spectrum", "dnde", 4, "sed", "MSH 15-52", 228.6125, -59.2717, 3, 1),
            *("phot.flux.density;em.gamma", "/files/my_release/sed/sed.fits", "application/fits"),
        ),
    ]
    assert archive.rows(
        "SELECT product, path, hdu FROM vo.product WHERE obs_publisher_did = %s", DID + "sed"
    ) == [("spectrum", str(sed), "FLUXPOINTS")]
    assert archive.column(f"SELECT obs_id FROM {INDEX} ORDER BY 1") == ["1", "2", "3"]
    shown = "SELECT obs_id, tstart IS NULL FROM my_release.obscore ORDER BY 1"
    assert archive.rows(shown) == [*((n, False) for n in "123"), ("lc", True), ("sed", True)]
    assert (
        archive.value(
            "SELECT count(*) FROM ivoa.obscore_hea WHERE energy_min > 0 AND messenger_name = 'photon'"
        )
        == 2
    )
    assert [f for f in examine(archive.settings, deep=True) if not f.ok and f.fatal] == []


def test_what_is_known_of_place_and_time(archive: Archive, release: Path) -> None:
    """Flux points have no region: their MOC is the cell that they lie in, known time or not."""
    write_flux(release / "sed.fits", gtis=[(0.0, 100.0)])
    write_flux(release / "nowhere.fits", header={"OBJECT": None})
    write_curve(release / "lc.fits", header={"OBJECT": "Elsewhere", "RA_OBJ": 83.633, "DEC_OBJ": 22.014})
    archive.ingest(release)
    known = "SELECT obs_id, healpix_order, healpix_index, s_moc::text, times IS NOT NULL"
    assert archive.rows(
        f"{known} FROM ivoa.obscore NATURAL JOIN ivoa.obscore_healpix WHERE calib_level = 4 ORDER BY obs_id"
    ) == [
        ("lc", 12, cell(83.633, 22.014), f"12/{cell(83.633, 22.014)}", True),
        ("nowhere", 12, None, None, False),
        ("sed", 12, cell(228.6125, -59.2717), f"12/{cell(228.6125, -59.2717)}", True),
    ]


def test_fluxes_without_a_time_are_in_the_coverage_of_their_collection(
    archive: Archive, tmp_path: Path
) -> None:
    write_flux(tmp_path / "timeless" / "sed.fits", header={"RA_OBJ": 228.6125, "DEC_OBJ": -59.2717})
    archive.ingest(tmp_path / "timeless", name="Fluxes")
    whole = "SELECT s_moc::text, t_min, t_max FROM vo.coverage WHERE collection = 'Fluxes' AND cell_order = 0"
    assert archive.rows(whole) == [(f"12/{cell(228.6125, -59.2717)}", None, None)]
    (tmp_path / "timeless" / "sed.fits").unlink()
    write_flux(tmp_path / "timeless" / "other.fits", header={"RA_OBJ": 83.633, "DEC_OBJ": 22.014})
    archive.ingest(tmp_path / "timeless", name="Fluxes", prune=True)
    assert archive.rows(whole) == [(f"12/{cell(83.633, 22.014)}", None, None)]


def test_a_profile(archive: Archive, tmp_path: Path) -> None:
    edges = np.array([0.0, 0.1, 0.2])
    columns = {"x_min": (edges, "deg"), "x_max": (edges + 0.1, "deg")}
    path = write_flux(tmp_path / "profile.fits", columns)
    assert counts(archive.ingest(tmp_path, name="My release")) == (1, 0, 0, 0, 0)
    assert archive.rows("SELECT dataproduct_type, calib_level, s_xel1, em_xel FROM ivoa.obscore") == [
        ("spatial-profile", 4, 3, 1)
    ]
    assert archive.rows("SELECT product, path FROM vo.product") == [("spatial-profile", str(path))]
    assert counts(archive.ingest(tmp_path, name="My release")) == (0, 0, 1, 0, 0)
    assert [f for f in examine(archive.settings, deep=True) if not f.ok and f.fatal] == []


def test_again_changed_and_gone(archive: Archive, release: Path) -> None:
    write_flux(release / "sed.fits")
    write_curve(release / "lc.fits")
    archive.ingest(release)
    before = archive.versions(INDEX)
    assert counts(archive.ingest(release)) == (0, 0, 5, 0, 0)
    assert archive.versions(INDEX) == before
    write_flux(release / "sed.fits", header={"OBJECT": "Another"})
    assert counts(archive.ingest(release)) == (0, 1, 4, 0, 0)
    assert archive.value("SELECT target_name FROM ivoa.obscore WHERE obs_id = 'sed'") == "Another"
    (release / "sed.fits").unlink()
    assert counts(archive.ingest(release, prune=True)) == (0, 0, 4, 0, 1)
    assert archive.column("SELECT obs_id FROM ivoa.obscore WHERE calib_level = 4") == ["lc"]


def test_lost_rows_come_back(archive: Archive, release: Path) -> None:
    write_flux(release / "sed.fits")
    archive.ingest(release)
    archive.connection.execute("DELETE FROM vo.product WHERE product = 'spectrum'")
    assert counts(archive.ingest(release)) == (0, 1, 3, 0, 0)
    assert archive.value("SELECT count(*) FROM vo.product WHERE product = 'spectrum'") == 1


def test_spectra_alone(archive: Archive, tmp_path: Path) -> None:
    directory = tmp_path / "Spectra"
    write_flux(directory / "sed.fits")
    keys = {"name": "Spectra", "events": True}
    targets = {"MSH 15-52": {"ra": 228.5, "dec": -59.25}}
    assert counts(archive.ingest(directory, **keys)) == (1, 0, 0, 0, 0)
    assert archive.rows("SELECT s_ra, s_dec FROM spectra.obscore") == [(None, None)]
    assert counts(archive.ingest(directory, **keys, targets=targets)) == (0, 1, 0, 0, 0)
    assert archive.rows("SELECT s_ra, s_dec FROM spectra.obscore") == [(228.5, -59.25)]
    assert counts(archive.ingest(directory, **keys, targets=targets)) == (0, 0, 1, 0, 0)


def test_what_is_wrong_is_skipped_whole(archive: Archive, release: Path) -> None:
    bad = write_flux(release / "bad.fits", {"dnde": None})
    same = write_flux(release / "below/1.fits")
    summary = archive.ingest(release)
    assert counts(summary) == (3, 0, 0, 2, 0)
    assert [str(p) for p in summary.problems] == [
        f"{bad}: FLUXPOINTS SED_TYPE: says 'dnde', but there is no column dnde",
        f"{same}: repeats the identifier 1 of {release / 'run1.fits'}; give the file another name",
    ]
    assert archive.value("SELECT count(*) FROM vo.product WHERE product = 'spectrum'") == 0


def test_gzipped_flux_points_beside_a_run(archive: Archive, tmp_path: Path) -> None:
    directory = tmp_path / "My release"
    write_dl3(directory / "run.fits", Habits(events=5, irfs=False))
    write_flux(directory / "sed.fits.gz")
    assert counts(archive.ingest(directory)) == (2, 0, 0, 0, 0)
    assert archive.column("SELECT obs_id FROM ivoa.obscore ORDER BY 1") == ["20136", "sed"]
