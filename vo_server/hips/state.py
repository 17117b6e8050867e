"""Whether the HiPS on disk are those of what is published."""

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from schema.collection import Collection
from vo_server.db import Database
from vo_server.hips.model import current, directory_of
from vo_server.hips.properties import PROPERTIES, read_properties
from vo_server.hips.published import plan_of
from vo_server.settings import Settings


@dataclass(frozen=True, slots=True)
class State:
    """What was looked at, and what is to be done; None if nothing is."""

    what: str
    advice: str | None = None


def hips_states(
    connection: psycopg.Connection[tuple[Any, ...]], settings: Settings, collections: tuple[Collection, ...]
) -> Iterator[State]:
    """The state of each HiPS, and of directories whose collection is gone."""
    known = {collection.schema for collection in collections}
    for directory in sorted((settings.data_dir / "hips").glob("*")):
        if directory.name not in known:
            yield State(f"HiPS in {directory}", "its collection is gone: remove the directory")
    made = [c for c in collections if current(directory_of(settings, c)) is not None]
    if not made:
        return
    database = Database(settings)
    database.open()
    with contextlib.closing(database):
        for collection in made:
            yield _state(database, connection, settings, collection)


def command(collection: Collection) -> str:
    """What makes the HiPS of a collection, as a shell takes it."""
    return f"vo-server hips {shlex.quote(collection.name)}"


def _state(
    database: Database,
    connection: psycopg.Connection[tuple[Any, ...]],
    settings: Settings,
    collection: Collection,
) -> State:
    what, again = f"HiPS of {collection.name}", f"run `{command(collection)}`"
    tree = current(directory_of(settings, collection))
    try:
        order = int(read_properties(tree / PROPERTIES)["hips_order"]) if tree is not None else None
    except (OSError, KeyError, ValueError):
        return State(what, f"it is damaged: {again}")
    plan = plan_of(database, connection, collection, order)
    if tree is None or tree.name != plan.key:
        return State(what, f"the collection has changed since it was made: {again}")
    return State(f"{what}: order {plan.order}, up to date")
