"""`ivo_simbadpoint`: names of objects become positions before the query is translated.

So an index serves them like any other constant position.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from schema.types import POINT
from vo_server.adql import nodes
from vo_server.adql.calls import LITERAL, Function
from vo_server.adql.errors import ADQLError

Resolve = Callable[[str], tuple[float, float]]
"""Position (lon, lat in degrees, ICRS) of a named object. Raises LookupError if nothing has that name."""

MOST_NAMES = 10
"""Most different names of a query; each may cost a request to another service."""

LONGEST_NAME = 200

SIMBADPOINT = Function(
    "ivo_simbadpoint",
    (("identifier", LITERAL),),
    POINT,
    "",
    "The position of the object with that name, by the Sesame service of the CDS (Simbad, NED, VizieR).",
)
"""To be declared where names are resolved; it stands in no register, since it never reaches the SQL."""


def with_positions(query: nodes.Query, resolve: Resolve | None) -> nodes.Query:
    """The query with each call of ivo_simbadpoint replaced by the POINT of its object, in place.

    Raises ADQLError where there is no `resolve`, for names that it does not know, and for too many.
    """
    known: dict[str, tuple[float, float]] = {}

    def replaced(value: Any) -> Any:
        if isinstance(value, nodes.Call) and value.name.lower() == SIMBADPOINT.name:
            return _point(value, known, resolve)
        if isinstance(value, nodes.SelectItem):
            value.alias = value.alias or _name_of(value.value)
        if isinstance(value, nodes.Node):
            for each in fields(value):
                setattr(value, each.name, replaced(getattr(value, each.name)))
        elif isinstance(value, list):
            return [replaced(item) for item in value]
        elif isinstance(value, tuple):
            return tuple(replaced(item) for item in value)
        return value

    replaced(query)
    return query


def _name_of(value: nodes.Value) -> nodes.Name | None:
    """The name of a column that is nothing but the function: its own, not that of the POINT."""
    if isinstance(value, nodes.Call) and value.name.lower() == SIMBADPOINT.name:
        return nodes.Name(value.name_at, SIMBADPOINT.name, quoted=False)
    return None


def _point(call: nodes.Call, known: dict[str, tuple[float, float]], resolve: Resolve | None) -> nodes.Call:
    if resolve is None:
        raise ADQLError(
            f"{SIMBADPOINT.name} is not offered here",
            call.name_at,
            "this service looks up no names: write the position as POINT(ra, dec)",
        )
    name = _identifier(call)
    if name not in known:
        if len(known) >= MOST_NAMES:
            raise ADQLError(f"the query has more than {MOST_NAMES} names to look up", call.at)
        try:
            known[name] = resolve(name)
        except LookupError:
            raise ADQLError(
                f"the name '{name}' cannot be resolved",
                call.arguments[0].at,
                "neither Simbad nor NED nor VizieR knows it",
            ) from None
    return nodes.Call(call.at, "POINT", call.name_at, [_number(v, call) for v in known[name]])


def _identifier(call: nodes.Call) -> str:
    if len(call.arguments) != 1 or not isinstance(call.arguments[0], nodes.String):
        raise ADQLError(
            f"{SIMBADPOINT.name} takes one string literal", call.at, f"for example {SIMBADPOINT.name}('M 1')"
        )
    name = " ".join(call.arguments[0].value.split())
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
        raise ADQLError("this is no name of an object", call.arguments[0].at, "for example 'M 1'")
    return name


def _number(value: float, call: nodes.Call) -> nodes.Value:
    literal = nodes.Number(call.at, abs(value))
    return nodes.Signed(call.at, "-", literal) if value < 0 else literal
