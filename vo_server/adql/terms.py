"""A rendered expression: its SQL with what is known of it. Also quoting and binding."""

from dataclasses import dataclass, field

from schema.types import BIGINT, DOUBLE, INTEGER, REAL, SMALLINT, Type
from vo_server.adql.errors import ADQLError, Span

MAX_PARAMETERS = 60_000
"""PostgreSQL's protocol counts bound values in 16 bits."""

NUMBERS = {t.numeric: t for t in (SMALLINT, INTEGER, BIGINT, REAL, DOUBLE)}


@dataclass(frozen=True, slots=True)
class Meta:
    """What a result column says about its values besides their type."""

    description: str = ""
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    source: str | None = None


NO_META = Meta()


@dataclass(frozen=True, slots=True)
class Origin:
    """The stored column that a term is: the SQL alias of its table, and whether an index serves it."""

    alias: str
    indexed: bool


INTERVALS = "intervals"
"""The kind of Shape that a T-MOC is."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A geometry on the sky.

    `kind` is `point`, `circle`, `polygon`, `cap`, `region` or `moc`; INTERVALS are times, not places, as
    an int8multirange. `sql` is of the pgSphere type; of a `cap` (a circle of more than 90 degrees, which
    pgSphere cannot hold) it is the circle that is NOT covered. A `region` is a circle, a polygon or a
    cap, row by row: `options` has all three, one of them not NULL.
    `degrees` are the coordinates (lon, lat[, radius or further vertices]) as SQL, `numbers` the same
    as numbers if they are constant. `center` and `radius` (SQL, radians) are those of a circle or cap.
    `computed` is the radius of a circle that is not known before the query runs (SQL, degrees).
    An `indexed` point is served by an index of its table. `bound` is a circle about a constant MOC;
    `array` is a stored DALI array that the shape was made from.
    Times that were brought to cells of an `order` (SQL) know the ones they were made of, their `base`.
    """

    kind: str
    sql: str
    degrees: tuple[str, ...] | None = None
    numbers: tuple[float, ...] | None = None
    center: "Shape | None" = None
    options: "tuple[Shape, ...]" = ()
    radius: str = ""
    computed: str = ""
    indexed: bool = False
    bound: "Shape | None" = None
    base: "Shape | None" = None
    order: str = ""
    array: str | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """A condition that ADQL spells as a number, 1 or 0.

    `matching` is true for the same rows as `exact` but may be NULL or false for the others: it is
    what an index serves. `exact` is true, false, or NULL if an operand is unknown.
    """

    matching: str
    exact: str


@dataclass(slots=True)
class Term:
    """SQL of a value. `type` is None for the NULL literal.

    `constant` is the value of a literal (or of arithmetic on literals); `loose` are the columns that
    stand outside aggregates; `test` and `separation` say that the value is a CONTAINS/INTERSECTS or
    a DISTANCE, so that a comparison can be rendered for an index.
    """

    sql: str
    type: Type | None
    at: Span
    meta: Meta = NO_META
    name: str = ""
    constant: int | float | str | None = None
    loose: tuple[tuple[str, Span], ...] = ()
    aggregate: bool = False
    origin: Origin | None = None
    shape: Shape | None = None
    test: Test | None = None
    separation: tuple[Shape, Shape] | None = None

    @property
    def is_number(self) -> bool:
        """True for numbers and NULL."""
        return self.type is None or self.type.numeric is not None

    @property
    def is_whole(self) -> bool:
        """True for integers and NULL."""
        return self.type is None or (self.type.numeric is not None and self.type.numeric <= 3)

    @property
    def is_text(self) -> bool:
        """True for strings (the text of a region among them) and NULL."""
        return self.type is None or self.type.is_text or self.type.name == "REGION"

    def as_type(self, wanted: Type) -> str:
        """The SQL, cast to `wanted` if it is not of it already."""
        return self.sql if self.type is wanted else f"({self.sql})::{wanted.postgres}"


def derived(sql: str, kind: Type | None, at: Span, operands: "list[Term]", meta: Meta = NO_META) -> Term:
    """A term computed from others: it inherits their loose columns and whether they aggregate."""
    loose = tuple(column for o in operands for column in o.loose)
    return Term(sql, kind, at, meta, loose=loose, aggregate=any(o.aggregate for o in operands))


def wider(left: Type, right: Type) -> Type:
    """The type that PostgreSQL gives to arithmetic on two number types.

    Integers take the wider one; REAL stays REAL only with REAL, everything else is DOUBLE PRECISION.
    """
    if left is right:
        return left
    widest = max(left.numeric or 0, right.numeric or 0)
    return NUMBERS[widest] if widest <= 3 else DOUBLE


def describe(kind: Type | None) -> str:
    """The type as an error message calls it."""
    if kind is None:
        return "NULL"
    if kind.is_text:
        return "text"
    if kind.numeric is not None:
        return "a number"
    if kind.is_array:
        return "an array"
    return f"a {kind.name.lower()}"


def quote(name: str) -> str:
    """A PostgreSQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def number(value: float) -> str:
    """A number as PostgreSQL reads it back exactly; floating point ones carry their type."""
    if isinstance(value, int):
        return str(value) if -(2**31) < value < 2**31 else f"{value}::bigint"
    return f"{value!r}::float8"


@dataclass(slots=True)
class Parameters:
    """The values bound to `$1`, `$2` ...; equal values share a placeholder.

    Sharing matters: `GROUP BY f(x, 'a')` and `SELECT f(x, 'a')` are one expression to PostgreSQL
    only if they hold the same placeholder.
    """

    values: list[str] = field(default_factory=list)
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def bind(self, value: str, cast: str = "text") -> str:
        """The placeholder for `value` with its cast."""
        key = (cast, value)
        if key not in self._known:
            if len(self.values) >= MAX_PARAMETERS:
                raise ADQLError(f"the query has more than {MAX_PARAMETERS} different strings")
            self.values.append(value)
            self._known[key] = f"${len(self.values)}::{cast}"
        return self._known[key]
