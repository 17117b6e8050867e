"""Values of POS against fields of view all over the sky; astropy measures which of them meet."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import numpy as np
import psycopg
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from tests.server.serving import served
from vo_server.app import create_app
from vo_server.roles import owner_url
from vo_server.settings import Settings
from vo_server.sia.regions import meets

INSERTION = (
    "INSERT INTO ivoa.obscore (obs_publisher_did, obs_id, dataset, dataproduct_type, calib_level,"
    " obs_collection, s_ra, s_dec, s_region) VALUES (%s, %s, %s, 'event-list', 2, 'sky', %s, %s, %s)"
)
TOUCHING = 0.02
"""Fields whose distance from a shape is closer to their radius than this (deg) are not judged by samples."""


@dataclass(frozen=True)
class Sky:
    """A served archive, and its fields by where they are and their radius, 0 for those without a region."""

    client: httpx.Client
    places: SkyCoord
    radii: NDArray[np.float64]

    def found(self, pos: str) -> NDArray[np.bool_]:
        answer = self.client.get(
            "/sia/query",
            params={"POS": pos, "DPTYPE": "event-list", "RESPONSEFORMAT": "csv", "MAXREC": 10_000},
        )
        assert answer.status_code == 200, answer.text
        header, *rows = answer.text.splitlines()
        where = header.split(",").index("obs_id")
        found = np.zeros(len(self.radii), np.bool_)
        found[[int(row.split(",")[where]) for row in rows]] = True
        return found

    def distances(self, samples: SkyCoord) -> NDArray[np.float64]:
        """From each field to the nearest sample, in degrees."""
        return np.array([place.separation(samples).min().deg for place in self.places])


@pytest.fixture(scope="module")
def sky(module_settings: Settings) -> Iterator[Sky]:
    random = np.random.default_rng(3)
    lon = np.concatenate([random.uniform(0, 360, 300), [0, 0, 360, 180, 83.6, 359.9, 0.1]])
    lat = np.degrees(np.arcsin(random.uniform(-1, 1, 300)))
    lat = np.concatenate([lat, [90, -90, 0, 89.5, 22.0, 0.2, -0.2]])
    radii = random.choice([0.0, 0.5, 2.5, 8.0], len(lon))
    radii[::11] = random.choice([90.0, 100.0, 135.0, 179.5, 180.0], len(radii[::11]))
    with psycopg.connect(owner_url(module_settings), autocommit=True) as connection:
        for number, (x, y, radius) in enumerate(zip(lon, lat, radii, strict=True)):
            region = f"Circle ICRS {x} {y} {radius}" if radius else None
            connection.execute(INSERTION, [f"ivo://x/s?{number}", str(number), "s", x, y, region])
    with served(create_app(module_settings)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield Sky(client, SkyCoord(lon, lat, unit="deg"), radii)


@pytest.mark.parametrize("radius", [0, 0.3, 10, 89, 90, 100, 179, 180])
@pytest.mark.parametrize("centre", [(83.6, 22.0), (0, 0), (360, -0.1), (12, 90), (77, -89.9)])
def test_circles(sky: Sky, centre: tuple[float, float], radius: float) -> None:
    distances = SkyCoord(*centre, unit="deg").separation(sky.places).deg
    assert (
        sky.found(f"CIRCLE {centre[0]} {centre[1]} {radius}") == (distances <= radius + sky.radii + 1e-7)
    ).all()


def in_range(
    sky: Sky, lon1: float, lon2: float, lat1: float, lat2: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which centres of fields lie in a range, and how far all are from its edge."""
    width = lon2 - lon1 + (360 if lon1 > lon2 else 0)
    count = int(np.clip(width * 8, 2, 1500))
    lon = (lon1 + np.linspace(0, width, count)) % 360
    lat = np.linspace(lat1, lat2, int(np.clip((lat2 - lat1) * 8, 2, 1500)))
    edges = [(lon, np.full(count, lat1)), (lon, np.full(count, lat2))]
    edges += [(np.full(len(lat), lon1 % 360), lat), (np.full(len(lat), lon2 % 360), lat)]
    x, y = (np.concatenate(values) for values in zip(*edges, strict=True))
    ra, dec = sky.places.ra.deg, sky.places.dec.deg
    east, west = ra >= lon1, ra <= lon2
    within = ((east | west) if lon1 > lon2 else (east & west)) & (dec >= lat1) & (dec <= lat2)
    within |= (width >= 360) & (dec >= lat1) & (dec <= lat2)
    return within, sky.distances(SkyCoord(x, y, unit="deg"))


