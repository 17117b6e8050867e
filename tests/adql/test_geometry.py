"""Geometry against astropy: wraps, poles, wide circles, unknown positions, and the use of indexes."""

import random
from collections.abc import Callable
from typing import Any

import astropy.units as u
import numpy as np
import psycopg
import pytest
from astropy.coordinates import SkyCoord

from schema.model import Catalogue
from vo_server.adql import ADQLError, translate
from vo_server.adql.stcs import polygon_fault

Query = Callable[..., list[tuple[Any, ...]]]

CENTERS = [
    (0.0, 0.0),
    (359.95, 0.0),
    (12.0, 90.0),
    (200.0, -89.9),
    (83.63, 22.01),
    (180.0, 0.0),
    (271.3, -45.0),
]
RADII = [0.0, 0.2, 1.5, 30.0, 89.9, 90.0, 90.1, 120.0, 179.9, 180.0]


@pytest.fixture(scope="module")
def positions(rows: Query) -> tuple[np.ndarray, SkyCoord]:
    """The names and positions of all observations that have one."""
    found = rows("SELECT obs_id, s_ra, s_dec FROM sky.obs WHERE s_ra IS NOT NULL ORDER BY obs_id")
    names, ra, dec = zip(*found, strict=True)
    return np.array(names), SkyCoord(np.array(ra), np.array(dec), unit="deg")


def names(found: list[tuple[Any, ...]]) -> list[str]:
    return sorted(row[0] for row in found)


@pytest.mark.parametrize("center", CENTERS)
def test_every_spelling_of_a_cone_gives_the_rows_of_astropy(
    rows: Query, positions: tuple[np.ndarray, SkyCoord], center: tuple[float, float]
) -> None:
    known, sky = positions
    separation = sky.separation(SkyCoord(*center, unit="deg")).deg
    point, lon, lat = "POINT(s_ra, s_dec)", *center
    for radius in RADII:
        expected = sorted(known[separation <= radius + 1e-9])
        outside = sorted(known[separation > radius + 1e-9])
        circle = f"CIRCLE({lon}, {lat}, {radius})"
        select = "SELECT obs_id FROM sky.obs WHERE "
        for condition in (
            f"CONTAINS({point}, {circle}) = 1",
            f"1 = CONTAINS({point}, CIRCLE(POINT({lon}, {lat}), {radius}))",
            f"CONTAINS({point}, {circle}) <> 0",
            f"CONTAINS({point}, {circle}) > 0",
            f"INTERSECTS({circle}, {point}) = 1",
            f"NOT CONTAINS({point}, {circle}) = 0",
            f"NOT (CONTAINS({point}, {circle}) <> 1 OR s_ra < -1)",
            f"DISTANCE({point}, POINT({lon}, {lat})) <= {radius}",
            f"{radius} >= DISTANCE({lon}, {lat}, s_ra, s_dec)",
            f"NOT DISTANCE({lon}, {lat}, s_ra, s_dec) > {radius}",
            f"1 = CONTAINS({point}, REGION('Circle ICRS {lon} {lat} {radius}'))",
        ):
            assert names(rows(select + condition)) == expected, condition
        for condition in (
            f"CONTAINS({point}, {circle}) = 0",
            f"CONTAINS({point}, {circle}) < 1",
            f"NOT 1 = CONTAINS({point}, {circle})",
            f"DISTANCE({lon}, {lat}, s_ra, s_dec) > {radius}",
        ):
            assert names(rows(select + condition)) == outside, condition


def test_less_than_leaves_out_the_boundary(rows: Query) -> None:
    select = "SELECT obs_id FROM sky.obs WHERE obs_id = '1000' AND DISTANCE(s_ra, s_dec, 0, 1) "
    assert rows(select + "<= 1") == [("1000",)]
    assert rows(select + "< 1") == []
    assert rows(select + ">= 1") == [("1000",)]
    assert rows(select + "> 1") == []


