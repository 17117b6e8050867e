"""FITS files held in memory: plain headers, table and image bytes as numpy arrays.

A file is read and decompressed once; a column is a view of its bytes. Every fault of the file itself
(damaged gzip, truncation, not FITS) is a ProductError.
"""

import gzip
import io
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from numpy.typing import NDArray

from ingest.facts import ProductError
from ingest.fitsheader import FitsError, Header, description, headers, number, text

GZIP_MAGIC = b"\x1f\x8b"
_TFORM = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])")
_DTYPES = {
    "L": "S1",
    "B": ">u1",
    "I": ">i2",
    "J": ">i4",
    "K": ">i8",
    "E": ">f4",
    "D": ">f8",
    "C": ">c8",
    "M": ">c16",
    "P": ">i4",
    "Q": ">i8",
}
_DESCRIPTORS = "PQ"
_UNSIGNED_ZERO = {"I": 2**15, "J": 2**31, "K": 2**63}
_IMAGE_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@lru_cache(maxsize=256)
def unit_factor(unit: str, target: str) -> float:
    """How many `target` one `unit` is; raises ValueError if they do not convert."""
    parsed = units.Unit(unit)
    try:
        return float(parsed.to(units.Unit(target)))
    except units.UnitConversionError as error:
        raise ValueError(f"unit {unit!r} does not convert to {target}") from error


@dataclass(frozen=True, slots=True)
class FitsColumn:
    """A column of a binary table (FITS 4.0 section 7.3). `shape` is that of one row in numpy order."""

    number: int
    name: str
    format: str
    code: str
    repeat: int
    unit: str | None
    shape: tuple[int, ...]
    offset: int
    scale: float
    zero: float
    description: str | None

    @property
    def width(self) -> int:
        """Bytes in a row."""
        if self.code == "X":
            return (self.repeat + 7) // 8
        if self.code == "A":
            return self.repeat
        pairs = 2 if self.code in _DESCRIPTORS else 1
        return self.repeat * pairs * np.dtype(_DTYPES[self.code]).itemsize

    @property
    def is_variable(self) -> bool:
        """True for variable-length arrays, whose values lie in the heap."""
        return self.code in _DESCRIPTORS


@dataclass(frozen=True)
class Hdu:
    """One HDU: its header and the bytes of its data (without padding)."""

    path: Path
    number: int
    header: Header
    data: memoryview

    @property
    def name(self) -> str:
        """EXTNAME, or `HDU n` where there is none, for messages."""
        return text(self.header, "EXTNAME") or f"HDU {self.number}"

    @property
    def is_table(self) -> bool:
        """True for BINTABLE extensions."""
        return text(self.header, "XTENSION") == "BINTABLE"

    @cached_property
    def rows(self) -> int:
        """NAXIS2 of a table."""
        return int(self.header["NAXIS2"])

    @cached_property
    def columns(self) -> tuple[FitsColumn, ...]:
        """The columns of a table in the file's order."""
        return tuple(self._parse_columns())

    def column(self, name: str) -> FitsColumn | None:
        """Find the column called exactly so, else the first whose name differs in case only."""
        exact = [c for c in self.columns if c.name == name]
        folded = [c for c in self.columns if c.name.upper() == name.upper()]
        return next(iter(exact + folded), None)

    def values(self, column: FitsColumn) -> NDArray[Any]:
        """Return the column as an array of shape (rows, *shape), native, scaled by TSCAL and TZERO.

        Texts are stripped, logicals are bool, bits (up to 64) are integers whose first bit is the
        highest, integers with the zero point of unsigned ones are unsigned.
        """
        raw = self._raw(column)
        if column.code == "A":
            texts: NDArray[Any] = np.char.strip(np.char.decode(raw.reshape(self.rows), "ascii", "replace"))
            return texts
        if column.code == "L":
            truth: NDArray[Any] = (raw == b"T").reshape(self.rows, *column.shape)
            return truth
        if column.code == "X":
            return _bits(raw.reshape(self.rows, -1), column.repeat)
        return _scaled(raw.reshape(self.rows, *column.shape), column)

    def in_unit(self, name: str, unit: str) -> NDArray[np.float64] | None:
        """Return a numeric column in `unit` (which is also assumed if TUNIT is missing); None if absent.

        Raises ProductError for a unit that does not convert or a column that holds no numbers.
        """
        column = self.column(name)
        if column is None:
            return None
        where = f"{self.name} column {column.name}"
        if column.code not in "BIJKED":
            raise ProductError(
                self.path, where, f"TFORM {column.format} holds no numbers; use a D or E column"
            )
        try:
            factor = unit_factor(column.unit, unit) if column.unit else 1.0
        except ValueError as error:
            raise ProductError(self.path, where, f"{error}; write it in {unit}") from error
        values = self.values(column).astype(np.float64, copy=False)
        return values if factor == 1.0 else values * factor

    def image(self) -> NDArray[Any]:
        """Return the image in numpy axis order, values as stored (BSCALE and BZERO are not applied)."""
        naxis = int(self.header["NAXIS"])
        shape = tuple(int(self.header[f"NAXIS{i}"]) for i in range(naxis, 0, -1))
        dtype = np.dtype(_IMAGE_DTYPES[int(self.header["BITPIX"])])
        return np.frombuffer(self.data, dtype, count=math.prod(shape)).reshape(shape)

    def _raw(self, column: FitsColumn) -> NDArray[Any]:
        dtype = {"A": f"S{column.repeat or 1}", "X": ">u1"}.get(column.code) or _DTYPES[column.code]
        width = column.width
        if not width or not self.rows:
            return np.zeros((self.rows, column.repeat if column.code != "A" else 1), dtype)
        stride = int(self.header["NAXIS1"])
        table = np.frombuffer(self.data, np.uint8, count=stride * self.rows).reshape(self.rows, stride)
        block = np.ascontiguousarray(table[:, column.offset : column.offset + width])
        return block.view(dtype)

    def _parse_columns(self) -> Iterator[FitsColumn]:
        offset = 0
        for i in range(1, int(self.header.get("TFIELDS", 0)) + 1):
            form = text(self.header, f"TFORM{i}") or ""
            match = _TFORM.match(form)
            if match is None:
                raise ProductError(self.path, f"{self.name} TFORM{i}", f"{form!r} is not a FITS table format")
            repeat = int(match[1]) if match[1] else 1
            column = FitsColumn(
                number=i,
                name=text(self.header, f"TTYPE{i}") or f"col{i}",
                format=form,
                code=match[2],
                repeat=repeat,
                unit=text(self.header, f"TUNIT{i}"),
                shape=_shape(repeat, text(self.header, f"TDIM{i}")),
                offset=offset,
                scale=_default(number(self.header, f"TSCAL{i}"), 1.0),
                zero=_default(number(self.header, f"TZERO{i}"), 0.0),
                description=description(self.header, f"TTYPE{i}"),
            )
            yield column
            offset += column.width


