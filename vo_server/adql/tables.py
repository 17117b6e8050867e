"""FROM: table expressions -> SQL and the names they bring in."""

from dataclasses import dataclass, field, replace

from schema.model import Catalogue
from vo_server.adql import nodes
from vo_server.adql.cases import CaseRenderer
from vo_server.adql.errors import ADQLError
from vo_server.adql.expressions import Place, common_type
from vo_server.adql.names import Field, Relation, Scope, Visible, find_table, same
from vo_server.adql.parser import without_condition
from vo_server.adql.terms import Term, describe, quote

MAX_JOINED = 40
"""Most tables that one SELECT joins, those of its subqueries included: with 40 on one key PostgreSQL plans
for 2 s and in 0.2 GB, with 60 for half a minute and in 6 GB, whatever its time and memory limits say.
"""

MAX_TABLES = 500
"""Most tables, subqueries and common tables of one statement."""


@dataclass(slots=True)
class Source:
    """A rendered table expression: its SQL, its relations, and the columns it shows in order."""

    sql: str
    relations: list[Relation]
    visible: list[Visible]

    def find(self, name: nodes.Name) -> list[Field]:
        """The columns that `name` means."""
        return [f for v in self.visible for f in v.find(name)]

    def names(self) -> list[str]:
        """The names of the columns shown."""
        return [f.name for v in self.visible for f in v.fields()]


@dataclass(slots=True)
class Output:
    """A column of a rendered query: its ADQL name, the name it has in the SQL, and what it holds.

    `shapes` names the columns that carry a region's circle, polygon and rest, or a T-MOC's ranges, along;
    `weight` is the length of its expression (see `weights`).
    """

    name: str
    column: str
    term: Term
    shapes: tuple[str, ...] | None = None
    weight: int = 0


@dataclass(slots=True)
class Used:
    """What a statement has used so far: published tables, SQL aliases, and how many tables it joins."""

    tables: list[str] = field(default_factory=list)
    aliases: set[str] = field(default_factory=set)
    joined: int = 0


