"""How large expressions become where PostgreSQL puts the expressions of subqueries in place of their columns.

`x + x` in a subquery of a subquery of a subquery doubles with every level: the planner's memory and
time would double, too, and it does not look at the time limit.
"""

import re
from collections.abc import Mapping

from vo_server.adql.errors import ADQLError, Span
from vo_server.adql.names import Field
from vo_server.adql.terms import Parameters

MAX_WEIGHT = 500_000
"""Most characters of one expression, those of the subqueries and strings in it included."""

_USED = re.compile(r""""(?:[^"]|"")*"\."(?:[^"]|"")*"|\$([0-9]+)::""")
"""A column or a bound string in rendered SQL."""


def weigh(sql: str, columns: Mapping[str, Field], parameters: Parameters, at: Span) -> int:
    """The characters of a rendered expression with those behind the subqueries' `columns` and strings in it.

    `columns` are by their SQL. Raises ADQLError for more than MAX_WEIGHT.
    """
    known = columns.get(sql)
    if known is not None:
        return known.weight
    weight = len(sql)
    for match in _USED.finditer(sql):
        if match.group(1) is not None:
            weight += len(parameters.values[int(match.group(1)) - 1])
        elif match.group() in columns:
            weight += columns[match.group()].weight
    if weight > MAX_WEIGHT:
        raise too_large(at)
    return weight


def too_large(at: Span) -> ADQLError:
    """The error for an expression that becomes too large."""
    hint = "each use of a subquery's column repeats its expression: use it less often, or simplify it"
    return ADQLError("the expression becomes too long through its subqueries", at, hint)
