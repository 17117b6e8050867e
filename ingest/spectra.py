"""Finding spectra, light curves and profiles in a release: by what the files hold, never by their names."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ingest.facts import EVENTS, HduLocation, Problem, ProductError, Source, Value
from ingest.fitsfile import walk
from ingest.fitsheader import Header, keyword, text
from ingest.fluxpoints import flux_tables

_TARGET = ("object", "ra_obj", "dec_obj")
SUFFIXES = (".fits.gz", ".fit.gz", ".fits", ".fit")


def find_spectra(files: Iterable[Path], problems: list[Problem]) -> list[Source]:
    """Find the tables of flux points in files; one that cannot be opened is a problem."""
    found: list[Source] = []
    for path in files:
        try:
            tables = list(flux_tables(enumerate(walk(path))))
        except ProductError as error:
            problems.append(error.problem)
            continue
        found += _sources(path, tables)
    return found


def with_siblings(spectra: list[Source], event_lists: list[Source]) -> Iterator[Source]:
    """Spectra with the position of their target, where an event list of the same target tells it."""
    names = {str(name) for s in spectra if (name := s.obs_index.get("object")) is not None}
    positions: dict[str, dict[str, Value]] = {}
    for source in event_lists if names else ():
        told = _target(source)
        name = told.get("object")
        if name in names and set(_TARGET) <= set(told):
            positions.setdefault(str(name), told)
        if len(positions) == len(names):
            break
    for spectrum in spectra:
        told = positions.get(str(spectrum.obs_index.get("object")), {})
        yield replace(spectrum, obs_index={**told, **spectrum.obs_index})


def _target(source: Source) -> dict[str, Value]:
    """OBJECT, RA_OBJ and DEC_OBJ of an event list: of its row of the index, else of its header."""
    row = {name: source.obs_index.get(name) for name in _TARGET}
    if None not in row.values():
        return row
    place = source.products[EVENTS].hdu
    try:
        headers = enumerate(walk(source.path))
        found = next((h for number, h in headers if place in {number, text(h, "EXTNAME")}), None)
    except ProductError:
        return {}
    told = {name: keyword(found or {}, name.upper()) for name in _TARGET}
    return {name: value for name, value in told.items() if value is not None}


def _sources(path: Path, tables: list[tuple[str | int, str, Header]]) -> Iterator[Source]:
    """A dataset for each table; its identifier is the name of the file, with that of the table if needed."""
    stem = next((path.name[: -len(s)] for s in SUFFIXES if path.name.lower().endswith(s)), path.name)
    for place, kind, header in tables:
        local_id = stem if len(tables) == 1 else f"{stem}-{place}"
        target = text(header, "OBJECT", "SOURCE", "TARGET")
        row: dict[str, Value] = {} if target is None else {"object": target}
        yield Source({kind: HduLocation(path, place)}, True, local_id, local_id, obs_index=row)
