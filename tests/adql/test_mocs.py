"""MOCs of space: mocpy judges what is made, combined and measured, and which positions are inside."""

import random
from collections.abc import Callable
from typing import Any

import astropy.units as u
import numpy as np
import psycopg
import pytest
from astropy.coordinates import SkyCoord
from mocpy import MOC

from schema.model import Catalogue
from schema.types import MOC as MOC_TYPE
from vo_server.adql import ADQLError, translate
from vo_server.adql.asciimoc import SPACE, cell_centre, enclosing_circle, parse_moc, reach

Query = Callable[..., list[tuple[Any, ...]]]

NORTH = "1/1 2 4 2/12-14 21 23 25 8/"
CRAB = "6/8130-8139 7/32600"


@pytest.fixture(scope="module")
def value(rows: Query) -> Callable[[str], Any]:
    """The value of an expression that needs no table."""

    def run(expression: str) -> Any:
        ((found,),) = rows(f"SELECT TOP 1 {expression} AS v FROM sky.hea")
        return found

    return run


@pytest.fixture(scope="module")
def sky(rows: Query) -> tuple[np.ndarray, SkyCoord]:
    """The names and positions of all observations that have one."""
    found = rows("SELECT obs_id, s_ra, s_dec FROM sky.obs WHERE s_ra IS NOT NULL ORDER BY obs_id")
    names, ra, dec = zip(*found, strict=True)
    return np.array(names), SkyCoord(np.array(ra), np.array(dec), unit="deg")


def cells(moc: MOC) -> set[int]:
    """The cells of a MOC at its own order."""
    return set() if moc.empty() else set(moc.flatten().tolist())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("3/1 2", "3/1-2"),
        ("s3/1,2", "3/1-2"),
        (NORTH, "1/1-2 4 2/12-14 21 23 25 8/"),
        ("2/12-14 21\n1/1 2 4", "1/1-2 4 2/12-14 21"),
        ("0/", "0/"),
        ("29/", "29/"),
        ("0/0-11", "0/0-11"),
        ("5/16-19", "4/4 5/"),
        ("29/3458764513820540927", "29/3458764513820540927"),
    ],
)
@pytest.mark.parametrize("function", ["MOC", "REGION"])
def test_a_literal_comes_back_in_its_canonical_form(
    value: Callable[[str], Any], function: str, text: str, shown: str
) -> None:
    assert value(f"{function}('{text}')") == shown
    assert cells(MOC.from_str(shown)) == cells(MOC.from_str(text.removeprefix("s").replace(",", " ")))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("30/1", "the order 30 is out of range: orders of a MOC end at 29"),
        ("3/768", "there is no cell 768 at order 3: cells go from 0 to 767"),
        ("3/5-2", "the range 5-2 ends before it begins"),
        ("t31/5", "this is a MOC of time, not a MOC"),
        ("3/1 x", "'x' is out of place; a MOC looks like '3/1-3 5 4/90'"),
        ("3/1/2", "out of place"),
        ("7", "'7' is out of place"),
        ("3/-1", "'-1' is out of place"),
    ],
)
def test_a_wrong_literal_is_an_error_at_its_place(catalogue: Catalogue, text: str, told: str) -> None:
    for function in ("MOC", "REGION"):
        if function == "REGION" and text[0] == "x":
            continue
        query = f"SELECT {function}('{text}') AS m FROM sky.obs"
        with pytest.raises(ADQLError, match=told) as caught:
            translate(query, catalogue)
        assert caught.value.column == query.index("'") + 1


def test_a_moc_is_declared_as_dali_says(catalogue: Catalogue) -> None:
    (column,) = translate("SELECT MOC(5, s_region) AS m FROM sky.obs", catalogue).columns
    assert column.type is MOC_TYPE
    assert (column.type.datatype, column.type.arraysize, column.type.xtype) == ("char", "*", "moc")


