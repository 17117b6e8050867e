"""The register of functions: one row declares a function's arguments, its SQL and its meaning.

Geometry has its own register (`geometry.GEOMETRY`); CAST and the aggregates are grammar.
"""

from dataclasses import dataclass

from schema.types import BIGINT, DOUBLE, INTEGER, POINT, VARCHAR, Type
from vo_server.adql.terms import NO_META, Meta

NUMBER = "REAL"
WHOLE = "INTEGER"
LONG = "BIGINT"
TEXT = "VARCHAR"
TIME = "TIMESTAMP"
POSITION = "POINT"


@dataclass(frozen=True, slots=True)
class Function:
    """One form of a function.

    `arguments` are (name, kind) pairs. `sql` has `{0}`, `{1}` ... where the arguments go; of a
    `predicate` it is a condition, which ADQL sees as 1 or 0.
    """

    name: str
    arguments: tuple[tuple[str, str], ...]
    result: Type
    sql: str
    doc: str
    meta: Meta = NO_META
    predicate: bool = False
    aggregate: bool = False

    @property
    def signature(self) -> str:
        """The form as TAPRegExt 1.0 (section 2.3) wants it: f(a TYPE, ...) -> TYPE."""
        arguments = ", ".join(f"{name} {kind}" for name, kind in self.arguments)
        result = NUMBER if self.result is DOUBLE else self.result.name
        return f"{self.name}({arguments}) -> {result}"


def _mathematics(name: str, sql: str, doc: str, *arguments: str, unit: str | None = None) -> Function:
    """A row of ADQL's table of mathematical functions (2.1, section 2.3): numbers in, a double out."""
    kinds = tuple((a, WHOLE if a == "n" else NUMBER) for a in arguments)
    return Function(name, kinds, DOUBLE, sql, doc, Meta(unit=unit))