def test_a_point_on_the_boundary_is_contained(rows: Query) -> None:
    assert rows("SELECT TOP 1 CONTAINS(POINT(0, 1), CIRCLE(0, 0, 1)) AS a FROM sky.hea") == [(1,)]


def test_distance_agrees_with_astropy(rows: Query, positions: tuple[np.ndarray, SkyCoord]) -> None:
    _, sky = positions
    for lon, lat in CENTERS:
        found = rows(
            f"SELECT DISTANCE(POINT(s_ra, s_dec), POINT({lon}, {lat})) AS d FROM sky.obs"
            " WHERE s_ra IS NOT NULL ORDER BY obs_id"
        )
        expected = sky.separation(SkyCoord(lon, lat, unit="deg")).deg
        np.testing.assert_allclose([d for (d,) in found], expected, rtol=1e-9, atol=1e-7)


def test_a_crossmatch_agrees_with_astropy(rows: Query, positions: tuple[np.ndarray, SkyCoord]) -> None:
    known, sky = positions
    left, right, _, _ = sky.search_around_sky(sky, 7.5 * u.deg)
    expected = sorted(zip(known[left], known[right], strict=True))
    join = "SELECT a.obs_id, b.obs_id FROM sky.obs AS a JOIN sky.obs AS b ON "
    for condition in (
        "DISTANCE(a.s_ra, a.s_dec, b.s_ra, b.s_dec) <= 7.5",
        "1 = CONTAINS(POINT(a.s_ra, a.s_dec), CIRCLE(b.s_ra, b.s_dec, 7.5))",
        "1 = CONTAINS(POINT(b.s_ra, b.s_dec), CIRCLE(POINT(a.s_ra, a.s_dec), 7.5 + 0 * b.s_ra))",
    ):
        assert sorted(rows(join + condition)) == expected


def test_an_unknown_position_is_neither_inside_nor_outside(rows: Query) -> None:
    for test in (
        "CONTAINS(POINT(s_ra, s_dec), CIRCLE(1, 2, 3))",
        "CONTAINS(POINT(s_ra, s_dec), CIRCLE(1, 2, 120))",
        "CONTAINS(POINT(1, 2), s_region)",
        "CONTAINS(POINT(s_ra, s_dec), s_region)",
        "INTERSECTS(s_region, POLYGON(1, 2, 3, 2, 3, 4))",
        "INTERSECTS(s_region, CIRCLE(1, 2, 120))",
        "INTERSECTS(s_region, s_region)",
    ):
        assert rows(f"SELECT {test} AS t FROM sky.obs WHERE obs_id = 'unknown'") == [(None,)], test
        for condition in (f"{test} = 1", f"{test} = 0", f"NOT {test} = 1", f"NOT {test} <> 1"):
            assert rows(f"SELECT obs_id FROM sky.obs WHERE obs_id = 'unknown' AND {condition}") == []


def test_regions_contain_their_centres(rows: Query) -> None:
    """Of every circle and every polygon, those about the poles among them."""
    test = "CONTAINS(POINT(s_ra, s_dec), s_region)"
    assert rows(f"SELECT COUNT(*) AS n FROM sky.obs WHERE {test} = 1") == [(307,)]
    assert rows(f"SELECT SUM({test}) AS n, COUNT(*) AS m FROM sky.obs WHERE s_ra IS NOT NULL") == [(307, 307)]
    outside = f"SELECT COUNT(*) AS n FROM sky.obs WHERE {test} = 0"
    assert rows(outside) == [(0,)]


@pytest.mark.parametrize("negation", ["{} = 0", "NOT {} = 1", "{} <> 1", "NOT ({} = 1 AND n_events >= 0)"])
@pytest.mark.parametrize(
    "other", ["POLYGON(350, -20, 30, -20, 30, 20, 350, 20)", "CIRCLE(0, 0, 25)", "CIRCLE(0, 0, 150)"]
)
def test_regions_and_their_negations_add_up(rows: Query, other: str, negation: str) -> None:
    """pgSphere 1.2.0 has a wrong negator of `spoly && spoly`, which must not be used."""
    for function in ("CONTAINS", "INTERSECTS"):
        test = f"{function}(s_region, {other})"
        inside = rows(f"SELECT obs_id FROM sky.obs WHERE {test} = 1")
        outside = rows(f"SELECT obs_id FROM sky.obs WHERE {negation.format(test)}")
        assert inside
        assert outside
        assert not set(inside) & set(outside)
        assert len(inside) + len(outside) == 307


