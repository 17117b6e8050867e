"""Pairs of ADQL and SQL in cases/*.sql: translated, compared and executed; and rejects with messages."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from schema.model import Catalogue
from vo_server.adql import ADQLError, translate

CASES = Path(__file__).with_name("cases")


def _blocks(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The blocks of a file: `-- name` begins one, a line of `--` alone divides it."""
    for block in re.split(r"^-- (?=[^\s$])", path.read_text(), flags=re.M)[1:]:
        name, _, body = block.partition("\n")
        yield f"{path.stem}: {name}", [part.strip() for part in re.split(r"^--$", body, flags=re.M)]


ACCEPTED = [case for path in sorted(CASES.glob("*.sql")) for case in _blocks(path)]
REJECTED = list(_blocks(CASES / "rejects.txt"))


@pytest.mark.parametrize(("adql", "expected"), [c[1] for c in ACCEPTED], ids=[c[0] for c in ACCEPTED])
def test_translation(adql: str, expected: str, catalogue: Catalogue, connection: psycopg.Connection) -> None:
    translation = translate(adql, catalogue)
    shown = translation.sql
    for index, value in enumerate(translation.parameters, start=1):
        shown += f"\n-- ${index} = {value!r}"
    assert shown == expected
    connection.execute(translation.sql, translation.parameters)


@pytest.mark.parametrize(("adql", "parts"), [c[1] for c in REJECTED], ids=[c[0] for c in REJECTED])
def test_rejection(adql: str, parts: str, catalogue: Catalogue) -> None:
    with pytest.raises(ADQLError) as caught:
        translate(adql, catalogue)
    for part in parts.splitlines():
        assert part in str(caught.value)
