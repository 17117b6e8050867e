"""Queries: the upper half of the ADQL grammar. `parse` turns a text into a syntax tree."""

from vo_server.adql import nodes
from vo_server.adql.cursor import CLAUSE_WORDS
from vo_server.adql.errors import ADQLError, Span
from vo_server.adql.extensions import SEMICOLON, SET_DISTINCT
from vo_server.adql.syntax import ExpressionParser
from vo_server.adql.tokens import Kind, tokenize

SET_OPERATORS = (("UNION", "EXCEPT"), ("INTERSECT",))
"""By rising precedence."""

JOIN_KINDS = ("LEFT", "RIGHT", "FULL")
JOIN_WORDS = frozenset({"NATURAL", "INNER", "LEFT", "RIGHT", "FULL", "JOIN"})


_SET_WORDS = frozenset(name for level in SET_OPERATORS for name in level)
_CLAUSES = ("WHERE", "GROUP", "HAVING", "ORDER", "OFFSET", "JOIN", "NATURAL", *_SET_WORDS)
_ORDER = "the order is SELECT, FROM, JOIN ... ON, WHERE, GROUP BY, HAVING, ORDER BY, OFFSET, each one once"
_LEFTOVERS = {
    ",": "conditions are joined with AND and OR; numbers are written with a decimal point",
    ")": "no parenthesis is open here",
    **dict.fromkeys(("=", "<>", "!=", "<", ">", "<=", ">="), "comparisons do not chain: 1 < x AND x < 2"),
}
"""Hints for a symbol behind the query."""


def parse(text: str, *, strict: bool = False) -> nodes.Query:
    """The syntax tree of an ADQL query. Raises ADQLError (without line and column yet).

    A `strict` one accepts the grammar of ADQL 2.1 alone, with its optional features, but none of
    `extensions.EXTENSIONS`.
    """
    parser = QueryParser(tokenize(text), strict=strict)
    query = parser.query(top_level=True)
    while parser.at_symbol(";"):
        parser.extended(SEMICOLON, parser.advance().at)
    if parser.current.kind is not Kind.END:
        raise parser.leftover()
    return query


