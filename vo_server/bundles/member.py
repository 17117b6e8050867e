"""The files of a bundle, and their names: plain ASCII, so that they unpack alike everywhere."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import PurePosixPath
from typing import Final

from vo_server.products.content import Piece

_ODD: Final = re.compile(r"[^A-Za-z0-9._+=,@-]")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a bundle: its path below the bundle's directory, its octets, and their SHA-256."""

    name: str
    piece: Piece
    checksum: str


def plain(name: str) -> str:
    """A part of a path with `_` for what file systems, FITS tables or shells may not take.

    It is never empty, `.`, `..`, hidden or an option.
    """
    kept = _ODD.sub("_", name)
    return f"_{kept}" if kept[:1] in {"", ".", "-"} else kept


def names_of(paths: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The name of each file by its path on disk, given (directory in the bundle, path), in the order given.

    It is the name on disk; a name that is taken gets as many of the directories above it as are needed.
    Names differ in more than their case.
    """
    taken: set[str] = set()
    names: dict[str, str] = {}
    for directory, path in dict.fromkeys(paths):
        if path in names:
            continue
        for name in _candidates(PurePosixPath(path)):
            full = f"{directory}/{name}"
            if full.casefold() not in taken:
                taken.add(full.casefold())
                names[path] = full
                break
    return names


def _candidates(path: PurePosixPath) -> Iterable[str]:
    parts = [plain(part) for part in path.parts[1:]]
    for depth in range(1, len(parts) + 1):
        yield "/".join(parts[-depth:])
    for number in count(2):
        yield f"{number}/{parts[-1]}"
