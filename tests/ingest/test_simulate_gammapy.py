"""The simulated release, judged with gammapy: it opens, and the events are those its models predict."""

from collections.abc import Iterator

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.utils import iers
from gammapy.data import DataStore, Observation, Observations
from gammapy.datasets import MapDataset, SpectrumDataset
from gammapy.makers import MapDatasetMaker, SpectrumDatasetMaker
from gammapy.maps import MapAxis, RegionGeom, WcsGeom
from gammapy.modeling.models import PowerLawSpectralModel, SkyModel
from regions import CircleSkyRegion

from ingest.simulate import simulate_release

SPECTRA = {
    "Simulated Crab-like source": (3.45e-11, 2.6),
    "Simulated extragalactic source": (4.0e-12, 3.0),
    "Simulated northern source": (7.0e-12, 2.4),
}
TRUE_ENERGY = MapAxis.from_energy_bounds(0.05 * u.TeV, 100 * u.TeV, 60, name="energy_true")


@pytest.fixture(scope="module", autouse=True)
def _no_network() -> Iterator[None]:
    with iers.conf.set_temp("auto_download", False):
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    return DataStore.from_dir(simulate_release(tmp_path_factory.mktemp("gammapy") / "release", 5, seed=11))


@pytest.fixture(scope="module")
def observations(store: DataStore) -> Observations:
    return store.get_observations(required_irf="full-enclosure")


def energy_axis(observation: Observation) -> MapAxis:
    low = observation.aeff.meta["LO_THRES"] * u.TeV
    return MapAxis.from_energy_bounds(low, 50 * u.TeV, 16)


def target(store: DataStore, observation: Observation) -> tuple[str, SkyCoord]:
    row = store.obs_table.select_obs_id(observation.obs_id)[0]
    return str(row["OBJECT"]), SkyCoord(row["RA_OBJ"], row["DEC_OBJ"], unit="deg")


def test_every_observation_loads_with_its_response(observations: Observations) -> None:
    assert len(observations) == 5
    for observation in observations:
        assert sorted(observation.available_irfs) == ["aeff", "bkg", "edisp", "psf"]
        assert observation.aeff.tag == "aeff_2d"
        assert observation.edisp.data.shape == (33, 160, 5)
        assert observation.psf.tag == "psf_table"
        assert observation.bkg.data.shape == (33, 25, 25)
        assert observation.bkg.fov_alignment.value == "RADEC"
        assert observation.gti.time_sum.to_value("s") == pytest.approx(
            observation.observation_time_duration.to_value("s")
        )


def test_counts_at_the_sources_are_those_predicted(store: DataStore, observations: Observations) -> None:
    counts: dict[str, np.ndarray] = {}
    for observation in observations:
        name, position = target(store, observation)
        if name not in SPECTRA:
            continue
        geom = RegionGeom.create(CircleSkyRegion(position, 0.2 * u.deg), axes=[energy_axis(observation)])
        maker = SpectrumDatasetMaker(
            selection=["counts", "exposure", "edisp", "background"], containment_correction=True
        )
        dataset = maker.run(SpectrumDataset.create(geom, energy_axis_true=TRUE_ENERGY, name="x"), observation)
        flux, index = SPECTRA[name]
        law = PowerLawSpectralModel(amplitude=flux * u.Unit("cm-2 s-1 TeV-1"), index=index)
        dataset.models = [SkyModel(law, datasets_names="x")]
        found = [dataset.counts, dataset.npred_signal(), dataset.npred_background()]
        counts[name] = counts.get(name, 0.0) + np.array([float(part.data.sum()) for part in found])
    assert counts.keys() == SPECTRA.keys()
    for seen, signal, background in counts.values():
        assert abs(seen - signal - background) < 4.0 * np.sqrt(signal + background)
    seen, signal, background = counts["Simulated Crab-like source"]
    assert signal > 5.0 * background
    assert seen - background > 15.0 * np.sqrt(background)


def test_counts_of_the_off_field_are_background(store: DataStore, observations: Observations) -> None:
    (off,) = (o for o in observations if target(store, o)[0] == "Simulated off field")
    geom = WcsGeom.create(
        skydir=off.get_pointing_icrs(off.tmid), width=5.2 * u.deg, binsz=0.1, axes=[energy_axis(off)]
    )
    empty = MapDataset.create(geom, energy_axis_true=TRUE_ENERGY)
    dataset = MapDatasetMaker(selection=["counts", "background"]).run(empty, off)
    seen, expected = float(dataset.counts.data.sum()), float(dataset.npred_background().data.sum())
    assert expected > 500
    assert abs(seen - expected) < 4.0 * np.sqrt(expected)
