"""The UPLOAD parameter (TAP 1.1, section 2.7.6; DALI 1.1, section 3.4.5)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vo_server.errors import UsageError

NAME_LENGTH = 100

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_NEXT = re.compile(r";(?=\s*[^,;:/?]*,)")
"""A semicolon that parts two uploads: a name and a comma follow it. Others belong to a URL."""

_FORMS = "UPLOAD=name,param:part or UPLOAD=name,https://..."


@dataclass(frozen=True, slots=True)
class Reference:
    """An upload as the query names it, and where its bytes are: a part of the request or a URL."""

    name: str
    part: str | None = None
    url: str | None = None


def references(values: Iterable[str]) -> tuple[Reference, ...]:
    """The uploads that the values of UPLOAD name. Raises UsageError."""
    found: dict[str, Reference] = {}
    for value in values:
        for text in filter(None, map(str.strip, _NEXT.split(value))):
            reference = _reference(text.rstrip(";"))
            if reference.name.lower() in found:
                raise UsageError(f"UPLOAD: the table name {reference.name} is given twice")
            found[reference.name.lower()] = reference
    return tuple(found.values())


def _reference(text: str) -> Reference:
    name, comma, uri = (piece.strip() for piece in text.partition(","))
    if not comma or not uri:
        raise UsageError(f"UPLOAD={text[:80]!r} is incomplete: {_FORMS}")
    if name.lower().startswith("tap_upload."):
        bare = name.partition(".")[2]
        raise UsageError(f"UPLOAD: write the name without its schema, {bare},{uri[:80]}; not {name},...")
    if not _NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise UsageError(
            f"UPLOAD: {name[:80]!r} is no name for a table: a letter, then letters, digits and underscores,"
            f" {NAME_LENGTH} at most"
        )
    scheme, _, rest = uri.partition(":")
    if scheme.lower() == "param" and rest:
        return Reference(name, part=rest)
    if scheme.lower() in {"http", "https"}:
        return Reference(name, url=uri)
    raise UsageError(f"UPLOAD: {name} is at {uri[:80]!r}, which is no place to read from: {_FORMS}")
