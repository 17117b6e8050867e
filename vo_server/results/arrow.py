"""What the writers need of Arrow: the type of each column, and its values as numpy arrays and text."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schema.types import Type
from vo_server.results.field import ResultField

_SCALARS: Final = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "text": pa.string(),
    "timestamp without time zone": pa.timestamp("us"),
}

ARROW: Final = {
    **_SCALARS,
    **{f"{name}[]": pa.list_(kind) for name, kind in _SCALARS.items()},
    **dict.fromkeys(("spoint", "scircle", "spoly"), pa.list_(pa.float64())),
    "smoc": pa.string(),
}
"""How values of a PostgreSQL type arrive; of pgSphere's types, those that queries turn them into."""

FIRST_MOMENT: Final = -62_135_596_800_000_000
LAST_MOMENT: Final = 253_402_300_799_999_999
"""The years 1 to 9999 in microseconds since 1970: what DALI can write. Infinity arrives far outside."""


def schema(columns: Sequence[ResultField]) -> pa.Schema:
    """The schema of the batches of a result."""
    return pa.schema([pa.field(c.name, ARROW[c.type.postgres]) for c in columns])


def nulls(array: pa.Array) -> NDArray[np.bool_]:
    """Which values are NULL."""
    mask: NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return mask


def numbers(array: pa.Array, null: float = 0) -> NDArray[Any]:
    """Numbers, those that are NULL replaced."""
    if array.null_count:
        array = pc.fill_null(array, pa.scalar(null, array.type))
    found: NDArray[Any] = array.to_numpy()
    return found


def octets(array: pa.Array) -> NDArray[np.uint8]:
    """All octets of an array of text or binary values without NULLs, one value after the other."""
    data = array.buffers()[2]
    if data is None or not len(array):
        return np.empty(0, np.uint8)
    ends = bounds(array)
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]


def bounds(array: pa.Array) -> NDArray[np.int32]:
    """Where the values of a column of text or of binary values begin in its data, and where the last ends."""
    return np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, 4 * array.offset)


def as_octets(text: pa.Array) -> tuple[pa.Array, NDArray[np.int32]]:
    """Text as binary values, NULL as an empty one, and how many octets each has."""
    if text.null_count:
        text = pc.fill_null(text, "")
    found = pa.Array.from_buffers(pa.binary(), len(text), [None, *text.buffers()[1:]], offset=text.offset)
    return found, np.diff(bounds(text))


def chunked(data: NDArray[Any] | bytes, sizes: NDArray[np.integer[Any]]) -> pa.Array:
    """Binary values of the given sizes, which lie one after the other in `data`."""
    ends = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    return pa.Array.from_buffers(pa.binary(), len(sizes), [None, pa.py_buffer(ends), pa.py_buffer(data)])


def elements(array: pa.Array, null: float) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """All elements of the arrays in a column, and how many each holds: none where it is NULL."""
    counts = numbers(pc.list_value_length(array))
    return numbers(array.flatten(), null), counts


def is_ascii(array: pa.Array) -> bool:
    """Whether all text in an array is ASCII."""
    if array.null_count:
        return bool(pc.all(pc.string_is_ascii(array), min_count=0).as_py())
    return bool(octets(array).max(initial=0) < 128)


def has_any(array: pa.Array, special: NDArray[np.bool_]) -> bool:
    """Whether any octet of text without NULLs is among the special ones."""
    return bool(special[octets(array)].any())


def special(characters: str) -> NDArray[np.bool_]:
    """A table of octets for `has_any`."""
    table = np.zeros(256, bool)
    table[list(characters.encode("latin-1"))] = True
    return table


def mapped(array: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """Text changed by a Python function, which sees each different value once."""
    coded = array.dictionary_encode()
    changed = pa.array([change(text) for text in coded.dictionary.to_pylist()], pa.string())
    return changed.take(coded.indices)


def has_moments_outside(array: pa.Array) -> bool:
    """Whether a timestamp is not in the years 1 to 9999."""
    bounds = pc.min_max(array.view(pa.int64())).as_py()
    return bounds["min"] is not None and not (FIRST_MOMENT <= bounds["min"] <= bounds["max"] <= LAST_MOMENT)


def is_timestamp(kind: Type) -> bool:
    """Whether values are timestamps and not text that looks like some."""
    return bool(ARROW[kind.postgres] == pa.timestamp("us"))
