"""The values of cutout parameters: what is read, what is refused, and the geometry of the shapes."""

from math import inf

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from schema.load import catalogue
from vo_server.dali import Parameters
from vo_server.dalivalues import MOST_VERTICES
from vo_server.errors import UsageError
from vo_server.eventlists.interval import Interval
from vo_server.soda.parameters import PARAMETERS, ranges
from vo_server.soda.request import CutoutRequest, count
from vo_server.soda.selection import FILTERS, Selection
from vo_server.soda.shapes import Circle, Polygon, Range, direction


def inside(selection: Selection, lon: float, lat: float) -> bool:
    (shape,) = selection.regions
    return bool(shape.contains(direction(np.array([lon]), np.array([lat])))[0])


def test_intervals() -> None:
    assert Selection.of({"ENERGY": " -inf  +Inf "}).energy == Interval(-inf, inf)
    assert Selection.of({"ENERGY": "1 1"}).energy == Interval(1, 1)
    assert Selection.of({"TIME": "53000.5 Inf"}).time == Interval(53000.5, inf)
    assert Selection.of({"ENERGY": "1 10", "BAND": "-Inf +Inf"}).energy == Interval(1, 10)
    assert Selection.of({}) == Selection()


def test_wavelengths_become_energies_with_their_ends_changed() -> None:
    found = Selection.of({"BAND": "1.2398419843320026e-19 1.2398419843320026e-18"}).energy
    assert found is not None
    assert found == pytest.approx((1.0, 10.0), rel=1e-15)
    assert Selection.of({"BAND": "-Inf 1.2398419843320026e-18"}).energy == pytest.approx((1.0, inf))
    assert Selection.of({"BAND": "0 +Inf"}).energy == Interval(0, inf)
    low, high = Selection.of({"BAND": "-2 -1"}).energy or (0, 0)
    assert low == high == inf


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ENERGY", "1", "interval"),
        ("ENERGY", "1 2 3", "interval"),
        ("ENERGY", "2 1", "lower limit"),
        ("ENERGY", "+Inf +Inf", "lower limit"),
        ("ENERGY", "-Inf -Inf", "lower limit"),
        ("ENERGY", "NaN 1", "'NaN' is not a number"),
        ("ENERGY", "1_0 20", "not a number"),
        ("ENERGY", "1,2", "not a number"),
        ("ENERGY", "1e999 2e999", "not a number"),
        ("ENERGY", "٣ 4", "not a number"),
        ("ENERGY", "1 TeV", "not a number"),
        ("TIME", "2004-12-04T22:00:00 2004-12-05", "not a number"),
        ("BAND", "x" * 1000, "x..."),
        ("CIRCLE", "1 2", "radius"),
        ("CIRCLE", "1 2 3 4", "radius"),
        ("CIRCLE", "1 2 -3", "0 to 180"),
        ("CIRCLE", "1 2 181", "0 to 180"),
        ("CIRCLE", "-1 2 3", "0 to 360"),
        ("CIRCLE", "361 2 3", "0 to 360"),
        ("CIRCLE", "1 91 3", "-90 to 90"),
        ("CIRCLE", "1 2 +Inf", "finite"),
        ("CIRCLE", "ICRS 1 2 3", "not a number"),
        ("POLYGON", "1 2 3 4", "three vertices"),
        ("POLYGON", "1 2 3 4 5", "three vertices"),
        ("POLYGON", "1 2 3 4 5 6 7", "three vertices"),
        ("POLYGON", "1 2 1 2 1 2", "fewer than three places"),
        ("POLYGON", "1 2 3 4 3 4 1 2", "fewer than three places"),
        ("POLYGON", "0 0 2 2 2 0 0 2", "cross"),
        ("POLYGON", "0 0 120 0 240 0", "hemisphere"),
        ("POLYGON", "10 -80 130 -80 250 80", "hemisphere"),
        ("POLYGON", " ".join("1 2" for _ in range(MOST_VERTICES + 1)), "may have"),
        ("POS", "1 2 3", "begins with CIRCLE, RANGE, POLYGON"),
        ("POS", "BOX 1 2 3 4", "begins with"),
        ("POS", "CIRCLE", "radius"),
        ("POS", "RANGE 1 2 3", "lon1 lon2"),
        ("POS", "RANGE 1 2 4 3", "lower limit"),
        ("POS", "RANGE 1 400 3 4", "0 to 360"),
        ("POS", "RANGE 1 2 -91 4", "-90 to 90"),
        ("POS", "RANGE +Inf 2 3 4", "lower limit"),
        ("POS", "POLYGON 1 2 3 4", "three vertices"),
    ],
)
def test_what_is_wrong_is_told(name: str, value: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        Selection.of({name: value})
    assert str(caught.value).startswith(name)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("value", "lon", "lat", "expected"),
    [
        ("CIRCLE 0 0 1", 359.5, 0.5, True),
        ("CIRCLE 0 90 1", 200, 89.5, True),
        ("CIRCLE 10 20 0", 10, 20, True),
        ("CIRCLE 10 20 180", 190, -20, True),
        ("CIRCLE 10 20 179", 190, -20, False),
        ("CIRCLE 10 20 1e-9", 10, 20.0000001, False),
        ("RANGE 350 10 -5 5", 0, 0, True),
        ("RANGE 350 10 -5 5", 20, 0, False),
        ("RANGE 10 350 -5 5", 0, 0, False),
        ("RANGE 0 360 89 +Inf", 77, 90, True),
        ("RANGE -Inf +Inf -Inf +Inf", 77, -90, True),
        ("RANGE 10 10 20 20", 10, 20, True),
        ("polygon 350 -5 10 -5 10 5 350 5", 0, 0, True),
        ("POLYGON 350 5 10 5 10 -5 350 -5", 0, 0, True),
        ("POLYGON 350 -5 10 -5 10 5 350 5 350 -5", 180, 0, False),
        ("POLYGON 0 80 120 80 240 80", 17, 90, True),
        ("POLYGON 0 80 120 80 240 80", 60, 80.5, False),
        ("POLYGON 0 80 120 80 240 80", 60, -90, False),
        ("POLYGON 0 0 10 0 10 10 5 1 0 10", 5, 5, False),
        ("POLYGON 0 0 10 0 10 10 5 1 0 10", 9, 5, True),
        ("POLYGON 0 0 178 1 90 89", 90, 45, True),
        # The great circle between the two southern corners bends north of their parallel.
        ("POLYGON 0 60 90 60 45 80", 45, 65, False),
        ("POLYGON 0 60 90 60 45 80", 45, 69, True),
    ],
)
def test_shapes(value: str, lon: float, lat: float, expected: bool) -> None:
    assert inside(Selection.of({"POS": value}), lon, lat) is expected


