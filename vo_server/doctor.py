"""Checks an installation from end to end; every problem says what would be right."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from obstore.exceptions import BaseError

from schema import ddl, tap_schema
from schema.collection import UNREGISTERED, Collection
from schema.load import catalogue, collection_schema, private_tables
from schema.model import Catalogue
from vo_server import cluster
from vo_server.coverage.store import MARK_WHOLE, UNTRUE
from vo_server.hips.state import hips_states
from vo_server.install import tables_of
from vo_server.previews.cache import Cache
from vo_server.previews.model import previews_of
from vo_server.previews.published import event_lists
from vo_server.registry.readiness import wants
from vo_server.roles import (
    InstallError,
    newest_revision,
    owner,
    read_collections,
    reader_url,
    revision,
)
from vo_server.settings import Settings
from vo_server.upload.store import abandoned
from vo_server.uws.results import ResultStore

PRODUCTS: Final = "SELECT DISTINCT path, size, checksum FROM vo.product ORDER BY path"
UNREADABLE: Final = """
SELECT name FROM unnest(%(tables)s::text[]) AS name
WHERE CASE WHEN to_regclass(name) IS NULL THEN false
    ELSE NOT has_table_privilege(%(role)s, to_regclass(name), 'SELECT')
        OR NOT has_schema_privilege(%(role)s, split_part(replace(name, '"', ''), '.', 1), 'USAGE') END
