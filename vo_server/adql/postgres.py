"""Queries: syntax tree -> SELECT statements."""

from dataclasses import replace
from enum import Enum

from schema.model import Catalogue
from schema.types import DOUBLE_ARRAY, REGION, TMOC, VARCHAR
from vo_server.adql import nodes
from vo_server.adql.errors import ADQLError
from vo_server.adql.expressions import Place, common_type
from vo_server.adql.geometry import output, shape_of
from vo_server.adql.metadata import description
from vo_server.adql.names import Field, Scope, same
from vo_server.adql.tables import MAX_JOINED, Output, Source, TableRenderer, check_comparable_columns
from vo_server.adql.terms import Term, describe, quote
from vo_server.adql.weights import weigh

MAX_OPERANDS = 200
"""Most operands of a chain of set operators; PostgreSQL nests them as deeply."""

MAX_COLUMNS = 1600
"""Most columns of a query, and most of its GROUP BY and ORDER BY terms; PostgreSQL takes 1664."""

NAME_BYTES = 63
"""PostgreSQL cuts longer identifiers."""


class Role(Enum):
    """What a query is for.

    The geometries of a RESULT become DALI arrays; a TABLE carries the hidden columns of its regions
    along, so that an index still serves them; an OPERAND has just its columns.
    """

    RESULT = 1
    TABLE = 2
    OPERAND = 3


