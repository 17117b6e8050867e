"""Numbers from instrument response functions stored as sky maps, as wide-field instruments do.

A map is an image HDU with a celestial WCS and further axes, whose bins the table named by BANDSHDU
lists (gamma-astro-data-formats, "Sky maps"). Values are those of the pixel in the middle of the map.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import erfa
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from ingest.facts import ProductError, Region, Resolution
from ingest.fitsfile import FitsFile, Hdu
from ingest.fitsheader import text
from ingest.irf import FWHM_PER_R68, Axis, containment_radius, half_width
from schema.constants import EV_PER_TEV

Floats: TypeAlias = NDArray[np.float64]

_UNITS = {"ENERGY": "TeV", "ENERGY_TRUE": "TeV", "E": "TeV", "RAD": "deg", "MIGRA": ""}
_EDGE_STEP = 2.0
"""Longest side (deg) of the footprint polygon: pixel rows are not great circles."""


@dataclass(frozen=True)
class SkyMap:
    """The image with its axes: `axes` names them in the order of the array, before (lat, lon)."""

    hdu: Hdu
    axes: dict[str, Axis]
    values: NDArray[np.floating[Any]]

    def centre(self) -> Floats:
        """Return the values over the further axes at the middle pixel."""
        rows, columns = self.values.shape[-2:]
        return np.asarray(self.values[..., rows // 2, columns // 2], dtype=np.float64)

    def energies(self) -> Axis:
        """Return the energy axis, the true one if there are two."""
        found = self.axes.get("ENERGY_TRUE") or self.axes.get("ENERGY")
        if found is None:
            raise ProductError(self.hdu.path, self.hdu.name, f"no energy axis among {', '.join(self.axes)}")
        return found


def sky_map(file: FitsFile, hdu: Hdu) -> SkyMap:
    """Read a map and its axes. Raises ProductError if the axes are not described or do not fit."""
    header = hdu.header
    names: list[str] = []
    while declared := text(header, f"AXCOLS{len(names) + 1}"):
        names.append(declared.split(",")[0].strip().removesuffix("_MIN").upper())
    bands = file.find(text(header, "BANDSHDU") or f"{hdu.name}_BANDS")
    if bands is None or not names:
        raise ProductError(
            hdu.path, hdu.name, "a map without AXCOLSn and a table of bands: its axes are unknown"
        )
    image = hdu.image()
    shape = image.shape[:-2]
    if len(shape) != len(names) or math.prod(shape) != bands.rows:
        raise ProductError(hdu.path, hdu.name, f"{bands.rows} bands do not fit a map of shape {image.shape}")
    in_order = list(reversed(names))
    return SkyMap(hdu, {name: _axis(bands, name, shape, i) for i, name in enumerate(in_order)}, image)


def _axis(bands: Hdu, name: str, shape: tuple[int, ...], position: int) -> Axis:
    unit = _UNITS.get(name)
    low, high = (bands.in_unit(f"{name}_{end}", unit) if unit is not None else None for end in ("MIN", "MAX"))
    if low is None or high is None:
        raise ProductError(bands.path, bands.name, f"no columns {name}_MIN and {name}_MAX for a known axis")
    one = tuple(slice(None) if i == position else 0 for i in range(len(shape)))
    return Axis(low.reshape(shape)[one], high.reshape(shape)[one])


def _bin(axis: Axis, at: float) -> int | None:
    inside = np.flatnonzero((axis.low <= at) & (at < axis.high))
    return int(inside[0]) if inside.size else None


def psf_resolution(psf: SkyMap, energy: float) -> Resolution | None:
    """Return what `irf.psf_resolution` does, of the bin that holds `energy` (TeV)."""
    at, rad = _bin(psf.energies(), energy), psf.axes.get("RAD")
    if rad is None:
        raise ProductError(psf.hdu.path, psf.hdu.name, "no RAD axis: not a map of point spread functions")
    if at is None:
        return None
    profile = np.moveaxis(psf.centre(), list(psf.axes).index("RAD"), -1)[at]
    radius = containment_radius(rad, profile)
    found = Resolution(radius * FWHM_PER_R68 * 3600, energy * EV_PER_TEV, None)
    return found if math.isfinite(radius) else None


def energy_resolving_power(edisp: SkyMap, energy: float) -> Resolution | None:
    """Return what `irf.energy_resolving_power` does, of the bin that holds the true `energy` (TeV).

    The other axis is the reconstructed energy (E) or its ratio to the true one (MIGRA).
    """
    true = edisp.energies()
    at = _bin(true, energy)
    name = next((name for name in ("E", "ENERGY", "MIGRA") if name in edisp.axes), None)
    if name is None:
        raise ProductError(
            edisp.hdu.path, edisp.hdu.name, "no E or MIGRA axis: not a map of energy dispersions"
        )
    if at is None:
        return None
    content = np.moveaxis(edisp.centre(), list(edisp.axes).index(name), -1)[at]
    measured = edisp.axes[name]
    if name == "MIGRA":
        width = half_width(measured.low, measured.high, content * (measured.high - measured.low))
    else:
        width = half_width(measured.low, measured.high, content) / math.sqrt(true.low[at] * true.high[at])
    return Resolution(1 / width, energy * EV_PER_TEV, None) if width > 0 else None


def energy_range(aeff: SkyMap) -> tuple[float, float]:
    """Return the energies in eV at which the map is positive anywhere, or all of its axis."""
    energies = aeff.energies()
    positive = np.any(aeff.values > 0, axis=(-2, -1))
    used = (
        positive
        if positive.shape == (len(energies),) and positive.any()
        else np.ones(len(energies), np.bool_)
    )
    return float(energies.low[used].min()) * EV_PER_TEV, float(energies.high[used].max()) * EV_PER_TEV


def footprint(header: Mapping[str, Any]) -> Region | None:
    """Return the outline of a map in ICRS; None if it goes around the sky or is not a celestial image."""
    cards = {name: value for name, value in header.items() if value is not None}
    wcs = WCS(fits.Header(cards), naxis=2)
    columns, rows = int(header["NAXIS1"]), int(header["NAXIS2"])
    if not wcs.has_celestial or columns * abs(wcs.wcs.cdelt[0]) >= 360:
        return None
    x, y = _outline(columns, rows, *np.abs(wcs.wcs.cdelt))
    sky = wcs.pixel_to_world(x, y).icrs
    middle = wcs.pixel_to_world((columns - 1) / 2, (rows - 1) / 2).icrs
    ra, dec = float(middle.ra.deg), float(middle.dec.deg)
    if not np.all(np.isfinite([*sky.ra.deg, ra])):
        return None
    radius = erfa.seps(np.radians(ra), np.radians(dec), sky.ra.rad, sky.dec.rad).max()
    vertices = tuple(zip(sky.ra.deg.tolist(), sky.dec.deg.tolist(), strict=True))
    return Region(vertices, ra, dec, 2 * math.degrees(radius))


def _outline(columns: int, rows: int, width: float, height: float) -> tuple[Floats, Floats]:
    """Walk along the outer pixel edges, in pixel coordinates that are whole in the middle of pixels."""
    across = np.linspace(-0.5, columns - 0.5, math.ceil(columns * width / _EDGE_STEP) + 1)[:-1]
    up = np.linspace(-0.5, rows - 0.5, math.ceil(rows * height / _EDGE_STEP) + 1)[:-1]
    left, bottom = np.full(len(up), -0.5), np.full(len(across), -0.5)
    x = np.concatenate([across, left + columns, columns - 1 - across, left])
    y = np.concatenate([bottom, up, bottom + rows, rows - 1 - up])
    return x, y
