"""CONTAINS and INTERSECTS between shapes, as pgSphere conditions.

pgSphere compares with a tolerance of 1e-9 radian (0.2 mas), so that a point on the boundary counts
as inside. `a && b` of two polygons must not stand under NOT: pgSphere 1.2.0 declares an operator
`!&&` as its negator that computes `&&`.

A point is in a MOC exactly if it is in one of its cells. Against a MOC, circles and polygons count as
MOCs with cells of less than a hundredth of their size (vo.moc_fine).
"""

import re
from collections.abc import Callable, Mapping

from vo_server.adql.terms import INTERVALS, Shape, Test

Rule = Callable[[Shape, Shape], str]

_ALIAS = re.compile(r'"(?:[^"]|"")*"(?=\.)')


def contains(inner: Shape, outer: Shape) -> Test:
    """Whether `inner` lies within `outer`, its boundary included (ADQL 2.1, 4.2.11)."""
    return _relate(inner, outer, _WITHIN)


def intersects(left: Shape, right: Shape) -> Test:
    """Whether the shapes share a point; a point intersects what contains it (ADQL 2.1, 4.2.16)."""
    return _relate(left, right, _OVERLAP)


def within_distance(left: Shape, right: Shape, radius: str, *, cap: bool) -> str:
    """Whether two points are at most `radius` (SQL, radians) apart; `cap` if that is over 90 degrees.

    The point that an index serves stands alone on the left of `<@`. If indexes serve both points, as
    in a crossmatch, the condition is written both ways round, for the planner to choose.
    """
    if cap:
        return f"({left.sql} <-> {right.sql}) <= {radius}"
    if left.indexed and right.indexed:
        both = (left.sql, right.sql), (right.sql, left.sql)
        return " AND ".join(f"{a} <@ scircle({b}, {radius})" for a, b in both)
    if (right.indexed and not left.indexed) or (left.numbers is not None and right.numbers is None):
        left, right = right, left
    return f"{left.sql} <@ scircle({right.sql}, {radius})"


def within_radius(left: Shape, right: Shape, degrees: str) -> str:
    """Whether two points are at most a computed radius (SQL, degrees) apart.

    An index on one point can be used if the other point and the radius come from other tables; then
    pgSphere raises an error for radii over 90 degrees. Otherwise radii up to 180 are taken.
    """
    served = [
        f"{a.sql} <@ scircle({b.sql}, radians({degrees}))"
        for a, b in ((left, right), (right, left))
        if a.indexed and not _tables(a.sql) & (_tables(b.sql) | _tables(degrees))
    ]
    return " AND ".join(served) or f"({left.sql} <-> {right.sql}) <= vo.disc_radius({degrees})"


def _tables(sql: str) -> set[str]:
    """The aliases of the tables that columns in `sql` are of."""
    return set(_ALIAS.findall(sql))


def per_row(shape: Shape, render: Callable[[Shape], str]) -> str:
    """`render` of a shape; of a region, of whichever of its columns is filled."""
    return _by_row(shape.options or (shape,), render)


def moc_of_order(order: str, shape: Shape) -> str:
    """The MOC of a shape with cells of an order."""
    if shape.center is not None:
        return f"vo.moc_disc({order}, {shape.center.sql}, {shape.radius})"
    return f"vo.moc({order}, {shape.sql})"


def fine_moc(shape: Shape) -> str:
    """The MOC of a shape with cells as fine as its size allows."""
    if shape.kind == "moc":
        return shape.sql
    if shape.center is not None:
        return f"vo.moc_fine({shape.center.sql}, {shape.radius})"
    return f"vo.moc_fine({shape.sql})"


def _relate(left: Shape, right: Shape, rules: Mapping[tuple[str, str], Rule]) -> Test:
    """The rule between two shapes, one or both of which may be of another kind by row."""

    def rule(a: Shape, b: Shape) -> str:
        return rules[a.kind, b.kind](a, b)

    lefts, rights = _forms(left, right), _forms(right, left)
    if len(lefts) * len(rights) == 1:
        sql = rule(left, right)
        return Test(sql, sql)
    pairs = [(a, b) for a in lefts for b in rights if rules[a.kind, b.kind] is not _never]
    columns = tuple(form for forms in (lefts, rights) if len(forms) > 1 for form in forms)
    matching = _matching(pairs, columns, rule)
    return Test(matching, _by_row(lefts, lambda a: _by_row(rights, lambda b: rule(a, b))))


