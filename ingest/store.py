"""Rows -> database. One transaction per dataset, so that none is ever there by half."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from ingest import coverage
from ingest import events as event_rows
from ingest.facts import Events
from ingest.fitstypes import event_extras, merged
from ingest.rows import Dataset, Row
from schema import ddl
from schema.collection import Collection
from schema.load import collection_schema, core_catalogue, load_table
from schema.model import Column, Table

Connection = psycopg.Connection[Any]

LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('vo-server ingest'), hashtext(%s))"
UNLOCK: Final = "SELECT pg_advisory_unlock(hashtext('vo-server ingest'), hashtext(%s))"
COLLECTION: Final = "SELECT definition FROM vo.collection WHERE name = %s"
SCHEMA_OWNER: Final = "SELECT name FROM vo.collection WHERE tap_schema = %s AND name <> %s"
SAVE_COLLECTION: Final = """
INSERT INTO vo.collection (name, tap_schema, definition, updated)
VALUES (%s, %s, %s, now() AT TIME ZONE 'UTC')
ON CONFLICT (name) DO UPDATE SET definition = EXCLUDED.definition, updated = EXCLUDED.updated
"""
KNOWN: Final = """
SELECT d.local_id, d.obs_publisher_did, d.root, coalesce(p.path, ''),
    CASE WHEN whole THEN d.fingerprint ELSE '' END, CASE WHEN whole THEN d.digest ELSE '' END
FROM vo.dataset AS d
LEFT JOIN ivoa.obscore_hea AS h ON h.obs_publisher_did = d.obs_publisher_did
LEFT JOIN ivoa.obscore_healpix AS m ON m.obs_publisher_did = d.obs_publisher_did
LEFT JOIN vo.product AS p ON p.obs_publisher_did = d.obs_publisher_did
    AND p.product IN ('event-list', 'spectrum', 'light-curve', 'spatial-profile')
LEFT JOIN {obs_index} AS i ON i.obs_publisher_did = d.obs_publisher_did
LEFT JOIN ({counts}) AS e ON e.obs_publisher_did = d.obs_publisher_did,
LATERAL (SELECT p.path IS NOT NULL AND h.obs_publisher_did IS NOT NULL
    AND (p.product <> 'event-list' OR i.obs_publisher_did IS NOT NULL)
    AND m.obs_publisher_did IS NOT NULL
    AND (NOT {events} OR coalesce(e.n, 0) = coalesce(h.ev_xel, 0)) AS whole) AS w
