"""What HiPS can be made of what is published."""

import contextlib
from typing import Any, Final

import psycopg

from schema.collection import Collection
from vo_server.coverage import store
from vo_server.coverage.summary import summary
from vo_server.db import Database
from vo_server.hips.model import HipsError, Plan, suitable_order
from vo_server.previews.published import event_lists
from vo_server.roles import owner
from vo_server.settings import Settings

RESOLUTION: Final = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s_resolution) FROM ivoa.obscore WHERE obs_collection = $1
"""


def plan_for(settings: Settings, name: str, order: int | None = None) -> Plan:
    """The HiPS of the collection with this name. Raises HipsError if there are no event lists."""
    database = Database(settings)
    database.open()
    with owner(settings) as connection, contextlib.closing(database):
        known = {c.name: c for c in database.collections()}
        if name not in known:
            there = ", ".join(known) or "none"
            raise HipsError(f"there is no collection {name!r}; those that there are: {there}")
        plan = plan_of(database, connection, known[name], order)
    if not plan.event_lists:
        raise HipsError(f"there are no event lists of {name}")
    return plan


def plan_of(
    database: Database,
    connection: psycopg.Connection[tuple[Any, ...]],
    collection: Collection,
    order: int | None = None,
) -> Plan:
    """The HiPS of all event lists of a collection; its order suits their resolution if none is given."""
    covered = store.sky(database, collection.name)
    told = summary(database, collection.name)
    resolution = database.fetch(RESOLUTION, [collection.name])[0][0]
    return Plan(
        collection,
        tuple(event_lists(connection, collection.name)),
        suitable_order(resolution, covered) if order is None else order,
        covered,
        told.time,
        told.energy,
    )
