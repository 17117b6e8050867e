"""Time MOCs (MOC 2.0): when something was observed, compared with intervals and with each other.

In PostgreSQL they are int8multiranges of microseconds since JD 0, TCB at the barycentre: a T-MOC
column brings a hidden column of them, which an index serves; a literal is translated; other text goes
through vo.tmoc_ranges. Users give MJD in UTC, as t_min and t_max are, and vo.tmoc_microseconds brings
them to TCB. The direction of the source is not known there, so the way of the light between Earth and
barycentre (up to 500 s) is left out.
"""

from collections.abc import Callable

from schema.types import DOUBLE, INTEGER, TMOC, VARCHAR
from vo_server.adql.asciimoc import TIME, multirange, parse_moc
from vo_server.adql.calls import NUMBER, TEXT, WHOLE, Arguments, Function
from vo_server.adql.errors import ADQLError
from vo_server.adql.terms import INTERVALS, Meta, Parameters, Shape, Term, Test

TIMES = Meta(ucd="time.interval;obs.exposure")
DEEPEST = 61
SCALE = "MJD are UTC, good to 500 s: the light time between Earth and barycentre is not corrected."


def ranges(term: Term, parameters: Parameters) -> str:
    """The int8multirange of a T-MOC. Raises ADQLError for a literal that is none."""
    if isinstance(term.constant, str):
        try:
            cells = parse_moc(term.constant, TIME)
        except ValueError as error:
            raise ADQLError(str(error), term.at) from None
        return parameters.bind(multirange(cells, TIME), "int8multirange")
    if term.shape is not None and term.shape.kind == INTERVALS:
        return term.shape.sql
    return f"vo.tmoc_ranges({term.as_type(VARCHAR)})"


def _predicate(template: str) -> Callable[[Arguments], Term]:
    """A condition on T-MOCs {0}, {1} and on the interval {interval} of MJD behind them."""

    def build(call: Arguments) -> Term:
        mocs = [ranges(t, call.parameters) for t in call.terms if not t.is_number]
        numbers = [t for t in call.terms if t.is_number]
        interval = f"vo.tmoc_range({', '.join(t.sql for t in numbers)})"
        sql = template.format(*mocs, interval=interval)
        term = call.result(f"({sql})::integer", INTEGER, Meta())
        term.test = Test(sql, sql)
        return term

    return build


def _combined(operator: str) -> Callable[[Arguments], Term]:
    def build(call: Arguments) -> Term:
        a, b = (ranges(t, call.parameters) for t in call.terms)
        return call.result(f"vo.tmoc_text({a} {operator} {b})", TMOC, TIMES)

    return build


def _tmoc(call: Arguments) -> Term:
    """A T-MOC at an order. Raises ADQLError for an order that there is not."""
    order, *times = call.terms
    if isinstance(order.constant, int) and not 0 <= order.constant <= DEEPEST:
        raise ADQLError(
            f"there is no order {order.constant} of time", order.at, f"orders go from 0 to {DEEPEST}"
        )
    if len(times) == 1:
        base = Shape(INTERVALS, ranges(times[0], call.parameters))
        shape = Shape(INTERVALS, f"vo.tmoc_degrade({order.sql}, {base.sql})", base=base, order=order.sql)
    else:
        interval = f"int8multirange(vo.tmoc_range({times[0].sql}, {times[1].sql}))"
        shape = Shape(INTERVALS, f"vo.tmoc_degrade({order.sql}, {interval})", order=order.sql)
    return call.result(f"vo.tmoc_text({shape.sql})", TMOC, TIMES, shape)


def _seconds(call: Arguments) -> Term:
    sql = f"vo.tmoc_seconds({ranges(call.terms[0], call.parameters)})"
    return call.result(sql, DOUBLE, Meta(unit="s", ucd="time.duration;obs.exposure"))


INTERVAL = (("tmoc", TEXT), ("start", NUMBER), ("stop", NUMBER))
"""No underscores in the names: TOPCAT 4.8 does not know functions that have any in their arguments."""

PAIR = (("a", TEXT), ("b", TEXT))

TMOCS: tuple[Function, ...] = (
    Function(
        "TMOC",
        (("order", WHOLE), ("tmoc", TEXT)),
        TMOC,
        "",
        "The T-MOC with cells of an order, from 0 to 61 (cells of a microsecond); CONTAINS and INTERSECTS"
        " compare T-MOCs, too.",
        build=_tmoc,
    ),
    Function(
        "TMOC",
        (("order", WHOLE), ("start", NUMBER), ("stop", NUMBER)),
        TMOC,
        "",
        f"The T-MOC of an interval, with cells of an order. {SCALE}",
        build=_tmoc,
    ),
    Function(
        "vo_tmoc_overlaps",
        INTERVAL,
        INTEGER,
        "",
        f"1 if the T-MOC and the interval have a time in common, else 0. {SCALE}",
        build=_predicate("{0} && {interval}"),
    ),
    Function(
        "vo_tmoc_overlaps",
        PAIR,
        INTEGER,
        "",
        "1 if the two T-MOCs have a time in common, else 0.",
        build=_predicate("{0} && {1}"),
    ),
    Function(
        "vo_tmoc_covers",
        INTERVAL,
        INTEGER,
        "",
        f"1 if the T-MOC covers the whole interval, else 0. {SCALE}",
        build=_predicate("{0} @> {interval} AND NOT isempty({interval})"),
    ),
    Function(
        "vo_tmoc_covers",
        PAIR,
        INTEGER,
        "",
        "1 if the first T-MOC covers all of the second, else 0.",
        build=_predicate("{0} @> {1}"),
    ),
    Function(
        "vo_tmoc_duration",
        (("tmoc", TEXT),),
        DOUBLE,
        "",
        "The time that a T-MOC covers, in seconds.",
        build=_seconds,
    ),
    Function(
        "vo_tmoc_union", PAIR, TMOC, "", "The T-MOC of the times in one or both of two.", build=_combined("+")
    ),
    Function(
        "vo_tmoc_intersect",
        PAIR,
        TMOC,
        "",
        "The T-MOC of the times in both of two.",
        build=_combined("*"),
    ),
)
"""Functions of T-MOCs."""
