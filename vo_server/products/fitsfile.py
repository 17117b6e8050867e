"""FITS files, gzipped or not: headers read at once, data from beginning to end in pieces when asked for."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from vo_server.products.content import DAMAGES, Extent, Octets, Piece, unpacked
from vo_server.products.file import DataFile

BLOCK: Final = 2880
"""Bytes of the unit of which FITS files are made (FITS 4.0, section 3.1)."""

_GZIP: Final = b"\x1f\x8b"

_END: Final = b"END".ljust(80)
_LONGEST_HEADER: Final = 4 << 20
_PIECE: Final = 1 << 20

_KEPT: Final = 1 << 24
"""Most bytes of a gzipped file that are kept of what has been unpacked."""

_LARGEST_DATA: Final = 1 << 60
"""Bytes; a header that tells of more, or of less than none, is none."""

_MISTAKES: Final = (VerifyError, KeyError, TypeError, ValueError)
"""What astropy raises on cards that are none."""


class FitsError(ValueError):
    """What is wrong with a file as FITS."""


@dataclass(frozen=True, slots=True)
class Hdu:
    """One HDU: its header, and where in the unpacked file it begins, its data begin, and it ends.

    `content` holds it all where it is small and would have to be unpacked again.
    """

    header: fits.Header
    start: int
    data: int
    end: int
    content: bytes | None = None

    @property
    def name(self) -> str:
        """EXTNAME, else HDUNAME, in upper case."""
        return str(self.header.get("EXTNAME") or self.header.get("HDUNAME") or "").strip().upper()

    @property
    def padding(self) -> bytes:
        """What fills the last block; blanks after a table of text (FITS 4.0, section 7.2.3)."""
        zeros = padding(self.end - self.data)
        return b" " * len(zeros) if self.header.get("XTENSION") == "TABLE" else zeros


class FitsFile:
    """The HDUs of a FITS file. Raises FitsError for what is no FITS file, and what `DataFile.open` raises."""

    def __init__(self, file: DataFile) -> None:
        self.file = file
        with file.open() as raw:
            self.packed = raw.read(len(_GZIP)) == _GZIP
        with self._stream() as stream:
            self.hdus = tuple(_walk(stream, _KEPT if self.packed else 0))

    def find(self, hdu: str) -> Hdu | None:
        """The first HDU of this name, else the one of this number, if that is what `hdu` is."""
        named = next((found for found in self.hdus if found.name == hdu.strip().upper()), None)
        if named is None and hdu.isdecimal() and int(hdu) < len(self.hdus):
            return self.hdus[int(hdu)]
        return named

    def bands(self, hdu: Hdu) -> Hdu | None:
        """The table of energies that a map names (BANDSHDU); None if it names none, or it is not there."""
        name = hdu.header.get("BANDSHDU")
        return self.find(name) if isinstance(name, str) else None

    def header(self, hdu: Hdu) -> bytes:
        """The header of an HDU as it is stored. Raises FitsError."""
        size = hdu.data - hdu.start
        return b"".join(self.pieces(hdu.start, size, size))

    def copy(self, hdu: Hdu, header: bytes = b"") -> tuple[Piece, ...]:
        """An HDU as it is, or behind another header of the same length."""
        begin, written = hdu.start + len(header), (Octets(header),) if header else ()
        if hdu.content is not None:
            return *written, Octets(hdu.content[len(header) :]), Octets(hdu.padding)
        return *written, Extent(self.file, begin, hdu.end - begin, self.packed), Octets(hdu.padding)

    def pieces(self, begin: int, size: int, most: int) -> Iterator[bytes]:
        """Bytes of the unpacked file, `most` at a time. Raises FitsError if they are not there."""
        for hdu in self.hdus:
            if hdu.content is not None and hdu.start <= begin and begin + size <= hdu.end:
                for at in range(begin - hdu.start, begin - hdu.start + size, most):
                    yield hdu.content[at : min(at + most, begin - hdu.start + size)]
                return
        with self._stream() as stream:
            _forward(stream, 0, begin)
            for left in range(size, 0, -most):
                yield _exactly(stream, min(most, left))

    @contextmanager
    def _stream(self) -> Iterator[BinaryIO]:
        with self.file.open() as raw:
            try:
                yield cast(BinaryIO, unpacked(raw) if self.packed else raw)
            except DAMAGES as error:
                raise FitsError(f"cannot be read: {error}") from error


def padding(size: int) -> bytes:
    """What fills the last block after `size` bytes of data."""
    return b"\0" * (-size % BLOCK)


def _walk(stream: BinaryIO, keep: int) -> Iterator[Hdu]:
    """All HDUs, one after the other (FITS 4.0, section 3.1); what follows the last one is not looked at.

    The content of small ones is kept, up to `keep` bytes in all. The stream only goes forward: unpacking
    would begin anew to go back.
    """
    start = 0
    while True:
        block = stream.read(BLOCK)
        if not block.startswith(b"XTENSION" if start else b"SIMPLE  "):
            if start:
                return
            raise FitsError("it does not begin as FITS files do")
        raw = _to_end(stream, block)
        header, size = _read(raw)
        data = start + len(raw)
        end, content = data + size, None
        if end - start <= keep:
            content = raw + _exactly(stream, size)
            keep -= len(content)
        elif size:
            _forward(stream, data, end - 1)
            _exactly(stream, 1)
        yield Hdu(header, start, data, end, content)
        start = end + len(padding(size))
        _forward(stream, end, start)


def _read(raw: bytes) -> tuple[fits.Header, int]:
    """A header, and the bytes of data that it tells of. Raises FitsError."""
    try:
        header = fits.Header.fromstring(raw)
        size = int(header.data_size)
    except _MISTAKES as error:
        raise FitsError(f"a header makes no sense: {error}") from error
    if not 0 <= size <= _LARGEST_DATA:
        raise FitsError(f"a header tells of {size} bytes of data")
    return header, size


def _to_end(stream: BinaryIO, block: bytes) -> bytes:
    """All blocks of a header, the first of which is read already."""
    raw = block
    while not any(block[card : card + 80] == _END for card in range(0, BLOCK, 80)):
        if len(raw) > _LONGEST_HEADER:
            raise FitsError("a header has no end")
        block = _exactly(stream, BLOCK)
        raw += block
    return raw


def _forward(stream: BinaryIO, position: int, to: int) -> None:
    """Go forward; a packed stream is read, in larger pieces than its own `seek` would take."""
    if not isinstance(stream, gzip.GzipFile):
        stream.seek(to)
        return
    while position < to and (content := stream.read(min(_PIECE, to - position))):
        position += len(content)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    while len(content) < size:
        more = stream.read(size - len(content))
        if not more:
            raise FitsError("it is cut short")
        content += more
    return content
