"""Whether a text is ADQL, as far as that can be told without knowing any table.

The grammar of ADQL 2.1 says what may stand where: a number, a string or a geometry. A column, a
literal, an aggregate, CAST, COALESCE and whatever is in parentheses may stand in all of these places
(the rule <value_expression_primary>), so only calls of functions and operators can be in the wrong one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from schema.types import DOUBLE, POINT, REGION, TIMESTAMP, TMOC, VARCHAR, Type
from vo_server.adql import calls, nodes
from vo_server.adql.cases import FUNCTIONS as ALTERNATIVES
from vo_server.adql.cases import expect_arguments
from vo_server.adql.dialects import unknown_function
from vo_server.adql.errors import ADQLError, Span
from vo_server.adql.functions import FUNCTIONS, choose
from vo_server.adql.geometry import GEOMETRY, GeometryFunction
from vo_server.adql.objects import SIMBADPOINT
from vo_server.adql.parser import parse
from vo_server.adql.terms import describe

KNOWN = {**FUNCTIONS, SIMBADPOINT.name.upper(): (SIMBADPOINT,)}

PREFIXES: dict[str, str] = {
    "ivo_": "the IVOA",
    "gavo_": "GAVO",
    "wfau_": "WFAU",
    "eso_": "ESO",
}
"""Who publishes user defined functions with these prefixes, as ADQL 2.1 (section 2.8) asks for.