@pytest.mark.parametrize("corners", [3, 50, 2000])
@pytest.mark.parametrize(("lon", "lat"), [(83.6, 22.0), (0.1, -60.0), (200.0, 89.5)])
def test_polygons_with_many_corners(corners: int, lon: float, lat: float) -> None:
    """About a centre that sees all of it, a point is within if it is on the centre's side of its side."""
    random = np.random.default_rng(corners)
    centre = SkyCoord(lon, lat, unit="deg")
    angles = np.linspace(0, 360, corners, endpoint=False) * u.deg
    vertices = centre.directional_offset_by(angles, random.uniform(1.0, 3.0, corners) * u.deg)
    polygon = Polygon(tuple(np.column_stack([vertices.ra.deg, vertices.dec.deg]).ravel().tolist()))
    points = centre.directional_offset_by(
        random.uniform(0, 360, 20_000) * u.deg, random.uniform(0, 4, 20_000) * u.deg
    )
    side = np.searchsorted(angles.value, centre.position_angle(points).to_value("deg"), side="right") - 1
    ends = vertices.cartesian.xyz.value.T
    normals = np.cross(ends, np.roll(ends, -1, axis=0))[side]
    vectors = points.cartesian.xyz.value.T
    expected = (np.sum(normals * vectors, axis=1) > 0) == (normals @ centre.cartesian.xyz.value > 0)
    assert 1000 < expected.sum() < 19_000
    assert np.array_equal(polygon.contains(vectors), expected)


