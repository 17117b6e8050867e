"""What computed columns say of themselves: the one place that decides on their units and UCDs.

Units follow the quantities: a factor without a unit leaves the unit as it is (so `2 * t_exptime` is in
seconds, and so is `t_exptime / 3600`: IN_UNIT converts, a factor does not), products and quotients
combine units, sums keep the unit that both sides have. A plain number is taken to be in the unit of the
other side of a sum, as in `s_ra + 10` (ADQL 2.1, section 4.9.1). Units are never converted unasked:
metres plus kilometres have an unknown one, and so has what is computed from it.

UCDs stay where the quantity stays the same (rounding, CAST, IN_UNIT, COALESCE of equals); a statistic
adds its word behind (UCD1+ has stat.max, stat.mean and the like as secondary words only) and takes
`meta.main` away, since it is not the main value any more. All other computed columns have no UCD: one
that is wrong is worse than none. A utype names one very column, so no computed column has any.
"""

from collections.abc import Callable, Sequence

from vo_server.adql import units
from vo_server.adql.errors import Span
from vo_server.adql.terms import NO_META, Meta, Term

Rule = Callable[[Sequence[Term]], Meta]
"""What the value of a function says of itself, by the function's arguments."""

MAX_DESCRIPTION = 120
"""Longest text of an expression that describes its column."""


def same_quantity(terms: Sequence[Term]) -> Meta:
    """The first argument's quantity, in its unit."""
    return Meta(unit=terms[0].meta.unit, ucd=terms[0].meta.ucd)


def same_unit(terms: Sequence[Term]) -> Meta:
    """Another quantity in the unit of the first argument."""
    return Meta(unit=terms[0].meta.unit)


def remainder(terms: Sequence[Term]) -> Meta:
    """The unit of a remainder: that of both sides."""
    return chain(terms[0], [("-", terms[1])])


def root(terms: Sequence[Term]) -> Meta:
    """The unit of a square root."""
    return Meta(unit=units.power(terms[0].meta.unit, 0.5))


def raised(terms: Sequence[Term]) -> Meta:
    """The unit of a power, which is known if the exponent is."""
    unit, exponent = terms[0].meta.unit, terms[1].constant
    if unit is None or not isinstance(exponent, (int, float)):
        return Meta(unit=unit and units.UNKNOWN)
    return Meta(unit=units.power(unit, float(exponent)))


def agreed(terms: Sequence[Term]) -> Meta:
    """What all arguments of COALESCE and its like have in common, literals aside."""
    known = [t.meta for t in terms if not _is_literal(t)]
    if not known:
        return NO_META
    unit, ucd = known[0].unit, known[0].ucd
    return Meta(
        unit=unit if all(units.same(m.unit, unit) for m in known) else units.UNKNOWN,
        ucd=ucd if all(m.ucd == ucd for m in known) else None,
    )


def statistic(word: str) -> Rule:
    """The rule of an aggregate that keeps the unit; `word` is the UCD word for what it computes."""

    def rule(terms: Sequence[Term]) -> Meta:
        words = [w for w in (terms[0].meta.ucd or "").split(";") if w and w.lower() != "meta.main"]
        if words and word not in words:
            words.append(word)
        return Meta(unit=terms[0].meta.unit, ucd=";".join(words) or None)

    return rule


def counted(_: Sequence[Term]) -> Meta:
    """A number of rows."""
    return Meta(ucd="meta.number")


AGGREGATES: dict[str, Rule] = {
    "COUNT": counted,
    "MIN": statistic("stat.min"),
    "MAX": statistic("stat.max"),
    "AVG": statistic("stat.mean"),
    "SUM": statistic("arith.sum"),
}
"""The rules of the aggregates of the grammar; those of the functions stand in their registers."""


def chain(first: Term, rest: Sequence[tuple[str, Term]]) -> Meta:
    """The unit of operands joined by + - * /, left to right."""
    unit, literal = first.meta.unit, _is_literal(first)
    for operator, term in rest:
        unit = _OPERATORS[operator](unit, literal, term)
        literal = literal and _is_literal(term)
    return Meta(unit=unit) if unit else NO_META


def _added(unit: str | None, literal: bool, term: Term) -> str | None:
    other = term.meta.unit
    if units.same(unit, other) or (other is None and _is_literal(term)):
        return unit
    return other if unit is None and literal else units.UNKNOWN


_OPERATORS: dict[str, Callable[[str | None, bool, Term], str | None]] = {
    "+": _added,
    "-": _added,
    "*": lambda unit, _, term: units.product(unit, term.meta.unit),
    "/": lambda unit, _, term: units.quotient(unit, term.meta.unit),
}


def description(text: str, at: Span) -> str:
    """The description of a computed column: its expression as written in the query, on one line."""
    # Cut before it is split, an expression of any length is little work.
    line = " ".join(text[at[0] : min(at[1], at[0] + 10 * MAX_DESCRIPTION)].split())
    return line if len(line) <= MAX_DESCRIPTION else line[: MAX_DESCRIPTION - 3].rstrip() + "..."


def _is_literal(term: Term) -> bool:
    """Whether the value stands in the query itself: a literal, arithmetic on literals, NULL."""
    return term.constant is not None or term.type is None
