"""Binary tables of FITS files: numbers of their columns, rows as bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from vo_server.products.fitsfile import FitsError, FitsFile, Hdu


@dataclass(frozen=True, slots=True)
class Column:
    """A column with one number a row, and how the number comes from what is stored (FITS 4.0, 7.3.2)."""

    dtype: np.dtype[np.generic]
    offset: int
    scale: float
    zero: float
    null: int | None
    unit: str | None

    def values(self, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The numbers of rows (bytes, of shape (n, width)); NaN where there is none."""
        stored = np.ascontiguousarray(rows[:, self._place]).view(self.dtype)[:, 0]
        values = stored.astype(np.float64)
        if (self.scale, self.zero) != (1.0, 0.0):
            values = values * self.scale + self.zero
        if self.null is not None:
            values[stored == self.null] = np.nan
        return values

    def put(self, rows: NDArray[np.uint8], values: NDArray[np.float64]) -> None:
        """Store numbers in rows."""
        stored = ((values - self.zero) / self.scale).astype(self.dtype)
        rows[:, self._place] = stored.view(np.uint8).reshape(len(rows), self.dtype.itemsize)

    @property
    def _place(self) -> slice:
        return slice(self.offset, self.offset + self.dtype.itemsize)


class Table:
    """A binary table: its layout, and its rows when they are asked for."""

    def __init__(self, file: FitsFile, hdu: Hdu) -> None:
        """Raises FitsError if the HDU is no table, or its columns are not as wide as a row."""
        if str(hdu.header.get("XTENSION", "")).strip() != "BINTABLE":
            raise FitsError(f"{hdu.name} is no binary table")
        self.file = file
        self.hdu = hdu
        described = fits.BinTableHDU.fromstring(hdu.header.tostring().encode("ascii", "replace")).columns
        self.width = int(hdu.header["NAXIS1"])
        self.rows = int(hdu.header["NAXIS2"])
        if described.dtype.itemsize != self.width:
            raise FitsError(f"the columns of {hdu.name} are not as wide as its rows")
        # The last one of a name counts: the one that is called exactly so, else the first in the file.
        exact_last = [*reversed(described), *(column for column in described if column.name.isupper())]
        self._columns = {
            column.name.upper(): _column(column, *described.dtype.fields[column.name][:2])
            for column in exact_last
        }

    @property
    def heap(self) -> tuple[int, int]:
        """Where in the file the heap begins, and its size in bytes (FITS 4.0, section 7.3.5)."""
        rows = self.rows * self.width
        begin = int(self.hdu.header.get("THEAP", rows))
        return self.hdu.data + begin, rows + int(self.hdu.header.get("PCOUNT", 0)) - begin

    def column(self, name: str) -> Column:
        """The column of this name (in upper case), else the first whose name differs in case only.

        Some event lists have `ra` in radians beside `RA`. Raises FitsError if there is none with one number
        a row.
        """
        found = self._columns.get(name)
        if found is None or found.dtype.kind not in "fiu" or found.dtype.shape:
            raise FitsError(f"{self.hdu.name} has no column {name} of numbers")
        return found

    def chunks(self, most: int) -> Iterator[NDArray[np.uint8]]:
        """All rows as bytes, of shape (n, width) with n up to `most`."""
        size = self.rows * self.width
        for content in self.file.pieces(self.hdu.data, size, most * self.width) if size else ():
            yield np.frombuffer(content, np.uint8).reshape(-1, self.width)


def _column(column: fits.Column, stored: np.dtype[np.generic], offset: int) -> Column:
    single = stored.base if stored.shape == (1,) else stored  # as some programs write TDIM
    return Column(
        single.newbyteorder(">"),
        offset,
        1.0 if column.bscale in {None, ""} else float(column.bscale),
        0.0 if column.bzero in {None, ""} else float(column.bzero),
        column.null if isinstance(column.null, int) else None,
        column.unit,
    )
