"""Values: syntax tree -> typed SQL."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite, trunc

from schema.types import (
    BIGINT,
    CIRCLE,
    DOUBLE,
    INTEGER,
    MOC,
    POINT,
    POLYGON,
    REAL,
    SMALLINT,
    TIMESTAMP,
    VARCHAR,
    Type,
)
from vo_server.adql import metadata, nodes, units
from vo_server.adql.calls import Arguments
from vo_server.adql.dialects import unknown_function
from vo_server.adql.errors import ADQLError, Span
from vo_server.adql.functions import FUNCTIONS, WANTED, applied, choose, fitted
from vo_server.adql.geometry import GEOMETRY, shape_of
from vo_server.adql.names import Scope
from vo_server.adql.terms import (
    Parameters,
    Term,
    derived,
    describe,
    number,
    wider,
)
from vo_server.adql.transform import build_geometry
from vo_server.adql.weights import MAX_WEIGHT, too_large

# DALI 1.1, 3.3.3, and its lenient forms: a space for T, seconds left out, a final Z.
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?Z?\Z")
TIMESTAMP_HINT = "timestamps look like '2026-01-01' or '2026-01-01T12:00:00.000'"

MAX_EXPRESSION = 200_000
"""Longest SQL of one value. Some functions use an argument twice, so that nesting them multiplies it."""

MAX_EXPANDED = 4 * MAX_WEIGHT
"""Most characters that a whole statement takes over from its subqueries."""

MAX_JOINED_TEXTS = 200
"""Most operands of ||: PostgreSQL joins constant ones at once, each time copying what it has so far."""

FOLDS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: trunc(a / b) if isinstance(a, int) and isinstance(b, int) else a / b,
}

CASTS: dict[str, Type] = {
    "SMALLINT": SMALLINT,
    "INTEGER": INTEGER,
    "BIGINT": BIGINT,
    "REAL": REAL,
    "DOUBLE PRECISION": DOUBLE,
    "CHAR": VARCHAR,
    "VARCHAR": VARCHAR,
    "TIMESTAMP": TIMESTAMP,
    "POINT": POINT,
    "CIRCLE": CIRCLE,
    "POLYGON": POLYGON,
}
"""What CAST takes; CHAR and VARCHAR without a length do not cut, geometries come from DALI strings."""


ALTERNATIVES = frozenset({"COALESCE", "NULLIF", "GREATEST", "LEAST"})
"""What is called like a function, but takes values of any one type."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands: what names mean there, and what may be used.

    `groups` is the SQL of the GROUP BY terms; `without_aggregates` names a clause that has none.
    """

    scope: Scope
    groups: frozenset[str] = frozenset()
    without_aggregates: str = ""


class ValueRenderer:
    """Renders values; the bound parameters collect in `parameters`."""

    def __init__(self) -> None:
        self.parameters = Parameters()
        self._expanded = 0

    def value(self, node: nodes.Value, place: Place) -> Term:
        """The SQL of a value. Raises ADQLError for unknown names and mixed types."""
        term = _RENDER[type(node)](self, node, place)
        if len(term.sql) > MAX_EXPRESSION:
            raise ADQLError(
                "the expression becomes too long", node.at, "write it with fewer nested functions"
            )
        if term.loose and term.sql in place.groups:
            term.loose = ()
        return term

    def value_as(self, node: nodes.Value, place: Place, wanted: Type | None) -> Term:
        """Like `value`, but a string literal becomes a timestamp where one is wanted."""
        if wanted is TIMESTAMP and isinstance(node, nodes.String):
            return self.timestamp(node)
        return self.value(node, place)

    def timestamp(self, node: nodes.String) -> Term:
        """A string literal as a timestamp."""
        text = normal_timestamp(node.value)
        if text is None:
            raise ADQLError(f"'{node.value[:80]}' is not a timestamp", node.at, TIMESTAMP_HINT)
        return Term(self.parameters.bind(text, "timestamp"), TIMESTAMP, node.at)

    def _column(self, node: nodes.ColumnReference, place: Place) -> Term:
        field, own = place.scope.column(node)
        self._expanded += field.weight
        if self._expanded > MAX_EXPANDED:
            raise too_large(node.at)
        grouped = field.sql in place.groups
        shown = ".".join(p.text for p in node.parts)
        loose = ((shown, node.at),) if own else ()
        return Term(
            field.sql,
            field.type,
            node.at,
            field.meta,
            field.name,
            loose=loose,
            origin=field.origin,
            shape=shape_of(field, stored=not grouped),
        )

    def _number(self, node: nodes.Number, _: Place) -> Term:
        return _constant(node.value, node.at)

    def _string(self, node: nodes.String, _: Place) -> Term:
        return Term(self.parameters.bind(node.value), VARCHAR, node.at, constant=node.value)

    def _null(self, node: nodes.Null, _: Place) -> Term:
        return Term("NULL", None, node.at)

    def _signed(self, node: nodes.Signed, place: Place) -> Term:
        operand = self._operand(node.operand, place, node.sign)
        if isinstance(operand.constant, (int, float)):
            return _constant(-operand.constant if node.sign == "-" else operand.constant, node.at)
        kind = operand.type or DOUBLE
        sql = operand.as_type(kind)
        sql = f"(- {sql})" if node.sign == "-" else sql
        return derived(sql, kind, node.at, [operand], metadata.same_unit([operand]))

    def _operand(self, node: nodes.Value, place: Place, operator: str) -> Term:
        term = self.value(node, place)
        if not term.is_number:
            hint = "strings are joined with ||" if term.is_text else ""
            raise ADQLError(f"{operator} takes numbers, this is {describe(term.type)}", term.at, hint)
        return term

    def _chain(self, node: nodes.Chain, place: Place) -> Term:
        if node.rest[0][0] == "||":
            return self._concatenation(node, place)
        first = self._operand(node.first, place, node.rest[0][0])
        kind, constant = first.type or DOUBLE, first.constant
        others, parts = [], [first.as_type(kind)]
        for operator, operand in node.rest:
            term = self._operand(operand, place, operator)
            own = term.type or DOUBLE
            others.append((operator, term))
            parts.append(f" {operator} {term.as_type(own)}")
            kind = wider(kind, own)
            constant = _fold(operator, constant, term.constant)
        terms = [first, *(t for _, t in others)]
        meta = metadata.chain(first, others)
        result = derived(f"({''.join(parts)})", kind, node.at, terms, meta)
        result.constant = constant
        return result

    def _concatenation(self, node: nodes.Chain, place: Place) -> Term:
        if len(node.rest) >= MAX_JOINED_TEXTS:
            raise ADQLError(f"|| joins more than {MAX_JOINED_TEXTS} texts", node.at)
        terms = [self.value(n, place) for n in (node.first, *(n for _, n in node.rest))]
        return derived(f"({' || '.join(_as_text(t) for t in terms)})", VARCHAR, node.at, terms)

    def text(self, term: Term, user: str) -> Term:
        """`term`, which must be text for `user`."""
        if not term.is_text:
            raise ADQLError(
                f"{user} takes text, this is {describe(term.type)}",
                term.at,
                "turn it into text with CAST(... AS VARCHAR)",
            )
        return term

    def _cast(self, node: nodes.Cast, place: Place) -> Term:
        target = CASTS[node.target]
        if target.is_geometry:
            return self._cast_geometry(node, place)
        term = self.value_as(node.operand, place, target)
        if term.shape is not None and not term.is_text and term.type is not MOC:
            raise ADQLError(f"{describe(term.type)} cannot be cast to {node.target}", term.at)
        if (target is TIMESTAMP) and not (term.is_text or term.type is TIMESTAMP):
            raise ADQLError(f"{describe(term.type)} cannot be cast to TIMESTAMP", term.at, TIMESTAMP_HINT)
        if target.numeric is not None and not (term.is_number or term.is_text):
            raise ADQLError(f"{describe(term.type)} cannot be cast to {node.target}", term.at)
        sql = _as_text(term) if target is VARCHAR else term.as_type(target)
        if node.length is not None:
            if not 0 < node.length <= 10_485_760:
                raise ADQLError(f"the length {node.length} is out of range", node.at)
            sql = f"left({sql}, {node.length})"
        meta = metadata.same_quantity([term])
        if target.numeric is None:
            meta = replace(meta, unit=None)
        return derived(sql, target, node.at, [term], meta)

    def _cast_geometry(self, node: nodes.Cast, place: Place) -> Term:
        if not isinstance(node.operand, nodes.String):
            term = self.value(node.operand, place)
            if term.type is CASTS[node.target]:
                return term
            raise ADQLError(
                f"a cast to {node.target} takes a string literal", node.operand.at, "for example '10.0 20.0'"
            )
        at = node.operand.at
        try:
            values = [float(word) for word in node.operand.value.split()]
        except ValueError:
            values = []
        if not values or not all(isfinite(v) for v in values):
            raise ADQLError(f"this is no {node.target}", at, "numbers with spaces between them, in degrees")
        arguments: list[nodes.Value] = [
            nodes.Signed(at, "-", nodes.Number(at, -v)) if v < 0 else nodes.Number(at, v) for v in values
        ]
        return self._geometry(nodes.Call(node.at, node.target, node.at, arguments), place)

    def _in_unit(self, node: nodes.InUnit, place: Place) -> Term:
        operand = self.value(node.operand, place)
        if not operand.is_number:
            raise ADQLError(f"IN_UNIT takes a number, this is {describe(operand.type)}", operand.at)
        if operand.meta.unit in {None, units.UNKNOWN}:
            hint = "tap_schema.columns tells the units of the columns"
            raise ADQLError(f"{operand.name or 'the value'} has no unit", node.operand.at, hint)
        try:
            factor = units.factor(operand.meta.unit or "", node.unit)
        except units.UnitError as error:
            raise ADQLError(error.message, node.unit_at, error.hint) from None
        sql = f"({operand.as_type(DOUBLE)} * {number(factor)})"
        meta = replace(metadata.same_quantity([operand]), unit=node.unit)
        return self._named(derived(sql, DOUBLE, node.at, [operand], meta), "in_unit")

    def _geometry(self, node: nodes.Call, place: Place) -> Term:
        return build_geometry(node, lambda n: self.value(n, place), self.parameters)

    def _aggregate(self, node: nodes.Aggregate, place: Place) -> Term:
        inside = self._inside_aggregate(node.name, node.at, place)
        name = node.name.lower()
        if node.argument is None:
            return Term("count(*)", BIGINT, node.at, metadata.counted([]), name, aggregate=True)
        borrowed = place.scope.borrowed
        term = self.value(node.argument, inside)
        if place.scope.borrowed > borrowed:
            _check_own(node.name, node.at, [term])
        distinct = "DISTINCT " if node.distinct else ""
        meta = metadata.AGGREGATES[node.name]([term])
        if node.name == "COUNT":
            sql = f"count({distinct}{term.sql})"
            return Term(sql, BIGINT, node.at, meta, name, aggregate=True)
        if node.name in {"AVG", "SUM"} and not term.is_number:
            raise ADQLError(f"{node.name} takes numbers, this is {describe(term.type)}", term.at)
        if (term.shape is not None and not term.is_text) or (term.type is not None and term.type.is_array):
            raise ADQLError(f"{node.name} does not order {describe(term.type)}", term.at)
        kind, sql = _AGGREGATES[node.name](term, distinct)
        return Term(sql, kind, node.at, meta, name, aggregate=True)

    def _inside_aggregate(self, name: str, at: Span, place: Place) -> Place:
        """The place of an aggregate's arguments, if an aggregate may stand at `place`."""
        if place.without_aggregates:
            hint = (
                "conditions on aggregates belong into HAVING" if place.without_aggregates == "WHERE" else ""
            )
            raise ADQLError(f"{name} cannot stand in {place.without_aggregates}", at, hint)
        return Place(place.scope, without_aggregates="an aggregate")

    def _call(self, node: nodes.Call, place: Place) -> Term:
        name = node.name.upper()
        if name in GEOMETRY:
            return self._named(self._geometry(node, place), name)
        if name in ALTERNATIVES:
            return self.compound(node, place)
        forms = FUNCTIONS.get(name)
        if forms is None:
            known = [f.name for rows in FUNCTIONS.values() for f in rows] + list(GEOMETRY)
            raise unknown_function(node, [*known, *ALTERNATIVES])
        inside = self._inside_aggregate(node.name, node.at, place) if forms[0].aggregate else place
        form = choose(node, forms)
        borrowed = place.scope.borrowed
        terms = [
            fitted(self.value_as(argument, inside, WANTED[kind][0]), kind, form)
            for argument, (_, kind) in zip(node.arguments, form.arguments, strict=True)
        ]
        if form.aggregate and place.scope.borrowed > borrowed:
            _check_own(form.name, node.at, terms)
        return self._named(applied(form, Arguments(form.name, node.at, terms, self.parameters)), name)

    def compound(self, node: nodes.Case | nodes.ScalarQuery | nodes.Call, place: Place) -> Term:
        """A value that holds conditions, a query, or alternatives; the renderer of these provides it."""
        raise NotImplementedError

    def _named(self, term: Term, name: str) -> Term:
        term.name = name.lower()
        return term