def test_circles_meet_circles_as_astropy_says(rows: Query, positions: tuple[np.ndarray, SkyCoord]) -> None:
    known, sky = positions
    circles = {row[0] for row in rows("SELECT obs_id FROM sky.obs WHERE s_region LIKE 'Circle%'")}
    is_circle = np.array([name in circles for name in known])
    for lon, lat in CENTERS:
        separation = sky.separation(SkyCoord(lon, lat, unit="deg")).deg
        for radius in (3.0, 60.0, 120.0, 178.0):
            other = f"CIRCLE({lon}, {lat}, {radius})"
            select = "SELECT obs_id FROM sky.obs WHERE s_region LIKE 'Circle%' AND 1 = "
            meets = sorted(known[is_circle & (separation <= radius + 2.5)])
            within = sorted(known[is_circle & (separation + 2.5 <= radius)])
            assert names(rows(select + f"INTERSECTS({other}, s_region)")) == meets
            assert names(rows(select + f"CONTAINS(s_region, {other})")) == within


def test_box_is_a_cross_of_great_circles(rows: Query) -> None:
    """The ends of the arms of the cross lie on the sides, constant or not."""
    for lon, lat in ((10.0, 0.0), (0.0, 60.0), (123.0, -89.5)):
        center = SkyCoord(lon, lat, unit="deg")
        for angle, arm in ((0, 1.5), (90, 1.0), (180, 1.5), (270, 1.0)):
            for factor, expected in ((0.9999, 1), (1.0001, 0)):
                end = center.directional_offset_by(angle * u.deg, arm * factor * u.deg)
                point = f"POINT({end.ra.deg:.12f}, {end.dec.deg:.12f})"
                for box in (f"BOX({lon}, {lat}, 2, 3)", f"BOX({lon} + 0 * energy_min, {lat}, 2, 3)"):
                    found = rows(f"SELECT TOP 1 CONTAINS({point}, {box}) AS a FROM sky.hea")
                    assert found == [(expected,)], (box, angle, factor)


def test_areas(rows: Query) -> None:
    found = rows(
        "SELECT TOP 1 AREA(CIRCLE(1, 2, 90)), AREA(CIRCLE(1, 2, 120)), AREA(POLYGON(0, 0, 90, 0, 0, 90)),"
        " AREA(POINT(1, 2)), AREA(CIRCLE(1, 2, 1)) FROM sky.hea"
    )
    sky = 4 * np.pi * np.degrees(1) ** 2
    cap = sky * (1 - np.cos(np.radians(1))) / 2
    np.testing.assert_allclose(found[0], (sky / 2, sky * 0.75, sky / 8, 0, cap), rtol=1e-9)


def test_centroids(rows: Query) -> None:
    """An octant has its centroid on its diagonal, whichever way its vertices run."""
    lat = np.degrees(np.arcsin(1 / np.sqrt(3)))
    for polygon in (
        "POLYGON(0, 0, 90, 0, 0, 90)",
        "POLYGON(0, 0, 0, 90, 90, 0)",
        "POLYGON(0 * energy_min, 0, 90, 0, 0, 90)",
    ):
        found = rows(f"SELECT TOP 1 CENTROID({polygon}) AS c FROM sky.hea")
        np.testing.assert_allclose(found[0][0], (45, lat), rtol=1e-9)
    regions = rows("SELECT s_ra, s_dec, CENTROID(s_region) FROM sky.obs WHERE ABS(s_dec) < 80")
    for ra, dec, center in regions:
        assert SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*center, unit="deg")).deg < 0.2


