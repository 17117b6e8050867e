"""Reading flux points: spectra and light curves as GADF ("Flux points", "SED", "Lightcurves") has them.

They are told by their content: a table with energies and one of the fluxes of MEASURES, light curves by their
columns of time, profiles (as gammapy writes them) by their columns of distance.
"""

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy import units
from numpy.typing import NDArray

from ingest.facts import (
    FileFacts,
    HduLocation,
    Problem,
    ProductError,
    ReadOptions,
    Source,
    TimeMoc,
    Value,
)
from ingest.fitsfile import FitsColumn, FitsFile, Hdu, open_cached, unit_factor
from ingest.fitsheader import Header, text
from ingest.frames import frame
from ingest.goodtimes import GoodTimes, good_times, intervals
from ingest.hdus import hdu_type
from ingest.keywords import Keywords
from ingest.times import SECONDS_NAMES, first_date, time_reference
from schema.products import LIGHT_CURVE, PROFILE, SPECTRUM
from schema.target import target_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measure:
    """A form of flux: the unit that its column must convert to, and what it is (UCD1+)."""

    unit: str
    ucd: str


MEASURES: Final[Mapping[str, Measure]] = {
    "dnde": Measure("cm-2 s-1 TeV-1", "phot.flux.density;em.gamma"),
    "e2dnde": Measure("erg cm-2 s-1", "phot.flux.density;em.gamma"),
    "flux": Measure("cm-2 s-1", "phot.flux;em.gamma"),
    "eflux": Measure("erg cm-2 s-1", "phot.flux;em.gamma"),
    "norm": Measure("", ""),
}
"""Column -> what it holds; `norm` is in units of a reference spectrum (REFERENCES)."""

SED_TYPES: Final = {name: name for name in MEASURES if name != "norm"} | {"likelihood": "norm"}
"""SED_TYPE -> column with the flux (GADF "Flux points", section "SED_TYPE")."""

REFERENCES: Final = {"ref_dnde": "dnde", "ref_e2dnde": "e2dnde", "ref_flux": "flux", "ref_eflux": "eflux"}
"""Column of the reference spectrum -> what it holds; the first that is there counts."""

SUFFIXES: Final = ("_err", "_errn", "_errp", "_ul")
"""What follows the name of a flux in the names of its errors and upper limits."""

_NAMES: Final = {"FLUXPOINTS", "FLUX_POINTS", "SED", "LIGHTCURVE", "LIGHT_CURVE"}
_TIMES: Final = ("time_min", "time_max")
_DISTANCES: Final = ("x_min", "x_max")
_EV: Final = "eV"


@dataclass(frozen=True, slots=True)
class FluxFacts:
    """Everything known about a spectrum, light curve or profile, in the frames and units of `ingest.facts`.

    `points` are the energies of a spectrum or of each row of the others, `bins` the times of a light curve
    and `places` the distances of a profile (otherwise 1). `flux_ucd` and `flux_unit` are those of the flux,
    for a likelihood table those of its reference spectrum; `energy_unit` is that of the file; both units are
    VOUnits. `good` are its good times, of a light curve its time bins; None where the file has no times.
    """

    source: Source
    local_id: str
    products: Mapping[str, HduLocation]
    files: tuple[FileFacts, ...]
    problems: tuple[Problem, ...]
    sed_type: str
    flux_ucd: str
    flux_unit: str
    energy_unit: str
    points: int
    bins: int
    places: int
    energy_min: float
    energy_max: float
    target: str | None
    ra: float | None
    dec: float | None
    telescope: str | None
    instrument: str | None
    origin: str | None
    created: str | None
    t_start: float | None
    t_stop: float | None
    exposure: float | None
    good: TimeMoc | None


def product_of(header: Header) -> str | None:
    """Tell SPECTRUM, LIGHT_CURVE or PROFILE from the header of an HDU; None if it claims to be none."""
    if text(header, "XTENSION") != "BINTABLE":
        return None
    names = {str(value).strip().lower() for key, value in header.items() if key.startswith("TTYPE")}
    has_energies = "e_ref" in names or {"e_min", "e_max"} <= names
    claims = text(header, "SED_TYPE") is not None or (text(header, "EXTNAME") or "").upper() in _NAMES
    if not claims and not (has_energies and names & set(MEASURES)):
        return None
    timed = set(_TIMES) <= names or "time" in names or "LIGHT" in (text(header, "EXTNAME") or "").upper()
    if timed:
        return LIGHT_CURVE
    return PROFILE if set(_DISTANCES) <= names else SPECTRUM


