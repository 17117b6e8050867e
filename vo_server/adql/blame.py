"""Where in a query a fault lies that the database found in the data.

The database speaks of its own SQL; a user knows the ADQL. So the query is parsed once more and
searched for what can fail in that way: the divisors behind a division by zero, the casts behind text
that is no number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from vo_server.adql import nodes
from vo_server.adql.errors import ADQLError, Span
from vo_server.adql.mathematics import MATHEMATICS, STRINGS
from vo_server.adql.parser import parse

Suspects = Callable[[nodes.Node], Iterator[Span]]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, what would help, and the parts of a query that can be at fault."""

    message: str
    hint: str
    suspects: Suspects


def blame(text: str, sqlstate: str, told: str) -> str:
    """What to show for a fault in the data that the query `text` met: an ADQLError's words.

    The first part of the query that may be at fault is marked. `told` is the message where `sqlstate`
    is not in FAULTS; geometry and user defined functions are the suspects then.
    """
    fault = FAULTS.get(sqlstate, Fault(told, "", _special))
    places = sorted(at for node in _walk(parse(text)) for at in fault.suspects(node))
    if not places:
        return "\n".join(filter(None, (fault.message, fault.hint)))
    others = f"{len(places)} parts of the query may be at fault, the first is marked" * (len(places) > 1)
    return str(
        ADQLError(fault.message, places[0], "; ".join(filter(None, (fault.hint, others)))).locate(text)
    )


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for each in fields(node):
        yield from _inside(getattr(node, each.name))


def _inside(value: object) -> Iterator[nodes.Node]:
    if isinstance(value, nodes.Node):
        yield from _walk(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _inside(item)


def _special(node: nodes.Node) -> Iterator[Span]:
    """Calls of all functions but the mathematical ones."""
    if isinstance(node, nodes.Call) and node.name.upper() not in PLAIN:
        yield node.at


def _calls(*names: str) -> Suspects:
    def suspects(node: nodes.Node) -> Iterator[Span]:
        if isinstance(node, nodes.Call) and node.name.upper() in names:
            yield node.at

    return suspects


def _casts(*targets: str) -> Suspects:
    def suspects(node: nodes.Node) -> Iterator[Span]:
        if isinstance(node, nodes.Cast) and node.target in targets:
            yield node.at

    return suspects


def _any_of(*rules: Suspects) -> Suspects:
    return lambda node: (at for rule in rules for at in rule(node))


def _divisors(node: nodes.Node) -> Iterator[Span]:
    """Divisors, but for numbers that are not zero."""
    operands = node.rest if isinstance(node, nodes.Chain) else []
    divisors = [operand for operator, operand in operands if operator == "/"]
    if isinstance(node, nodes.Call) and node.name.upper() == "MOD":
        divisors = node.arguments[1:]
    for divisor in divisors:
        if not (isinstance(divisor, nodes.Number) and divisor.value):
            yield divisor.at


def _arithmetic(node: nodes.Node) -> Iterator[Span]:
    """Sums, products and the like."""
    numbers = isinstance(node, nodes.Chain) and node.rest[0][0] != "||"
    if numbers or (isinstance(node, nodes.Aggregate) and node.name == "SUM"):
        yield node.at


def _nothing(_: nodes.Node) -> Iterator[Span]:
    return iter(())


def _aggregates(node: nodes.Node) -> Iterator[Span]:
    """Aggregates that collect text or cells."""
    if isinstance(node, nodes.Call) and node.name.lower().endswith("_agg"):
        yield node.at


def _full_joins(node: nodes.Node) -> Iterator[Span]:
    if isinstance(node, nodes.JoinStep) and node.kind == "FULL":
        yield node.at


def _subqueries(node: nodes.Node) -> Iterator[Span]:
    """Queries that stand for a value."""
    for each in fields(node):
        value = getattr(node, each.name)
        if isinstance(node, nodes.Value) and isinstance(value, nodes.Query):
            yield node.at


PLAIN = frozenset(f.name for f in (*MATHEMATICS, *STRINGS))
NUMBERS = ("SMALLINT", "INTEGER", "BIGINT", "REAL", "DOUBLE PRECISION")

FAULTS: dict[str, Fault] = {
    "22012": Fault(
        "division by zero", "NULLIF(x, 0) in its place makes the result NULL where x is 0", _divisors
    ),
    "22003": Fault(
        "a number is too large for its type, or outside of what a function takes",
        "SMALLINT goes to 32767, INTEGER to 2147483647, BIGINT to 9.2e18, REAL to 3.4e38, DOUBLE PRECISION to"
        " 1.8e308; ACOS and ASIN take -1 to 1",
        _any_of(
            _arithmetic, _casts(*NUMBERS), _calls("EXP", "POWER", "ACOS", "ASIN", "ROUND", "TRUNCATE", "TAN")
        ),
    ),
    "2201E": Fault(
        "the logarithm of a number that is not above 0",
        "leave such rows out with a condition in WHERE",
        _calls("LOG", "LOG10"),
    ),
    "2201F": Fault(
        "a root or power that is not a real number",
        "leave such rows out with a condition in WHERE",
        _calls("SQRT", "POWER"),
    ),
    "22P02": Fault(
        "text that is cast to a number is not written as one of that type",
        "leave such rows out with a condition in WHERE",
        _casts(*NUMBERS),
    ),
    **dict.fromkeys(
        ("22007", "22008"),
        Fault(
            "text that is used as a timestamp is not a timestamp",
            "timestamps look like '2026-01-01T12:00:00'",
            _any_of(_casts("TIMESTAMP"), _calls("IVO_TO_JD", "IVO_TO_MJD")),
        ),
    ),
    "54001": Fault(
        "the query is too complex for the database",
        "write it with fewer nested or repeated expressions",
        _nothing,
    ),
    "54000": Fault("a value becomes too large for the database", "", _aggregates),
    "22025": Fault(
        "the pattern ends with its escape character",
        "",
        lambda node: iter([node.pattern.at] if isinstance(node, nodes.Like) else ()),
    ),
    "0A000": Fault(
        "the condition of a FULL JOIN must hold columns equal",
        "as in ON a.x = b.x, or USING (x)",
        _full_joins,
    ),
    "21000": Fault(
        "a query that stands for a value brings more than one row",
        "SELECT TOP 1, or an aggregate such as MAX, makes it one",
        _subqueries,
    ),
}
"""Faults by SQLSTATE (PostgreSQL 15, appendix A)."""
