"""Reads event lists and good time intervals (GADF) for previews: few columns, a block of rows at a time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from astropy import units
from astropy.io import fits
from numpy.typing import NDArray

from vo_server.eventlists.table import Column, Table
from vo_server.eventlists.times import Clock, is_counted
from vo_server.products.file import Place, unchanged
from vo_server.products.fitsfile import FitsError, FitsFile

Floats = NDArray[np.float64]

_BLOCK_BYTES: Final = 1 << 23
"""How much of a table is in memory at a time."""

_DAMAGED: Final = (ValueError, KeyError, TypeError, IndexError, fits.VerifyError)
"""What astropy raises on headers that make no sense."""


@dataclass(frozen=True)
class Events:
    """A table of events, or of good times."""

    table: Table

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.table.rows

    @property
    def header(self) -> fits.Header:
        """The header of the HDU."""
        return self.table.hdu.header

    def blocks(self, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[Floats, ...]]:
        """The wanted columns (name, unit), as arrays of float64, a block of rows at a time.

        What is missing is NaN. Raises FitsError for a column that is missing, not of single numbers or in
        a unit that does not convert, and for a table that is damaged.
        """
        columns = [(self.table.column(name), unit) for name, unit in wanted]
        factors = [(column, self._factor(column, unit)) for column, unit in columns]
        at_once = max(1, _BLOCK_BYTES // max(1, self.table.width))
        for rows in self.table.chunks(at_once):
            yield tuple(column.values(rows) * factor for column, factor in factors)

    def has(self, column: str) -> bool:
        """Whether there is a column of this name, in any case."""
        return any(str(name).strip().upper() == column for name in self.header["TTYPE*"].values())

    def keyword(self, name: str, unit: str | None = None) -> float | None:
        """A number of the header, a time (from TIMEUNIT) in a unit; None if it is missing or not finite."""
        value = self.header.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return float(value) if unit is None else float(value * self._time_unit().to(unit))

    def _factor(self, column: Column, unit: str) -> float:
        """From the unit of a column; one without unit is in that of the header's times, or the wanted one."""
        if column.unit is None:
            return float(self._time_unit().to(unit)) if unit == "s" else 1.0
        try:
            return float(units.Unit(column.unit).to(unit))
        except (ValueError, TypeError) as error:
            raise FitsError(
                f"{self.table.hdu.name} has a column in {column.unit!r}, not in {unit}"
            ) from error

    def _time_unit(self) -> units.UnitBase:
        return units.Unit(str(self.header.get("TIMEUNIT") or "s").strip().lower())


def opened(place: Place) -> Events:
    """The table at a place, with the content that ingest saw.

    Raises FitsError if it is damaged or not there, MissingFileError and ChangedFileError.
    """
    found = unchanged(place.record)
    try:
        file = FitsFile(found)
        hdu = file.find(place.hdu)
        if hdu is None:
            raise FitsError(f"it has no HDU {place.hdu}")
        return Events(Table(file, hdu))
    except _DAMAGED as error:
        raise FitsError(" ".join(str(error).split())) from error


def good_times(place: Place, events: Events) -> Floats:
    """START and STOP of the good time intervals in s on the events' clock, shape (n, 2), as in the file.

    Raises as `opened` and `Events.blocks` do.
    """
    table = opened(place)
    blocks = [np.stack(block, axis=1) for block in table.blocks((("START", "s"), ("STOP", "s")))]
    ahead = 0.0
    if is_counted(table.header):
        ahead = (Clock.of(table.header).reference - Clock.of(events.header).reference).to_value("s")
    return np.concatenate([*blocks, np.empty((0, 2))]) + ahead