def _forms(shape: Shape, other: Shape) -> tuple[Shape, ...]:
    """The kinds of shape that one may be, row by row; points and MOCs compare with any circle as it is."""
    if not shape.computed or shape.center is None or other.kind in {"point", "moc"}:
        return shape.options or (shape,)
    center, degrees = shape.center.sql, shape.computed
    narrow = f"scircle({center}, radians(CASE WHEN {degrees} <= 90 THEN {degrees} END))"
    opposite = f"spoint(long({center}) + pi(), -lat({center}))"
    rest = f"scircle({opposite}, radians(CASE WHEN {degrees} > 90 THEN 180 - {degrees} END))"
    middle = Shape("point", f"CASE WHEN {degrees} > 90 THEN {center} END")
    return Shape("circle", narrow), Shape("cap", rest, center=middle)


def _matching(pairs: list[tuple[Shape, Shape]], columns: tuple[Shape, ...], rule: Rule) -> str:
    """The rule of all pairs, for indexes, which cannot tell what meets a cap: they bring every pair with one.

    What it takes to sort these out stands apart, so that the pairs of others are not compared twice.
    """
    caps = [column for column in columns if column.kind == "cap"]
    wide = [(a, b) for a, b in pairs if a in caps or b in caps]
    found = " OR ".join(_known_to_index(a, b, columns) if (a, b) in wide else rule(a, b) for a, b in pairs)
    if not wide:
        return found or "FALSE"
    none = " AND ".join(f"{cap.sql} IS NULL" for cap in caps)
    return f"({found}) AND ({none} OR {' OR '.join(rule(a, b) for a, b in wide)})"


def _known_to_index(a: Shape, b: Shape, columns: tuple[Shape, ...]) -> str:
    """That those of the two which are caps of `columns` are known, as indexes on either of the two find it.

    Few regions are caps: an index tells fast which. What else an index is on meets the half of the sky
    about the centre of the cap, or the other half.
    """
    known = []
    for cap, other in ((a, b), (b, a)):
        if cap.kind == "cap" and cap in columns:
            known.append(f"{cap.sql} IS NOT NULL")
            if other.indexed or (other.kind != "cap" and other in columns):
                known.append(_in_either_half(other, cap))
    return " AND ".join(known)


def _in_either_half(shape: Shape, cap: Shape) -> str:
    operator = "<@" if shape.kind == "point" else "&&"
    opposite = cap.center.sql if cap.center is not None else ""
    halves = (f"scircle({center}, pi() / 2)" for center in (f"center({cap.sql})", opposite))
    return f"({' OR '.join(f'{shape.sql} {operator} {half}' for half in halves)})"


def _by_row(options: tuple[Shape, ...], render: Callable[[Shape], str]) -> str:
    if len(options) == 1:
        return render(options[0])
    *others, last = options
    whens = " ".join(f"WHEN {option.sql} IS NOT NULL THEN {render(option)}" for option in others)
    return f"CASE {whens} ELSE {render(last)} END"


def _known(value: str) -> Rule:
    """A rule that holds `value` for all shapes, NULL if one of them is NULL."""
    return lambda a, b: f"CASE WHEN {a.sql} IS NOT NULL AND {b.sql} IS NOT NULL THEN {value} END"


_never = _known("FALSE")


def _same(a: Shape, b: Shape) -> str:
    return f"{a.sql} = {b.sql}"


def _inside(a: Shape, b: Shape) -> str:
    return f"{a.sql} <@ {b.sql}"


def _overlap(a: Shape, b: Shape) -> str:
    return f"{a.sql} && {b.sql}"


def _swapped(rule: Rule) -> Rule:
    return lambda a, b: rule(b, a)


def _point_in_disc(a: Shape, b: Shape) -> str:
    if b.center is None:
        return _inside(a, b)
    if b.computed:
        return within_radius(a, b.center, b.computed)
    return within_distance(a, b.center, b.radius, cap=b.kind == "cap")


def _point_in_moc(a: Shape, b: Shape) -> str:
    """An index on points knows circles, not MOCs: the circle about a constant MOC narrows the search."""
    inside = f"{a.sql} <@ {b.sql}"
    return inside if b.bound is None else f"{a.sql} <@ {b.bound.sql} AND {inside}"


