# ruff: noqa: E501 - a query a line
"""An independent translator, queryparser, as second opinion: both SQLs bring the same rows."""

import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from queryparser.adql import ADQLQueryTranslator

from schema.model import Catalogue
from vo_server.adql import translate

Rows = list[tuple[Any, ...]]

# Its BOX is an interval in longitude and latitude, ADQL's is bounded by great circles; its stars and
# NATURAL JOINs are PostgreSQL's own, which see hidden columns: left out.
QUERIES = """
SELECT obs_id, s_ra FROM sky.obs WHERE s_ra > 100 AND s_dec < 0 OR n_events = 3
SELECT TOP 5 obs_id FROM sky.obs ORDER BY n_events DESC
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.63, 22.01, 30))
SELECT obs_id FROM sky.obs WHERE 0 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.63, 22.01, 30))
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), POLYGON('ICRS', 9, 0, 60, 0, 60, 40, 9, 30))
SELECT obs_id, DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 1, 2)) FROM sky.obs WHERE s_ra IS NOT NULL
SELECT calib_level, COUNT(*), AVG(t_min) FROM sky.obs GROUP BY calib_level HAVING COUNT(*) > 100
SELECT a.obs_id, b.energy_min FROM sky.obs AS a JOIN sky.hea AS b ON a.obs_id = b.obs_id WHERE b.energy_min BETWEEN 0.5 AND 9
SELECT a.obs_id, b.energy_min FROM sky.obs AS a LEFT JOIN sky.hea AS b ON a.obs_id = b.obs_id
SELECT obs_id FROM sky.obs WHERE target LIKE 'Source_1%' AND target NOT IN ('Source_2', 'x')
SELECT DISTINCT target FROM sky.obs WHERE obs_id IN (SELECT obs_id FROM sky.hea)
SELECT q.t, q.n FROM (SELECT target AS t, COUNT(*) AS n FROM sky.obs GROUP BY target) AS q WHERE q.n > 43
SELECT ABS(s_dec), FLOOR(s_ra), CEILING(s_ra), SQRT(n_events), POWER(n_events, 2), SIN(RADIANS(s_dec)) FROM sky.obs
SELECT obs_id FROM sky.obs UNION SELECT obs_id FROM sky.hea
SELECT obs_id FROM sky.obs WHERE s_ra BETWEEN 10 AND 20
SELECT obs_id FROM sky.obs WHERE s_ra NOT BETWEEN 10 AND 350.5
SELECT obs_id FROM sky.obs WHERE NOT (s_ra > 10 AND s_dec < 0)
SELECT obs_id FROM sky.obs WHERE NOT s_ra > 10 OR s_dec < 0 AND n_events > 100
SELECT obs_id FROM sky.obs WHERE n_events <> 3
SELECT obs_id FROM sky.obs WHERE n_events != 3 AND n_events >= 2 AND n_events <= 7
SELECT obs_id FROM sky.obs WHERE target IS NULL
SELECT obs_id FROM sky.obs WHERE target IS NOT NULL AND em_min IS NOT NULL
SELECT obs_id FROM sky.obs WHERE target NOT LIKE 'Source_1%'
SELECT obs_id FROM sky.obs WHERE target LIKE '%3'
SELECT obs_id FROM sky.obs WHERE obs_id LIKE '1__7'
SELECT obs_id FROM sky.obs WHERE n_events IN (1, 2, 3) OR n_events NOT IN (4, 5)
SELECT obs_id FROM sky.obs WHERE obs_id NOT IN (SELECT obs_id FROM sky.hea)
SELECT obs_id FROM sky.obs WHERE EXISTS (SELECT obs_id FROM sky.hea WHERE energy_min > 1)
SELECT a.obs_id FROM sky.obs AS a WHERE EXISTS (SELECT b.obs_id FROM sky.hea AS b WHERE b.obs_id = a.obs_id)
SELECT a.obs_id FROM sky.obs AS a WHERE NOT EXISTS (SELECT b.obs_id FROM sky.hea AS b WHERE b.obs_id = a.obs_id)
SELECT * FROM other.obs
SELECT obs_id FROM sky.obs ORDER BY 1
SELECT obs_id AS "Weird Name", s_ra AS "x y" FROM sky.obs
SELECT "Mixed", "size" FROM sky.obs WHERE "Mixed" > 5
SELECT TOP 3 obs_id FROM sky.obs ORDER BY s_ra, obs_id
SELECT DISTINCT calib_level FROM sky.obs ORDER BY calib_level DESC
SELECT DISTINCT target, calib_level FROM sky.obs
SELECT ALL target FROM sky.obs
SELECT COUNT(DISTINCT target), COUNT(target), COUNT(*) FROM sky.obs
SELECT SUM(n_events), MIN(s_ra), MAX(s_dec), AVG(n_events) FROM sky.obs WHERE n_events < 100
SELECT SUM(n_events * 2), AVG(s_ra + s_dec) FROM sky.obs
SELECT SUM(n_bytes), MIN(target), MAX(obs_id) FROM sky.obs
SELECT target, MAX(s_ra) AS m FROM sky.obs GROUP BY target ORDER BY m DESC
SELECT target, calib_level, COUNT(*) AS n FROM sky.obs GROUP BY target, calib_level HAVING COUNT(*) > 14
SELECT calib_level, MAX(n_events) - MIN(n_events) AS spread FROM sky.obs GROUP BY calib_level
SELECT -s_ra + 3 * s_dec - (s_ra / 2.5) FROM sky.obs
SELECT n_events / 7, n_events * 7 - 2, n_events / 7.0 FROM sky.obs
SELECT (n_events + 1) * (n_events - 1) / 3 FROM sky.obs
SELECT 2 - 3 - 4 + n_events, 2 * 3 / 4 * n_events, 100 / 10 / 3 FROM sky.obs
SELECT MOD(n_events, 7), MOD(n_events, 2) + 1 FROM sky.obs
SELECT ROUND(n_events / 3.0, 2), TRUNCATE(n_events / 3.0, 1), TRUNCATE(s_dec) FROM sky.obs
SELECT ATAN2(s_dec, s_ra), PI(), LOG(s_ra + 1), LOG10(s_ra + 1), EXP(s_dec / 100.0) FROM sky.obs
SELECT DEGREES(s_dec / 90), RADIANS(s_ra), TAN(s_dec / 100.0), COT(s_ra + 0.5) FROM sky.obs
SELECT ASIN(s_dec / 90.0), ACOS(s_dec / 90.0), ATAN(s_ra), COS(s_ra), SIN(s_ra) FROM sky.obs
SELECT FLOOR(-s_ra), CEILING(-s_ra), ABS(-s_ra), POWER(s_ra, 0.5), SQRT(ABS(s_dec)) FROM sky.obs
SELECT target || 'x' AS t FROM sky.obs
SELECT target || '-' || obs_id AS t FROM sky.obs WHERE 'Source_1' || '' = target
SELECT AREA(CIRCLE('ICRS', s_ra, s_dec, 3)) FROM sky.obs
SELECT obs_id, energy_min FROM sky.obs JOIN sky.hea USING (obs_id)
SELECT a.obs_id, b.energy_min FROM sky.obs AS a INNER JOIN sky.hea AS b ON a.obs_id = b.obs_id AND b.energy_min > 1
SELECT a.obs_id, b.obs_id FROM sky.obs AS a RIGHT JOIN sky.hea AS b ON a.obs_id = b.obs_id
SELECT a.obs_id, b.obs_id FROM sky.obs AS a FULL OUTER JOIN sky.hea AS b ON a.obs_id = b.obs_id
SELECT a.obs_id, b.obs_id FROM sky.obs AS a, sky.hea AS b WHERE a.obs_id = b.obs_id
SELECT a.obs_id, c.t_min FROM sky.obs AS a JOIN sky.hea AS b ON a.obs_id = b.obs_id LEFT JOIN other.obs AS c ON c.obs_id = a.obs_id
SELECT a.obs_id, b.obs_id FROM sky.hea AS a JOIN sky.hea AS b ON a.energy_min < b.energy_min
SELECT q.t, q.n FROM (SELECT target AS t, COUNT(*) AS n FROM sky.obs GROUP BY target) AS q JOIN sky.hea AS h ON h.energy_min > q.n
SELECT q.x FROM (SELECT p.s_ra + 1 AS x FROM (SELECT s_ra FROM sky.obs WHERE s_dec > 0) AS p) AS q WHERE q.x < 100
SELECT obs_id FROM sky.obs WHERE s_ra < 10 UNION ALL SELECT obs_id FROM sky.obs WHERE s_ra < 20
SELECT obs_id FROM sky.obs UNION SELECT obs_id FROM sky.hea UNION SELECT obs_id FROM other.obs
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 0, 0, 10))
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 10, 90, 25))
SELECT obs_id FROM sky.obs WHERE 1 = INTERSECTS(CIRCLE('ICRS', s_ra, s_dec, 1), CIRCLE('ICRS', 10, 20, 30))
SELECT obs_id FROM sky.obs WHERE 1 = INTERSECTS(CIRCLE('ICRS', s_ra, s_dec, 4), POLYGON('ICRS', 350, -20, 20, -20, 20, 20, 350, 20))
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(CIRCLE('ICRS', s_ra, s_dec, 1), CIRCLE('ICRS', 10, 20, 30))
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT('ICRS', 83, 20), CIRCLE('ICRS', s_ra, s_dec, 25))
SELECT obs_id FROM sky.obs WHERE DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 1, 2)) < 20
SELECT obs_id FROM sky.obs WHERE DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 1, 2)) > 160
SELECT a.obs_id, b.obs_id FROM sky.obs AS a, sky.obs AS b WHERE DISTANCE(POINT('ICRS', a.s_ra, a.s_dec), POINT('ICRS', b.s_ra, b.s_dec)) < 1
SELECT a.obs_id, u.r FROM sky.obs AS a JOIN tap_upload.t1 AS u ON 1 = CONTAINS(POINT('ICRS', a.s_ra, a.s_dec), CIRCLE('ICRS', u.ra, u.dec, u.r))
SELECT obs_id FROM sky.obs WHERE released < '2015-06-01' OR released >= '2028-01-01 00:00:00'
SELECT obs_id, s_ra FROM sky.obs WHERE (s_ra + s_dec) * 2 > (100 - s_dec) AND target = 'Source_3'
""".strip().splitlines()


