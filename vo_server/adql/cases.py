"""Values that choose among others: CASE, COALESCE, NULLIF, GREATEST, LEAST, and a query as a value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from schema.types import VARCHAR, Type
from vo_server.adql import metadata, nodes
from vo_server.adql.conditions import ConditionRenderer
from vo_server.adql.errors import ADQLError, Span
from vo_server.adql.expressions import Place, common_type
from vo_server.adql.geometry import shape_of
from vo_server.adql.names import Field
from vo_server.adql.terms import NO_META, Term, derived, describe


@dataclass(frozen=True, slots=True)
class Scalar:
    """A query rendered as a value: its node, the value, and the columns of the query around that it uses."""

    node: nodes.ScalarQuery
    term: Term
    correlated: tuple[tuple[str, str, Span], ...]


class CaseRenderer(ConditionRenderer):
    """Renders the values that hold conditions, queries, or alternatives of one type."""

    def __init__(self) -> None:
        super().__init__()
        self._scalars: dict[int, Scalar] = {}

    def compound(self, node: nodes.Case | nodes.ScalarQuery | nodes.Call, place: Place) -> Term:
        """The value of CASE, of a query, or of a function of FUNCTIONS."""
        if isinstance(node, nodes.Case):
            return self._case(node, place)
        if isinstance(node, nodes.ScalarQuery):
            return self._scalar(node, place)
        expect_arguments(node)
        return FUNCTIONS[node.name.upper()](self, node, place)

    def _case(self, node: nodes.Case, place: Place) -> Term:
        if node.operand is None:
            whens = [
                self.condition(b.when, place) for b in node.branches if isinstance(b.when, nodes.Condition)
            ]
            others = whens
            head = "CASE"
        else:
            values = [b.when for b in node.branches if isinstance(b.when, nodes.Value)]
            operand, *whens = self.dated([node.operand, *values], place)
            for when in whens:
                self.comparable(operand, when)
            others = [operand, *whens]
            wanted = next((t.type for t in others if t.type is not None), VARCHAR)
            whens = [replace(w, sql=w.as_type(w.type or wanted)) for w in whens]
            head = f"CASE {operand.as_type(operand.type or wanted)}"
        values = [b.result for b in node.branches]
        results, kind = self._common("CASE", [*values, *filter(None, [node.otherwise])], place)
        parts = [_as(t, kind) for t in results]
        body = "".join(f" WHEN {when.sql} THEN {part}" for when, part in zip(whens, parts, strict=False))
        rest = f" ELSE {parts[-1]}" if node.otherwise is not None else ""
        sql = f"({head}{body}{rest} END)"
        term = derived(sql, kind, node.at, [*others, *results], metadata.agreed(results))
        return _finished(term, "case")

    def _scalar(self, node: nodes.ScalarQuery, place: Place) -> Term:
        """A query in parentheses; rendered once, so that GROUP BY may mean one of the select list."""
        known = self._scalars.get(id(node))
        if known is None:
            known = self._scalars[id(node)] = self._rendered(node, place)
        # What it uses of the query around counts like columns of this value.
        loose = tuple((name, at) for sql, name, at in known.correlated if sql not in place.groups)
        return replace(known.term, loose=loose)

    def _rendered(self, node: nodes.ScalarQuery, place: Place) -> Scalar:
        correlated = place.scope.correlated
        before = len(correlated)
        sql, columns = self.subquery(node.query, place.scope, columns=1)
        used = tuple(correlated[before:])
        del correlated[before:]
        kind = columns[0].type or VARCHAR
        term = _finished(Term(f"({sql})", kind, node.at, metadata.same_quantity(columns)), "")
        return Scalar(node, term, used)

    def _common(
        self, user: str, values: Sequence[nodes.Value], place: Place
    ) -> tuple[list[Term], Type | None]:
        """The alternatives of `user` and their common type; None if all of them are NULL."""
        terms = self.dated(values, place)
        first = next((t for t in terms if t.type is not None), terms[0])
        kind = first.type
        for term in terms:
            if term.shape is not None and term.shape.kind == "cap":
                raise ADQLError(f"a circle of more than 90 degrees cannot stand in {user}", term.at)
            both = common_type(kind, term.type)
            if both is None and kind is not None:
                raise ADQLError(
                    f"{user} mixes {describe(first.type)} and {describe(term.type)}",
                    term.at,
                    "all values have one type; CAST turns one into another",
                )
            kind = both
        return terms, kind

    def _coalesce(self, node: nodes.Call, place: Place) -> Term:
        terms, kind = self._common("COALESCE", node.arguments, place)
        sql = f"COALESCE({', '.join(_as(t, kind) for t in terms)})"
        term = derived(sql, kind, node.at, terms, metadata.agreed(terms))
        return _finished(term, terms[0].name or "coalesce")

    def _nullif(self, node: nodes.Call, place: Place) -> Term:
        left, right = self.pair(node.arguments[0], node.arguments[1], place)
        kind = common_type(left.type, right.type)
        sql = f"NULLIF({_as(left, kind)}, {_as(right, kind)})"
        term = derived(sql, kind, node.at, [left, right], metadata.same_quantity([left]))
        return _finished(term, left.name or "nullif")

    def _extreme(self, node: nodes.Call, place: Place) -> Term:
        name = node.name.upper()
        terms, kind = self._common(name, node.arguments, place)
        for term in terms:
            self.comparable(term, term)
        sql = f"{name}({', '.join(_as(t, kind) for t in terms)})"
        return _finished(derived(sql, kind, node.at, terms, metadata.agreed(terms)), name.lower())


FUNCTIONS: dict[str, Callable[[CaseRenderer, nodes.Call, Place], Term]] = {
    "COALESCE": CaseRenderer._coalesce,
    "NULLIF": CaseRenderer._nullif,
    "GREATEST": CaseRenderer._extreme,
    "LEAST": CaseRenderer._extreme,
}
"""What is called like a function and takes values of any one type."""


def expect_arguments(node: nodes.Call) -> None:
    """ADQLError unless a function of FUNCTIONS is called with as many arguments as it takes."""
    name, count = node.name.upper(), len(node.arguments)
    if name == "NULLIF" and count != 2:
        raise ADQLError(f"NULLIF has {count} arguments", node.at, "it is written NULLIF(a, b)")
    if not count:
        raise ADQLError(f"{name} has no arguments", node.at, f"it is written {name}(a, b, ...)")


def _as(term: Term, kind: Type | None) -> str:
    return term.sql if kind is None else term.as_type(kind)


def _finished(term: Term, name: str) -> Term:
    """A value with its name, and with the shape that it has if it is a geometry."""
    term.name = name
    term.shape = shape_of(Field("", term.type, term.sql, NO_META), stored=False)
    return term
