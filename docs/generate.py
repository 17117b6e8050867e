"""Writes the generated pages of docs/ (PAGES). A test fails when they are stale."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from schema.collection import KEYS, Collection
from schema.load import collection_schema, core_catalogue
from schema.model import Table
from vo_server.adql import RESOLVER_FEATURES
from vo_server.settings import Settings, environment_name

HERE = Path(__file__).parent
EXAMPLE = Collection(name="<collection>", schema="example", events=True)


def columns() -> str:
    """The column reference."""
    return "\n".join(_columns())


def _columns() -> Iterator[str]:
    yield "# Columns\n"
    yield "Written by `make docs` from schema/tables/. Each collection has tables of its own in a schema of"
    yield "its own, shown here as `example`; its `obs_index` and `events` also hold whatever further columns"
    yield "the release has. `example.obscore` is a view with all columns of `ivoa.obscore`,"
    yield "`ivoa.obscore_hea` and `example.obs_index` but `n_tels`.\n"
    for table in (*core_catalogue().tables, *collection_schema(EXAMPLE).tables):
        if table.kind == "table":
            yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    yield f"## {table.adql_name}\n"
    yield f"{table.description}\n"
    yield "| column | type | unit | UCD | description | source |"
    yield "|---|---|---|---|---|---|"
    for c in table.columns:
        described = c.description.replace("|", "\\|")
        cells = (c.adql_name, c.type.name, c.unit, c.ucd, described, c.source)
        yield "| " + " | ".join(cell or "" for cell in cells) + " |"
    yield ""


def settings() -> str:
    """The reference of settings and of the keys of a collection's TOML file."""
    return "\n".join(_settings())


def _settings() -> Iterator[str]:
    yield "# Settings\n"
    yield "Written by `make docs`. A setting comes from the environment, else from the TOML file that"
    yield "VO_SERVER_CONFIG names (or `vo-server.toml` in the current directory), else it has its default."
    yield "`vo-server settings` shows what is in force.\n"
    yield "| key in the TOML file | environment | default | meaning |"
    yield "|---|---|---|---|"
    for f in fields(Settings):
        default = f.default if isinstance(f.default, str | int | float | bool) else "by machine"
        yield f"| {f.name} | {environment_name(f.name)} | {default} | {f.metadata['help']} |"
    yield ""
    yield "# Keys of a collection's TOML file\n"
    yield "The file is named with `--collection`, or lies in the release as `collection.toml`. Every key has"
    yield "a default.\n"
    yield "| key | default | meaning |"
    yield "|---|---|---|"
    defaults = {f.name: f.default for f in fields(Collection)}
    for key, meaning in KEYS.items():
        default = defaults[key] if isinstance(defaults[key], str | int | float | bool | tuple) else ""
        yield f"| {key} | {_toml(default)} | {meaning} |"
    yield ""


def _toml(value: object) -> str:
    if value in ("", ()):
        return ""
    shown = list(value) if isinstance(value, tuple) else value
    return json.dumps(shown)


def adql() -> str:
    """The reference of what the query language has beyond its mandatory parts."""
    return "\n".join(_adql())


def _adql() -> Iterator[str]:
    yield "# ADQL\n"
    yield "Written by `make docs` from the registers that implement the language. Queries are ADQL 2.1, all"
    yield "of it; here are its optional features and its functions, as the service declares them in its"
    yield "capabilities, and the extensions, which `vo-server adql --strict` refuses. Of several forms of a"
    yield "function each has a line of its own.\n"
    yield "`vo-server adql FILE` shows the SQL of a query and the columns of its result, or what is wrong"
    yield "with it; `vo-server adql --syntax FILE` looks at the query alone, without a database.\n"
    for kind, features in RESOLVER_FEATURES.items():
        yield f"## {TITLES[kind.rpartition('features-')[2]]}\n"
        yield "| form | meaning |"
        yield "|---|---|"
        for feature in features:
            yield f"| `{feature.form}` | {feature.description} |".replace("||", "\\|\\|")
        yield ""


TITLES = {
    "udf": "User defined functions",
    "adqlgeo": "Geometry",
    "adql-string": "Strings",
    "adql-common-table": "Common tables",
    "adql-sets": "Set operators",
    "adql-type": "Types",
    "adql-conditional": "Alternatives",
    "adql-unit": "Units",
    "adql-offset": "Offset",
    "adql-extension": "Extensions",
}
"""Headings by the last part of a TAPRegExt feature type."""

PAGES = {"adql.md": adql, "columns.md": columns, "settings.md": settings}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
