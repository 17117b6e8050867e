"""Facts -> rows. Pure: no files, no database."""

import hashlib
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ingest.facts import Facts, HduLocation
from ingest.fitstypes import published_name
from ingest.fluxpoints import FluxFacts
from moc import shapes
from moc.text import ascii_moc
from schema.collection import MESSENGERS, Collection
from schema.constants import EV_PER_TEV, HC
from schema.model import Column
from schema.products import EVENT_LIST, FLUX_POINTS, HDU_TYPES
from schema.types import DOUBLE, REAL, VARCHAR

PRODUCTS: Final = {
    **{hdu_type: product for product, hdu_type in HDU_TYPES.items()},
    **{product: product for product in FLUX_POINTS},
}
"""HDU_TYPE of GADF, or kind of flux points -> name of the product."""

MEDIA_TYPE: Final = "application/x-fits-gadf"
"""access_format of the files of event lists."""

POSITION_ORDER: Final = 12
"""Order of the HEALPix cells of pointings: 0.86 arcmin."""

UNKNOWN_QUALITY: Final = -1
"""What GADF has the index say where nothing is known; gammapy refuses an index with a NULL there."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """The rows of one dataset, by table; an empty row stands for none."""

    local_id: str
    obs_publisher_did: str
    obscore: Row
    obscore_hea: Row
    obscore_healpix: Row
    obs_index: Row
    products: dict[str, HduLocation] = field(default_factory=dict)
    responses: tuple["Response", ...] = ()

    def digest(self) -> str:
        """A checksum of the rows, to tell whether reading again gave anything new."""
        rows = [self.obscore, self.obscore_hea, self.obscore_healpix, self.obs_index]
        rows.append({k: str(v) for k, v in self.products.items()})
        rows += [{"product": r.product, **r.obscore, **r.obscore_hea} for r in self.responses]
        return hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Response:
    """The rows of a response function that the collection publishes as a dataset of its own."""

    product: str
    obscore: Row
    obscore_hea: Row
    obscore_healpix: Row


def dataset(facts: Facts, collection: Collection, obs_index_columns: tuple[Column, ...]) -> Dataset:
    """The rows of one dataset; `obs_index_columns` are those of the collection's obs_index table."""
    did = collection.publisher_did(facts.local_id)
    core = {"obs_publisher_did": did, "dataset": did, **obscore(facts, collection)}
    extension = {"obs_publisher_did": did, **obscore_hea(facts, collection)}
    cells = {"obs_publisher_did": did, **obscore_healpix(facts, core)}
    products = {PRODUCTS[kind]: place for kind, place in facts.products.items()}
    return Dataset(
        local_id=facts.local_id,
        obs_publisher_did=did,
        obscore=core,
        obscore_hea=extension,
        obscore_healpix=cells,
        obs_index={"obs_publisher_did": did, **obs_index(facts, obs_index_columns)},
        products=products,
        responses=tuple(
            _response(product, products[product], facts, collection, (core, extension, cells))
            for product in collection.product_rows
            if product != EVENT_LIST and product in products
        ),
    )


def _response(
    product: str, place: HduLocation, facts: Facts, collection: Collection, observation: tuple[Row, Row, Row]
) -> Response:
    """Rows of a response function: those of its observation, but for what only events have."""
    core, extension, cells = observation
    did = collection.publisher_did(f"{facts.local_id}/{product}")
    pixels = dict.fromkeys(("s_xel1", "s_xel2", "t_xel", "em_xel", "o_ucd"))
    return Response(
        product,
        {
            **core,
            **pixels,
            **access(facts, collection, place.path, MEDIA_TYPE, f"{product}/"),
            "obs_publisher_did": did,
            "dataproduct_type": "response-function",
            "dataproduct_subtype": product,
            "obs_title": f"{core['obs_title']}: {product}",
        },
        {**extension, "obs_publisher_did": did, "ev_xel": None},
        {**cells, "obs_publisher_did": did},
    )


def obscore(facts: Facts, collection: Collection) -> Row:
    """The row of ivoa.obscore (ObsCore 1.1, sections 3 and 4), without obs_publisher_did."""
    return {
        **identity(facts, collection, "observation"),
        "dataproduct_type": collection.product_type,
        "dataproduct_subtype": collection.product_subtype,
        "calib_level": collection.calib_level,
        "obs_id": facts.obs_id,
        **access(facts, collection, facts.source.path, MEDIA_TYPE),
        **_sky(facts, collection),
        **_time(facts, collection),
        **_energy(facts, collection),
        "o_ucd": facts.o_ucd,
        "pol_xel": 0,
    }