def test_geometries_leave_as_arrays_in_degrees(rows: Query) -> None:
    found = rows(
        "SELECT POINT(ra, dec), CIRCLE(ra, dec, r), CIRCLE(ra, dec, 120), CIRCLE(pos, 2), pos, patch,"
        " POLYGON(1, 2, 3, 2, 3, 5, 1, 2), POLYGON(ra, 0, 30, 0, 30, 40) FROM tap_upload.t1 ORDER BY ra"
    )
    square = [1.0, 2.0, 3.0, 2.0, 3.0, 5.0]
    assert found == [
        ([0, 0], [0, 0, 5], [0, 0, 120], [0, 0, 2], [0, 0], None, square, [0, 0, 30, 0, 30, 40]),
        (
            [83.63, 22.01],
            [83.63, 22.01, 1],
            [83.63, 22.01, 120],
            None,
            None,
            [0, 0, 10, 0, 10, 10],
            square,
            [83.63, 0, 30, 0, 30, 40],
        ),
        (None, None, None, None, None, None, square, None),
    ]


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.63, 22.01, 2))", "obs_position"),
        ("CONTAINS(POINT(s_ra, s_dec), CIRCLE(83.63, 22.01, 2)) <> 0 AND t_min > 3", "obs_position"),
        ("DISTANCE(s_ra, s_dec, 83.63, 22.01) < 2", "obs_position"),
        ("5 / 60. >= DISTANCE(POINT(83.63, 22.01), POINT(s_ra, s_dec))", "obs_position"),
        ("1 = CONTAINS(POINT(s_ra, s_dec), POLYGON(1, 2, 3, 2, 3, 5))", "obs_position"),
        ("1 = CONTAINS(POINT(s_ra, s_dec), BOX(1, 2, 3, 2))", "obs_position"),
        ("CONTAINS(POINT(83.63, 22.01), s_region) = 1", "obs_circle obs_polygon"),
        ("INTERSECTS(CIRCLE(83.63, 22.01, 1), s_region) = 1", "obs_circle obs_polygon"),
        ("INTERSECTS(s_region, POLYGON(1, 2, 3, 2, 3, 5)) = 1", "obs_circle obs_polygon"),
        ("CONTAINS(s_region, CIRCLE(83.63, 22.01, 5)) = 1", "obs_circle obs_polygon"),
    ],
)
def test_conditions_are_served_by_indexes(plan: Callable[[str], str], condition: str, index: str) -> None:
    tables = ("sky.obs", "(SELECT * FROM sky.obs) AS q")
    for table in tables:
        explained = plan(f"SELECT obs_id FROM {table} WHERE {condition}")
        for name in index.split():
            assert name in explained


@pytest.mark.parametrize(
    "condition",
    [
        "DISTANCE(u.ra, u.dec, o.s_ra, o.s_dec) < 0.5",
        "1 = CONTAINS(POINT(u.ra, u.dec), CIRCLE(o.s_ra, o.s_dec, u.r))",
        "1 = CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(u.ra, u.dec, u.r))",
    ],
)
def test_crossmatches_are_served_by_indexes(plan: Callable[[str], str], condition: str) -> None:
    explained = plan(f"SELECT o.obs_id FROM tap_upload.t1 AS u JOIN sky.obs AS o ON {condition}")
    assert "obs_position" in explained


def test_a_self_crossing_polygon_of_columns_is_an_error_of_the_database(rows: Query) -> None:
    with pytest.raises(psycopg.errors.InternalError_):
        rows("SELECT CONTAINS(POINT(1, 1), POLYGON(r, 0, 9, 9, 9, 0, r, 9)) AS c FROM tap_upload.t1")


