"""Content codings: gzip and zstd for clients that ask for them (RFC 9110, sections 8.4.1 and 12.5.3)."""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import zstandard

_LEVEL: Final = 1
"""The fastest: what higher levels save is not worth their time on results."""

_GZIP: Final = 16 + zlib.MAX_WBITS


class Encoder(Protocol):
    """Octets in, coded octets out as they come."""

    def compress(self, data: bytes, /) -> bytes:
        """The next octets."""

    def flush(self) -> bytes:
        """What is left at the end."""


@dataclass(frozen=True, slots=True)
class Coding:
    """A content coding; the first of its names is the one that is sent."""

    names: tuple[str, ...]
    start: Callable[[], Encoder]


CODINGS: Final = (
    Coding(("zstd",), lambda: zstandard.ZstdCompressor(level=_LEVEL).compressobj()),
    Coding(("gzip", "x-gzip"), lambda: zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)),
)
"""What is offered, the better one first."""

_ACCEPTED: Final = re.compile(r"([\w.*-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?", re.ASCII)


def chosen(accept_encoding: str) -> Coding | None:
    """The coding that the client likes best, the first of CODINGS among equals; None for none.

    An element that cannot be read is ignored.
    """
    parts = (_ACCEPTED.fullmatch(part.strip().lower()) for part in accept_encoding.split(","))
    weights = {m[1]: float(m[2] or 1) for m in parts if m}
    everything = weights.get("*", 0.0)
    plain = weights.get("identity", 0.0)
    liked = [(max(weights.get(name, everything) for name in c.names), c) for c in CODINGS]
    weight, best = max(liked, key=lambda item: item[0])
    return best if weight > 0 and weight >= plain else None
