"""FITS files held in memory: plain headers, table and image bytes as numpy arrays.

A file is read and decompressed once; a column is a view of its bytes. Every fault of the file itself
(damaged gzip, truncation, not FITS) is a ProductError.
"""

import gzip
import io
import math
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from astropy import units
from numpy.typing import NDArray

from ingest.facts import ProductError
from ingest.fitsheader import BLOCK, FitsError, Header, description, headers, keyword, number, text, whole

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
_INTEGERS = "BIJK"
_UNSIGNED_ZERO = {"I": 2**15, "J": 2**31, "K": 2**63}
_IMAGE_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@lru_cache(maxsize=256)
def unit_factor(unit: str, target: str) -> float:
    """How many `target` one `unit` is; raises ValueError if they do not convert."""
    try:
        parsed = units.Unit(unit)
    except ValueError as error:
        raise ValueError(f"unknown unit {unit!r}") from error
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
    null: int | None
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
    def counts(self) -> bool:
        """True if the values are whole numbers or logicals, also where missing ones make them floats."""
        return self.code == "L" or (self.code in _INTEGERS and self.scale == 1.0 and self.zero.is_integer())

    @property
    def is_variable(self) -> bool:
        """True for variable-length arrays, whose values lie in the heap."""
        return self.code in _DESCRIPTORS