HELPERS = """
CREATE FUNCTION public.square_degrees(area float8) RETURNS float8
    LANGUAGE sql AS 'SELECT area * (180 / pi()) ^ 2';
CREATE FUNCTION public.spoint_dwithin(a spoint, b spoint, radius float8) RETURNS boolean
    LANGUAGE sql AS 'SELECT (a <-> b) <= radius'
"""
"""Functions that its SQL calls: pgSphere has the second since 1.3, the first is by whoever runs it."""


@pytest.fixture(scope="module")
def both(connection: psycopg.Connection, catalogue: Catalogue) -> Callable[[str], tuple[Rows, Rows]]:
    """The rows that each of the two SQLs brings."""
    for helper in HELPERS.split(";"):
        connection.execute(helper.encode())

    def run(text: str) -> tuple[Rows, Rows]:
        translation = translate(text, catalogue)
        ours = connection.execute(translation.sql, translation.parameters).fetchall()
        theirs = connection.execute(ADQLQueryTranslator(text).to_postgresql().encode()).fetchall()
        return ours, theirs

    return run


@pytest.mark.parametrize("text", QUERIES)
def test_both_bring_the_same_rows(text: str, both: Callable[[str], tuple[Rows, Rows]]) -> None:
    ours, theirs = both(text)
    assert ours
    assert _comparable(ours) == _comparable(theirs)