class QueryParser(ExpressionParser):
    """Reads queries and tables."""

    def query(self, *, top_level: bool = False) -> nodes.Query:
        """[WITH ...] body [ORDER BY ...] [OFFSET n]; WITH only at top level."""
        start = self.current
        common: list[nodes.CommonTable] = []
        if self.at_word("WITH"):
            if not top_level:
                raise ADQLError("WITH stands only at the beginning of the whole query", start.at)
            self.advance()
            common = self.separated(self.common_table)
        body = self.set_chain(0)
        order_by: list[nodes.SortKey] = []
        if self.accept_word("ORDER"):
            self.expect_word("BY", "sorting is written ORDER BY")
            order_by = self.separated(self.sort_key)
        offset = self.unsigned_integer("OFFSET") if self.accept_word("OFFSET") else None
        if isinstance(body, nodes.Query) and not (common or order_by or offset is not None):
            return body
        return nodes.Query((start.start, self.previous_end), body, common, order_by, offset)

    def leftover(self) -> ADQLError:
        """The error for what stands behind the query."""
        token = self.current
        if token.kind is Kind.SYMBOL:
            return self.unexpected(_LEFTOVERS.get(token.text, "the query should end here"))
        if token.kind is Kind.WORD and token.text in _SET_WORDS:
            return self.unexpected("a query with ORDER BY or OFFSET must stand in parentheses")
        if self.at_word("SELECT"):
            return self.unexpected("queries are combined with UNION, INTERSECT or EXCEPT (not MINUS)")
        if token.kind is Kind.WORD and token.text in CLAUSE_WORDS:
            return self.unexpected(_ORDER, words=_CLAUSES)
        return self.unexpected("the query should end here, or AND, OR or a comma is missing", words=_CLAUSES)

    def common_table(self) -> nodes.CommonTable:
        """Name AS (query)."""
        name = self.identifier("common table")
        self.expect_word("AS", "a common table is written name AS (SELECT ...)")
        query = self.parenthesised_query("AS")
        return nodes.CommonTable(name.at, name, query)

    def set_chain(self, level: int) -> nodes.Body:
        """Operands joined by the set operators of one precedence."""
        if level == len(SET_OPERATORS):
            return self.set_operand()
        first = self.set_chain(level + 1)
        rest: list[nodes.SetStep] = []
        while self.current.kind is Kind.WORD and self.current.text in SET_OPERATORS[level]:
            operator = self.advance()
            every = self.accept_word("ALL")
            if not every and self.at_word("DISTINCT"):
                self.extended(SET_DISTINCT, self.advance().at)
            rest.append(nodes.SetStep(operator.at, operator.text, every, self.set_chain(level + 1)))
        return nodes.SetChain((first.at[0], self.previous_end), first, rest) if rest else first

    def set_operand(self) -> nodes.Body:
        """SELECT ..., or a query in parentheses."""
        if self.at_symbol("("):
            self.advance()
            query = self.query()
            self.expect_symbol(")", "the parenthesis is not closed")
            return query
        return self.select()

    def select(self) -> nodes.Select:
        """SELECT [ALL|DISTINCT] [TOP n] items FROM ... WHERE ... GROUP BY ... HAVING ...."""
        start = self.current.start
        self.expect_word("SELECT", "a query begins with SELECT")
        distinct = self.accept_word("DISTINCT")
        if not distinct:
            self.accept_word("ALL")
        top = self.unsigned_integer("TOP") if self.accept_word("TOP") else None
        if self.at_word("DISTINCT"):
            raise self.unexpected("DISTINCT stands before TOP")
        items = self.separated(self.select_item)
        hint = "the select list is followed by FROM; its items are separated by commas"
        if self.current.kind is Kind.END:
            hint = "there is no query without FROM"
        self.expect_word("FROM", hint)
        tables = self.separated(self.table)
        where = self.condition() if self.accept_word("WHERE") else None
        group_by: list[nodes.Value] = []
        if self.accept_word("GROUP"):
            self.expect_word("BY", "grouping is written GROUP BY")
            group_by = self.separated(self.value)
        having = self.condition() if self.accept_word("HAVING") else None
        return nodes.Select((start, self.previous_end), distinct, top, items, tables, where, group_by, having)

    def select_item(self) -> nodes.SelectItem | nodes.Star:
        """*, table.*, or value [[AS] name]."""
        token = self.current
        if self.accept_symbol("*"):
            return nodes.Star(token.at, ())
        star = self.qualified_star()
        if star is not None:
            return star
        value = self.value()
        alias = None
        if self.accept_word("AS") or self.at_identifier():
            alias = self.identifier("result column")
        return nodes.SelectItem(value.at, value, alias)

    def qualified_star(self) -> nodes.Star | None:
        """[schema.]table.*, found by looking ahead along the dots."""
        if not self.at_identifier():
            return None
        index = self._index
        while self._is_symbol(index + 1, ".") and self._tokens[index + 2].kind in {Kind.WORD, Kind.QUOTED}:
            index += 2
        if not (self._is_symbol(index + 1, ".") and self._is_symbol(index + 2, "*")):
            return None
        parts = self.dotted(3, "table")
        self.advance()
        self.advance()
        return nodes.Star((parts[0].at[0], self.previous_end), parts)

    def sort_key(self) -> nodes.SortKey:
        """Value [ASC|DESC]."""
        value = self.value()
        descending = self.accept_word("DESC")
        if not descending:
            self.accept_word("ASC")
        return nodes.SortKey(value.at, value, descending)

    def table(self) -> nodes.TableExpression:
        """A table with the joins behind it."""
        first = self.table_primary()
        steps: list[nodes.JoinStep] = []
        while self.current.kind is Kind.WORD and self.current.text in JOIN_WORDS:
            steps.append(self.join())
        return nodes.Joined((first.at[0], self.previous_end), first, steps) if steps else first

    def join(self) -> nodes.JoinStep:
        """[NATURAL] [INNER | LEFT|RIGHT|FULL [OUTER]] JOIN table [ON ... | USING (...)]."""
        start = self.current.start
        natural = self.accept_word("NATURAL")
        kind = "INNER"
        inner = self.accept_word("INNER")
        if not inner:
            for word in JOIN_KINDS:
                if self.accept_word(word):
                    kind = word
                    self.accept_word("OUTER")
                    break
        self.expect_word("JOIN", "tables are joined with JOIN")
        table = self.table_primary()
        on: nodes.Condition | None = None
        using: list[nodes.Name] = []
        if self.accept_word("ON"):
            on = self.condition()
        elif self.accept_word("USING"):
            self.expect_symbol("(", "USING is followed by column names in parentheses")
            using = self.separated(lambda: self.identifier("column"))
            self.expect_symbol(")", "USING is followed by column names in parentheses")
        at = (start, self.previous_end)
        if natural and (on is not None or using):
            raise ADQLError("a NATURAL JOIN takes neither ON nor USING", at)
        if inner and isinstance(table, nodes.TableName) and not natural and on is None and not using:
            raise without_condition(at)
        return nodes.JoinStep(at, kind, natural, table, on, using)

    def table_primary(self) -> nodes.TableExpression:
        """A table's name, a query in parentheses with an alias, or a joined table in parentheses."""
        start = self.current.start
        if self.at_query():
            query = self.parenthesised_query("FROM")
            if not self.accept_word("AS") and not self.at_identifier():
                raise self.unexpected("a query in FROM needs a name: (SELECT ...) AS name")
            return nodes.Derived((start, self.previous_end), query, self.identifier("table alias"))
        if self.accept_symbol("("):
            table = self.table()
            self.expect_symbol(")", "the parenthesis is not closed")
            if not isinstance(table, nodes.Joined):
                raise ADQLError("parentheses around a single table", (start, self.previous_end))
            return table
        parts = self.dotted(3, "table")
        alias = None
        if self.at_word("LIMIT"):
            raise self.unexpected("")
        if self.accept_word("AS") or self.at_identifier():
            alias = self.identifier("table alias")
        return nodes.TableName((parts[0].at[0], parts[-1].at[1]), parts, alias)


def without_condition(at: Span) -> ADQLError:
    """The error for a JOIN that does not say which rows belong together."""
    hint = "write JOIN table ON a.x = b.x, JOIN table USING (x), or NATURAL JOIN table"
    return ADQLError("the JOIN has no condition", at, hint)
