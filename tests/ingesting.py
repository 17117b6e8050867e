"""Runs an ingest as the command does, and shows what it left in the database."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from astropy.io import fits
from psycopg import sql

from ingest.run import Summary, collection_of, ingest_release
from schema.collection import UNREGISTERED, collection_from
from tests.dl3files import Habits
from vo_server import install
from vo_server.settings import Settings

TABLES = ("ivoa.obscore", "ivoa.obscore_hea", "vo.dataset", "vo.product")

SMALL = Habits(irfs=False, events=5)
DID = "ivo://x-unregistered/My%20release?"

Versions = dict[str, list[tuple[Any, ...]]]


class Archive:
    """A database with the owner's connection, to ingest releases into."""

    def __init__(self, settings: Settings, connection: psycopg.Connection[Any]) -> None:
        self.settings = settings
        self.connection = connection
        self.progress: Callable[[int, int], None] = lambda done, total: None
        self.announce: Callable[[psycopg.Connection[Any]], None] = self.publish

    def ingest(
        self,
        path: Path,
        *,
        prune: bool = False,
        authority: str = UNREGISTERED,
        processes: int = 1,
        **keys: Any,
    ) -> Summary:
        """Ingest a release; `keys` are those of a collection's TOML file."""
        collection = collection_of(path, None, authority)
        if keys:
            collection = collection_from(keys, path.resolve()).with_authority(authority)
        return ingest_release(
            path,
            collection,
            self.connection,
            self.announce,
            processes=processes,
            prune=prune,
            progress=self.progress,
        )

    def publish(self, connection: psycopg.Connection[Any]) -> None:
        """As the command tells of changed tables."""
        install.grant(connection, self.settings)
        install.publish(connection)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(query.encode(), parameters or None).fetchall()

    def column(self, query: str, *parameters: Any) -> list[Any]:
        """The values of a query with one column."""
        return [value for (value,) in self.rows(query, *parameters)]

    def value(self, query: str, *parameters: Any) -> Any:
        """The value of a query with one."""
        (found,) = self.column(query, *parameters)
        return found

    def versions(self, *more: str) -> Versions:
        """Which version of each row there is: equal before and after means that nothing was written."""
        query = sql.SQL("SELECT obs_publisher_did, ctid::text, xmin::text FROM {} ORDER BY 1, 2")
        tables = (*TABLES, *more)
        names = [sql.Identifier(*name.split(".")) for name in tables]
        found = [self.connection.execute(query.format(name)).fetchall() for name in names]
        return dict(zip(tables, found, strict=True))


def counts(summary: Summary) -> tuple[int, int, int, int, int]:
    s = summary
    return s.added, s.updated, s.unchanged, s.skipped, s.removed


def set_cards(path: Path, **cards: object) -> None:
    with fits.open(path, mode="update") as hdus:
        hdus["EVENTS"].header.update(cards)


def state(archive: Archive) -> list[Any]:
    """Schemas, collections and TAP_SCHEMA."""
    return [
        archive.rows("SELECT nspname FROM pg_namespace ORDER BY 1"),
        archive.rows("SELECT * FROM vo.collection ORDER BY 1"),
        archive.rows("SELECT * FROM tap_schema.columns ORDER BY table_name, column_index"),
    ]
