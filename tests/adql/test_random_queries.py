# ruff: noqa: E501 - a table of texts reads best in long lines
"""Queries made at random from the grammar: what is translated, PostgreSQL understands."""

import contextlib
import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.model import Catalogue
from tests.adql.mutations import mutated
from tests.adql.test_cases import ACCEPTED
from vo_server.adql import ADQLError, translate

WRONG_SQL = ("42", "0A")
"""SQLSTATE classes of SQL that is not understood; others depend on the data."""

REASONS = (
    *("cannot compare", "cannot sort", "column of a subquery", "a constant cannot be"),
    *("is not in the select list", "the latitude", "the column o.obs_id is neither"),
)
"""Why a query that the grammar allows may be refused."""

NULLS = [
    "SELECT q.a FROM (SELECT NULL AS a FROM sky.obs) AS q WHERE q.a > 1",
    "SELECT CASE NULL WHEN n_events THEN 1 END FROM sky.obs",
    "SELECT COUNT(*) FROM sky.obs WHERE t_min IN (SELECT NULL FROM sky.hea)",
    "SELECT CASE WHEN s_ra > 1 THEN NULL END, COUNT(*) FROM sky.obs GROUP BY CASE WHEN s_ra > 1 THEN NULL END",
]

NOT_SUPPORTED = "0A000"
"""PostgreSQL has FULL JOIN only on conditions that it can hash or merge: known when it plans."""


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
        kind = self.choose("plain", "plain", "grouped", "union", "common", "form", "form")
        if kind == "form":
            return self.expand(3, ["SELECT * FROM sky.obs"], FORMS["Q"])
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
            "sky.hea AS h RIGHT OUTER JOIN sky.obs AS o USING (obs_id)",
            "sky.hea NATURAL LEFT JOIN sky.obs AS o",
            "sky.obs AS o, (SELECT MAX(energy_min) AS highest FROM sky.hea) AS m",
            "sky.obs AS o LEFT JOIN (sky.hea AS h JOIN tap_upload.t1 AS u ON u.r > h.energy_min) USING (obs_id)",
            "(SELECT * FROM sky.obs) AS o",
            "(SELECT DISTINCT * FROM sky.obs) AS o",
            "(SELECT TOP 9 * FROM sky.obs ORDER BY s_ra OFFSET 2) AS o",
            "(SELECT * FROM sky.obs EXCEPT SELECT * FROM sky.obs WHERE s_ra > 20) AS o",
            f"(SELECT o.* FROM sky.obs AS o WHERE {self.part('C', 1)}) AS o",
        )


