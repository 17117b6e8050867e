"""The STC-S subset that REGION takes, and the spherical geometry of constant shapes (degrees)."""

from itertools import pairwise, takewhile
from math import asin, atan, atan2, cos, degrees, hypot, radians, sin, sqrt, tan
from typing import TypeAlias

Vector: TypeAlias = tuple[float, float, float]

FRAMES: dict[str, str] = {
    **dict.fromkeys(("ICRS", "UNKNOWNFRAME"), "ICRS"),
    **dict.fromkeys(("FK5", "J2000"), "FK5"),
    **dict.fromkeys(("FK4", "B1950"), "FK4"),
    **dict.fromkeys(("GALACTIC", "GALACTIC_II"), "GALACTIC"),
    **dict.fromkeys(("SUPERGALACTIC", "SUPER_GALACTIC"), "SUPER_GALACTIC"),
    "ECLIPTIC": "ECLIPTIC",
}
"""Names of frames in STC-S and in coordinate system arguments: the frame of the vocabulary that they mean."""

REFERENCE_POSITIONS = frozenset(
    {"BARYCENTER", "GEOCENTER", "HELIOCENTER", "LSR", "TOPOCENTER", "RELOCATABLE", "UNKNOWNREFPOS"}
)
FLAVORS = frozenset({"SPHERICAL2", "CARTESIAN2", "CARTESIAN3"})
SHAPES = {"POSITION": 2, "CIRCLE": 3, "BOX": 4, "POLYGON": None}
"""How many numbers each shape has; None is any even number from six on."""


def frame_of(text: str) -> str:
    """The frame that a coordinate system argument means ('', 'ICRS', 'FK5 GEOCENTER' ...).

    Raises ValueError with a message for the user.
    """
    frame = "ICRS"
    for word in text.upper().split():
        if word in FRAMES:
            frame = FRAMES[word]
        elif word not in REFERENCE_POSITIONS | FLAVORS:
            raise ValueError(f"{word} is not a coordinate system; known are {', '.join(FRAMES)}")
    return frame


def region_frame(text: str) -> str:
    """The frame of an STC-S region; ICRS for what is none."""
    words = text.split()
    if not words or words[0].upper() not in SHAPES:
        return "ICRS"
    return frame_of(" ".join(takewhile(lambda word: not _is_number(word), words[1:])))


def parse_stcs(text: str) -> tuple[str, list[float]]:
    """Shape (upper case) and numbers in degrees of `Circle ICRS 10 20 1` and the like, in their own frame.

    Raises ValueError with a message for the user.
    """
    words = text.split()
    shape = words[0].upper() if words else ""
    if shape not in SHAPES:
        raise ValueError(
            f"a region is one of Circle, Polygon, Box and Position, not {words[0] if words else 'empty'}"
        )
    first = 1
    while first < len(words) and not _is_number(words[first]):
        first += 1
    frame_of(" ".join(words[1:first]))
    if not all(_is_number(w) for w in words[first:]):
        raise ValueError("the frame is followed by numbers only")
    numbers = [float(w) for w in words[first:]]
    wanted = SHAPES[shape]
    if wanted is not None and len(numbers) != wanted:
        raise ValueError(f"{words[0]} takes {wanted} numbers, here are {len(numbers)}")
    if wanted is None and (len(numbers) < 6 or len(numbers) % 2):
        raise ValueError("Polygon takes at least three pairs of numbers")
    return shape, numbers


def _is_number(word: str) -> bool:
    try:
        value = float(word)
    except ValueError:
        return False
    return abs(value) < float("inf") and "_" not in word


def box_corners(lon: float, lat: float, width: float, height: float) -> list[float]:
    """The corners of a BOX: lon1, lat1, ... counter-clockwise as seen on the sky, in degrees.

    ADQL 2.1, 4.2.9: the sides are great circles that cross the arms of the central cross at right
    angles. In the frame with the centre on the equator they are the meridians at +-width/2 and the
    great circles tan(lat) = tan(height/2) cos(lon).
    """
    half = radians(width / 2)
    top = atan(tan(radians(height / 2)) * cos(half))
    corners: list[float] = []
    for x, y in ((half, top), (-half, top), (-half, -top), (half, -top)):
        vector = (cos(y) * cos(x), cos(y) * sin(x), sin(y))
        tilt = radians(lat)
        tilted = (
            vector[0] * cos(tilt) - vector[2] * sin(tilt),
            vector[1],
            vector[0] * sin(tilt) + vector[2] * cos(tilt),
        )
        corners += _lonlat(tilted, lon)
    return corners