@dataclass(frozen=True)
class FitsFile:
    """A FITS file in memory: size on disk in bytes, modification time in seconds since 1970 UTC."""

    path: Path
    size: int
    mtime: float
    hdus: tuple[Hdu, ...]

    def find(self, hdu: str | int) -> Hdu | None:
        """Find the HDU of this number, or the first of this name (EXTNAME or HDUNAME, any case)."""
        if isinstance(hdu, int):
            return self.hdus[hdu] if 0 <= hdu < len(self.hdus) else None
        named = (h for h in self.hdus if (text(h.header, "EXTNAME", "HDUNAME") or "").upper() == hdu.upper())
        return next(named, None)


def open_fits(path: Path) -> FitsFile:
    """Read a file, gzipped or not, whole. Raises ProductError if it is missing, damaged or not FITS."""
    try:
        stat = path.stat()
        content = path.read_bytes()
    except OSError as error:
        raise ProductError(path, "", f"cannot be read: {error.strerror}") from error
    if content.startswith(GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ProductError(
                path, "", f"damaged gzip ({error}); fetch or compress the file again"
            ) from error
    return FitsFile(path, stat.st_size, stat.st_mtime, tuple(_hdus(path, content)))


def open_cached(path: Path) -> FitsFile:
    """Open a file, or return it from memory if it is one of the last two of this process and unchanged."""
    try:
        stat = path.stat()
    except OSError as error:
        raise ProductError(path, "", f"cannot be read: {error.strerror}") from error
    return _cached(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=2)
def _cached(path: Path, _size: int, _mtime_ns: int) -> FitsFile:
    return open_fits(path)


def _hdus(path: Path, content: bytes) -> Iterator[Hdu]:
    view = memoryview(content)
    try:
        for i, (header, begin, size) in enumerate(headers(io.BytesIO(content))):
            hdu = Hdu(path, i, header, view[begin : begin + size])
            if len(hdu.data) < size:
                missing = f"truncated: {size - len(hdu.data)} bytes are missing; fetch the file again"
                raise ProductError(path, hdu.name, missing)
            yield hdu
    except FitsError as error:
        raise ProductError(path, "", str(error)) from error


def _default(value: float | None, default: float) -> float:
    return default if value is None else value


def _shape(repeat: int, tdim: str | None) -> tuple[int, ...]:
    """Return the numpy shape of one row; a TDIM that contradicts TFORM is ignored."""
    dims = tuple(int(n) for n in re.findall(r"\d+", tdim or ""))[::-1]
    if len(dims) > 1 and math.prod(dims) == repeat:
        return dims
    return () if repeat == 1 else (repeat,)


def _bits(raw: NDArray[np.uint8], repeat: int) -> NDArray[Any]:
    if repeat > 64:
        return np.unpackbits(raw, axis=1)[:, :repeat].astype(np.bool_)
    padded = np.zeros((len(raw), 8), np.uint8)
    padded[:, 8 - raw.shape[1] :] = raw
    value = padded.view(">u8").reshape(len(raw)) >> np.uint64(-repeat % 8)
    return value.astype(np.int64 if repeat < 64 else np.uint64)


def _scaled(raw: NDArray[Any], column: FitsColumn) -> NDArray[Any]:
    native = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    if (column.scale, column.zero) == (1.0, 0.0):
        return native
    if column.scale == 1.0 and _UNSIGNED_ZERO.get(column.code) == column.zero:
        unsigned = np.dtype(f"u{native.dtype.itemsize}")
        flipped: NDArray[Any] = native.view(unsigned) ^ unsigned.type(1 << (8 * unsigned.itemsize - 1))
        return flipped
    if column.code in _DESCRIPTORS:
        return native
    scaled: NDArray[Any] = native * column.scale + column.zero
    return scaled
