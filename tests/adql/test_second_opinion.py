# ruff: noqa: E501 - a query a line
"""An independent translator, queryparser, as second opinion: both SQLs bring the same rows."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from queryparser.adql import ADQLQueryTranslator

from schema.model import Catalogue
from vo_server.adql import translate

# Its BOX is an interval in longitude and latitude, ADQL's is bounded by great circles: left out.
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
""".strip().splitlines()


@pytest.mark.parametrize("text", QUERIES)
def test_both_bring_the_same_rows(text: str, catalogue: Catalogue, connection: psycopg.Connection) -> None:
    translation = translate(text, catalogue)
    ours = connection.execute(translation.sql, translation.parameters).fetchall()
    theirs = connection.execute(ADQLQueryTranslator(text).to_postgresql()).fetchall()
    assert ours
    assert _comparable(ours) == _comparable(theirs)


def _comparable(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """The rows in one order; numbers as floats, rounded."""
    return sorted(
        str([round(float(v), 9) if isinstance(v, (int, float, Decimal)) else v for v in row]) for row in rows
    )
