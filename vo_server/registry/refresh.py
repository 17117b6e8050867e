"""Brings the stored records up to date with what is published."""

from collections.abc import Callable
from contextlib import closing

from vo_server import roles
from vo_server.collections.numbers import numbers
from vo_server.coverage.summary import summary
from vo_server.db import Database
from vo_server.errors import VOError
from vo_server.registry import store
from vo_server.registry.records import Archive, Described, records
from vo_server.registry.services import COLLECTION_SERVICES, SERVICES
from vo_server.settings import Settings

SKY_ORDER = 6
"""Order of the MOC in a record (pixels of 0.9 deg), for the tables of harvesters; a fuller one is linked."""


def refresh(settings: Settings) -> int:
    """Store the records that have changed since the last time; how many.

    To be called when the published tables or the settings may have changed; both must be complete then.
    Raises InstallError and what `Database.fetch` raises.
    """
    database = Database(settings)
    with closing(database), roles.owner(settings) as connection:
        database.open()
        return store.save(connection, list(records(archive(database, settings))))


def update_records(settings: Settings, warn: Callable[[str], None]) -> None:
    """As `refresh`; what keeps from it is told, and is no reason not to publish."""
    try:
        refresh(settings)
    except VOError as error:
        warn(f"warning: the records of the registry are as they were: {error}")


def archive(database: Database, settings: Settings) -> Archive:
    """What there is to describe."""
    services = tuple((s, s.capabilities(database, settings)) for s in SERVICES)
    described = tuple(
        Described(
            c,
            numbers(database, c),
            summary(database, c.name, SKY_ORDER),
            tuple(
                (s, s.capabilities(c, database, settings))
                for s in COLLECTION_SERVICES
                if s.offered(c, database)
            ),
        )
        for c in database.collections()
    )
    return Archive(settings, database.catalogue(), services, described)
