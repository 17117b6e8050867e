"""Regions of the sky as cutouts take them: which directions lie within, exactly on the sphere.

Directions are unit vectors in the ICRS, arrays of shape (n, 3); angles are in degrees.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]
Mask = NDArray[np.bool_]

AXES: Final = "POS(RA,DEC)"

_COSINE_ERROR: Final = 1e-12


class Shape(Protocol):
    """A region."""

    def contains(self, vectors: Vectors) -> Mask:
        """Which of the directions lie in the region, its boundary included where that can be told."""

    def subspace(self) -> tuple[tuple[str, str], ...]:
        """The region as pairs of DSTYP and DSVAL, which all have to hold."""


@dataclass(frozen=True)
class Circle:
    """All directions up to `radius` away from a centre."""

    lon: float
    lat: float
    radius: float

    def contains(self, vectors: Vectors) -> Mask:
        """See Shape.

        The arc tangent is exact at all distances, where the cosine, which takes less time, is not: that one
        only tells which directions are far away.
        """
        (centre,) = direction(np.array([self.lon]), np.array([self.lat]))
        cosines = vectors @ centre
        inside: Mask = cosines >= np.cos(np.radians(self.radius)) - _COSINE_ERROR
        near = np.flatnonzero(inside)
        sines = np.linalg.norm(np.cross(vectors[near], centre), axis=1)
        inside[near] = np.arctan2(sines, cosines[near]) <= np.radians(self.radius)
        return inside

    def subspace(self) -> tuple[tuple[str, str], ...]:
        """See Shape."""
        return ((AXES, f"CIRCLE({_listed((self.lon, self.lat, self.radius))})"),)


@dataclass(frozen=True)
class Range:
    """All directions between two meridians and two parallels; `lon1` > `lon2` goes through longitude 0."""

    lon1: float
    lon2: float
    lat1: float
    lat2: float

    def contains(self, vectors: Vectors) -> Mask:
        """See Shape."""
        x, y, z = vectors.T
        lon, lat = np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))
        east, west = lon >= self.lon1, lon <= self.lon2
        within: Mask = (east | west) if self.lon1 > self.lon2 else (east & west)
        found: Mask = within & (lat >= self.lat1) & (lat <= self.lat2)
        return found

    def subspace(self) -> tuple[tuple[str, str], ...]:
        """See Shape."""
        spans = [(self.lon1, self.lon2)]
        if self.lon1 > self.lon2:
            spans = [(self.lon1, 360.0), (0.0, self.lon2)]
        return ("RA", ",".join(span(*ends) for ends in spans)), ("DEC", span(self.lat1, self.lat2))


@dataclass(frozen=True)
class Polygon:
    """What great circles between the vertices (lon1, lat1, lon2, ...) enclose, convex or not.

    The vertices lie within a hemisphere and the inside is there, whatever their order. Seen from the
    centre of the sphere (gnomonic projection) great circles are straight lines, so that the polygon is one
    of the plane: a direction lies inside if a line from it crosses an odd number of sides.
    """

    vertices: tuple[float, ...]

    @cached_property
    def _view(self) -> NDArray[np.float64]:
        """The axes of the projection as rows: two in the plane, and the one towards its centre."""
        lonlat = np.array(self.vertices).reshape(-1, 2)
        points = direction(lonlat[:, 0], lonlat[:, 1])
        # As polygon_fault has it: all vertices are in front of this direction.
        middle = points.min(axis=0) + points.max(axis=0)
        # The last axis is where the other two are not.
        axes, _ = np.linalg.qr(np.column_stack([middle, np.eye(3)[:, np.argsort(np.abs(middle))[:2]]]))
        towards = axes[:, 0] * np.sign(axes[:, 0] @ middle)
        return np.stack([axes[:, 1], axes[:, 2], towards])

    @cached_property
    def _corners(self) -> NDArray[np.float64]:
        """The vertices in the plane, the first one again at the end: shape (n + 1, 2)."""
        lonlat = np.array(self.vertices).reshape(-1, 2)
        x, y, depth = self._view @ direction(lonlat[:, 0], lonlat[:, 1]).T
        corners = np.column_stack([x / depth, y / depth])
        return np.vstack([corners, corners[:1]])

    def contains(self, vectors: Vectors) -> Mask:
        """See Shape."""
        inside = np.zeros(len(vectors), np.bool_)
        seen = self._view @ vectors.T
        front = np.flatnonzero(seen[2] > 0)
        x, y = seen[0, front] / seen[2, front], seen[1, front] / seen[2, front]
        low, high = self._corners.min(axis=0), self._corners.max(axis=0)
        near = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
        inside[front[near]] = self._encloses(x[near], y[near])
        return inside

    def _encloses(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
        """Each side is compared with the points at its height only, so that many sides take little longer."""
        order = np.argsort(y)
        x, y = x[order], y[order]
        odd = np.zeros(len(x), np.bool_)
        heights = np.stack([self._corners[:-1, 1], self._corners[1:, 1]])
        spans = np.searchsorted(y, np.sort(heights, axis=0)).T
        sides = pairwise(self._corners.tolist())
        for ((x1, y1), (x2, y2)), (first, last) in zip(sides, spans.tolist(), strict=True):
            if first < last:
                beside = slice(first, last)
                odd[beside] ^= x[beside] < x1 + (x2 - x1) * ((y[beside] - y1) / (y2 - y1))
        inside = np.empty(len(x), np.bool_)
        inside[order] = odd
        return inside

    def subspace(self) -> tuple[tuple[str, str], ...]:
        """See Shape."""
        return ((AXES, f"POLYGON({_listed(self.vertices)})"),)


def direction(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Vectors:
    """Unit vectors of longitudes and latitudes in degrees."""
    x, y = np.radians(lon), np.radians(lat)
    return np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])


def span(low: float, high: float) -> str:
    """An interval as a DSVAL keyword has it: an open end is left empty."""
    return ":".join("" if np.isinf(end) else repr(end) for end in (low, high))


def _listed(values: tuple[float, ...]) -> str:
    return ",".join(map(repr, values))