@pytest.mark.parametrize(
    ("polygon", "told"),
    [
        ("POLYGON(0, 0, 9, 9, 9, 0, 0, 9)", "the sides of the polygon cross"),
        ("REGION('Polygon ICRS 0 0 9 9 9 0 0 9')", "the sides of the polygon cross"),
        ("POLYGON(0, 0, 100, 0, 200, 0, 300, 30)", "the polygon is larger than a hemisphere"),
        ("POLYGON(1, 2, 3, 4, 1, 2)", "fewer than 3 different vertices"),
        ("POLYGON(1, 2, 3, 4, 5, 91)", "the latitude 91 is out of range"),
    ],
)
def test_impossible_polygons_are_told_before_the_query_runs(
    catalogue: Catalogue, polygon: str, told: str
) -> None:
    query = f"SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(s_ra, s_dec), {polygon}) = 1"
    with pytest.raises(ADQLError, match=told) as caught:
        translate(query, catalogue)
    assert caught.value.column > query.index("s_dec")


def test_polygons_are_told_impossible_as_pgsphere_finds_them(connection: psycopg.Connection) -> None:
    draw = random.Random(3)  # noqa: S311 - positions, not secrets
    counts = {True: 0, False: 0}
    for _ in range(1500):
        wide = draw.choice([5, 50, 120])
        lon, lat = draw.uniform(0, 360), draw.uniform(-60, 60)
        corners = [
            (
                (lon + draw.uniform(-wide, wide)) % 360,
                max(-89.0, min(89.0, lat + draw.uniform(-wide, wide) / 2)),
            )
            for _ in range(draw.randrange(3, 7))
        ]
        written = "{" + ",".join(f"({x!r}d,{y!r}d)" for x, y in corners) + "}"
        try:
            connection.execute("SELECT $1::spoly", (written,))
            possible = True
        except psycopg.errors.InternalError_:
            possible = False
        assert (polygon_fault(tuple(c for corner in corners for c in corner)) == "") is possible, written
        counts[possible] += 1
    assert min(counts.values()) > 300


@pytest.mark.parametrize(
    "cone",
    [
        "CONTAINS(POINT({0}, {1}), CIRCLE(s_ra, s_dec, {2})) = 1",
        "1 = INTERSECTS(CIRCLE(POINT(s_ra, s_dec), {2}), POINT({0}, {1}))",
        "DISTANCE(s_ra, s_dec, {0}, {1}) <= {2}",
    ],
)
def test_circles_of_a_computed_radius_may_be_wide(
    rows: Query, positions: tuple[np.ndarray, SkyCoord], cone: str
) -> None:
    """Radii of 0 to 180 degrees, one for every row: Mixed goes from 0 to 306."""
    known, sky = positions
    radii = dict(rows('SELECT obs_id, "Mixed" FROM sky.obs WHERE s_ra IS NOT NULL'))
    mixed = np.array([radii[name] for name in known])
    radius = (mixed + 180 - np.abs(mixed - 180)) / 2
    for lon, lat in CENTERS:
        inside = sky.separation(SkyCoord(lon, lat, unit="deg")).deg <= radius
        condition = cone.format(lon, lat, '(("Mixed" + 180 - ABS("Mixed" - 180)) / 2.)')
        select = f"SELECT obs_id FROM sky.obs WHERE {condition}"
        assert names(rows(select)) == sorted(known[inside])


@pytest.mark.parametrize("radius", [3, 80, 120])
def test_circles_of_a_computed_radius_meet_others(
    rows: Query, positions: tuple[np.ndarray, SkyCoord], radius: int
) -> None:
    known, sky = positions
    radii = dict(rows('SELECT obs_id, "Mixed" FROM sky.obs WHERE s_ra IS NOT NULL'))
    mixed = np.array([radii[name] for name in known])
    own = (mixed + 180 - np.abs(mixed - 180)) / 2
    circle = 'CIRCLE(s_ra, s_dec, ("Mixed" + 180 - ABS("Mixed" - 180)) / 2.)'
    for ra, lat in CENTERS:
        lon = ra + 0.1234
        away = sky.separation(SkyCoord(lon, lat, unit="deg")).deg
        other = f"CIRCLE({lon}, {lat}, {radius})"
        for test, margin in (
            (f"INTERSECTS({circle}, {other})", own + radius - away),
            (f"CONTAINS({circle}, {other})", radius - own - away),
            (f"CONTAINS({other}, {circle})", np.where(own == 180, 180, own - radius - away)),
        ):
            judged = np.abs(margin) > 1e-5
            for condition in (f"{test} = 1", f"NOT {test} = 0"):
                found = names(rows(f"SELECT obs_id FROM sky.obs WHERE {condition}"))
                assert set(found) & set(known[judged]) == set(known[judged & (margin > 0)]), test


