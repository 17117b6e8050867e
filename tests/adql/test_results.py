"""What queries return: rows, limits, and what is said of the columns."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from schema.model import Catalogue
from schema.types import DOUBLE, REGION, VARCHAR
from vo_server.adql import FEATURES, ResultColumn, translate
from vo_server.adql.functions import FUNCTIONS
from vo_server.adql.geometry import GEOMETRY

Query = Callable[..., list[tuple[Any, ...]]]


def test_limit_and_top(rows: Query) -> None:
    assert len(rows("SELECT obs_id FROM sky.obs", 11)) == 11
    assert len(rows("SELECT TOP 5 obs_id FROM sky.obs", 11)) == 5
    assert len(rows("SELECT TOP 50 obs_id FROM sky.obs", 11)) == 11
    assert rows("SELECT TOP 0 obs_id FROM sky.obs") == []
    assert len(rows("SELECT obs_id FROM sky.obs UNION ALL SELECT obs_id FROM sky.obs", 400)) == 400
    assert len(rows("SELECT TOP 3 obs_id FROM sky.obs UNION ALL SELECT TOP 4 obs_id FROM sky.obs", 400)) == 7
    ordered = "SELECT n_events FROM sky.obs WHERE n_events >= 0 ORDER BY n_events DESC OFFSET 2"
    assert rows(ordered, 2) == [(304,), (303,)]
    assert rows(f"({ordered})", 2) == [(304,), (303,)]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("MOD(7.5, 2)", 1.5),
        ("MOD(-7, 3)", -1.0),
        ("MOD(59000.123456789, 1)", 0.123456789),
        ("ROUND(2.5)", 3.0),
        ("ROUND(-2.5)", -3.0),
        ("ROUND(1234.567, -2)", 1200.0),
        ("ROUND(59000.12345678901, 10)", 59000.123456789),
        ("TRUNCATE(-1.59, 1)", -1.5),
        ("TRUNCATE(1234.567, -2)", 1200.0),
        ("LOG10(1000)", 3.0),
        ("LOG(EXP(2))", 2.0),
        ("ATAN2(1, -1)", 2.356194490192345),
        ("DEGREES(PI())", 180.0),
        ("7 / 2", 3),
        ("7 / 2.", 3.5),
        ("-7 + 2 * 3", -1),
        ("2 - 3 - 4", -5),
        ("1e+2", 100.0),
        ("'it''s' || ' ' || UPPER('ok')", "it's OK"),
        ("1 || 'a' || 2.5 || -3", "1a2.5-3"),
        ("CAST('2020-02-29' AS TIMESTAMP) || 'Z'", "2020-02-29T00:00:00Z"),
        ("CAST('12' AS INTEGER)", 12),
        ("CAST(1.5 AS VARCHAR)", "1.5"),
        ("CAST('abcdef' AS CHAR(3))", "abc"),
        ("CAST('2020-02-29T12:30:00.5Z' AS VARCHAR)", "2020-02-29T12:30:00.5Z"),
        ("CAST(CAST('2020-02-29T12:30:00.5Z' AS TIMESTAMP) AS VARCHAR)", "2020-02-29T12:30:00.5"),
        ("COALESCE(NULL, 1, 2.5)", 1.0),
        ("ivo_to_mjd('1910-12-31T06:00:00')", 19036.25),
        ("ivo_to_jd('1910-12-31T06:00:00')", 2419036.75),
        ("ivo_healpix_index(0, 1, 1)", 4),
        ("ivo_healpix_index(17, POINT(1, 1))", 81609757711),
        ("ivo_healpix_center(0, 6)", [180.0, 0.0]),
        ("ivo_nocasematch('Crab Nebula', 'crab%')", 1),
        ("ivo_nocasematch('Crab Nebula', 'nebula')", 0),
        ("ivo_hasword('The Crab Nebula', 'nebula CRAB')", 1),
        ("ivo_hasword('The Crab Nebula', 'neb')", 0),
        ("ivo_hashlist_has('phot#Time', 'TIME')", 1),
        ("ivo_hashlist_has('phot#time', 'tim')", 0),
        ("ivo_hashlist_has('phot#time', 'phot#time')", 0),
        ("ivo_interval_overlaps(1, 2, 2, 3)", 1),
        ("ivo_interval_overlaps(1, 2, 2.1, 3)", 0),
        ("ivo_interval_overlaps(3, 1, 0, 9)", 0),
        ("COORD1(POINT(-10, 5))", -10.0),
        ("COORDSYS(POINT(1, 2))", "ICRS"),
        ("CONTAINS(POINT(1, 2), POINT(1, 2))", 1),
        ("CONTAINS(CIRCLE(1, 2, 3), POINT(1, 2))", 0),
        ("CONTAINS(CIRCLE(1, 2, 100), CIRCLE(2, 2, 120))", 1),
        ("CONTAINS(CIRCLE(1, 2, 120), CIRCLE(1, 2, 90))", 0),
        ("INTERSECTS(CIRCLE(1, 2, 100), CIRCLE(181, -2, 100))", 1),
        ("CAST('1 2 3' AS CIRCLE)", [1.0, 2.0, 3.0]),
    ],
)
def test_values(rows: Query, expression: str, value: object) -> None:
    ((found,),) = rows(f"SELECT TOP 1 {expression} AS v FROM sky.hea")
    if isinstance(value, float):
        assert found == pytest.approx(value, rel=1e-15)
    else:
        assert found == value


def test_like_takes_the_backslash_as_it_is(rows: Query) -> None:
    select = "SELECT COUNT(*) AS n FROM sky.obs WHERE target"
    assert rows(f"{select} LIKE 'Source_1'") == [(44,)]
    assert rows(f"{select} LIKE 'Source\\_1'") == [(0,)]
    assert rows(f"{select} ILIKE 'source%'") == [(307,)]
    assert rows(f"{select} NOT LIKE 'Source%'") == [(0,)]


def test_joins_find_each_other_by_published_columns_only(rows: Query) -> None:
    """The hidden columns of the same name hold different values."""
    assert rows("SELECT COUNT(*) AS n FROM sky.obs NATURAL JOIN sky.hea") == [(36,)]
    assert rows("SELECT COUNT(obs_id) AS n FROM sky.obs NATURAL FULL JOIN sky.hea") == [(309,)]
    orphan = "SELECT obs_id FROM sky.obs NATURAL RIGHT JOIN sky.hea WHERE s_ra IS NULL"
    assert rows(orphan) == [("orphan",)]
    assert rows("SELECT * FROM other.obs NATURAL LEFT JOIN sky.hea ORDER BY obs_id") == [
        ("1000", 1.0, 0.0),
        ("x", 2.0, None),
    ]


def test_set_operators(rows: Query) -> None:
    other, hea = "SELECT obs_id FROM other.obs", "SELECT obs_id FROM sky.hea"
    assert rows(f"{other} INTERSECT {hea}") == [("1000",)]
    assert rows(f"{other} EXCEPT {hea}") == [("x",)]
    assert rows(f"{other} UNION ALL {other} EXCEPT {hea}") == [("x",)]
    assert len(rows(f"{other} UNION {other} INTERSECT {hea}")) == 2
    assert rows(f"({other} UNION {other}) INTERSECT {hea}") == [("1000",)]


def test_metadata_passes_through_subqueries_joins_and_sets(catalogue: Catalogue) -> None:
    ra = ResultColumn("s_ra", DOUBLE, "Right ascension", "deg", "pos.eq.ra", None, "sky.obs.s_ra")
    for text in (
        "SELECT s_ra FROM sky.obs",
        "SELECT q.s_ra FROM (SELECT * FROM sky.obs) AS q",
        "WITH q AS (SELECT s_ra FROM sky.obs) SELECT * FROM q",
        "SELECT s_ra FROM sky.obs UNION SELECT s_ra FROM sky.obs",
        "SELECT s_ra FROM sky.obs NATURAL JOIN sky.hea",
    ):
        assert translate(text, catalogue).columns == (ra,)
    (name, region) = translate(
        "SELECT obs_id AS a, s_region FROM sky.hea NATURAL JOIN sky.obs", catalogue
    ).columns
    assert name == ResultColumn("a", VARCHAR, "Name of the observation, again", source="sky.hea.obs_id")
    assert region == ResultColumn("s_region", REGION, "Sky coverage", source="sky.obs.s_region")


def test_metadata_of_computed_columns(catalogue: Catalogue) -> None:
    text = (
        "SELECT AVG(t_min), MAX(s_ra), COUNT(*), SUM(n_bytes), DISTANCE(1, 2, 3, 4), AREA(s_region),"
        " s_ra + 1, COORD2(POINT(1, 2)) FROM sky.obs GROUP BY s_region, s_ra"
    )
    columns = translate(text, catalogue).columns
    assert [(c.unit, c.ucd, c.source) for c in columns] == [
        ("d", "time.start;stat.mean", None),
        ("deg", "pos.eq.ra;stat.max", None),
        (None, "meta.number", None),
        ("byte", None, None),
        ("deg", "pos.angDistance", None),
        ("deg**2", "phys.angArea", None),
        ("deg", None, None),
        ("deg", "pos.eq.dec", None),
    ]
    union = translate("SELECT s_ra FROM sky.obs UNION SELECT s_dec FROM sky.obs", catalogue).columns[0]
    assert (union.unit, union.source) == ("deg", None)


def test_tables_used(catalogue: Catalogue) -> None:
    inner = "SELECT b.obs_id FROM other.obs, sky.hea AS b"
    text = f"SELECT * FROM Sky.Obs AS a NATURAL JOIN hea WHERE obs_id IN ({inner})"
    assert translate(text, catalogue).tables == ("sky.obs", "sky.hea", "other.obs")


def test_long_names_reach_the_result(catalogue: Catalogue, connection: psycopg.Connection) -> None:
    """PostgreSQL cuts names at 63 bytes; result columns keep theirs."""
    long = "a" * 80
    inner = f"SELECT obs_id AS {long}x, energy_min AS {long}y FROM sky.hea WHERE obs_id = 'orphan'"
    translation = translate(f"SELECT {long}y, {long}x FROM ({inner}) AS {long}", catalogue)
    assert [c.name for c in translation.columns] == [long + "y", long + "x"]
    twice = f"SELECT obs_id AS {long}, 1 AS col1, 2 AS {long} FROM sky.hea"
    assert [c.name for c in translate(twice, catalogue).columns] == [long, "col1", long + "_2"]
    assert connection.execute(translate(twice, catalogue).sql).fetchone() is not None
    found = connection.execute(translation.sql, translation.parameters).fetchall()
    assert found == [(1.0, "orphan")]


def test_every_declared_feature_is_registered() -> None:
    prefix = "ivo://ivoa.net/std/TAPRegExt#features-"
    forms = {kind.removeprefix(prefix): [f.form for f in features] for kind, features in FEATURES.items()}
    assert forms["adqlgeo"] == list(GEOMETRY)
    assert "ivo_hashlist_has(hashlist VARCHAR, item VARCHAR) -> INTEGER" in forms["udf"]
    assert {form.partition("(")[0].upper() for form in forms["udf"]} <= set(FUNCTIONS)
    assert forms["adql-string"] == ["LOWER", "UPPER", "ILIKE"]
    assert forms["adql-sets"] == ["UNION", "EXCEPT", "INTERSECT"]
    assert forms["adql-offset"] == ["OFFSET"]
    assert all(f.description for features in FEATURES.values() for f in features)


def test_a_typical_query_takes_less_than_two_milliseconds(catalogue: Catalogue) -> None:
    text = (
        "SELECT o.obs_id, o.s_ra, o.s_dec, h.energy_min, DISTANCE(o.s_ra, o.s_dec, 83.63, 22.01) AS d"
        " FROM sky.obs AS o JOIN sky.hea AS h ON o.obs_id = h.obs_id"
        " WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.63, 22.01, 2)) AND t_min > 55000"
        " AND target LIKE 'Crab%' AND calib_level IN (1, 2) ORDER BY d"
    )
    fastest = float("inf")
    for _ in range(20):
        start = time.process_time()
        translate(text, catalogue)
        fastest = min(fastest, time.process_time() - start)
    assert fastest < 0.002
