"""Conditions: syntax tree -> SQL.

`positive` says that the condition does not stand under NOT. Only then may a condition that an index
serves be used in its `matching` form, which does not tell false from unknown.
"""

import operator
from collections.abc import Callable, Sequence

from schema.types import TIMESTAMP, VARCHAR
from vo_server.adql import nodes
from vo_server.adql.errors import ADQLError
from vo_server.adql.expressions import Place, ValueRenderer, common_type
from vo_server.adql.names import Scope
from vo_server.adql.spatial import within_distance
from vo_server.adql.terms import Term, Test, derived, describe, number

MIRRORED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
HOLDS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


class ConditionRenderer(ValueRenderer):
    """Renders conditions. The terms it returns are boolean SQL."""

    def subquery(self, query: nodes.Query, outer: Scope, *, columns: int | None) -> tuple[str, list[Term]]:
        """A query behind IN or EXISTS, or a value, and its columns; the query renderer provides it."""
        raise NotImplementedError

    def condition(self, node: nodes.Condition, place: Place, *, positive: bool = True) -> Term:
        """The SQL of a condition. Raises ADQLError for unknown names and mixed types."""
        return _RENDER[type(node)](self, node, place, positive)

    def _junction(self, node: nodes.Junction, place: Place, positive: bool) -> Term:
        terms = [self.condition(o, place, positive=positive) for o in node.operands]
        sql = f" {node.operator} ".join(t.sql for t in terms)
        return derived(f"({sql})", None, node.at, terms)

    def _not(self, node: nodes.Not, place: Place, positive: bool) -> Term:
        term = self.condition(node.operand, place, positive=False)
        return derived(f"(NOT {term.sql})", None, node.at, [term])

    def _comparison(self, node: nodes.Comparison, place: Place, positive: bool) -> Term:
        left, right = self.pair(node.left, node.right, place)
        comparison = node.operator
        if isinstance(left.constant, (int, float)) and not isinstance(right.constant, (int, float)):
            left, right, comparison = right, left, MIRRORED[comparison]
        test = _as_test(left, comparison, right)
        if test is not None:
            return derived(_tested(*test, positive=positive), None, node.at, [left, right])
        sql = f"({beside(left, right)} {comparison} {beside(right, left)})"
        return derived(sql, None, node.at, [left, right])

    def pair(self, left: nodes.Value, right: nodes.Value, place: Place) -> tuple[Term, Term]:
        """Two values that are to be compared."""
        first, other = self.dated([left, right], place)
        self.comparable(first, other)
        return first, other

    def dated(self, values: Sequence[nodes.Value], place: Place) -> list[Term]:
        """Values that belong together: if one is a timestamp, string literals become timestamps, too."""
        others = {i: self.value(v, place) for i, v in enumerate(values) if not isinstance(v, nodes.String)}
        wanted = TIMESTAMP if any(t.type is TIMESTAMP for t in others.values()) else None
        return [others.get(i) or self.value_as(v, place, wanted) for i, v in enumerate(values)]

    def comparable(self, left: Term, right: Term) -> None:
        """ADQLError unless the two values can be compared."""
        for term in (left, right):
            if term.type is not None and (term.type.is_array or (term.type.is_geometry and not term.is_text)):
                raise ADQLError(
                    f"{describe(term.type)} cannot be compared",
                    term.at,
                    "geometries are compared with CONTAINS, INTERSECTS or DISTANCE",
                )
        if left.type is None or right.type is None or common_type(left.type, right.type) is not None:
            return
        at, hint = right.at, ""
        text, other = (left, right) if left.is_text else (right, left)
        if text.is_text and other.is_number:
            at, hint = _text_and_number(text, other)
        elif TIMESTAMP in (left.type, right.type):
            hint = "CAST(... AS TIMESTAMP) turns text into a timestamp"
        sides = f"{_shown(left, 'the left side')}, {_shown(right, 'the right side')}"
        raise ADQLError(f"{sides}: they cannot be compared", at, hint)

    def _between(self, node: nodes.Between, place: Place, positive: bool) -> Term:
        operand, low, high = self.dated([node.operand, node.low, node.high], place)
        self.comparable(low, operand)
        self.comparable(operand, high)
        word = "NOT BETWEEN" if node.negated else "BETWEEN"
        first = beside(operand, low if low.type is not None else high)
        sql = f"({first} {word} {beside(low, operand)} AND {beside(high, operand)})"
        return derived(sql, None, node.at, [operand, low, high])

    def _in_list(self, node: nodes.InList, place: Place, positive: bool) -> Term:
        operand, first = self.pair(node.operand, node.items[0], place)
        items, listed = [first], [beside(first, operand)]
        for item in node.items[1:]:
            if operand.type is VARCHAR and isinstance(item, nodes.String):
                listed.append(self.parameters.bind(item.value))
                continue
            term = self.value_as(item, place, operand.type)
            if term.type is not first.type:
                self.comparable(operand, term)
            items.append(term)
            listed.append(beside(term, operand))
        word = "NOT IN" if node.negated else "IN"
        typed = next((i for i in items if i.type is not None), first)
        sql = f"({beside(operand, typed)} {word} ({', '.join(listed)}))"
        return derived(sql, None, node.at, [operand, *items])

    def _in_query(self, node: nodes.InQuery, place: Place, positive: bool) -> Term:
        operand = self.value(node.operand, place)
        sql, columns = self.subquery(node.query, place.scope, columns=1)
        self.comparable(operand, columns[0])
        # A column of nothing but NULLs is text to PostgreSQL.
        first = operand.as_type(VARCHAR) if columns[0].type is None else beside(operand, columns[0])
        word = "NOT IN" if node.negated else "IN"
        return derived(f"({first} {word} ({sql}))", None, node.at, [operand])

    def _exists(self, node: nodes.Exists, place: Place, positive: bool) -> Term:
        sql, _ = self.subquery(node.query, place.scope, columns=None)
        return Term(f"EXISTS ({sql})", None, node.at)

    def _like(self, node: nodes.Like, place: Place, positive: bool) -> Term:
        operand = self.text(self.value(node.operand, place), node.operator)
        pattern = self.text(self.value(node.pattern, place), node.operator)
        word = f"NOT {node.operator}" if node.negated else node.operator
        # ADQL has no escape character, PostgreSQL's is the backslash unless told otherwise.
        escape = self.parameters.bind(node.escape) if node.escape else "''"
        sql = f"({operand.as_type(VARCHAR)} {word} {pattern.as_type(VARCHAR)} ESCAPE {escape})"
        return derived(sql, None, node.at, [operand, pattern])

    def _is_null(self, node: nodes.IsNull, place: Place, positive: bool) -> Term:
        term = self.value(node.operand, place)
        word = "IS NOT NULL" if node.negated else "IS NULL"
        return derived(f"({term.sql} {word})", None, node.at, [term])


