"""Response functions of the simulated array, and events drawn from them.

Everything that the demonstration release says about its instrument is computed here first, as the
tables that go into the files; the events are then drawn from these tables. So files and events agree
by construction, as those of a real release should.

Units throughout: energies in TeV, angles in degrees, areas in m2, PSF in sr-1, background in
s-1 MeV-1 sr-1, times in s. The array is invented: no formula describes an existing instrument.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ARRAY_TELESCOPES: Final = 4
"""Telescopes of the full array."""

ENERGY_EDGES: Final[Floats] = np.logspace(-1.3, 2.0, 34)
"""True energy of aeff, edisp and psf, reconstructed energy of bkg: TeV, ten bins a decade."""
OFFSET_EDGES: Final[Floats] = np.linspace(0.0, 2.5, 6)
"""Field-of-view offset, deg; the last edge is the radius of the field of view."""
MIGRA_EDGES: Final[Floats] = np.linspace(0.2, 5.0, 161)
"""Reconstructed over true energy."""
RAD_EDGES: Final[Floats] = 0.8 * np.linspace(0.0, 1.0, 61) ** 1.5
"""Angle from the source, deg; finer towards the centre."""
DET_EDGES: Final[Floats] = np.linspace(-2.5, 2.5, 26)
"""DETX and DETY, deg."""

_SIMULATED_ENERGY_LIMIT = 60.0
_FINE = 8
"""Points that the sampling puts into one energy bin."""


@dataclass(frozen=True)
class ResponseFunctions:
    """Tables of one observation, their axes in the order that GADF 0.3 recommends.

    `aeff` (energy, theta) m2; `edisp` (energy, migra, theta) dP/dmigra; `psf` (energy, theta, rad)
    dP/dOmega in sr-1; `bkg` (energy, detx, dety) in s-1 MeV-1 sr-1; `lo_thres` and `hi_thres` in TeV.
    Values belong to bin centres: geometric means of energies, arithmetic means of the rest.
    """

    aeff: Floats
    edisp: Floats
    psf: Floats
    bkg: Floats
    lo_thres: float
    hi_thres: float


@dataclass(frozen=True)
class PowerLaw:
    """dN/dE = flux (E / TeV)^-index, `flux` in cm-2 s-1 TeV-1; index not 1."""

    flux: float
    index: float

    def integral(self, edges: Floats) -> Floats:
        """Photons in cm-2 s-1 in each bin between `edges` (TeV)."""
        bins: Floats = self.flux / (1.0 - self.index) * np.diff(edges ** (1.0 - self.index))
        return bins


class Gammas(NamedTuple):
    """Events of a point source: reconstructed energy in TeV, angle from the source in deg."""

    energy: Floats
    rad: Floats


class Background(NamedTuple):
    """Background events: reconstructed energy in TeV, DETX and DETY in deg."""

    energy: Floats
    detx: Floats
    dety: Floats


def response_functions(zenith: float, telescopes: int) -> ResponseFunctions:
    """The tables for a zenith angle in deg and a number of telescopes.

    `lo_thres` is the lower edge of the first bin in which the on-axis area reaches a tenth of its
    greatest value; `hi_thres` grows with 1/cos(zenith), as the light pool dims.
    """
    threshold = energy_threshold(zenith, telescopes)
    aeff = _effective_area(threshold, zenith, telescopes)
    first = int(np.argmax(aeff[:, 0] >= 0.1 * aeff[:, 0].max()))
    return ResponseFunctions(
        aeff=aeff,
        edisp=_energy_dispersion(threshold),
        psf=_point_spread(threshold),
        bkg=_background(threshold, zenith, telescopes),
        lo_thres=float(ENERGY_EDGES[first]),
        hi_thres=min(_SIMULATED_ENERGY_LIMIT / float(np.cos(np.radians(zenith))), float(ENERGY_EDGES[-1])),
    )


def energy_threshold(zenith: float, telescopes: int) -> float:
    """Energy in TeV at which half of the showers trigger: 0.3 TeV cos(zenith)^-1.8 for four telescopes."""
    return float(0.3 * np.cos(np.radians(zenith)) ** -1.8 * (ARRAY_TELESCOPES / telescopes) ** 0.5)


def _turn_on(energy: Floats, threshold: float) -> Floats:
    return 1.0 / (1.0 + (threshold / energy) ** 4)


def _effective_area(threshold: float, zenith: float, telescopes: int) -> Floats:
    """(energy, theta) m2: light pool times turn-on times a Gaussian fall-off of the acceptance."""
    energy, theta = centres(ENERGY_EDGES, log=True)[:, None], centres(OFFSET_EDGES)[None, :]
    pool = 1.5e5 / np.cos(np.radians(zenith)) * (telescopes / ARRAY_TELESCOPES) ** 0.8
    acceptance = np.exp(-0.5 * (theta / (1.5 + 0.2 * np.log10(energy))) ** 2)
    area: Floats = pool * energy**0.1 * _turn_on(energy, threshold) * acceptance
    return area


def _energy_dispersion(threshold: float) -> Floats:
    """(energy, migra, theta): log-normal in migra, 12 % wide far above the threshold, 15 % at it.

    The bias grows below the threshold, since only showers that look brighter trigger.
    """
    shape = (ENERGY_EDGES.size - 1, MIGRA_EDGES.size - 1, OFFSET_EDGES.size - 1)
    energy = centres(ENERGY_EDGES, log=True)[:, None, None]
    migra = centres(MIGRA_EDGES)[None, :, None]
    theta = centres(OFFSET_EDGES)[None, None, :]
    width = (0.12 + 0.03 * np.minimum(threshold / energy, 2.0)) * (1.0 + 0.02 * theta**2)
    bias = 0.08 * np.minimum(threshold / energy, 3.0) ** 2
    density = np.exp(-0.5 * ((np.log(migra) - np.log1p(bias)) / width) ** 2) / migra
    norm = (density * np.diff(MIGRA_EDGES)[None, :, None]).sum(axis=1, keepdims=True)
    return np.broadcast_to(density / norm, shape).copy()


def _point_spread(threshold: float) -> Floats:
    """(energy, theta, rad) sr-1: a Gaussian with a fifth of the events in one twice as wide.

    The 68 % radius falls from about 0.1 deg at the threshold to about 0.05 deg at tens of TeV.
    """
    energy = centres(ENERGY_EDGES, log=True)[:, None, None]
    theta = centres(OFFSET_EDGES)[None, :, None]
    rad = centres(RAD_EDGES)[None, None, :]
    sigma = (0.024 + 0.03 * np.minimum(threshold / energy, 4.0) ** 0.5) * (1.0 + 0.05 * theta**2)
    core = np.exp(-0.5 * (rad / sigma) ** 2)
    tail = np.exp(-0.5 * (rad / (2.0 * sigma)) ** 2) / 4.0
    density = 0.8 * core + 0.2 * tail
    norm = (density * _ring_solid_angle()).sum(axis=2, keepdims=True)
    table: Floats = density / norm
    return table


def _ring_solid_angle() -> Floats:
    """Solid angle of the rings between RAD_EDGES, sr."""
    ring: Floats = -2.0 * np.pi * np.diff(np.cos(np.radians(RAD_EDGES)))
    return ring


def _background(threshold: float, zenith: float, telescopes: int) -> Floats:
    """(energy, detx, dety) s-1 MeV-1 sr-1: a power law of index 2.8 falling off in the field of view.

    Cells that reach out of the field of view are empty, so that no event lies outside it.
    """
    energy = centres(ENERGY_EDGES, log=True)[:, None, None]
    detx, dety = np.meshgrid(centres(DET_EDGES), centres(DET_EDGES), indexing="ij")
    half = 0.5 * (DET_EDGES[1] - DET_EDGES[0])
    inside = np.hypot(np.abs(detx) + half, np.abs(dety) + half) <= OFFSET_EDGES[-1]
    profile = np.where(inside, np.exp(-0.5 * (detx**2 + dety**2) / 1.2**2), 0.0)
    norm = 1.8e-4 / np.cos(np.radians(zenith)) * telescopes / ARRAY_TELESCOPES
    spectrum = norm * energy**-2.8 * _turn_on(energy, threshold)
    rate: Floats = spectrum * profile
    return rate


def draw_gammas(
    irf: ResponseFunctions, spectrum: PowerLaw, offset: float, livetime: float, rng: np.random.Generator
) -> Gammas:
    """Events of a point source `offset` deg from the pointing, in `livetime` seconds.

    Their expected number is the integral of dN/dE aeff(E, offset) livetime dE.
    """
    grid = _fine_energies()
    area = np.interp(
        np.log(centres(grid, log=True)),
        np.log(centres(ENERGY_EDGES, log=True)),
        _at_offset(irf.aeff, 1, offset),
    )
    expected = spectrum.integral(grid) * area * 1e4 * livetime
    cell = _draw_cells(expected, rng)
    energy = _log_uniform(grid, cell, rng)
    row = np.clip(np.searchsorted(ENERGY_EDGES, energy) - 1, 0, ENERGY_EDGES.size - 2)
    migra = _draw_in_rows(_at_offset(irf.edisp, 2, offset) * np.diff(MIGRA_EDGES), MIGRA_EDGES, row, rng)
    rad = _draw_in_rows(_at_offset(irf.psf, 1, offset) * _ring_solid_angle(), RAD_EDGES, row, rng)
    return Gammas(energy * migra, rad)


def draw_background(irf: ResponseFunctions, ontime: float, rng: np.random.Generator) -> Background:
    """Background events of `ontime` seconds.

    Not live time: GADF 0.3 defines the background rate without dead-time correction (section bkg_3d).
    """
    grid = _fine_energies()
    expected = _log_log(irf.bkg, grid) * (np.diff(grid) * 1e6)[:, None, None] * _cell_solid_angle() * ontime
    energy_cell, x, y = np.unravel_index(_draw_cells(expected.ravel(), rng), expected.shape)
    width = DET_EDGES[1] - DET_EDGES[0]
    return Background(
        _log_uniform(grid, energy_cell, rng),
        DET_EDGES[x] + width * rng.random(x.size),
        DET_EDGES[y] + width * rng.random(y.size),
    )


def centres(edges: Floats, log: bool = False) -> Floats:
    """Bin centres: arithmetic means of the edges, or geometric ones."""
    middle: Floats = np.sqrt(edges[:-1] * edges[1:]) if log else 0.5 * (edges[:-1] + edges[1:])
    return middle


def _fine_energies() -> Floats:
    bins = ENERGY_EDGES.size - 1
    return np.geomspace(ENERGY_EDGES[0], ENERGY_EDGES[-1], _FINE * bins + 1)


def _cell_solid_angle() -> Floats:
    """(detx, dety) sr: DETX and DETY are longitude and latitude about the pointing (GADF 0.3, coords-fov)."""
    lat = np.diff(np.sin(np.radians(DET_EDGES)))
    angle: Floats = np.radians(np.diff(DET_EDGES))[:, None] * lat[None, :]
    return angle


def _at_offset(table: Floats, axis: int, offset: float) -> Floats:
    """A table linearly interpolated in offset, its `axis` gone; constant beyond the outer bin centres."""
    place = float(np.interp(offset, centres(OFFSET_EDGES), np.arange(OFFSET_EDGES.size - 1)))
    lower = min(int(place), OFFSET_EDGES.size - 3)
    weight = place - lower
    values: Floats = (1.0 - weight) * np.take(table, lower, axis) + weight * np.take(table, lower + 1, axis)
    return values


def _log_log(table: Floats, grid: Floats) -> Floats:
    """A (energy, ...) table at the centres of `grid`, interpolated as a power law between bin centres."""
    place = np.interp(
        np.log(centres(grid, log=True)),
        np.log(centres(ENERGY_EDGES, log=True)),
        np.arange(ENERGY_EDGES.size - 1),
    )
    lower = np.minimum(place.astype(int), ENERGY_EDGES.size - 3)
    weight = (place - lower)[:, None, None]
    values: Floats = table[lower] ** (1.0 - weight) * table[lower + 1] ** weight
    return values


def _draw_cells(expected: Floats, rng: np.random.Generator) -> NDArray[np.intp]:
    """Cell numbers of a Poisson number of events with these expected counts."""
    cumulated = np.cumsum(expected)
    number = rng.poisson(cumulated[-1])
    cell: NDArray[np.intp] = np.searchsorted(cumulated, rng.random(number) * cumulated[-1], side="right")
    return cell


def _log_uniform(grid: Floats, cell: NDArray[np.intp], rng: np.random.Generator) -> Floats:
    """One energy in each of the bins `cell`; the fine bins are so narrow that the slope does not matter."""
    energy: Floats = grid[cell] * (grid[cell + 1] / grid[cell]) ** rng.random(cell.size)
    return energy


def _draw_in_rows(weights: Floats, edges: Floats, row: NDArray[np.intp], rng: np.random.Generator) -> Floats:
    """One value for each entry of `row`, from the histogram weights[row] over `edges`.

    All rows are inverted at once: the cumulated row number r is laid into the interval [r, r + 1].
    """
    rows, bins = weights.shape
    cumulated = np.concatenate([np.zeros((rows, 1)), np.cumsum(weights, axis=1)], axis=1)
    cumulated /= cumulated[:, -1:]
    lifted = (cumulated[:, 1:] + np.arange(rows)[:, None]).ravel()
    column = np.searchsorted(lifted, rng.random(row.size) + row, side="right") - row * bins
    column = np.clip(column, 0, bins - 1)
    value: Floats = edges[column] + (edges[column + 1] - edges[column]) * rng.random(row.size)
    return value
