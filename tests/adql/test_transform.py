"""Geometries in other reference frames: ivo_geom_transform and coordinate systems, judged by astropy."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import BarycentricMeanEcliptic, FK4NoETerms, SkyCoord

from schema.model import Catalogue
from schema.types import CIRCLE, POINT, POLYGON, REGION, VARCHAR
from vo_server.adql import translate

Row = tuple[Any, ...]
Query = Callable[..., list[Row]]


def names(found: list[Row]) -> list[str]:
    return sorted(row[0] for row in found)


def value(rows: Query, expression: str) -> Any:
    ((found,),) = rows(f"SELECT TOP 1 {expression} AS v FROM sky.hea")
    return found


FRAMES = {
    "ICRS": "icrs",
    "FK4": FK4NoETerms(equinox="B1950"),
    "GALACTIC": "galactic",
    "SUPER_GALACTIC": "supergalactic",
    "ECLIPTIC": BarycentricMeanEcliptic(equinox="J2000"),
}
PLACES = [(120.0, -23.0), (0.0, 0.0), (359.99, 0.01), (10.0, 89.9), (200.0, -89.99), (266.4, -28.94)]


@pytest.mark.parametrize(
    ("call", "expected", "digits"),
    [
        ("'ICRS', 'GALACTIC', POINT(120, -23)", [241.121831182, 3.62785788087], 1e-9),
        (
            "'FK4', 'GALACTIC', CIRCLE(189.70303055, 22.96240006, 3)",
            [275.00025405, 84.99996154, 3],
            1e-8,
        ),
        (
            "'GALACTIC', 'FK5', POLYGON(5, 3, 4, 4, 4.5, 2)",
            [266.44721, -23.107310, 264.95088, -23.434037, 267.09936, -24.051919],
            5.1e-6,
        ),
    ],
)
def test_frames_of_the_catalogue(rows: Query, call: str, expected: list[float], digits: float) -> None:
    assert value(rows, f"ivo_geom_transform({call})") == pytest.approx(expected, abs=digits)


@pytest.mark.parametrize(("source", "target"), [*permutations(FRAMES, 2)])
def test_frames_against_astropy(rows: Query, source: str, target: str) -> None:
    for lon, lat in PLACES:
        given = SkyCoord(lon, lat, unit="deg", frame=FRAMES[source])
        expected = given.transform_to(FRAMES[target])
        constant = f"POINT({lon}, {lat})"
        computed = f"POINT({lon} + 0 * r, {lat} + 0 * r)"
        for point in (constant, computed):
            found = value_of(rows, f"ivo_geom_transform('{source}', '{target}', {point})")
            there = SkyCoord(*found, unit="deg", frame=FRAMES[target])
            assert there.separation(expected).deg < 1e-8, (point, found)


def value_of(rows: Query, expression: str) -> Any:
    """The value of an expression on the columns of the upload's first row."""
    ((found,),) = rows(f"SELECT {expression} AS v FROM tap_upload.t1 WHERE r = 5")
    return found


def test_fk5_is_taken_for_the_icrs(rows: Query) -> None:
    """As the catalogue's own example does; astropy tells them apart by 25 mas."""
    for lon, lat in PLACES:
        given = SkyCoord(lon, lat, unit="deg", frame="fk5")
        found = value(rows, f"ivo_geom_transform('FK5', 'ICRS', POINT({lon}, {lat}))")
        assert found == [lon, lat]
        assert given.separation(SkyCoord(*found, unit="deg")).mas < 35


def test_galactic_coordinates_of_columns(rows: Query) -> None:
    turned = "ivo_geom_transform('ICRS', 'GALACTIC', POINT(s_ra, s_dec))"
    found = np.array(
        rows(f"SELECT s_ra, s_dec, COORD1({turned}), COORD2({turned}) FROM sky.obs WHERE s_ra >= 0")
    )
    galactic = SkyCoord(found[:, 0], found[:, 1], unit="deg").galactic
    ours = SkyCoord(found[:, 2], found[:, 3], unit="deg", frame="galactic")
    assert ours.separation(galactic).deg.max() < 1e-9
    assert len(found) == 307
    assert rows(f"SELECT {turned} FROM sky.obs WHERE s_ra IS NULL") == [(None,)]


