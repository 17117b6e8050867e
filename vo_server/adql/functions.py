"""The register of functions, and how one of them is applied. Their rows stand in modules by subject.

Geometry has its own register (`geometry.GEOMETRY`); CAST and the aggregates are grammar.
"""

from collections.abc import Callable
from dataclasses import replace

from schema.types import BIGINT, DOUBLE, INTEGER, MOC, POINT, TIMESTAMP, VARCHAR, Type
from vo_server.adql import calls, nodes
from vo_server.adql.calls import Arguments, Function
from vo_server.adql.errors import ADQLError
from vo_server.adql.ivoa import CATALOGUE
from vo_server.adql.mathematics import MATHEMATICS, STRINGS
from vo_server.adql.mocs import MOCS
from vo_server.adql.terms import Meta, Shape, Term, Test, derived, describe, number
from vo_server.adql.tmocs import TMOCS

USER_DEFINED: tuple[Function, ...] = (*CATALOGUE, *MOCS, *TMOCS)
"""The functions to declare with their signatures."""


def _by_name(*groups: tuple[Function, ...]) -> dict[str, tuple[Function, ...]]:
    forms: dict[str, tuple[Function, ...]] = {}
    for function in (f for group in groups for f in group):
        key = function.name.upper()
        forms[key] = (*forms.get(key, ()), function)
    return forms


FUNCTIONS: dict[str, tuple[Function, ...]] = _by_name(MATHEMATICS, STRINGS, USER_DEFINED)
"""All forms of every function by its upper-case name."""

WANTED: dict[str, tuple[Type | None, Callable[[Term], bool], str]] = {
    calls.NUMBER: (DOUBLE, lambda t: t.is_number, "a number"),
    calls.WHOLE: (INTEGER, lambda t: t.is_whole, "a whole number"),
    calls.LONG: (BIGINT, lambda t: t.is_whole, "a whole number"),
    calls.TEXT: (VARCHAR, lambda t: t.is_text, "text"),
    calls.LITERAL: (None, lambda t: isinstance(t.constant, str), "a string literal"),
    calls.TIME: (TIMESTAMP, lambda t: t.is_text or t.type is TIMESTAMP, "a timestamp"),
    calls.POSITION: (POINT, lambda t: t.type is POINT, "a point"),
    calls.GEOMETRY: (None, lambda t: t.shape is not None and t.shape.kind != "intervals", "a geometry"),
    calls.COVERAGE: (MOC, lambda t: t.type is MOC, "a MOC"),
}
"""By kind of argument: the type that it is cast to (None: it stays as it is), what fits, its name."""


def choose(node: nodes.Call, forms: tuple[Function, ...]) -> Function:
    """The form that takes as many arguments as the call has."""
    for form in forms:
        if len(form.arguments) == len(node.arguments):
            return form
    written = " or ".join(f"{f.name}({', '.join(a for a, _ in f.arguments)})" for f in forms)
    raise ADQLError(f"{node.name} has {len(node.arguments)} arguments", node.at, f"it is written {written}")


def fitted(term: Term, kind: str, form: Function) -> Term:
    """An argument as the kind that the function wants; the SQL is of that type."""
    wanted, fits, shown = WANTED[kind]
    if not fits(term):
        hint = "turn it into text with CAST(... AS VARCHAR)" if wanted is VARCHAR else ""
        if wanted in (INTEGER, BIGINT) and term.is_number:
            hint = f"CAST(... AS {wanted.name}) rounds it"
        raise ADQLError(f"{form.name} takes {shown} here, this is {describe(term.type)}", term.at, hint)
    if wanted is None:
        return term
    if kind == calls.NUMBER and isinstance(term.constant, (int, float)):
        return replace(term, sql=number(float(term.constant)), type=DOUBLE)
    return replace(term, sql=term.as_type(wanted), type=wanted)


def applied(form: Function, call: Arguments) -> Term:
    """The value of a function applied to its fitted arguments."""
    if form.build is not None:
        term = form.build(call)
    else:
        sql = form.sql.format(*(t.sql for t in call.terms))
        meta = form.meta if isinstance(form.meta, Meta) else form.meta(call.terms)
        term = derived(sql, form.result, call.at, call.terms, meta)
        if form.predicate:
            term.test = Test(sql, sql)
            term.sql = f"({sql})::integer"
        if form.result is POINT:
            term.shape = Shape("point", sql)
    if form.aggregate:
        term.loose, term.aggregate = (), True
    return term