def test_impossible_computed_radii_are_clear_errors(rows: Query) -> None:
    for radius in ("0 - r", "r + 176"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="radii go from 0 to 180 degrees"):
            rows(f"SELECT r FROM tap_upload.t1 WHERE CONTAINS(POINT(0, 0), CIRCLE(ra, dec, {radius})) = 1")
    with pytest.raises(psycopg.Error, match="radius"):
        rows(
            "SELECT r FROM tap_upload.t1 AS u JOIN sky.obs AS o"
            " ON CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(u.ra, u.dec, u.r + 90)) = 1"
        )


def test_wide_circles_leave_as_arrays(rows: Query) -> None:
    found = rows("SELECT CIRCLE(ra, dec, r + 100) AS c FROM tap_upload.t1 ORDER BY r DESC")
    assert found == [([0, 0, 105],), ([83.63, 22.01, 101],), (None,)]


def test_unknown_operands_make_values_unknown(rows: Query) -> None:
    """In every function; the third row of the upload has neither a position nor a patch."""
    for expression in (
        "POINT(ra, dec)",
        "CIRCLE(ra, dec, r)",
        "CIRCLE(ra, dec, 1)",
        "CIRCLE(pos, 2)",
        "CIRCLE(1, 2, NULL)",
        "BOX(ra, dec, 1, 1)",
        "POLYGON(ra, 0, 30, 0, 30, 40)",
        "CENTROID(patch)",
        "CENTROID(pos)",
        "COORD1(pos)",
        "COORD2(POINT(ra, dec))",
        "AREA(patch)",
        "AREA(pos)",
        "AREA(CIRCLE(ra, dec, 120))",
        "DISTANCE(ra, dec, 1, 2)",
        "DISTANCE(pos, POINT(1, 2))",
        "CONTAINS(pos, CIRCLE(1, 2, 3))",
        "CONTAINS(POINT(1, 2), patch)",
        "CONTAINS(POINT(1, 2), CIRCLE(ra, dec, r))",
        "CONTAINS(patch, CIRCLE(1, 2, 120))",
        "CONTAINS(CIRCLE(1, 2, 120), pos)",
        "INTERSECTS(patch, CIRCLE(1, 2, 3))",
        "INTERSECTS(CIRCLE(1, 2, 3), pos)",
    ):
        assert rows(f"SELECT {expression} AS v FROM tap_upload.t1 WHERE ra IS NULL") == [(None,)], expression


def test_uploaded_geometries_work_as_stored_ones(rows: Query) -> None:
    select = "SELECT words FROM tap_upload.t1 WHERE "
    assert rows(select + "CONTAINS(pos, CIRCLE(1, 0, 2)) = 1") == [("a b",)]
    assert rows(select + "DISTANCE(pos, POINT(0, 3)) < 3.1") == [("a b",)]
    assert rows(select + "CONTAINS(POINT(9, 1), patch) = 1") == [("#x#Y#",)]
    assert rows(select + "CONTAINS(POINT(1, 9), patch) = 0") == [("#x#Y#",)]
    assert rows(select + "INTERSECTS(patch, CIRCLE(-1, 0, 1.5)) = 1") == [("#x#Y#",)]
    ((area, lon, lat),) = rows(
        "SELECT AREA(patch), COORD1(CENTROID(patch)), COORD2(CENTROID(patch)) FROM tap_upload.t1"
        " WHERE DISTANCE(CENTROID(patch), POINT(6.7, 3.3)) < 0.5"
    )
    assert area == pytest.approx(50, rel=0.01)
    assert (lon, lat) == (pytest.approx(6.7, abs=0.1), pytest.approx(3.35, abs=0.1))


