"""How PostgreSQL runs geometry over 20,000 rows: an index serves every spelling, all bring the same."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import astropy.units as u
import numpy as np
import psycopg
import pytest
from astropy.coordinates import SkyCoord

from schema import ddl
from schema.model import Catalogue, Column, HiddenColumn, Index, Schema, Table
from schema.types import DOUBLE, INTEGER, REGION, TMOC
from vo_server.adql import translate
from vo_server.roles import owner_url
from vo_server.settings import Settings

ROWS = 20_000
WIDE = 4_000
"""Of so many regions, one is of more than a hemisphere: those of the rows 2, 4002, ..."""

MANY = Table(
    "big",
    "many",
    (
        Column("id", INTEGER),
        Column("s_ra", DOUBLE),
        Column("s_dec", DOUBLE),
        Column("s_region", REGION, shapes=("region_circle", "region_polygon", "region_rest")),
        Column("t_intervals", TMOC, shapes=("intervals",)),
    ),
    hidden=(
        HiddenColumn("region_circle", "scircle"),
        HiddenColumn("region_polygon", "spoly"),
        HiddenColumn("region_rest", "scircle"),
        HiddenColumn("intervals", "int8multirange"),
    ),
    indexes=(
        Index("many_position", "spoint(radians(s_ra), radians(s_dec))", "gist", covers=("s_ra", "s_dec")),
        Index("many_circle", "region_circle", "gist", covers=("s_region",)),
        Index("many_polygon", "region_polygon", "gist", covers=("s_region",)),
        Index("many_rest", "region_rest", "gist", covers=("s_region",)),
        Index("many_intervals", "intervals", "gist", covers=("t_intervals",)),
    ),
)
FEW = Table("big", "few", (Column("ra", DOUBLE), Column("dec", DOUBLE), Column("r", DOUBLE)))
CATALOGUE = Catalogue((Schema("big", (MANY, FEW)),))

Answer = Callable[[str], tuple[list[Any], str]]


@pytest.fixture(scope="module")
def sky() -> SkyCoord:
    """Where the rows are, by id."""
    draw = random.Random(7)  # noqa: S311 - positions, not secrets
    lon = [draw.uniform(0, 360) for _ in range(ROWS)]
    lat = [np.degrees(np.arcsin(draw.uniform(-1, 1))) for _ in range(ROWS)]
    return SkyCoord(lon, lat, unit="deg")


@pytest.fixture(scope="module")
def answer(module_settings: Settings, sky: SkyCoord) -> Iterator[Answer]:
    """The first column of a query's rows, sorted, and its plan."""
    with psycopg.connect(
        owner_url(module_settings), autocommit=True, cursor_factory=psycopg.RawCursor
    ) as connection:
        connection.execute("CREATE SCHEMA big")
        for statement in (s for table in (MANY, FEW) for s in ddl.create_table(table)):
            connection.execute(statement.encode())
        with connection.cursor().copy("COPY big.many (id, s_ra, s_dec, s_region) FROM STDIN") as copy:
            for i, (ra, dec) in enumerate(zip(sky.ra.deg.tolist(), sky.dec.deg.tolist(), strict=True)):
                region = f"Circle ICRS {ra!r} {dec!r} 0.5"
                if i % WIDE == 2:
                    region = f"Circle ICRS {ra!r} {dec!r} {91 + 85 * i / ROWS}"
                elif i % 2:
                    low = min(89.0, max(-89.0, dec))
                    region = f"Polygon ICRS {ra!r} {low!r} {(ra + 1) % 360!r} {low!r} {ra!r} {low + 0.5!r}"
                copy.write_row((i, ra, dec, region))
        connection.execute(
            "UPDATE big.many SET region_circle = vo.stcs_circle(s_region),"
            " region_polygon = vo.stcs_polygon(s_region), region_rest = vo.stcs_rest(s_region),"
            " intervals = int8multirange(int8range(id::bigint << 30, (id + 3)::bigint << 30))"
        )
        connection.execute("INSERT INTO big.few VALUES (83.63, 22.01, 2), (0.1, 0, 2)")
        connection.execute("VACUUM ANALYZE big.many")
        connection.execute("ANALYZE big.few")

        def run(text: str) -> tuple[list[Any], str]:
            translation = translate(text, CATALOGUE)
            found = connection.execute(translation.sql, translation.parameters).fetchall()
            plan = connection.execute("EXPLAIN " + translation.sql, translation.parameters).fetchall()
            return sorted(row[0] for row in found), "\n".join(line for (line,) in plan)

        yield run