# PostgreSQL has MOD and rounding to n digits for numeric only. The way there is through text, since
# the direct cast keeps 15 digits of the 17 that a double can need.
MATHEMATICS: tuple[Function, ...] = (
    _mathematics("ABS", "abs({0})", "Absolute value.", "x"),
    _mathematics("CEILING", "ceiling({0})", "Smallest integer not less than x.", "x"),
    _mathematics("DEGREES", "degrees({0})", "Radians to degrees.", "x", unit="deg"),
    _mathematics("EXP", "exp({0})", "Exponential.", "x"),
    _mathematics("FLOOR", "floor({0})", "Largest integer not greater than x.", "x"),
    _mathematics("LOG", "ln({0})", "Natural logarithm.", "x"),
    _mathematics("LOG10", "log({0})", "Logarithm to base 10.", "x"),
    _mathematics(
        "MOD",
        "mod(({0})::text::numeric, ({1})::text::numeric)::float8",
        "Remainder of x / y, with the sign of x.",
        "x",
        "y",
    ),
    _mathematics("PI", "pi()", "The number pi."),
    _mathematics("POWER", "power({0}, {1})", "x raised to y.", "x", "y"),
    _mathematics("RADIANS", "radians({0})", "Degrees to radians.", "x", unit="rad"),
    _mathematics("SQRT", "sqrt({0})", "Square root.", "x"),
    _mathematics("RAND", "random()", "A random number from 0 to 1."),
    _mathematics("RAND", "random()", "A random number from 0 to 1; the seed x has no effect.", "x"),
    _mathematics("ROUND", "round(({0})::text::numeric)::float8", "Nearest integer.", "x"),
    _mathematics("ROUND", "round(({0})::text::numeric, {1})::float8", "Rounded to n decimals.", "x", "n"),
    _mathematics("TRUNCATE", "trunc({0})", "The integer part.", "x"),
    _mathematics("TRUNCATE", "trunc(({0})::text::numeric, {1})::float8", "Cut to n decimals.", "x", "n"),
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

# IVOA catalogue of ADQL user defined functions, version 1.2.
USER_DEFINED: tuple[Function, ...] = (
    Function(
        "ivo_nocasematch",
        (("value", TEXT), ("pattern", TEXT)),
        INTEGER,
        "{0} ILIKE {1} ESCAPE ''",
        "1 if value matches the LIKE pattern whatever the case, else 0.",
        predicate=True,
    ),
    Function(
        "ivo_hasword",
        (("haystack", TEXT), ("needle", TEXT)),
        INTEGER,
        "to_tsvector('simple'::regconfig, {0}) @@ plainto_tsquery('simple'::regconfig, {1})",
        "1 if all words of needle occur in haystack whatever the case, else 0.",
        predicate=True,
    ),
    Function(
        "ivo_hashlist_has",
        (("hashlist", TEXT), ("item", TEXT)),
        INTEGER,
        "position('#' in {1}) = 0 AND lower({1}) = ANY (string_to_array(lower({0}), '#'))",
        "1 if item is one of the words of hashlist, which # separates, whatever the case; else 0.",
        predicate=True,
    ),
    Function(
        "ivo_interval_overlaps",
        (("l1", NUMBER), ("h1", NUMBER), ("l2", NUMBER), ("h2", NUMBER)),
        INTEGER,
        "{0} <= {3} AND {2} <= {1} AND {0} <= {1} AND {2} <= {3}",
        "1 if the intervals [l1, h1] and [l2, h2] have a point in common, else 0.",
        predicate=True,
    ),
    Function(
        "ivo_string_agg",
        (("expression", TEXT), ("delimiter", TEXT)),
        VARCHAR,
        "string_agg({0}, {1})",
        "An aggregate: the strings of a group, joined by the delimiter; NULLs are left out.",
        aggregate=True,
    ),
    Function(
        "ivo_to_jd",
        (("d", TIME),),
        DOUBLE,
        "(extract(epoch FROM {0}) / 86400 + 2440587.5)::float8",
        "The timestamp as Julian date; the time scale stays as it is.",
        Meta(unit="d", ucd="time.epoch"),
    ),
    Function(
        "ivo_to_mjd",
        (("d", TIME),),
        DOUBLE,
        "(extract(epoch FROM {0}) / 86400 + 40587)::float8",
        "The timestamp as modified Julian date; the time scale stays as it is.",
        Meta(unit="d", ucd="time.epoch"),
    ),
    Function(
        "ivo_healpix_index",
        (("hpxOrder", WHOLE), ("long", NUMBER), ("lat", NUMBER)),
        BIGINT,
        "healpix_nest({0}, spoint(radians({1}), radians({2})))",
        "The HEALPix of an order (nested scheme) that holds the position in degrees.",
        Meta(ucd="pos.healpix"),
    ),
    Function(
        "ivo_healpix_index",
        (("hpxOrder", WHOLE), ("p", POSITION)),
        BIGINT,
        "healpix_nest({0}, {1})",
        "The HEALPix of an order (nested scheme) that holds the point.",
        Meta(ucd="pos.healpix"),
    ),
    Function(
        "ivo_healpix_center",
        (("hpxOrder", WHOLE), ("hpxIndex", LONG)),
        POINT,
        "center_of_healpix_nest({0}, {1})",
        "The centre of a HEALPix of an order (nested scheme).",
        Meta(unit="deg", ucd="pos.eq"),
    ),
)


def _by_name(*groups: tuple[Function, ...]) -> dict[str, tuple[Function, ...]]:
    forms: dict[str, tuple[Function, ...]] = {}
    for function in (f for group in groups for f in group):
        key = function.name.upper()
        forms[key] = (*forms.get(key, ()), function)
    return forms


FUNCTIONS: dict[str, tuple[Function, ...]] = _by_name(MATHEMATICS, STRINGS, USER_DEFINED)
"""All forms of every function by its upper-case name."""
