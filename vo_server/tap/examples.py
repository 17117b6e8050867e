"""The example queries: one register for /tap/examples, the page of TAP, and clients that run them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from schema.collection import Collection


@dataclass(frozen=True, slots=True)
class Example:
    """A query with its name, a sentence on what it does, and the tables that it reads."""

    id: str
    name: str
    text: str
    query: str
    tables: tuple[str, ...]


OBSCORE: Final = "ivoa.obscore"
HEA: Final = "ivoa.obscore_hea"
HEALPIX: Final = "ivoa.obscore_healpix"

GENERAL: Final[tuple[Example, ...]] = (
    Example(
        "cone",
        "Event lists around a target",
        "What was observed within two degrees of the Crab Nebula, the nearest first.",
        """SELECT obs_id, target_name, t_exptime, access_url,
  DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 83.633, 22.014)) AS separation
FROM ivoa.obscore
WHERE dataproduct_type = 'event-list'
  AND 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.633, 22.014, 2))
ORDER BY separation""",
        (OBSCORE,),
    ),
    Example(
        "fields-of-view",
        "Observations that cover a position",
        "All datasets whose field of view contains the supernova remnant RX J1713.7-3946.",
        """SELECT obs_id, target_name, s_ra, s_dec, s_region
FROM ivoa.obscore
WHERE 1 = CONTAINS(POINT('ICRS', 258.388, -39.763), s_region)""",
        (OBSCORE,),
    ),
    Example(
        "energy-and-events",
        "Energy range and number of events",
        "Datasets that reach below 1 TeV (energies are in eV) and hold more than 1000 events.",
        """SELECT obs_id, target_name, energy_min, energy_max, ev_xel
FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea
WHERE energy_min < 1e12 AND ev_xel > 1000
ORDER BY ev_xel DESC""",
        (OBSCORE, HEA),
    ),
    Example(
        "healpix-cells",
        "Datasets by HEALPix cell",
        "How many datasets point to each cell of order 3; cells are nested, in ICRS.",
        """SELECT cell, COUNT(*) AS datasets
FROM (SELECT healpix_index / 262144 AS cell FROM ivoa.obscore_healpix) AS cells
GROUP BY cell
ORDER BY datasets DESC""",
        (HEALPIX,),
    ),
    Example(
        "measured-quantities",
        "Datasets that measure energies",
        "The quantities of an event are UCDs joined by #; ivo_hashlist_has finds one among them.",
        """SELECT TOP 20 obs_id, target_name, o_ucd
FROM ivoa.obscore
WHERE ivo_hashlist_has(o_ucd, 'em.energy') = 1""",
        (OBSCORE,),
    ),
    Example(
        "time-window",
        "Observations in a time window",
        "What was observed, even in part, between two dates. Times are MJD in UTC.",
        """SELECT obs_id, target_name, t_min, t_max, t_exptime
FROM ivoa.obscore
WHERE t_min < 53400 AND t_max > 53200
ORDER BY t_min""",
        (OBSCORE,),
    ),
    Example(
        "targets",
        "Observing time by target",
        "How many datasets there are of each target, and how many hours in all.",
        """SELECT target_name, COUNT(*) AS datasets, SUM(t_exptime) / 3600 AS hours
FROM ivoa.obscore
GROUP BY target_name
ORDER BY hours DESC""",
        (OBSCORE,),
    ),
)

PER_COLLECTION: Final = Example(
    "pointings",
    "Pointings of {name}",
    "The observation index of the collection with zenith angles and live times.",
    """SELECT TOP 20 obs_id, object, ra_pnt, dec_pnt, zen_pnt, livetime
FROM {schema}.obs_index
ORDER BY livetime DESC""",
    ("{schema}.obs_index",),
)

UPLOAD: Final = Example(
    "upload",
    "Observations of one's own list of sources",
    "Crossmatches an uploaded table, which has the columns name, ra and dec, with the archive.",
    """SELECT mine.name, obs.obs_id, obs.t_exptime
FROM TAP_UPLOAD.mine AS mine
JOIN ivoa.obscore AS obs
  ON DISTANCE(mine.ra, mine.dec, obs.s_ra, obs.s_dec) < 1""",
    (OBSCORE,),
)
"""Not among `examples`: it runs only with a table of the user's."""


def examples(collections: Iterable[Collection]) -> tuple[Example, ...]:
    """The queries that can be run as they are on an archive with these collections."""
    return (*GENERAL, *(_of(c) for c in collections))


def _of(collection: Collection) -> Example:
    known = {"name": collection.name, "schema": collection.schema}
    example = PER_COLLECTION
    return replace(
        example,
        id=f"{example.id}-{collection.schema}",
        name=example.name.format(**known),
        query=example.query.format(**known),
        tables=tuple(t.format(**known) for t in example.tables),
    )