CONES = [
    "CONTAINS(POINT(s_ra, s_dec), CIRCLE({lon}, {lat}, 2)) = 1",
    "1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE({lon}, {lat}, 2))",
    "1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', {lon}, {lat}, 2))",
    "CONTAINS(POINT(s_ra, s_dec), CIRCLE(POINT({lon}, {lat}), 2)) <> 0",
    "INTERSECTS(POINT(s_ra, s_dec), CIRCLE({lon}, {lat}, 2)) = 1",
    "1 = INTERSECTS(CIRCLE({lon}, {lat}, 2), POINT(s_ra, s_dec))",
    "1 = CONTAINS(POINT(s_ra, s_dec), REGION('Circle ICRS {lon} {lat} 2'))",
    "DISTANCE(POINT(s_ra, s_dec), POINT({lon}, {lat})) < 2",
    "2 > DISTANCE(POINT({lon}, {lat}), POINT(s_ra, s_dec))",
    "DISTANCE(s_ra, s_dec, {lon}, {lat}) <= 2",
    "2 >= DISTANCE({lon}, {lat}, s_ra, s_dec)",
    "id >= 0 AND (CONTAINS(POINT(s_ra, s_dec), CIRCLE({lon}, {lat}, 2)) = 1)",
    "(DISTANCE(s_ra, s_dec, {lon}, {lat}) < 2) AND id >= 0",
]


@pytest.mark.parametrize(("lon", "lat"), [(83.63, 22.01), (0.1, 0.0), (200.0, -90.0)])
@pytest.mark.parametrize("cone", CONES)
def test_every_spelling_of_a_cone(answer: Answer, sky: SkyCoord, cone: str, lon: float, lat: float) -> None:
    near = sky.separation(SkyCoord(lon, lat, unit="deg")) < 2 * u.deg
    expected = np.flatnonzero(near).tolist()
    condition = cone.format(lon=lon, lat=lat)
    for query in (
        f"SELECT id FROM big.many WHERE {condition}",
        f"SELECT id FROM (SELECT * FROM big.many) AS q WHERE {condition}",
        f"WITH q AS (SELECT id, s_ra, s_dec FROM big.many) SELECT id FROM q WHERE {condition}",
        f"SELECT id FROM big.many AS m JOIN big.few AS f ON {condition} AND f.r = 2 AND f.ra > 1",
    ):
        found, plan = answer(query)
        assert found == expected
        assert "many_position" in plan, plan


@pytest.mark.parametrize(
    "condition",
    [
        "DISTANCE(f.ra, f.dec, m.s_ra, m.s_dec) < 2",
        "2 > DISTANCE(POINT(m.s_ra, m.s_dec), POINT(f.ra, f.dec))",
        "1 = CONTAINS(POINT(m.s_ra, m.s_dec), CIRCLE(f.ra, f.dec, 2))",
        "1 = CONTAINS(POINT(m.s_ra, m.s_dec), CIRCLE(f.ra, f.dec, f.r))",
        "CONTAINS(POINT(f.ra, f.dec), CIRCLE(m.s_ra, m.s_dec, f.r)) = 1",
        "INTERSECTS(CIRCLE(f.ra, f.dec, f.r), POINT(m.s_ra, m.s_dec)) = 1",
    ],
)
def test_crossmatches(answer: Answer, sky: SkyCoord, condition: str) -> None:
    centers = SkyCoord([83.63, 0.1], [22.01, 0.0], unit="deg")
    expected = sorted(i for c in centers for i in np.flatnonzero(sky.separation(c) < 2 * u.deg).tolist())
    for query in (
        f"SELECT id FROM big.few AS f JOIN big.many AS m ON {condition}",
        f"SELECT id FROM big.many AS m, big.few AS f WHERE {condition}",
        f"SELECT id FROM big.few AS f JOIN (SELECT id, s_ra, s_dec FROM big.many) AS m ON {condition}",
    ):
        found, plan = answer(query)
        assert found == expected
        assert "many_position" in plan, plan