def _check_own(name: str, at: Span, terms: list[Term]) -> None:
    """ADQLError if an aggregate has none but columns of the query around: SQL would aggregate that one."""
    if not any(t.loose for t in terms):
        hint = "an aggregate in a subquery needs a column of its own tables"
        raise ADQLError(f"{name} has columns of the query around only", at, hint)


def common_type(left: Type | None, right: Type | None) -> Type | None:
    """The type for values of both types; None if there is none (or both are NULL)."""
    if left is None or right is None or left is right:
        return left or right
    if left.numeric is not None and right.numeric is not None:
        return wider(left, right)
    texts = {VARCHAR.name, "REGION", "TMOC"}
    return VARCHAR if left.name in texts and right.name in texts else None


def _as_text(term: Term) -> str:
    """The SQL of a value as text; geometries and arrays have none."""
    textless = term.type is None or (term.type.is_geometry and term.type is not MOC) or term.type.is_array
    if not term.is_text and textless:
        raise ADQLError(f"{describe(term.type)} cannot become text", term.at)
    sql = term.as_type(VARCHAR)
    return f"replace({sql}, ' ', 'T')" if term.type is TIMESTAMP else sql


def normal_timestamp(text: str) -> str | None:
    """A DALI timestamp as PostgreSQL reads it, or None if `text` is none."""
    match = _TIMESTAMP.match(text.strip())
    if match is None:
        return None
    day, time = match.group(1), match.group(2) or "00:00:00"
    try:
        datetime.fromisoformat(f"{day}T{time[:5]}")
    except ValueError:
        return None
    if time[6:8] > "60":
        return None
    return f"{day} {time}"


