"""Facts of spectra, light curves and profiles -> rows. Pure: no files, no database."""

from typing import Final

from ingest.fluxpoints import FluxFacts
from ingest.rows import PRODUCTS, Dataset, Row, access, cell_of_position, identity
from schema.collection import MESSENGERS, Collection
from schema.constants import HC
from schema.products import LIGHT_CURVE, PROFILE, SPECTRUM

CALIB_LEVEL: Final = 4
"""Analysis products (ObsCore 1.1, section 3.3.2)."""

MEDIA_TYPE: Final = "application/fits"

TITLES: Final = {SPECTRUM: "spectrum", LIGHT_CURVE: "light curve", PROFILE: "profile"}


def dataset(facts: FluxFacts, collection: Collection) -> Dataset:
    """The rows of one dataset; it is in no observation index."""
    did = collection.publisher_did(facts.local_id)
    return Dataset(
        local_id=facts.local_id,
        obs_publisher_did=did,
        obscore={"obs_publisher_did": did, "dataset": did, **obscore(facts, collection)},
        obscore_hea={"obs_publisher_did": did, **obscore_hea(facts, collection)},
        obscore_healpix={"obs_publisher_did": did, **obscore_healpix(facts)},
        obs_index={},
        products={PRODUCTS[kind]: place for kind, place in facts.products.items()},
    )


def obscore(facts: FluxFacts, collection: Collection) -> Row:
    """The row of ivoa.obscore (ObsCore 1.1, sections 3 and 4), without obs_publisher_did.

    dataproduct_type is a term of the vocabulary http://www.ivoa.net/rdf/product-type.
    """
    kind = facts.source.kind
    return {
        **identity(facts, collection, TITLES[kind]),
        "dataproduct_type": PRODUCTS[kind],
        "dataproduct_subtype": facts.sed_type,
        "calib_level": CALIB_LEVEL,
        "obs_id": facts.local_id,
        **access(facts, collection, facts.source.path, MEDIA_TYPE),
        "s_ra": facts.ra,
        "s_dec": facts.dec,
        "s_xel1": facts.places,
        "s_xel2": 1,
        "s_ucd": "pos.eq",
        "t_min": facts.t_start,
        "t_max": facts.t_stop,
        "t_exptime": facts.exposure,
        "t_xel": facts.bins,
        "t_calib_status": "calibrated",
        **_energy(facts, collection),
        "o_ucd": facts.flux_ucd,
        "o_unit": facts.flux_unit,
        "o_calib_status": "absolute",
        "pol_xel": 0,
    }


def _energy(facts: FluxFacts, collection: Collection) -> Row:
    """Wavelengths hold for photons only, as they do for event lists."""
    photons = collection.messenger == "photon"
    return {
        "em_min": HC / facts.energy_max if photons else None,
        "em_max": HC / facts.energy_min if photons else None,
        "em_xel": facts.points,
        "em_ucd": "em.energy",
        "em_unit": facts.energy_unit,
        "em_calib_status": "calibrated",
    }


def obscore_hea(facts: FluxFacts, collection: Collection) -> Row:
    """The row of ivoa.obscore_hea (extension draft of 2026-08-03), without obs_publisher_did."""
    return {
        "t_intervals": facts.good.text if facts.good else None,
        "intervals": facts.good.ranges if facts.good else None,
        "energy_min": facts.energy_min,
        "energy_max": facts.energy_max,
        "messenger_name": collection.messenger,
        "messenger_pdgid": MESSENGERS[collection.messenger],
    }


def obscore_healpix(facts: FluxFacts) -> Row:
    """The row of ivoa.obscore_healpix, without obs_publisher_did; a flux has no region of its own."""
    return {
        **cell_of_position(facts.ra, facts.dec),
        "times": facts.good.ranges if facts.good else None,
        "times_order": facts.good.order if facts.good else None,
    }
