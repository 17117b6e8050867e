"""Whatever the text is, it becomes a translation or an ADQLError that says where."""

import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.model import Catalogue
from schema.reserved import RESERVED_WORDS
from tests.adql.mutations import mutated
from tests.adql.test_cases import ACCEPTED
from vo_server.adql import ADQLError, translate
from vo_server.adql.tokens import MAX_DEPTH, MAX_LENGTH

TOKENS = st.sampled_from(
    [
        *sorted(RESERVED_WORDS),
        *("sky", "obs", "hea", "t1", "obs_id", "s_ra", "s_dec", "s_region", "t_min", "released", "pos", "q"),
        *(
            "1",
            "2.5",
            "1e-3",
            "'a'",
            "'2026-01-01'",
            '"obs_id"',
            '"x',
            "'x",
            "--",
            "\n",
            "\0",
            "é",
            "ivo_to_jd",
        ),
        *("(", ")", ",", ".", ";", "*", "+", "-", "/", "||", "=", "<", ">=", "<>", "!="),
        *("SELECT", "FROM sky.obs", "WHERE", "SELECT * FROM sky.obs", "CONTAINS(", "POINT(s_ra, s_dec)"),
    ]
)
SOON = 2.0
"""Seconds of processor time in which any text is dealt with."""

FREELY = settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

PIECES = st.sampled_from(
    ["\0", "\ud800", "\x1b", "\x85", "\u2028", "\r", "\n", "\t", "''", '""', "--", "/*", "*/"]
)
WRITTEN = st.lists(st.one_of(st.text(max_size=20), PIECES, TOKENS), max_size=20).map("".join)
"""Any characters, among them those that quote, comment or break lines, and half surrogate pairs."""


def check(text: str, catalogue: Catalogue) -> None:
    """A translation, or an error that says where; either soon."""
    started = time.process_time()
    error: ADQLError | None = None
    try:
        assert translate(text, catalogue, limit=5).columns
    except ADQLError as caught:
        error = caught
    assert time.process_time() - started < SOON
    if error is not None:
        check_error(error, text)


def check_error(error: ADQLError, text: str) -> None:
    """Line, column and offending text are where the text has them, and the carets stand below it."""
    assert error.message
    assert error.message in str(error)
    str(error).encode()
    lines = text.split("\n")
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    start = sum(len(line) + 1 for line in lines[: error.line - 1]) + error.column - 1
    assert text.startswith(error.offending, start)
    if error.excerpt:
        shown, carets = error.excerpt.split("\n")
        at = carets.index("^")
        first = error.offending.partition("\n")[0]
        printed = "".join(c if c.isprintable() else " " for c in first)[:120]
        assert carets == " " * at + "^" * max(1, len(printed))
        assert not printed or shown[at : at + len(printed)] == printed


@FREELY
@given(text=st.text())
def test_any_text(text: str, catalogue: Catalogue) -> None:
    check(text, catalogue)


@FREELY
@given(text=WRITTEN)
def test_any_characters(text: str, catalogue: Catalogue) -> None:
    check(text, catalogue)
    check(f"SELECT obs_id FROM sky.obs WHERE target = {text}", catalogue)


@FREELY
@given(tokens=st.lists(TOKENS, max_size=25))
def test_any_tokens(tokens: list[str], catalogue: Catalogue) -> None:
    check(" ".join(tokens), catalogue)


@FREELY
@given(condition=st.lists(TOKENS, max_size=12))
def test_any_tokens_as_a_condition(condition: list[str], catalogue: Catalogue) -> None:
    check(f"SELECT obs_id FROM sky.obs WHERE {' '.join(condition)} = 1", catalogue)


@FREELY
@given(name=st.text(min_size=1, max_size=80), value=st.text(max_size=40))
def test_names_and_strings_reach_the_result_as_they_are(name: str, value: str, catalogue: Catalogue) -> None:
    quoted, literal = name.replace('"', '""'), value.replace("'", "''")
    text = f"SELECT '{literal}' AS \"{quoted}\" FROM sky.obs"
    try:
        translation = translate(text, catalogue)
    except ADQLError:
        assert "\0" in text or not text.isprintable()
    else:
        assert translation.columns[0].name == name
        assert translation.parameters == (value,)
        assert value == "" or value in {"$", "1", "t"} or f"'{value}'" not in translation.sql


QUERIES = [adql for _, (adql, _) in ACCEPTED]


@FREELY
@given(text=st.sampled_from(QUERIES), seed=st.integers(0, 2**32))
def test_any_mutation_of_a_query(text: str, seed: int, catalogue: Catalogue) -> None:
    check(mutated(text, random.Random(seed)), catalogue)  # noqa: S311 - a draw, no secret


@FREELY
@given(text=st.sampled_from(QUERIES), at=st.integers(0), character=st.characters())
def test_any_character_in_a_query(text: str, at: int, character: str, catalogue: Catalogue) -> None:
    at %= len(text)
    check(text[:at] + character + text[at:], catalogue)
    check(text[:at] + character + text[at + 1 :], catalogue)
    check(text[:at], catalogue)


