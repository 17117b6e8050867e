"""What is said to PostgreSQL and heard from it, as far as a query needs.

Source: PostgreSQL documentation, "Message Formats" and "Error and Notice Message Fields", protocol 3.0.
"""

import struct
from typing import Final, NamedTuple

READY: Final = b"Z\x00\x00\x00\x05"
"""The beginning of ReadyForQuery, which ends every answer; one octet more is in it."""

DATA_ROW: Final = ord("D")
ROW_DESCRIPTION: Final = ord("T")
ERROR: Final = ord("E")
READY_FOR_QUERY: Final = ord("Z")

HEAD: Final = struct.Struct("!BI")
"""Type and length of a message; the length counts itself and what follows, not the type."""

_FIELD: Final = struct.Struct("!IhIhih")
"""A field of RowDescription behind its name: the type's OID is the third number."""

_BIND: Final = struct.pack("!2s4h", b"\0\0", 0, 0, 1, 1)
"""No name of portal and statement, no parameters, all columns in binary form."""


class BackendError(Exception):
    """An error that PostgreSQL reports: SQLSTATE, its sentence, and the context it arose in."""

    def __init__(self, sqlstate: str, message: str, context: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.context = context


class Description(NamedTuple):
    """The columns of the rows that follow, with the OIDs of their types."""

    names: list[str]
    oids: list[int]


def query(sql: str) -> bytes:
    """All messages of a query whose rows are to come in binary form. Raises ValueError for a NUL in it."""
    text = sql.encode()
    if b"\0" in text:
        raise ValueError("SQL with a NUL character")
    parts = (
        (b"P", b"\0" + text + b"\0\0\0"),
        (b"B", _BIND),
        (b"D", b"P\0"),
        (b"E", b"\0\0\0\0\0"),
        (b"S", b""),
    )
    return b"".join(kind + struct.pack("!I", 4 + len(body)) + body for kind, body in parts)


def description(body: bytes) -> Description:
    """What RowDescription says."""
    (count,) = struct.unpack_from("!h", body)
    found, position = Description([], []), 2
    for _ in range(count):
        end = body.index(b"\0", position)
        found.names.append(body[position:end].decode())
        found.oids.append(_FIELD.unpack_from(body, end + 1)[2])
        position = end + 1 + _FIELD.size
    return found


def described(columns: Description) -> bytes:
    """A RowDescription message that says so: `description` reads it back."""
    body = struct.pack("!h", len(columns.names))
    for name, oid in zip(columns.names, columns.oids, strict=True):
        body += name.encode() + b"\0" + _FIELD.pack(0, 0, oid, 0, 0, 1)
    return HEAD.pack(ROW_DESCRIPTION, 4 + len(body)) + body


def error(body: bytes) -> BackendError:
    """What ErrorResponse says."""
    fields = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
    return BackendError(fields.get(b"C", ""), fields.get(b"M", ""), fields.get(b"W", ""))


def failed(sqlstate: str, message: str, context: str) -> bytes:
    """An ErrorResponse message that says so: `error` reads it back."""
    fields = {"C": sqlstate, "M": message, "W": context}
    body = b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields.items()) + b"\0"
    return HEAD.pack(ERROR, 4 + len(body)) + body