@dataclass(frozen=True, slots=True)
class Span:
    """Name of an HDU, its bytes in the file with all padding, and the HDU that it names as its BANDSHDU."""

    name: str
    size: int
    bands: str | None


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
        return self._count("NAXIS2")

    @cached_property
    def columns(self) -> tuple[FitsColumn, ...]:
        """The columns of a table in the file's order.

        Raises ProductError if they are not described or not as wide as a row.
        """
        columns = tuple(self._parse_columns())
        width, stated = sum(column.width for column in columns), self._count("NAXIS1")
        if width != stated:
            message = f"its columns are {width} bytes wide, but NAXIS1 is {stated}; write the table again"
            raise ProductError(self.path, self.name, message)
        return columns

    def column(self, name: str) -> FitsColumn | None:
        """Find the column called exactly so, else the first whose name differs in case only."""
        exact = [c for c in self.columns if c.name == name]
        folded = [c for c in self.columns if c.name.upper() == name.upper()]
        return next(iter(exact + folded), None)

    def values(self, column: FitsColumn) -> NDArray[Any]:
        """Return the column as an array of shape (rows, *shape), native, scaled by TSCAL and TZERO.

        Texts are stripped, logicals are bool, bits (up to 63) are integers whose first bit is the
        highest, integers with the zero point of unsigned ones are unsigned. Integers and logicals of
        which some are missing (TNULL, the byte 0) are float64 with NaN, exact up to 2^53.
        """
        raw = self._raw(column)
        if column.code == "A":
            return _texts(raw.reshape(self.rows, *column.shape))
        if column.code == "X":
            return _bits(raw.reshape(self.rows, column.width), column.repeat)
        stored = raw.reshape(self.rows, *column.shape)
        if column.code == "L":
            return _with_missing(stored == b"T", stored == b"\0")
        values = _scaled(stored, column)
        return values if column.null is None else _with_missing(values, stored == column.null)

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
        length = column.repeat // math.prod(column.shape) if column.code == "A" else 0
        dtype = {"A": f"S{length or 1}", "X": ">u1"}.get(column.code) or _DTYPES[column.code]
        width = column.width
        if not width or not self.rows:
            return np.zeros((self.rows, column.repeat if column.code != "A" else 1), dtype)
        stride = self._count("NAXIS1")
        if len(self.data) < stride * self.rows:
            message = f"{self.header.get('NAXIS')!r}, but a table has 2: its rows cannot be found"
            raise ProductError(self.path, f"{self.name} NAXIS", message)
        table = np.frombuffer(self.data, np.uint8, count=stride * self.rows).reshape(self.rows, stride)
        block = np.ascontiguousarray(table[:, column.offset : column.offset + width])
        return block.view(dtype)

    def _count(self, name: str) -> int:
        try:
            return whole(self.header, name)
        except ValueError as error:
            message = f"{self.header.get(name)!r} is no whole number from 0; the table cannot be read"
            raise ProductError(self.path, f"{self.name} {name}", message) from error

    def _parse_columns(self) -> Iterator[FitsColumn]:
        offset = 0
        for i in range(1, self._count("TFIELDS") + 1):
            form = text(self.header, f"TFORM{i}") or ""
            match = _TFORM.match(form)
            if match is None:
                raise ProductError(self.path, f"{self.name} TFORM{i}", f"{form!r} is not a FITS table format")
            repeat = int(match[1]) if match[1] else 1
            null = keyword(self.header, f"TNULL{i}") if match[2] in _INTEGERS else None
            column = FitsColumn(
                number=i,
                name=text(self.header, f"TTYPE{i}") or f"col{i}",
                format=form,
                code=match[2],
                repeat=repeat,
                unit=text(self.header, f"TUNIT{i}"),
                shape=_shape(match[2], repeat, text(self.header, f"TDIM{i}")),
                offset=offset,
                scale=_default(number(self.header, f"TSCAL{i}"), 1.0),
                zero=_default(number(self.header, f"TZERO{i}"), 0.0),
                null=null if isinstance(null, int) else None,
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
    spans: tuple[Span, ...] = ()

    def find(self, hdu: str | int) -> Hdu | None:
        """Find the HDU of this number, or the first of this name (EXTNAME or HDUNAME, any case)."""
        if isinstance(hdu, int):
            return self.hdus[hdu] if 0 <= hdu < len(self.hdus) else None
        return next((h for h in self.hdus if _hdu_name(h.header) == hdu.upper()), None)


def open_fits(path: Path) -> FitsFile:
    """Read a file, gzipped or not, whole. Raises ProductError if it is missing, damaged or not FITS."""
    stat = _regular(path)
    try:
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
    hdus = tuple(_hdus(path, content))
    return FitsFile(path, stat.st_size, stat.st_mtime, hdus, tuple(_spans(headers(io.BytesIO(content)))))


def open_cached(path: Path) -> FitsFile:
    """Open a file, or return it from memory if it is one of the last two of this process and unchanged."""
    stat = _regular(path)
    return _cached(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=2)
def _cached(path: Path, _size: int, _mtime_ns: int) -> FitsFile:
    return open_fits(path)


def _regular(path: Path) -> os.stat_result:
    """Look at a file before it is opened: opening a named pipe would wait for its other end."""
    try:
        found = path.stat()
    except OSError as error:
        raise ProductError(path, "", f"cannot be read: {error.strerror}") from error
    if not path.is_file():
        raise ProductError(path, "", "not a regular file; give a file with FITS in it")
    return found


def walk(path: Path) -> Iterator[Header]:
    """Read the headers of a file one by one, without its data. Raises ProductError as `open_fits` does."""
    return (header for header, _, _ in _walk(path))


def spans(path: Path) -> tuple[Span, ...]:
    """Where the HDUs of a file lie, without reading its data; they are remembered.

    Raises ProductError as `open_fits` does.
    """
    stat = _regular(path)
    return _spans_of(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1024)
def _spans_of(path: Path, _size: int, _mtime_ns: int) -> tuple[Span, ...]:
    return tuple(_spans(_walk(path)))


def _spans(places: Iterable[tuple[Header, int, int]]) -> Iterator[Span]:
    end = 0
    for header, begin, size in places:
        start, end = end, begin + -(-size // BLOCK) * BLOCK
        yield Span(_hdu_name(header), end - start, text(header, "BANDSHDU"))


def _walk(path: Path) -> Iterator[tuple[Header, int, int]]:
    """As `headers`, of a file that may be gzipped."""
    _regular(path)
    try:
        with path.open("rb") as file:
            zipped = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file
            yield from headers(stream)
    except FitsError as error:
        raise ProductError(path, "", str(error)) from error
    except (EOFError, OSError, zlib.error) as error:
        raise ProductError(path, "", f"cannot be read ({error})") from error


def has_hdu(path: Path, hdu: str | int) -> bool:
    """Tell whether a FITS file holds an HDU of this name or number; its headers are remembered.

    Raises ProductError as `open_fits` does.
    """
    names = [span.name for span in spans(path)]
    return 0 <= hdu < len(names) if isinstance(hdu, int) else hdu.upper() in names


def _hdu_name(header: Header) -> str:
    return (text(header, "EXTNAME", "HDUNAME") or "").upper()


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


def _shape(code: str, repeat: int, tdim: str | None) -> tuple[int, ...]:
    """Return the numpy shape of one row; a TDIM that contradicts TFORM is ignored.

    The first axis of texts is their length (FITS 4.0 section 7.3.2).
    """
    dims = tuple(int(n) for n in re.findall(r"\d+", tdim or ""))[::-1]
    if len(dims) > 1 and repeat and math.prod(dims) == repeat:
        return dims[:-1] if code == "A" else dims
    return () if repeat == 1 or code == "A" else (repeat,)


def _texts(raw: NDArray[np.bytes_]) -> NDArray[Any]:
    """Decode texts, which end at their first NUL (FITS 4.0 section 7.3.3.1)."""
    cells = raw[..., None].view(np.uint8)
    ended = np.where(np.logical_or.accumulate(cells == 0, axis=-1), np.uint8(0), cells)
    texts: NDArray[Any] = np.char.strip(np.char.decode(ended.view(raw.dtype)[..., 0], "ascii", "replace"))
    return texts


def _with_missing(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    return np.where(missing, np.nan, values.astype(np.float64)) if missing.any() else values


def _bits(raw: NDArray[np.uint8], repeat: int) -> NDArray[Any]:
    if repeat > 63:
        return np.unpackbits(raw, axis=1)[:, :repeat].astype(np.bool_)
    padded = np.zeros((len(raw), 8), np.uint8)
    padded[:, 8 - raw.shape[1] :] = raw
    value = padded.view(">u8").reshape(len(raw)) >> np.uint64(-repeat % 8)
    return value.astype(np.int64)


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