LEAVES = {
    "N": "s_ra o.s_dec t_min calib_level n_events n_bytes em_min 1 2.5 -1e3 2147483648 NULL".split(),
    "T": "obs_id target s_region access_url o.target 'a' 'it''s' NULL ''".split(),
    "K": ["CIRCLE(s_ra, s_dec, 2)", "REGION('Circle ICRS 1 2 3')", "BOX(1, 2, 3, 4)"],
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
    "Q": ["SELECT * FROM sky.obs"],
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
        "EXISTS (SELECT * FROM sky.hea AS k WHERE k.obs_id = o.obs_id)", "~N~ IN (SELECT energy_min FROM sky.hea AS k WHERE k.obs_id = o.obs_id)",
        "~T~ NOT IN (SELECT obs_id FROM sky.hea UNION SELECT words FROM tap_upload.t1)", "~T~ ILIKE ~T~", "~N~ BETWEEN ~N~ AND ~N~",
        "NOT EXISTS (SELECT ~N~ FROM sky.hea AS k WHERE k.energy_min > ~N~ GROUP BY k.obs_id HAVING COUNT(*) > 1)",
        "CONTAINS(~P~, ~K~) <> 1", "INTERSECTS(s_region, ~K~) = 1", "DISTANCE(~P~, ~P~) BETWEEN 1 AND 2", "3 > DISTANCE(s_ra, s_dec, ~N~, 2)", "ivo_nocasematch(~T~, 'a%') = 1",
    ],
    "Q": [
        "SELECT ~N~ AS a, ~T~ AS b FROM sky.obs AS o WHERE ~C~ ORDER BY b, a DESC",
        "SELECT ~N~ AS a, ~N~ AS a FROM sky.obs AS o ORDER BY ~N~ OFFSET 2",
        "SELECT q.a, q.g FROM (SELECT COALESCE(~N~, 1) AS a, ~P~ AS g FROM sky.obs AS o) AS q WHERE q.a > 1 AND COORD1(q.g) > 2",
        "SELECT CENTROID(q.g), AREA(q.g) FROM (SELECT ~K~ AS g FROM sky.obs AS o) AS q WHERE CONTAINS(POINT(1, 2), q.g) = 1",
        "SELECT o.obs_id, (~N~) FROM sky.obs AS o JOIN tap_upload.t1 AS u ON ~C~ AND DISTANCE(u.pos, ~P~) < u.r",
        "SELECT COUNT(*) FROM sky.obs AS o JOIN sky.hea AS h USING (obs_id) HAVING ~A~ IS NOT NULL",
        "WITH a AS (SELECT o.*, ~N~ AS extra FROM sky.obs AS o), b AS (SELECT * FROM a WHERE s_ra < 9) SELECT TOP 2 b.extra, a.* FROM a JOIN b USING (obs_id)",
        "SELECT * FROM (SELECT ~N~ AS a FROM sky.obs AS o INTERSECT SELECT ~N~ FROM sky.obs AS o) AS q ORDER BY a DESC",
        "(SELECT ~T~ AS a FROM sky.obs AS o UNION SELECT ~T~ FROM sky.obs AS o) EXCEPT ALL SELECT ~T~ FROM sky.obs AS o ORDER BY 1 OFFSET 1",
        "SELECT DISTINCT ~N~ AS a, ~G~ FROM sky.obs AS o ORDER BY a",
        "SELECT MOD(n_events, 3), ~A~, ivo_string_agg(target, ~T~) FROM sky.obs AS o GROUP BY MOD(n_events, 3), target ORDER BY 2",
        "SELECT x.n FROM (SELECT ~A~ AS n, target FROM sky.obs AS o GROUP BY target) AS x ORDER BY n DESC, x.target",
    ],
    "K": ["CIRCLE(~N~, 10, 2)", "BOX(~N~, 10, 1, 2)", "POLYGON(1, 2, 3, 2, 3, ~N~)", "CIRCLE(~P~, 3)", "COALESCE(CIRCLE(~P~, 3), CIRCLE(1, 2, 3))"],
    "A": ["AVG(~N~)", "MAX(~N~)", "SUM(~N~) + 1", "MIN(~T~)", "ivo_string_agg(~T~, ',')"],
}  # fmt: skip


# Extensions of the grammar, and functions of the IVOA's catalogue.
FORMS["N"] += [
    "CASE WHEN ~C~ THEN ~N~ ELSE ~N~ END",
    "CASE n_events WHEN ~N~ THEN ~N~ WHEN 2 THEN NULL END",
    "NULLIF(~N~, ~N~)",
    "GREATEST(~N~, 1, ~N~)",
    "LEAST(~N~, ~N~)",
    "(SELECT MAX(k.energy_min) FROM sky.hea AS k WHERE k.obs_id = o.obs_id)",
    "(SELECT TOP 1 k.energy_min FROM sky.hea AS k ORDER BY k.obs_id)",
    "IN_UNIT(s_ra, 'rad')",
    "COORD2(ivo_geom_transform('GALACTIC', 'ICRS', ~P~))",
    "ivo_hms_to_degrees(~T~)",
    "ivo_dms_to_degrees('1:2:3')",
    "COORD1(ivo_epoch_prop_pos(~N~, 10, 1, 2, 3, 4, 2000, 2010))",
]
FORMS["T"] += [
    "CASE WHEN ~C~ THEN ~T~ ELSE 'e' END",
    "CASE target WHEN 'a' THEN ~T~ ELSE 'e' END",
    "NULLIF('z', ~T~)",
    "GREATEST(~T~, 'z')",
]
FORMS["C"] += ["~T~ LIKE ~T~ ESCAPE '!'", "CASE WHEN ~C~ THEN 1 ELSE 0 END = 1", "~T~ NOT ILIKE 'a!%' ESCAPE '!'"]  # fmt: skip