def _outside_rest(a: Shape, b: Shape) -> str:
    return _but_for_a_point(f"{a.sql} && {b.sql}", b)


def _reaches_out(a: Shape, b: Shape) -> str:
    return _but_for_a_point(f"{a.sql} <@ {b.sql}", b)


def _but_for_a_point(meets_rest: str, cap: Shape) -> str:
    """The opposite of what is said of the rest of a cap; true of the whole sky, whose rest is but a point.

    `<=` of two conditions is that the first implies the second, or NULL if one is.
    """
    if cap.numbers is not None and cap.numbers[2] < 180:
        return f"NOT ({meets_rest})"
    return f"({meets_rest}) <= (radius({cap.sql}) = 0)"


def _cap_in_cap(a: Shape, b: Shape) -> str:
    within = f"{b.sql} <@ {a.sql}"
    if b.numbers is not None and b.numbers[2] < 180:
        return within
    return _but_for_a_point(f"NOT ({within})", b)


def _moc_inside(a: Shape, b: Shape) -> str:
    return f"{_near(a, b)}{fine_moc(a)} <@ {fine_moc(b)}"


def _mocs_overlap(a: Shape, b: Shape) -> str:
    return f"{_near(a, b)}{fine_moc(a)} && {fine_moc(b)}"


def _near(a: Shape, b: Shape) -> str:
    """What an index on circles or polygons serves: that a shape meets the circle about a constant MOC."""
    moc, other = (a, b) if a.kind == "moc" else (b, a)
    if moc.bound is None or other.kind not in {"circle", "polygon"} or other.computed:
        return ""
    return f"{other.sql} && {moc.bound.sql} AND "


def _time_within(a: Shape, b: Shape) -> str:
    """Of what lies within whole cells of an order, the cells of that order around it do, too."""
    return f"{(a.base or a).sql if a.order == b.order else a.sql} <@ {b.sql}"


def _times_overlap(a: Shape, b: Shape) -> str:
    """Cells of an order meet a T-MOC if their base meets its cells of that order: so an index serves it."""
    if a.base is None:
        a, b = b, a
    if a.base is None:
        return _overlap(a, b)
    return f"{a.base.sql} && vo.tmoc_degrade({a.order}, {b.sql})"


_WITHIN: dict[tuple[str, str], Rule] = {
    (INTERVALS, INTERVALS): _time_within,
    ("point", "point"): _same,
    ("point", "circle"): _point_in_disc,
    ("point", "cap"): _point_in_disc,
    ("point", "polygon"): _inside,
    ("point", "moc"): _point_in_moc,
    ("circle", "point"): _never,
    ("circle", "circle"): _inside,
    ("circle", "polygon"): _inside,
    ("circle", "cap"): _outside_rest,
    ("polygon", "point"): _never,
    ("polygon", "circle"): _inside,
    ("polygon", "polygon"): _inside,
    ("polygon", "cap"): _outside_rest,
    ("cap", "point"): _never,
    ("cap", "circle"): _never,
    ("cap", "polygon"): _never,
    ("cap", "cap"): _cap_in_cap,
    ("moc", "point"): _never,
    **{(kind, "moc"): _moc_inside for kind in ("circle", "polygon", "cap", "moc")},
    **{("moc", kind): _moc_inside for kind in ("circle", "polygon", "cap")},
}

_OVERLAP: dict[tuple[str, str], Rule] = {
    (INTERVALS, INTERVALS): _times_overlap,
    **{pair: rule for pair, rule in _WITHIN.items() if pair[0] == "point"},
    **{(b, a): _swapped(rule) for (a, b), rule in _WITHIN.items() if a == "point" and b != "point"},
    **{(a, b): _overlap for a in ("circle", "polygon") for b in ("circle", "polygon")},
    ("circle", "cap"): _reaches_out,
    ("polygon", "cap"): _reaches_out,
    ("cap", "circle"): _swapped(_reaches_out),
    ("cap", "polygon"): _swapped(_reaches_out),
    ("cap", "cap"): _known("TRUE"),
    **{(kind, "moc"): _mocs_overlap for kind in ("circle", "polygon", "cap", "moc")},
    **{("moc", kind): _mocs_overlap for kind in ("circle", "polygon", "cap")},
}
