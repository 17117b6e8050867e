"""The reference frames of `ivo_geom_transform`, as rotations of the ICRS.

The names are terms of the IVOA's vocabulary http://www.ivoa.net/rdf/refframe.
"""

from functools import cache
from math import atan2, cos, degrees, hypot, pi, radians, sin

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


def _turned(axis: str, angle: float) -> Matrix:
    """The matrix to a frame that is turned about an axis of the old one by `angle` radians."""
    c, s = cos(angle), sin(angle)
    if axis == "x":
        return (1.0, 0.0, 0.0), (0.0, c, s), (0.0, -s, c)
    if axis == "y":
        return (c, 0.0, -s), (0.0, 1.0, 0.0), (s, 0.0, c)
    return (c, s, 0.0), (-s, c, 0.0), (0.0, 0.0, 1.0)


def _applied(matrix: Matrix, vector: Vector) -> Vector:
    x, y, z = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return x, y, z


def _transposed(matrix: Matrix) -> Matrix:
    x, y, z = zip(*matrix, strict=True)
    return x, y, z


def _product(*matrices: Matrix) -> Matrix:
    """The matrix that applies the last one first."""
    *others, last = matrices
    for matrix in reversed(others):
        x, y, z = (_applied(matrix, column) for column in _transposed(last))
        last = _transposed((x, y, z))
    return last


def _with_pole(lon: float, lat: float, node: float) -> Matrix:
    """The matrix to a frame by its pole and the longitude that the old pole has in it, in degrees."""
    return _product(
        _turned("z", radians(180 - node)), _turned("y", radians(90 - lat)), _turned("z", radians(lon))
    )


_ARCSECOND = radians(1 / 3600)

# B1950 to J2000 without the E-terms of aberration: Murray 1989, A&A 218, 325, equation 28.
_FK4_TO_FK5: Matrix = (
    (0.9999256794956877, -0.0111814832204662, -0.0048590038153592),
    (0.0111814832391717, 0.9999374848933135, -0.0000271625947142),
    (0.0048590037723143, -0.0000271702937440, 0.9999881946023742),
)
# Orientation of the FK5: Kaplan 2005, USNO Circular 179, section 3.5.
_ICRS_TO_FK5 = _product(
    _turned("x", 0.0199 * _ARCSECOND), _turned("y", 0.0091 * _ARCSECOND), _turned("z", -0.0229 * _ARCSECOND)
)
_ICRS_TO_FK4 = _product(_transposed(_FK4_TO_FK5), _ICRS_TO_FK5)
# By definition in FK4: Blaauw et al. 1960, MNRAS 121, 123.
_ICRS_TO_GALACTIC = _product(_with_pole(192.25, 27.4, 123.0), _ICRS_TO_FK4)
# De Vaucouleurs et al. 1976, Second Reference Catalogue of Bright Galaxies; the node is at l = 137.37.
_ICRS_TO_SUPERGALACTIC = _product(_with_pole(47.37, 6.32, 90.0), _ICRS_TO_GALACTIC)
# Frame bias and obliquity of J2000, IAU 2006: IERS Conventions 2010, section 5.4 and table 5.1.
_ICRS_TO_ECLIPTIC = _product(
    _turned("x", 84381.406 * _ARCSECOND),
    _turned("x", 0.0068192 * _ARCSECOND),
    _turned("y", -0.0166170 * _ARCSECOND),
    _turned("z", -0.0146 * _ARCSECOND),
)
_SAME: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

FRAMES: dict[str, Matrix] = {
    "ICRS": _SAME,
    # The catalogue's example for FK5 takes its axes for those of the ICRS; they are 25 mas apart.
    "FK5": _SAME,
    "FK4": _ICRS_TO_FK4,
    "GALACTIC": _ICRS_TO_GALACTIC,
    "SUPER_GALACTIC": _ICRS_TO_SUPERGALACTIC,
    "ECLIPTIC": _ICRS_TO_ECLIPTIC,
}
"""The matrix from the ICRS to each frame; equinoxes are J2000, of FK4 B1950."""

UCDS: dict[str, str] = {
    "ICRS": "pos.eq",
    "FK5": "pos.eq",
    "FK4": "pos.eq",
    "GALACTIC": "pos.galactic",
    "SUPER_GALACTIC": "pos.supergalactic",
    "ECLIPTIC": "pos.ecliptic",
}
"""The UCD of positions in each frame."""


@cache
def rotation(source: str, target: str) -> Matrix | None:
    """The matrix from one frame of FRAMES to another; None if it changes nothing."""
    if FRAMES[source] == FRAMES[target]:
        return None
    return _product(FRAMES[target], _transposed(FRAMES[source]))


def rotated(lon: float, lat: float, matrix: Matrix) -> tuple[float, float]:
    """A position after a rotation; degrees, longitudes from 0 to 360."""
    flat = cos(radians(lat))
    x, y, z = _applied(matrix, (flat * cos(radians(lon)), flat * sin(radians(lon)), sin(radians(lat))))
    return degrees(atan2(y, x)) % 360.0, degrees(atan2(z, hypot(x, y)))


def euler_angles(matrix: Matrix) -> tuple[float, float, float]:
    """The angles (radians) of the turns about z, x and z again that pgSphere takes for `matrix`."""
    (_, _, a), (_, _, b), (c, d, e) = matrix
    return atan2(c, d) % (2 * pi), atan2(hypot(c, d), e), atan2(a, -b) % (2 * pi)
