from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from ingest import irfmaps
from ingest.facts import ProductError
from ingest.fitsfile import FitsFile, Hdu, open_fits
from tests.dl3files import write_map

EDGES = np.geomspace(0.1, 100, 4)


def opened(path: Path, name: str) -> tuple[FitsFile, Hdu]:
    file = open_fits(path)
    hdu = file.find(name)
    assert hdu is not None
    return file, hdu


def test_axes_come_from_the_bands_in_the_order_of_the_array(tmp_path: Path) -> None:
    rad = np.linspace(0, 1, 6)
    profile = np.arange(15.0).reshape(3, 5)
    path = write_map(tmp_path / "psf.fits", "PSF", [("RAD", rad), ("ENERGY", EDGES)], profile)
    found = irfmaps.sky_map(*opened(path, "PSF"))
    assert list(found.axes) == ["ENERGY", "RAD"]
    assert found.axes["RAD"].high.tolist() == rad[1:].tolist()
    assert found.energies().low.tolist() == EDGES[:-1].tolist()
    assert found.centre().tolist() == profile.tolist()


def test_outside_and_where_empty_nothing_is_known(tmp_path: Path) -> None:
    profile = np.zeros((3, 5))
    profile[2] = 1
    path = write_map(tmp_path / "p.fits", "PSF", [("RAD", np.linspace(0, 1, 6)), ("ENERGY", EDGES)], profile)
    found = irfmaps.sky_map(*opened(path, "PSF"))
    assert irfmaps.psf_resolution(found, 50.0) is not None
    assert irfmaps.psf_resolution(found, 1.5) is None
    assert irfmaps.psf_resolution(found, 500.0) is None


def test_energy_migration(tmp_path: Path) -> None:
    migra = np.linspace(0.5, 1.5, 101)
    profile = np.tile(np.exp(-0.5 * (((migra[1:] + migra[:-1]) / 2 - 1) / 0.1) ** 2), (3, 1))
    path = write_map(tmp_path / "e.fits", "EDISP", [("MIGRA", migra), ("ENERGY_TRUE", EDGES)], profile)
    with fits.open(path, mode="update") as hdus:
        for i in (2, 3):
            del hdus[2].header[f"TUNIT{i}"]
    found = irfmaps.energy_resolving_power(irfmaps.sky_map(*opened(path, "EDISP")), 5.0)
    assert found is not None
    assert found.value == pytest.approx(1 / (0.99446 * 0.1), rel=2e-3)


def test_maps_without_described_axes_are_refused(tmp_path: Path) -> None:
    path = write_map(tmp_path / "a.fits", "AEFF", [("ENERGY", EDGES)], np.ones(3))
    file, hdu = opened(path, "AEFF")
    hdu.header["BANDSHDU"] = "GONE"
    with pytest.raises(ProductError, match="AEFF: a map without AXCOLSn and a table of bands"):
        irfmaps.sky_map(file, hdu)


def test_a_map_around_the_sky_has_no_outline(tmp_path: Path) -> None:
    path = write_map(tmp_path / "a.fits", "AEFF", [("ENERGY", EDGES)], np.ones(3))
    _, hdu = opened(path, "AEFF")
    hdu.header["CDELT1"] = -36.0
    assert irfmaps.footprint(hdu.header) is None


def test_the_outline_goes_once_around(tmp_path: Path) -> None:
    path = write_map(tmp_path / "a.fits", "AEFF", [("ENERGY", EDGES)], np.ones(3))
    region = irfmaps.footprint(opened(path, "AEFF")[1].header)
    assert region is not None
    ra, dec = np.array(region.vertices).T
    x, y = (ra - region.ra) * np.cos(np.radians(dec)), dec - region.dec
    assert len(region.vertices) == len(set(region.vertices)) == 20
    steps = np.diff(np.unwrap(np.arctan2([*y, y[0]], [*x, x[0]])))
    assert np.all(steps > 0) or np.all(steps < 0)
    assert abs(steps.sum()) == pytest.approx(2 * np.pi)
