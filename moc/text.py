"""MOCs as ASCII (MOC 2.0, section 4.3) and as JSON (section 4.4).

MOCs of one axis have no letter before their orders: so the software of the CDS writes and reads them.
"""

import json

import numpy as np

from moc.model import Axis, Integers, Moc, SpaceTimeMoc, moc_of


def parse(text: str, axis: Axis) -> Moc:
    """The MOC of an ASCII text from the database; its order is the deepest one in it.

    What users write is checked by `vo_server.adql.asciimoc`. Raises ValueError for what is no MOC.
    """
    numbers: list[int] = []
    ends: list[int] = []
    orders: list[int] = []
    order = -1
    for token in text.replace("/", "/ ").replace(",", " ").split():
        if token.endswith("/"):
            order = int(token[:-1].lstrip("st"))
            orders.append(order)
            numbers.append(0)
            ends.append(0)
            continue
        first, _, last = token.partition("-")
        numbers.append(int(first))
        ends.append(int(last or first) + 1)
        orders.append(order)
    return _of_ranges(axis, numbers, ends, orders)


def _of_ranges(axis: Axis, first: list[int], end: list[int], orders: list[int]) -> Moc:
    if not orders or not 0 <= min(orders) <= max(orders) <= axis.deepest:
        raise ValueError(f"no MOC of {axis.name}")
    shift = axis.dimensions * (axis.deepest - np.array(orders, np.int64))
    ranges = np.stack([np.array(first, np.int64) << shift, np.array(end, np.int64) << shift], axis=1)
    return moc_of(axis, max(orders), ranges)


def ascii_moc(moc: Moc) -> str:
    """ASCII: groups by ascending order, inclusive ranges, the order of the MOC declared."""
    cells = moc.cells()
    groups = [f"{order}/{' '.join(_runs(numbers))}" for order, numbers in cells.items()]
    if moc.order not in cells:
        groups.append(f"{moc.order}/")
    return " ".join(groups)


def ascii_space_time(moc: SpaceTimeMoc) -> str:
    """ASCII: elements of time and space in turn, each of which tells its orders."""
    parts = []
    for first, end, sky in moc.elements:
        when = f"{first}" if end == first + 1 else f"{first}-{end - 1}"
        parts.append(f"t{moc.time_order}/{when} s{ascii_moc(sky)}")
    return "\n".join([*parts, f"t{moc.time_order}/ s{moc.space_order}/"])


def json_moc(moc: Moc) -> str:
    """JSON: order -> cells; an empty list declares the order."""
    return json.dumps(_object(moc))


def json_space_time(moc: SpaceTimeMoc) -> str:
    """JSON: a list of elements, each with its cells of time and of space; the last declares the orders."""
    elements = [
        {"t": {str(moc.time_order): list(range(first, end))}, "s": _object(sky)}
        for first, end, sky in moc.elements
    ]
    return json.dumps([*elements, {"t": {str(moc.time_order): []}, "s": {str(moc.space_order): []}}])


def _object(moc: Moc) -> dict[str, list[int]]:
    cells = {str(order): numbers.tolist() for order, numbers in moc.cells().items()}
    return cells if str(moc.order) in cells else {**cells, str(moc.order): []}


def _runs(numbers: Integers) -> list[str]:
    breaks = np.flatnonzero(np.diff(numbers) != 1)
    first, last = numbers[np.append(0, breaks + 1)], numbers[np.append(breaks, -1)]
    pairs = zip(first.tolist(), last.tolist(), strict=True)
    return [f"{low}" if low == high else f"{low}-{high}" for low, high in pairs]
