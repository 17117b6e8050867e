"""Bundles of the real releases, opened by gammapy, beside the releases themselves."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gammapy.data import DataStore

INDEX = {"cta-1dc": "cta-1dc/index/gps", "hess-dl3-dr1": "hess-dl3-dr1"}
"""Where the index tables of a release lie."""

QUERIES = {
    "hess-dl3-dr1": "SELECT obs_publisher_did FROM hess_dr.obscore",
    "cta-1dc": "SELECT obs_publisher_did FROM cta_1dc.obscore",
}


def bundle(archive: str, adql: str, directory: Path) -> DataStore:
    answer = httpx.get(f"{archive}/bundles", params={"QUERY": adql}, timeout=60)
    assert answer.status_code == 200, answer.text
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as packed:
        packed.extractall(directory, filter="data")
    (found,) = directory.iterdir()
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=found, check=True)
    return DataStore.from_dir(found)


@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")  # the release writes 1/s/MeV/sr
@pytest.mark.parametrize(("release", "count"), [("hess-dl3-dr1", 105), ("cta-1dc", 4)])
def test_a_bundle_is_what_the_release_is(
    archive: str, shared_data: Path, tmp_path: Path, release: str, count: int
) -> None:
    ours = bundle(archive, QUERIES[release], tmp_path)
    theirs = DataStore.from_dir(shared_data / INDEX[release])
    assert len(ours.obs_table) == len(ours.obs_ids) == count
    assert sorted(ours.obs_ids) == sorted(theirs.obs_ids)
    for obs_id in ours.obs_ids:
        got, wanted = ours.obs(obs_id), theirs.obs(obs_id)
        assert got.available_irfs == wanted.available_irfs
        assert len(got.events.table) == len(wanted.events.table)
        assert (got.events.energy == wanted.events.energy).all()
        assert got.gti.time_sum == wanted.gti.time_sum
    first = ours.obs_ids[0]
    for name in ours.obs(first).available_irfs:
        np.testing.assert_array_equal(response(ours, first, name), response(theirs, first, name))


def response(store: DataStore, obs_id: int, name: str) -> Any:
    return getattr(store.obs(obs_id), name).data


def test_both_releases_in_one_bundle(archive: str, tmp_path: Path) -> None:
    store = bundle(archive, "SELECT obs_publisher_did FROM ivoa.obscore", tmp_path)
    observations = store.get_observations()
    assert len(observations) == 109
    shared = {location.path(abs_path=False).name for location in map(aeff_of(store), (110380, 111140))}
    assert shared == {"irf_file.fits"}
    assert len(list(tmp_path.rglob("irf_file.fits"))) == 1
    for row in store.obs_table:
        start = store.obs(int(row["OBS_ID"])).events.observation_time_start
        assert abs((store.obs_table.time_ref - start).to_value("s") + row["TSTART"]) < 1e-4


def aeff_of(store: DataStore) -> Any:
    return lambda obs_id: store.hdu_table.hdu_location(obs_id=obs_id, hdu_type="aeff")