@pytest.mark.parametrize(
    "cone", ["CIRCLE(0, 0, 30)", "CIRCLE(POINT(0, 0), 30)", "CIRCLE(0 * s_ra, 0, 30)", "CIRCLE(0, 0, 120)"]
)
@pytest.mark.parametrize("form", ["CONTAINS({point}, {cone}) = 1", "INTERSECTS({cone}, {point}) = 1"])
def test_regions_about_the_galactic_centre(rows: Query, cone: str, form: str) -> None:
    turned = f"ivo_geom_transform('GALACTIC', 'ICRS', {cone})"
    condition = form.format(point="POINT(s_ra, s_dec)", cone=turned)
    found = {name for (name,) in rows(f"SELECT obs_id FROM sky.obs WHERE {condition}")}
    known = rows("SELECT obs_id, s_ra, s_dec FROM sky.obs WHERE s_ra >= 0")
    sky = SkyCoord([k[1] for k in known], [k[2] for k in known], unit="deg").galactic
    near = sky.separation(SkyCoord(0, 0, unit="deg", frame="galactic")).deg < (120 if "120" in cone else 30)
    assert found == {k[0] for k, inside in zip(known, near, strict=True) if inside}
    assert len(found) > 10


def test_a_constant_in_another_frame_uses_the_index(plan: Callable[[str], str]) -> None:
    select = "SELECT obs_id FROM sky.obs WHERE "
    for shape in ("CIRCLE(0, 0, 5)", "POLYGON(0, 0, 5, 0, 5, 5)", "BOX(0, 0, 5, 5)"):
        turned = f"ivo_geom_transform('GALACTIC', 'ICRS', {shape})"
        shown = plan(f"{select} CONTAINS(POINT(s_ra, s_dec), {turned}) = 1")
        assert "obs_position" in shown
        assert "obs_circle" in plan(f"{select} INTERSECTS(s_region, {turned}) = 1")
    point = "ivo_geom_transform('GALACTIC', 'ICRS', POINT(0, 0))"
    assert "obs_position" in plan(f"{select} DISTANCE(POINT(s_ra, s_dec), {point}) < 5")


def test_shapes_in_another_frame_keep_their_sizes(rows: Query, catalogue: Catalogue) -> None:
    for kind, shape in (
        (CIRCLE, "CIRCLE(s_ra, s_dec, 2.5)"),
        (CIRCLE, "CIRCLE(s_ra, s_dec, 100)"),
        (POLYGON, "BOX(s_ra, s_dec, 4, calib_level + 1)"),
        (POLYGON, "POLYGON(s_ra, s_dec, s_ra + 1, s_dec, s_ra + 1, s_dec * 0.99 + 0.5)"),
        (POINT, "CENTROID(s_region)"),
        (REGION, "s_region"),
    ):
        for source, target in (("ICRS", "GALACTIC"), ("GALACTIC", "ICRS"), ("FK5", "ICRS")):
            turned = f"ivo_geom_transform('{source}', '{target}', {shape})"
            text = f"SELECT {turned} AS g, AREA({turned}) AS a, AREA({shape}) AS b FROM sky.obs"
            wanted = VARCHAR if kind is REGION and target != "ICRS" else kind
            assert translate(text, catalogue).columns[0].type is wanted
            found = rows(f"{text} WHERE s_ra >= 0 AND ABS(s_dec) < 87")
            assert len(found) > 280
            assert [a for _, a, _ in found] == pytest.approx([b for _, _, b in found], rel=1e-6, abs=1e-6)
            back = f"ivo_geom_transform('{target}', '{source}', {turned})"
            inside = f"CONTAINS(POINT(s_ra, s_dec), {back}) = 1 OR INTERSECTS({back}, {shape}) = 1"
            everywhere = f"s_ra >= 0 AND ABS(s_dec) < 87 AND ({inside})"
            assert rows(f"SELECT COUNT(*) AS n FROM sky.obs WHERE {everywhere}") == [(len(found),)]


