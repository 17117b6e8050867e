import math
from pathlib import Path

import numpy as np
import pytest

from ingest import irf
from ingest.facts import Problem, ProductError, Resolution
from ingest.fitsfile import Hdu, open_fits
from tests.dl3files import MIGRA_SIGMA, Habits, psf_sigma, write_irfs

FWHM = math.sqrt(8 * math.log(2))
CENTRAL_68 = 0.99446
"""Half the central 68 % of a Gaussian over its sigma."""


def hdu(path: Path, name: str, habits: Habits | None = None) -> Hdu:
    found = open_fits(write_irfs(path / f"{name}.fits", habits)).find(name)
    assert found is not None
    return found


@pytest.mark.parametrize("offset", [0.0, 0.5, 0.7, 2.5])
def test_resolution_of_a_gaussian_is_its_full_width(tmp_path: Path, offset: float) -> None:
    found = irf.psf_resolution(hdu(tmp_path, "PSF"), 1.0, offset)
    assert found is not None
    assert found.value == pytest.approx(FWHM * psf_sigma(offset) * 3600, rel=2e-3)
    assert (found.energy, found.offset) == (1e12, offset)


def test_king_holds_68_percent_where_its_integral_says(tmp_path: Path) -> None:
    found = irf.psf_resolution(hdu(tmp_path, "PSF", Habits(psf="king")), 1.0, 0.5)
    assert found is not None
    radius = found.value / 3600 / irf.FWHM_PER_R68
    assert 1 - (1 + radius**2 / (2 * 2.0 * 0.05**2)) ** (1 - 2.0) == pytest.approx(0.68, abs=1e-7)


def test_three_gaussians_are_weighted_by_amplitude_and_variance(tmp_path: Path) -> None:
    found = irf.psf_resolution(hdu(tmp_path, "PSF", Habits(psf="3gauss")), 1.0, 0.5)
    assert found is not None
    radius, sigma = found.value / 3600 / irf.FWHM_PER_R68, psf_sigma(0.5)
    core = sigma**2 * -math.expm1(-0.5 * (radius / sigma) ** 2)
    tail = 0.05 * (3 * sigma) ** 2 * -math.expm1(-0.5 * (radius / (3 * sigma)) ** 2)
    assert (core + tail) / (sigma**2 + 0.05 * (3 * sigma) ** 2) == pytest.approx(0.68, abs=1e-6)


def test_nodes_instead_of_bins_in_radius() -> None:
    nodes = np.linspace(0, 1, 1001)
    density = np.exp(-0.5 * (nodes / 0.1) ** 2)
    found = irf.containment_radius(irf.Axis(nodes, nodes), density)
    assert found == pytest.approx(0.1 * math.sqrt(-2 * math.log(0.32)), rel=1e-3)


@pytest.mark.parametrize("prefix", ["ENERG", "ETRUE"])
def test_resolving_power_of_a_gaussian(tmp_path: Path, prefix: str) -> None:
    found = irf.energy_resolving_power(hdu(tmp_path, "EDISP", Habits(energy_name=prefix)), 1.0, 0.5)
    assert found is not None
    assert found.value == pytest.approx(1 / (CENTRAL_68 * MIGRA_SIGMA), rel=2e-3)


def test_quantiles_lie_inside_bins_and_skip_empty_ones() -> None:
    low, high = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    content = np.array([0.0, 1.0, 0.0, 1.0])
    assert [irf.quantile(low, high, content, f) for f in (0.25, 0.5, 0.75)] == [1.5, 2.0, 3.5]
    assert math.isnan(irf.quantile(low, high, content * 0, 0.5))
    assert math.isnan(irf.quantile(low, high, content * math.nan, 0.5))


@pytest.mark.parametrize(("energy", "offset"), [(0.001, 0.5), (1000.0, 0.5), (1.0, 3.0)])
def test_outside_the_axes_nothing_is_known(tmp_path: Path, energy: float, offset: float) -> None:
    assert irf.psf_resolution(hdu(tmp_path, "PSF"), energy, offset) is None


def test_one_offset_answers_for_its_centre(tmp_path: Path) -> None:
    found = irf.psf_resolution(hdu(tmp_path, "PSF", Habits(theta=[(0.39, 0.41)])), 1.0, 0.5)
    assert found is not None
    assert found.offset == 0.4
    assert found.value == pytest.approx(FWHM * psf_sigma(0.4) * 3600, rel=2e-3)