class TableRenderer(CaseRenderer):
    """Renders what stands in FROM."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.common: dict[str, tuple[str, list[Output]]] = {}
        self.common_joined: dict[str, int] = {}
        self.used = Used()

    def subselect(self, query: nodes.Query, outer: Scope | None) -> tuple[str, list[Output]]:
        """A query that stands inside another one; the query renderer provides it."""
        raise NotImplementedError

    def sources(self, expressions: list[nodes.TableExpression], outer: Scope | None) -> Source:
        """The tables in FROM, which commas separate."""
        parts = [self.source(e, outer) for e in expressions]
        if len(parts) == 1:
            return parts[0]
        relations = [r for p in parts for r in p.relations]
        for index, (part, expression) in enumerate(zip(parts, expressions, strict=True)):
            before = [r for p in parts[:index] for r in p.relations]
            _check_distinct(part.relations, before, expression.at)
        return Source(", ".join(p.sql for p in parts), relations, [v for p in parts for v in p.visible])

    def source(self, node: nodes.TableExpression, outer: Scope | None) -> Source:
        """One table expression."""
        if isinstance(node, nodes.TableName):
            return self._table(node)
        if isinstance(node, nodes.Derived):
            sql, outputs = self.subselect(node.query, outer)
            relation = self.relation(node.alias.output, outputs)
            return _single(f"({sql}) AS {relation.sql}", relation)
        if isinstance(node, nodes.Joined):
            source = self.source(node.first, outer)
            for step in node.steps:
                source = self._join(source, step, outer)
            return source
        raise TypeError(f"no table expression: {type(node).__name__}")

    def alias(self, name: str) -> str:
        """A quoted SQL alias, like `name` but used nowhere else in the statement."""
        base = name if len(name.encode()) <= 55 else "t"
        alias, number = base, 1
        while alias in self.used.aliases:
            number += 1
            alias = f"{base}_{number}"
        self.used.aliases.add(alias)
        if len(self.used.aliases) > MAX_TABLES:
            raise ADQLError(f"the query has more than {MAX_TABLES} tables and subqueries")
        return quote(alias)

    def relation(self, name: str, outputs: list[Output]) -> Relation:
        """The relation that a subquery with these columns makes."""
        sql = self.alias(name)
        known = []
        for output in outputs:
            shapes = None
            if output.shapes is not None:
                shapes = tuple(f"{sql}.{quote(s)}" for s in output.shapes)
            term = output.term
            # A NULL is of any type as long as it stands for itself.
            column = f"{sql}.{quote(output.column)}" if term.type is not None else "NULL"
            origin = replace(term.origin, alias=sql) if term.origin is not None else None
            known.append(Field(output.name, term.type, column, term.meta, shapes, origin, output.weight))
        return Relation(name, sql, known=known)

    def _table(self, node: nodes.TableName) -> Source:
        if len(node.parts) == 1:
            for name, (sql, outputs) in self.common.items():
                if same(node.parts[0], name):
                    self.used.joined += self.common_joined[name]
                    relation = self.relation(node.alias.output if node.alias else name, outputs)
                    return _single(f"{sql} AS {relation.sql}", relation)
        self.used.joined += 1
        table = find_table(self.catalogue, node.parts)
        if table.full_name not in self.used.tables:
            self.used.tables.append(table.full_name)
        name = node.alias.output if node.alias else table.name
        sql = self.alias(name)
        relation = Relation(name, sql, None if node.alias else table.schema, table)
        schema, stored = table.stored_as or (table.schema, table.name)
        return _single(f"{quote(schema)}.{quote(stored)} AS {sql}", relation)

    def _join(self, left: Source, step: nodes.JoinStep, outer: Scope | None) -> Source:
        if not step.natural and step.on is None and not step.using:
            raise without_condition(step.at)
        right = self.source(step.table, outer)
        _check_distinct(right.relations, left.relations, step.table.at)
        relations = left.relations + right.relations
        visible = left.visible + right.visible
        if step.on is not None:
            scope = Scope(relations, visible, outer)
            condition = self.condition(step.on, Place(scope, without_aggregates="ON")).sql
        else:
            names = step.using or _shared_names(left, right, step)
            merges = [self._merge(left, right, name, step) for name in names]
            condition = f"({' AND '.join(f'{a.sql} = {b.sql}' for a, b, _ in merges)})"
            visible = [Visible(merged=m) for _, _, m in merges]
            visible += _without(left.visible, [a for a, _, _ in merges])
            visible += _without(right.visible, [b for _, b, _ in merges])
        return Source(f"({left.sql} {step.kind} JOIN {right.sql} ON {condition})", relations, visible)

    def _merge(
        self, left: Source, right: Source, name: nodes.Name, step: nodes.JoinStep
    ) -> tuple[Field, Field, Field]:
        """The two columns that a NATURAL JOIN or USING makes equal, and the one they merge into."""
        pair: list[Field] = []
        for source, side in ((left, "left"), (right, "right")):
            found = source.find(name)
            if len(found) != 1:
                fault = "ambiguous" if found else "unknown"
                raise ADQLError(f"{fault} column {name.text} on the {side} side of the JOIN", name.at)
            pair += found
        terms = [Term(f.sql, f.type, step.at, name=f.name) for f in pair]
        self.comparable(*terms)
        kind = common_type(pair[0].type, pair[1].type)
        kept = pair[1] if step.kind == "RIGHT" else pair[0]
        meta = replace(pair[0].meta, source=None if step.kind == "FULL" else kept.meta.source)
        merged = replace(kept, name=pair[0].name, meta=meta)
        if step.kind == "FULL" and kind is not None:
            sql = f"COALESCE({terms[0].as_type(kind)}, {terms[1].as_type(kind)})"
            merged = replace(merged, sql=sql, type=kind, shapes=None, origin=None)
        return pair[0], pair[1], merged


def _single(sql: str, relation: Relation) -> Source:
    return Source(sql, [relation], relation.visible())


def _shared_names(left: Source, right: Source, step: nodes.JoinStep) -> list[nodes.Name]:
    """The names of the published columns that both sides have, in the order of the left one."""
    others = {n.lower() for n in right.names()}
    names = [nodes.Name(step.at, n, quoted=False) for n in left.names() if n.lower() in others]
    if not names:
        raise ADQLError("the tables of the NATURAL JOIN have no column in common", step.at, "use JOIN ... ON")
    return names


def _without(visible: list[Visible], merged: list[Field]) -> list[Visible]:
    """What a join still shows of one side when `merged` columns have moved to the front."""
    names = frozenset(f.name for f in merged)
    rest: list[Visible] = []
    for item in visible:
        if item.merged is None:
            rest.append(Visible(item.relation, item.hidden | names))
        elif item.merged.name not in names:
            rest.append(item)
    return rest


def _check_distinct(new: list[Relation], others: list[Relation], at: tuple[int, int]) -> None:
    """ADQLError if two relations of one FROM answer to the same name."""
    for relation in new:
        for other in others:
            if relation.name == other.name and relation.schema == other.schema:
                raise ADQLError(
                    f"the table name {relation.name} is used twice",
                    at,
                    "give one an alias: FROM t AS a, t AS b",
                )


def check_comparable_columns(columns: list[Output], user: str, at: tuple[int, int]) -> None:
    """ADQLError if a column cannot be compared, as `user` has to."""
    for column in columns:
        kind = column.term.type
        if kind is not None and kind.is_geometry and kind.name != "REGION":
            raise ADQLError(f"{user} cannot compare {describe(kind)} ({column.name})", at)
