"""Rules that hold for the whole code: who may import whom, sizes, and where SQL and broad catches are."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("moc", "schema", "ingest", "vo_server", "resources", "benchmarks", "docs")
LONGEST_MODULE = 500
LONGEST_FUNCTION = 60

ALLOWED = {
    "moc": {"moc"},
    "schema": {"schema"},
    "ingest": {"moc", "schema", "ingest", "resources"},
    "vo_server.adql": {"schema", "vo_server.adql"},
    "vo_server.results": {"moc", "schema", "vo_server"},
    "vo_server": {"moc", "schema", "vo_server", "resources"},
    "vo_server.cli": {"schema", "vo_server", "ingest.store"},
    "vo_server.commands": {
        *("schema", "vo_server"),
        *("ingest.run", "ingest.simulate", "ingest.store", "ingest.facts"),
    },
    "resources": set(),
}
"""Module or package -> what of ours it may import; the longest name that fits a module counts."""

BROAD = {
    "vo_server.db": "a connection is given back whatever happens",
    "vo_server.uws.worker": "a job tells of every fault, whatever it is",
}
"""Modules that catch everything, and why."""

SQL_OWNERS = {
    *("schema.ddl", "schema.load", "ingest.store"),
    *("vo_server.install", "vo_server.roles", "vo_server.doctor", "vo_server.db", "vo_server.cluster"),
    *("vo_server.products.store", "vo_server.bundles.store"),
    "vo_server.rows.sources",
    *("vo_server.uws.store", "vo_server.uws.queue"),
    "vo_server.upload.store",
    "vo_server.previews.published",
    *("ingest.coverage", "vo_server.coverage.store", "vo_server.hips.published"),
    *("vo_server.registry.store", "vo_server.collections.numbers"),
    "vo_server.datalink.dataset",
    "vo_server.soda.dataset",
    "vo_server.ssa.store",
}
"""Modules with SQL of their own, beside the translator from ADQL, whose trade it is."""

SQL = re.compile(
    r"\s*(WITH \w+ AS|SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|GRANT|REVOKE|COPY|TRUNCATE)\s"
)

ADQL_WRITERS = {"vo_server.scs.cone", "vo_server.sia.request", "vo_server.ssa.request"}
"""Modules that write ADQL for TAP's path of a query."""

SAMPLES = {"vo_server.pages", "vo_server.tap.examples", "vo_server.collections.queries"}
"""Modules that show ADQL to users."""


@cache
def parsed() -> dict[str, ast.Module]:
    """All modules of ours by their dotted names."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(p for p in parts if p != "__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def imported(module: ast.Module) -> Iterator[str]:
    """The dotted names of our modules that a module imports."""
    for node in ast.walk(module):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            assert node.module is not None
            members = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in parsed() else node.module for name in members]
        yield from (name for name in names if name.split(".")[0] in PACKAGES)


def allowed(name: str) -> set[str] | None:
    """What a module may import; None for programs beside the packages, which may import all."""
    fitting = [rule for rule in ALLOWED if name == rule or name.startswith(f"{rule}.")]
    return ALLOWED[max(fitting, key=len)] if fitting else None


def strangers(name: str, names: set[str]) -> set[str]:
    """Those of the imported names that the rules do not let a module import."""
    rule = allowed(name)
    if rule is None:
        return set()
    return {n for n in names if not any(n == r or n.startswith(f"{r}.") for r in rule)}


@pytest.mark.parametrize("name", parsed())
def test_dependencies_point_one_way(name: str) -> None:
    assert strangers(name, set(imported(parsed()[name]))) == set()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("schema.ddl", "ingest.rows"),
        ("ingest.run", "vo_server.install"),
        ("vo_server.adql.parser", "vo_server.db"),
        ("vo_server.db", "ingest.store"),
        ("vo_server.commands.ingest", "ingest.rows"),
    ],
)
def test_the_rule_sees(name: str, other: str) -> None:
    assert strangers(name, {other}) == {other}


def test_no_cycle() -> None:
    waiting = {name: set(imported(module)) - {name} for name, module in parsed().items()}
    while free := [name for name, needs in waiting.items() if not needs & set(waiting)]:
        for name in free:
            del waiting[name]
    assert waiting == {}


@pytest.mark.parametrize("name", parsed())
def test_imports_stand_at_the_top(name: str) -> None:
    functions = [n for n in ast.walk(parsed()[name]) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = [f.name for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert late == []


def test_sizes() -> None:
    lines = {name: module.body[-1].end_lineno or 0 for name, module in parsed().items() if module.body}
    assert {name: n for name, n in lines.items() if n > LONGEST_MODULE} == {}
    functions = {
        f"{name}.{f.name}": (f.end_lineno or 0) - f.lineno + 1
        for name, module in parsed().items()
        for f in ast.walk(module)
        if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: n for name, n in functions.items() if n > LONGEST_FUNCTION} == {}


def catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(k, ast.Name) and k.id in {"Exception", "BaseException"} for k in kinds)


def test_only_these_catch_everything() -> None:
    found = {
        name
        for name, module in parsed().items()
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler) and catches_all(node)
    }
    assert found == set(BROAD)


def docstrings(module: ast.Module) -> set[int]:
    """The identities of constants that are expressions by themselves."""
    return {
        id(n.value) for n in ast.walk(module) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)
    }


def test_sql_stands_in_the_modules_that_own_it() -> None:
    found = {
        name
        for name, module in parsed().items()
        if name.split(".")[0] in {"schema", "ingest", "vo_server"} and not name.startswith("vo_server.adql.")
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
        if id(node) not in docstrings(module)
    }
    assert found == SQL_OWNERS | ADQL_WRITERS | SAMPLES