@pytest.mark.parametrize("radius", [0.1, 1.0, 2.5, 20.0, 60.0, 90.0, 120.0])
@pytest.mark.parametrize(
    ("lon", "lat"), [(0.0, 0.0), (350.0, 25.0), (83.63, 22.01), (10.0, 90.0), (200.0, -89.9)]
)
def test_circles_become_the_mocs_of_mocpy(
    value: Callable[[str], Any], lon: float, lat: float, radius: float
) -> None:
    """No cell is lost, and those too many only just miss the circle."""
    order = 5 if radius > 5 else 8
    found = cells(MOC.from_str(value(f"MOC({order}, CIRCLE({lon}, {lat}, {radius}))")))
    true = MOC.from_cone(
        lon=lon * u.deg, lat=lat * u.deg, radius=radius * u.deg, max_depth=order + 4, delta_depth=2
    )
    expected = cells(true.degrade_to_order(order))
    wider = MOC.from_cone(
        lon=lon * u.deg, lat=lat * u.deg, radius=(radius + 12 / 2**order) * u.deg, max_depth=order + 4
    )
    assert expected <= found <= cells(wider.degrade_to_order(order))


@pytest.mark.parametrize("concave", [False, True])
@pytest.mark.parametrize("size", [0.5, 5.0, 40.0])
def test_polygons_become_the_mocs_of_mocpy(value: Callable[[str], Any], size: float, concave: bool) -> None:
    draw = random.Random(int(size * 10) + concave)  # noqa: S311 - positions, not secrets
    order = 5 if size > 5 else 8
    for lon, lat in ((1.0, 2.0), (359.0, -40.0), (120.0, 75.0)):
        center = SkyCoord(lon, lat, unit="deg")
        arms = [size * (draw.uniform(0.4, 1) if concave else 1.0) for _ in range(7)]
        corners = center.directional_offset_by(-np.arange(7) * 360 / 7 * u.deg, arms * u.deg)
        written = ", ".join(f"{c.ra.deg:.12f}, {c.dec.deg:.12f}" for c in corners)
        found = cells(MOC.from_str(value(f"MOC({order}, POLYGON({written}))")))
        true = MOC.from_polygon_skycoord(corners, max_depth=order + 4)
        expected = cells(true.degrade_to_order(order))
        assert expected <= found
        assert len(found - expected) <= 0.2 * len(expected) + 3


def test_regions_and_mocs_become_mocs(rows: Query, value: Callable[[str], Any]) -> None:
    found = rows("SELECT s_ra, s_dec, s_region, MOC(10, s_region) AS m FROM sky.obs WHERE n_events < 30")
    for ra, dec, region, text in found:
        moc = MOC.from_str(text)
        assert moc.max_order == 10
        assert moc.contains_skycoords(SkyCoord([ra], [dec], unit="deg")).all()
        if region.startswith("Circle"):
            np.testing.assert_allclose(moc.sky_fraction * 41253, np.pi * 2.5**2, rtol=0.1)
    assert value(f"MOC(1, MOC('{NORTH}'))") == MOC.from_str(NORTH).degrade_to_order(1).to_string().strip()
    assert rows("SELECT MOC(7, s_region) AS m FROM sky.obs WHERE obs_id = 'unknown'") == [(None,)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("gavo_mocunion({a}, {b})", lambda a, b: a.union(b)),
        ("gavo_mocintersect({a}, {b})", lambda a, b: a.intersection(b)),
        ("vo_moc_minus({a}, {b})", lambda a, b: a.difference(b)),
        ("vo_moc_complement({b})", lambda a, b: b.complement()),
    ],
)
def test_mocs_are_combined_as_by_mocpy(
    value: Callable[[str], Any], expression: str, expected: Callable[[MOC, MOC], MOC]
) -> None:
    for one, other in ((NORTH, "3/100-300"), ("0/0-11", CRAB), (CRAB, "0/"), ("29/1 2 900", "2/0")):
        text = value(expression.format(a=f"MOC('{one}')", b=f"REGION('{other}')"))
        assert MOC.from_str(text) == expected(MOC.from_str(one), MOC.from_str(other))