class QueryRenderer(TableRenderer):
    """Renders the queries of the statement `text`."""

    def __init__(self, catalogue: Catalogue, text: str) -> None:
        super().__init__(catalogue)
        self.written = text

    def statement(self, query: nodes.Query, limit: int | None) -> tuple[str, list[Output]]:
        """The whole statement, of which at most `limit` rows are returned."""
        common = [self._common_table(c) for c in query.common]
        sql, outputs = self._query(query, None, Role.RESULT, limit)
        return (f"WITH {', '.join(common)} {sql}" if common else sql), outputs

    def subselect(self, query: nodes.Query, outer: Scope | None) -> tuple[str, list[Output]]:
        """A query in FROM."""
        return self._query(query, outer, Role.TABLE)

    def subquery(self, query: nodes.Query, outer: Scope, *, columns: int | None) -> tuple[str, list[Term]]:
        """A query behind IN or EXISTS, or one that stands for a value."""
        sql, outputs = self._query(query, outer, Role.OPERAND)
        if columns is not None and len(outputs) != columns:
            raise ADQLError(f"the query has {len(outputs)} columns, one is wanted here", query.at)
        return sql, [o.term for o in outputs]

    def _common_table(self, node: nodes.CommonTable) -> str:
        name = node.name.output
        if any(same(node.name, known) for known in self.common):
            raise ADQLError(f"the common table {name} is defined twice", node.name.at)
        joined = self.used.joined
        sql, outputs = self._query(node.query, None, Role.TABLE)
        alias = self.alias(name)
        self.common[name] = (alias, outputs)
        self.common_joined[name] = self.used.joined - joined
        return f"{alias} AS ({sql})"

    def _query(
        self, query: nodes.Query, outer: Scope | None, role: Role, limit: int | None = None
    ) -> tuple[str, list[Output]]:
        body = query.body
        if len(query.order_by) > MAX_COLUMNS:
            raise ADQLError(f"ORDER BY has more than {MAX_COLUMNS} terms", query.order_by[0].at)
        if isinstance(body, nodes.Select):
            return self._select(body, outer, query, role, limit)
        if not (query.order_by or query.offset is not None or limit is not None):
            return self._body(body, outer, role)
        sql, outputs = self._body(body, outer, Role.RESULT if role is Role.RESULT else Role.OPERAND)
        relation = self.relation("q", outputs)
        columns = ", ".join(f.sql for f in relation.known)
        if role is Role.RESULT:
            for field in relation.known:
                if field.type is not None and field.type.is_geometry and field.type is not REGION:
                    field.type = DOUBLE_ARRAY
        place = Place(Scope([relation], relation.visible(), outer), without_aggregates="this ORDER BY")
        keys = [self._sort_key(k, outputs, [], place) for k in query.order_by]
        tail = _tail(keys, query.offset, limit)
        return f"SELECT {columns} FROM ({sql}) AS {relation.sql}{tail}", outputs  # noqa: S608 - all parts are rendered

    def _body(self, body: nodes.Body, outer: Scope | None, role: Role) -> tuple[str, list[Output]]:
        if isinstance(body, nodes.Query):
            return self._query(body, outer, role)
        if isinstance(body, nodes.SetChain):
            return self._set_chain(body, outer, Role.RESULT if role is Role.RESULT else Role.OPERAND)
        return self._query(nodes.Query(body.at, body), outer, role)

    def _set_chain(self, chain: nodes.SetChain, outer: Scope | None, role: Role) -> tuple[str, list[Output]]:
        """UNION, EXCEPT and INTERSECT; names and metadata come from the first operand."""
        if len(chain.rest) >= MAX_OPERANDS:
            raise ADQLError(f"more than {MAX_OPERANDS} queries are combined", chain.rest[-1].at)
        bodies = [chain.first, *(s.operand for s in chain.rest)]
        operands = [self._body(b, outer, role) for b in bodies]
        first = operands[0][1]
        merged = [replace(o.term, loose=(), origin=None, shape=None) for o in first]
        weights = [max(o.weight for o in column) for column in zip(*(o for _, o in operands), strict=False)]
        for step, (_, outputs) in zip(chain.rest, operands[1:], strict=True):
            if len(outputs) != len(first):
                counts = f"{len(first)} and {len(outputs)}"
                raise ADQLError(f"{step.operator} combines queries of {counts} columns", step.at)
            merged = [_combined(a, o.term, step) for a, o in zip(merged, outputs, strict=True)]
            if not step.every and role is not Role.RESULT:
                check_comparable_columns(outputs, step.operator, step.at)
        columns = [replace(o, term=t, weight=w) for o, t, w in zip(first, merged, weights, strict=True)]
        parts = [self._adapted(sql, outputs, columns) for sql, outputs in operands]
        sql = f"({parts[0]})"
        for step, part in zip(chain.rest, parts[1:], strict=True):
            sql += f" {step.operator}{' ALL' * step.every} ({part})"
        return sql, columns

    def _adapted(self, sql: str, outputs: list[Output], wanted: list[Output]) -> str:
        """An operand of a set operator with its columns cast to the common types."""
        if all(o.term.type is w.term.type for o, w in zip(outputs, wanted, strict=True)):
            return sql
        relation = self.relation("q", outputs)
        columns = [
            Term(f.sql, f.type, (0, 0)).as_type(w.term.type or VARCHAR) + f" AS {quote(w.column)}"
            for f, w in zip(relation.known, wanted, strict=True)
        ]
        return f"SELECT {', '.join(columns)} FROM ({sql}) AS {relation.sql}"  # noqa: S608 - all parts are rendered

    def _select(
        self, node: nodes.Select, outer: Scope | None, query: nodes.Query, role: Role, limit: int | None
    ) -> tuple[str, list[Output]]:
        joined = self.used.joined
        source = self.sources(node.tables, outer)
        aliases = tuple(i.alias.output for i in node.items if isinstance(i, nodes.SelectItem) and i.alias)
        scope = Scope(source.relations, source.visible, outer, aliases=aliases)
        clauses = [source.sql]
        if node.where is not None:
            clauses.append(
                " WHERE " + self.condition(node.where, Place(scope, without_aggregates="WHERE")).sql
            )
        self._check_joined(self.used.joined - joined, node)
        if len(node.group_by) > MAX_COLUMNS:
            raise ADQLError(f"GROUP BY has more than {MAX_COLUMNS} terms", node.group_by[0].at)
        groups = [self._group_key(k, node, scope) for k in node.group_by]
        if groups:
            clauses.append(" GROUP BY " + ", ".join(groups))
        place = Place(scope, frozenset(groups))
        scope.correlated.clear()
        outputs = self._items(node, place, role)
        terms = [o.term for o in outputs]
        if node.having is not None:
            having = self.condition(node.having, place)
            terms.append(having)
            clauses.append(" HAVING " + having.sql)
        keys = [self._sort_key(k, outputs, terms, place, distinct=node.distinct) for k in query.order_by]
        if role is not Role.RESULT:
            self._weigh(outputs, source)
        grouped = bool(groups) or node.having is not None or any(t.aggregate for t in terms)
        if grouped:
            _check_grouped(terms, place)
        if node.distinct and role is not Role.RESULT:
            check_comparable_columns(outputs, "DISTINCT", node.at)
        limits = [n for n in (node.top, limit) if n is not None]
        columns = ", ".join(_named(o.term.sql, o.column) for o in outputs)
        if role is Role.TABLE and not (grouped or node.distinct):
            taken = {o.column for o in outputs}
            columns += "".join(_carried(o, taken) for o in outputs)
        distinct = "DISTINCT " if node.distinct else ""
        tail = _tail(keys, query.offset, min(limits) if limits else None)
        return f"SELECT {distinct}{columns} FROM {''.join(clauses)}{tail}", outputs  # noqa: S608 - all parts are rendered

    def _check_joined(self, tables: int, node: nodes.Select) -> None:
        if tables > MAX_JOINED:
            raise ADQLError(f"the query joins {tables} tables, at most {MAX_JOINED} are joined", node.at)

    def _weigh(self, outputs: list[Output], source: Source) -> None:
        """Tell each column of a subquery the length of its expression."""
        below = {f.sql: f for r in source.relations if r.table is None for f in r.known}
        for column in outputs:
            column.weight = weigh(column.term.sql, below, self.parameters, column.term.at)

    def _items(self, node: nodes.Select, place: Place, role: Role) -> list[Output]:
        """The select list, stars expanded, every column with a name of its own."""
        terms: list[tuple[str, Term]] = []
        for item in node.items:
            if isinstance(item, nodes.Star):
                fields = place.scope.star(item.table)
                terms += [(field.name, self._star_term(field, item, place)) for field in fields]
            else:
                term = self.value(item.value, place)
                if not isinstance(item.value, nodes.ColumnReference):
                    term.meta = replace(term.meta, description=description(self.written, item.value.at))
                terms.append((item.alias.output if item.alias else term.name, term))
            if len(terms) > MAX_COLUMNS:
                raise ADQLError(f"the query has more than {MAX_COLUMNS} columns", item.at)
        final = role is Role.RESULT
        names = [name or f"col{index}" for index, (name, _) in enumerate(terms, start=1)]
        taken: set[str] = set()
        unique = [_unique(name, taken) for name in names]
        columns = [
            name if len(name.encode()) <= NAME_BYTES else _unique(f"col{index}", taken)
            for index, name in enumerate(unique, start=1)
        ]
        return [
            Output(shown if final else name, column, _output_term(term, final=final))
            for name, shown, column, (_, term) in zip(names, unique, columns, terms, strict=True)
        ]

    def _star_term(self, field: Field, star: nodes.Star, place: Place) -> Term:
        grouped = field.sql in place.groups
        loose = () if grouped else ((field.name, star.at),)
        shape = shape_of(field, stored=not grouped)
        return Term(
            field.sql,
            field.type,
            star.at,
            field.meta,
            field.name,
            loose=loose,
            shape=shape,
            origin=field.origin,
        )

    def _group_key(self, node: nodes.Value, select: nodes.Select, scope: Scope) -> str:
        """A GROUP BY term: a column, an expression, or an alias or position in the select list."""
        place = Place(scope, without_aggregates="GROUP BY")
        term = self.value(self._group_value(node, select, scope), place)
        if term.constant is not None:
            raise ADQLError("a constant cannot be a GROUP BY term", node.at, "name a column")
        if term.type is not None and term.type.is_geometry and term.type.name != "REGION":
            raise ADQLError(f"GROUP BY cannot compare {describe(term.type)}", node.at)
        return term.as_type(VARCHAR) if term.sql == "NULL" else term.sql

    def _group_value(self, node: nodes.Value, select: nodes.Select, scope: Scope) -> nodes.Value:
        """The value that a GROUP BY term stands for."""
        if isinstance(node, nodes.Number):
            items = select.items
            if not (isinstance(node.value, int) and 1 <= node.value <= len(items)):
                raise ADQLError(f"GROUP BY position {node.value} is not in the select list", node.at)
            item = items[node.value - 1]
            if isinstance(item, nodes.Star):
                raise ADQLError("a GROUP BY position cannot mean *", node.at)
            return item.value
        if isinstance(node, nodes.ColumnReference) and len(node.parts) == 1:
            aliased = [
                i.value
                for i in select.items
                if isinstance(i, nodes.SelectItem) and i.alias and same(node.parts[0], i.alias.output)
            ]
            if aliased and not scope.has(node):
                return aliased[0]
        return node

    def _sort_key(
        self,
        key: nodes.SortKey,
        outputs: list[Output],
        terms: list[Term],
        place: Place,
        *,
        distinct: bool = False,
    ) -> str:
        """An ORDER BY term: a position, a result column, or an expression."""
        order = " DESC" if key.descending else ""
        position = _output_position(key.value, outputs)
        if position is None:
            term = self.value(key.value, place)
            if term.constant is not None:
                raise ADQLError(
                    "a constant cannot be an ORDER BY term", key.at, f"positions go from 1 to {len(outputs)}"
                )
            same_sql = [i for i, o in enumerate(outputs, start=1) if o.term.sql == term.sql]
            if not same_sql:
                _check_sortable(term, key)
                if distinct:
                    raise ADQLError("with DISTINCT, ORDER BY terms must be in the select list", key.at)
                terms.append(term)
                return term.as_type(term.type or VARCHAR) + order
            position = same_sql[0]
        _check_sortable(outputs[position - 1].term, key)
        return f"{position}{order}"


