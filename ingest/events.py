"""Events -> PostgreSQL's binary COPY format, assembled by numpy without a loop over rows.

The format is that of PostgreSQL 15, chapter "COPY", section "Binary Format": per row the number of
fields as int16, then per field its length in bytes as int32 (-1 for NULL) and the value, big-endian.
"""

import json
import struct
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.facts import Events
from schema.model import Column, Table

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER: Final = struct.pack(">h", -1)

_ROWS_AT_ONCE: Final = 50_000

_WIRE: Final = {
    "SMALLINT": ">i2",
    "INTEGER": ">i4",
    "BIGINT": ">i8",
    "REAL": ">f4",
    "DOUBLE PRECISION": ">f8",
}

_ELEMENT_OID: Final = {"SMALLINT": 21, "INTEGER": 23, "BIGINT": 20, "REAL": 700, "DOUBLE PRECISION": 701}
"""PostgreSQL's type numbers of array elements (catalogue pg_type)."""

Values = dict[str, NDArray[np.generic] | str | None]


def columns(events: Events, obs_id: str, did: str, extras: tuple[Column, ...]) -> Values:
    """The values of the events table by column; a constant stands for all rows, None for NULL.

    `extras` are the published columns of `events.others`, in the same order.
    """
    return {
        "obs_id": obs_id,
        "obs_publisher_did": did,
        "event_id": events.event_id,
        "time_mjd": events.time_mjd,
        "time_met": events.time,
        "ra": events.ra,
        "dec": events.dec,
        "energy": events.energy,
        **{column.name: array.values for column, array in zip(extras, events.others, strict=True)},
    }


def copy_binary(table: Table, values: Values, rows: int) -> Iterator[bytes]:
    """The rows in binary COPY format, for all stored columns of `table`, in its order."""
    yield HEADER
    for start in range(0, rows, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, rows)
        yield _block(table, values, start, stop)
    yield TRAILER


def _block(table: Table, values: Values, start: int, stop: int) -> bytes:
    count = stop - start
    fields: list[tuple[NDArray[np.uint8], NDArray[np.int64]]] = [
        _field(column, values.get(column.name), start, stop) for column in table.stored
    ]
    if all(lengths is _FIXED for _, lengths in fields):
        number = _constant(struct.pack(">h", len(fields)), count)
        return np.concatenate([number, *(data for data, _ in fields)], axis=1).tobytes()
    return _ragged(fields, count)


_FIXED: Final = np.empty(0, np.int64)
"""Stands for `every row has the same length`."""


def _ragged(fields: list[tuple[NDArray[np.uint8], NDArray[np.int64]]], count: int) -> bytes:
    """Rows of different lengths: padded side by side, then the padding masked out."""
    number = struct.pack(">h", len(fields))
    data = np.concatenate([_constant(number, count), *(d for d, _ in fields)], axis=1)
    used = [np.ones((count, len(number)), bool)]
    for cells, lengths in fields:
        every = np.arange(cells.shape[1])
        used.append(np.broadcast_to(True, cells.shape) if lengths is _FIXED else every < lengths[:, None])
    return bytes(data[np.concatenate(used, axis=1)].tobytes())


def _field(
    column: Column, values: NDArray[np.generic] | str | None, start: int, stop: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A field with its length in front as bytes, shape (rows, bytes); and the bytes used per row."""
    count = stop - start
    if values is None:
        return _constant(struct.pack(">i", -1), count), _FIXED
    if isinstance(values, str):
        text = values.encode()
        return _constant(struct.pack(">i", len(text)) + text, count), _FIXED
    part = values[start:stop]
    if column.type.is_array:
        return _array_field(column, part)
    if column.type.name in _WIRE:
        data = _bytes(part.astype(_WIRE[column.type.name]))
        data = np.concatenate([_constant(struct.pack(">i", data.shape[1]), count), data], axis=1)
        return _with_nulls(data, part)
    return _text_field(part)


def _with_nulls(
    data: NDArray[np.uint8], part: NDArray[np.generic]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """NaN becomes NULL: what a release marks as not a number, it does not say."""
    if part.dtype.kind != "f":
        return data, _FIXED
    missing = np.isnan(part)
    if not missing.any():
        return data, _FIXED
    data[missing, :4] = 0xFF
    return data, np.where(missing, 4, data.shape[1])


def _array_field(column: Column, part: NDArray[np.generic]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    scalar = column.type.name.removesuffix("[]")
    flat = part.reshape(len(part), -1).astype(_WIRE[scalar])
    size, width = flat.shape[1], flat.dtype.itemsize
    cells = flat.view(np.uint8).reshape(len(part), size, width)
    length = np.broadcast_to(np.frombuffer(struct.pack(">i", width), np.uint8), (len(part), size, 4))
    body = np.concatenate([length, cells], axis=2).reshape(len(part), -1)
    head = struct.pack(">iiiii", 1, 0, _ELEMENT_OID[scalar], size, 1)
    total = struct.pack(">i", len(head) + body.shape[1])
    return np.concatenate([_constant(total + head, len(part)), body], axis=1), _FIXED


def _text_field(part: NDArray[np.generic]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts, and what else files have in a column that is text in others: numbers, arrays as JSON."""
    if part.ndim > 1:
        part = np.array([json.dumps(row) for row in part.tolist()], dtype=str)
    encoded = np.char.encode(part.astype(str), "utf-8")
    lengths = np.char.str_len(encoded).astype(np.int64)
    padded = _bytes(encoded) if encoded.dtype.itemsize else np.empty((len(part), 0), np.uint8)
    data = np.concatenate([_bytes(lengths.astype(">i4")), padded], axis=1)
    if part.dtype.kind == "f":
        data[np.isnan(part), :4] = 0xFF
        lengths[np.isnan(part)] = 0
    return data, lengths + 4


def _bytes(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)


def _constant(data: bytes, count: int) -> NDArray[np.uint8]:
    return np.broadcast_to(np.frombuffer(data, np.uint8), (count, len(data)))