def test_mocs_of_a_group(rows: Query) -> None:
    """The rows, NULLs among them, against mocpy."""
    parts = rows("SELECT calib_level, MOC(6, s_region) AS m FROM sky.obs")
    found = rows(
        "SELECT calib_level, vo_moc_union_agg(MOC(6, s_region)) AS m,"
        " vo_moc_intersect_agg(MOC(0, CIRCLE(s_ra, s_dec, 80))) AS i FROM sky.obs"
        " WHERE calib_level IS NOT NULL GROUP BY calib_level"
    )
    assert len(found) == 3
    for level, union, common in found:
        mocs = [MOC.from_str(m) for other, m in parts if other == level]
        assert MOC.from_str(union) == mocs[0].union(*mocs[1:])
        assert common == "0/"


def test_measures_of_mocs(value: Callable[[str], Any]) -> None:
    whole = 4 * np.pi * np.degrees(1) ** 2
    for text in (NORTH, CRAB, "0/0-11", "0/"):
        fraction = MOC.from_str(text).sky_fraction
        np.testing.assert_allclose(value(f"AREA(MOC('{text}'))"), whole * fraction, rtol=1e-12)
        np.testing.assert_allclose(value(f"vo_moc_sky_fraction(MOC('{text}'))"), fraction, rtol=1e-12)
        assert value(f"vo_moc_order(MOC('{text}'))") == MOC.from_str(text).max_order
    assert value("vo_moc_coverage(MOC('3/1-4'), MOC('4/4-7 8'))") == pytest.approx(5 / 16)
    assert value("vo_moc_coverage(MOC('0/'), MOC('4/4'))") is None
    halves = "vo_moc_coverage(CIRCLE(10, 20, 5), POLYGON(10, 0, 40, 0, 40, 50, 10, 50))"
    assert value(halves) == pytest.approx(0.5, abs=0.03)
    cap = (1 - np.cos(np.radians(2))) / (1 - np.cos(np.radians(4)))
    assert value("vo_moc_coverage(CIRCLE(10, 20, 4), CIRCLE(10, 20, 2))") == pytest.approx(cap, rel=0.02)


@pytest.mark.parametrize("text", [NORTH, CRAB, "0/0-11", "0/", "4/0-3 2900-2950"])
def test_positions_in_a_moc_are_those_of_mocpy(
    rows: Query, sky: tuple[np.ndarray, SkyCoord], text: str
) -> None:
    names, positions = sky
    moc = MOC.from_str(text)
    inside = moc.contains_skycoords(positions) if not moc.empty() else np.zeros(len(names), bool)
    for function in ("CONTAINS(POINT(s_ra, s_dec), {})", "INTERSECTS({}, POINT(s_ra, s_dec))"):
        test = function.format(f"MOC('{text}')")
        select = f"SELECT obs_id FROM sky.obs WHERE {test} = "
        assert sorted(n for (n,) in rows(select + "1")) == sorted(names[inside])
        assert sorted(n for (n,) in rows(select + "0")) == sorted(names[~inside])


