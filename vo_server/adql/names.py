"""Names -> tables and columns: what stands in FROM, and how a column reference finds its column."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from schema.model import Catalogue, Column, Table
from schema.types import Type
from vo_server.adql.errors import ADQLError, Span, did_you_mean
from vo_server.adql.nodes import ColumnReference, Name
from vo_server.adql.terms import Meta, Origin, quote

K = TypeVar("K")


@dataclass(slots=True)
class Field:
    """A column as an expression sees it. `shapes` is the SQL of its hidden columns.

    `array` is that of the DALI array a geometry was made from; `weight` is the length of the expression
    behind the column of a subquery (see `weights`).
    """

    name: str
    type: Type | None
    sql: str
    meta: Meta
    shapes: tuple[str, ...] | None = None
    origin: Origin | None = None
    weight: int = 0
    array: str | None = None


@dataclass(slots=True)
class Relation:
    """One table in FROM. `sql` is its quoted alias, unique in the whole statement.

    `known` are the columns: of a published table they are made when they are asked for. `indexed` names
    those that an index of the table covers.
    """

    name: str
    sql: str
    schema: str | None = None
    table: Table | None = None
    known: list[Field] = field(default_factory=list)
    indexed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        indexes = self.table.indexes if self.table is not None else ()
        self.indexed = frozenset(c for i in indexes for c in i.covers)

    def fields(self) -> list[Field]:
        """All columns in their published order."""
        if self.table is not None and not self.known:
            self.known = [self._field(self.table, c) for c in self.table.columns]
        return self.known

    def find(self, name: Name) -> list[Field]:
        """The columns that `name` means; more than one if they differ in case only."""
        if self.table is None:
            return matching(name, self.known, lambda f: f.name)
        exact = self.table.by_name.get(name.text if name.quoted else name.text.lower())
        if exact is not None:
            return [self._field(self.table, exact)]
        found = matching(name, self.table.columns, lambda c: c.name)
        return [self._field(self.table, c) for c in found]

    def _field(self, table: Table, column: Column) -> Field:
        if column.expression is None:
            sql = f"{self.sql}.{quote(column.name)}"
        else:
            sql = f"({column.expression.replace('{row}', self.sql)})"
        shapes = None
        if column.shapes is not None:
            shapes = tuple(f"{self.sql}.{quote(s)}" for s in column.shapes)
        source = f"{table.full_name}.{column.name}"
        meta = Meta(column.description, column.unit, column.ucd, column.utype, source)
        indexed = column.indexed or column.name in self.indexed
        array = None if column.array is None else f"{self.sql}.{quote(column.array)}"
        origin = Origin(self.sql, indexed)
        return Field(column.name, column.type, sql, meta, shapes, origin, array=array)

    def visible(self) -> "list[Visible]":
        """What a FROM shows that has only this relation."""
        return [Visible(self)]

    def answers_to(self, parts: tuple[Name, ...]) -> bool:
        """Whether the qualifier `parts` of a column reference or star means this relation."""
        if not same(parts[-1], self.name):
            return False
        return len(parts) == 1 or (
            len(parts) == 2 and self.schema is not None and same(parts[0], self.schema)
        )


@dataclass(slots=True)
class Visible:
    """Columns that a scope shows: a whole relation without some names, or one merged column."""

    relation: Relation | None = None
    hidden: frozenset[str] = frozenset()
    merged: Field | None = None

    def fields(self) -> list[Field]:
        """The columns in order."""
        if self.merged is not None:
            return [self.merged]
        fields = self.relation.fields() if self.relation is not None else []
        return [f for f in fields if f.name not in self.hidden]

    def find(self, name: Name) -> list[Field]:
        """The columns that `name` means."""
        if self.merged is not None:
            return [self.merged] if same(name, self.merged.name) else []
        found = self.relation.find(name) if self.relation is not None else []
        return [f for f in found if f.name not in self.hidden] if self.hidden else found


@dataclass(slots=True)
class Scope:
    """What a name can mean at one place of the query; `outer` is the query around it.

    `correlated` are the columns that queries inside this one have used: SQL, name and where. `aliases` are
    the names that the select list gives, which mean nothing inside of expressions.
    """

    relations: list[Relation]
    visible: list[Visible]
    outer: "Scope | None" = None
    correlated: list[tuple[str, str, Span]] = field(default_factory=list)
    aliases: tuple[str, ...] = ()

    def column(self, reference: ColumnReference) -> tuple[Field, bool]:
        """The column that `reference` names, and whether it is of this very query (not one around it).

        Raises ADQLError if the name fits no column or more than one.
        """
        scope: Scope | None = self
        while scope is not None:
            found = scope._find(reference)
            if len(found) == 1:
                if scope is not self:
                    shown = ".".join(p.text for p in reference.parts)
                    scope.correlated.append((found[0].sql, shown, reference.at))
                return found[0], scope is self
            if found:
                raise _ambiguous(reference, found)
            scope = scope.outer
        raise self._unknown(reference)

    def _find(self, reference: ColumnReference) -> list[Field]:
        *qualifier, name = reference.parts
        if not qualifier:
            return [f for v in self.visible for f in v.find(name)]
        relations = [r for r in self.relations if r.answers_to(tuple(qualifier))]
        return [f for r in relations for f in r.find(name)]

    @property
    def borrowed(self) -> int:
        """How often columns of the queries around have been used so far."""
        return sum(len(s.correlated) for s in self._scopes() if s is not self)

    def has(self, reference: ColumnReference) -> bool:
        """Whether the name fits a column of this very query."""
        return bool(self._find(reference))

    def star(self, qualifier: tuple[Name, ...]) -> Iterator[Field]:
        """The columns of `*` (empty qualifier) or of `table.*`."""
        if not qualifier:
            for visible in self.visible:
                yield from visible.fields()
            return
        relations = [r for r in self.relations if r.answers_to(qualifier)]
        if len(relations) != 1:
            raise self._unknown_qualifier(qualifier, ambiguous=bool(relations))
        yield from relations[0].fields()

    def _unknown(self, reference: ColumnReference) -> ADQLError:
        *qualifier, name = reference.parts
        shown = ".".join(p.text for p in reference.parts)
        if qualifier:
            relations = [r for s in self._scopes() for r in s.relations if r.answers_to(tuple(qualifier))]
            if not relations:
                return self._unknown_qualifier(tuple(qualifier))
            fields = [f for r in relations for f in r.fields()]
        else:
            fields = [f for s in self._scopes() for v in s.visible for f in v.fields()]
        names = [f.name for f in fields]
        hint = did_you_mean(name.text, names)
        if not qualifier and any(same(name, alias) for alias in self.aliases):
            hint = f"{name.text} is a name of the result: repeat its expression here, or use a subquery"
        elif name.quoted and any(n.lower() == name.text.lower() for n in names):
            hint = "names in double quotes must match in case: " + did_you_mean(name.text, names)
        elif name.quoted:
            hint = "double quotes make a name; a string is written in single quotes" + (
                f"; {hint}" * bool(hint)
            )
        return ADQLError(f"unknown column {shown}", reference.at, hint or _listed(names))

    def _unknown_qualifier(self, parts: tuple[Name, ...], *, ambiguous: bool = False) -> ADQLError:
        shown = ".".join(p.text for p in parts)
        at = (parts[0].at[0], parts[-1].at[1])
        if ambiguous:
            return ADQLError(f"ambiguous table {shown}", at, "give the tables aliases: FROM t1 AS a, t2 AS b")
        names = [r.name for s in self._scopes() for r in s.relations]
        hint = did_you_mean(parts[-1].text, names) or "the tables of this query are " + ", ".join(names)
        return ADQLError(f"unknown table {shown}", at, hint)

    def _scopes(self) -> Iterator["Scope"]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


def find_table(catalogue: Catalogue, parts: tuple[Name, ...]) -> Table:
    """The published table that [schema.]name means. Raises ADQLError if none or more than one."""
    shown = ".".join(p.text for p in parts)
    at = (parts[0].at[0], parts[-1].at[1])
    if len(parts) == 2 and not any(p.quoted for p in parts):
        table = catalogue.by_name.get(shown.lower())
        if table is not None:
            return table
    if len(parts) > 2:
        raise ADQLError(f"unknown table {shown}", at, "tables are named schema.table, without a catalogue")
    found = matching(parts[-1], catalogue.tables, lambda t: t.name)
    if len(parts) == 2:
        found = matching(parts[0], found, lambda t: t.schema)
    if len(found) == 1:
        return found[0]
    if found:
        candidates = ", ".join(t.adql_name for t in found)
        raise ADQLError(f"ambiguous table {shown}", at, f"it may be one of {candidates}")
    hint = _nearest_tables(catalogue, parts) or "the tables are listed in tap_schema.tables"
    raise ADQLError(f"unknown table {shown}", at, hint)


def _nearest_tables(catalogue: Catalogue, parts: tuple[Name, ...]) -> str:
    """A hint with full names: tables of this name in other schemas, else those of a like name."""
    shown = ".".join(p.text for p in parts)
    elsewhere = [t.adql_name for t in catalogue.tables if t.name.lower() == parts[-1].text.lower()]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere[:3])}?"
    by_full_name = did_you_mean(shown, [t.adql_name for t in catalogue.tables])
    return by_full_name or did_you_mean(parts[-1].text, {t.name: t.adql_name for t in catalogue.tables})


def same(name: Name, known: str) -> bool:
    """Whether the identifier means `known` (ADQL 2.1, 2.1.3: case matters in double quotes only)."""
    return name.text == known if name.quoted else name.text.lower() == known.lower()


def matching(name: Name, known: Iterable[K], key: Callable[[K], str]) -> list[K]:
    """Those of `known` that the identifier means; of several, the lower-case one if there is one."""
    found = [k for k in known if same(name, key(k))]
    if len(found) > 1 and not name.quoted:
        exact = [k for k in found if key(k) == name.text.lower()]
        return exact or found
    return found


def _ambiguous(reference: ColumnReference, found: list[Field]) -> ADQLError:
    shown = ".".join(p.text for p in reference.parts)
    candidates = " or ".join(f.sql.replace('"', "") for f in found)
    return ADQLError(f"ambiguous column {shown}", reference.at, f"it may be {candidates}")


def _listed(names: list[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"the columns here are {shown}{', ...' if len(names) > most else ''}" if names else ""