Sources: the IVOA's wiki page AdqlFunctionPrefixes for the first three, ESO's TAP service for the last.
"""

FITS: dict[str, tuple[Callable[[Type], bool], str]] = {
    calls.NUMBER: (lambda t: t.numeric is not None, "a number"),
    calls.WHOLE: (lambda t: t.numeric is not None, "a number"),
    calls.LONG: (lambda t: t.numeric is not None, "a number"),
    calls.TEXT: (lambda t: t.is_text, "text"),
    calls.TIME: (lambda t: t.is_text or t is TIMESTAMP, "a timestamp"),
    calls.POSITION: (lambda t: t in (POINT, REGION), "a point"),
    calls.GEOMETRY: (lambda t: t.is_geometry or t is TMOC, "a geometry"),
    calls.COVERAGE: (lambda t: t.is_geometry or t.is_text, "a MOC"),
}
"""By kind of place: which types fit, and what to call them. A literal must be one, whatever its type."""


def check_syntax(text: str, *, strict: bool = False) -> tuple[str, ...]:
    """Check one query without a catalogue; what a user should know of it comes back as notes.

    With `strict`, the extensions of this server are refused. Raises ADQLError, whatever the text is.
    """
    try:
        checker = _Checker(text, strict)
        for node in nodes.walk(parse(text, strict=strict)):
            checker.check(node)
    except ADQLError as error:
        raise error.locate(text) from None
    except RecursionError:
        raise ADQLError("the query is nested too deeply").locate(text) from None
    return tuple(checker.notes)


@dataclass
class _Checker:
    text: str
    strict: bool
    notes: list[str] = field(default_factory=list)

    def check(self, node: nodes.Node) -> None:
        """ADQLError if an operand or argument of this node (not of those below it) is misplaced."""
        if isinstance(node, nodes.Chain):
            operands = [node.first, *(operand for _, operand in node.rest)]
            if node.rest[0][0] == "||":
                for operand in operands:
                    self._text(operand)
            else:
                self._place(node.rest[0][0], calls.NUMBER, operands)
        elif isinstance(node, nodes.Signed):
            self._place(node.sign, calls.NUMBER, [node.operand])
        elif isinstance(node, nodes.InUnit):
            self._place("IN_UNIT", calls.NUMBER, [node.operand])
        elif isinstance(node, nodes.Like):
            self._place(node.operator, calls.TEXT, [node.operand, node.pattern])
        elif isinstance(node, nodes.Call):
            self._call(node)

    def _place(self, user: str, kind: str, operands: Sequence[nodes.Value], hint: str = "") -> None:
        for operand in operands:
            problem = self._misfit(user, kind, operand, hint)
            if problem is not None:
                raise problem

    def _text(self, operand: nodes.Value) -> None:
        """An operand of ||; beyond the grammar, numbers and timestamps become text there."""
        sure = self._sure(operand)
        if sure is not None and (self.strict or sure.is_geometry or sure.is_array) and not sure.is_text:
            hint = "turn it into text with CAST(... AS VARCHAR)" if not sure.is_geometry else ""
            raise ADQLError(f"|| takes text, this is {describe(sure)}", operand.at, hint)

    def _misfit(self, user: str, kind: str, operand: nodes.Value, hint: str) -> ADQLError | None:
        """What is wrong with `operand` in a place for `kind`, if anything is."""
        if kind == calls.LITERAL:
            if isinstance(operand, nodes.String):
                return None
            return ADQLError(f"{user} takes a string literal here", operand.at, hint)
        fits, shown = FITS[kind]
        sure = self._sure(operand)
        if sure is None and kind == calls.POSITION:
            # Here the grammar has <coord_value>, which is no literal.
            sure = {nodes.Number: DOUBLE, nodes.String: VARCHAR}.get(type(operand))
        if sure is None or fits(sure):
            return None
        return ADQLError(f"{user} takes {shown} here, this is {describe(sure)}", operand.at, hint)

    def _sure(self, node: nodes.Value) -> Type | None:
        """The type of a value, or one like it; None if the grammar does not tell."""
        if self._in_parentheses(node):
            return None
        if isinstance(node, nodes.Chain):
            return VARCHAR if node.rest[0][0] == "||" else DOUBLE
        if isinstance(node, nodes.Signed | nodes.InUnit):
            return DOUBLE
        if isinstance(node, nodes.Call):
            name = node.name.upper()
            if name in GEOMETRY:
                return GEOMETRY[name].result
            return KNOWN[name][0].result if name in KNOWN else None
        return None

    def _in_parentheses(self, node: nodes.Value) -> bool:
        """Whether the value is in parentheses of its own: its span begins with them."""
        if isinstance(node, nodes.Chain):
            return node.at[0] < node.first.at[0]
        return self.text.startswith("(", node.at[0])

    def _call(self, node: nodes.Call) -> None:
        name = node.name.upper()
        if name in ALTERNATIVES:
            expect_arguments(node)
        elif name in GEOMETRY:
            self._geometry(node, GEOMETRY[name])
        elif name in KNOWN:
            form = choose(node, KNOWN[name])
            for operand, (_, kind) in zip(node.arguments, form.arguments, strict=True):
                self._place(form.name, kind, [operand])
        else:
            self._foreign(node)

    def _foreign(self, node: nodes.Call) -> None:
        """A function that this server does not have."""
        owner = PREFIXES.get(node.name.lower().partition("_")[0] + "_")
        if owner is None:
            known = [form.name for forms in KNOWN.values() for form in forms]
            raise unknown_function(node, [*known, *GEOMETRY, *ALTERNATIVES])
        message = f"{node.name} is a user defined function of {owner} that this server does not have"
        self.notes.append(_located(message, node.name_at, self.text))

    def _geometry(self, node: nodes.Call, function: GeometryFunction) -> None:
        name = node.name.upper()
        arguments = node.arguments
        if function.begins_with_frame(arguments):
            arguments = arguments[1:]
        hint = f"it is written {function.written(name)}"
        problem: ADQLError | None = None
        for kinds in function.kinds(len(arguments)):
            found = (self._misfit(name, k, a, hint) for k, a in zip(kinds, arguments, strict=True))
            problem = next((p for p in found if p is not None), None)
            if problem is None:
                return
        raise problem or ADQLError(f"{name} has {len(arguments)} arguments", node.at, hint)


def _located(message: str, at: Span, text: str) -> str:
    error = ADQLError(message, at).locate(text)
    return f"{message} (line {error.line}, column {error.column})"
