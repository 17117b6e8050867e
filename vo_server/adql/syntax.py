"""Values and conditions: the lower half of the ADQL grammar, by recursive descent.

Conditions and values share parentheses, so one method reads both and the callers check which came.
"""

from collections.abc import Callable

from schema.reserved import ADQL_WORDS
from vo_server.adql import nodes
from vo_server.adql.cursor import CLAUSE_WORDS, Cursor
from vo_server.adql.dialects import FUNCTIONS as FOREIGN_FUNCTIONS
from vo_server.adql.dialects import TYPES as FOREIGN_TYPES
from vo_server.adql.errors import ADQLError
from vo_server.adql.extensions import ESCAPE, EXTENDED_FUNCTIONS, SCALAR_QUERY, SEARCHED_CASE, SIMPLE_CASE
from vo_server.adql.tokens import Kind

COMPARISONS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
CHAINS = (frozenset({"||"}), frozenset({"+", "-"}), frozenset({"*", "/"}))
AGGREGATES = frozenset({"COUNT", "AVG", "MIN", "MAX", "SUM"})
VALUE_EXPECTED = "a value is expected here: a column, a number, a 'string' or a function"

CAST_TARGETS = frozenset(
    {"SMALLINT", "INTEGER", "BIGINT", "REAL", "DOUBLE PRECISION", "CHAR", "VARCHAR", "TIMESTAMP"}
    | {"POINT", "CIRCLE", "POLYGON"}
)
FUNCTION_WORDS = (ADQL_WORDS - {"BIGINT", "ILIKE", "OFFSET", "TOP"}) | AGGREGATES | {"COALESCE", "NULLIF"}
"""Reserved words that are functions."""

_AFTER_CONDITION = CLAUSE_WORDS | {"THEN"}

MAX_CHAIN = 1000
"""Most operands of one chain of operators; PostgreSQL nests them as deeply."""


LITERALS = frozenset({Kind.STRING, Kind.NUMBER})


