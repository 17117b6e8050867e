"""The register of archive formats: members -> pieces whose sizes are known before anything is read.

Times and owners are always the same, so that the same bundle is the same octets.
"""

import struct
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

from vo_server.bundles.member import Member
from vo_server.products.content import Computed, Extent, Octets, Piece

TIME: Final = 315_532_800
"""1980-01-01 UTC, the first moment that zip can tell."""

_MODE: Final = 0o644

_ZIP32: Final = 0xFFFFFFFF
_ZIP16: Final = 0xFFFF
_ZIP_DATE: Final = (1 << 5) | 1
_UNIX: Final = 3 << 8

Pack = Callable[[str, Sequence[Member]], tuple[Piece, ...]]


@dataclass(frozen=True, slots=True)
class Archive:
    """A format: what it is called in FORMAT and in the names of files, and how members become one file."""

    name: str
    media_type: str
    pack: Pack


def tar(directory: str, members: Sequence[Member]) -> tuple[Piece, ...]:
    """A tar archive (POSIX.1-2001, pax headers only for what ustar cannot tell), all below `directory`."""
    pieces: list[Piece] = []
    for member in members:
        info = tarfile.TarInfo(f"{directory}/{member.name}")
        info.size, info.mtime, info.mode = member.piece.size, TIME, _MODE
        header = info.tobuf(tarfile.PAX_FORMAT)
        padding = b"\0" * (-member.piece.size % tarfile.BLOCKSIZE)
        pieces += Octets(header), member.piece, Octets(padding)
    size = sum(piece.size for piece in pieces)
    end = 2 * tarfile.BLOCKSIZE
    pieces.append(Octets(b"\0" * (end + -(size + end) % tarfile.RECORDSIZE)))
    return tuple(pieces)


def stored_zip(directory: str, members: Sequence[Member]) -> tuple[Piece, ...]:
    """A zip archive without compression (APPNOTE 6.3.10), zip64 where a size or an offset asks for it.

    A member is read once more for its CRC-32, just before it is sent: headers that announce it are what all
    programs can unpack from a stream.
    """
    pieces: list[Piece] = []
    entries: list[Piece] = []
    offset = 0
    for member in members:
        name = f"{directory}/{member.name}".encode("ascii")
        local, central = partial(_local, name, member), partial(_central, name, member, offset)
        source = f"{name.decode()} {member.checksum} {offset}"
        header = Computed(len(_local_header(name, member.piece.size, 0)), source, local)
        size = len(_central_header(name, member.piece.size, offset, 0))
        entries.append(Computed(size, source, central))
        pieces += header, member.piece
        offset += header.size + member.piece.size
    length = sum(entry.size for entry in entries)
    return (*pieces, *entries, Octets(_zip_end(len(members), length, offset)))


def _local(name: bytes, member: Member) -> bytes:
    return _local_header(name, member.piece.size, _crc(member.piece))


def _central(name: bytes, member: Member, offset: int) -> bytes:
    return _central_header(name, member.piece.size, offset, _crc(member.piece))


def _local_header(name: bytes, size: int, crc: int) -> bytes:
    """Local file header (section 4.3.7)."""
    large = size >= _ZIP32
    extra = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
    shown = _ZIP32 if large else size
    head = struct.pack(
        "<4s5H3I2H", b"PK\3\4", *_version(large), 0, 0, 0, _ZIP_DATE, crc, shown, shown, len(name), len(extra)
    )
    return head + name + extra


def _central_header(name: bytes, size: int, offset: int, crc: int) -> bytes:
    """Entry of the central directory (section 4.3.12)."""
    wide = [value for value in (size, size, offset) if value >= _ZIP32]
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    shown = min(size, _ZIP32)
    (version,) = _version(bool(wide))
    head = struct.pack(
        "<4s6H3I5H2I",
        b"PK\1\2",
        _UNIX | version,
        version,
        0,
        0,
        0,
        _ZIP_DATE,
        crc,
        shown,
        shown,
        len(name),
        len(extra),
        0,
        0,
        0,
        (0o100000 | _MODE) << 16,
        min(offset, _ZIP32),
    )
    return head + name + extra


def _zip_end(count: int, length: int, offset: int) -> bytes:
    """End of the central directory (section 4.3.16), in its wide form too where it is needed (4.3.14)."""
    end = struct.pack(
        "<4s4H2IH",
        b"PK\5\6",
        0,
        0,
        min(count, _ZIP16),
        min(count, _ZIP16),
        min(length, _ZIP32),
        min(offset, _ZIP32),
        0,
    )
    if count < _ZIP16 and length < _ZIP32 and offset < _ZIP32:
        return end
    wide = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, _UNIX | 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, offset + length, 1)
    return wide + locator + end


def _version(large: bool) -> tuple[int]:
    """The version of the format that is needed to unpack (section 4.4.3.2)."""
    return (45,) if large else (20,)


def _crc(piece: Piece) -> int:
    return _crc_of_extent(piece) if isinstance(piece, Extent) else _crc_of(piece)


@lru_cache(maxsize=1 << 14)
def _crc_of_extent(piece: Extent) -> int:
    return _crc_of(piece)


def _crc_of(piece: Piece) -> int:
    crc = 0
    for chunk in piece.chunks(0, piece.size):
        crc = zlib.crc32(chunk, crc)
    return crc


ARCHIVES: Final = {
    "tar": Archive("tar", "application/x-tar", tar),
    "zip": Archive("zip", "application/zip", stored_zip),
}
"""FORMAT -> archive."""
