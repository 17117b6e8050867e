"""The flux points of a file as a table that spectral clients plot (Spectrum Data Model 1.1).

Values and units are those of the file (GADF "Flux points"); where it has multiples of a reference spectrum
(SED_TYPE likelihood), they are multiplied by it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
from astropy import units
from astropy.io import fits
from numpy.typing import NDArray

from schema.types import DOUBLE, SMALLINT
from vo_server.adql.translation import ResultColumn
from vo_server.errors import ServerError
from vo_server.eventlists.table import Table
from vo_server.products.file import look
from vo_server.products.fitsfile import FitsError, FitsFile
from vo_server.results import arrow
from vo_server.results.descriptor import ServiceParameter
from vo_server.results.result import Result
from vo_server.ssa.store import Published

Floats = NDArray[np.float64]

UTYPE: Final = "spec:Spectrum"
_MODEL: Final = "Spectrum-1.1"

_MEASURES: Final = ("dnde", "e2dnde", "flux", "eflux", "norm")
_SED_TYPES: Final = {"likelihood": "norm"}
_REFERENCES: Final = ("ref_dnde", "ref_e2dnde", "ref_flux", "ref_eflux")

_DAMAGED: Final = (FitsError, ValueError, KeyError, TypeError, IndexError, fits.VerifyError)
"""What is raised on files that are not what ingest saw."""

_SPECTRAL: Final = "Data.SpectralAxis"
_FLUX: Final = "Data.FluxAxis"

_ENERGIES: Final = (
    ("energy", "e_ref", f"{_SPECTRAL}.Value", "em.energy", "Energy of the flux point"),
    ("energy_min", "e_min", f"{_SPECTRAL}.Accuracy.BinLow", "em.energy;stat.min", "Lower edge of its bin"),
    ("energy_max", "e_max", f"{_SPECTRAL}.Accuracy.BinHigh", "em.energy;stat.max", "Upper edge of its bin"),
)
_FLUXES: Final = (
    ("flux", "", f"{_FLUX}.Value", "{ucd}", "Flux"),
    ("flux_error", "_err", f"{_FLUX}.Accuracy.StatError", "stat.error;{ucd}", "Statistical error"),
    (
        "flux_error_low",
        "_errn",
        f"{_FLUX}.Accuracy.StatErrLow",
        "stat.error;{ucd};stat.min",
        "Error downwards",
    ),
    (
        "flux_error_high",
        "_errp",
        f"{_FLUX}.Accuracy.StatErrHigh",
        "stat.error;{ucd};stat.max",
        "Error upwards",
    ),
    ("flux_limit", "_ul", f"{_FLUX}.UpperLimit", "{ucd};stat.max", "Upper limit"),
)
"""Column of the answer, (end of the) name in the file, role in the model, UCD, description."""

_FLAG: Final = ResultColumn("is_limit", SMALLINT, "1 if flux_limit holds and not flux", None, "meta.code")


@dataclass(frozen=True, slots=True)
class Points:
    """The columns of a spectrum with their values, all of one length; NaN where there is none."""

    columns: tuple[ResultColumn, ...]
    values: tuple[Floats, ...]
    sed_type: str
    complete: ClassVar = True

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        schema = arrow.schema(self.columns)
        arrays = [
            pa.array(values, kind, from_pandas=True)
            for values, kind in zip(self.values, schema.types, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def close(self) -> None:
        """Nothing is open: the values are in memory."""

    def cancel(self) -> None:
        """Nothing runs."""


def spectrum(published: Published) -> Result:
    """A published spectrum as a table. Raises MissingFileError, ChangedFileError, ServerError."""
    try:
        points = _read(published)
    except _DAMAGED as error:
        raise ServerError("The file of this spectrum cannot be read.") from error
    return Result(
        points.columns,
        points,
        len(points.values[0]),
        params=_params(published, points),
        utype=UTYPE,
    )


def _read(published: Published) -> Points:
    file = FitsFile(look(published.record))
    hdu = file.find(published.hdu)
    if hdu is None:
        raise FitsError(f"there is no HDU {published.hdu}")
    table = Table(file, hdu)
    declared = str(hdu.header.get("SED_TYPE") or "").strip().lower()
    names = {str(name).strip().lower() for name in hdu.header["TTYPE*"].values()}
    measure = _SED_TYPES.get(declared, declared) or next(name for name in _MEASURES if name in names)
    rows = np.concatenate([np.empty((0, table.width), np.uint8), *table.chunks(max(1, table.rows))])
    reader = _Reader(table, rows, frozenset(names))
    if measure not in names:
        raise FitsError(f"there is no column {measure}")
    columns, values = zip(*reader.energies(), *reader.fluxes(measure, published.flux_ucd or ""), strict=True)
    if "is_ul" in names:
        columns, values = (*columns, _FLAG), (*values, reader.flags("is_ul"))
    return Points(columns, values, declared or measure)


@dataclass(frozen=True, slots=True)
class _Reader:
    table: Table
    rows: NDArray[np.uint8]
    names: frozenset[str]

    def energies(self) -> Iterator[tuple[ResultColumn, Floats]]:
        """The energies; without e_ref the geometric mean of the edges (GADF "Flux points")."""
        for name, stored, role, ucd, text in _ENERGIES:
            if stored in self.names:
                yield _column(name, role, ucd, text, self._unit(stored)), self._values(stored)
            elif stored == "e_ref":
                factor = units.Unit(self._unit("e_max")).to(self._unit("e_min"))
                middle = np.sqrt(self._values("e_min") * self._values("e_max") * factor)
                yield _column(name, role, ucd, text, self._unit("e_min")), middle

    def fluxes(self, measure: str, ucd: str) -> Iterator[tuple[ResultColumn, Floats]]:
        """The flux with its errors and limits, those of a likelihood in units of the reference."""
        reference = next((r for r in _REFERENCES if r in self.names), None) if measure == "norm" else None
        factor = self._values(reference) if reference else np.ones(len(self.rows))
        for name, ending, role, word, text in _FLUXES:
            stored = measure + ending
            if stored in self.names:
                unit = self._unit(reference or stored)
                yield _column(name, role, word.format(ucd=ucd), text, unit), self._values(stored) * factor

    def flags(self, name: str) -> Floats:
        """Logical values as numbers: 1 for true."""
        values = self._values(name)
        return np.where((values == ord("T")) | (values == 1), 1.0, 0.0)

    def _values(self, name: str) -> Floats:
        return self.table.column(name.upper()).values(self.rows)

    def _unit(self, name: str) -> str:
        return self.table.column(name.upper()).unit or ""


def _column(name: str, role: str, ucd: str, description: str, unit: str) -> ResultColumn:
    return ResultColumn(name, DOUBLE, description, _vounit(unit), ucd, f"{UTYPE}.{role}")


def _vounit(unit: str) -> str | None:
    """The unit as VOUnits write it."""
    return str(units.Unit(unit).to_string("vounit")) or None


def _params(published: Published, points: Points) -> tuple[ServiceParameter, ...]:
    """What holds for the whole spectrum, as far as it is known."""
    axes: Sequence[ResultColumn] = points.columns
    energy = next(c for c in axes if c.name == "energy")
    flux = next(c for c in axes if c.name == "flux")
    told = {
        "DataModel": _MODEL,
        "Type": "Spectrum",
        "DataID.Title": published.title,
        "DataID.Collection": published.collection,
        "DataID.Instrument": published.facility,
        "Curation.PublisherDID": published.did,
        "Target.Name": published.target,
        "Char.SpectralAxis.Ucd": energy.ucd,
        "Char.SpectralAxis.Unit": energy.unit,
        "Char.FluxAxis.Ucd": flux.ucd,
        "Char.FluxAxis.Unit": flux.unit,
    }
    texts = [_param(role, value) for role, value in told.items() if value]
    if published.ra is None or published.dec is None:
        return tuple(texts)
    position = ServiceParameter(
        "Target_Pos",
        f"{published.ra!r} {published.dec!r}",
        datatype="double",
        arraysize="2",
        unit="deg",
        ucd="pos.eq;src",
        utype=f"{UTYPE}.Target.Pos",
    )
    return (*texts, position)


def _param(role: str, value: str) -> ServiceParameter:
    return ServiceParameter(role.replace(".", "_"), value, utype=f"{UTYPE}.{role}")
