"""What the response functions of a dataset say, of tables and of sky maps, each fault a problem.

Archives share one file of response functions among many event lists: its numbers are kept per process.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, TypeAlias

from ingest import irf, irfmaps
from ingest.facts import HduLocation, Problem, ProductError, ReadOptions, Region, Resolution
from ingest.fitsfile import FitsFile, Hdu, open_cached
from ingest.fitsheader import number
from schema.constants import EV_PER_TEV

_READ = ("rad_max", "aeff", "edisp", "psf")
"""Types that are opened, the one to believe first; backgrounds say nothing that is published."""


_CONTRADICTIONS = (ArithmeticError, LookupError, TypeError, ValueError)
"""What headers and arrays that contradict each other in unforeseen ways raise (also WcsError)."""


@dataclass(frozen=True, slots=True)
class Responses:
    """Energies in eV, `fov` the diameter in deg, resolutions as in `facts.Facts`."""

    energy_min: float | None = None
    energy_max: float | None = None
    fov: float | None = None
    region: Region | None = None
    psf: Resolution | None = None
    edisp: Resolution | None = None
    rad_max: Resolution | None = None
    problems: tuple[Problem, ...] = ()


_Reader: TypeAlias = Callable[[FitsFile, Hdu, ReadOptions], Responses]


def _table_aeff(_: FitsFile, hdu: Hdu, options: ReadOptions) -> Responses:
    problems: list[Problem] = []
    low, high = irf.energy_range(hdu, problems)
    cut = number(hdu.header, "RAD_MAX")
    at = options.reference_energy * EV_PER_TEV, options.reference_offset
    return Responses(
        energy_min=low,
        energy_max=high,
        fov=irf.field_of_view(hdu),
        rad_max=Resolution(cut, *at) if cut else None,
        problems=tuple(problems),
    )


def _table_edisp(_: FitsFile, hdu: Hdu, options: ReadOptions) -> Responses:
    found = irf.energy_resolving_power(hdu, options.reference_energy, options.reference_offset)
    return Responses(edisp=found, fov=irf.field_of_view(hdu))


def _table_psf(_: FitsFile, hdu: Hdu, options: ReadOptions) -> Responses:
    found = irf.psf_resolution(hdu, options.reference_energy, options.reference_offset)
    return Responses(psf=found, fov=irf.field_of_view(hdu))


def _table_rad_max(_: FitsFile, hdu: Hdu, options: ReadOptions) -> Responses:
    return Responses(rad_max=irf.rad_max(hdu, options.reference_energy, options.reference_offset))


def _map_aeff(file: FitsFile, hdu: Hdu, _: ReadOptions) -> Responses:
    low, high = irfmaps.energy_range(irfmaps.sky_map(file, hdu))
    return Responses(energy_min=low, energy_max=high, region=irfmaps.footprint(hdu.header))


def _map_edisp(file: FitsFile, hdu: Hdu, options: ReadOptions) -> Responses:
    found = irfmaps.energy_resolving_power(irfmaps.sky_map(file, hdu), options.reference_energy)
    return Responses(edisp=found, region=irfmaps.footprint(hdu.header))


def _map_psf(file: FitsFile, hdu: Hdu, options: ReadOptions) -> Responses:
    found = irfmaps.psf_resolution(irfmaps.sky_map(file, hdu), options.reference_energy)
    return Responses(psf=found, region=irfmaps.footprint(hdu.header))


_READERS: dict[tuple[str, bool], _Reader] = {
    ("aeff", True): _table_aeff,
    ("edisp", True): _table_edisp,
    ("psf", True): _table_psf,
    ("rad_max", True): _table_rad_max,
    ("aeff", False): _map_aeff,
    ("edisp", False): _map_edisp,
    ("psf", False): _map_psf,
}
"""By type and whether the HDU is a table."""


def read_responses(products: Mapping[str, HduLocation], events: FitsFile, options: ReadOptions) -> Responses:
    """Read the response functions among `products`; those in the file of the events from memory.

    The first in the order of `_READ` that gives a value decides it: fields of view and regions are
    those of the effective area where there is one. What cannot be read is a problem, never an error.
    """
    result = Responses()
    for kind in _READ:
        if kind not in products:
            continue
        try:
            result = _merge(result, _values(kind, products[kind], events, options))
        except ProductError as error:
            problem = replace(error.problem, fatal=False)
        except _CONTRADICTIONS as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            message = f"cannot be understood as {kind} ({why}): ignored"
            problem = Problem(products[kind].path, str(products[kind].hdu), message, fatal=False)
        else:
            continue
        result = replace(result, problems=(*result.problems, problem))
    return result


def _merge(first: Responses, second: Responses) -> Responses:
    unknown = [f.name for f in fields(Responses) if getattr(first, f.name) is None]
    problems = (*first.problems, *second.problems)
    return replace(first, **{name: getattr(second, name) for name in unknown}, problems=problems)


def _values(kind: str, location: HduLocation, events: FitsFile, options: ReadOptions) -> Responses:
    if location.path == events.path:
        return _read(kind, events, location, options)
    try:
        stamp = location.path.stat().st_mtime_ns
    except OSError as error:
        raise ProductError(location.path, "", f"cannot be read: {error.strerror}") from error
    return _shared(kind, location, options, stamp)


@lru_cache(maxsize=256)
def _shared(kind: str, location: HduLocation, options: ReadOptions, _stamp: int) -> Responses:
    return _read(kind, open_cached(location.path), location, options)


def _read(kind: str, file: FitsFile, location: HduLocation, options: ReadOptions) -> Responses:
    hdu = file.find(location.hdu)
    if hdu is None:
        names = ", ".join(h.name for h in file.hdus[1:])
        raise ProductError(file.path, str(location.hdu), f"no such HDU; the file has {names}")
    reader = _READERS.get((kind, hdu.is_table))
    if reader is None:
        raise ProductError(file.path, hdu.name, f"{kind} as an image is not known")
    return _possible(reader(file, hdu, options))


def _possible(found: Responses) -> Responses:
    """Forget energies and resolutions that are not positive and finite, such as those of an axis from 0."""
    values = {name: getattr(found, name) for name in ("energy_min", "energy_max", "psf", "edisp", "rad_max")}
    numbers = {k: v.value if isinstance(v, Resolution) else v for k, v in values.items() if v is not None}
    unknown: dict[str, Any] = {k: None for k, v in numbers.items() if not 0 < v < math.inf}
    return replace(found, **unknown)