@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_random_queries(seed: int, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """`rows` checks names and types of the columns, too."""
    text = Writer(random.Random(seed)).query()  # noqa: S311 - a draw, no secret
    refused = ""
    try:
        rows(text)
    except ADQLError as error:
        refused = error.message
    except psycopg.Error as error:
        assert not (error.sqlstate or "").startswith(WRONG_SQL), f"{error}\n{text}"  # noqa: PT017 - others may come
    assert not refused or any(reason in refused for reason in REASONS), f"{refused}\n{text}"


@pytest.mark.parametrize("text", NULLS)
def test_nulls_are_of_any_type(text: str, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    rows(text)


@settings(deadline=None, max_examples=600, suppress_health_check=list(HealthCheck))
@given(text=st.sampled_from([adql for _, (adql, _) in ACCEPTED]), seed=st.integers(0, 2**32))
def test_mutated_queries(text: str, seed: int, catalogue: Catalogue, connection: psycopg.Connection) -> None:
    """What is left of a query after changes at random is refused, or PostgreSQL understands it."""
    changed = mutated(text, random.Random(seed))  # noqa: S311 - a draw, no secret
    with contextlib.suppress(ADQLError):
        translation = translate(changed, catalogue, limit=5)
        try:
            connection.execute("EXPLAIN " + translation.sql, translation.parameters)
        except psycopg.Error as error:
            state = error.sqlstate or ""
            assert not state.startswith(WRONG_SQL) or state == NOT_SUPPORTED, f"{error}\n{changed}"  # noqa: PT017 - others may come


TESTS = ["CONTAINS(~P~, ~K~)", "CONTAINS(~G~, ~K~)", "CONTAINS(s_region, ~K~)", "INTERSECTS(s_region, ~K~)", "INTERSECTS(~K~, ~K~)", "CONTAINS(~K~, s_region)", "CONTAINS(POINT(1, 2), s_region)", "INTERSECTS(~K~, CIRCLE(~P~, 130))"]  # fmt: skip


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_conditions_and_values_agree(seed: int, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """A geometry condition as an index serves it, under NOT, and as the number that it is."""
    draw = random.Random(seed)  # noqa: S311 - a draw, no secret
    writer = Writer(draw)
    if draw.random() < 0.6:
        value, limit, operator, opposite = writer.expand(2, TESTS, TESTS), "1", "=", "<>"
    else:
        value = f"DISTANCE({writer.part('P', 1)}, {writer.part('P', 1)})"
        limit = writer.choose("0", "0.5", "3", "90", "120.5", "n_events")
        operator, opposite = draw.choice([("<", ">="), ("<=", ">"), (">", "<="), (">=", "<")])
    with contextlib.suppress(ADQLError, psycopg.DataError, psycopg.InternalError):
        found = {
            condition: sorted(rows(f"SELECT obs_id FROM sky.obs AS o WHERE {condition}"))
            for condition in (
                f"{value} {operator} {limit}",
                f"{value} + 0 {operator} {limit}",
                f"NOT (NOT ({value} {operator} {limit}))",
                f"NOT ({value} {opposite} {limit})",
                f"(0 = 1 OR {value} {operator} {limit})",
            )
        }
        assert len({str(brought) for brought in found.values()}) == 1, {k: len(v) for k, v in found.items()}
        others = rows(f"SELECT obs_id FROM sky.obs AS o WHERE {value} + 0 {opposite} {limit}")
        assert sorted(rows(f"SELECT obs_id FROM sky.obs AS o WHERE {value} {opposite} {limit}")) == sorted(
            others
        )