"""
UNDESCRIBED: Final = """
SELECT DISTINCT o.obs_publisher_did FROM ivoa.obscore AS o
LEFT JOIN ivoa.obscore_hea AS h USING (obs_publisher_did)
LEFT JOIN vo.product AS p ON p.obs_publisher_did = o.obs_publisher_did
WHERE h.obs_publisher_did IS NULL OR p.obs_publisher_did IS NULL ORDER BY 1 LIMIT 5
"""
UNINDEXED: Final = """
SELECT d.obs_publisher_did FROM vo.dataset AS d
JOIN vo.product AS p ON p.obs_publisher_did = d.obs_publisher_did AND p.product = 'event-list'
LEFT JOIN {} AS i ON i.obs_publisher_did = d.obs_publisher_did
WHERE d.collection = %s AND i.obs_publisher_did IS NULL ORDER BY 1 LIMIT 5
"""
MISCOUNTED: Final = """
SELECT d.obs_publisher_did FROM vo.dataset AS d JOIN ivoa.obscore_hea AS h USING (obs_publisher_did)
LEFT JOIN (SELECT obs_publisher_did, count(*) AS n FROM {} GROUP BY 1) AS e USING (obs_publisher_did)
WHERE d.collection = %s AND coalesce(e.n, 0) <> coalesce(h.ev_xel, 0) ORDER BY 1 LIMIT 5
"""
LOSSES: Final = {
    "obs_index": (UNINDEXED, "not in the observation index"),
    "events": (MISCOUNTED, "their events are not all there"),
}
"""Table of a collection -> datasets that have lost rows of it, and how that is told."""
RELATIONS: Final = """
SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked. `advice` says what would be right; None if all is well."""

    what: str
    advice: str | None = None
    fatal: bool = True

    @property
    def ok(self) -> bool:
        """True if nothing is to be done."""
        return self.advice is None


def examine(settings: Settings, *, deep: bool = False) -> Iterator[Finding]:
    """Check the installation, the database, the files and the metadata.

    `deep` compares checksums of the files too, not their sizes only. Needs the cluster to run.
    """
    if not settings.database_url:
        yield _programs()
    try:
        connection = owner(settings)
    except InstallError as error:
        yield Finding("database", str(error))
        return
    with connection:
        yield Finding(f"database: PostgreSQL {connection.info.server_version // 10000}")
        yield from _extension(connection)
        revision = _revision(connection)
        yield revision
        if not revision.ok:
            return
        collections = read_collections(connection)
        relations = list(_relations(connection, collections))
        yield from relations
        if not relations[0].ok:
            return
        yield from _reader(connection, settings, catalogue(collections))
        yield from _metadata(connection, settings, collections)
        yield from _datasets(connection, collections)
        yield from _files(connection, deep=deep)
        yield _previews(connection, settings)
        yield _coverage(connection)
        for state in hips_states(connection, settings, collections):
            yield Finding(state.what, state.advice, fatal=False)
        yield from _orphans(connection, settings)


def _programs() -> Finding:
    try:
        return Finding(f"PostgreSQL programs: {cluster.binaries()}")
    except cluster.ClusterError as error:
        return Finding("PostgreSQL programs", str(error))


def _extension(connection: psycopg.Connection) -> Iterator[Finding]:
    try:
        connection.execute("SELECT spoint(0, 0) <@ scircle(spoint(0, 0), 0.1)")
        yield Finding("pgSphere")
    except psycopg.Error:
        yield Finding("pgSphere", "it is not in the database: run `vo-server init`")


def _revision(connection: psycopg.Connection) -> Finding:
    found, newest = revision(connection), newest_revision()
    if found != newest:
        return Finding("migrations", f"revision {found} where {newest} is needed: run `vo-server init`")
    return Finding(f"migrations: revision {found}")


def _reader(connection: psycopg.Connection, settings: Settings, published: Catalogue) -> Iterator[Finding]:
    """The public role reads what is published and can do nothing else."""
    role = settings.reader_role
    row = connection.execute(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = %s", [role]
    ).fetchone()
    if row is None:
        yield Finding(f"role {role}", "it does not exist: run `vo-server init`")
        return
    yield Finding(
        f"role {role}", "it may do more than read: make it NOSUPERUSER NOCREATEROLE" if row[0] else None
    )
    writable = connection.execute(
        "SELECT table_schema || '.' || table_name FROM information_schema.role_table_grants"
        " WHERE grantee = %s AND privilege_type <> 'SELECT'",
        [role],
    ).fetchall()
    advice = f"it may change {', '.join(t for (t,) in writable)}: revoke that" if writable else None
    readable = (t for t in private_tables() if t.name not in {"dataset", "job"})
    names = [ddl.quoted(t) for t in (*published.tables, *readable)]
    unreadable = connection.execute(UNREADABLE, {"role": role, "tables": names}).fetchall()
    if unreadable:
        advice = f"it cannot read {', '.join(t for (t,) in unreadable)}: run `vo-server init`"
    yield Finding(f"rights of {role}", advice)
    try:
        psycopg.connect(reader_url(settings)).close()
        yield Finding(f"connection as {role}")
    except psycopg.OperationalError as error:
        message = " ".join(str(error).split())
        yield Finding(f"connection as {role}", f"{message}: see the settings reader_url and reader_role")


def _metadata(
    connection: psycopg.Connection, settings: Settings, collections: tuple[Collection, ...]
) -> Iterator[Finding]:
    for table, expected in tap_schema.rows(catalogue(collections)).items():
        names = psycopg.sql.Identifier("tap_schema", table)
        stored = connection.execute(psycopg.sql.SQL("SELECT * FROM {}").format(names)).fetchall()
        same = sorted(map(str, stored)) == sorted(map(str, expected))
        advice = None if same else "it is not what the catalogue says: run `vo-server init`"
        yield Finding(f"TAP_SCHEMA.{table}: {len(stored)} rows", advice)
    for collection in collections:
        if collection.authority == UNREGISTERED:
            yield Finding(
                f"collection {collection.name}",
                f"its authority {UNREGISTERED} is nobody's: set VO_SERVER_AUTHORITY or the key `authority`"
                " before others use its identifiers",
                fatal=False,
            )
    missing = [want.what for want in wants(settings, collections)]
    advice = f"{'; '.join(missing)}. The page /registry says what to do" if missing else None
    yield Finding("registry", advice, fatal=False)


def _relations(connection: psycopg.Connection, collections: tuple[Collection, ...]) -> Iterator[Finding]:
    """Tables, views and indexes that there are to be."""
    present = {name for (name,) in connection.execute(RELATIONS)}
    tables = {f"{table.schema}.{table.name}": table for table in tables_of(collections)}
    indexes = [
        f"{t.schema}.{index.name}" for name, t in tables.items() if name in present for index in t.indexes
    ]
    for kind, names, remedy in (
        ("tables", tables, "run `vo-server init`, then ingest again"),
        ("indexes", indexes, "run `vo-server init`"),
    ):
        lost = ", ".join(name for name in names if name not in present)
        yield Finding(kind, f"{lost} missing: {remedy}" if lost else None)


def _datasets(connection: psycopg.Connection, collections: tuple[Collection, ...]) -> Iterator[Finding]:
    """Datasets that lack rows."""
    lost = connection.execute(UNDESCRIBED).fetchall()
    advice = f"incomplete: {', '.join(d for (d,) in lost)}: ingest their release again" if lost else None
    yield Finding("datasets", advice)
    for collection in collections:
        for table in collection_schema(collection).tables:
            if table.name not in LOSSES:
                continue
            query, told = LOSSES[table.name]
            name = psycopg.sql.Identifier(table.schema, table.name)
            lost = connection.execute(psycopg.sql.SQL(query).format(name), [collection.name]).fetchall()
            if lost:
                advice = f"{', '.join(d for (d,) in lost)}: {told}: ingest their release again"
                yield Finding(f"{table.schema}.{table.name}", advice)


def _files(connection: psycopg.Connection, *, deep: bool) -> Iterator[Finding]:
    """Files on disk against the database."""
    rows = connection.execute(PRODUCTS).fetchall()
    wrong = 0
    for path, size, checksum in rows:
        advice = _file_advice(Path(path), size, checksum if deep else None)
        if advice is not None:
            wrong += 1
            yield Finding(path, advice)
    yield Finding(f"files: {len(rows) - wrong} of {len(rows)} as ingested")


def _file_advice(path: Path, size: int, checksum: str | None) -> str | None:
    try:
        found = path.stat().st_size
        if found != size:
            return f"it has {found} bytes, {size} were ingested: ingest its release again"
        if checksum is not None and _sha256(path) != checksum:
            return "its contents changed: ingest its release again"
    except OSError as error:
        return f"it cannot be read ({error.strerror}): put it back, or ingest with --prune"
    return None


def _previews(connection: psycopg.Connection, settings: Settings) -> Finding:
    """Previews that are kept; those of datasets that have gone or changed are removed."""
    cache = Cache.of(settings)
    keys = {preview.key for preview in previews_of(event_lists(connection))}
    try:
        removed = len(cache.remove_others(keys))
    except OSError as error:
        return Finding("previews", f"those of datasets that are gone cannot be removed: {error}", fatal=False)
    kept = list(cache.entries())
    told = f"previews: {len(kept)} are kept, in {sum(entry.size for entry in kept) / 1e6:.1f} MB"
    if removed:
        told += f"; {removed} of datasets that have gone or changed were removed"
    return Finding(told)


def _coverage(connection: psycopg.Connection) -> Finding:
    """Coverage that is not that of the datasets; the next ingest makes it anew."""
    untrue = [name for (name,) in connection.execute(UNTRUE)]
    connection.execute(MARK_WHOLE, [untrue])
    advice = f"that of {', '.join(untrue)} is not up to date: ingest again" if untrue else None
    return Finding("coverage", advice)


def _orphans(connection: psycopg.Connection, settings: Settings) -> Iterator[Finding]:
    """What queries and jobs have left behind that are no more."""
    tables = abandoned(connection)
    advice = f"{len(tables)} of queries that are gone: a running server removes them soon" if tables else None
    yield Finding("uploads", advice, fatal=False)
    try:
        # First the files: a job that is made meanwhile has none yet.
        found = ResultStore(settings).jobs()
    except (OSError, BaseError) as error:
        yield Finding("files of jobs", f"the result store does not answer: {error}")
        return
    orphans = sorted(found - {job for (job,) in connection.execute("SELECT id FROM vo.job")})
    told = ", ".join(orphans[:5])
    yield Finding("files of jobs", f"{told}: there are no such jobs, remove them" if orphans else None)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
