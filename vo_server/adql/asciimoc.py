"""ASCII MOCs in queries (MOC 2.0, section 4.2.3): checked, and written as PostgreSQL reads them."""

import re
from dataclasses import dataclass
from math import acos, asin, atan2, cos, degrees, pi, radians, sin, sqrt

_TOKEN = re.compile(r"(\d{1,20})/|(\d{1,20})(?:-(\d{1,20}))?(?![\d/-])")
_BETWEEN = re.compile(r"[\s,]*")

MOST_CENTRES = 1000
"""Of a MOC with more cells, no circle about it is looked for."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What a MOC is of: its letter, its deepest order, and how many cells an order has."""

    letter: str
    name: str
    deepest: int
    roots: int
    dimensions: int
    example: str

    def cells(self, order: int) -> int:
        """How many cells the whole axis has at `order`."""
        return self.roots << self.dimensions * order


SPACE = Axis("s", "MOC", 29, 12, 2, "a MOC looks like '3/1-3 5 4/90'")
TIME = Axis("t", "T-MOC", 61, 2, 1, "a T-MOC looks like '31/1234-1240 1250'")


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells first..last (inclusive) of an order."""

    order: int
    first: int
    last: int


def parse_moc(text: str, axis: Axis) -> list[Cells]:
    """The cells of an ASCII MOC; a group without cells tells the order, as (order, 0, -1).

    Blanks and commas part the cells; the letter of the axis may come first. Raises ValueError with a
    message for the user if the text is no MOC, or an order or a cell is out of range.
    """
    rest = text.strip()
    if rest[:1].lower() == axis.letter:
        rest = rest[1:]
    elif rest[:1].lower() in ("s", "t"):
        raise ValueError(f"this is a MOC of {'time' if axis is SPACE else 'space'}, not a {axis.name}")
    cells: list[Cells] = []
    order: int | None = None
    place, empty = 0, False
    while place < len(rest):
        token = _TOKEN.match(rest, place)
        joined = (
            token is not None and token[1] is not None and rest[place - 1 : place].strip(", \t\r\n") != ""
        )
        if token is None or joined or (token[1] is None and order is None):
            raise ValueError(f"'{rest[place : place + 20]}' is out of place; {axis.example}")
        if token[1] is not None:
            if empty and order is not None:
                cells.append(Cells(order, 0, -1))
            order, empty = _order(token[1], axis), True
        elif order is not None:
            cells.append(_cells(order, int(token[2]), int(token[3] or token[2]), axis))
            empty = False
        between = _BETWEEN.match(rest, token.end())
        place = between.end() if between is not None else token.end()
    if order is None:
        raise ValueError(f"the {axis.name} is empty; the MOC without cells is written '0/'")
    if empty:
        cells.append(Cells(order, 0, -1))
    return cells


def _order(digits: str, axis: Axis) -> int:
    if int(digits) > axis.deepest:
        raise ValueError(f"the order {digits} is out of range: orders of a {axis.name} end at {axis.deepest}")
    return int(digits)


def _cells(order: int, first: int, last: int, axis: Axis) -> Cells:
    most = axis.cells(order) - 1
    if last > most:
        raise ValueError(f"there is no cell {last} at order {order}: cells go from 0 to {most}")
    if first > last:
        raise ValueError(f"the range {first}-{last} ends before it begins")
    return Cells(order, first, last)


def space_text(cells: list[Cells]) -> str:
    """A MOC of space as pgSphere reads it."""
    return " ".join(f"{c.order}/{_range(c)}" for c in cells)


def _range(cells: Cells) -> str:
    if cells.last <= cells.first:
        return str(cells.first) if cells.last == cells.first else ""
    return f"{cells.first}-{cells.last}"


def multirange(cells: list[Cells], axis: Axis) -> str:
    """The cells as an int8multirange at the deepest order."""
    parts = []
    for c in cells:
        if c.first <= c.last:
            shift = axis.dimensions * (axis.deepest - c.order)
            parts.append(f"[{c.first << shift},{(c.last + 1) << shift})")
    return "{" + ",".join(parts) + "}"


def enclosing_circle(cells: list[Cells]) -> tuple[float, float, float] | None:
    """A circle (lon, lat, radius in degrees) that holds a MOC of space; None if there is none of 80 deg.

    It is about the mean of the cells' centres, so not the smallest one.
    """
    filled = [c for c in cells if c.first <= c.last]
    if not filled or sum(c.last - c.first + 1 for c in filled) > MOST_CENTRES:
        return None
    centres = [(c.order, cell_centre(c.order, n)) for c in filled for n in range(c.first, c.last + 1)]
    total = [sum(4.0**-order * v[axis] for order, v in centres) for axis in range(3)]
    length = sqrt(sum(t * t for t in total))
    if length == 0:
        return None
    x, y, z = (t / length for t in total)
    radius = max(acos(max(-1.0, min(1.0, x * a + y * b + z * c))) + reach(o) for o, (a, b, c) in centres)
    if degrees(radius) > 80:
        return None
    return degrees(atan2(y, x)) % 360.0, degrees(asin(max(-1.0, min(1.0, z)))), degrees(radius)


def reach(order: int) -> float:
    """From the centre of the largest cell of an order to its farthest corner, in radians.

    Gorski et al. 2005, ApJ 622, 759, section 5.3.
    """
    side = 1 << order
    low, high = 2 / 3, 1 - (1 - 1 / side) ** 2 / 3
    product = sqrt((1 - low * low) * (1 - high * high)) * cos(pi / 4 / side) + low * high
    return acos(min(1.0, product)) * 1.000001 + radians(1e-7)


def cell_centre(order: int, number: int) -> tuple[float, float, float]:
    """The unit vector to the centre of a cell (nested scheme; Gorski et al. 2005, section 5.3)."""
    side = 1 << order
    face, rest = divmod(number, side * side)
    ix, iy = _every_second_bit(rest), _every_second_bit(rest >> 1)
    ring = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)[face] * side - ix - iy - 1
    if ring < side:
        count, shift, z = ring, 0, 1 - ring * ring / (3 * side * side)
    elif ring > 3 * side:
        count, shift = 4 * side - ring, 0
        z = count * count / (3 * side * side) - 1
    else:
        count, shift, z = side, (ring - side) & 1, (2 * side - ring) * 2 / (3 * side)
    column = ((1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)[face] * count + ix - iy + 1 + shift) / 2
    lon = (column - (shift + 1) / 2) * pi / 2 / count
    plane = sqrt(max(0.0, 1 - z * z))
    return plane * cos(lon), plane * sin(lon), z


def _every_second_bit(number: int) -> int:
    found, place = 0, 0
    while number:
        found |= (number & 1) << place
        number >>= 2
        place += 1
    return found
