"""Values and conditions: the lower half of the ADQL grammar, by recursive descent.

Conditions and values share parentheses, so one method reads both and the callers check which came.
"""

from collections.abc import Callable

from vo_server.adql import nodes
from vo_server.adql.cursor import Cursor
from vo_server.adql.errors import ADQLError
from vo_server.adql.tokens import Kind

COMPARISONS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
CHAINS = (frozenset({"||"}), frozenset({"+", "-"}), frozenset({"*", "/"}))
AGGREGATES = frozenset({"COUNT", "AVG", "MIN", "MAX", "SUM"})
CLAUSE_WORDS = frozenset(
    {"SELECT", "DISTINCT", "ALL", "TOP", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "BY", "OFFSET", "WITH"}
    | {"JOIN", "ON", "USING", "AS", "UNION", "EXCEPT", "INTERSECT", "ASC", "DESC"}
    | {"AND", "OR", "NOT", "IN", "IS", "BETWEEN", "LIKE", "ILIKE", "EXISTS"}
)
"""The words of the grammar itself, which cannot be meant as names or functions."""

VALUE_EXPECTED = "a value is expected here: a column, a number, a 'string' or a function"

CAST_TARGETS = frozenset(
    {"SMALLINT", "INTEGER", "BIGINT", "REAL", "DOUBLE PRECISION", "CHAR", "VARCHAR", "TIMESTAMP"}
    | {"POINT", "CIRCLE", "POLYGON"}
)
MAX_CHAIN = 1000
"""Most operands of one chain of operators; PostgreSQL nests them as deeply."""


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
        example = f"{node.name}(...) = 1" if isinstance(node, nodes.Call) else "x = 1 or x IS NOT NULL"
        raise ADQLError(
            "a value stands where a condition is expected", node.at, f"compare it, as in {example}"
        )

    def value(self) -> nodes.Value:
        """A value expression."""
        node = self.chain(0)
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
            "AND, OR and NOT join conditions, this is a value", node.at, "compare it, as in x = 1"
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
        left = self.chain(0)
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
                return nodes.Like((left.at[0], pattern.at[1]), negated, operator, left, pattern)
        if negated:
            raise self.unexpected("NOT after a value is followed by BETWEEN, IN, LIKE or ILIKE")
        return left

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

    def chain(self, level: int) -> nodes.Node:
        """Operands joined by the operators of one precedence `level` of CHAINS."""
        if level == len(CHAINS):
            return self.factor()
        operators = CHAINS[level]
        first = self.chain(level + 1)
        if not (self.current.kind is Kind.SYMBOL and self.current.text in operators):
            return first
        rest: list[tuple[str, nodes.Value]] = []
        start = self.as_operand(first)
        while self.current.kind is Kind.SYMBOL and self.current.text in operators:
            operator = self.advance().text
            rest.append((operator, self.as_operand(self.chain(level + 1))))
            if len(rest) >= MAX_CHAIN:
                raise ADQLError(f"an expression joins more than {MAX_CHAIN} operands", first.at)
        return nodes.Chain((first.at[0], rest[-1][1].at[1]), start, rest)

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
        """( value ) or ( condition )."""
        start = self.current.start
        if self.at_query():
            raise ADQLError(
                "a query cannot stand for a value",
                self.current.at,
                "ADQL has subqueries in FROM, behind IN and behind EXISTS",
            )
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
            raise self.unexpected("ADQL has no CASE expression")
        if self.follows_symbol("("):
            if token.text in AGGREGATES:
                return self.aggregate()
            return self.cast() if token.text == "CAST" else self.call()
        raise self.reserved(token)

    def call(self) -> nodes.Call:
        """Name ( [value, ...] )."""
        name = self.advance()
        self.advance()
        arguments: list[nodes.Value] = []
        if not self.at_symbol(")"):
            if self.at_word("DISTINCT") or self.at_symbol("*"):
                raise self.unexpected(f"{name.raw} takes values")
            arguments = self.separated(self.value)
        self.expect_symbol(")", f"the arguments of {name.raw} are separated by commas and end with )")
        return nodes.Call((name.start, self.previous_end), name.raw, name.at, arguments)

    def aggregate(self) -> nodes.Aggregate:
        """COUNT(*) or name ( [DISTINCT|ALL] value )."""
        name = self.advance()
        self.advance()
        argument: nodes.Value | None = None
        distinct = False
        if not (name.text == "COUNT" and self.accept_symbol("*")):
            distinct = self.accept_word("DISTINCT")
            if not distinct:
                self.accept_word("ALL")
            argument = self.value()
        self.expect_symbol(")", f"{name.text} takes one value")
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
            raise ADQLError(
                f"{token.raw or 'nothing'} is not a type",
                token.at,
                "types are " + ", ".join(sorted(CAST_TARGETS)),
            )
        length = None
        if target in {"CHAR", "VARCHAR"} and self.accept_symbol("("):
            length = self.unsigned_integer(target)
            self.expect_symbol(")", "the length is one number")
        self.expect_symbol(")", "a cast is written CAST(value AS type)")
        return nodes.Cast((start, self.previous_end), operand, target, length)