LEAVES = {
    "N": "o.s_ra o.s_dec o.t_min o.n_events o.calib_level 1 2.5 100 17.25".split(),
    "T": ["o.target", "o.obs_id", "'Source_1'", "'Source_2'"],
    "C": ["o.s_ra > 100", "o.target = 'Source_1'", "o.n_events < 50", "o.target IS NOT NULL"],
    "A": ["COUNT(*)", "COUNT(o.target)", "MIN(o.s_ra)", "SUM(o.n_events)"],
    "P": ["POINT('ICRS', o.s_ra, o.s_dec)", "POINT('ICRS', 10, 20)", "POINT('ICRS', 359, -1)"],
    "K": ["CIRCLE('ICRS', o.s_ra, o.s_dec, 5)", "CIRCLE('ICRS', 10, 20, 40)", "CIRCLE('ICRS', 0.5, 0, 15)"],
}
FORMS = {
    "N": ["(~N~ + ~N~)", "(~N~ - ~N~)", "~N~ * ~N~", "ABS(~N~)", "FLOOR(~N~)", "SQRT(ABS(~N~))", "SIN(~N~)", "(~N~ / 2.5)"],
    "T": ["~T~ || ~T~"],
    "C": [
        "(~C~ AND ~C~)", "(~C~ OR ~C~)", "NOT (~C~)", "~N~ < ~N~", "~N~ >= ~N~", "~N~ <> ~N~", "~T~ = ~T~",
        "~N~ BETWEEN ~N~ AND ~N~", "~N~ NOT BETWEEN ~N~ AND ~N~", "o.n_events IN (1, 2, 30, 31)", "~T~ NOT IN (~T~, 'Source_4')",
        "o.target LIKE '%_2'", "o.obs_id NOT LIKE '10_3%'", "o.target IS NULL", "1 = CONTAINS(~P~, ~K~)", "0 = CONTAINS(~P~, ~K~)",
        "1 = INTERSECTS(~K~, ~K~)", "DISTANCE(~P~, ~P~) < 30", "o.obs_id IN (SELECT h.obs_id FROM sky.hea AS h WHERE h.energy_min > 1)",
        "EXISTS (SELECT h.obs_id FROM sky.hea AS h WHERE h.obs_id = o.obs_id)",
    ],
    "A": ["AVG(~N~)", "MAX(~N~)", "SUM(~N~)", "COUNT(DISTINCT o.target)"],
    "P": [], "K": [],
    "Q": [
        "SELECT o.obs_id, ~N~, ~T~ FROM sky.obs AS o WHERE ~C~",
        "SELECT DISTINCT ~T~, ~N~ FROM sky.obs AS o WHERE ~C~",
        "SELECT o.target, ~A~, ~A~ AS a FROM sky.obs AS o WHERE ~C~ GROUP BY o.target",
        "SELECT o.target, o.calib_level, ~A~ FROM sky.obs AS o GROUP BY o.target, o.calib_level HAVING COUNT(*) > 10",
        "SELECT o.obs_id, g.energy_min FROM sky.obs AS o JOIN sky.hea AS g ON o.obs_id = g.obs_id WHERE ~C~",
        "SELECT o.obs_id, g.energy_min FROM sky.obs AS o LEFT JOIN sky.hea AS g ON o.obs_id = g.obs_id WHERE ~C~",
        "SELECT q.a, q.b FROM (SELECT ~N~ AS a, ~T~ AS b FROM sky.obs AS o WHERE ~C~) AS q WHERE q.a > 3",
        "SELECT o.obs_id FROM sky.obs AS o WHERE ~C~ UNION SELECT o.obs_id FROM sky.obs AS o WHERE ~C~",
    ],
}  # fmt: skip


def written(kind: str, depth: int, draw: random.Random) -> str:
    """A text of a kind, its parts of the kinds that stand between tildes."""
    if not FORMS[kind] or depth <= 0:
        return draw.choice(LEAVES[kind])
    parts = draw.choice(FORMS[kind]).split("~")
    return "".join(written(p, depth - draw.randint(1, 2), draw) if i % 2 else p for i, p in enumerate(parts))


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_both_agree_on_queries_made_at_random(seed: int, both: Callable[[str], tuple[Rows, Rows]]) -> None:
    text = written("Q", 4, random.Random(seed))  # noqa: S311 - a draw, no secret
    ours, theirs = both(text)
    assert _comparable(ours) == _comparable(theirs), text


def _comparable(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """The rows in one order; numbers as floats, rounded."""
    return sorted(
        str([float(f"{float(v):.9g}") + 0.0 if isinstance(v, (int, float, Decimal)) else v for v in row])
        for row in rows
    )
