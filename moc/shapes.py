"""Positions and regions of the sky in HEALPix cells (nested scheme, ICRS)."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix import nested
from numpy.typing import NDArray

from moc.model import SPACE, Integers, Moc, of_cells

Floats = NDArray[np.float64]

FINEST: Final = 10
"""Order of the finest MOCs: fields of view are not known better than to some arcmin."""

_COARSEST: Final = 3

_CELLS_PER_RADIUS: Final = 25

CELL_SIDE: Final = math.degrees(math.sqrt(math.pi / 3))
"""deg; the side of a cell of order 0 (Gorski et al. 2005, ApJ 622, 759), halved with each order."""

_FINER: Final = 2
"""Orders beyond that of the MOC at which cells at the edge are judged; what is left in doubt is in."""


def cells_at(ra: Floats, dec: Floats, order: int) -> Integers:
    """The cells of an order in which positions (deg, latitudes within 90) lie."""
    found = nested.lonlat_to_healpix(Longitude(ra, units.deg), Latitude(dec, units.deg), order)
    return np.asarray(found).astype(np.int64)


def cell_at(ra: float, dec: float, order: int) -> int:
    """The cell of an order in which a position (deg) lies."""
    return int(cells_at(np.array([ra]), np.array([dec]), order)[0])


def positions(ra: Floats, dec: Floats, order: int = FINEST) -> Moc:
    """The MOC of positions in deg."""
    numbers = np.unique(cells_at(ra, dec, order))
    return of_cells(SPACE, order, numbers, np.full(len(numbers), order))


def circle(ra: float, dec: float, radius: float, finest: int = FINEST) -> Moc:
    """All cells that a circle (deg) touches, of an order that suits its size, not above `finest`."""
    order = suitable_order(radius, finest)
    centre = Longitude(ra, units.deg), Latitude(dec, units.deg)
    numbers, orders, _ = nested.cone_search(*centre, radius * units.deg, order, _FINER, flat=False)
    return of_cells(SPACE, order, numbers, orders)


def polygon(vertices: Sequence[tuple[float, float]], finest: int = FINEST) -> Moc:
    """All cells that a polygon with these corners (ra, dec in deg) touches; its order suits its size."""
    ra, dec = np.array(vertices, np.float64).T
    order = suitable_order(_reach(ra, dec), finest)
    numbers, orders, _ = nested.polygon_search(
        Longitude(ra, units.deg), Latitude(dec, units.deg), order, flat=False
    )
    return of_cells(SPACE, order, numbers, orders)


def suitable_order(radius: float, finest: int = FINEST) -> int:
    """The order of a MOC of a region of this radius (deg): cells of less than 1/25 of it, within limits."""
    wanted = math.log2(CELL_SIDE * _CELLS_PER_RADIUS / radius) if radius > 0 else math.inf
    return math.ceil(min(max(wanted, min(_COARSEST, finest)), finest))


def sky_fraction(covered: Moc) -> float:
    """The share of the sky that a MOC of SPACE covers."""
    return float((covered.ranges[:, 1] - covered.ranges[:, 0]).sum()) / (12 << 2 * SPACE.deepest)


def _reach(ra: Floats, dec: Floats) -> float:
    """How far, in deg, the farthest of some directions is from their middle."""
    lon, lat = np.radians(ra), np.radians(dec)
    vectors = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    middle = vectors.mean(axis=1)
    cosines = middle @ vectors / max(float(np.linalg.norm(middle)), 1e-9)
    return math.degrees(math.acos(min(max(float(cosines.min()), -1.0), 1.0)))
