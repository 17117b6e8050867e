"""CONTAINS and INTERSECTS between shapes, as pgSphere conditions.

pgSphere compares with a tolerance of 1e-9 radian (0.2 mas), so that a point on the boundary counts
as inside. `a && b` of two polygons must not stand under NOT: pgSphere 1.2.0 declares an operator
`!&&` as its negator that computes `&&`.
"""

from collections.abc import Callable

from vo_server.adql.terms import Shape, Test

Rule = Callable[[Shape, Shape], str]


def contains(inner: Shape, outer: Shape) -> Test:
    """Whether `inner` lies within `outer`, its boundary included (ADQL 2.1, 4.2.11)."""
    return _relate(inner, outer, lambda a, b: _WITHIN[a.kind, b.kind](a, b))


def intersects(left: Shape, right: Shape) -> Test:
    """Whether the shapes share a point; a point intersects what contains it (ADQL 2.1, 4.2.16)."""
    return _relate(left, right, lambda a, b: _OVERLAP[a.kind, b.kind](a, b))


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


def _relate(left: Shape, right: Shape, rule: Rule) -> Test:
    """The rule between two shapes, one or both of which may be a circle or a polygon by row."""
    lefts, rights = left.options or (left,), right.options or (right,)
    if len(lefts) * len(rights) == 1:
        sql = rule(left, right)
        return Test(sql, sql)
    matching = " OR ".join(rule(a, b) for a in lefts for b in rights)
    return Test(matching, _by_row(lefts, lambda a: _by_row(rights, lambda b: rule(a, b))))


def _by_row(options: tuple[Shape, ...], render: Callable[[Shape], str]) -> str:
    if len(options) == 1:
        return render(options[0])
    first, second = options
    return f"CASE WHEN {first.sql} IS NOT NULL THEN {render(first)} ELSE {render(second)} END"


def _known(value: str) -> Rule:
    """A rule that holds `value` for all shapes, NULL if one of them is NULL."""
    return lambda a, b: f"CASE WHEN {a.sql} IS NOT NULL AND {b.sql} IS NOT NULL THEN {value} END"


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
    return within_distance(a, b.center, b.radius, cap=b.kind == "cap")


def _outside_rest(a: Shape, b: Shape) -> str:
    return f"NOT ({a.sql} && {b.sql})"


def _reaches_out(a: Shape, b: Shape) -> str:
    return f"NOT ({a.sql} <@ {b.sql})"


def _cap_in_cap(a: Shape, b: Shape) -> str:
    return f"{b.sql} <@ {a.sql}"


_WITHIN: dict[tuple[str, str], Rule] = {
    ("point", "point"): _same,
    ("point", "circle"): _point_in_disc,
    ("point", "cap"): _point_in_disc,
    ("point", "polygon"): _inside,
    ("circle", "point"): _known("FALSE"),
    ("circle", "circle"): _inside,
    ("circle", "polygon"): _inside,
    ("circle", "cap"): _outside_rest,
    ("polygon", "point"): _known("FALSE"),
    ("polygon", "circle"): _inside,
    ("polygon", "polygon"): _inside,
    ("polygon", "cap"): _outside_rest,
    ("cap", "point"): _known("FALSE"),
    ("cap", "circle"): _known("FALSE"),
    ("cap", "polygon"): _known("FALSE"),
    ("cap", "cap"): _cap_in_cap,
}

_OVERLAP: dict[tuple[str, str], Rule] = {
    **{pair: rule for pair, rule in _WITHIN.items() if pair[0] == "point"},
    **{(b, a): _swapped(rule) for (a, b), rule in _WITHIN.items() if a == "point" and b != "point"},
    **{(a, b): _overlap for a in ("circle", "polygon") for b in ("circle", "polygon")},
    ("circle", "cap"): _reaches_out,
    ("polygon", "cap"): _reaches_out,
    ("cap", "circle"): _swapped(_reaches_out),
    ("cap", "polygon"): _swapped(_reaches_out),
    ("cap", "cap"): _known("TRUE"),
}