def identity(facts: Facts | FluxFacts, collection: Collection, kind: str) -> Row:
    """The columns that say whose dataset it is and what it shows; `kind` is what its title calls it."""
    target = f" of {facts.target}" if facts.target else ""
    simulated = "Simulated: " if collection.simulated else ""
    return {
        "obs_collection": collection.name,
        "obs_title": f"{simulated}{collection.name}, {kind} {facts.local_id}{target}",
        "target_name": facts.target,
        "target_class": collection.target_class,
        "obs_creation_date": timestamp(facts.created),
        "obs_creator_name": ", ".join(collection.creators) or facts.origin,
        "publisher_id": f"ivo://{collection.authority}",
        "bib_reference": collection.reference,
        "data_rights": collection.data_rights,
        "obs_release_date": timestamp(collection.release_date),
        "facility_name": collection.facility or facts.telescope or facts.origin,
        "instrument_name": collection.instrument or facts.instrument,
    }


def access(
    facts: Facts | FluxFacts, collection: Collection, path: Path, media_type: str, below: str = ""
) -> Row:
    """How a file of a dataset is had; `below` is where in the dataset it is, with a slash at its end."""
    size = next(f.size for f in facts.files if f.path == path)
    return {
        "access_path": f"/files/{collection.schema}/{quote(facts.local_id, safe='')}/{below}"
        f"{quote(path.name, safe='')}",
        "access_format": media_type,
        "access_estsize": math.ceil(size / 1000),
    }


def _sky(facts: Facts, collection: Collection) -> Row:
    units = {c.name: c.unit for c in facts.columns}
    ra, dec = facts.ra_pnt, facts.dec_pnt
    if facts.region is not None and ra is None:
        ra, dec = facts.region.ra, facts.region.dec
    return {
        "s_ra": ra,
        "s_dec": dec,
        "s_fov": _field_of_view(facts, collection),
        "s_region": _region(facts, _field_of_view(facts, collection)),
        "s_resolution": facts.psf.value if facts.psf else None,
        "s_xel1": -1,
        "s_xel2": -1,
        "s_ucd": "pos.eq",
        "s_unit": units.get("RA") or "deg",
        "s_calib_status": _calibration(collection),
    }


def _field_of_view(facts: Facts, collection: Collection) -> float | None:
    """Diameter in degrees. The collection can state it, since responses at a single offset do not tell it."""
    return collection.field_of_view or facts.fov


def _region(facts: Facts, diameter: float | None) -> str | None:
    """STC-S, as ObsCore 1.1 (section 4.12) takes it."""
    if facts.region is not None:
        return "Polygon ICRS " + " ".join(f"{x!r} {y!r}" for x, y in facts.region.vertices)
    if facts.ra_pnt is None or facts.dec_pnt is None or diameter is None:
        return None
    return f"Circle ICRS {facts.ra_pnt!r} {facts.dec_pnt!r} {diameter / 2!r}"


def _time(facts: Facts, collection: Collection) -> Row:
    return {
        "t_min": facts.t_start,
        "t_max": facts.t_stop,
        "t_exptime": facts.exposure,
        "t_xel": -1,
        "t_calib_status": _calibration(collection),
    }


def _energy(facts: Facts, collection: Collection) -> Row:
    """Wavelengths hold for photons only (extension draft of 2026-08-03: others leave em_* NULL)."""
    row: Row = {"em_xel": -1, "em_ucd": "em.energy", "em_calib_status": _calibration(collection)}
    row["em_unit"] = next((c.unit for c in facts.columns if c.name == "ENERGY"), None) or "TeV"
    if facts.edisp is not None:
        row["em_res_power"] = facts.edisp.value
    if collection.messenger != "photon":
        return row
    row["em_min"] = HC / facts.energy_max if facts.energy_max else None
    row["em_max"] = HC / facts.energy_min if facts.energy_min else None
    if facts.edisp is not None:
        row["em_resolution"] = HC / facts.edisp.energy / facts.edisp.value
    return row


