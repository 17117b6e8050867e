"""MOCs of space (MOC 2.0) as values: how they are made, combined and measured, on pgSphere's smoc.

How a circle or polygon becomes a MOC is told by the SQL functions vo.moc and vo.moc_fine: cells that
it touches are in, so that nothing of it is lost.
"""

from collections.abc import Callable

from schema.types import DOUBLE, INTEGER, MOC, Type
from vo_server.adql.asciimoc import SPACE, enclosing_circle, parse_moc, reach, space_text
from vo_server.adql.calls import COVERAGE, GEOMETRY, LITERAL, WHOLE, Arguments, Function
from vo_server.adql.errors import ADQLError, Span
from vo_server.adql.spatial import fine_moc, moc_of_order, per_row
from vo_server.adql.terms import Meta, Parameters, Shape, Term, number

META = Meta(ucd="pos.outline;obs.field")
SHARE = Meta(ucd="stat.value;pos.outline")


def literal_shape(text: str, at: Span, parameters: Parameters) -> Shape:
    """The MOC that a string literal holds. Raises ADQLError if it is none."""
    try:
        cells = parse_moc(text, SPACE)
    except ValueError as error:
        raise ADQLError(str(error), at) from None
    bound = enclosing_circle(cells)
    circle = None if bound is None else Shape("circle", circle_sql(*bound), numbers=bound)
    return Shape("moc", parameters.bind(space_text(cells)) + "::smoc", bound=circle)


def circle_sql(lon: float, lat: float, radius: float) -> str:
    """A constant circle, in degrees."""
    return f"scircle(spoint(radians({number(lon)}), radians({number(lat)})), radians({number(radius)}))"


def _of_literal(call: Arguments) -> Term:
    text = call.terms[0].constant
    shape = literal_shape(str(text), call.terms[0].at, call.parameters)
    return call.result(shape.sql, MOC, META, shape)


def _of_shape(call: Arguments) -> Term:
    order, shape = call.terms[0], call.shape(1)
    if isinstance(order.constant, int) and not 0 <= order.constant <= SPACE.deepest:
        raise ADQLError(
            f"the order {order.constant} is out of range", order.at, "orders of a MOC go from 0 to 29"
        )
    sql = per_row(shape, lambda s: moc_of_order(order.sql, s))
    return call.result(sql, MOC, META, Shape("moc", sql, bound=_bound(shape, order.constant)))


def _bound(shape: Shape, order: float | str | None) -> Shape | None:
    """A circle that holds the MOC of a constant circle."""
    if shape.kind != "circle" or shape.numbers is None or not isinstance(order, int):
        return None
    lon, lat, radius = shape.numbers
    wide = radius + 2.5 * reach(order) * 57.2957795130823
    return Shape("circle", circle_sql(lon, lat, wide)) if wide <= 80 else None


def _with_shape(template: str) -> Callable[[Arguments], Term]:
    """A function of MOCs that brings a MOC."""

    def build(call: Arguments) -> Term:
        sql = template.format(*(t.sql for t in call.terms))
        return call.result(sql, MOC, META, Shape("moc", sql))

    return build


def _coverage(call: Arguments) -> Term:
    whole, part = (per_row(call.shape(i), fine_moc) for i in (0, 1))
    return call.result(f"(area({whole} & {part}) / nullif(area({whole}), 0))", DOUBLE, SHARE)


def _moc(
    name: str, arguments: tuple[tuple[str, str], ...], sql: str, doc: str, *, aggregate: bool = False
) -> Function:
    return Function(name, arguments, MOC, sql, doc, META, aggregate=aggregate, build=_with_shape(sql))


def _measure(name: str, result: Type, sql: str, doc: str) -> Function:
    return Function(name, (("moc", COVERAGE),), result, sql, doc, SHARE)


PAIR = (("a", COVERAGE), ("b", COVERAGE))

MOCS: tuple[Function, ...] = (
    Function(
        "MOC",
        (("order", WHOLE), ("geometry", GEOMETRY)),
        MOC,
        "",
        "The cells of a HEALPix order that a point, circle, polygon, region or MOC touches. The order is"
        " limited by the size: to 12 for a circle of 90 degrees, 15 for 5 degrees.",
        META,
        build=_of_shape,
    ),
    Function(
        "MOC",
        (("ascii", LITERAL),),
        MOC,
        "",
        "The MOC that a string literal holds, such as '3/1-3 5 4/90'.",
        META,
        build=_of_literal,
    ),
    _moc("gavo_mocunion", PAIR, "({0} | {1})", "The union of two MOCs, of the deeper order."),
    _moc("gavo_mocintersect", PAIR, "({0} & {1})", "The intersection of two MOCs, of the deeper order."),
    _moc("vo_moc_minus", PAIR, "vo.moc_minus({0}, {1})", "What is in the first MOC and not in the second."),
    _moc(
        "vo_moc_complement",
        (("moc", COVERAGE),),
        "vo.moc_minus('0/0-11'::smoc, {0})",
        "What of the sky is not in the MOC.",
    ),
    _moc(
        "vo_moc_union_agg",
        (("moc", COVERAGE),),
        "sum({0})",
        "An aggregate: the union of the MOCs of a group; NULLs are left out.",
        aggregate=True,
    ),
    _moc(
        "vo_moc_intersect_agg",
        (("moc", COVERAGE),),
        "intersection({0})",
        "An aggregate: the intersection of the MOCs of a group; NULLs are left out.",
        aggregate=True,
    ),
    _measure("vo_moc_order", INTEGER, "max_order({0})", "The HEALPix order of a MOC."),
    _measure("vo_moc_sky_fraction", DOUBLE, "(area({0}) / (4 * pi()))", "The share of the sky in a MOC."),
    Function(
        "vo_moc_coverage",
        (("whole", GEOMETRY), ("part", GEOMETRY)),
        DOUBLE,
        "",
        "The share of the first geometry or MOC that the second one covers, from 0 to 1; NULL if the"
        " first is empty. Circles and polygons count as MOCs with cells of less than a hundredth of"
        " their size, which is good to some percent.",
        SHARE,
        build=_coverage,
    ),
)
"""Functions of MOCs. The names of union and intersection are those of other servers."""