def _check_sortable(term: Term, key: nodes.SortKey) -> None:
    if term.type is not None and term.type.is_geometry and term.type.name != "REGION":
        raise ADQLError(f"ORDER BY cannot sort {describe(term.type)}", key.at, "sort by COORD1 or DISTANCE")


def _output_position(node: nodes.Value, outputs: list[Output]) -> int | None:
    """The place in the select list that an ORDER BY term names, counted from 1; None if it does not."""
    if isinstance(node, nodes.Number):
        if isinstance(node.value, int) and 1 <= node.value <= len(outputs):
            return node.value
        raise ADQLError(
            f"ORDER BY position {node.value} is not in the select list",
            node.at,
            f"it has {len(outputs)} columns",
        )
    if isinstance(node, nodes.ColumnReference) and len(node.parts) == 1:
        found = [i for i, o in enumerate(outputs, start=1) if same(node.parts[0], o.name)]
        if found:
            return found[0]
    return None


def _output_term(term: Term, *, final: bool) -> Term:
    """The term as what a column holds: no literal any more, no NULL without a type."""
    if term.shape is not None and term.shape.kind == "cap" and not final:
        raise ADQLError("a circle of more than 90 degrees cannot be a column of a subquery", term.at)
    sql = term.sql
    if final:
        sql, _ = output(term)
    if term.type is None:
        sql = f"{sql}::text"
    shape = term.shape if term.type in (REGION, TMOC) else None
    term.sql, term.name, term.constant, term.shape = sql, "", None, shape
    term.test = term.separation = None
    return term


