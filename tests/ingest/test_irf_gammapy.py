"""Response functions judged by gammapy."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from gammapy.irf import PSF3D, EnergyDependentMultiGaussPSF, EnergyDispersion2D, PSFKing

from ingest import irf
from ingest.fitsfile import open_fits
from tests.dl3files import Habits, write_irfs

READERS = {"table": PSF3D, "3gauss": EnergyDependentMultiGaussPSF, "king": PSFKing}


@pytest.mark.parametrize("kind", sorted(READERS))
@pytest.mark.parametrize(("energy", "offset"), [(1.0, 0.5), (0.3, 1.2), (20.0, 0.0)])
def test_containment_radius(tmp_path: Path, kind: str, energy: float, offset: float) -> None:
    path = write_irfs(tmp_path / "irf.fits", Habits(psf=kind))
    theirs = READERS[kind].read(path, hdu="PSF")
    radius = theirs.containment_radius(0.68, energy_true=energy * u.TeV, offset=offset * u.deg)
    hdu = open_fits(path).find("PSF")
    assert hdu is not None
    ours = irf.psf_resolution(hdu, energy, offset)
    assert ours is not None
    assert ours.value / irf.FWHM_PER_R68 / 3600 == pytest.approx(radius.to_value("deg").item(), rel=0.01)


def test_energy_dispersion(tmp_path: Path) -> None:
    path = write_irfs(tmp_path / "irf.fits")
    theirs = EnergyDispersion2D.read(path, hdu="EDISP")
    migra = theirs.axes["migra"]
    density = theirs.evaluate(energy_true=1 * u.TeV, migra=migra.center, offset=0.5 * u.deg).value.squeeze()
    cumulative = np.cumsum(density * migra.bin_width.value)
    low, high = np.interp([0.16, 0.84], cumulative / cumulative[-1], migra.edges[1:].value)
    hdu = open_fits(path).find("EDISP")
    assert hdu is not None
    ours = irf.energy_resolving_power(hdu, 1.0, 0.5)
    assert ours is not None
    assert ours.value == pytest.approx(2 / (high - low), rel=0.01)
