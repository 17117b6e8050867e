"""What a collection holds, in numbers: counted by the database, for pages and registry records."""

from dataclasses import dataclass
from typing import Any, Final

from schema.collection import Collection
from schema.products import SPECTRUM
from vo_server.db import Database

MOST_TARGETS: Final = 20
"""Targets that are named; there may be more."""

NUMBERS: Final = """
WITH held AS MATERIALIZED (
    SELECT o.dataproduct_type AS kind, o.target_name, o.facility_name, o.instrument_name,
        o.obs_creator_name, count(*) AS n, sum(h.ev_xel) AS events, sum(o.t_exptime) AS exposure,
        min(o.t_min) AS t_min, max(o.t_max) AS t_max, min(h.energy_min) AS low, max(h.energy_max) AS high
    FROM ivoa.obscore AS o LEFT JOIN ivoa.obscore_hea AS h ON h.obs_publisher_did = o.obs_publisher_did
    WHERE o.obs_collection = $1 AND (o.dataproduct_type = $2 OR o.dataset = o.obs_publisher_did)
    GROUP BY 1, 2, 3, 4, 5
), ours AS (
    SELECT * FROM held WHERE kind = $2
), targets AS (
    SELECT target_name AS name, sum(n)::bigint AS n, sum(exposure) AS exposure FROM ours
    WHERE target_name IS NOT NULL GROUP BY 1 ORDER BY 3 DESC NULLS LAST, 1 LIMIT $3
)
SELECT coalesce(sum(n), 0)::bigint, sum(events)::bigint, sum(exposure), min(t_min), max(t_max), min(low),
    max(high), count(DISTINCT target_name),
    (SELECT coalesce(sum(n), 0)::bigint FROM held WHERE kind <> $2),
    (SELECT coalesce(sum(n), 0)::bigint FROM held WHERE kind = $4),
    coalesce(array_agg(DISTINCT facility_name) FILTER (WHERE facility_name IS NOT NULL), '{}'),
    coalesce(array_agg(DISTINCT instrument_name) FILTER (WHERE instrument_name IS NOT NULL), '{}'),
    coalesce(array_agg(DISTINCT obs_creator_name) FILTER (WHERE obs_creator_name IS NOT NULL), '{}'),
    (SELECT coalesce(array_agg(name), '{}') FROM targets),
    (SELECT coalesce(array_agg(n), '{}') FROM targets),
    (SELECT coalesce(array_agg(exposure), '{}') FROM targets)
FROM ours
"""
"""First by what observations have in common, which is little: then no more than that is sorted."""


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
    those observed longest, `target_count` all of them; `others` are datasets that are no event lists, and
    `spectra` those of them that are spectra.
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
    spectra: int
    facilities: tuple[str, ...]
    instruments: tuple[str, ...]
    creators: tuple[str, ...]
    targets: tuple[Target, ...]


def numbers(database: Database, collection: Collection) -> Numbers:
    """Count what a collection holds. Raises what `Database.fetch` raises."""
    wanted = [collection.name, collection.product_type, MOST_TARGETS, SPECTRUM]
    *found, names, counts, exposures = database.fetch(NUMBERS, wanted)[0]
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in found]
    values.append(tuple(map(Target, names, counts, exposures)))
    return Numbers(*values)