@pytest.mark.parametrize(
    "limits",
    [
        (80, 90, 20, 25),
        (12.0, 12.5, 34.0, 36.0),
        (350, 10, -5, 5),
        (0, 360, -2, 2),
        (0, 360, 89, 90),
        (0, 360, -90, -60),
        (100, 300, 40, 90),
        (300, 100, -90, -45),
        (10, 200, -80, 70),
        (45, 46, -90, 90),
        (0, 359, 60, 61),
        (83.6, 83.6, 22, 22),
        (0, 350, 50, 50),
        (0, 0, -90, 90),
        (5, 95, 0, 30),
        (5, 95, -30, 0),
        (0, 360, 0, 0),
        (5, 5, -90, -90),
        (0, 10, 90, 90),
        (300, 300, 60, 90),
        (20, 140, -1e-9, 30),
        (20, 140, -30, 1e-12),
        (20, 140, 70, 89.9999999999),
        (20, 20.00000000001, -89.99999, -89.99999),
    ],
)
def test_ranges(sky: Sky, limits: tuple[float, float, float, float]) -> None:
    within, edge = in_range(sky, *limits)
    found = sky.found("RANGE {} {} {} {}".format(*limits))
    judged = np.where(within, (edge > TOUCHING) | (sky.radii > 0), np.abs(edge - sky.radii) > TOUCHING)
    assert judged.sum() > 290
    assert (found == (within | (edge <= sky.radii)))[judged].all()


@pytest.mark.parametrize(
    ("pos", "same"),
    [
        ("RANGE -Inf +Inf -Inf +Inf", "RANGE 0 360 -90 90"),
        ("RANGE 0 360 89.0 +Inf", "RANGE 0 360 89 90"),
        ("RANGE -Inf 20 10 20", "RANGE 0 20 10 20"),
        ("range 340 +Inf -Inf 20", "RANGE 340 360 -90 20"),
    ],
)
def test_open_ranges(sky: Sky, pos: str, same: str) -> None:
    assert (sky.found(pos) == sky.found(same)).all()
    assert sky.found("RANGE -Inf +Inf -Inf +Inf").all()


@pytest.mark.parametrize(
    "vertices",
    [
        [(80, 20), (90, 20), (90, 30), (80, 30)],
        [(350, -5), (10, -5), (10, 5), (350, 5)],
        [(0, 70), (120, 70), (240, 70)],
        [(200, -10), (230, -60), (170, -60)],
    ],
)
def test_polygons_in_either_order(sky: Sky, vertices: list[tuple[float, float]]) -> None:
    lon, lat = np.array(vertices, float).T
    xyz = SkyCoord(lon, lat, unit="deg").cartesian.xyz.value.T
    step = np.linspace(0, 1, 400)[:, np.newaxis]
    sides = list(zip(xyz, np.roll(xyz, -1, 0), strict=True))
    samples = np.concatenate([(1 - step) * a + step * b for a, b in sides])
    edge = sky.distances(SkyCoord(*samples.T, representation_type="cartesian"))
    places = sky.places.cartesian.xyz.value.T
    normals = [np.cross(a, b) * np.sign(np.cross(a, b) @ xyz.sum(axis=0)) for a, b in sides]
    within = np.all([places @ normal > 0 for normal in normals], axis=0)
    judged = np.where(within, (edge > TOUCHING) | (sky.radii > 0), np.abs(edge - sky.radii) > 2 * TOUCHING)
    for order in (vertices, vertices[::-1]):
        found = sky.found("POLYGON " + " ".join(f"{x} {y}" for x, y in order))
        assert (found == (within | (edge <= sky.radii)))[judged].all()


def test_two_places(sky: Sky) -> None:
    one, other = "CIRCLE 83.6 22 1", "RANGE 350 10 -5 5"
    answer = sky.client.get(
        "/sia/query",
        params={"POS": [one, other], "DPTYPE": "event-list", "RESPONSEFORMAT": "csv"},
    )
    assert len(answer.text.splitlines()) - 1 == (sky.found(one) | sky.found(other)).sum()


def test_the_sides_of_a_range_follow_its_parallels() -> None:
    """The middle of each side of the polygon is within 4 arcsec of the parallel."""
    numbers = meets("RANGE 10 20 0 45").partition("POLYGON(")[2].partition(")")[0]
    corners = np.array(list(map(float, numbers.split(",")))).reshape(-1, 2)
    along = SkyCoord(*corners[corners[:, 1] == 45].T, unit="deg")
    middle = along[:-1].cartesian + along[1:].cartesian
    off = np.abs(SkyCoord(middle).spherical.lat.deg - 45) * u.deg
    assert 3 * u.arcsec < off.max() < 4 * u.arcsec