def test_shapes_meet_mocs(value: Callable[[str], Any]) -> None:
    """In every mix: far inside, across the border, and outside; cell 3/300 and its surroundings."""
    x, y, z = cell_centre(3, 300)
    lon, lat = np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z))
    shapes = {
        "CIRCLE({0}, {1}, {2})": 1.0,
        "BOX({0}, {1}, 2 * {2}, 2 * {2})": 1.0,
        "MOC(9, CIRCLE({0}, {1}, {2}))": 1.0,
        "REGION('Circle ICRS {0} {1} {2}')": 1.0,
    }
    for shape in shapes:
        for size, within, around in ((2.0, 1, 0), (5.0, 0, 0), (12.0, 0, 1)):
            written = shape.format(lon, lat, size)
            assert value(f"CONTAINS({written}, MOC('3/300'))") == within, written
            assert value(f"CONTAINS(MOC('3/300'), {written})") == around, written
            assert value(f"INTERSECTS({written}, MOC('3/300'))") == 1
            assert value(f"INTERSECTS(MOC('3/300'), {written})") == 1
        away = shape.format((lon + 90) % 360, lat, 3.0)
        assert value(f"INTERSECTS({away}, MOC('3/300'))") == 0
        assert value(f"CONTAINS({away}, MOC('3/300'))") == 0
    wide = f"CIRCLE({lon}, {lat}, 120)"
    far = f"CIRCLE({(lon + 180) % 360}, {-lat}, 120)"
    assert [value(f"CONTAINS(MOC('3/300'), {c})") for c in (wide, far)] == [1, 0]
    assert [value(f"INTERSECTS({c}, MOC('3/300'))") for c in (wide, far)] == [1, 0]
    assert value(f"CONTAINS({wide}, vo_moc_complement(MOC({4}, {far})))") == 0
    assert value(f"CONTAINS({wide}, MOC('0/0-11'))") == 1
    assert value(f"CONTAINS(MOC('3/300'), POINT({lon}, {lat}))") == 0


def test_regions_in_mocs(rows: Query, sky: tuple[np.ndarray, SkyCoord]) -> None:
    """Circles of 2.5 degrees: the distance from the border of a cone decides."""
    names, positions = sky
    is_circle = np.isin(
        names, [n for (n,) in rows("SELECT obs_id FROM sky.obs WHERE s_region LIKE 'Circle%'")]
    )
    distance = positions.separation(SkyCoord(80, 20, unit="deg")).deg
    cone = "MOC(10, CIRCLE(80, 20, 40))"
    select = "SELECT obs_id FROM sky.obs WHERE s_region LIKE 'Circle%' AND "
    within = {n for (n,) in rows(f"{select} CONTAINS(s_region, {cone}) = 1")}
    meets = {n for (n,) in rows(f"{select} INTERSECTS({cone}, s_region) = 1")}
    assert set(names[is_circle & (distance < 37.4)]) <= within <= set(names[is_circle & (distance < 37.6)])
    assert set(names[is_circle & (distance < 42.4)]) <= meets <= set(names[is_circle & (distance < 42.6)])
    assert len(within) > 3
    polygons = "SELECT COUNT(*) AS n FROM sky.obs WHERE s_region LIKE 'Polygon%' AND "
    ((covered,),) = rows(f"{polygons} CONTAINS(s_region, {cone}) = 1")
    ((met,),) = rows(f"{polygons} INTERSECTS(s_region, {cone}) = 1")
    assert 3 < covered < met


def test_null_mocs_are_unknown(rows: Query) -> None:
    select = "FROM sky.obs WHERE obs_id = 'unknown'"
    for test in (
        "CONTAINS(POINT(1, 2), MOC(5, s_region))",
        "CONTAINS(POINT(s_ra, s_dec), MOC('0/0-11'))",
        "INTERSECTS(s_region, MOC('0/0-11'))",
        "CONTAINS(CIRCLE(s_ra, s_dec, 1), MOC('0/0-11'))",
        "AREA(MOC(5, s_region))",
        "vo_moc_order(MOC(5, s_region))",
        "vo_moc_coverage(s_region, MOC('0/0-11'))",
        "gavo_mocunion(MOC('0/0-11'), MOC(5, s_region))",
        "vo_moc_union_agg(MOC(5, s_region))",
    ):
        assert rows(f"SELECT {test} AS t {select}") == [(None,)], test
    assert rows(f"SELECT obs_id {select} AND CONTAINS(POINT(1, 2), MOC(5, s_region)) = 0") == []


