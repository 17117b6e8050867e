"""A gammapy DataStore from a query result: what gammapy's make_data_store_from_query_result relies on.

That function is newer than the gammapy that is installed. It downloads what `#this` and `#calibration` lead
to, once where all URLs are equal, and takes the format of each HDU from its header.
"""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import pyvo
from astropy.io import fits
from astropy.table import Table
from gammapy.data import DataStore

from tests.acceptance.test_links import IRFS, links_of

HDU_TYPES = {"EFF_AREA": "aeff", "EDISP": "edisp", "PSF": "psf", "RPSF": "psf", "BKG": "bkg"}
"""HDUCLAS2 -> HDU_TYPE, all that gammapy's function knows."""

TEXTS, NUMBERS = ("obs_mode",), ("ra_pnt", "dec_pnt", "alt_pnt", "az_pnt", "tstart", "tstop")

RELEASES = {
    "hess-dl3-dr1": ("SELECT * FROM hess_dr.obscore WHERE target_name = 'Crab Nebula'", "hess-dl3-dr1", 4),
    "cta-1dc": ("SELECT * FROM cta_1dc.obscore", "cta-1dc/index/gps", 4),
}
"""The query, where the index tables of the release lie, and how many observations there are."""


def download(row: pyvo.dal.Record, directory: Path) -> list[Path]:
    """The files of an observation, the same file once."""
    links = links_of(row)
    if len(set(links.values())) == 1:
        links = {"event-bundle": links["event-list"]}
    paths = []
    for name, url in links.items():
        ending = "".join(Path(urlsplit(url).path).suffixes)
        paths.append(directory / f"{row['obs_id']}-{name}{ending}")
        paths[-1].write_bytes(httpx.get(url).raise_for_status().content)
    return paths


def index_row(obs_id: int, path: Path, header: fits.Header) -> dict[str, object]:
    """A row of the hdu-index from what the header says, as gammapy's function makes it."""
    name = header["EXTNAME"]
    found = {"EVENTS": ("events", "events"), "GTI": ("gti", "gti")}.get(name)
    hdu_type, hdu_class = found or (HDU_TYPES[header["HDUCLAS2"].strip()], header["HDUCLAS4"].strip().lower())
    place = {"FILE_DIR": str(path.parent), "FILE_NAME": path.name, "HDU_NAME": name}
    return {"OBS_ID": obs_id, "HDU_TYPE": hdu_type, "HDU_CLASS": hdu_class, **place}


def data_store(result: pyvo.dal.TAPResults, directory: Path) -> DataStore:
    hdus, observations = [], []
    for row, told in zip(result, result.to_table(), strict=True):
        obs_id = int(row["obs_id"])
        texts = {name.upper(): str(told[name]) for name in TEXTS}
        observations.append(
            {"OBS_ID": obs_id, **texts, **{name.upper(): float(told[name]) for name in NUMBERS}}
        )
        for path in download(row, directory):
            with fits.open(path) as opened:
                hdus += [index_row(obs_id, path, hdu.header) for hdu in opened[1:]]
    Table(observations).write(directory / "obs-index.fits.gz")
    Table(hdus).write(directory / "hdu-index.fits.gz")
    return DataStore.from_dir(directory)


@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")  # the release writes 1/s/MeV/sr
@pytest.mark.parametrize("name", RELEASES)
def test_a_query_result_becomes_a_data_store(
    archive: str, shared_data: Path, tmp_path: Path, name: str
) -> None:
    query, place, count = RELEASES[name]
    ours = data_store(pyvo.dal.TAPService(f"{archive}/tap").search(query), tmp_path)
    theirs = DataStore.from_dir(shared_data / place)
    observations = ours.get_observations(required_irf="full-enclosure")
    assert len(observations) == len(ours.obs_ids) == count
    for observation in observations:
        own = theirs.obs(observation.obs_id)
        assert (observation.events.energy == own.events.energy).all()
        assert (observation.events.time == own.events.time).all()
        assert (observation.gti.time_start == own.gti.time_start).all()
        for irf in IRFS.values():
            assert type(getattr(observation, irf)) is type(getattr(own, irf))
            assert np.array_equal(getattr(observation, irf).data, getattr(own, irf).data)
        row = ours.obs_table[ours.obs_table["OBS_ID"] == observation.obs_id][0]
        for column in ("RA_PNT", "DEC_PNT", "TSTART", "TSTOP"):
            # The index of H.E.S.S., from which we have it, is in single precision.
            assert row[column] == pytest.approx(own.events.table.meta[column], rel=1e-7), column