def test_regions_come_out_as_text(rows: Query) -> None:
    select = "SELECT ivo_geom_transform('{}', '{}', s_region) AS g, s_ra, s_dec FROM sky.obs"
    ((circle, ra, dec),) = rows(select.format("ICRS", "GALACTIC") + " WHERE obs_id = '1006'")
    shape, frame, *numbers = circle.split()
    expected = SkyCoord(ra, dec, unit="deg").galactic
    assert (shape, frame) == ("Circle", "GALACTIC")
    assert [float(n) for n in numbers] == pytest.approx([expected.l.deg, expected.b.deg, 2.5], abs=1e-8)
    ((polygon, ra, dec),) = rows(select.format("GALACTIC", "ICRS") + " WHERE obs_id = '1007'")
    shape, frame, *numbers = polygon.split()
    corner = SkyCoord(ra + 2, dec - 2, unit="deg", frame="galactic").icrs
    assert (shape, frame, len(numbers)) == ("Polygon", "ICRS", 8)
    assert [float(n) for n in numbers[:2]] == pytest.approx([corner.ra.deg, corner.dec.deg], abs=1e-8)
    assert rows(select.format("ICRS", "GALACTIC") + " WHERE obs_id = 'unknown'") == [(None, None, None)]
    again = select.format("GALACTIC", "ICRS") + " WHERE obs_id = '1007'"
    inner = f"SELECT COUNT(*) AS n FROM (SELECT DISTINCT * FROM ({again}) AS p) AS q"
    point = f"POINT({corner.ra.deg}, {corner.dec.deg})"
    assert rows(f"{inner} WHERE CONTAINS({point}, CIRCLE(0, 0, 180)) = 1 AND AREA(g) > 1") == [(1,)]


def test_stored_geometries_in_another_frame(rows: Query) -> None:
    text = "SELECT ivo_geom_transform('ICRS', 'GALACTIC', {}) AS g FROM tap_upload.t1 WHERE r <= 5 ORDER BY r"
    points = [found for (found,) in rows(text.format("pos"))]
    centre = SkyCoord(0, 0, unit="deg").galactic
    assert points[:2] == [None, None]
    assert points[2] == pytest.approx([centre.l.deg, centre.b.deg], abs=1e-9)
    patches = [found for (found,) in rows(text.format("patch")) if found]
    corners = SkyCoord([0, 10, 10], [0, 0, 10], unit="deg").galactic
    assert np.array(patches).reshape(3, 2) == pytest.approx(np.array([corners.l.deg, corners.b.deg]).T)


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("GALACTIC", "galactic"),
        ("Galactic_II BARYCENTER", "galactic"),
        ("ECLIPTIC", "barycentrictrueecliptic"),
        ("SUPERGALACTIC", "supergalactic"),
        ("FK5 GEOCENTER", "icrs"),
        ("", "icrs"),
    ],
)
def test_known_numbers_in_other_frames_are_turned(rows: Query, argument: str, name: str) -> None:
    """astropy's ecliptic of J2000 nutates, by less than 0.01 degrees; ours is the mean one."""
    found = rows("SELECT obs_id, s_ra, s_dec FROM sky.obs WHERE s_ra IS NOT NULL")
    known, ra, dec = zip(*found, strict=True)
    sky = SkyCoord(np.array(ra), np.array(dec), unit="deg").transform_to(name)
    lon, lat = sky.spherical.lon.deg, sky.spherical.lat.deg
    separation = sky.separation(SkyCoord(30.0, -20.0, unit="deg", frame=name)).deg
    expected = sorted(np.array(known)[separation <= 40])
    assert not np.any(np.abs(separation - 40) < 0.01)
    for circle in (
        f"CIRCLE('{argument}', 30, -20, 40)",
        f"CIRCLE(POINT('{argument}', 30, -20), 40)",
        f"REGION('Circle {argument} 30 -20 40')",
    ):
        assert names(
            rows(f"SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT(s_ra, s_dec), {circle})")
        ) == (expected), circle
    # ADQL 2.1, 4.2.9: sides are great circles across the arms of the central cross.
    lon = (lon + 180) % 360 - 180
    top = np.degrees(np.arctan(np.tan(np.radians(20.7)) * np.cos(np.radians(lon))))
    margins = np.minimum(30.7 - np.abs(lon), top - np.abs(lat))
    assert not np.any(np.abs(margins) < 0.01)
    box = f"BOX('{argument}', 0, 0, 61.4, 41.4)"
    boxed = rows(f"SELECT obs_id FROM sky.obs WHERE 1 = INTERSECTS(POINT(s_ra, s_dec), {box})")
    assert boxed
    assert names(boxed) == sorted(np.array(known)[margins >= 0])


def test_the_galactic_centre(rows: Query) -> None:
    ((ra, dec),) = rows(
        "SELECT TOP 1 COORD1(c), COORD2(c) FROM (SELECT POINT('GALACTIC', 0, 0) AS c FROM sky.obs) AS q"
    )
    centre = SkyCoord(0, 0, unit="deg", frame="galactic").icrs
    assert (ra, dec) == pytest.approx((centre.ra.deg, centre.dec.deg), abs=1e-7)
