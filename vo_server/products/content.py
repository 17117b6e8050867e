"""What is delivered: pieces of known size, read from any octet on, in bounded memory."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from io import FileIO
from typing import Final, Protocol

from vo_server.errors import ChangedFileError, ServerError
from vo_server.products.file import DataFile

FITS: Final = "application/fits"
"""Media type of FITS files (RFC 4047)."""

BLOCK: Final = 1 << 18
"""Bytes sent at a time, or some more: every time costs a change of threads."""

_READ: Final = 1 << 16
"""Bytes read at a time."""


class Piece(Protocol):
    """Octets in a row; `tag` is the same only for the same octets."""

    @property
    def size(self) -> int:
        """How many octets."""

    @property
    def tag(self) -> bytes:
        """What tells these octets from others."""

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The octets from `start` to before `stop`."""


@dataclass(frozen=True, slots=True)
class Octets:
    """Octets in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """How many octets."""
        return len(self.data)

    @property
    def tag(self) -> bytes:
        """The octets themselves."""
        return self.data

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The octets from `start` to before `stop`."""
        yield self.data[start:stop]


@dataclass(frozen=True, slots=True)
class Computed:
    """Octets that cost reading, made when they are needed; `source` tells what they are made of."""

    size: int
    source: str
    make: Callable[[], bytes]

    @property
    def tag(self) -> bytes:
        """What they are made of."""
        return self.source.encode()

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The octets from `start` to before `stop`."""
        yield self.make()[start:stop]


@dataclass(frozen=True, slots=True)
class Extent:
    """Part of a file; of the decompressed one if it is `packed` (gzip).

    `chunks` raises MissingFileError or ChangedFileError if the file is not what it was any more, and
    ServerError if it cannot be read.
    """

    file: DataFile
    begin: int
    size: int
    packed: bool = False

    @property
    def tag(self) -> bytes:
        """The tag of the file, and which part it is."""
        return f"{self.file.tag} {self.begin} {self.size} {self.packed}".encode()

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The octets from `start` to before `stop`."""
        with self.file.open() as raw:
            stream = unpacked(raw) if self.packed else raw
            try:
                _skip(stream, self.begin + start)
                # No variable keeps what a client may take long to read.
                for left in range(stop - start, 0, -_READ):
                    yield _exactly(stream, min(_READ, left))
            except DAMAGES as error:
                raise ServerError from error


DAMAGES: Final = (OSError, EOFError, zlib.error)
"""What reading a file raises on bad disks and damaged gzip."""


def unpacked(raw: FileIO) -> gzip.GzipFile:
    """The decompressed content of a gzip file, as a stream."""
    return gzip.GzipFile(fileobj=raw)


@dataclass(frozen=True)
class Content:
    """A whole answer: its pieces, its media type and the name that it is saved under.

    `modified` is when it last changed, in s since 1970; None if that is not known.
    """

    pieces: tuple[Piece, ...]
    media_type: str
    filename: str
    modified: float | None = None

    @cached_property
    def size(self) -> int:
        """Octets in all."""
        return sum(piece.size for piece in self.pieces)

    @cached_property
    def etag(self) -> str:
        """A strong validator (RFC 9110, section 8.8.3): other octets have another one."""
        digest = hashlib.sha256()
        for piece in self.pieces:
            digest.update(b"%d %s " % (piece.size, type(piece).__name__.encode()))
            digest.update(piece.tag)
        return f'"{digest.hexdigest()[:40]}"'

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The octets from `start` to before `stop` in chunks of BLOCK or some more, the last of fewer.

        Nothing of a chunk is kept here, since clients may be many and slow. Raises what the pieces raise.
        """
        with closing(self._parts(start, stop)) as parts:
            yield from iter(partial(_gathered, parts), b"")

    def _parts(self, start: int, stop: int) -> Generator[bytes]:
        begin = 0
        for piece in self.pieces:
            end = begin + piece.size
            if start < end and begin < stop:
                yield from piece.chunks(max(start - begin, 0), min(stop, end) - begin)
            begin = end


def _gathered(parts: Iterator[bytes]) -> bytes:
    """BLOCK or some more of the octets to come, fewer only at the end."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= BLOCK:
            break
    return b"".join(waiting)


def _exactly(stream: FileIO | gzip.GzipFile, count: int) -> bytes:
    """So many octets. Raises ChangedFileError if the file ends before."""
    content = stream.read(count) or b""
    while len(content) < count:
        more = stream.read(count - len(content))
        if not more:
            raise ChangedFileError
        content += more
    return content


def _skip(stream: FileIO | gzip.GzipFile, count: int) -> None:
    """Go forward; a decompressed stream is read, in pieces larger than its own `seek` would take."""
    if not isinstance(stream, gzip.GzipFile):
        stream.seek(count)
        return
    while count and (chunk := stream.read(min(BLOCK, count))):
        count -= len(chunk)
