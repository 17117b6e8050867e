"""MOCs as values and as files: mocpy judges, which has other code for all of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mocpy
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Latitude, Longitude, SkyCoord
from astropy.io import fits
from astropy.time import Time

from moc import shapes
from moc.fitsfile import fits_moc, fits_space_time
from moc.model import SPACE, TIME, Moc, SpaceTimeMoc, empty, moc_of, space_time, union
from moc.text import ascii_moc, ascii_space_time, json_moc, json_space_time, parse
from moc.times import microseconds

CIRCLES = [
    (0.0, 90.0, 3.0),
    (359.99, -0.01, 0.1),
    (83.6, 22.0, 2.5),
    (10.0, -89.9, 30.0),
    (180.0, 0.0, 120.0),
]


def judged(ra: float, dec: float, radius: float, order: int) -> Any:
    return mocpy.MOC.from_cone(
        lon=Longitude(ra, u.deg), lat=Latitude(dec, u.deg), radius=radius * u.deg, max_depth=order
    )


def same(ours: Moc, theirs: Any) -> bool:
    return bool(np.array_equal(ours.ranges, theirs.to_depth29_ranges.astype(np.int64)))


@pytest.mark.parametrize("circle", CIRCLES)
def test_circles_are_those_of_mocpy(circle: tuple[float, float, float]) -> None:
    found = shapes.circle(*circle)
    assert same(found, judged(*circle, found.order))


@pytest.mark.parametrize(
    ("radius", "order"), [(0.0, 10), (0.5, 10), (2.5, 10), (3.0, 9), (45.0, 6), (180.0, 4)]
)
def test_the_order_suits_the_size(radius: float, order: int) -> None:
    assert shapes.suitable_order(radius) == order


def test_polygons_are_those_of_mocpy() -> None:
    corners = [(10.0, 0.0), (20.0, 0.0), (15.0, 10.0)]
    found = shapes.polygon(corners)
    theirs = mocpy.MOC.from_polygon_skycoord(SkyCoord(corners, unit="deg"), max_depth=found.order)
    assert same(found, theirs)
    assert found.order == 8


def test_positions_are_in_their_cells() -> None:
    ra, dec = np.array([0.0, 83.63, 359.9]), np.array([-90.0, 22.01, 90.0])
    theirs = mocpy.MOC.from_lonlat(ra * u.deg, dec * u.deg, max_norder=10)
    assert same(shapes.positions(ra, dec), theirs)
    assert shapes.cell_at(0.0, 0.0, 0) == 4


@pytest.mark.parametrize("circle", CIRCLES)
def test_written_and_read_back(circle: tuple[float, float, float], tmp_path: Path) -> None:
    found = shapes.circle(*circle)
    theirs = judged(*circle, found.order)
    path = tmp_path / "moc.fits"
    path.write_bytes(fits_moc(found))
    assert mocpy.MOC.load(path, "fits") == theirs
    assert mocpy.MOC.from_string(ascii_moc(found)) == theirs
    assert mocpy.MOC.from_string(json_moc(found), format="json") == theirs
    back = parse(ascii_moc(found), SPACE)
    assert (back.order, back.ranges.tolist()) == (found.order, found.ranges.tolist())


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0/0-11", "0/0-11"),
        ("0/0-11 29/", "0/0-11 29/"),
        ("1/0 1 2 3", "0/0 1/"),
        ("2/0-3,5 1/1", "1/0-1 2/"),
        ("0/", "0/"),
        ("29/3458764513820540927", "29/3458764513820540927"),
        ("5/1 2 4\n5/3", "5/1-4"),
    ],
)
def test_text_becomes_canonical(text: str, canonical: str) -> None:
    assert ascii_moc(parse(text, SPACE)) == canonical


@pytest.mark.parametrize("text", ["", "5", "a/1", "30/1", "5/x", "-1/2"])
def test_what_is_no_moc_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text, SPACE)


@pytest.mark.parametrize(("order", "form", "dtype"), [(13, "J", ">i4"), (14, "K", ">i8"), (29, "K", ">i8")])
def test_cells_have_32_bits_to_order_13(order: int, form: str, dtype: str, tmp_path: Path) -> None:
    last = (12 << 2 * order) - 1
    path = tmp_path / "moc.fits"
    path.write_bytes(fits_moc(parse(f"{order}/{last}", SPACE)))
    with fits.open(path) as hdus:
        header, data = hdus[1].header, hdus[1].data
        assert data["UNIQ"].tolist() == [(4 << 2 * order) + last]
        assert (header["TFORM1"].strip("1"), data["UNIQ"].dtype.str) == (form, dtype)
        told = {k: header[k] for k in ("MOCVERS", "MOCDIM", "ORDERING", "COORDSYS", "MOCORD_S")}
    assert told == {
        "MOCVERS": "2.0",
        "MOCDIM": "SPACE",
        "ORDERING": "NUNIQ",
        "COORDSYS": "C",
        "MOCORD_S": order,
    }


def test_unions_are_of_the_lowest_order() -> None:
    both = union([parse("3/5 8/", SPACE), parse("10/7 900000", SPACE)])
    assert ascii_moc(both) == "3/5 8/0 56250"
    assert ascii_moc(union([empty(SPACE, 10), empty(SPACE, 4)])) == "4/"


def test_times_are_those_of_astropy() -> None:
    """TDB is taken for TT there, so that 2 ms may be lacking."""
    mjd = np.array([41317.5, 53090.122708, 54706.875, 57754.0, 60000.9])
    tcb = Time(mjd, format="mjd", scale="utc").tcb
    theirs = (tcb.jd1 * 86400e6).astype(np.int64) + (tcb.jd2 * 86400e6).astype(np.int64)
    assert np.abs(microseconds(mjd) - theirs).max() < 4000


def test_moc_of_time_written_and_read_back(tmp_path: Path) -> None:
    start = microseconds(np.array([53090.1, 53091.5]))
    found = moc_of(TIME, 31, np.stack([start, start + 1_700_000_000], axis=1))
    theirs = mocpy.TimeMOC.from_depth61_ranges(31, found.ranges.astype(np.uint64))
    path = tmp_path / "tmoc.fits"
    path.write_bytes(fits_moc(found))
    assert mocpy.TimeMOC.load(path, "fits") == theirs
    assert mocpy.TimeMOC.from_string(ascii_moc(found)) == theirs
    assert mocpy.TimeMOC.from_string(json_moc(found), format="json") == theirs
    assert fits.getheader(path, 1)["TIMESYS"] == "TCB"


SKY = [(6_140_000, "5/7 7/"), (6_140_001, "5/7 7/"), (6_140_005, "7/1 3 100")]


@pytest.mark.parametrize("cells", [SKY, []])
def test_moc_of_time_and_space_written_and_read_back(cells: list[tuple[int, str]], tmp_path: Path) -> None:
    found = space_time(26, 7, ((cell, parse(text, SPACE)) for cell, text in cells))
    merged = "t26/6140000-6140001 s5/7 t26/6140005 s7/1 3 100 " if cells else ""
    theirs = mocpy.STMOC.from_string(f"{merged}t26/ s7/")
    path = tmp_path / "stmoc.fits"
    path.write_bytes(fits_space_time(found))
    readers: list[Callable[[SpaceTimeMoc], Any]] = [
        lambda m: mocpy.STMOC.load(path, "fits"),
        lambda m: mocpy.STMOC.from_string(ascii_space_time(m)),
        lambda m: mocpy.STMOC.from_string(json_space_time(m), format="json"),
    ]
    for read in readers:
        # The order that elements declare is lost on the way through mocpy, what they cover is not.
        assert read(found).serialize("fits")[1].data.tolist() == theirs.serialize("fits")[1].data.tolist()
        assert read(found).max_order == (26, 7)
    assert len(found.elements) == max(0, len(cells) - 1)