def beside(term: Term, other: Term) -> str:
    """The SQL of what is compared with `other`; a value that can only be NULL becomes of its type."""
    plain = term.type is not None or other.type is None or term.sql == "NULL"
    return term.sql if plain else term.as_type(other.type or VARCHAR)


def _shown(term: Term, side: str) -> str:
    """The value and its type, for an error message."""
    name = term.name or side
    if term.constant is not None:
        name = f"'{term.constant}'" if isinstance(term.constant, str) else str(term.constant)
    return f"{name[:80]} is {describe(term.type)}"


def _text_and_number(text: Term, other: Term) -> tuple[tuple[int, int], str]:
    """Where a comparison of text with a number is wrong, and the fix."""
    if isinstance(other.constant, (int, float)):
        return other.at, f"write '{other.constant}'"
    if isinstance(text.constant, str):
        try:
            float(text.constant)
        except ValueError:
            return text.at, "compare it with a number, without quotes"
        return text.at, f"write {text.constant}"
    return other.at, "CAST turns one into the other"


def _as_test(left: Term, comparison: str, right: Term) -> tuple[Test, bool] | None:
    """A comparison of CONTAINS and the like with a constant, or of DISTANCE with a constant radius.

    Returns the test and whether it must be true or false; None if the comparison is neither.
    """
    constant = right.constant
    if not isinstance(constant, (int, float)):
        return None
    if left.test is not None:
        if_false, if_true = (HOLDS[comparison](v, constant) for v in (0, 1))
        return None if if_false == if_true else (left.test, if_true)
    if left.separation is None or not 0 <= constant <= 180 or comparison in {"=", "<>"}:
        return None
    radius = number(float(constant))
    within = within_distance(*left.separation, f"radians({radius})", cap=constant > 90)
    if comparison in {"<", ">="}:
        # pgSphere's circle includes its boundary: look again at the distance itself.
        within = f"{within} AND {left.sql} < {radius}"
    return Test(within, within), comparison in {"<", "<="}


def _tested(test: Test, wanted: bool, *, positive: bool) -> str:
    if wanted and positive:
        return f"({test.matching})"
    return f"(({test.exact})::integer = {int(wanted)})"


_RENDER: dict[type[nodes.Condition], Callable[..., Term]] = {
    nodes.Junction: ConditionRenderer._junction,
    nodes.Not: ConditionRenderer._not,
    nodes.Comparison: ConditionRenderer._comparison,
    nodes.Between: ConditionRenderer._between,
    nodes.InList: ConditionRenderer._in_list,
    nodes.InQuery: ConditionRenderer._in_query,
    nodes.Exists: ConditionRenderer._exists,
    nodes.Like: ConditionRenderer._like,
    nodes.IsNull: ConditionRenderer._is_null,
}
