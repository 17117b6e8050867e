"""Observations -> the content of a bundle. All files are looked at first; nothing is read yet."""

import hashlib
from collections.abc import Sequence
from typing import Final

from schema.products import RESPONSES
from vo_server.bundles import indextables, texts
from vo_server.bundles.archives import Archive
from vo_server.bundles.member import Member, names_of, plain
from vo_server.bundles.store import Observation, observations
from vo_server.db import Database
from vo_server.errors import ChangedFileError, MissingFileError, UsageError
from vo_server.products.content import Content, Extent, Octets
from vo_server.products.file import DataFile, Record, unchanged
from vo_server.settings import Settings

ROWS_OF_OBSERVATION: Final = 1 + len(RESPONSES)
"""Datasets of one observation at most: the event list, and response functions with rows of their own."""


def bundle(dids: Sequence[str], archive: Archive, database: Database, settings: Settings) -> Content:
    """A directory that is a gammapy DataStore, packed: event lists, response functions, index tables, texts.

    The same datasets in any order give the same octets. Raises UsageError for more observations than
    `settings.bundle_observations`, NotFoundError for an unknown dataset, MissingFileError and
    ChangedFileError for a file that is not what ingest saw.
    """
    check_count(len(dids) / ROWS_OF_OBSERVATION, settings)
    found = observations(database, list(dict.fromkeys(dids)))
    check_count(len(found), settings)
    directory = _directory(found)
    members = _members(found, settings)
    return Content(archive.pack(directory, members), archive.media_type, f"{directory}.{archive.name}")


def check_count(observations: float, settings: Settings) -> None:
    """Raise UsageError for more observations than a bundle may have."""
    if observations > settings.bundle_observations:
        raise UsageError(
            f"a bundle holds up to {settings.bundle_observations} observations; ask for fewer at a time"
        )


def _members(found: Sequence[Observation], settings: Settings) -> list[Member]:
    files = _files(found)
    names = names_of((f"data/{o.collection.schema}", path) for o in found for path in _paths(o))
    ids = indextables.numbers(found)
    collections = {o.collection.name: o.collection for o in found}
    small = {
        "README.txt": texts.readme(found, ids, f"{settings.title} ({settings.url})").encode(),
        "LICENCE.txt": texts.licence(collections.values()).encode(),
        "hdu-index.fits.gz": indextables.hdu_index(found, ids, names),
        "obs-index.fits.gz": indextables.obs_index_table(found, ids),
    }
    made = [_in_memory(name, content) for name, content in small.items()]
    data = [Member(name, Extent(files[p], 0, files[p].size), files[p].tag) for p, name in names.items()]
    sums = _in_memory("SHA256SUMS", texts.checksums([*made, *data]).encode())
    return [*made, sums, *sorted(data, key=lambda member: member.name)]


def _files(found: Sequence[Observation]) -> dict[str, DataFile]:
    """Each file once by its path. Raises MissingFileError and ChangedFileError with its name."""
    seen: dict[Record, DataFile] = {}
    for observation in found:
        for record in dict.fromkeys(product.record for product in observation.products):
            if record not in seen:
                seen[record] = _file(record, observation)
    return {file.path: file for file in seen.values()}


def _file(record: Record, observation: Observation) -> DataFile:
    name = f"The file {record.path.rpartition('/')[2]!r} of {observation.did}"
    try:
        return unchanged(record)
    except MissingFileError as error:
        raise MissingFileError(f"{name} is missing; the operators have been told.") from error
    except ChangedFileError as error:
        raise ChangedFileError(f"{name} has changed since it was published.") from error


def _paths(observation: Observation) -> list[str]:
    return list(dict.fromkeys(product.record.path for product in observation.products))


def _in_memory(name: str, content: bytes) -> Member:
    return Member(name, Octets(content), hashlib.sha256(content).hexdigest())


def _directory(found: Sequence[Observation]) -> str:
    """A name that tells what is in the bundle, and differs for other observations."""
    collections = {o.collection.schema for o in found}
    source = collections.pop() if len(collections) == 1 else "bundle"
    if len(found) == 1:
        return plain(f"{source}_{found[0].obs_id}")[:80]
    digest = hashlib.sha256("\n".join(o.did for o in found).encode()).hexdigest()
    return plain(f"{source}_{len(found)}_observations_{digest[:8]}")