def _calibration(collection: Collection) -> str:
    return "calibrated" if collection.calib_level >= 2 else "uncalibrated"


def obscore_hea(facts: Facts, collection: Collection) -> Row:
    """The row of ivoa.obscore_hea (extension draft of 2026-08-03), without obs_publisher_did."""
    good = facts.t_moc if facts.gtis is not None else None
    return {
        "ev_xel": facts.n_events,
        "s_ref_energy": facts.psf.energy if facts.psf else None,
        "s_ref_oaa": facts.psf.offset if facts.psf else None,
        "em_ref_energy": facts.edisp.energy if facts.edisp else None,
        "em_ref_oaa": facts.edisp.offset if facts.edisp else None,
        "t_intervals": good.text if good else None,
        "intervals": good.ranges if good else None,
        "energy_min": facts.energy_min,
        "energy_max": facts.energy_max,
        "obs_mode": facts.obs_mode,
        "tracking_mode": facts.tracking_mode,
        "scan_mode": facts.scan_mode,
        "pointing_mode": facts.pointing_mode,
        "analysis_mode": facts.analysis_mode,
        "event_type": facts.event_type,
        "messenger_name": collection.messenger,
        "messenger_pdgid": MESSENGERS[collection.messenger],
    }


def obscore_healpix(facts: Facts, core: Row) -> Row:
    """The row of ivoa.obscore_healpix beside that of ivoa.obscore, without obs_publisher_did."""
    ra, dec, diameter = core["s_ra"], core["s_dec"], core["s_fov"]
    pointed = cell_of_position(ra, dec)
    moc = None
    if facts.region is not None:
        moc = shapes.polygon(facts.region.vertices)
    elif pointed["healpix_index"] is not None and diameter is not None:
        moc = shapes.circle(ra, dec, diameter / 2)
    return {
        **pointed,
        **({} if moc is None else {"s_moc": ascii_moc(moc)}),
        "times": facts.t_moc.ranges,
        "times_order": facts.t_moc.order,
    }


def cell_of_position(ra: float | None, dec: float | None) -> Row:
    """Where a dataset is (ICRS, deg), if that is known; without a region it covers no more than this cell."""
    if ra is None or dec is None or abs(dec) > 90:
        return {"healpix_order": POSITION_ORDER, "healpix_index": None, "s_moc": None}
    cell = shapes.cell_at(ra, dec, POSITION_ORDER)
    return {
        "healpix_order": POSITION_ORDER,
        "healpix_index": cell,
        "s_moc": f"{POSITION_ORDER}/{cell}",
    }


def obs_index(facts: Facts, columns: tuple[Column, ...]) -> Row:
    """The row of the collection's obs_index (GADF 0.3), without obs_publisher_did."""
    stated = {published_name(name, ()): value for name, value in facts.obs_index.items()}
    made = {
        "obs_id": facts.obs_id,
        "tstart": facts.tstart * facts.time.unit,
        "tstop": facts.tstop * facts.time.unit,
        "mjdrefi": facts.time.mjdrefi,
        "mjdreff": facts.time.mjdreff,
        "timesys": facts.time.timesys,
        "event_energy_min": _in_tev(facts.event_energy_min),
        "event_energy_max": _in_tev(facts.event_energy_max),
        "rad_max": facts.rad_max.value if facts.rad_max else None,
    }
    values = {"quality": UNKNOWN_QUALITY, **stated, **{k: v for k, v in made.items() if v is not None}}
    return {c.name: _fitted(values[c.name], c) for c in columns if values.get(c.name) is not None}


def _fitted(value: Any, column: Column) -> Any:
    """A header or index value in the type of its column; NULL where it is another kind of thing."""
    if column.type.is_array:
        return list(value) if isinstance(value, tuple) else None
    if column.type is VARCHAR:
        return json.dumps(value) if isinstance(value, tuple) else str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number):
        return None
    if column.type in {REAL, DOUBLE}:
        return number
    whole = value if isinstance(value, int) else number
    return int(whole) if whole == int(whole) else None


def _in_tev(energy: float | None) -> float | None:
    return None if energy is None else energy / EV_PER_TEV


def timestamp(text: str | None) -> str | None:
    """An ISO 8601 text, in UTC unless it says otherwise, as UTC without zone; None if it is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat()
