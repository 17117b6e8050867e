"""ADQL's mathematical and string functions (2.1, sections 2.3 and 4.4)."""

from schema.types import DOUBLE, VARCHAR
from vo_server.adql.calls import NUMBER, TEXT, WHOLE, Function
from vo_server.adql.metadata import Rule, raised, remainder, root, same_quantity, same_unit
from vo_server.adql.terms import Meta


def _mathematics(
    name: str, sql: str, doc: str, *arguments: str, unit: str | None = None, meta: Rule | None = None
) -> Function:
    """A row of ADQL's table of mathematical functions (2.1, section 2.3): numbers in, a double out.

    What the value says of itself is its `unit`, if that is fixed, or follows from `meta`.
    """
    kinds = tuple((a, WHOLE if a == "n" else NUMBER) for a in arguments)
    return Function(name, kinds, DOUBLE, sql, doc, meta or Meta(unit=unit))


# PostgreSQL has MOD and rounding to n digits for numeric only. The way there is through text, since
# the direct cast keeps 15 digits of the 17 that a double can need.
MATHEMATICS: tuple[Function, ...] = (
    _mathematics("ABS", "abs({0})", "Absolute value.", "x", meta=same_unit),
    _mathematics("CEILING", "ceiling({0})", "Smallest integer not less than x.", "x", meta=same_quantity),
    _mathematics("DEGREES", "degrees({0})", "Radians to degrees.", "x", unit="deg"),
    _mathematics("EXP", "exp({0})", "Exponential.", "x"),
    _mathematics("FLOOR", "floor({0})", "Largest integer not greater than x.", "x", meta=same_quantity),
    _mathematics("LOG", "ln({0})", "Natural logarithm.", "x"),
    _mathematics("LOG10", "log({0})", "Logarithm to base 10.", "x"),
    _mathematics(
        "MOD",
        "mod(({0})::text::numeric, ({1})::text::numeric)::float8",
        "Remainder of x / y, with the sign of x.",
        "x",
        "y",
        meta=remainder,
    ),
    _mathematics("PI", "pi()", "The number pi."),
    _mathematics("POWER", "power({0}, {1})", "x raised to y.", "x", "y", meta=raised),
    _mathematics("RADIANS", "radians({0})", "Degrees to radians.", "x", unit="rad"),
    _mathematics("SQRT", "sqrt({0})", "Square root.", "x", meta=root),
    _mathematics("RAND", "random()", "A random number from 0 to 1."),
    _mathematics("RAND", "random()", "A random number from 0 to 1; the seed x has no effect.", "x"),
    _mathematics("ROUND", "round(({0})::text::numeric)::float8", "Nearest integer.", "x", meta=same_quantity),
    _mathematics(
        "ROUND",
        "round(({0})::text::numeric, {1})::float8",
        "Rounded to n decimals.",
        "x",
        "n",
        meta=same_quantity,
    ),
    _mathematics("TRUNCATE", "trunc({0})", "The integer part.", "x", meta=same_quantity),
    _mathematics(
        "TRUNCATE",
        "trunc(({0})::text::numeric, {1})::float8",
        "Cut to n decimals.",
        "x",
        "n",
        meta=same_quantity,
    ),
    _mathematics("ACOS", "acos({0})", "Arc cosine.", "x", unit="rad"),
    _mathematics("ASIN", "asin({0})", "Arc sine.", "x", unit="rad"),
    _mathematics("ATAN", "atan({0})", "Arc tangent.", "x", unit="rad"),
    _mathematics("ATAN2", "atan2({0}, {1})", "Arc tangent of y / x in its quadrant.", "y", "x", unit="rad"),
    _mathematics("COS", "cos({0})", "Cosine.", "x"),
    _mathematics("COT", "cot({0})", "Cotangent.", "x"),
    _mathematics("SIN", "sin({0})", "Sine.", "x"),
    _mathematics("TAN", "tan({0})", "Tangent.", "x"),
)

STRINGS: tuple[Function, ...] = (
    Function("LOWER", (("s", TEXT),), VARCHAR, "lower({0})", "The string in lower case."),
    Function("UPPER", (("s", TEXT),), VARCHAR, "upper({0})", "The string in upper case."),
)