WHERE d.collection = %s
"""
"""A dataset that has lost rows is known without fingerprint, so that it is read and written again."""
EVENT_COUNTS: Final = "SELECT obs_publisher_did, count(*) AS n FROM {} GROUP BY obs_publisher_did"
NO_COUNTS: Final = "SELECT NULL::text AS obs_publisher_did, NULL::bigint AS n"
DELETE_DATASET: Final = "DELETE FROM ivoa.obscore WHERE dataset = %s"
SAVE_DATASET: Final = """
INSERT INTO vo.dataset (obs_publisher_did, collection, local_id, root, fingerprint, digest, updated)
VALUES (%s, %s, %s, %s, %s, %s, now() AT TIME ZONE 'UTC')
"""
COLLECTION_SIZE: Final = """
SELECT c.tap_schema, count(d.local_id)
FROM vo.collection AS c LEFT JOIN vo.dataset AS d ON d.collection = c.name
WHERE c.name = %s GROUP BY c.tap_schema
"""
COLLECTION_NAMES: Final = "SELECT name FROM vo.collection ORDER BY name"
DELETE_DATASETS: Final = """
DELETE FROM ivoa.obscore WHERE dataset IN (SELECT obs_publisher_did FROM vo.dataset WHERE collection = %s)
"""
DELETE_COLLECTION: Final = "DELETE FROM vo.collection WHERE name = %s"
TOUCH_DATASET: Final = "UPDATE vo.dataset SET fingerprint = %s, root = %s WHERE obs_publisher_did = %s"
SETTLE: Final = "UPDATE vo.collection SET updated = updated WHERE name = %s"
"""Changes nothing; its commit waits until all earlier ones are on disk."""
STORED_COLUMNS: Final = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


class StoreError(RuntimeError):
    """The database refuses a collection; the message says why and what would be right."""


@dataclass(frozen=True)
class Known:
    """What the database has of a dataset; `path` is the file of its event list or flux points."""

    local_id: str
    obs_publisher_did: str
    root: str
    path: str
    fingerprint: str
    digest: str


@dataclass(frozen=True)
class State:
    """Where a dataset was read from and checksums of what was read, kept to see changes later."""

    root: str
    fingerprint: str
    digest: str


@dataclass(frozen=True)
class Product:
    """A file of a dataset as the database keeps it: size in bytes, SHA-256, st_mtime in s since 1970.

    `hdu_size` is the HDU's share of the (decompressed) file in bytes.
    """

    product: str
    path: str
    hdu: str
    hdu_class: str | None
    size: int
    checksum: str
    modified: float
    hdu_size: int | None


class Store:
    """One collection in the database, written by one process at a time until `finish`.

    Raises StoreError if that cannot be.

    `announce` is called inside the transaction that changes the collection's tables; it rewrites
    TAP_SCHEMA and the grants, so that what is described is what is there.
    """

    def __init__(
        self, connection: Connection, collection: Collection, announce: Callable[[Connection], None]
    ) -> None:
        self._connection = connection
        self._announce = announce
        _lock(connection, collection.name)
        self.collection = self._with_known_extras(collection)
        self._stored = connection.execute(COLLECTION, [collection.name]).fetchone() is not None
        if self._stored:
            if self._outdated():
                self._apply()
            self._start_bulk()
        # Not to wait for the disk after each dataset: a crash loses whole datasets, which the next ingest
        # brings back, and never half of one.
        connection.execute("SET synchronous_commit TO off")

    def known(self) -> dict[str, Known]:
        """The datasets of the collection by their local identifiers."""
        if not self._stored:
            return {}
        events = sql.Identifier(self.collection.schema, "events")
        counts = sql.SQL(EVENT_COUNTS).format(events) if self.collection.events else sql.SQL(NO_COUNTS)
        query = sql.SQL(KNOWN).format(
            obs_index=sql.Identifier(self.collection.schema, "obs_index"),
            counts=counts,
            events=sql.Literal(self.collection.events),
        )
        rows = self._connection.execute(query, [self.collection.name])
        return {row[0]: Known(*row) for row in rows}

    def create(self) -> None:
        """Make the tables of a collection that is new; not before it has a dataset to publish."""
        if not self._stored:
            self._apply()
            self._start_bulk()

    def tables(self) -> dict[str, Table]:
        """The tables that a dataset's rows go to."""
        return dataset_tables(self.collection)

    @property
    def broken(self) -> bool:
        """True if the connection to the database is lost."""
        return self._connection.broken

    def extend(self, index_columns: tuple[Column, ...], events: Events | None) -> tuple[Column, ...]:
        """Make room for the columns that a dataset adds; the published columns of its `others`.

        A collection that is new gets them with its tables.
        """
        found: tuple[Column, ...] = ()
        if events is not None:
            found = event_extras(
                events.others, load_table("collection_events", self.collection.schema).by_name
            )
        wanted = replace(
            self.collection,
            obs_index_extras=merged(self.collection.obs_index_extras, index_columns),
            event_extras=merged(self.collection.event_extras, found),
        )
        if wanted != self.collection:
            self.collection = wanted
            if self._stored:
                self._apply()
        return found

    def save(  # noqa: PLR0913  what is written, and what it replaces
        self,
        dataset: Dataset,
        old: Known | None,
        state: State,
        products: Iterable[Product],
        events: Events | None,
        extras: tuple[Column, ...],
    ) -> None:
        """Write all rows of a dataset in one transaction, instead of those of `old`.

        Raises psycopg.Error; then nothing has changed.
        """
        did = dataset.obs_publisher_did
        with self._connection.transaction():
            with self._connection.pipeline():
                if old is not None:
                    self._delete(old.obs_publisher_did)
                for name, table in self.tables().items():
                    if row := getattr(dataset, name):
                        self._insert(table, row)
                self._connection.execute(
                    SAVE_DATASET,
                    [
                        did,
                        self.collection.name,
                        dataset.local_id,
                        state.root,
                        state.fingerprint,
                        state.digest,
                    ],
                )
                self._insert_products(dataset, products)
                coverage.mark(self._connection, self.collection.name, did)
            if events is not None:
                self._copy_events(dataset, events, extras)

    def _insert_products(self, dataset: Dataset, products: Iterable[Product]) -> None:
        table = load_table("vo_product")
        by_name = {p.product: p for p in products}
        for product in by_name.values():
            self._insert(table, {"obs_publisher_did": dataset.obs_publisher_did, **vars(product)})
        for response in dataset.responses:
            self._insert(self.tables()["obscore"], response.obscore)
            self._insert(self.tables()["obscore_hea"], response.obscore_hea)
            self._insert(self.tables()["obscore_healpix"], response.obscore_healpix)
            did = response.obscore["obs_publisher_did"]
            self._insert(table, {"obs_publisher_did": did, **vars(by_name[response.product])})

    def touch(self, old: Known, root: str, fingerprint: str) -> None:
        """Remember that the files changed and gave the same rows."""
        self._connection.execute(TOUCH_DATASET, [fingerprint, root, old.obs_publisher_did])

    def remove(self, old: Known) -> None:
        """Delete a dataset wholly."""
        with self._connection.transaction():
            self._delete(old.obs_publisher_did)

    def finish(self) -> None:
        """Make what indexes are missing, bring the planner's statistics up to date, wait for the disk."""
        if self._stored:
            self._finish_tables()
        self._connection.execute("SET synchronous_commit TO on")
        self._connection.execute(SETTLE, [self.collection.name])
        self._connection.execute(UNLOCK, [self.collection.name])

    def _finish_tables(self) -> None:
        tables = [*self.tables().values()]
        if self.collection.events:
            tables.append(self._own("events"))
        for table in tables:
            for statement in ddl.create_indexes(table):
                self._connection.execute(statement.encode())
            self._connection.execute(f"ANALYZE {ddl.quoted(table)}".encode())
        coverage.refresh(self._connection, self.collection.name)

    def _delete(self, did: str) -> None:
        if self.collection.events:
            statement = sql.SQL("DELETE FROM {} WHERE obs_publisher_did = %s").format(
                sql.Identifier(self.collection.schema, "events")
            )
            self._connection.execute(statement, [did])
        coverage.mark(self._connection, self.collection.name, did)
        self._connection.execute(DELETE_DATASET, [did])

    def _insert(self, table: Table, row: Row) -> None:
        multiranges = {h.name for h in table.hidden if h.postgres == "int8multirange"}
        values = [_multirange(v) if n in multiranges and v is not None else v for n, v in row.items()]
        self._connection.execute(_insertion(table.schema, table.name, tuple(row)), values)

    def _copy_events(self, dataset: Dataset, events: Events, extras: tuple[Column, ...]) -> None:
        table = self._own("events")
        values = event_rows.columns(events, dataset.obscore["obs_id"], dataset.obs_publisher_did, extras)
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(table.schema, table.name),
            sql.SQL(", ").join(sql.Identifier(c.name) for c in table.stored),
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in event_rows.copy_binary(table, values, len(events.time)):
                copy.write(block)

    def _own(self, name: str) -> Table:
        return _own_table(self.collection, name)

    def _with_known_extras(self, collection: Collection) -> Collection:
        """The definition given now, with the extra columns that earlier ingests found."""
        taken = self._connection.execute(SCHEMA_OWNER, [collection.schema, collection.name]).fetchone()
        if taken is not None:
            raise StoreError(
                f"collection {collection.name!r}: the schema {collection.schema!r} belongs to the collection"
                f" {taken[0]!r}; give it another name (key `schema` of its TOML file)"
            )
        row = self._connection.execute(COLLECTION, [collection.name]).fetchone()
        if row is None:
            return collection
        old = Collection.from_json(row[0])
        if old.schema != collection.schema:
            raise StoreError(
                f"collection {collection.name!r}: it was ingested with schema {old.schema!r}, not"
                f" {collection.schema!r}; set the key `schema` of its TOML file to {old.schema!r}"
            )
        return replace(collection, obs_index_extras=old.obs_index_extras, event_extras=old.event_extras)

    def _outdated(self) -> bool:
        """True if the database's tables are not what the definition says."""
        row = self._connection.execute(COLLECTION, [self.collection.name]).fetchone()
        if row is None or row[0] != self.collection.to_json():
            return True
        return any(
            not {c.name for c in table.stored} <= set(self._stored_columns(table))
            for table in collection_schema(self.collection).tables
        )

    def _stored_columns(self, table: Table) -> dict[str, str]:
        """Column -> type of what is in the database; empty if there is no such table."""
        return dict(self._connection.execute(STORED_COLUMNS, [ddl.quoted(table)]).fetchall())

    def _apply(self) -> None:
        """Make the collection's schema in the database what its definition says."""
        with self._connection.transaction():
            self._connection.execute(
                sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.collection.schema))
            )
            view, *tables = collection_schema(self.collection).tables
            self._connection.execute(f"DROP VIEW IF EXISTS {ddl.quoted(view)}".encode())
            for table in tables:
                self._apply_table(table)
            if not self.collection.events:
                self._connection.execute(
                    sql.SQL("DROP TABLE IF EXISTS {}").format(
                        sql.Identifier(self.collection.schema, "events")
                    )
                )
            for statement in ddl.create_table(view):
                self._connection.execute(statement.encode())
            definition = self.collection.to_json()
            self._connection.execute(
                SAVE_COLLECTION, [self.collection.name, self.collection.schema, definition]
            )
            self._announce(self._connection)
        self._stored = True

    def _apply_table(self, table: Table) -> None:
        present = self._stored_columns(table)
        statements = ddl.add_columns(table, present) if present else ddl.create_table(table)
        statements += [
            f"ALTER TABLE {ddl.quoted(table)} ALTER COLUMN {ddl.quote(c.name)} TYPE {c.type.postgres}"
            for c in table.stored
            if present.get(c.name, c.type.postgres) != c.type.postgres
        ]
        for statement in statements:
            self._connection.execute(statement.encode())

    def _start_bulk(self) -> None:
        """Rows go into an empty events table before its indexes are made, which is several times faster."""
        if not self.collection.events:
            return
        table = self._own("events")
        filled = self._connection.execute(f"SELECT FROM {ddl.quoted(table)} LIMIT 1".encode()).fetchone()
        if filled is None:
            for statement in ddl.drop_indexes(table):
                self._connection.execute(statement.encode())


