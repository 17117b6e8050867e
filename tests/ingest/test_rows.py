"""From facts to rows, with numbers worked out by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest import checks, rows
from ingest.facts import (
    EventColumn,
    Facts,
    FileFacts,
    HduLocation,
    Region,
    Resolution,
    Source,
    TimeMoc,
    TimeReference,
)
from ingest.store import dataset_tables
from schema.collection import Collection
from schema.constants import HC
from schema.model import Column
from schema.types import BIGINT, DOUBLE, INTEGER, REAL_ARRAY, VARCHAR

EVENTS, IRF = Path("/data/run 1#.fits"), Path("/data/irf.fits")
PRODUCTS = {
    "events": HduLocation(EVENTS, "EVENTS"),
    "gti": HduLocation(EVENTS, "GTI"),
    "psf": HduLocation(IRF, "PSF", "psf_table"),
    "bkg": HduLocation(IRF, "BKG"),
}
FACTS = Facts(
    source=Source(PRODUCTS),
    local_id="1/a",
    obs_id="1",
    products=PRODUCTS,
    files=(FileFacts(EVENTS, 2001, 0.0), FileFacts(IRF, 5000, 0.0)),
    problems=(),
    target="Crab Nebula",
    ra_obj=83.63,
    dec_obj=22.01,
    telescope="HESS",
    instrument="Phase I",
    origin="H.E.S.S. Collaboration",
    creator=None,
    created="2018-05-06T09:14:21",
    observer=None,
    n_tels=4,
    tellist="1,2,3,4",
    geolon=None,
    geolat=None,
    altitude=None,
    obs_mode="POINTING",
    tracking_mode="sidereal",
    scan_mode=None,
    pointing_mode="parallel",
    analysis_mode="std",
    event_type="1",
    ra_pnt=83.5,
    dec_pnt=-22.25,
    alt_pnt=None,
    az_pnt=None,
    fov=5.0,
    region=None,
    time=TimeReference(51910, 0.000742870370370241, "TT", "LOCAL", 1.0),
    tstart=100.0,
    tstop=1900.0,
    t_start=51910.25,
    t_stop=51910.5,
    gtis=((51910.25, 51910.5),),
    t_moc=TimeMoc(41, "41/1-3", ((2**20, 4 * 2**20),)),
    ontime=1800.0,
    livetime=1700.0,
    deadc=0.944,
    exposure=1700.0,
    n_events=42,
    columns=(
        EventColumn("RA", "1E", "deg", None),
        EventColumn("ENERGY", "1E", "GeV", None),
    ),
    o_ucd="pos.eq#time#em.energy",
    event_energy_min=1e12,
    event_energy_max=2e12,
    energy_min=1e11,
    energy_max=1e14,
    psf=Resolution(360.0, 1e12, 0.5),
    edisp=Resolution(8.0, 1.5e12, 1.0),
    rad_max=None,
    obs_index={"obs_id": 1, "quality": "0.0", "n_tels": 4.0, "moon": None, "note": "fog", "event_count": 41},
)
COLLECTION = Collection("HESS DR1", "hess", authority="org.example", release_date="2018-09-01T02:00:00+02:00")
TABLES = dataset_tables(COLLECTION)


def dataset(
    collection: Collection = COLLECTION, extras: tuple[Column, ...] = (), **facts: Any
) -> rows.Dataset:
    columns = (*TABLES["obs_index"].columns, *extras)
    return rows.dataset(replace(FACTS, **facts), collection, columns)


def test_obscore() -> None:
    row = dataset().obscore
    expected = {
        "obs_publisher_did": "ivo://org.example/HESS%20DR1?1/a",
        "dataset": "ivo://org.example/HESS%20DR1?1/a",
        "publisher_id": "ivo://org.example",
        "dataproduct_type": "event-list",
        "calib_level": 2,
        "obs_collection": "HESS DR1",
        "obs_id": "1",
        "obs_title": "HESS DR1, observation 1/a of Crab Nebula",
        "target_name": "Crab Nebula",
        "obs_creation_date": "2018-05-06T09:14:21",
        "obs_release_date": "2018-09-01T00:00:00",
        "obs_creator_name": "H.E.S.S. Collaboration",
        "data_rights": "public",
        "access_path": "/files/hess/1%2Fa/run%201%23.fits",
        "access_format": "application/x-fits-gadf",
        "access_estsize": 3,
        **{"s_ra": 83.5, "s_dec": -22.25, "s_fov": 5.0, "s_region": "Circle ICRS 83.5 -22.25 2.5"},
        **{"s_resolution": 360.0, "s_ucd": "pos.eq", "s_unit": "deg"},
        **{"s_xel1": -1, "s_xel2": -1, "t_xel": -1, "em_xel": -1, "pol_xel": 0},
        **{"t_min": 51910.25, "t_max": 51910.5, "t_exptime": 1700.0},
        **{"s_calib_status": "calibrated", "t_calib_status": "calibrated", "em_calib_status": "calibrated"},
        **{"em_ucd": "em.energy", "em_unit": "GeV", "em_res_power": 8.0, "o_ucd": "pos.eq#time#em.energy"},
        **{"facility_name": "HESS", "instrument_name": "Phase I"},
    }
    # hc = 1.23984198e-6 eV m: 100 TeV, 100 GeV, and 1.5 TeV / 8
    wavelengths = {"em_min": 1.23984198e-20, "em_max": 1.23984198e-17, "em_resolution": 1.03320165e-19}
    found = {name: value for name, value in row.items() if value is not None}
    assert {name: found.pop(name) for name in wavelengths} == pytest.approx(wavelengths, rel=1e-8)
    assert found == expected
    assert set(row) <= {c.name for c in TABLES["obscore"].stored} | {h.name for h in TABLES["obscore"].hidden}


def test_obscore_hea() -> None:
    found = {name: value for name, value in dataset().obscore_hea.items() if value is not None}
    assert found == {
        "obs_publisher_did": "ivo://org.example/HESS%20DR1?1/a",
        "ev_xel": 42,
        **{"s_ref_energy": 1e12, "s_ref_oaa": 0.5, "em_ref_energy": 1.5e12, "em_ref_oaa": 1.0},
        **{"t_intervals": "41/1-3", "intervals": ((2**20, 4 * 2**20),)},
        **{"energy_min": 1e11, "energy_max": 1e14},
        **{"obs_mode": "POINTING", "tracking_mode": "sidereal", "pointing_mode": "parallel"},
        **{"analysis_mode": "std", "event_type": "1"},
        **{"messenger_name": "photon", "messenger_pdgid": "+22"},
    }


def test_obs_index_holds_what_was_stated_in_the_types_of_its_columns() -> None:
    extras = (Column("note", VARCHAR), Column("moon", DOUBLE))
    found = dataset(extras=extras).obs_index
    assert found == {
        "obs_publisher_did": "ivo://org.example/HESS%20DR1?1/a",
        **{"obs_id": "1", "quality": 0, "n_tels": 4, "note": "fog", "event_count": 41},
        **{
            "tstart": 100.0,
            "tstop": 1900.0,
            "mjdrefi": 51910,
            "mjdreff": 0.000742870370370241,
            "timesys": "TT",
        },
        **{"event_energy_min": 1.0, "event_energy_max": 2.0},
    }
    assert type(found["quality"]) is type(found["n_tels"]) is int


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (INTEGER, "4.0", 4),
        (INTEGER, 3.7, None),
        (INTEGER, "many", None),
        (BIGINT, 2**60 + 1, 2**60 + 1),
        (DOUBLE, "1e3", 1000.0),
        (DOUBLE, float("nan"), None),
        (DOUBLE, (1.0, 2.0), None),
        (VARCHAR, 5, "5"),
        (VARCHAR, (1, 2), "[1, 2]"),
        (REAL_ARRAY, (1.0, 2.0), [1.0, 2.0]),
        (REAL_ARRAY, 1.0, None),
    ],
)
def test_values_of_another_kind(kind: Any, value: Any, stored: Any) -> None:
    assert dataset(extras=(Column("x", kind),), obs_index={"X": value}).obs_index.get("x") == stored


def test_times_of_a_file_that_counts_in_days_are_stored_in_seconds() -> None:
    row = dataset(time=replace(FACTS.time, unit=86400.0), tstart=1.0, tstop=1.5).obs_index
    assert (row["tstart"], row["tstop"]) == (86400.0, 129600.0)


def test_the_directional_cut_is_kept() -> None:
    assert dataset(rad_max=Resolution(0.1, 1e12, 0.4)).obs_index["rad_max"] == 0.1


def test_the_collection_speaks_for_the_files() -> None:
    collection = replace(
        COLLECTION,
        **{"facility": "F", "instrument": "I", "creators": ("A", "B"), "calib_level": 1, "simulated": True},
        **{"reference": "2018X", "data_rights": "secure", "target_class": "AGN", "field_of_view": 4.0},
    )
    row = dataset(collection).obscore
    assert (row["facility_name"], row["instrument_name"], row["obs_creator_name"]) == ("F", "I", "A, B")
    assert (row["calib_level"], row["s_calib_status"]) == (1, "uncalibrated")
    assert row["obs_title"] == "Simulated: HESS DR1, observation 1/a of Crab Nebula"
    assert (row["bib_reference"], row["data_rights"], row["target_class"]) == ("2018X", "secure", "AGN")
    assert (row["s_fov"], row["s_region"]) == (4.0, "Circle ICRS 83.5 -22.25 2.0")


def test_what_is_not_known_is_null() -> None:
    names = "target telescope instrument origin created ra_pnt dec_pnt fov gtis exposure o_ucd energy_min"
    names += " energy_max psf edisp event_energy_min event_energy_max"
    unknown = dict.fromkeys(names.split())
    found = dataset(replace(COLLECTION, release_date=None), columns=(), obs_index={}, **unknown)
    nulls = {"target_name", "facility_name", "instrument_name", "obs_creator_name", "obs_creation_date"}
    nulls |= {"s_ra", "s_dec", "s_fov", "s_region", "s_resolution", "t_exptime", "em_min", "em_max", "o_ucd"}
    assert {name for name in nulls if found.obscore[name] is not None} == set()
    assert found.obscore["obs_release_date"] is None
    assert (found.obscore["s_unit"], found.obscore["em_unit"]) == ("deg", "TeV")
    assert (found.obscore_hea["t_intervals"], found.obscore_hea["intervals"]) == (None, None)
    assert checks.problems(found, TABLES) == []


def test_maps_have_polygons() -> None:
    region = Region(((10.0, 1.0), (20.5, 1.0), (15.0, -2.0)), 15.0, 0.5, 11.0)
    row = dataset(region=region, ra_pnt=None, dec_pnt=None).obscore
    assert (row["s_ra"], row["s_dec"]) == (15.0, 0.5)
    assert row["s_region"] == "Polygon ICRS 10.0 1.0 20.5 1.0 15.0 -2.0"


def test_other_particles_have_energies_but_no_wavelengths() -> None:
    found = dataset(replace(COLLECTION, messenger="neutrino"))
    assert not {"em_min", "em_max", "em_resolution"} & set(found.obscore)
    assert (found.obscore_hea["energy_min"], found.obscore_hea["messenger_pdgid"]) == (1e11, "+12")


def test_response_functions_as_datasets() -> None:
    collection = replace(COLLECTION, product_rows=("event-list", "psf", "aeff"))
    found = dataset(collection)
    assert sorted(found.products) == ["bkgrate", "event-list", "gti", "psf"]
    (psf,) = found.responses
    assert psf.product == "psf"
    changed = {k: v for k, v in psf.obscore.items() if v != found.obscore[k]}
    assert changed == {
        "obs_publisher_did": "ivo://org.example/HESS%20DR1?1/a/psf",
        "dataproduct_type": "response-function",
        "dataproduct_subtype": "psf",
        "obs_title": "HESS DR1, observation 1/a of Crab Nebula: psf",
        "access_path": "/files/hess/1%2Fa/psf/irf.fits",
        "access_estsize": 5,
        **dict.fromkeys(("s_xel1", "s_xel2", "t_xel", "em_xel", "o_ucd")),
    }
    assert psf.obscore_hea == {
        **found.obscore_hea,
        "obs_publisher_did": changed["obs_publisher_did"],
        "ev_xel": None,
    }
    assert found.digest() != dataset().digest()


def test_digests_tell_changes() -> None:
    one = dataset().digest()
    assert dataset().digest() == one
    assert dataset(n_events=43).digest() != one
    assert dataset(obs_index={}).digest() != one
    moved = {**PRODUCTS, "bkg": HduLocation(IRF, "BKG2")}
    assert dataset(products=moved).digest() != one


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"ra_pnt": 360.0}, "obscore.s_ra = 360.0: 0 to 360 degrees wanted"),
        ({"dec_pnt": -90.5}, "obscore.s_dec = -90.5: -90 to 90 degrees wanted"),
        ({"fov": 0.0}, "obscore.s_fov = 0.0: above 0 and up to 360 degrees wanted"),
        ({"exposure": -1.0}, "obscore.t_exptime = -1.0: seconds from 0 wanted"),
        ({"t_start": 51911.0}, "obscore.t_min = 51911.0 is above t_max = 51910.5"),
        ({"t_start": float("nan")}, "obscore.t_min = nan: a finite number wanted"),
        ({"psf": Resolution(0.0, 1e12, 0.5)}, "obscore.s_resolution = 0.0: arcsec above 0 wanted"),
        ({"n_events": -1}, "obscore_hea.ev_xel = -1: a count from 0 wanted"),
        ({"n_events": "5"}, "obscore_hea.ev_xel = '5': BIGINT wanted"),
        ({"obs_id": None}, "obscore.obs_id is missing"),
        ({"target": 5}, "obscore.target_name = 5: VARCHAR wanted"),
    ],
)
def test_checks(facts: dict[str, Any], message: str) -> None:
    assert message in checks.problems(dataset(**facts), TABLES)


def test_checks_find_all_at_once_and_nothing_in_good_rows() -> None:
    assert checks.problems(dataset(), TABLES) == []
    assert checks.problems(dataset(energy_min=2e14, exposure=-1.0), TABLES) == [
        "obscore.t_exptime = -1.0: seconds from 0 wanted",
        f"obscore.em_min = {HC / 1e14!r} is above em_max = {HC / 2e14!r}",
        "obscore_hea.energy_min = 200000000000000.0 is above energy_max = 100000000000000.0",
    ]
    array = {
        **TABLES,
        "obs_index": dataset_tables(replace(COLLECTION, obs_index_extras=(Column("x", REAL_ARRAY),)))[
            "obs_index"
        ],
    }
    found = dataset()
    assert checks.problems(replace(found, obs_index={**found.obs_index, "x": 5}), array) == [
        "obs_index.x = 5: an array wanted"
    ]
