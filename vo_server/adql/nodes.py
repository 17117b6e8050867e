"""The syntax tree. Every node knows the span of text it came from (`at`)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from vo_server.adql.errors import Span


@dataclass(slots=True)
class Node:
    """What the nodes have in common."""

    at: Span


@dataclass(slots=True)
class Name(Node):
    """An identifier; `quoted` ones match exactly, others whatever their case."""

    text: str
    quoted: bool

    @property
    def output(self) -> str:
        """The name a result column gets from it: regular identifiers fold to lower case."""
        return self.text if self.quoted else self.text.lower()


# Values.


@dataclass(slots=True)
class Value(Node):
    """A value expression."""


@dataclass(slots=True)
class ColumnReference(Value):
    """[[schema.]table.]column; the column's name comes last."""

    parts: tuple[Name, ...]


@dataclass(slots=True)
class Number(Value):
    """An unsigned numeric literal."""

    value: int | float


@dataclass(slots=True)
class String(Value):
    """A character string literal, unescaped."""

    value: str


@dataclass(slots=True)
class Null(Value):
    """The NULL literal."""


@dataclass(slots=True)
class Signed(Value):
    """A sign in front of a value."""

    sign: str
    operand: Value


@dataclass(slots=True)
class Chain(Value):
    """Operators of one precedence, left to right: + and -, * and /, or ||.

    A chain is one node, so that a sum of a thousand terms does not nest a thousand deep.
    """

    first: Value
    rest: list[tuple[str, Value]]


@dataclass(slots=True)
class Call(Value):
    """A function call; `name` is as written."""

    name: str
    name_at: Span
    arguments: list[Value]


@dataclass(slots=True)
class Aggregate(Value):
    """COUNT, AVG, MIN, MAX or SUM; `argument` is None for COUNT(*)."""

    name: str
    distinct: bool
    argument: Value | None


@dataclass(slots=True)
class Cast(Value):
    """CAST(operand AS target); `length` is the n of CHAR(n) and VARCHAR(n)."""

    operand: Value
    target: str
    length: int | None


@dataclass(slots=True)
class InUnit(Value):
    """IN_UNIT(operand, 'unit'); the unit as written, unescaped, and where it stands."""

    operand: Value
    unit: str
    unit_at: Span


@dataclass(slots=True)
class Branch(Node):
    """WHEN ... THEN result: behind WHEN stands a condition, or a value of a CASE with an operand."""

    when: "Condition | Value"
    result: Value


@dataclass(slots=True)
class Case(Value):
    """CASE [operand] branches [ELSE otherwise] END."""

    operand: Value | None
    branches: list[Branch]
    otherwise: Value | None


@dataclass(slots=True)
class ScalarQuery(Value):
    """(query) in the place of a value."""

    query: "Query"


# Conditions.


@dataclass(slots=True)
class Condition(Node):
    """A search condition."""


@dataclass(slots=True)
class Junction(Condition):
    """Conditions joined by one of AND and OR."""

    operator: str
    operands: list[Condition]


@dataclass(slots=True)
class Not(Condition):
    """NOT condition."""

    operand: Condition


@dataclass(slots=True)
class Comparison(Condition):
    """left operator right; the operator is one of = <> < > <= >=."""

    operator: str
    left: Value
    right: Value


@dataclass(slots=True)
class Between(Condition):
    """operand [NOT] BETWEEN low AND high."""

    negated: bool
    operand: Value
    low: Value
    high: Value


@dataclass(slots=True)
class InList(Condition):
    """operand [NOT] IN (value, ...)."""

    negated: bool
    operand: Value
    items: list[Value]


@dataclass(slots=True)
class InQuery(Condition):
    """operand [NOT] IN (query)."""

    negated: bool
    operand: Value
    query: "Query"


@dataclass(slots=True)
class Like(Condition):
    """operand [NOT] LIKE or ILIKE pattern [ESCAPE 'c']; `escape` is that one character."""

    negated: bool
    operator: str
    operand: Value
    pattern: Value
    escape: str = ""


@dataclass(slots=True)
class IsNull(Condition):
    """operand IS [NOT] NULL."""

    negated: bool
    operand: Value


@dataclass(slots=True)
class Exists(Condition):
    """EXISTS (query)."""

    query: "Query"


# Tables.


@dataclass(slots=True)
class TableExpression(Node):
    """What may stand in FROM."""


@dataclass(slots=True)
class TableName(TableExpression):
    """[[catalog.]schema.]table [AS alias]."""

    parts: tuple[Name, ...]
    alias: Name | None


@dataclass(slots=True)
class Derived(TableExpression):
    """(query) AS alias."""

    query: "Query"
    alias: Name


@dataclass(slots=True)
class JoinStep(Node):
    """[NATURAL] [kind] JOIN table [ON condition | USING (names)]; kind INNER, LEFT, RIGHT or FULL.

    The grammar of ADQL lets the condition be missing; what that means it does not say.
    """

    kind: str
    natural: bool
    table: TableExpression
    on: Condition | None
    using: list[Name]


@dataclass(slots=True)
class Joined(TableExpression):
    """A table and the joins behind it, left to right."""

    first: TableExpression
    steps: list[JoinStep]


# Queries.


@dataclass(slots=True)
class SelectItem(Node):
    """One item of the select list: a value with its alias."""

    value: Value
    alias: Name | None


@dataclass(slots=True)
class Star(Node):
    """* or table.*; `table` is empty for a bare star."""

    table: tuple[Name, ...]


@dataclass(slots=True)
class SortKey(Node):
    """value [ASC|DESC]."""

    value: Value
    descending: bool


@dataclass(slots=True)
class Body(Node):
    """What a query consists of: a Select, a chain of set operators, or a query in parentheses."""


@dataclass(slots=True)
class Select(Body):
    """SELECT ... FROM ... WHERE ... GROUP BY ... HAVING."""

    distinct: bool
    top: int | None
    items: list[SelectItem | Star]
    tables: list[TableExpression]
    where: Condition | None
    group_by: list[Value]
    having: Condition | None


@dataclass(slots=True)
class SetStep(Node):
    """UNION, EXCEPT or INTERSECT [ALL] operand."""

    operator: str
    every: bool
    operand: Body


@dataclass(slots=True)
class SetChain(Body):
    """Set operators of one precedence, left to right."""

    first: Body
    rest: list[SetStep]


@dataclass(slots=True)
class CommonTable(Node):
    """name AS (query)."""

    name: Name
    query: "Query"


@dataclass(slots=True)
class Query(Body):
    """[WITH ...] body [ORDER BY ...] [OFFSET n]."""

    body: Body
    common: list[CommonTable] = field(default_factory=list)
    order_by: list[SortKey] = field(default_factory=list)
    offset: int | None = None


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes below it, in the order of the text."""
    yield node
    for each in fields(node):
        yield from _inside(getattr(node, each.name))


def _inside(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield from walk(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _inside(item)
