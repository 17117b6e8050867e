"""Finding what is to be read: event lists that index tables list, or bare ones, and flux points."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ingest.facts import EVENTS, HduLocation, Problem, ProductError, Release, Source
from ingest.fitsfile import open_fits, walk
from ingest.fitsheader import text
from ingest.fluxpoints import product_of
from ingest.hdus import hdu_type
from ingest.indextables import INDEX_NAME, OBS_INDEX_NAME, HduEntry, IndexFile, ObsIndex, read_index
from ingest.spectra import find_spectra, with_siblings

SUFFIXES = (".fits", ".fits.gz", ".fit", ".fit.gz")


def find_release(path: Path, directories: Iterable[Path] = ()) -> Release:
    """Find the datasets at `path`: a directory (with all below it), an index file, or an event list.

    Files, with symbolic links followed, lie below it (or beside it, if it is a file) or below one of
    `directories`, which may be relative to that place; what an index or a link leads to elsewhere is a
    problem, and is not published.

    Index tables decide if there are any; without them each FITS file is an event list with its
    response functions. Flux points are found in every file that no index lists. Of datasets with one
    identifier the first whole one by path is taken. What the index lists but is not there, damaged
    indexes and duplicates are problems of the release.
    Raises ProductError if there is nothing at `path`.
    """
    if not path.exists():
        raise ProductError(path, "", "no such file or directory")
    files = [path] if path.is_file() else sorted(_fits_files(path))
    problems: list[Problem] = []
    indexes = list(_read_indexes(_index_files(path, files), problems))
    listed = {entry.location.path for index in indexes for entry in index.entries}
    bare = [file for file in files if not INDEX_NAME.search(file.name) and file not in listed]
    if listed:
        found = [source for index in indexes for source in _indexed(index, indexes, problems)]
        spectra = find_spectra(bare, problems)
    else:
        obs_indexes = [obs for index in indexes for obs in index.obs_indexes]
        both = [source for f in bare for source in _bare(f, obs_indexes, problems)]
        found = [source for source in both if source.kind == EVENTS]
        spectra = [source for source in both if source.kind != EVENTS]
    here = path if path.is_dir() else path.parent
    roots = [directory.resolve() for directory in (here, *(here / d for d in directories))]
    spectra = list(_inside(spectra, roots, problems))
    found = list(_inside(found, roots, problems))
    sources = _unique(sorted(found, key=lambda s: (s.path, s.local_id or "")), problems)
    if not (sources or spectra or problems or indexes):
        message = "nothing to read: no index table, no event list and no flux points (.fits, .fits.gz)"
        problems.append(Problem(path, "", message))
    ordered = sorted(sources, key=_order)
    return Release(path, (*ordered, *with_siblings(spectra, ordered)), tuple(problems))


def _inside(sources: Iterable[Source], roots: Sequence[Path], problems: list[Problem]) -> Iterator[Source]:
    """The sources without what lies outside of all `roots`; without those whose main product does."""
    strange: dict[Path, bool] = {}
    for source in sources:
        for path in {place.path for place in source.products.values()} - set(strange):
            real = path.resolve()
            strange[path] = not any(real.is_relative_to(root) for root in roots)
        outside = [kind for kind, place in source.products.items() if strange[place.path]]
        for path in {source.products[kind].path: None for kind in outside}:
            kinds = ", ".join(kind for kind in outside if source.products[kind].path == path)
            message = (
                f"{kinds} of dataset {source.local_id} lies outside of the release, in"
                f" {path.resolve().parent}: left out; name that place under `directories` in the"
                " collection's file to publish it"
            )
            problems.append(Problem(path, "", message, fatal=source.kind in outside))
        if source.kind not in outside:
            kept = {kind: place for kind, place in source.products.items() if kind not in outside}
            yield replace(source, products=kept)


def _index_files(path: Path, files: list[Path]) -> list[Path]:
    """List the index files: of an index file asked for by name also the obs-indexes beside it."""
    indexes = [file for file in files if INDEX_NAME.search(file.name)]
    if indexes != [path]:
        return indexes
    beside = (file for file in path.parent.iterdir() if file.name.lower().endswith(SUFFIXES))
    return [path, *sorted(file for file in beside if OBS_INDEX_NAME.search(file.name) and file != path)]


def _fits_files(directory: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(directory):
        yield from (Path(folder, name) for name in names if name.lower().endswith(SUFFIXES))


def _read_indexes(paths: Iterable[Path], problems: list[Problem]) -> Iterator[IndexFile]:
    for path in paths:
        try:
            index = read_index(path)
        except ProductError as error:
            problems.append(error.problem)
            continue
        if not index.tables:
            problems.append(Problem(path, "", "named like an index but holds no table with an OBS_ID column"))
        yield index


def _indexed(index: IndexFile, indexes: list[IndexFile], problems: list[Problem]) -> Iterator[Source]:
    datasets: dict[str, list[HduEntry]] = {}
    for entry in index.entries:
        datasets.setdefault(_local_id(entry), []).append(entry)
    for local_id, entries in datasets.items():
        products: dict[str, HduLocation] = {}
        for entry in entries:
            kept = products.setdefault(entry.hdu_type, entry.location)
            if (kept.path, str(kept.hdu).upper()) != (entry.location.path, str(entry.location.hdu).upper()):
                repeated = _duplicate(f"{entry.hdu_type} of dataset {local_id}", kept, entry.location)
                problems.append(replace(repeated, fatal=False))
        if "events" not in products:
            continue
        present = _present(index.path, local_id, products, problems)
        if "events" in present:
            first = entries[0]
            source = Source(present, True, local_id, first.obs_id, first.event_type, first.event_class)
            yield _with_obs_index(source, _partners(index, indexes))


def _local_id(entry: HduEntry) -> str:
    """Join the observation and the parts of the partition where the index has one."""
    return "-".join(part for part in (entry.obs_id, entry.event_class, entry.event_type) if part)


def _present(
    index: Path, local_id: str, products: Mapping[str, HduLocation], problems: list[Problem]
) -> dict[str, HduLocation]:
    missing = {kind: at for kind, at in products.items() if not at.path.is_file()}
    names = ", ".join(dict.fromkeys(os.path.relpath(at.path, index.parent) for at in missing.values()))
    if "events" in missing:
        name = os.path.relpath(products["events"].path, index.parent)
        message = f"the event list {name} is listed but not there; the dataset is left out"
        problems.append(Problem(index, f"dataset {local_id}", message))
    elif missing:
        message = f"listed but not there, published without: {', '.join(missing)} ({names})"
        problems.append(Problem(index, f"dataset {local_id}", message, fatal=False))
    return {kind: at for kind, at in products.items() if kind not in missing}


def _partners(index: IndexFile, indexes: list[IndexFile]) -> list[ObsIndex]:
    """Sort the obs-index tables as they are to be asked: the namesake, the folder's, the others."""
    namesake = index.path.name.lower().replace("hdu", "obs", 1)

    def distance(obs: ObsIndex) -> tuple[bool, bool, Path]:
        return obs.path.name.lower() != namesake, obs.path.parent != index.path.parent, obs.path

    return sorted((obs for other in indexes for obs in other.obs_indexes), key=distance)