def _named(sql: str, column: str) -> str:
    """A select list item; a plain column has its name already."""
    return sql if sql.endswith(f".{quote(column)}") else f"{sql} AS {quote(column)}"


def _carried(output: Output, taken: set[str]) -> str:
    """The select list items for the hidden columns of a region or T-MOC; empty for other columns."""
    shape = output.term.shape
    if shape is None:
        return ""
    forms = shape.options or (shape,)
    names = tuple(f"{output.column}:{form.kind}" for form in forms)
    if taken & set(names) or any(len(name.encode()) > NAME_BYTES for name in names):
        return ""
    output.shapes = names
    return "".join(f", {form.sql} AS {quote(name)}" for form, name in zip(forms, names, strict=True))


def _unique(name: str, taken: set[str]) -> str:
    """A name that no other column has, `name` itself if it is free."""
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}_{number}"
    taken.add(chosen)
    return chosen


def _combined(left: Term, right: Term, step: nodes.SetStep) -> Term:
    """A column of a set operator: the type for both, the metadata of the left one."""
    kind = common_type(left.type, right.type)
    if kind is None and not (left.type is None and right.type is None):
        types = f"{describe(left.type)} with {describe(right.type)}"
        raise ADQLError(f"{step.operator} combines {types}", right.at, "the columns must have the same types")
    meta = left.meta if left.meta.source == right.meta.source else replace(left.meta, source=None)
    return replace(left, type=kind, meta=meta)


def _check_grouped(terms: list[Term], place: Place) -> None:
    """ADQLError if a column of a grouped query is neither grouped nor inside an aggregate."""
    loose = [column for term in terms for column in term.loose]
    loose += [(name, at) for sql, name, at in place.scope.correlated if sql not in place.groups]
    if loose:
        name, at = loose[0]
        message = f"the column {name} is neither in GROUP BY nor inside an aggregate"
        raise ADQLError(message, at, f"add it: GROUP BY {name}")


def _tail(keys: list[str], offset: int | None, limit: int | None) -> str:
    parts = [f" ORDER BY {', '.join(keys)}"] if keys else []
    if limit is not None:
        parts.append(f" LIMIT {limit}")
    if offset is not None:
        parts.append(f" OFFSET {offset}")
    return "".join(parts)
