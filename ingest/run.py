"""Ingest of a release: find, read in parallel, check, store; what is wrong is reported and skipped."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg

from ingest import checks, fluxrows, rows
from ingest.facts import EVENTS, Events, Facts, FileFacts, Problem, ProductError, ReadOptions, Source
from ingest.fitstypes import index_extras
from ingest.fluxpoints import FluxFacts, read_flux
from ingest.gadf import file_checksum, hdu_size, read, read_events
from ingest.parallel import map_ordered
from ingest.release import find_release
from ingest.rows import Dataset
from ingest.store import Connection, Known, Product, State, Store, dataset_tables
from schema.collection import Collection, collection_from, read_collection
from schema.load import load_table
from schema.model import Column, Table

READER: Final = 3
"""Raise it when the reader learns to find more, so that unchanged files are read again."""

COLLECTION_FILE: Final = "collection.toml"

_COPIED = re.compile(r"line \d+, column ([^\s:]+)")
"""How PostgreSQL says which column of a COPY it was reading."""


@dataclass
class Summary:
    """What became of the datasets of one release.

    `problems` are datasets that were skipped, `warnings` what is wanting in datasets that were not.
    """

    collection: str = ""
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    removed: int = 0
    events: int = 0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def text(self) -> str:
        """One line."""
        counts = [(n, getattr(self, n)) for n in ("added", "updated", "unchanged", "skipped", "removed")]
        told = ", ".join(f"{count} {name}" for name, count in counts)
        loaded = f"; {self.events} events loaded" if self.events else ""
        return f"{self.collection}: {told}{loaded}"


@dataclass(frozen=True)
class Job:
    """What a reading process is to do for one dataset."""

    source: Source
    options: ReadOptions
    events: bool


@dataclass(frozen=True)
class Reading:
    """What a reading process found."""

    facts: Facts | FluxFacts
    events: Events | None
    products: tuple[Product, ...]


def collection_of(path: Path, file: Path | None, authority: str) -> Collection:
    """The collection of a release: as `file` says, else its own collection.toml, else its directory's name.

    Raises CollectionError.
    """
    directory = path if path.is_dir() else path.parent
    own = directory / COLLECTION_FILE
    if file is not None:
        found = read_collection(file, directory.resolve())
    elif own.is_file():
        found = read_collection(own)
    else:
        found = collection_from({}, directory.resolve())
    return found.with_authority(authority)


def dry_run(
    path: Path, collection: Collection, processes: int, warn: Callable[[Problem], None]
) -> Iterator[Dataset | Problem]:
    """The rows that an ingest would write, and what it would skip, without any database.

    `warn` is told what is wanting in datasets that would be published.
    """
    release = find_release(path.resolve(), map(Path, collection.directories))
    for problem in release.problems:
        if problem.fatal:
            yield problem
        else:
            warn(problem)
    seen: dict[str, Path] = {}
    for job, result in map_ordered(_read, _jobs(release.sources, collection, events=False), processes):
        if isinstance(result, ProductError):
            yield result.problem
            continue
        for wanting in result.facts.problems:
            warn(wanting)
        base = load_table("collection_obs_index", collection.schema).by_name
        extras = index_extras(job.source.obs_index_columns, base)
        tables = dataset_tables(replace(collection, obs_index_extras=extras))
        dataset = _dataset(result.facts, collection, tables)
        yield _repeated(dataset, job.source, seen) or _faulty(dataset, job.source, tables) or dataset


def ingest_release(  # noqa: PLR0913  one argument for each thing that the operator chooses
    path: Path,
    collection: Collection,
    connection: Connection,
    announce: Callable[[Connection], None],
    *,
    processes: int,
    prune: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """Bring the database up to date with the release at `path`.

    `progress` is told (datasets done, datasets in all), unchanged ones among them. Raises StoreError
    if the collection itself cannot be stored; what is wrong with a dataset goes into the summary instead.
    """
    path = path.resolve()
    release = find_release(path, map(Path, collection.directories))
    root = str(path)
    store = Store(connection, collection, announce)
    known = store.known()
    faults = [p for p in release.problems if p.fatal]
    warnings = [p for p in release.problems if not p.fatal]
    summary = Summary(collection.name, problems=faults, warnings=warnings, skipped=len(faults))
    prints = {id(source): _fingerprint(source, collection) for source in release.sources}
    same = {k.fingerprint: k for k in known.values() if path.is_relative_to(k.root)}
    changed = [s for s in release.sources if prints[id(s)] not in same]
    summary.unchanged = len(release.sources) - len(changed)
    present = {same[prints[id(s)]].local_id for s in release.sources if prints[id(s)] in same}
    writer = _Writer(store, known, root, summary, {i: Path(known[i].path) for i in present})
    progress(summary.unchanged, len(release.sources))
    jobs = _jobs(changed, collection, events=store.collection.events)
    with closing(map_ordered(_read, jobs, processes)) as readings:
        for done, (job, result) in enumerate(readings, summary.unchanged + 1):
            writer.write(job.source, result, prints[id(job.source)])
            progress(done, len(release.sources))
    if prune:
        for old in writer.vanished(whole=not faults):
            store.remove(old)
            summary.removed += 1
    store.finish()
    return summary


class _Writer:
    """Writes one reading after the other and keeps the count."""

    def __init__(
        self, store: Store, known: dict[str, Known], root: str, summary: Summary, seen: dict[str, Path]
    ) -> None:
        self._store = store
        self._known = known
        self._root = root
        self._summary = summary
        self._seen = seen
        self._skipped: set[Path] = set()

    def write(self, source: Source, result: Reading | ProductError, fingerprint: str) -> None:
        """Store what was read; a dataset with a problem is skipped and counted."""
        if isinstance(result, ProductError):
            self._skip(source, result.problem)
            return
        store = self._store
        self._summary.warnings.extend(result.facts.problems)
        base = load_table("collection_obs_index", store.collection.schema).by_name
        extras = store.extend(index_extras(source.obs_index_columns, base), result.events)
        dataset = _dataset(result.facts, store.collection, store.tables())
        problem = (
            _repeated(dataset, source, self._seen)
            or self._claimed(dataset, source)
            or _faulty(dataset, source, store.tables())
        )
        if problem is not None:
            self._skip(source, problem)
            return
        self._store_rows(dataset, result, fingerprint, extras)

    def _store_rows(
        self, dataset: Dataset, result: Reading, fingerprint: str, extras: tuple[Column, ...]
    ) -> None:
        old = self._known.get(dataset.local_id)
        root = self._root
        if old is not None and Path(root).is_relative_to(old.root):
            root = old.root  # a part of a release does not take its datasets away from the whole
        digest = _digest(dataset, result)
        if old is not None and (old.digest, old.obs_publisher_did) == (digest, dataset.obs_publisher_did):
            self._store.touch(old, root, fingerprint)
            self._summary.unchanged += 1
            return
        state = State(root, fingerprint, digest)
        self._store.create()
        try:
            self._store.save(dataset, old, state, result.products, result.events, extras)
        except psycopg.Error as error:
            if self._store.broken:
                raise
            source = result.facts.source
            self._skip(source, Problem(source.path, "", f"the database refuses it: {_reason(error)}"))
            return
        self._summary.events += 0 if result.events is None else len(result.events.time)
        if old is None:
            self._summary.added += 1
        else:
            self._summary.updated += 1

    def _claimed(self, dataset: Dataset, source: Source) -> Problem | None:
        """A dataset of the same identifier that another release, still there, brought in."""
        old = self._known.get(dataset.local_id)
        if old is None or old.root == self._root or Path(old.path) in {source.path, source.path.resolve()}:
            return None
        if not Path(old.path).exists():
            return None
        message = f"repeats the identifier {dataset.local_id} of {old.path}, ingested from {old.root}"
        return Problem(source.path, "", message)

    def vanished(self, *, whole: bool) -> list[Known]:
        """The datasets that are to be pruned; to be asked at the end.

        Those whose file is gone, wherever they were ingested from, and those that the release lists no
        longer. If it could not be found as a `whole`, only a file that holds another dataset now tells
        the latter.
        """
        reused = {path.resolve() for path in self._seen.values()}
        missing = (k for k in self._known.values() if k.local_id not in self._seen)
        return [
            old
            for old in missing
            if Path(old.path) not in self._skipped
            and (
                not Path(old.path).exists()
                or (old.root == self._root and (whole or Path(old.path) in reused))
            )
        ]

    def _skip(self, source: Source, problem: Problem) -> None:
        self._summary.problems.append(problem)
        self._summary.skipped += 1
        self._skipped.add(source.path.resolve())


def _dataset(facts: Facts | FluxFacts, collection: Collection, tables: dict[str, Table]) -> Dataset:
    if isinstance(facts, FluxFacts):
        return fluxrows.dataset(facts, collection)
    return rows.dataset(facts, collection, tables["obs_index"].columns)


def _faulty(dataset: Dataset, source: Source, tables: dict[str, Table]) -> Problem | None:
    faults = checks.problems(dataset, tables)
    return Problem(source.path, "", "; ".join(faults)) if faults else None


def _repeated(dataset: Dataset, source: Source, seen: dict[str, Path]) -> Problem | None:
    first = seen.get(dataset.local_id)
    if first is None:
        seen[dataset.local_id] = source.path
        return None
    message = f"repeats the identifier {dataset.local_id} of {first}"
    if source.kind == EVENTS:
        return Problem(source.path, "OBS_ID", message)
    return Problem(source.path, "", f"{message}; give the file another name")


def _reason(error: psycopg.Error) -> str:
    """What PostgreSQL objects to, in one line, with the column if it says which."""
    why = error.diag.message_primary or str(error)
    copied = _COPIED.search(error.diag.context or "")
    column = copied[1] if copied else error.diag.column_name
    return f"column {column}: {why}" if column else why


def _digest(dataset: Dataset, reading: Reading) -> str:
    """A checksum of all that would be stored, to tell whether reading again gave anything new.

    When a file was written is nothing new by itself.
    """
    products = [{**vars(p), "modified": None} for p in reading.products]
    state = [READER, dataset.digest(), reading.events is not None, products]
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _jobs(sources: Any, collection: Collection, *, events: bool) -> Iterator[Job]:
    options = ReadOptions(
        reference_energy=collection.reference_energy,
        reference_offset=collection.reference_offset,
        targets=collection.targets,
    )
    return (Job(source, options, events) for source in sources)


def _read(job: Job) -> Reading:
    """Everything about one dataset; runs in a reading process. Raises ProductError."""
    is_event_list = job.source.kind == EVENTS
    facts = read(job.source, job.options) if is_event_list else read_flux(job.source, job.options)
    events = read_events(job.source) if job.events and is_event_list else None
    files = {f.path: f for f in facts.files}
    products = tuple(
        Product(
            rows.PRODUCTS[kind],
            str(place.path.resolve()),
            str(place.hdu),
            place.hdu_class,
            files[place.path].size,
            _checksum(files[place.path]),
            files[place.path].mtime,
            hdu_size(job.source, place),
        )
        for kind, place in facts.products.items()
    )
    return Reading(facts, events, products)


@cache
def _checksum(file: FileFacts) -> str:
    """Response functions often share one file; size and time keep a changed one from passing for the old."""
    return file_checksum(file.path)


def _fingerprint(source: Source, collection: Collection) -> str:
    """What a dataset's rows depend on, without reading it: places, sizes and times of its files."""
    files = {str(place.path): _stat(place.path) for place in source.products.values()}
    plain = replace(collection, obs_index_extras=(), event_extras=()).to_json()
    state = [READER, plain, files, {k: str(v) for k, v in source.products.items()}, dict(source.obs_index)]
    state += [source.local_id, source.event_type, source.event_class]
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
