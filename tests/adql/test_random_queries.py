# ruff: noqa: E501 - a table of texts reads best in long lines
"""Queries made at random from the grammar: what is translated, PostgreSQL understands."""

import random
from collections.abc import Callable
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vo_server.adql import ADQLError

WRONG_SQL = ("42", "0A")
"""SQLSTATE classes of SQL that is not understood; others depend on the data."""

REASONS = ("cannot compare", "cannot sort", "column of a subquery", "a constant cannot be")
"""Why a query that the grammar allows may be refused."""


class Writer:
    """Writes queries of a given depth; `source` decides."""

    def __init__(self, source: random.Random) -> None:
        self.source = source

    def choose(self, *texts: str) -> str:
        return self.source.choice(texts)

    def expand(self, depth: int, leaves: list[str], forms: list[str]) -> str:
        """A leaf, or a form with its letters replaced: N, T, P, G, C are the kinds of parts."""
        if depth <= 0 or self.source.random() < 0.2:
            return self.source.choice(leaves)
        parts = self.source.choice(forms).split("~")
        return "".join(self.part(p, depth - 1) if i % 2 else p for i, p in enumerate(parts))

    def part(self, kind: str, depth: int) -> str:
        return self.expand(depth, LEAVES[kind], FORMS[kind])

    def query(self) -> str:
        kind = self.choose("plain", "plain", "grouped", "union", "common")
        if kind == "union":
            kinds = [self.choose("N", "T") for _ in range(2)]
            operands = [f"SELECT {', '.join(self.part(k, 1) for k in kinds)} FROM sky.obs AS o" for _ in "ab"]
            return f"{operands[0]} {self.choose('UNION', 'UNION ALL', 'EXCEPT')} {operands[1]} ORDER BY 2"
        if kind == "grouped":
            key = self.part("T", 1)
            select = f"SELECT {self.part('A', 1)}, {key}, {self.part('A', 1)} AS a {self.source_tables()}"
            return f"{select} GROUP BY {key} HAVING {self.part('A', 1)} IS NOT NULL ORDER BY 1"
        distinct = self.choose("", "DISTINCT ", "TOP 3 ")
        items = ", ".join(self.part(self.choose("N", "T", "G"), 2) for _ in range(3))
        select = f"SELECT {distinct}{items} {self.source_tables()} WHERE {self.part('C', 2)}"
        return f"WITH w AS ({select}) SELECT * FROM w" if kind == "common" else select

    def source_tables(self) -> str:
        return "FROM " + self.choose(
            "sky.obs AS o",
            "sky.obs AS o NATURAL JOIN sky.hea",
            "sky.obs AS o FULL JOIN hea AS h USING (obs_id)",
            "(SELECT * FROM sky.obs) AS o",
            f"(SELECT o.* FROM sky.obs AS o WHERE {self.part('C', 1)}) AS o",
        )


LEAVES = {
    "N": "s_ra o.s_dec t_min calib_level n_events n_bytes em_min 1 2.5 -1e3 2147483648 NULL".split(),
    "T": "obs_id target s_region access_url o.target 'a' 'it''s' NULL ''".split(),
    "P": ["POINT(s_ra, s_dec)", "POINT('ICRS', 10, -20)", "ivo_healpix_center(1, 3)"],
    "G": [
        "s_region",
        "CIRCLE(s_ra, s_dec, 1)",
        "CIRCLE(1, 2, 120)",
        "POLYGON(1, 2, 3, 2, 3, 5)",
        "POINT(s_ra, 1)",
    ],
    "C": [
        "s_ra < 1",
        "target = 'a'",
        "released >= '2020-01-01'",
        "obs_id IN ('a', target)",
        "s_region IS NULL",
    ],
    "A": ["COUNT(*)", "MIN(released)", "COUNT(DISTINCT s_region)", "SUM(n_bytes)"],
}
FORMS = {
    "N": [
        "(~N~ + ~N~)", "~N~ - ~N~ * ~N~", "-(~N~)", "ABS(~N~)", "ROUND(~N~, 1)", "MOD(~N~, 7)", "EXP(RADIANS(~N~))",
        "CAST(~N~ AS REAL)", "CAST(~N~ AS BIGINT)", "CAST(~T~ AS INTEGER)", "COALESCE(~N~, ~N~)", "AREA(~G~)",
        "DISTANCE(~P~, ~P~)", "CONTAINS(~G~, ~G~)", "INTERSECTS(~G~, ~G~)", "COORD1(~P~)", "RAND(~N~)",
        "ivo_hashlist_has(~T~, ~T~)", "ivo_interval_overlaps(~N~, ~N~, 1, 2)", "ivo_to_mjd(released)",
        "ivo_healpix_index(3, ~P~)",
    ],
    "T": [
        "LOWER(~T~)", "(~T~ || ~T~)", "CAST(~N~ AS VARCHAR)", "CAST(~T~ AS CHAR(5))", "COALESCE(~T~, 'z')",
        "CAST(released AS VARCHAR)", "COORDSYS(~G~)",
    ],
    "P": ["POINT(~N~, 10)", "CENTROID(~G~)"],
    "G": ["~P~", "CIRCLE(~P~, 2.5)", "BOX(~N~, 10, 1, calib_level + 1)", "BOX(1, 2, 3, 4)", "REGION('Position 1 2')"],
    "C": [
        "(~C~ AND ~C~)", "(~C~ OR ~C~)", "NOT (~C~)", "~N~ <= ~N~", "~T~ <> ~T~", "~N~ NOT BETWEEN ~N~ AND ~N~",
        "~T~ IN (~T~, ~T~)", "~T~ NOT LIKE ~T~", "~G~ IS NOT NULL", "CONTAINS(~G~, ~G~) = 1", "0 = CONTAINS(~G~, ~G~)",
        "INTERSECTS(~G~, ~G~) <> 0", "DISTANCE(~P~, ~P~) < 3", "DISTANCE(~P~, ~P~) > 120", "DISTANCE(~P~, ~P~) <= n_events",
        "EXISTS (SELECT * FROM sky.hea AS k WHERE k.obs_id = o.obs_id)", "ivo_nocasematch(~T~, 'a%') = 1",
    ],
    "A": ["AVG(~N~)", "MAX(~N~)", "SUM(~N~) + 1", "MIN(~T~)", "ivo_string_agg(~T~, ',')"],
}  # fmt: skip


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(source=st.randoms(use_true_random=False))
def test_random_queries(source: random.Random, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """`rows` checks names and types of the columns, too."""
    text = Writer(source).query()
    refused = ""
    try:
        rows(text)
    except ADQLError as error:
        refused = error.message
    except psycopg.Error as error:
        assert not (error.sqlstate or "").startswith(WRONG_SQL), f"{error}\n{text}"  # noqa: PT017 - others may come
    assert not refused or any(reason in refused for reason in REASONS), f"{refused}\n{text}"
