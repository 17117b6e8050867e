"""Cutouts of the served archive as users get them: pyvo follows the links, gammapy reads what comes."""

import io
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from gammapy.data import Observation
from pyvo.dal import DALServiceError, Record, TAPResults, TAPService
from pyvo.dal.adhoc import DatalinkRecord, DatalinkResults, SodaQuery

RUNS = {
    "hess_dr": ("hess-dl3-dr1/data/hess_dl3_dr1_obs_id_023523.fits.gz", "23523", (83.633, 22.014)),
    "cta_1dc": ("cta-1dc/data/baseline/gps/gps_baseline_110380.fits", "110380", (266.4, -29.0)),
}

CIRCLE = (83.633, 22.014, 0.5) * u.deg
BAND = ([10, 1] * u.TeV).to(u.m, u.spectral())
"""As intervals of wavelength are written: the highest energy first."""


@pytest.mark.parametrize("run", RUNS)
def test_from_a_query_to_an_analysis(archive: str, shared_data: Path, tmp_path: Path, run: str) -> None:
    file, obs_id, (lon, lat) = RUNS[run]
    found = TAPService(f"{archive}/tap").search(
        f"SELECT obs_publisher_did FROM ivoa.obscore WHERE obs_id = '{obs_id}'"
    )
    did = quote(found[0]["obs_publisher_did"], safe="")
    links = DatalinkResults.from_result_url(f"{archive}/datalink/links?ID={did}")
    service = next(proc for proc in links.iter_procs() if proc.access_url == f"{archive}/soda/sync")
    circle = (lon * u.deg, lat * u.deg, 0.5 * u.deg)
    shortest, longest = ([10, 0.5] * u.TeV).to(u.m, u.spectral())
    path = tmp_path / "cutout.fits"
    path.write_bytes(service.process(circle=circle, band=(shortest, longest)).read())

    whole = Table.read(shared_data / file, hdu="EVENTS")
    ra, dec, energy = (np.asarray(whole[name], np.float64) for name in ("RA", "DEC", "ENERGY"))
    near = (
        SkyCoord(ra, dec, unit="deg", frame="fk5").separation(SkyCoord(lon, lat, unit="deg")) <= 0.5 * u.deg
    )
    wanted = whole["EVENT_ID"][near & (energy >= 0.5) & (energy <= 10)]
    assert len(wanted) > 50
    with fits.open(path) as hdus:
        assert (hdus["EVENTS"].data["EVENT_ID"] == wanted).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        observation = Observation.read(path)
        assert len(observation.events.table) == len(wanted)
        assert set(observation.available_irfs) == {"aeff", "edisp", "psf", "bkg"}
        assert observation.gti.time_sum.to_value("s") == pytest.approx(whole.meta["ONTIME"])


@pytest.fixture(scope="module")
def crab(archive: str) -> TAPResults:
    return TAPService(f"{archive}/tap").search(
        "SELECT * FROM hess_dr.obscore WHERE target_name = 'Crab Nebula' ORDER BY obs_id"
    )


def event_ids(answer: Any) -> list[int]:
    with fits.open(io.BytesIO(answer.read())) as hdus:
        ids: list[int] = hdus["EVENTS"].data["EVENT_ID"].tolist()
        return ids


def selected(shared_data: Path, row: Record) -> list[int]:
    """What CIRCLE and BAND leave of an observation."""
    path = shared_data / f"hess-dl3-dr1/data/hess_dl3_dr1_obs_id_{int(row['obs_id']):06d}.fits.gz"
    whole = Table.read(path, hdu="EVENTS")
    ra, dec, energy = (np.asarray(whole[name], np.float64) for name in ("RA", "DEC", "ENERGY"))
    away = SkyCoord(ra, dec, unit="deg", frame="fk5").separation(SkyCoord(*CIRCLE[:2]))
    kept: list[int] = whole["EVENT_ID"][(away <= CIRCLE[2]) & (energy >= 1) & (energy <= 10)].tolist()
    return kept


def the_cutout(links: DatalinkResults) -> DatalinkRecord:
    return next(links.bysemantics("#cutout", include_narrower=False))


def test_rows_of_links_cut_out(crab: TAPResults, shared_data: Path) -> None:
    row = crab[0]
    wanted = selected(shared_data, row)
    assert len(wanted) > 50
    links = row.getdatalink()
    cutout, this = the_cutout(links), next(links.bysemantics("#this", include_narrower=False))
    assert event_ids(cutout.process(circle=CIRCLE, band=BAND)) == wanted
    assert event_ids(cutout.process(circle=CIRCLE, energy=(1000, 10000) * u.GeV)) == wanted
    for link in (cutout, this):
        assert event_ids(link.processed(circle=CIRCLE, band=BAND)) == wanted
    descriptor = links.get_adhocservice_by_ivoid("ivo://ivoa.net/std/SODA#sync")
    assert cutout.service_def == descriptor.ID
    query = SodaQuery.from_resource(cutout, descriptor)
    query.circle, query.band = CIRCLE, BAND
    assert event_ids(query.execute_stream()) == wanted


def test_links_of_many_rows_have_cutouts_of_their_own(crab: TAPResults, shared_data: Path) -> None:
    rows = {row["obs_publisher_did"]: row for row in crab}
    for links in crab.iter_datalinks():
        cutout = the_cutout(links)
        found = event_ids(cutout.process(circle=CIRCLE, band=BAND))
        assert found == selected(shared_data, rows.pop(cutout.id))
    assert rows == {}


def test_rows_of_results_cut_out(archive: str, crab: TAPResults, shared_data: Path) -> None:
    wanted = selected(shared_data, crab[0])
    assert event_ids(crab[0].processed(circle=CIRCLE, band=BAND)) == wanted
    assert event_ids(crab[0].processed(circle=CIRCLE, energy=(1, 10) * u.TeV)) == wanted
    query = "SELECT obs_publisher_did AS did FROM ivoa.obscore WHERE obs_id = '23523'"
    row = TAPService(f"{archive}/tap").search(query, responseformat="votable/b2")[0]
    assert event_ids(row.processed(circle=CIRCLE, band=BAND)) == wanted
    with pytest.raises(DALServiceError, match="UsageError"):
        row.processed(circle=(83.6, 22.0, -1) * u.deg)


def test_regions_of_other_shapes(crab: TAPResults) -> None:
    corners = (83.1, 21.5, 84.1, 21.5, 83.6, 22.5)
    cutout = the_cutout(crab[0].getdatalink())
    found = event_ids(cutout.processed(polygon=corners * u.deg))
    assert len(found) > 100
    assert event_ids(cutout.process(pos=f"POLYGON {' '.join(map(str, corners))}")) == found
    # pyvo takes no polygon whose numbers are not a multiple of three; as POS it goes.
    square = (83, 21.5, 84, 21.5, 84, 22.5, 83, 22.5)
    with pytest.raises(DALServiceError, match="multiple of 3"):
        cutout.process(polygon=square * u.deg)
    assert len(event_ids(cutout.process(pos=f"POLYGON {' '.join(map(str, square))}"))) > len(found)
