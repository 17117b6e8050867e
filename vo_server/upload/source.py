"""Where the bytes of an upload come from, apart from the request that named them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import BinaryIO, Final

from vo_server.errors import UsageError
from vo_server.settings import Settings
from vo_server.upload.fetch import fetch
from vo_server.upload.parameters import Reference

Source = AbstractContextManager[BinaryIO]
"""Bytes that can be read and sought within a `with` block."""

Parts = Mapping[str, Callable[[], Source]]
"""What gives the bytes of each part that came with the parameters, as often as it is called."""

NO_PARTS: Final[Parts] = MappingProxyType({})


def open_source(reference: Reference, parts: Parts, settings: Settings) -> Source:
    """The bytes of an upload. Raises UsageError and TooLargeError."""
    if reference.url is not None:
        return fetch(reference.url, settings.upload_bytes, private=settings.upload_private_addresses)
    open_part = parts.get(reference.part or "")
    if open_part is None:
        known = ", ".join(sorted(parts)) or "none"
        raise UsageError(f"the request has no part named {reference.part!r}; parts that it has: {known}")
    return open_part()