@pytest.mark.parametrize(
    "condition",
    [
        "CONTAINS(POINT(83.63, 22.01), s_region) = 1",
        "1 = INTERSECTS(s_region, POINT(83.63, 22.01))",
        "1 = CONTAINS(s_region, CIRCLE(83.63, 22.01, 2))",
        "1 = INTERSECTS(s_region, CIRCLE(83.63, 22.01, 1))",
        "INTERSECTS(POLYGON(70, 10, 90, 10, 90, 30), s_region) = 1",
        "CONTAINS(s_region, BOX(83, 22, 4, 4)) = 1",
    ],
)
def test_regions(answer: Answer, condition: str) -> None:
    """The rows are those of the same condition in a form that no index serves."""
    found, plan = answer(f"SELECT id FROM big.many WHERE {condition}")
    assert "many_circle" in plan, plan
    assert "many_polygon" in plan, plan
    assert ("many_rest" in plan) == ("CONTAINS(s_region" not in condition), plan
    same, scanned = answer(f"SELECT id FROM big.many WHERE NOT (NOT ({condition}))")
    assert found == same
    assert found
    assert "many_circle" not in scanned


@pytest.mark.parametrize(
    ("condition", "indexes"),
    [
        ("INTERSECTS(m.s_region, o.s_region) = 1", "circle polygon rest"),
        ("1 = CONTAINS(o.s_region, m.s_region)", "circle polygon rest"),
        ("1 = CONTAINS(m.s_region, o.s_region)", "circle polygon rest"),
        ("1 = CONTAINS(POINT(m.s_ra, m.s_dec), o.s_region)", "position"),
        ("1 = CONTAINS(POINT(o.s_ra, o.s_dec), m.s_region)", "circle polygon rest"),
    ],
)
@pytest.mark.parametrize("one", [2, 5, 4000, 16002])
def test_regions_with_regions(answer: Answer, condition: str, indexes: str, one: int) -> None:
    """A wide region among few is no reason to compare all with all."""
    query = f"SELECT m.id FROM (SELECT * FROM big.many WHERE id = {one}) AS o JOIN big.many AS m ON {{}}"
    found, plan = answer(query.format(condition))
    for index in indexes.split():
        assert f"many_{index}" in plan, plan
    same, scanned = answer(query.format(f"NOT (NOT ({condition}))"))
    assert found == same
    assert one in found
    assert "many_" not in scanned


@pytest.mark.parametrize("more", [0, 120])
@pytest.mark.parametrize("test", ["INTERSECTS(m.s_region, {})", "CONTAINS({}, m.s_region)"])
def test_regions_with_circles_of_a_computed_radius(answer: Answer, test: str, more: int) -> None:
    """They may be wide, and an index serves them if they are not."""
    condition = test.format(f"CIRCLE(f.ra, f.dec, f.r + {more})") + " = 1"
    query = "SELECT m.id FROM big.few AS f JOIN big.many AS m ON {}"
    found, plan = answer(query.format(condition))
    for index in ("circle", "polygon", "rest"):
        assert f"many_{index}" in plan, plan
    same, scanned = answer(query.format(f"NOT (NOT ({condition}))"))
    assert found == same
    assert found or test.startswith("CONTAINS")
    assert (len(found) > 1000) == (more > 0 and test.startswith("INTERSECTS"))
    assert "many_" not in scanned


def test_a_compact_moc(answer: Answer, sky: SkyCoord) -> None:
    for moc in ("MOC('6/8130-8139')", "REGION('6/8130-8139')"):
        found, plan = answer(f"SELECT id FROM big.many WHERE CONTAINS(POINT(s_ra, s_dec), {moc}) = 1")
        same, _ = answer(
            "SELECT id FROM big.many WHERE ivo_healpix_index(6, s_ra, s_dec) BETWEEN 8130 AND 8139"
        )
        assert found == same
        assert found
        assert "many_position" in plan, plan


@pytest.mark.parametrize("function", ["CONTAINS", "INTERSECTS"])
def test_regions_and_a_compact_moc(answer: Answer, function: str) -> None:
    """A MOC that is computed in the query brings the same rows, without a circle about it."""
    condition = f"1 = {function}(s_region, {{}})"
    found, plan = answer("SELECT id FROM big.many WHERE " + condition.format("MOC('3/508-510')"))
    same, scanned = answer(
        "SELECT id FROM big.many WHERE " + condition.format("gavo_mocunion(MOC('3/508-509'), MOC('3/510'))")
    )
    assert found == same
    assert found
    assert "many_circle" in plan, plan
    assert "many_polygon" in plan, plan
    assert "many_circle" not in scanned


def test_t_mocs(answer: Answer) -> None:
    found, plan = answer("SELECT id FROM big.many WHERE vo_tmoc_overlaps(t_intervals, '31/5000-5002') = 1")
    assert found == [4998, 4999, 5000, 5001, 5002]
    assert "many_intervals" in plan, plan
