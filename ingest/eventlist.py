"""The rows of an EVENTS table, checked."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.facts import EventArray, EventColumn, Events, Problem, ProductError, TimeReference
from ingest.fitsfile import Hdu
from ingest.frames import check_ra, frame
from ingest.times import SECONDS_NAMES, check_span, utc_mjd
from schema.constants import EV_PER_TEV

_UCDS = (("pos.eq", ("RA", "DEC")), ("time", ("TIME",)), ("em.energy", ("ENERGY",)))
"""What the events are measured in, in the order in which o_ucd lists it."""

_UNPUBLISHED = {"C": "complex", "M": "complex", "P": "variable-length", "Q": "variable-length"}
"""Formats for which tables in the database have no type."""

_TURN = 360.0
"""deg; MAGIC's public lists have right ascensions up to 444."""


@dataclass(frozen=True)
class Measured:
    """The mandatory columns, checked: `time` in the reference's unit, angles in deg, energy in TeV."""

    time: NDArray[np.float64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    energy: NDArray[np.float64] | None


def measured(hdu: Hdu, reference: TimeReference) -> Measured:
    """Read TIME, RA, DEC and ENERGY.

    Raises ProductError, with the row (from 1), if one of the first three is missing, a value in them
    is not finite, |DEC| exceeds 90 deg, RA lies outside -180..360 by more than a turn, or
    TIME outside 1858 to 2132.
    """
    time = _mandatory(hdu, "TIME", SECONDS_NAMES[reference.unit])
    ra, dec = _mandatory(hdu, "RA", "deg"), _mandatory(hdu, "DEC", "deg")
    check_span(hdu.path, f"{hdu.name} column TIME", reference, time)
    check_ra(hdu.path, f"{hdu.name} column RA", ra, beyond=_TURN)
    impossible = np.flatnonzero(np.abs(dec) > 90)
    if impossible.size:
        row = int(impossible[0])
        message = f"{dec[row]:g} deg in row {row + 1} is impossible; declinations lie within -90..90"
        raise ProductError(hdu.path, f"{hdu.name} column DEC", message)
    energy = hdu.in_unit("ENERGY", "TeV")
    return Measured(time, ra, dec, None if energy is None else _one_a_row(hdu, "ENERGY", energy))


def _mandatory(hdu: Hdu, name: str, unit: str) -> NDArray[np.float64]:
    values = hdu.in_unit(name, unit)
    if values is None:
        raise ProductError(
            hdu.path, hdu.name, f"no column {name}; GADF event lists need TIME, RA, DEC and ENERGY"
        )
    where = f"{hdu.name} column {name}"
    _one_a_row(hdu, name, values)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row = int(bad[0])
        raise ProductError(hdu.path, where, f"{values[row]} in row {row + 1} is not a number")
    return values


def _one_a_row(hdu: Hdu, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.ndim != 1:
        size = math.prod(values.shape[1:])
        raise ProductError(
            hdu.path, f"{hdu.name} column {name}", f"has {size} values a row; it must have one"
        )
    return values


def describe(hdu: Hdu) -> tuple[EventColumn, ...]:
    """List the columns in the file's order."""
    return tuple(EventColumn(c.name, c.format, c.unit, c.description) for c in hdu.columns)


def observables(hdu: Hdu) -> str | None:
    """Return o_ucd: the UCDs of what is measured of each event, joined by `#`."""
    present = [ucd for ucd, names in _UCDS if all(hdu.column(name) for name in names)]
    return "#".join(present) or None


def event_arrays(hdu: Hdu, reference: TimeReference) -> Events:
    """Read all columns but those that `problems` names. Raises ProductError as `measured` does."""
    values = measured(hdu, reference)
    ra, dec = frame(hdu.path, hdu.name, hdu.header)(values.ra, values.dec)
    known = {hdu.column(name) for name in ("EVENT_ID", "TIME", "RA", "DEC", "ENERGY")}
    others = (c for c in hdu.columns if c not in known and c.code not in _UNPUBLISHED)
    return Events(
        event_id=_identifiers(hdu),
        time=values.time,
        time_mjd=utc_mjd(reference, values.time),
        ra=ra,
        dec=dec,
        energy=values.energy,
        others=tuple(EventArray(c.name, _signed(hdu.values(c)), c.unit, c.description) for c in others),
    )


def problems(hdu: Hdu) -> list[Problem]:
    """List the columns that are not published, and why."""
    found = [
        Problem(
            hdu.path,
            f"{hdu.name} column {column.name}",
            f"{_UNPUBLISHED[column.code]} (TFORM {column.format}): events are published without it",
            fatal=False,
        )
        for column in hdu.columns
        if column.code in _UNPUBLISHED
    ]
    if hdu.column("EVENT_ID") and _identifiers(hdu) is None:
        message = "not a whole number of 64 bits in each row: events are published without it"
        found.append(Problem(hdu.path, f"{hdu.name} column EVENT_ID", message, fatal=False))
    return found


def _identifiers(hdu: Hdu) -> NDArray[np.int64] | None:
    """Return EVENT_ID, also where whole numbers are stored as floats; None if a row has no such number."""
    column = hdu.column("EVENT_ID")
    if column is None or column.code not in "BIJKED" or column.shape:
        return None
    values = _signed(hdu.values(column))
    if values.dtype.kind == "f" and not np.all((np.abs(values) < 2**53) & (values == np.floor(values))):
        return None
    return values.astype(np.int64)


def _signed(values: NDArray[Any]) -> NDArray[Any]:
    """Return unsigned integers of 64 bits as signed ones, or as float64 if one is above 2^63 - 1."""
    if values.dtype != np.uint64:
        return values
    return values.astype(np.float64 if np.any(values > np.iinfo(np.int64).max) else np.int64)


def energy_bounds(energy: NDArray[np.float64] | None) -> tuple[float | None, float | None]:
    """Return the lowest and highest positive finite energy in eV."""
    good = energy[np.isfinite(energy) & (energy > 0)] if energy is not None else np.empty(0)
    return (float(good.min()) * EV_PER_TEV, float(good.max()) * EV_PER_TEV) if good.size else (None, None)