def test_nesting_is_bounded(catalogue: Catalogue) -> None:
    def nested(depth: int) -> str:
        return f"SELECT obs_id FROM sky.obs WHERE {'(' * depth}1{')' * depth} = 1"

    translate(nested(MAX_DEPTH), catalogue)
    with pytest.raises(ADQLError, match="nested more than"):
        translate(nested(MAX_DEPTH + 1), catalogue)


@pytest.mark.parametrize(
    ("opening", "inside", "closing"),
    [
        ("ABS(", "s_ra", ")"),
        ("(1 + ", "s_ra", ")"),
        ("(- ", "s_ra", ")"),
        ("ABS(ABS(ABS(", "1", ")))"),
        ("(NOT (1 = 1 AND ", "s_ra > 1", "))"),
        ("obs_id IN (SELECT obs_id FROM sky.obs WHERE ", "1 = 1", ")"),
        ("EXISTS (SELECT obs_id FROM sky.obs WHERE NOT (1 = 1 OR ", "1 = 1", "))"),
        ("(SELECT obs_id FROM sky.obs) UNION (", "SELECT obs_id FROM sky.obs", ")"),
    ],
)
def test_every_nesting_ends_well(catalogue: Catalogue, opening: str, inside: str, closing: str) -> None:
    for count in (MAX_DEPTH // opening.count("("), 1000):
        text = opening * count + inside + closing * count
        for query in (
            f"SELECT obs_id FROM sky.obs WHERE {text}",
            f"SELECT {text} FROM sky.obs",
            f"SELECT * FROM ({text}) AS q",
            text,
        ):
            check(query, catalogue)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "1 + " * 2000 + "1 FROM sky.obs",
        "SELECT " + "- " * 5000 + "1 FROM sky.obs",
        "SELECT obs_id FROM sky.obs WHERE " + "NOT " * 5000 + "1 = 1",
        "SELECT obs_id FROM sky.obs" + " UNION SELECT obs_id FROM sky.obs" * 500,
        "SELECT obs_id FROM sky.obs" + " NATURAL JOIN sky.hea" * 500,
        "(" * 100_000,
        "'" * 99_999,
        "SELECT obs_id FROM sky.obs WHERE obs_id IN (" + ", ".join(f"'{i}'" for i in range(70_000)) + ")",
        "SELECT" + " " * MAX_LENGTH,
        "SELECT " + "ivo_interval_overlaps(1, " * 40 + "1" + ", 2, 3)" * 40 + " FROM sky.obs",
        "SELECT AREA(" + "BOX(CENTROID(" * 20 + "POINT(s_ra, 1)" + "), 1, 1 + s_ra)" * 20 + ") FROM sky.obs",
        "WITH a0 AS (SELECT * FROM sky.hea)"
        + "".join(f", a{i} AS (SELECT a{i - 1}.*, a{i - 1}.* FROM a{i - 1})" for i in range(1, 40))
        + " SELECT * FROM a39",
        "SELECT 1 FROM " + ", ".join(f"sky.hea AS a{i}" for i in range(2_000)),
        "SELECT " + ", ".join(["s_ra"] * 2_000) + " FROM sky.obs",
        "SELECT s_ra FROM sky.obs ORDER BY " + ", ".join(["s_ra"] * 2_000),
        "SELECT s_ra FROM sky.obs GROUP BY " + ", ".join(["s_ra"] * 2_000),
        "SELECT \ud800 FROM sky.obs",
    ],
)
def test_what_is_too_much_is_refused(catalogue: Catalogue, text: str) -> None:
    with pytest.raises(ADQLError):
        translate(text, catalogue)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "1 + " * 900 + "1 FROM sky.obs",
        "SELECT obs_id FROM sky.obs WHERE " + "s_ra > 1 AND " * 3000 + "1 = 1",
        "SELECT obs_id FROM sky.obs" + " UNION SELECT obs_id FROM sky.obs" * 150,
        "SELECT a0.obs_id FROM sky.hea AS a0" + "".join(f", sky.hea AS a{i}" for i in range(1, 40)),
        "SELECT obs_id FROM sky.obs WHERE obs_id IN (" + ", ".join(f"'{i}'" for i in range(20_000)) + ")",
    ],
)
def test_what_is_long_is_translated(catalogue: Catalogue, text: str) -> None:
    assert translate(text, catalogue).columns


def test_an_error_is_one_readable_text(catalogue: Catalogue) -> None:
    text = "SELECT obs_id\n  FROM sky.obs\n WHERE\ttargt = 'Crab'"
    with pytest.raises(ADQLError) as caught:
        translate(text, catalogue)
    error = caught.value
    assert (error.line, error.column, error.offending) == (3, 8, "targt")
    assert str(error) == (
        "unknown column targt (line 3, column 8)\n"
        "   WHERE targt = 'Crab'\n"
        "         ^^^^^\n"
        "did you mean target?"
    )