def test_distances_of_centres_of_regions(rows: Query) -> None:
    found = rows(
        "SELECT s_ra, s_dec, DISTANCE(CENTROID(s_region), POINT(10, 20)) AS d FROM sky.obs"
        " WHERE s_region LIKE 'Circle%'"
    )
    ra, dec, distance = (np.array(c) for c in zip(*found, strict=True))
    expected = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(10, 20, unit="deg")).deg
    np.testing.assert_allclose(distance, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("lon", "lat"), [(0.0, 90.0), (120.0, -90.0), (0.0, 0.0), (359.9, 89.0), (0.3, -30.0)]
)
def test_boxes_at_poles_and_across_0h(rows: Query, lon: float, lat: float) -> None:
    """A point is inside if, seen from the centre of the box, its angle from each axis is within the size.

    In the frame with the centre at (0, 0): |lon| <= width / 2 and |atan(tan lat / cos lon)| <= height / 2.
    """
    draw = np.random.default_rng(8)
    center = SkyCoord(lon, lat, unit="deg")
    offsets = center.directional_offset_by(draw.uniform(0, 360, 60) * u.deg, draw.uniform(0, 9, 60) * u.deg)
    own = offsets.transform_to(center.skyoffset_frame())
    x, y = own.lon.wrap_at(180 * u.deg).rad, own.lat.rad
    over = np.degrees(np.arctan(np.tan(y) / np.cos(x)))
    inside = (np.abs(np.degrees(x)) <= 4) & (np.abs(over) <= 3)
    assert 10 < inside.sum() < 50
    for point, expected in zip(offsets, inside.tolist(), strict=True):
        test = f"CONTAINS(POINT({point.ra.deg:.12f}, {point.dec.deg:.12f}), BOX({lon}, {lat}, 8, 6))"
        assert rows(f"SELECT TOP 1 {test} AS c FROM sky.hea") == [(int(expected),)], test


@pytest.mark.parametrize("size", [1e-4, 0.01, 1.0, 40.0])
def test_areas_of_small_and_large_shapes(rows: Query, size: float) -> None:
    """Of a right-angled triangle with legs a and b, tan(E / 2) = tan(a / 2) tan(b / 2)."""
    ((circle, stored, computed),) = rows(
        f"SELECT AREA(CIRCLE(10, 20, {size})), AREA(CIRCLE(pos, {size})),"
        f" AREA(CIRCLE(ra, dec, {size} + 0 * r)) FROM tap_upload.t1 WHERE words = 'a b'"
    )
    cap = 4 * np.pi * np.sin(np.radians(size) / 2) ** 2 * np.degrees(1) ** 2
    np.testing.assert_allclose((circle, stored, computed), cap, rtol=1e-12)
    ((triangle,),) = rows(f"SELECT TOP 1 AREA(POLYGON(5, 0, {5 + size}, 0, 5, {size})) AS a FROM sky.hea")
    half = np.tan(np.radians(size) / 2)
    excess = 2 * np.arctan(half * half)
    np.testing.assert_allclose(triangle, excess * np.degrees(1) ** 2, rtol=1e-9)


@pytest.mark.parametrize(
    "expression",
    [
        "COORD2(POINT(s_ra, t_min))",
        "DISTANCE(s_ra, s_dec * 3, s_ra, 0)",
        "CONTAINS(POINT(s_ra, s_dec), CIRCLE(s_ra, t_min, 1))",
        "AREA(POLYGON(s_ra, s_dec * 0, s_ra + 1, s_dec * 0, s_ra, t_min))",
        "ivo_healpix_index(5, s_ra, t_min)",
    ],
)
def test_latitudes_of_columns_are_checked(rows: Query, expression: str) -> None:
    """pgSphere would take 100 degrees for 80."""
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="a latitude is out of range"):
        rows(f"SELECT {expression} AS v FROM sky.obs WHERE s_ra IS NOT NULL")
    assert rows("SELECT COORD2(POINT(s_ra, s_dec / 2)) AS v FROM sky.obs WHERE obs_id = '1003'") == [(45.0,)]