def polygon_centroid(vertices: tuple[float, ...]) -> tuple[float, float]:
    """The centroid (lon, lat) of a spherical polygon, in degrees.

    The area integral of the unit vector over a polygon is half the sum, over its edges, of arc
    length times unit normal (Stokes' theorem).
    """
    points = [_vector(vertices[i], vertices[i + 1]) for i in range(0, len(vertices), 2)]
    total = [0.0, 0.0, 0.0]
    for a, b in zip(points, points[1:] + points[:1], strict=True):
        normal = _cross(a, b)
        length = sqrt(sum(n * n for n in normal))
        if length > 0:
            arc = atan2(length, _dot(a, b))
            total = [t + n / length * arc for t, n in zip(total, normal, strict=True)]
    middle = [sum(axis) for axis in zip(*points, strict=True)]
    # Clockwise vertices give the opposite vector; the polygon is the side its vertices are on.
    sign = 1.0 if sum(t * m for t, m in zip(total, middle, strict=True)) >= 0 else -1.0
    return _lonlat((sign * total[0], sign * total[1], sign * total[2]), 0.0)


def polygon_area(vertices: tuple[float, ...]) -> float:
    """The area of a spherical polygon (lon1, lat1, ... in degrees) in square degrees.

    It is the sum of the signed areas E of triangles from the first vertex; with unit vectors,
    tan(E / 2) = a.(b x c) / (1 + a.b + b.c + c.a) (van Oosterom & Strackee 1983, IEEE Trans. Biomed.
    Eng. 30, 125). Differences of the vectors keep the digits of small polygons.
    """
    a, *others = [_vector(vertices[i], vertices[i + 1]) for i in range(0, len(vertices), 2)]
    total = 0.0
    for b, c in pairwise(others):
        volume = _dot(a, _cross(_difference(b, a), _difference(c, a)))
        total += 2 * atan2(volume, 1 + _dot(a, b) + _dot(b, c) + _dot(c, a))
    return degrees(degrees(abs(total)))


MOST_CHECKED = 60
"""Vertices of the largest polygon whose sides are compared here, each with each."""


def polygon_fault(vertices: tuple[float, ...]) -> str:
    """What is wrong with a polygon (lon1, lat1, ... in degrees), or ''.

    pgSphere takes no polygon beyond the hemisphere about the middle of its vertices, and none whose
    sides cross.
    """
    points = [_vector(vertices[i], vertices[i + 1]) for i in range(0, len(vertices), 2)]
    middle = [min(axis) + max(axis) for axis in zip(*points, strict=True)]
    if any(sum(m * p for m, p in zip(middle, point, strict=True)) <= 0 for point in points):
        return "the polygon is larger than a hemisphere"
    if len(points) > MOST_CHECKED:
        return ""
    sides = [(a, b, _cross(a, b)) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    for i, (a, b, across) in enumerate(sides):
        for c, d, other in sides[i + 2 : len(sides) - (i == 0)]:
            ahead = _dot(across, c) > 0
            if ahead != (_dot(across, d) > 0) and ahead == (_dot(other, b) > 0) != (_dot(other, a) > 0):
                return "the sides of the polygon cross"
    return ""


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _difference(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _vector(lon: float, lat: float) -> Vector:
    x, y = radians(lon), radians(lat)
    return cos(y) * cos(x), cos(y) * sin(x), sin(y)


def _lonlat(vector: Vector, turn: float) -> tuple[float, float]:
    """Longitude (turned by `turn`, in 0..360) and latitude of a vector, in degrees."""
    x, y, z = vector
    length = sqrt(x * x + y * y + z * z) or 1.0
    lat = atan2(z, hypot(x, y)) if abs(z) < length else asin(z / length)
    return (degrees(atan2(y, x)) + turn) % 360.0, degrees(lat)
