"""Tables -> DDL. The migrations must build exactly what this builds; a test compares the two."""

from collections.abc import Iterable

from schema.model import Column, ForeignKey, Index, Table


def create_table(table: Table) -> list[str]:
    """The statements that make a table or view, its indexes and comments, in order."""
    if table.kind == "view":
        return [f"CREATE VIEW {quoted(table)} AS {table.query}", *comments(table)]
    parts = [_column(c) for c in table.stored]
    parts += [f"{quote(h.name)} {h.postgres}" for h in table.hidden]
    if table.primary_key:
        parts.append(f"PRIMARY KEY ({', '.join(map(quote, table.primary_key))})")
    parts += [_foreign_key(k) for k in table.foreign_keys if k.enforced]
    body = ",\n    ".join(parts)
    create = f"CREATE TABLE {quoted(table)} (\n    {body}\n)"
    return [create, *create_indexes(table), *comments(table)]


def create_indexes(table: Table) -> list[str]:
    """The statements that make what indexes of a table are missing."""
    return [_index(table, i) for i in table.indexes]


def drop_indexes(table: Table) -> list[str]:
    """The statements that drop the indexes of a table (for loading many rows at once)."""
    return [f"DROP INDEX IF EXISTS {quote(table.schema)}.{quote(i.name)}" for i in table.indexes]


def add_columns(table: Table, present: Iterable[str]) -> list[str]:
    """The statements that add the stored columns that a table in the database lacks."""
    have = set(present)
    return [
        f"ALTER TABLE {quoted(table)} ADD COLUMN {_column(c)}" for c in table.stored if c.name not in have
    ]


def comments(table: Table) -> list[str]:
    """COMMENT statements, so that psql shows what the catalogue says."""
    kind = table.kind.upper()
    found = [f"COMMENT ON {kind} {quoted(table)} IS {literal(table.description)}"]
    shown = table.columns if table.kind == "view" else table.stored
    found += [
        f"COMMENT ON COLUMN {quoted(table)}.{quote(c.name)} IS {literal(c.description)}"
        for c in shown
        if c.description
    ]
    return found


def _column(column: Column) -> str:
    null = " NOT NULL" if column.required else ""
    return f"{quote(column.name)} {column.type.postgres}{null}"


def _foreign_key(key: ForeignKey) -> str:
    schema, name = key.target.split(".")
    own = ", ".join(quote(a) for a, _ in key.columns)
    other = ", ".join(quote(b) for _, b in key.columns)
    action = f" ON DELETE {key.on_delete.upper()}" if key.on_delete else ""
    return f"FOREIGN KEY ({own}) REFERENCES {quote(schema)}.{quote(name)} ({other}){action}"


def _index(table: Table, index: Index) -> str:
    unique = "UNIQUE " if index.unique else ""
    return (
        f"CREATE {unique}INDEX IF NOT EXISTS {quote(index.name)}"
        f" ON {quoted(table)} USING {index.using} ({index.sql})"
    )


def quoted(table: Table) -> str:
    """The table's name in SQL."""
    return f"{quote(table.schema)}.{quote(table.name)}"


def quote(name: str) -> str:
    """An SQL identifier, always delimited."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string constant, for the statements that take no bound parameters."""
    doubled = text.replace("'", "''").replace("\\", "\\\\")
    return f"E'{doubled}'"
