"""The file `properties` and the page of a HiPS (HiPS 1.0, section 4.4.1)."""

import html
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from moc.shapes import sky_fraction
from schema.constants import ELECTRONVOLT, HC
from vo_server import __version__
from vo_server.hips.model import PIXEL_SIDE, TILE_WIDTH, Plan
from vo_server.settings import Settings

PROPERTIES: Final = "properties"
"""The name of the file."""

SERVICE_URL: Final = "hips_service_url"
"""The key that is told when the file is served, since it depends on where."""


def properties(plan: Plan, settings: Settings, cut: float, total: int) -> str:
    """The text of the file; keys without value are left out."""
    c = plan.collection
    energy = plan.energy or (None, None)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    told: dict[str, object] = {
        "creator_did": f"ivo://{c.authority}/{c.schema}/hips/counts",
        "obs_collection": c.name,
        "obs_title": f"{c.title or c.name}: counts",
        "obs_description": f"{total} events of {len(plan.event_lists)} observations, counted per pixel."
        f" No background is subtracted and no exposure corrected for. {c.description}".strip(),
        "obs_ack": c.attribution,
        "obs_copyright": c.licence,
        "obs_copyright_url": c.licence_url,
        "prov_progenitor": c.progenitor or c.reference_url,
        "bib_reference": c.reference,
        "hips_creator": settings.publisher or settings.title,
        "hips_copyright": c.licence,
        "hips_builder": f"vo-server {__version__}",
        "hips_version": "1.4",
        "hips_release_date": now,
        "hips_creation_date": now,
        "hips_status": "public master clonableOnce",
        "hips_frame": "equatorial",
        "hips_order": plan.order,
        "hips_order_min": 0,
        "hips_tile_width": TILE_WIDTH,
        "hips_tile_format": "png fits",
        "hips_pixel_bitpix": 32,
        "hips_pixel_cut": f"0 {cut:g}",
        "hips_pixel_scale": f"{PIXEL_SIDE / 2**plan.order:.7g}",
        "hips_sampling": "none",
        "hips_overlay": "add",
        "hips_hierarchy": "sum",
        "dataproduct_type": "image",
        "moc_order": plan.covered.order,
        "moc_sky_fraction": f"{sky_fraction(plan.covered):.6g}",
        "t_min": plan.time and plan.time[0],
        "t_max": plan.time and plan.time[1],
        "em_min": energy[1] and f"{HC * ELECTRONVOLT / energy[1]:.6g}",
        "em_max": energy[0] and f"{HC * ELECTRONVOLT / energy[0]:.6g}",
        "obs_regime": "Gamma-ray",
        "hips_initial_ra": _initial(plan, 0),
        "hips_initial_dec": _initial(plan, 1),
        "hips_initial_fov": 10,
    }
    known = {key: " ".join(str(value).split()) for key, value in told.items() if value is not None}
    return "".join(f"{key:<20} = {value}\n" for key, value in known.items() if value)


def read_properties(path: Path) -> dict[str, str]:
    """Key -> value of a file of properties. Raises OSError."""
    lines = (line.partition("=") for line in path.read_text("utf-8").splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def page(plan: Plan) -> str:
    """A page for people who come by the URL of the HiPS."""
    name = html.escape(plan.collection.title or plan.collection.name)
    licence = html.escape(plan.collection.licence or "not stated")
    attribution = html.escape(plan.collection.attribution or "")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}: counts</title></head>\n'
        f"<body><h1>{name}: counts on the sky</h1>\n"
        "<p>This is a HiPS, a map for Aladin and other programs of the Virtual Observatory: give them the URL"
        " of this page. No background is subtracted and no exposure corrected for.</p>\n"
        f'<p>Licence: {licence}. {attribution}</p>\n<p><a href="properties">properties</a>,'
        ' <a href="Moc.fits">Moc.fits</a></p>\n'
        '<p><img src="Norder3/Allsky.png" alt="All tiles of order 3"></p></body></html>\n'
    )


def _initial(plan: Plan, axis: int) -> float | None:
    """Where the first observation with a pointing looks."""
    known = ((e.ra, e.dec) for e in plan.event_lists if e.ra is not None and e.dec is not None)
    first = next(known, None)
    return None if first is None else first[axis]
