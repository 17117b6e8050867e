"""Cone search and SIA on real releases: astropy measures what pyvo and STILTS get."""

from pathlib import Path
from urllib.parse import urlencode

import pytest
import pyvo
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from tests.acceptance.test_validators import stilts

RELEASES = {
    "hess_dr": "hess-dl3-dr1/obs-index.fits.gz",
    "cta_1dc": "cta-1dc/index/gps/obs-index.fits.gz",
}
"""Collection -> the observation index of its release, which says where the array pointed."""

CENTRES = [("hess_dr", "Crab Nebula"), ("cta_1dc", "Galactic Centre")]


def pointings(shared_data: Path, schema: str) -> tuple[list[str], SkyCoord]:
    index = Table.read(shared_data / RELEASES[schema])
    return [str(n) for n in index["OBS_ID"]], SkyCoord(index["RA_PNT"], index["DEC_PNT"], unit="deg")


@pytest.mark.parametrize("radius", [0.0, 0.4, 2.0, 15.0, 180.0])
@pytest.mark.parametrize("place", [(83.633, 22.014), (266.417, -29.006), (0.0, 90.0), (359.99, -89.0)])
@pytest.mark.parametrize("schema", RELEASES)
def test_cones(
    archive: str, shared_data: Path, schema: str, place: tuple[float, float], radius: float
) -> None:
    centre = SkyCoord(*place, unit="deg")
    rows = pyvo.dal.SCSService(f"{archive}/scs/{schema}?").search(centre, radius * u.deg)
    names, pointed = pointings(shared_data, schema)
    within = {
        name: where
        for name, where in zip(names, pointed, strict=True)
        if centre.separation(where) <= radius * u.deg
    }
    published = {row["obs_id"]: row.pos for row in rows}
    assert set(published) <= set(names)
    assert set(published) >= set(within) & all_published(archive, schema)
    for name, where in published.items():
        assert centre.separation(where) <= (radius + 1e-6) * u.deg
        assert where.separation(pointed[names.index(name)]) < 0.1 * u.arcsec


def all_published(archive: str, schema: str) -> set[str]:
    found = pyvo.dal.TAPService(f"{archive}/tap").search(f"SELECT obs_id FROM {schema}.obscore")
    return set(found["obs_id"])


@pytest.mark.parametrize("verbosity", [1, 2, 3])
def test_stilts_on_cones(archive: str, verbosity: int) -> None:
    asked = [f"serviceurl={archive}/scs/hess_dr?", "lon=83.633", "lat=22.014", f"verb={verbosity}"]
    assert "rows: 4" in stilts("cone", *asked, "radius=2", "omode=count")
    assert "SR is the radius in decimal degrees" in stilts("cone", *asked, "radius=-2", "omode=count")
    for place in ({"RA": 83.633, "DEC": 22.014, "SR": 2}, {"RA": 0, "DEC": 90, "SR": 0}):
        query = urlencode({**place, "VERB": verbosity})
        assert stilts("votlint", f"votable={archive}/scs/hess_dr?{query}").strip() == ""


def test_stilts_crossmatches_many_positions(archive: str, tmp_path: Path) -> None:
    path = tmp_path / "sources.vot"
    Table({"name": ["Crab", "nothing"], "ra": [83.633, 10.0], "dec": [22.014, 80.0]}).write(
        path, format="votable"
    )
    found = stilts(
        *("coneskymatch", f"in={path}", "ra=ra", "dec=dec", "sr=2"),
        *(f"serviceurl={archive}/scs/hess_dr?", "find=all", "omode=count"),
    )
    assert "rows: 4" in found, found


def test_votlint_on_images(archive: str) -> None:
    for wanted in ({"DPTYPE": "event-list", "POS": "CIRCLE 83.633 22.014 2"}, {"MAXREC": 0}, {}):
        assert stilts("votlint", f"votable={archive}/sia/query?{urlencode(wanted)}").strip() == ""
    asked = [f"serviceurl={archive}/sia/query", "servicetype=sia2", "dataformat=", "radius=1"]
    assert "rows: 4" in stilts("cone", *asked, "lon=83.633", "lat=22.014", "omode=count")


def test_pyvo_finds_event_lists_as_images(archive: str, shared_data: Path) -> None:
    service = pyvo.dal.SIA2Service(f"{archive}/sia")
    crab = SkyCoord(83.633, 22.014, unit="deg")
    rows = service.search(pos=(crab, 0.1 * u.deg), collection="HESS-DL3-DR1")
    assert len(rows) == 4
    assert {row.target_name for row in rows} == {"Crab Nebula"}
    for row in rows:
        assert crab.separation(SkyCoord(row.s_ra, row.s_dec)) < row.s_fov / 2 + 0.1 * u.deg
    assert len(rows[0].getdatalink()) > 10
    both = service.search(maxrec=1000)
    assert set(both["obs_collection"]) == {"HESS-DL3-DR1", "cta-1dc"}
    assert len(service.search(collection="HESS-DL3-DR1", data_type="image")) == 0
