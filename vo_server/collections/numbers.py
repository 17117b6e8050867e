"""What a collection holds, in numbers: counted by the database, for pages and registry records."""

from dataclasses import dataclass
from typing import Any, Final

from schema.collection import Collection
from vo_server.db import Database

MOST_TARGETS: Final = 20
"""Targets that are named; there may be more."""

NUMBERS: Final = """
SELECT count(*), sum(h.ev_xel)::bigint, sum(o.t_exptime), min(o.t_min), max(o.t_max),
    min(h.energy_min), max(h.energy_max), count(DISTINCT o.target_name),
    (SELECT count(*) FROM ivoa.obscore WHERE obs_collection = $1 AND dataproduct_type <> $2
        AND dataset = obs_publisher_did),
    coalesce(array_agg(DISTINCT o.facility_name) FILTER (WHERE o.facility_name IS NOT NULL), '{}'),
    coalesce(array_agg(DISTINCT o.instrument_name) FILTER (WHERE o.instrument_name IS NOT NULL), '{}'),
    coalesce(array_agg(DISTINCT o.obs_creator_name) FILTER (WHERE o.obs_creator_name IS NOT NULL), '{}')
FROM ivoa.obscore AS o LEFT JOIN ivoa.obscore_hea AS h ON h.obs_publisher_did = o.obs_publisher_did
WHERE o.obs_collection = $1 AND o.dataproduct_type = $2
"""
TARGETS: Final = """
SELECT target_name, count(*), sum(t_exptime) FROM ivoa.obscore
WHERE obs_collection = $1 AND dataproduct_type = $2 AND target_name IS NOT NULL
GROUP BY target_name ORDER BY 3 DESC NULLS LAST, 1 LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A target with the number of its observations and their exposure in s."""

    name: str
    observations: int
    exposure: float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Counts and limits over the event lists of a collection; None or empty where nothing is known.

    `exposure` in s, `t_min` and `t_max` as MJD in UTC, `energy_min` and `energy_max` in eV. `targets` are
    those observed longest, `target_count` all of them; `others` are datasets that are no event lists, such as
    spectra.
    """

    observations: int
    events: int | None
    exposure: float | None
    t_min: float | None
    t_max: float | None
    energy_min: float | None
    energy_max: float | None
    target_count: int
    others: int
    facilities: tuple[str, ...]
    instruments: tuple[str, ...]
    creators: tuple[str, ...]
    targets: tuple[Target, ...]


def numbers(database: Database, collection: Collection) -> Numbers:
    """Count what a collection holds. Raises what `Database.fetch` raises."""
    wanted = [collection.name, collection.product_type]
    targets = tuple(Target(*row) for row in database.fetch(TARGETS, [*wanted, MOST_TARGETS]))
    found = [*database.fetch(NUMBERS, wanted)[0], targets]
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in found]
    return Numbers(*values)