def test_energies_between_bins_are_interpolated_in_the_logarithm() -> None:
    axis = irf.Axis(np.array([0.1, 1.0, 10.0]), np.array([1.0, 10.0, 100.0]))
    (low, low_weight), (high, high_weight) = axis.weights(10.0, logarithmic=True)
    assert (low, high) == (1, 2)
    assert (low_weight, high_weight) == pytest.approx((0.5, 0.5))
    assert axis.weights(0.15, logarithmic=True) == [(0, 1.0)]
    assert axis.weights(99.0, logarithmic=True) == [(2, 1.0)]
    assert axis.weights(101.0) == []


def test_empty_nodes_give_way_unless_most_depends_on_them(tmp_path: Path) -> None:
    response = hdu(tmp_path, "PSF")
    energies = irf.axis(response, "energy")
    centre = math.sqrt(energies.low[10] * energies.high[10])
    known = irf.interpolate(response, lambda i, _: 7.0 if i >= 10 else math.nan, centre * 0.99, 0.5)
    assert known == Resolution(7.0, centre * 0.99e12, 0.5)
    assert irf.interpolate(response, lambda i, _: 7.0 if i > 10 else math.nan, centre * 1.01, 0.5) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, (0.1, 50.0)),
        ({"LO_THRES": 0.4}, (0.4, 50.0)),
        ({"HI_THRES": 80.0}, (0.1, 80.0)),
        ({"LO_THRES": 0.4, "HI_THRES": "80"}, (0.4, 80.0)),
        ({"LO_THRES": 0.0}, (0.1, 50.0)),
    ],
)
def test_energy_range(tmp_path: Path, header: dict[str, object], expected: tuple[float, float]) -> None:
    low, high = irf.energy_range(hdu(tmp_path, "AEFF", Habits(aeff_header=header)), [])
    assert low == pytest.approx(expected[0] * 1e12, rel=0.3 if low != expected[0] * 1e12 else 0)
    assert high == pytest.approx(expected[1] * 1e12, rel=0.3)
    if header.get("LO_THRES"):
        assert low == expected[0] * 1e12


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ({"LO_THRES": -1.0}, "LO_THRES = -1 TeV"),
        ({"LO_THRES": 90.0, "HI_THRES": 2.0}, "LO_THRES = 90, HI_THRES = 2 TeV"),
        ({"LO_THRES": 700.0}, "LO_THRES = 700 TeV"),
    ],
)
def test_impossible_thresholds_are_ignored_and_told(
    tmp_path: Path, header: dict[str, float], told: str
) -> None:
    problems: list[Problem] = []
    low, high = irf.energy_range(hdu(tmp_path, "AEFF", Habits(aeff_header=header)), problems)
    assert (low, high) == pytest.approx((0.1e12, 50e12), rel=0.3)
    (problem,) = problems
    assert problem.message.startswith(f"{told} cannot be, ")
    assert not problem.fatal


def test_the_declared_order_of_axes_is_followed(tmp_path: Path) -> None:
    response = hdu(tmp_path, "AEFF")
    assert irf.cube(response, "EFFAREA", ("energy", "theta")).shape == (20, 6)
    response.header["CREF5"] = "(THETA_LO:THETA_HI,ENERG_LO:ENERG_HI)"
    swapped = irf.cube(response, "EFFAREA", ("energy", "theta"))
    assert swapped.shape == (20, 6)
    assert swapped.ravel().tolist() == np.asarray(response.values(response.columns[4])).ravel().tolist()
    response.header["CREF5"] = "(ETRUE_LO:ETRUE_HI,THETA_LO:THETA_HI)"
    assert np.all(irf.cube(response, "EFFAREA", ("energy", "theta"))[10] == 1e5)


def test_rad_max_of_its_table(tmp_path: Path) -> None:
    found = irf.rad_max(hdu(tmp_path, "RAD_MAX", Habits(rad_max=0.1)), 1.0, 0.5)
    assert found == Resolution(0.1, 1e12, 0.5)


def test_tables_that_contradict_themselves_are_named(tmp_path: Path) -> None:
    response = hdu(tmp_path, "AEFF")
    with pytest.raises(ProductError, match=r"AEFF: not a PSF_TABLE, PSF_3GAUSS or PSF_KING"):
        irf.psf_resolution(response, 1.0, 0.5)
    with pytest.raises(ProductError, match="AEFF: no column MATRIX"):
        irf.energy_resolving_power(response, 1.0, 0.5)
    with pytest.raises(ProductError, match="AEFF column EFFAREA: does not hold 20 values as its axes say"):
        irf.cube(response, "EFFAREA", ("energy",))