def _with_obs_index(source: Source, obs_indexes: Iterable[ObsIndex]) -> Source:
    holder = next((obs for obs in obs_indexes if source.obs_id in obs.rows), None)
    if holder is None or source.obs_id is None:
        return source
    return replace(source, obs_index=holder.rows[source.obs_id], obs_index_columns=holder.columns)


def _bare(path: Path, obs_indexes: list[ObsIndex], problems: list[Problem]) -> Iterator[Source]:
    """Yield the event list of a file, or its flux points: what comes first in it decides.

    A file that cannot be opened stays a source: `read` says why.
    """
    try:
        headers = enumerate(walk(path))
        found = next(((i, h) for i, h in headers if hdu_type(h) == EVENTS or product_of(h)), None)
    except ProductError:
        yield Source({EVENTS: HduLocation(path, "EVENTS")})
        return
    if found is None:
        message = "holds no EVENTS table and no flux points: left out"
        problems.append(Problem(path, "", message))
        return
    i, header = found
    if hdu_type(header) != EVENTS:
        yield from find_spectra([path], problems)
        return
    obs_id = text(header, "OBS_ID")
    source = Source(
        {"events": HduLocation(path, text(header, "EXTNAME") or i)}, local_id=obs_id, obs_id=obs_id
    )
    yield _with_obs_index(source, obs_indexes)


def _unique(sources: Iterable[Source], problems: list[Problem]) -> list[Source]:
    """Keep the first of each identifier whose file is whole.

    The same event list listed by two indexes is no duplicate.
    """
    kept: dict[str, Source] = {}
    unnamed = []
    for source in sources:
        if source.local_id is None:
            unnamed.append(source)
            continue
        first = kept.setdefault(source.local_id, source)
        if first.path == source.path:
            continue
        damage = _damage(first.path)
        if damage is not None:
            problems.append(damage)
            kept[source.local_id] = source
        else:
            ours, theirs = first.products["events"], source.products["events"]
            problems.append(_duplicate(f"dataset {source.local_id}", ours, theirs))
    return [*kept.values(), *unnamed]


def _damage(path: Path) -> Problem | None:
    try:
        open_fits(path)
    except ProductError as error:
        return error.problem
    return None


def _duplicate(what: str, kept: HduLocation, other: HduLocation) -> Problem:
    message = f"left out, {kept.path} [{kept.hdu}] has the same identifier; give it an OBS_ID of its own"
    return Problem(other.path, f"{other.hdu}, {what}", message)


def _order(source: Source) -> tuple[bool, int, str, Path]:
    """Order by identifier, observation numbers as numbers."""
    obs_id = source.obs_id or ""
    number = int(obs_id) if obs_id.isdecimal() else 0
    return not obs_id.isdecimal(), number, source.local_id or "", source.path
