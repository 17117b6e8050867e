"""What is published: frozen values that refuse contradictions. No I/O, standard library only.

A `Table` is declared once (YAML, see `schema.load`) and everything else derives from it: DDL,
TAP_SCHEMA, VOSI tables, VOTable FIELDs, the name resolution of ADQL, and the column reference.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from schema.reserved import is_regular_identifier
from schema.types import REGION, TMOC, TYPES, Type

HIDDEN_FORMS = {REGION.name: 3, TMOC.name: 1}
"""How many hidden columns hold the values of a type once more."""


class SchemaError(ValueError):
    """A declaration contradicts itself or another one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One published column.

    `name` is the bare name as PostgreSQL stores it. `expression` replaces the stored column: SQL
    over the row, with `{row}` for the quoted alias of the table. `shapes` names the hidden columns
    that hold the same in a form for indexes: of a REGION the `scircle`, the `spoly`, and the `scircle`
    that a circle of more than 90 degrees leaves out (one of the three filled), of a TMOC the
    `int8multirange` in microseconds. `array` names, for a geometry, the hidden column with the DALI array
    that it was made from. `source` says where in a FITS file the value comes from.
    """

    name: str
    type: Type
    description: str = ""
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    required: bool = False
    principal: bool = False
    std: bool = False
    indexed: bool = False
    expression: str | None = None
    shapes: tuple[str, ...] | None = None
    array: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        if self.type not in TYPES.values():
            raise SchemaError(f"column {self.name}: unknown type {self.type}")
        wanted = HIDDEN_FORMS.get(self.type.name, 0)
        if len(self.shapes or ()) != wanted:
            raise SchemaError(f"column {self.name}: REGION and `shapes` go together, or TMOC and one of them")

    @property
    def adql_name(self) -> str:
        """The name as it must be written in ADQL: quoted unless it is a regular identifier."""
        return adql_identifier(self.name)


@dataclass(frozen=True, slots=True)
class HiddenColumn:
    """A stored column that is not published; `postgres` is its type and constraints in SQL."""

    name: str
    postgres: str


@dataclass(frozen=True, slots=True)
class Index:
    """An index; `sql` is what stands between the parentheses, `covers` the published columns it serves."""

    name: str
    sql: str
    using: str = "btree"
    unique: bool = False
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A link to another published table: (own column, target column) pairs."""

    target: str
    columns: tuple[tuple[str, str], ...]
    description: str = ""
    enforced: bool = True
    on_delete: str | None = None


@dataclass(frozen=True)
class Table:
    """A table or view. `kind` is `table` or `view`; a view has no DDL of its own here but `query`.

    `stored_as` is its schema and name in PostgreSQL where they are not the published ones.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    description: str = ""
    kind: str = "table"
    utype: str | None = None
    public: bool = True
    primary_key: tuple[str, ...] = ()
    hidden: tuple[HiddenColumn, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    query: str | None = field(default=None, repr=False)
    stored_as: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns] + [h.name for h in self.hidden]
        repeated = {n for n in names if names.count(n) > 1}
        if repeated:
            raise SchemaError(f"table {self.full_name}: columns repeated: {sorted(repeated)}")
        for name in (*self.primary_key, *(c for i in self.indexes for c in i.covers)):
            if name not in names:
                raise SchemaError(f"table {self.full_name}: no column {name}")
        if self.kind not in {"table", "view"}:
            raise SchemaError(f"table {self.full_name}: kind {self.kind!r}")

    @property
    def full_name(self) -> str:
        """schema.table, bare."""
        return f"{self.schema}.{self.name}"

    @property
    def adql_name(self) -> str:
        """The name to write after FROM."""
        return f"{adql_identifier(self.schema)}.{adql_identifier(self.name)}"

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by their bare name."""
        return {c.name: c for c in self.columns}

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that exist in PostgreSQL (those without an expression)."""
        return tuple(c for c in self.columns if c.expression is None)


@dataclass(frozen=True, slots=True)
class Schema:
    """A named group of tables."""

    name: str
    tables: tuple[Table, ...]
    description: str = ""
    utype: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """The set of published tables."""

    schemas: tuple[Schema, ...]

    def __post_init__(self) -> None:
        names = [t.full_name for t in self.tables]
        if len(set(names)) != len(names):
            raise SchemaError("table names repeat")

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables in the order of their schemas."""
        return tuple(t for s in self.schemas for t in s.tables)

    @cached_property
    def by_name(self) -> dict[str, Table]:
        """Tables by bare `schema.table`."""
        return {t.full_name: t for t in self.tables}

    def extended(self, schemas: Iterable[Schema]) -> "Catalogue":
        """A catalogue with more schemas behind these."""
        return Catalogue((*self.schemas, *schemas))


def adql_identifier(name: str) -> str:
    """`name` as ADQL takes it: bare if regular and not reserved, else delimited (ADQL 2.1, 2.1.3)."""
    if is_regular_identifier(name):
        return name
    return '"' + name.replace('"', '""') + '"'
