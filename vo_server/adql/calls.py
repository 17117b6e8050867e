"""What a function is, and what it is called with."""

from collections.abc import Callable
from dataclasses import dataclass

from schema.types import DOUBLE, POINT, Type
from vo_server.adql.errors import ADQLError, Span
from vo_server.adql.metadata import Rule
from vo_server.adql.terms import INTERVALS, NO_META, Meta, Parameters, Shape, Term, derived, describe

NUMBER = "REAL"
WHOLE = "INTEGER"
LONG = "BIGINT"
TEXT = "VARCHAR"
LITERAL = "CHAR"
TIME = "TIMESTAMP"
POSITION = "POINT"
GEOMETRY = "GEOMETRY"
COVERAGE = "MOC"
"""The kinds of arguments, as signatures name them. A LITERAL is a string literal, a GEOMETRY any shape."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a geometry function is called with: the rendered arguments, where, and where to bind."""

    name: str
    at: Span
    terms: list[Term]
    parameters: Parameters

    @property
    def shapes(self) -> bool:
        """Whether the first argument is a point."""
        return bool(self.terms) and self.terms[0].type is POINT

    def number(self, index: int) -> Term:
        """The numeric argument `index`."""
        term = self.terms[index]
        if not term.is_number:
            raise ADQLError(
                f"{self.name} takes a number here, this is {describe(term.type)}",
                term.at,
                "degrees, without quotes",
            )
        return term

    def shape(self, index: int, *kinds: str) -> Shape:
        """The geometry argument `index`, of one of `kinds` if given."""
        term = self.terms[index]
        if term.shape is None or term.shape.kind == INTERVALS:
            hint = "such as POINT(lon, lat), CIRCLE(lon, lat, radius), or a region column"
            raise ADQLError(
                f"{self.name} takes a geometry here, this is {describe(term.type)}", term.at, hint
            )
        if kinds and term.shape.kind not in kinds:
            raise ADQLError(
                f"{self.name} takes a {' or '.join(kinds)} here, this is a {term.shape.kind}", term.at
            )
        return term.shape

    def result(self, sql: str, kind: Type, meta: Meta, shape: Shape | None = None) -> Term:
        """The value of the call."""
        term = derived(sql, kind, self.at, self.terms, meta)
        term.shape = shape
        return term


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a function: (name, kind) pairs of its arguments.

    The last `repeated` of them may come any number of times more.
    """

    arguments: tuple[tuple[str, str], ...]
    repeated: int = 0

    def takes(self, count: int) -> bool:
        """Whether the form can have so many arguments."""
        more = count - len(self.arguments)
        return more == 0 or (self.repeated > 0 and more > 0 and more % self.repeated == 0)

    def kind(self, index: int) -> str:
        """The kind of the argument `index`, counted from 0."""
        known = len(self.arguments)
        if index >= known:
            index = known - self.repeated + (index - known) % self.repeated
        return self.arguments[index][1]

    def written(self, name: str) -> str:
        """The form as messages show it: CIRCLE(lon, lat, radius)."""
        more = ", ..." if self.repeated else ""
        return f"{name}({', '.join(a for a, _ in self.arguments)}{more})"


@dataclass(frozen=True, slots=True)
class Function:
    """One form of a function.

    `arguments` are (name, kind) pairs. `sql` has `{0}`, `{1}` ... where the arguments go; of a
    `predicate` it is a condition, which ADQL sees as 1 or 0. A function that is more than its SQL is
    made by `build` instead. What `meta` says of the value may depend on the arguments.
    `returns` is how signatures name the result if not by its type.
    """

    name: str
    arguments: tuple[tuple[str, str], ...]
    result: Type
    sql: str
    doc: str
    meta: Meta | Rule = NO_META
    predicate: bool = False
    aggregate: bool = False
    build: Callable[[Arguments], Term] | None = None
    returns: str = ""

    @property
    def signature(self) -> str:
        """The form as TAPRegExt 1.0 (section 2.3) wants it: f(a TYPE, ...) -> TYPE."""
        arguments = ", ".join(f"{name} {kind}" for name, kind in self.arguments)
        result = self.returns or (NUMBER if self.result is DOUBLE else self.result.name)
        return f"{self.name}({arguments}) -> {result}"