def _constant(value: float, at: Span) -> Term:
    if isinstance(value, int):
        return Term(number(value), INTEGER if -(2**31) < value < 2**31 else BIGINT, at, constant=value)
    return Term(number(value), DOUBLE, at, constant=value)


def _fold(operator: str, left: float | str | None, right: float | str | None) -> int | float | None:
    """The value of arithmetic on constants; None where it has none."""
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return None
    try:
        value = FOLDS[operator](left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return value if isfinite(value) and (isinstance(value, float) or abs(value) < 2**63) else None


_AGGREGATES: dict[str, Callable[[Term, str], tuple[Type | None, str]]] = {
    "MIN": lambda t, d: (t.type or VARCHAR, f"min({d}{t.as_type(t.type or VARCHAR)})"),
    "MAX": lambda t, d: (t.type or VARCHAR, f"max({d}{t.as_type(t.type or VARCHAR)})"),
    "AVG": lambda t, d: (DOUBLE, f"avg({d}{t.as_type(t.type or DOUBLE)})::float8"),
    "SUM": lambda t, d: (
        (BIGINT, f"sum({d}{t.sql})::bigint")
        if t.type in (SMALLINT, INTEGER, BIGINT)
        else (DOUBLE, f"sum({d}{t.as_type(DOUBLE)})")
    ),
}

_RENDER: dict[type[nodes.Value], Callable[..., Term]] = {
    nodes.ColumnReference: ValueRenderer._column,
    nodes.Number: ValueRenderer._number,
    nodes.String: ValueRenderer._string,
    nodes.Null: ValueRenderer._null,
    nodes.Signed: ValueRenderer._signed,
    nodes.Chain: ValueRenderer._chain,
    nodes.Call: ValueRenderer._call,
    nodes.Aggregate: ValueRenderer._aggregate,
    nodes.Cast: ValueRenderer._cast,
    nodes.Case: lambda renderer, node, place: renderer.compound(node, place),
    nodes.ScalarQuery: lambda renderer, node, place: renderer.compound(node, place),
    nodes.InUnit: ValueRenderer._in_unit,
}
