"""From a query to data that gammapy opens, by the links alone; and STILTS on the links."""

import re
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import numpy as np
import pytest
import pyvo
import requests
from gammapy.data import DataStore, Observation
from gammapy.irf import EffectiveAreaTable2D

from tests.acceptance.test_validators import stilts

CRAB = "SELECT * FROM hess_dr.obscore WHERE target_name = 'Crab Nebula'"
HESS, CTA = "ivo://x-unregistered/HESS-DL3-DR1?23523", "ivo://x-unregistered/cta-1dc?110380"
IRFS = {"aeff": "aeff", "edisp": "edisp", "psf": "psf", "bkgrate": "bkg"}

KNOWN = {"package", "documentation"}
"""Terms that are newer than STILTS 3.4.7, told in README.md."""


def links_of(row: pyvo.dal.Record) -> dict[str, str]:
    """content_qualifier -> URL, of the event list and its response functions."""
    links = row.getdatalink()
    wanted = [*links.bysemantics("#this", include_narrower=False)]
    wanted += links.bysemantics("#calibration", include_narrower=False)
    return {link["content_qualifier"]: link["access_url"] for link in wanted}


def test_crab_from_a_query_to_gammapy(archive: str, shared_data: Path, tmp_path: Path) -> None:
    found = pyvo.dal.TAPService(f"{archive}/tap").search(CRAB)
    release = DataStore.from_dir(shared_data / "hess-dl3-dr1")
    assert len(found) == 4
    for row in found:
        links = links_of(row)
        assert set(links) == {"event-list", *IRFS}
        assert len(set(links.values())) == 1
        path = tmp_path / f"{row['obs_id']}.fits.gz"
        path.write_bytes(httpx.get(links["event-list"]).content)
        observation, own = Observation.read(path), release.obs(int(row["obs_id"]))
        assert (observation.events.energy == own.events.energy).all()
        assert (observation.gti.time_start == own.gti.time_start).all()
        for name in IRFS.values():
            assert np.array_equal(getattr(observation, name).data, getattr(own, name).data)


def test_response_functions_of_cta_come_alone(archive: str, shared_data: Path, tmp_path: Path) -> None:
    row = pyvo.dal.TAPService(f"{archive}/tap").search("SELECT * FROM cta_1dc.obscore")[0]
    links = links_of(row)
    assert len(set(links.values())) == 5
    for qualifier in IRFS:
        assert links[qualifier].endswith(f"&PRODUCT={qualifier}")
    path = tmp_path / "aeff.fits"
    path.write_bytes(httpx.get(links["aeff"]).content)
    own = DataStore.from_dir(shared_data / "cta-1dc/index/gps").obs(int(row["obs_id"])).aeff
    assert np.array_equal(EffectiveAreaTable2D.read(path).data, own.data)


@pytest.mark.parametrize("form", ["votable", "votable/td", "votable/b"])
def test_results_lead_to_links(archive: str, session: requests.Session, form: str) -> None:
    query = 'SELECT obs_id, o.obs_publisher_did AS "the id" FROM ivoa.obscore AS o'
    service = pyvo.dal.TAPService(f"{archive}/tap", session=session)
    result = service.search(query, responseformat=form)
    assert next(link["ID"] for link in result[0].getdatalink()) == result[0]["the id"]
    by_id = {links[0]["ID"]: len(links) for links in result.iter_datalinks()}
    assert set(by_id) == set(result["the id"])
    parameters = urlencode({"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form})
    url = f"{archive}/tap/sync?{parameters}"
    assert stilts("votlint", f"votable={url}").strip() == ""
    copied = stilts("tpipe", f"in={url}", "ifmt=votable", "ofmt=votable", "out=-")
    assert f'value="{archive}/datalink/links"' in copied
    with pytest.raises(pyvo.dal.DALServiceError):
        service.search("SELECT obs_id FROM ivoa.obscore", responseformat=form)[0].getdatalink()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pyvo forgets a connection
def test_a_job_leads_to_links(archive: str, session: requests.Session) -> None:
    job = pyvo.dal.TAPService(f"{archive}/tap", session=session).submit_job(CRAB)
    job.run().wait(timeout=60)
    assert len(job.fetch_result()[0].getdatalink()) > 10
    job.delete()


@pytest.mark.parametrize("ids", [[HESS], [HESS, CTA], [], ["ivo://nobody/knows?this"]])
def test_datalinklint(archive: str, ids: list[str]) -> None:
    url = f"{archive}/datalink/links?" + "&".join(f"ID={quote(did, safe='')}" for did in ids)
    report = stilts("datalinklint", f"votable={url}")
    faults = re.findall(r"^[EFW]-.*$", report, re.MULTILINE)
    unknown = [re.match(r"E-SMCO-\w+ Unknown predicate '(\w+)'", fault) for fault in faults]
    assert {match[1] if match else "" for match in unknown} <= KNOWN, report
    assert "Datalink table rows checked" in report
    assert stilts("votlint", f"votable={url}").strip() == ""