class ExpressionParser(Cursor):
    """Reads values and conditions."""

    def query(self, *, top_level: bool = False) -> nodes.Query:
        """A query expression; the query parser provides it."""
        raise NotImplementedError

    def condition(self) -> nodes.Condition:
        """A search condition."""
        node = self.expression()
        if isinstance(node, nodes.Condition):
            return node
        token = self.current
        if token.kind not in {Kind.SYMBOL, Kind.END} and token.text not in _AFTER_CONDITION:
            raise self.unexpected("a comparison is expected here: = <> < > <= >= LIKE IN BETWEEN IS")
        raise ADQLError(
            "a value stands where a condition is expected", node.at, f"compare it, as in {_example(node)}"
        )

    def value(self) -> nodes.Value:
        """A value expression."""
        node = self.chain()
        if isinstance(node, nodes.Value):
            return node
        raise ADQLError("a condition stands where a value is expected", node.at, "ADQL has no boolean values")

    def expression(self) -> nodes.Node:
        """A condition or a value, whichever the text holds."""
        return self.junction("OR", lambda: self.junction("AND", self.negation))

    def junction(self, operator: str, operand: Callable[[], nodes.Node]) -> nodes.Node:
        """Operands joined by AND or by OR."""
        first = operand()
        if not self.at_word(operator):
            return first
        operands = [self.as_condition(first)]
        while self.accept_word(operator):
            operands.append(self.as_condition(operand()))
        return nodes.Junction((first.at[0], operands[-1].at[1]), operator, operands)

    def as_condition(self, node: nodes.Node) -> nodes.Condition:
        """`node`, which must be a condition."""
        if isinstance(node, nodes.Condition):
            return node
        raise ADQLError(
            "AND, OR and NOT join conditions, this is a value",
            node.at,
            f"compare it, as in {_example(node)}",
        )

    def negation(self) -> nodes.Node:
        """[NOT] predicate."""
        token = self.current
        if not self.accept_word("NOT"):
            return self.predicate()
        operand = self.as_condition(self.predicate())
        return nodes.Not((token.start, operand.at[1]), operand)

    def predicate(self) -> nodes.Node:
        """A predicate, or what stands in its place: a value or a parenthesised condition."""
        token = self.current
        if self.accept_word("EXISTS"):
            query = self.parenthesised_query("EXISTS")
            return nodes.Exists((token.start, self.previous_end), query)
        left = self.chain()
        if isinstance(left, nodes.Condition):
            return left
        operator = COMPARISONS.get(self.current.text) if self.current.kind is Kind.SYMBOL else None
        if operator is not None and isinstance(left, nodes.Value):
            self.advance()
            right = self.value()
            return nodes.Comparison((left.at[0], right.at[1]), operator, left, right)
        if isinstance(left, nodes.Value) and self.current.kind is Kind.WORD:
            return self.word_predicate(left)
        return left

    def word_predicate(self, left: nodes.Value) -> nodes.Node:
        """IS, BETWEEN, IN, LIKE or ILIKE behind `left`; without one, `left` itself."""
        if self.accept_word("IS"):
            negated = self.accept_word("NOT")
            self.expect_word("NULL", "IS is followed by NULL or NOT NULL")
            return nodes.IsNull((left.at[0], self.previous_end), negated, left)
        negated = self.accept_word("NOT")
        if self.accept_word("BETWEEN"):
            low = self.value()
            self.expect_word("AND", "BETWEEN takes two values: x BETWEEN 1 AND 2")
            high = self.value()
            return nodes.Between((left.at[0], high.at[1]), negated, left, low, high)
        if self.accept_word("IN"):
            return self.membership(left, negated)
        for operator in ("LIKE", "ILIKE"):
            if self.accept_word(operator):
                pattern = self.value()
                escape = self.escape() if self.at_word("ESCAPE") else ""
                at = (left.at[0], self.previous_end)
                return nodes.Like(at, negated, operator, left, pattern, escape)
        if negated:
            raise self.unexpected("NOT after a value is followed by BETWEEN, IN, LIKE or ILIKE")
        return left

    def escape(self) -> str:
        """ESCAPE 'c'."""
        self.extended(ESCAPE, self.advance().at)
        token = self.current
        if token.kind is not Kind.STRING or len(token.text) != 1:
            raise self.unexpected("ESCAPE is followed by one character in single quotes, as in ESCAPE '!'")
        self.advance()
        return token.text

    def membership(self, left: nodes.Value, negated: bool) -> nodes.Condition:
        """What follows IN."""
        if self.at_query():
            query = self.parenthesised_query("IN")
            return nodes.InQuery((left.at[0], self.previous_end), negated, left, query)
        self.expect_symbol("(", "IN is followed by values or a query in parentheses")
        items = self.separated(self.value)
        self.expect_symbol(")", "values are separated by commas")
        return nodes.InList((left.at[0], self.previous_end), negated, left, items)

    def parenthesised_query(self, after: str) -> nodes.Query:
        """( query )."""
        self.expect_symbol("(", f"{after} is followed by a query in parentheses")
        query = self.query()
        self.expect_symbol(")", "the query ends with a parenthesis")
        return query

    def chain(self) -> nodes.Node:
        """Operands joined by the operators of CHAINS."""
        token = self.current
        if token.kind in LITERALS and self.follows_symbol(",)"):
            # In a list of a thousand literals, all that looks further takes the most time.
            self.advance()
            if token.kind is Kind.STRING:
                return nodes.String(token.at, token.text)
            return nodes.Number(token.at, self.number(token))
        first = self.factor()
        return self.joined(first, 0) if self.current.kind is Kind.SYMBOL else first

    def joined(self, first: nodes.Node, level: int) -> nodes.Node:
        """`first` with what operators of precedence `level` and higher join to it."""
        for higher in range(len(CHAINS) - 1, level - 1, -1):
            operators = CHAINS[higher]
            if not (self.current.kind is Kind.SYMBOL and self.current.text in operators):
                continue
            start = self.as_operand(first)
            rest: list[tuple[str, nodes.Value]] = []
            while self.current.kind is Kind.SYMBOL and self.current.text in operators:
                operator = self.advance().text
                rest.append((operator, self.as_operand(self.joined(self.factor(), higher + 1))))
                if len(rest) >= MAX_CHAIN:
                    raise ADQLError(f"an expression joins more than {MAX_CHAIN} operands", first.at)
            first = nodes.Chain((first.at[0], rest[-1][1].at[1]), start, rest)
        return first

    def as_operand(self, node: nodes.Node) -> nodes.Value:
        """`node`, which must be a value."""
        if isinstance(node, nodes.Value):
            return node
        raise ADQLError("a condition stands where a value is expected", node.at, "ADQL has no boolean values")

    def factor(self) -> nodes.Node:
        """[+|-] primary."""
        token = self.current
        if token.kind is Kind.SYMBOL and token.text in "+-":
            self.advance()
            operand = self.as_operand(self.primary())
            return nodes.Signed((token.start, operand.at[1]), token.text, operand)
        return self.primary()

    def primary(self) -> nodes.Node:
        """A literal, a column, a function call, or something in parentheses."""
        token = self.current
        if token.kind is Kind.NUMBER:
            return nodes.Number(self.advance().at, self.number(token))
        if token.kind is Kind.STRING:
            return nodes.String(self.advance().at, token.text)
        if token.kind is Kind.SYMBOL and token.text == "(":
            return self.parenthesised()
        if token.kind is Kind.QUOTED or (token.kind is Kind.WORD and not self.is_reserved(token)):
            if token.kind is Kind.WORD and self.follows_symbol("("):
                return self.call()
            parts = self.dotted(4, "column")
            return nodes.ColumnReference((parts[0].at[0], parts[-1].at[1]), parts)
        if token.kind is Kind.WORD:
            return self.keyword_value()
        raise self.unexpected(VALUE_EXPECTED)

    def parenthesised(self) -> nodes.Node:
        """( value ), ( condition ) or ( query )."""
        start = self.current.start
        if self.at_query():
            self.extended(SCALAR_QUERY, self.current.at)
            query = self.parenthesised_query("a value")
            return nodes.ScalarQuery((start, self.previous_end), query)
        self.advance()
        node = self.expression()
        self.expect_symbol(")", "the parenthesis is not closed")
        node.at = (start, self.previous_end)
        return node

    def keyword_value(self) -> nodes.Value:
        """A value that begins with a reserved word."""
        token = self.current
        if token.text == "NULL":
            return nodes.Null(self.advance().at)
        if token.text in CLAUSE_WORDS:
            raise self.unexpected(VALUE_EXPECTED)
        if token.text == "CASE":
            return self.case()
        if self.follows_symbol("("):
            if token.text in AGGREGATES:
                return self.aggregate()
            return _SPECIAL.get(token.text, ExpressionParser.call)(self)
        error = self.reserved(token)
        if token.text in FUNCTION_WORDS:
            error.hint = f"as a function it is written {token.raw}(...); {error.hint}"
        raise error

    def call(self) -> nodes.Call:
        """Name ( [value, ...] )."""
        name = self.advance()
        if name.text in EXTENDED_FUNCTIONS:
            self.extended(EXTENDED_FUNCTIONS[name.text], name.at)
        self.advance()
        arguments: list[nodes.Value] = []
        if not self.at_symbol(")"):
            if self.at_word("DISTINCT") or self.at_symbol("*"):
                raise self.unexpected(f"{name.raw} takes values")
            arguments = self.separated(self.value)
        hint = f"the arguments of {name.raw} are separated by commas and end with )"
        self.expect_symbol(")", FOREIGN_FUNCTIONS.get(name.text, hint))
        return nodes.Call((name.start, self.previous_end), name.raw, name.at, arguments)

    def case(self) -> nodes.Case:
        """CASE [value] WHEN condition|value THEN value ... [ELSE value] END."""
        start = self.advance()
        operand = None if self.at_word("WHEN") else self.value()
        extension = SEARCHED_CASE if operand is None else SIMPLE_CASE
        self.extended(extension, start.at)
        hint = f"it is written {extension.form}"
        branches: list[nodes.Branch] = []
        while not branches or self.at_word("WHEN"):
            begin = self.current.start
            self.expect_word("WHEN", hint)
            when = self.condition() if operand is None else self.value()
            self.expect_word("THEN", hint)
            result = self.value()
            branches.append(nodes.Branch((begin, self.previous_end), when, result))
        otherwise = self.value() if self.accept_word("ELSE") else None
        self.expect_word("END", hint)
        return nodes.Case((start.start, self.previous_end), operand, branches, otherwise)

    def aggregate(self) -> nodes.Aggregate:
        """COUNT(*) or name ( [DISTINCT|ALL] value )."""
        name = self.advance()
        self.advance()
        argument: nodes.Value | None = None
        distinct = False
        hint = f"{name.text} takes one value" + ", or * for all rows" * (name.text == "COUNT")
        if not (name.text == "COUNT" and self.accept_symbol("*")):
            distinct = self.accept_word("DISTINCT")
            if not distinct:
                self.accept_word("ALL")
            if self.at_symbol(")"):
                raise self.unexpected(hint)
            argument = self.value()
        self.expect_symbol(")", hint)
        return nodes.Aggregate((name.start, self.previous_end), name.text, distinct, argument)

    def cast(self) -> nodes.Cast:
        """CAST ( value AS type )."""
        start = self.advance().start
        self.advance()
        operand = self.value()
        self.expect_word("AS", "a cast is written CAST(value AS type)")
        token = self.current
        target = token.text
        self.advance()
        if target == "DOUBLE" and token.kind is Kind.WORD:
            self.expect_word("PRECISION", "the type is called DOUBLE PRECISION")
            target = "DOUBLE PRECISION"
        if target not in CAST_TARGETS or token.kind is not Kind.WORD:
            meant = FOREIGN_TYPES.get(target)
            raise ADQLError(
                f"{token.raw or 'nothing'} is not a type",
                token.at,
                f"write {meant}" if meant else "types are " + ", ".join(sorted(CAST_TARGETS)),
            )
        length = None
        if target in {"CHAR", "VARCHAR"} and self.accept_symbol("("):
            length = self.unsigned_integer(target)
            self.expect_symbol(")", "the length is one number")
        self.expect_symbol(")", "a cast is written CAST(value AS type)")
        return nodes.Cast((start, self.previous_end), operand, target, length)

    def in_unit(self) -> nodes.InUnit:
        """IN_UNIT ( value , 'unit' )."""
        start = self.advance().start
        self.advance()
        hint = "it is written IN_UNIT(value, 'unit'), with the unit as a string literal"
        if self.at_symbol(")"):
            raise self.unexpected(hint)
        operand = self.value()
        self.expect_symbol(",", hint)
        unit = self.current
        if unit.kind is not Kind.STRING:
            raise self.unexpected(hint)
        self.advance()
        self.expect_symbol(")", hint)
        return nodes.InUnit((start, self.previous_end), operand, unit.text, unit.at)


def _example(node: nodes.Node) -> str:
    """How the value could be compared."""
    return f"{node.name}(...) = 1" if isinstance(node, nodes.Call) else "x = 1 or x IS NOT NULL"


_SPECIAL: dict[str, Callable[[ExpressionParser], nodes.Value]] = {
    "CAST": ExpressionParser.cast,
    "IN_UNIT": ExpressionParser.in_unit,
}
"""What looks like a function call, but has a grammar of its own."""
