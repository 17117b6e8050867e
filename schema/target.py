"""Observed objects as a collection's TOML file names them, for files that do not say what was observed."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

_KEYS: Final = {"ra", "dec", "files"}


@dataclass(frozen=True)
class Target:
    """An object with its position (ICRS, deg); `files` are names of files (or patterns) with data of it."""

    name: str
    ra: float
    dec: float
    files: tuple[str, ...] = ()


def targets(declared: Mapping[str, Any]) -> tuple[Target, ...]:
    """The targets of a TOML table, by name. Raises ValueError, whose text says what would be right."""
    return tuple(_target(name, values) for name, values in declared.items())


def target_of(known: Iterable[Target], file: str, name: str | None) -> Target | None:
    """The target of the file of this name: the one that lists it, else the one that its header names."""
    listed = (t for t in known if any(fnmatchcase(file, pattern) for pattern in t.files))
    named = (t for t in known if name is not None and t.name.casefold() == name.casefold())
    return next(listed, None) or next(named, None)


def _target(name: str, values: Any) -> Target:
    if not isinstance(values, Mapping) or not {"ra", "dec"} <= set(values) <= _KEYS:
        raise ValueError(f"{name!r}: a table with ra and dec (ICRS, degrees), and files if wanted")
    if not (name.strip() and name.isprintable()):
        raise ValueError(f"{name!r}: a name without control characters wanted")
    ra, dec, files = values["ra"], values["dec"], values.get("files", [])
    if not (_is_number(ra) and 0 <= ra < 360 and _is_number(dec) and -90 <= dec <= 90):
        raise ValueError(f"{name!r}: ra = {ra!r}, dec = {dec!r}: degrees from 0 to 360 and -90 to 90 wanted")
    if not isinstance(files, list) or not all(isinstance(f, str) for f in files):
        raise ValueError(f"{name!r}: files = {files!r}: a list of names of files wanted")
    return Target(name, float(ra), float(dec), tuple(files))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
