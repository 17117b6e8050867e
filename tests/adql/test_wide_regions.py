"""Regions of more than a hemisphere, which pgSphere cannot hold: astropy judges what they meet."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import psycopg
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from mocpy import MOC
from numpy.typing import NDArray

from schema.model import Catalogue
from tests.adql.conftest import execute
from vo_server.adql import translate

Query = Callable[..., list[tuple[Any, ...]]]

PLACES = [(0.0, 90.0), (200.0, -90.0), (83.63, 22.01), (359.9, 0.1), (180.0, -45.0)]
RADII = [90.0, 90.001, 100.0, 150.0, 179.5, 180.0]
FIELDS = [(lon, lat, radius) for (lon, lat), radius in product(PLACES, RADII)]
CENTRES = SkyCoord([f[0] for f in FIELDS], [f[1] for f in FIELDS], unit="deg")
RADIUS = np.array([f[2] for f in FIELDS])
TOUCHING = 2.0
"""Fields whose edge is closer to that of another shape (deg) are not judged by samples of it."""

SPELLINGS = [
    "SELECT obs_id FROM sky.obs WHERE {} = 1 AND calib_level = 9",
    "SELECT obs_id FROM sky.obs WHERE NOT {} = 0 AND calib_level = 9",
    "SELECT q.obs_id FROM (SELECT * FROM sky.obs WHERE calib_level = 9) AS q WHERE 1 = {}",
    "WITH q AS (SELECT obs_id, s_region, s_ra FROM sky.obs WHERE calib_level = 9) SELECT obs_id FROM q"
    " WHERE {} <> 0",
    "SELECT obs_id FROM (SELECT obs_id, COALESCE(s_region, s_region) AS s_region FROM sky.obs"
    " WHERE calib_level = 9) AS q WHERE 1 = {}",
]


@pytest.fixture(scope="module")
def wide(connection: psycopg.Connection, catalogue: Catalogue) -> Iterator[Query]:
    """The rows that a query brings, of a table with wide fields, too."""
    for number, (lon, lat, radius) in enumerate(FIELDS):
        connection.execute(
            "INSERT INTO sky.obs (obs_id, s_ra, s_dec, s_region, region_rest, region_circle, calib_level)"
            " SELECT $1, $2, $3, region, vo.stcs_rest(region), vo.stcs_circle(region), 9"
            " FROM (VALUES ($4)) AS v (region)",
            [str(number), lon, lat, f"Circle ICRS {lon!r} {lat!r} {radius!r}"],
        )
    yield lambda text: execute(connection, translate(text, catalogue))
    connection.execute("DELETE FROM sky.obs WHERE calib_level = 9")


def fields(found: list[tuple[Any, ...]]) -> NDArray[np.bool_]:
    """Which of FIELDS a query has found."""
    those = np.zeros(len(FIELDS), np.bool_)
    those[[int(name) for (name,) in found]] = True
    return those


def directions(count: int) -> SkyCoord:
    """Points all over the sky, on a spiral."""
    step = np.arange(count) + 0.5
    return SkyCoord(step * 137.50776405, np.degrees(np.arcsin(1 - 2 * step / count)), unit="deg")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_points(wide: Query, spelling: str) -> None:
    opposite = CENTRES[:: len(RADII)].directional_offset_by(0 * u.deg, 180 * u.deg)
    for point in (*directions(60), *CENTRES[:: len(RADII)], *opposite):
        expected = CENTRES.separation(point).deg <= RADIUS + 1e-9
        lon, lat = point.ra.deg.item(), point.dec.deg.item()
        assert (
            fields(wide(spelling.format(f"CONTAINS(POINT({lon:f}, {lat:f}), s_region)"))) == expected
        ).all()


def edges(lon: float, lat: float) -> NDArray[np.float64]:
    """How far the fields reach beyond a point (deg), and all the sky beyond all."""
    away = CENTRES.separation(SkyCoord(lon, lat, unit="deg")).deg
    return np.where(RADIUS == 180, np.inf, RADIUS - away)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("radius", [0.5, 30, 89, 120, 179.9, 180])
def test_circles(wide: Query, spelling: str, radius: float) -> None:
    whole = radius == 180
    for lon, lat in ((10.0, 20.3), (7.0, -88.7), (263.4, -22.0), (200.0, 61.7)):
        circle, reach = f"CIRCLE({lon}, {lat}, {radius})", edges(lon, lat)
        away = CENTRES.separation(SkyCoord(lon, lat, unit="deg")).deg
        for test, expected in (
            (f"INTERSECTS({circle}, s_region)", reach + radius >= 0),
            (f"INTERSECTS(s_region, {circle})", reach + radius >= 0),
            (f"CONTAINS({circle}, s_region)", (reach >= radius) & ((RADIUS == 180) | (not whole))),
            (f"CONTAINS(s_region, {circle})", (away + RADIUS <= radius) | whole),
        ):
            assert (fields(wide(spelling.format(test))) == expected).all(), test


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "corners",
    [
        [(80, 20), (90, 20), (90, 30)],
        [(258, -27), (268, -27), (268, -17), (258, -17)],
        [(350, -80), (110, -80), (230, -80)],
        [(0, 0), (80, 0), (40, 70)],
    ],
)
def test_polygons(wide: Query, spelling: str, corners: list[tuple[float, float]]) -> None:
    vertices = SkyCoord(corners, unit="deg").cartesian.xyz.value.T
    shares = np.array([s for s in product(np.linspace(0, 1, 60), repeat=len(corners) - 1) if sum(s) <= 1])
    samples = np.column_stack([shares, 1 - shares.sum(axis=1)]) @ vertices
    away = np.array(
        [c.separation(SkyCoord(*samples.T, representation_type="cartesian")).deg for c in CENTRES]
    )
    near, far = away.min(axis=1), away.max(axis=1)
    polygon = f"POLYGON({', '.join(f'{lon}, {lat}' for lon, lat in corners)})"
    for test, limit in (
        (f"INTERSECTS({polygon}, s_region)", near),
        (f"INTERSECTS(s_region, {polygon})", near),
        (f"CONTAINS({polygon}, s_region)", far),
    ):
        judged = np.abs(limit - RADIUS) > TOUCHING
        assert judged.sum() > 20
        assert (fields(wide(spelling.format(test))) == (limit <= RADIUS))[judged].all(), test
    assert not fields(wide(spelling.format(f"CONTAINS(s_region, {polygon})"))).any()


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("cells", ["6/8130-8139 7/32600", "3/508-510", "0/0-5", "0/0-11", "0/0-2 1/15-47"])
def test_mocs(wide: Query, spelling: str, cells: str) -> None:
    sky = directions(40_000)
    held = MOC.from_str(cells).contains_skycoords(sky)
    away = np.array([centre.separation(sky).deg for centre in CENTRES])
    near = np.where(held, away, np.inf).min(axis=1)
    far = np.where(held, away, 0).max(axis=1)
    left = np.where(held, np.inf, away).min(axis=1)
    for test, limit, expected in (
        (f"INTERSECTS(MOC('{cells}'), s_region)", near, near <= RADIUS),
        (f"INTERSECTS(s_region, MOC('{cells}'))", near, near <= RADIUS),
        (f"CONTAINS(MOC('{cells}'), s_region)", far, far <= RADIUS),
        (f"CONTAINS(s_region, MOC('{cells}'))", left, left > RADIUS),
    ):
        judged = (np.abs(limit - RADIUS) > TOUCHING) | (RADIUS == 180)
        assert judged.sum() > 15
        assert (fields(wide(spelling.format(test))) == expected)[judged].all(), test


def test_measures(wide: Query) -> None:
    found = wide(
        "SELECT obs_id, AREA(s_region), COORD1(CENTROID(s_region)), COORD2(CENTROID(s_region)),"
        " COORDSYS(s_region), DISTANCE(CENTROID(s_region), POINT(s_ra, s_dec)), s_region,"
        " vo_moc_coverage(REGION('0/0-11'), s_region), AREA(MOC(6, s_region))"
        " FROM sky.obs WHERE calib_level = 9"
    )
    found.sort(key=lambda row: int(row[0]))
    _, area, lon, lat, frames, distance, text, share, cells = zip(*found, strict=True)
    expected = 2 * np.pi * (1 - np.cos(np.radians(RADIUS))) * np.degrees(1) ** 2
    np.testing.assert_allclose(area, expected, rtol=1e-12)
    np.testing.assert_allclose(area[RADII.index(180.0)], 4 * np.pi * np.degrees(1) ** 2, rtol=1e-14)
    assert (SkyCoord(np.array(lon), np.array(lat), unit="deg").separation(CENTRES) < 1e-6 * u.arcsec).all()
    assert max(distance) < 1e-9
    assert set(frames) == {"ICRS"}
    assert list(text) == [f"Circle ICRS {x!r} {y!r} {r!r}" for x, y, r in FIELDS]
    np.testing.assert_allclose(share, expected / expected.max(), atol=0.01)
    np.testing.assert_allclose(cells, expected, rtol=0.03)


@pytest.mark.parametrize(("frame", "name"), [("GALACTIC", "galactic"), ("FK4", "fk4"), ("ICRS", "icrs")])
def test_in_other_frames(wide: Query, frame: str, name: str) -> None:
    turned = f"ivo_geom_transform('ICRS', '{frame}', s_region)"
    found = wide(f"SELECT obs_id, {turned} AS r, CENTROID({turned}) AS c FROM sky.obs WHERE calib_level = 9")
    for number, text, centre in found:
        shape, shown, lon, lat, radius = text.split()
        assert (shape, shown) == ("Circle", frame)
        assert float(radius) == FIELDS[int(number)][2]
        there = CENTRES[int(number)]
        for x, y in ((float(lon), float(lat)), centre):
            back = SkyCoord(x, y, unit="deg", frame=name).icrs
            # The FK4 of pgSphere is a rotation, without the E-terms of aberration.
            assert back.separation(there).arcsec < (1 if name == "fk4" else 1e-3)


def test_with_one_another_and_with_those_that_fit(wide: Query) -> None:
    """All pairs of the wide fields and the circles of the table; what an index brings is what there is."""
    where = "(a.calib_level = 9 OR MOD(a.n_events, 2) = 0) AND (b.calib_level = 9 OR MOD(b.n_events, 2) = 0)"
    circles = wide(
        "SELECT obs_id, s_ra, s_dec, COALESCE(AREA(s_region), 0) FROM sky.obs"
        " WHERE calib_level = 9 OR MOD(n_events, 2) = 0"
    )
    names, lon, lat, area = zip(*circles, strict=True)
    radius = np.degrees(np.arccos(1 - np.array(area) * np.radians(1) ** 2 / (2 * np.pi)))
    places = SkyCoord(np.array(lon), np.array(lat), unit="deg")
    away = places[:, np.newaxis].separation(places).deg
    left, right = radius[:, np.newaxis], radius
    tolerance = 1e-5
    for function, margin in (
        ("INTERSECTS", left + right - away),
        ("CONTAINS", np.where(right > 180 - tolerance, 1, right - left - away)),
    ):
        for test in ("{} = 1", "NOT {} = 0"):
            condition = test.format(f"{function}(a.s_region, b.s_region)")
            found = wide(
                f"SELECT a.obs_id, b.obs_id AS other FROM sky.obs AS a, sky.obs AS b"
                f" WHERE {condition} AND {where}"
            )
            pairs = {(names[i], names[j]) for i, j in np.argwhere(margin > tolerance)}
            unsure = {(names[i], names[j]) for i, j in np.argwhere(np.abs(margin) <= tolerance)}
            assert set(found) - unsure == pairs - unsure


def test_unknown_regions_neither_meet_nor_miss(wide: Query) -> None:
    for test in ("INTERSECTS({}, a.s_region)", "CONTAINS({}, a.s_region)", "CONTAINS(a.s_region, {})"):
        for value in (0, 1):
            condition = f"{test.format('b.s_region')} = {value} AND a.calib_level = 9"
            assert not wide(
                f"SELECT a.obs_id FROM sky.obs AS a, sky.obs AS b WHERE b.obs_id = 'unknown' AND {condition}"
            )
