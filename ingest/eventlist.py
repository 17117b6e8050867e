"""The rows of an EVENTS table, checked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.facts import EventArray, EventColumn, Events, ProductError, TimeReference
from ingest.fitsfile import Hdu
from ingest.frames import frame
from ingest.times import SECONDS_NAMES, utc_mjd

_UCDS = (("pos.eq", ("RA", "DEC")), ("time", ("TIME",)), ("em.energy", ("ENERGY",)))
"""What the events are measured in, in the order in which o_ucd lists it."""


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
    is not finite, or |DEC| exceeds 90 deg.
    """
    time = _mandatory(hdu, "TIME", SECONDS_NAMES[reference.unit])
    ra, dec = _mandatory(hdu, "RA", "deg"), _mandatory(hdu, "DEC", "deg")
    impossible = np.flatnonzero(np.abs(dec) > 90)
    if impossible.size:
        row = int(impossible[0])
        message = f"{dec[row]:g} deg in row {row + 1} is impossible; declinations lie within -90..90"
        raise ProductError(hdu.path, f"{hdu.name} column DEC", message)
    return Measured(time, ra, dec, hdu.in_unit("ENERGY", "TeV"))


def _mandatory(hdu: Hdu, name: str, unit: str) -> NDArray[np.float64]:
    values = hdu.in_unit(name, unit)
    if values is None:
        raise ProductError(
            hdu.path, hdu.name, f"no column {name}; GADF event lists need TIME, RA, DEC and ENERGY"
        )
    where = f"{hdu.name} column {name}"
    if values.ndim != 1:
        raise ProductError(hdu.path, where, f"has {values[0].size} values a row; it must have one")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row = int(bad[0])
        raise ProductError(hdu.path, where, f"{values[row]} in row {row + 1} is not a number")
    return values


def describe(hdu: Hdu) -> tuple[EventColumn, ...]:
    """List the columns in the file's order."""
    return tuple(EventColumn(c.name, c.format, c.unit, c.description) for c in hdu.columns)


def observables(hdu: Hdu) -> str | None:
    """Return o_ucd: the UCDs of what is measured of each event, joined by `#`."""
    present = [ucd for ucd, names in _UCDS if all(hdu.column(name) for name in names)]
    return "#".join(present) or None


def event_arrays(hdu: Hdu, reference: TimeReference) -> Events:
    """Read all columns but those of variable length. Raises ProductError as `measured` does."""
    values = measured(hdu, reference)
    ra, dec = frame(hdu.path, hdu.name, hdu.header)(values.ra, values.dec)
    identifier = hdu.column("EVENT_ID")
    known = {hdu.column(name) for name in ("EVENT_ID", "TIME", "RA", "DEC", "ENERGY")}
    others = (c for c in hdu.columns if c not in known and not c.is_variable)
    return Events(
        event_id=hdu.values(identifier).astype(np.int64) if identifier else None,
        time=values.time,
        time_mjd=utc_mjd(reference, values.time),
        ra=ra,
        dec=dec,
        energy=values.energy,
        others=tuple(EventArray(c.name, hdu.values(c), c.unit, c.description) for c in others),
    )


def energy_bounds(energy: NDArray[np.float64] | None) -> tuple[float | None, float | None]:
    """Return the lowest and highest positive finite energy in eV."""
    good = energy[np.isfinite(energy) & (energy > 0)] if energy is not None else np.empty(0)
    return (float(good.min()) * 1e12, float(good.max()) * 1e12) if good.size else (None, None)
