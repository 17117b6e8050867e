"""The STC-S subset that REGION takes, and the spherical geometry of constant shapes (degrees)."""

from math import asin, atan, atan2, cos, degrees, hypot, radians, sin, sqrt, tan

FRAMES = frozenset({"ICRS", "UNKNOWNFRAME", "FK5", "J2000"})
"""Frames taken as ICRS. FK5 at J2000 agrees with it to some 0.02 arcsec."""

OTHER_FRAMES = frozenset(
    {"FK4", "B1950", "GALACTIC", "GALACTIC_I", "GALACTIC_II", "SUPERGALACTIC", "ECLIPTIC"}
)
REFERENCE_POSITIONS = frozenset(
    {"BARYCENTER", "GEOCENTER", "HELIOCENTER", "LSR", "TOPOCENTER", "RELOCATABLE", "UNKNOWNREFPOS"}
)
FLAVORS = frozenset({"SPHERICAL2", "CARTESIAN2", "CARTESIAN3"})
SHAPES = {"POSITION": 2, "CIRCLE": 3, "BOX": 4, "POLYGON": None}
"""How many numbers each shape has; None is any even number from six on."""


def check_frame(text: str) -> str:
    """What is wrong with a coordinate system argument ('', 'ICRS', 'ICRS GEOCENTER' ...), or ''."""
    for word in text.upper().split():
        if word in OTHER_FRAMES:
            return f"coordinates in {word} are not supported, all positions here are ICRS"
        if word not in FRAMES | REFERENCE_POSITIONS | FLAVORS:
            return f"{word} is not a coordinate system"
    return ""


def parse_stcs(text: str) -> tuple[str, list[float]]:
    """Shape (upper case) and numbers in degrees of `Circle ICRS 10 20 1` and the like.

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
    problem = check_frame(" ".join(words[1:first]))
    if problem:
        raise ValueError(problem)
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
        normal = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
        length = sqrt(sum(n * n for n in normal))
        if length > 0:
            arc = atan2(length, sum(x * y for x, y in zip(a, b, strict=True)))
            total = [t + n / length * arc for t, n in zip(total, normal, strict=True)]
    middle = [sum(axis) for axis in zip(*points, strict=True)]
    # Clockwise vertices give the opposite vector; the polygon is the side its vertices are on.
    sign = 1.0 if sum(t * m for t, m in zip(total, middle, strict=True)) >= 0 else -1.0
    return _lonlat((sign * total[0], sign * total[1], sign * total[2]), 0.0)


def _vector(lon: float, lat: float) -> tuple[float, float, float]:
    x, y = radians(lon), radians(lat)
    return cos(y) * cos(x), cos(y) * sin(x), sin(y)


def _lonlat(vector: tuple[float, float, float], turn: float) -> tuple[float, float]:
    """Longitude (turned by `turn`, in 0..360) and latitude of a vector, in degrees."""
    x, y, z = vector
    length = sqrt(x * x + y * y + z * z) or 1.0
    lat = atan2(z, hypot(x, y)) if abs(z) < length else asin(z / length)
    return (degrees(atan2(y, x)) + turn) % 360.0, degrees(lat)