def collection_size(connection: Connection, name: str) -> int:
    """The number of datasets in a collection. Raises StoreError if there is no such collection."""
    return _schema_and_size(connection, name)[1]


def remove_collection(connection: Connection, name: str, announce: Callable[[Connection], None]) -> None:
    """Delete a collection with all its rows and tables, in one transaction.

    `announce` is called inside it, as by Store. Raises StoreError if there is no such collection, or while
    it is being ingested.
    """
    _lock(connection, name)
    try:
        with connection.transaction():
            schema, _ = _schema_and_size(connection, name)
            connection.execute(DELETE_DATASETS, [name])
            connection.execute(DELETE_COLLECTION, [name])
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
            announce(connection)
    finally:
        connection.execute(UNLOCK, [name])


def _schema_and_size(connection: Connection, name: str) -> tuple[str, int]:
    row = connection.execute(COLLECTION_SIZE, [name]).fetchone()
    if row is None:
        names = ", ".join(known for (known,) in connection.execute(COLLECTION_NAMES)) or "none"
        raise StoreError(f"there is no collection {name!r}; those that there are: {names}")
    return row[0], row[1]


def _lock(connection: Connection, name: str) -> None:
    if connection.execute(LOCK, [name]).fetchone() != (True,):
        raise StoreError(f"collection {name!r} is being ingested by another process; wait for that to end")


def dataset_tables(collection: Collection) -> dict[str, Table]:
    """The tables that a dataset's rows go to, by the names of the fields of `rows.Dataset`."""
    core = core_catalogue().by_name
    return {
        "obscore": core["ivoa.obscore"],
        "obscore_hea": core["ivoa.obscore_hea"],
        "obscore_healpix": core["ivoa.obscore_healpix"],
        "obs_index": _own_table(collection, "obs_index"),
    }


def _own_table(collection: Collection, name: str) -> Table:
    return next(t for t in collection_schema(collection).tables if t.name == name)


@cache
def _insertion(schema: str, table: str, columns: tuple[str, ...]) -> bytes:
    """INSERT of one row with values for these columns."""
    return (
        sql.SQL("INSERT INTO {} ({}) VALUES ({})")
        .format(
            sql.Identifier(schema, table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        )
        .as_bytes()
    )


def _multirange(bounds: Iterable[tuple[int, int]]) -> Multirange[int]:
    return Multirange([Range(low, high, "[)") for low, high in bounds])