def read_flux(source: Source, options: ReadOptions | None = None) -> FluxFacts:
    """Read all facts of a spectrum, light curve or profile.

    Raises ProductError, whose text is one line, for a file that is damaged, for a table without rows,
    energies or fluxes, and for units, shapes, energies or times that are impossible.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _read(source, options or ReadOptions())


def _read(source: Source, options: ReadOptions) -> FluxFacts:
    file = open_cached(source.path)
    place = source.products[source.kind]
    hdu = file.find(place.hdu)
    if hdu is None or not hdu.is_table:
        raise ProductError(file.path, str(place.hdu), "no such table of flux points")
    if not hdu.rows:
        raise ProductError(file.path, hdu.name, "has no rows: there is no flux point to publish")
    energies = _energies(hdu)
    if source.kind == SPECTRUM and math.prod(energies.shape) > hdu.rows:
        message = f"has {_shape_of(energies.shape)}: a spectrum is a table with one flux point a row"
        raise ProductError(file.path, hdu.name, message)
    measure = _measure(hdu)
    flux = _flux(hdu, measure, energies)
    problems: list[Problem] = []
    sky = _sky(_words(file, hdu, source), source.path, options)
    good = _good_times(source, file, hdu, problems)
    direction = None if sky["ra"] is None else (sky["ra"], sky["dec"])
    spans = good.utc if good is not None and good.start.size else ()
    stat = (file.size, file.mtime)
    return FluxFacts(
        source=source,
        local_id=source.local_id or source.path.name,
        products={source.kind: HduLocation(place.path, place.hdu, f"gadf-{measure}")},
        files=(FileFacts(source.path, *stat),),
        problems=tuple(problems),
        sed_type="likelihood" if measure == "norm" else measure,
        flux_ucd=flux.ucd,
        flux_unit=flux.unit,
        energy_unit=energies.unit,
        points=_points(energies, source.kind),
        bins=hdu.rows if _is_timed(source) else 1,
        places=hdu.rows if source.kind == PROFILE else 1,
        energy_min=energies.low,
        energy_max=energies.high,
        **sky,
        t_start=min((start for start, _ in spans), default=None),
        t_stop=max((stop for _, stop in spans), default=None),
        exposure=good.length if good is not None else None,
        good=good.moc(direction, options.tmoc_order, options.tmoc_cells) if good is not None else None,
    )


def _is_timed(source: Source) -> bool:
    return source.kind == LIGHT_CURVE


@dataclass(frozen=True, slots=True)
class _Energies:
    """Lowest and highest energy in eV, unit of the file, and the shape of the columns."""

    low: float
    high: float
    unit: str
    shape: tuple[int, ...]


def _points(energies: _Energies, kind: str) -> int:
    """The energies of a spectrum, or of each row."""
    rows, *more = energies.shape
    return rows if kind == SPECTRUM else math.prod(more)


def _energies(hdu: Hdu) -> _Energies:
    """Check e_min, e_max and e_ref, of which e_ref or both others must be there."""
    found = {name: _energy(hdu, name) for name in ("e_min", "e_ref", "e_max") if hdu.column(name)}
    if "e_ref" not in found and len(found) < 2:
        raise ProductError(hdu.path, hdu.name, "no energies: give the columns e_ref, or e_min and e_max")
    first = next(iter(found.values()))
    for name, values in found.items():
        if values.shape != first.shape:
            message = f"has {_shape(values)}, but other energies have {_shape(first)}"
            raise ProductError(hdu.path, f"{hdu.name} column {name}", message)
    for low, high in (("e_min", "e_ref"), ("e_ref", "e_max"), ("e_min", "e_max")):
        if low in found and high in found:
            _check_order(hdu, low, high, found[low], found[high])
    lowest = min(float(values.min()) for values in found.values())
    highest = max(float(values.max()) for values in found.values())
    return _Energies(lowest, highest, _unit(hdu, next(iter(found))), first.shape)


def _energy(hdu: Hdu, name: str) -> Floats:
    column = hdu.column(name)
    where = f"{hdu.name} column {name}"
    if column is not None and column.unit is None:
        raise ProductError(hdu.path, where, "has no unit; give TUNIT, e.g. 'TeV'")
    values = hdu.in_unit(name, _EV)
    if values is None:
        raise ProductError(hdu.path, where, "is missing")
    bad = np.argwhere(~(np.isfinite(values) & (values > 0)))
    if bad.size:
        message = f"in row {bad[0][0] + 1} is no energy above 0; every flux point needs one"
        raise ProductError(hdu.path, where, message)
    return values


def _check_order(hdu: Hdu, low: str, high: str, lower: Floats, upper: Floats) -> None:
    """`low` must not be above `high` by more than rounding, as single precision does."""
    bad = np.argwhere(lower > upper * (1 + 1e-6))
    if bad.size:
        message = f"{low} is above {high} in row {bad[0][0] + 1}"
        raise ProductError(hdu.path, f"{hdu.name} column {low}", message)


def _measure(hdu: Hdu) -> str:
    """The column of the flux: what SED_TYPE says, else the first of MEASURES that is there."""
    declared = text(hdu.header, "SED_TYPE")
    if declared is None:
        found = next((name for name in MEASURES if hdu.column(name)), None)
        if found is None:
            message = f"no fluxes: give one of the columns {', '.join(MEASURES)}"
            raise ProductError(hdu.path, hdu.name, message)
        return found
    measure = SED_TYPES.get(declared.strip().lower())
    if measure is None:
        known = ", ".join(SED_TYPES)
        raise ProductError(hdu.path, f"{hdu.name} SED_TYPE", f"{declared!r} is unknown; known are {known}")
    if hdu.column(measure) is None:
        message = f"says {declared!r}, but there is no column {measure}"
        raise ProductError(hdu.path, f"{hdu.name} SED_TYPE", message)
    return measure


def _flux(hdu: Hdu, measure: str, energies: _Energies) -> Measure:
    """Check the flux with its errors, limits and reference; what it is, in the unit of the file."""
    values = _values(hdu, measure, measure, energies)
    if not np.isfinite(values).any():
        message = "holds no number at all: there is no flux point to publish"
        if (
            hdu.column(f"{measure}_ul") is None
            or not np.isfinite(_values(hdu, f"{measure}_ul", measure, energies)).any()
        ):
            raise ProductError(hdu.path, f"{hdu.name} column {measure}", message)
    for suffix in SUFFIXES:
        if hdu.column(measure + suffix) is not None:
            _values(hdu, measure + suffix, measure, energies)
    _check_flags(hdu)
    if measure != "norm":
        return Measure(_unit(hdu, measure), MEASURES[measure].ucd)
    reference = next((name for name in REFERENCES if hdu.column(name)), None)
    if reference is None:
        message = f"no reference spectrum for norm: give one of the columns {', '.join(REFERENCES)}"
        raise ProductError(hdu.path, hdu.name, message)
    _values(hdu, reference, REFERENCES[reference], energies)
    return Measure(_unit(hdu, reference), MEASURES[REFERENCES[reference]].ucd)


def _unit(hdu: Hdu, name: str) -> str:
    """The unit of a column as VOUnits write it; it is known to be one."""
    column = hdu.column(name)
    return str(units.Unit((column.unit if column else None) or "").to_string("vounit"))


def _values(hdu: Hdu, name: str, measure: str, energies: _Energies) -> Floats:
    """A column with fluxes, of the shape of the energies and in a unit of its kind."""
    column = hdu.column(name)
    where = f"{hdu.name} column {name}"
    if column is None or column.code not in "BIJKED":
        told = "missing" if column is None else f"TFORM {column.format} holds no numbers; use D or E"
        raise ProductError(hdu.path, where, told)
    _check_unit(hdu.path, where, column, MEASURES[measure].unit)
    values: Floats = hdu.values(column).astype(np.float64, copy=False)
    if values.shape != energies.shape and math.prod(values.shape) != math.prod(energies.shape):
        raise ProductError(
            hdu.path, where, f"has {_shape(values)}, but the energies have {_shape_of(energies.shape)}"
        )
    return values


def _check_unit(path: Path, where: str, column: FitsColumn, wanted: str) -> None:
    """The unit must convert to the wanted one, with or without photons in it."""
    if column.unit is None and wanted:
        raise ProductError(path, where, f"has no unit; give TUNIT, e.g. {wanted!r}")
    for target in (wanted, f"ph {wanted}".strip()):
        try:
            unit_factor(column.unit or "", target)
        except ValueError as error:
            fault = error
        else:
            return
    told = f"write it in {wanted}" if wanted else "it is a ratio and has no unit"
    raise ProductError(path, where, f"unit {column.unit!r} does not fit ({fault}); {told}")


def _check_flags(hdu: Hdu) -> None:
    column = hdu.column("is_ul")
    if column is not None and column.code not in "LBIJK":
        message = f"TFORM {column.format} is no flag; use L"
        raise ProductError(hdu.path, f"{hdu.name} column is_ul", message)


def _shape(values: NDArray[Any]) -> str:
    return _shape_of(values.shape)


def _shape_of(shape: tuple[int, ...]) -> str:
    return f"{math.prod(shape[1:])} values a row"


def _words(file: FitsFile, hdu: Hdu, source: Source) -> Keywords:
    """Keywords of the table, behind them those of the primary header and of a sibling in the release."""
    row: dict[str, Value] = dict(source.obs_index)
    for name, value in file.hdus[0].header.items():
        if isinstance(value, str | int | float | bool):
            row[name.lower()] = value
    return Keywords(file.path, hdu.name, hdu.header, row)


def _sky(words: Keywords, path: Path, options: ReadOptions) -> dict[str, Any]:
    """What was observed and by whom; the operator's word about the target counts before the file's."""
    name = words.text("OBJECT", "SOURCE", "TARGET")
    known = target_of(options.targets, path.name, name)
    position = words.position("RA_OBJ", "DEC_OBJ", frame(path, words.where, words.header))
    if known is not None:
        name, position = known.name, (known.ra, known.dec)
    return {
        "target": name,
        "ra": position[0] if position else None,
        "dec": position[1] if position else None,
        "telescope": words.text("TELESCOP"),
        "instrument": words.text("INSTRUME"),
        "origin": words.text("ORIGIN"),
        "created": first_date(words.header, ("CREATED", "DATE")),
    }


def _good_times(source: Source, file: FitsFile, hdu: Hdu, problems: list[Problem]) -> GoodTimes | None:
    """The time bins of a light curve; of a spectrum the good times in the same file."""
    if _is_timed(source):
        return _bins(hdu)
    table = next((h for h in file.hdus if hdu_type(h.header) == "gti" and h.is_table), None)
    if table is not None:
        return good_times(table, None)
    if any(name in hdu.header for name in ("TSTART", "TSTOP")):
        message = "TSTART or TSTOP without a GTI table: published without times"
        problems.append(Problem(file.path, hdu.name, message, fatal=False))
    return None


def _bins(hdu: Hdu) -> GoodTimes:
    reference = time_reference(hdu.path, hdu.name, hdu.header)
    names = _TIMES if all(map(hdu.column, _TIMES)) else ("time", "time")
    for column in filter(None, map(hdu.column, names)):
        if column.unit is None and text(hdu.header, "TIMEUNIT") is None:
            message = "has no unit; give TIMEUNIT in the header, or TUNIT"
            raise ProductError(hdu.path, f"{hdu.name} column {column.name}", message)
    start, stop = (hdu.in_unit(name, SECONDS_NAMES[reference.unit]) for name in names)
    if start is None or stop is None:
        raise ProductError(hdu.path, hdu.name, "no times: give the columns time_min and time_max")
    if start.ndim != 1 or stop.ndim != 1:
        raise ProductError(hdu.path, f"{hdu.name} column {names[0]}", "must have one value a row")
    return intervals(hdu, (names[0], names[1]), reference, start, stop)


def flux_tables(headers: Iterable[tuple[int, Header]]) -> Iterator[tuple[str | int, str, Header]]:
    """Name (number where it has none of its own), product and header of each table of a file."""
    seen: set[str] = set()
    for number, header in headers:
        kind, name = product_of(header), text(header, "EXTNAME")
        if kind is not None:
            unique = name is not None and name.upper() not in seen
            yield name if name is not None and unique else number, kind, header
        seen.add((name or "").upper())