def test_shapes_of_nothing() -> None:
    nothing = np.empty((0, 3))
    for shape in (Circle(1, 2, 3), Range(1, 2, 3, 4), Polygon((0, 0, 1, 0, 0, 1))):
        assert shape.contains(nothing).shape == (0,)


def test_one_cutout_for_a_synchronous_request() -> None:
    found = CutoutRequest.single(Parameters([("id", "ivo://a/b?1"), ("energy", "1 2"), ("NOISE", "x")]))
    assert (found.did, found.selection.energy) == ("ivo://a/b?1", Interval(1, 2))
    with pytest.raises(UsageError, match="ID is missing"):
        CutoutRequest.single(Parameters([]))
    for name, value in (("ID", "x"), ("CIRCLE", "1 2 3"), ("ENERGY", "1 2")):
        with pytest.raises(UsageError, match=f"^MultiValuedParamNotSupported: {name}"):
            CutoutRequest.single(Parameters([("ID", "x"), (name, value), (name, value)]))


def test_all_combinations_for_a_job() -> None:
    values = [("ID", "a"), ("ENERGY", "1 2"), ("ID", "b"), ("ENERGY", "2 3"), ("TIME", "5 6")]
    parameters = Parameters(values)
    found = [(r.did, r.selection.energy, r.selection.time) for r in CutoutRequest.each(parameters, 4)]
    assert found == [(did, (low, low + 1), (5, 6)) for did in "ab" for low in (1, 2)]
    assert count(parameters) == 4
    with pytest.raises(UsageError, match="4 combinations"):
        CutoutRequest.each(parameters, 3)


def test_the_register_names_what_is_read() -> None:
    assert {p.name for p in PARAMETERS} == {"ID", *FILTERS}
    assert len({p.name for p in PARAMETERS}) == len(PARAMETERS)


ROW = {
    "s_region": "Circle ICRS 83.63 22.01 2.5",
    "t_min": 53343.9,
    "t_max": 53343.95,
    "em_min": 1.2398419843320026e-20,
    "em_max": 1.2398419843320026e-18,
}


def test_ranges_of_a_dataset() -> None:
    assert set(ROW) <= {c.name for c in catalogue(()).by_name["ivoa.obscore"].columns}
    found = ranges(ROW)
    assert set(found) == {"CIRCLE", "POLYGON", "BAND", "TIME", "ENERGY"}
    assert found["TIME"] == ("53343.9", "53343.95")
    assert [float(end or "") for end in found["ENERGY"]] == pytest.approx([1, 100])
    assert found["CIRCLE"] == (None, "83.63 22.01 2.5")
    around = Selection.of({"POLYGON": found["POLYGON"].maximum})
    edge = SkyCoord(83.63, 22.01, unit="deg").directional_offset_by(np.arange(360) * u.deg, 2.4999 * u.deg)
    circle = direction(edge.ra.deg, edge.dec.deg)
    assert around.regions[0].contains(circle).all()
    assert not inside(around, 83.63, 22.01 + 2.7)


def test_ranges_of_polygons_and_of_nothing() -> None:
    found = ranges({**ROW, "s_region": "Polygon ICRS 10 80 130 80 250 80"})
    assert found["POLYGON"].maximum == "10 80 130 80 250 80"
    lon, lat, radius = map(float, found["CIRCLE"].maximum.split())
    assert (lat, radius) == pytest.approx((90, 10))
    assert 0 <= lon < 360
    assert "POLYGON" not in ranges({**ROW, "s_region": "Circle ICRS 1 2 120"})
    assert ranges(dict.fromkeys(ROW)) == {}
