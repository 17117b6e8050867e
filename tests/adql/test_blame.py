"""Faults that the database finds are told at the part of the query that can be at fault."""

import pytest

from vo_server.adql.blame import FAULTS, blame

TOLD = "The query fails on the data: of some kind"

PLACES = [
    ("22012", "SELECT a / b FROM t", "b", "NULLIF(x, 0)"),
    ("22012", "SELECT 1 / 2.0, a / 3 / (b - 4) FROM t", "(b - 4)", "NULLIF"),
    ("22012", "SELECT MOD(a, c) FROM t", "c", "NULLIF"),
    ("22012", "SELECT a FROM t WHERE x IN (SELECT 1 / y FROM u)", "y", "NULLIF"),
    ("22012", "SELECT a FROM t WHERE x / y > 1 AND z / w > 1", "y", "2 parts of the query may be at fault"),
    ("22003", "SELECT CAST(a AS SMALLINT) FROM t", "CAST(a AS SMALLINT)", "DOUBLE PRECISION"),
    ("22003", "SELECT a FROM t ORDER BY n * n", "n * n", "DOUBLE PRECISION"),
    ("22003", "SELECT SUM(n) FROM t", "SUM(n)", "DOUBLE PRECISION"),
    ("22003", "SELECT ASIN(n) FROM t", "ASIN(n)", "outside of what a function takes"),
    ("2201E", "SELECT a FROM t GROUP BY LOG10(x)", "LOG10(x)", "above 0"),
    ("2201F", "SELECT SQRT(x - 1) FROM t", "SQRT(x - 1)", "not a real number"),
    ("22P02", "SELECT a || b, CAST(a AS INTEGER) FROM t", "CAST(a AS INTEGER)", "not written as one"),
    ("22007", "SELECT CAST(a AS TIMESTAMP) FROM t", "CAST(a AS TIMESTAMP)", "2026-01-01T12:00:00"),
    ("22008", "SELECT ivo_to_mjd(a) FROM t", "ivo_to_mjd(a)", "not a timestamp"),
    ("XX000", "SELECT a FROM t WHERE 1 = CONTAINS(POINT(x, y), s)", "CONTAINS(POINT(x, y), s)", TOLD),
]


@pytest.mark.parametrize(("sqlstate", "query", "marked", "words"), PLACES)
def test_the_part_at_fault_is_marked(sqlstate: str, query: str, marked: str, words: str) -> None:
    shown = blame(query, sqlstate, TOLD)
    first, source, carets, *_ = shown.split("\n")
    start = query.index(marked)
    assert f"(line 1, column {start + 1})" in first
    assert source == f"  {query}"
    assert carets == " " * (2 + start) + "^" * len(marked)
    assert words in shown


def test_the_line_is_counted() -> None:
    shown = blame("SELECT a,\n  b / c\nFROM t", "22012", TOLD)
    assert shown.startswith("division by zero (line 2, column 7)\n    b / c\n        ^\n")


def test_without_a_suspect_there_is_no_place() -> None:
    assert blame("SELECT a FROM t", "22012", TOLD) == "\n".join(
        (FAULTS["22012"].message, FAULTS["22012"].hint)
    )
    assert blame("SELECT ABS(a) FROM t", "22999", TOLD) == TOLD
