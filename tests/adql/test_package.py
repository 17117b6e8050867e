"""The translator is pure: it imports the standard library, `schema`, itself, and astropy for units."""

import ast
import sys
from pathlib import Path

import pytest

from vo_server import adql

LIBRARIES = {"units": {"astropy"}}
"""What some modules may import besides."""

MODULES = sorted(Path(adql.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.stem)
def test_imports(module: Path) -> None:
    tree = ast.parse(module.read_text())
    imported = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    imported += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    for name in imported:
        package = name.partition(".")[0]
        known = package in sys.stdlib_module_names or package in LIBRARIES.get(module.stem, ())
        assert known or name.startswith(("schema.", "vo_server.adql")), name