def test_mocs_go_through_subqueries_and_set_operators(rows: Query) -> None:
    query = "SELECT MOC(4, s_region) AS m FROM sky.obs WHERE obs_id = '1000'"
    ((text,),) = rows(query)
    for around in (
        f"SELECT m FROM ({query}) AS q WHERE CONTAINS(POINT(0, 0), m) = 1",
        f"WITH q AS ({query}) SELECT gavo_mocintersect(m, m) AS m FROM q"
        " WHERE INTERSECTS(m, CIRCLE(0, 0, 1)) = 1",
        f"{query} UNION ALL SELECT MOC('4/1') AS m FROM sky.hea WHERE energy_min < -1",
        f"SELECT COALESCE(m, MOC('0/')) AS m FROM ({query}) AS q",
        f"SELECT CAST(m AS VARCHAR) AS m FROM ({query}) AS q",
    ):
        assert rows(around) == [(text,)], around


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT obs_id FROM sky.obs WHERE MOC(3, s_region) = MOC('3/1')", "a moc cannot be compared"),
        (
            "SELECT MOC(3, s_region) AS m, COUNT(*) AS n FROM sky.obs GROUP BY m",
            "GROUP BY cannot compare a moc",
        ),
        ("SELECT CENTROID(MOC('3/1')) AS c FROM sky.obs", "CENTROID takes no MOC"),
        ("SELECT MOC(30, s_region) AS m FROM sky.obs", "the order 30 is out of range"),
        ("SELECT MOC(3, s_ra) AS m FROM sky.obs", "MOC takes a geometry here, this is a number"),
        ("SELECT MOC(target) AS m FROM sky.obs", "MOC takes a string literal here"),
        ("SELECT gavo_mocunion(s_region, MOC('3/1')) AS m FROM sky.obs", "takes a MOC here"),
        ("SELECT MAX(MOC(3, s_region)) AS m FROM sky.obs", "MAX does not order a moc"),
    ],
)
def test_what_mocs_cannot_do_is_told(catalogue: Catalogue, query: str, told: str) -> None:
    with pytest.raises(ADQLError, match=told):
        translate(query, catalogue)


def test_the_order_is_limited_by_the_size(rows: Query) -> None:
    for shape, most in (("CIRCLE(10, 20, 90)", 12), ("CIRCLE(10, 20, 5)", 15), ("CIRCLE(10, 20, 150)", 13)):
        select = "SELECT TOP 1 vo_moc_order(MOC({}, {})) AS m FROM sky.hea"
        assert rows(select.format(most, shape)) == [(most,)]
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match=f"up to order {most} is possible"):
            rows(select.format(most + 1, shape))
    assert rows("SELECT TOP 1 vo_moc_order(MOC(29, POINT(1, 2))) AS m FROM sky.hea") == [(29,)]


@pytest.mark.parametrize("text", [CRAB, "4/0-3", "2/191", "0/3", "9/5 3000000"])
def test_the_circle_about_a_moc_holds_it(text: str) -> None:
    bound = enclosing_circle(parse_moc(text, SPACE))
    assert bound is not None
    moc = MOC.from_str(text)
    lon, lat, radius = bound
    cone = MOC.from_cone(
        lon=lon * u.deg, lat=lat * u.deg, radius=radius * u.deg, max_depth=max(9, moc.max_order)
    )
    assert moc.difference(cone).empty()


def test_cells_reach_no_farther_than_told() -> None:
    """The centres of small cells within a cell come close to its corners."""
    for order in (0, 1, 3):
        farthest = 0.0
        for cell in range(0, 12 * 4**order, 4**order // 2 + 1):
            center = np.array(cell_centre(order, cell))
            inner = [cell_centre(order + 4, (cell << 8) + n) for n in range(256)]
            farthest = max(farthest, np.arccos(np.min(np.array(inner) @ center)))
        assert 0.8 * reach(order) < farthest < reach(order)


def test_an_index_serves_a_compact_moc(plan: Callable[[str], str]) -> None:
    for moc in (f"MOC('{CRAB}')", "MOC(8, CIRCLE(10, 20, 3))", f"REGION('{CRAB}')"):
        assert "obs_position" in plan(
            f"SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(s_ra, s_dec), {moc}) = 1"
        )
