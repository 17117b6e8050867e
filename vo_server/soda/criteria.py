"""Which events of a list a selection takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import erfa
import numpy as np
from astropy import units
from astropy.io import fits
from numpy.typing import NDArray

from vo_server.eventlists.interval import Interval
from vo_server.eventlists.table import Column, Table
from vo_server.eventlists.times import Clock
from vo_server.products.fitsfile import FitsError
from vo_server.soda.selection import Selection
from vo_server.soda.shapes import Mask, Shape, direction

ROWS: Final = 1 << 17
"""Events that are looked at together: some tens of MB of memory, and a fraction of a second."""

Check = Callable[[], None]
"""Called between pieces of work; raises what is to stop it."""


@dataclass(frozen=True)
class Criteria:
    """A selection in the terms of one event list: limits in the units of its columns.

    `rotation` turns unit vectors of its frame to the ICRS (from the right); None if it is the ICRS.
    """

    limits: tuple[tuple[Column, Interval], ...]
    position: tuple[Column, Column] | None
    rotation: NDArray[np.float64] | None
    regions: tuple[Shape, ...]

    @classmethod
    def of(cls, selection: Selection, table: Table) -> "Criteria":
        """Raises FitsError if the list lacks a column, or says nothing known of its time or frame."""
        header = table.hdu.header
        limits = []
        if selection.time is not None:
            clock, column = Clock.of(header), table.column("TIME")
            unit = units.Unit(column.unit) if column.unit else clock.unit
            limits.append((column, clock.elapsed(selection.time, unit)))
        if selection.energy is not None:
            column = table.column("ENERGY")
            factor = units.TeV.to(units.Unit(column.unit)) if column.unit else 1.0
            limits.append((column, Interval(*(end * factor for end in selection.energy))))
        position = (table.column("RA"), table.column("DEC")) if selection.regions else None
        rotation = _rotation(header) if selection.regions else None
        return cls(tuple(limits), position, rotation, selection.regions)

    def chosen(self, rows: NDArray[np.uint8]) -> Mask:
        """Which rows (bytes, of shape (n, width)) meet all criteria; a NaN meets none."""
        chosen = np.ones(len(rows), np.bool_)
        for column, (low, high) in self.limits:
            values = column.values(rows)
            chosen &= (values >= low) & (values <= high)
        if self.position is None:
            return chosen
        # Positions cost most, so that they are asked of the rows that are left.
        left = np.flatnonzero(chosen)
        ra, dec = (column.values(rows[left]) for column in self.position)
        known = np.isfinite(ra) & np.isfinite(dec)
        chosen[left] = known
        left = left[known]
        vectors = direction(ra[known], dec[known])
        if self.rotation is not None:
            vectors = vectors @ self.rotation
        for region in self.regions:
            chosen[left] &= region.contains(vectors)
        return chosen


def choose(selection: Selection, table: Table, check: Check) -> Mask:
    """Which events of the whole list are selected; `check` is called between the chunks."""
    criteria = Criteria.of(selection, table)
    chosen = np.empty(table.rows, np.bool_)
    first = 0
    for rows in table.chunks(ROWS):
        check()
        chosen[first : first + len(rows)] = criteria.chosen(rows)
        first += len(rows)
    return chosen


def _rotation(header: fits.Header) -> NDArray[np.float64] | None:
    """The rotation of an equatorial frame to the ICRS: RADECSYS, else RADESYS; GADF's default is ICRS.

    FK5 (J2000) is turned by erfa.fk5hip, as ingest and astropy do. Raises FitsError for other frames.
    """
    name = str(header.get("RADECSYS") or header.get("RADESYS") or "ICRS").strip().upper()
    if name == "ICRS":
        return None
    if name != "FK5":
        raise FitsError(f"unknown frame {name!r}")
    equinox = header.get("EQUINOX")
    if isinstance(equinox, int | float) and equinox != 2000.0:
        raise FitsError(f"unknown equinox {equinox}")
    rotation, _ = erfa.fk5hip()
    turned: NDArray[np.float64] = rotation.T
    return turned
