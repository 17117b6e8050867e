"""Rows in binary form against what they were made of; and octets that are no rows."""

import math
import random
import struct
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.postgres import types

from vo_server.rows.decoder import TYPES, Decoder, RowsError

Y2000 = datetime(2000, 1, 1)
MICROSECOND = timedelta(microseconds=1)

PACKED: dict[str, Callable[[Any], bytes]] = {
    "int2": struct.Struct("!h").pack,
    "int4": struct.Struct("!i").pack,
    "int8": struct.Struct("!q").pack,
    "float4": struct.Struct("!f").pack,
    "float8": struct.Struct("!d").pack,
    "text": str.encode,
    "varchar": str.encode,
    "timestamp": lambda moment: struct.pack("!q", (moment - Y2000) // MICROSECOND),
}

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "float4": st.floats(width=32),
    "float8": st.floats(),
    "text": TEXT,
    "varchar": TEXT,
    "timestamp": st.datetimes(),
}


def oid(kind: str) -> int:
    """Of a type, or of arrays of it: `int4[]`."""
    return types[kind[:-2]].array_oid if kind.endswith("[]") else types[kind].oid


def cell(octets: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if octets is None else struct.pack("!i", len(octets)) + octets


def array(kind: str, values: Sequence[Any], dimensions: Sequence[int] | None = None) -> bytes:
    """An array; by default of one dimension, of none when it is empty."""
    if dimensions is None:
        dimensions = [len(values)] if values else []
    has_nulls = any(v is None for v in values)
    head = struct.pack("!iiI", len(dimensions), has_nulls, oid(kind))
    sizes = b"".join(struct.pack("!ii", size, 1) for size in dimensions)
    return head + sizes + b"".join(cell(None if v is None else PACKED[kind](v)) for v in values)


def message(cells: Sequence[bytes | None], kind: bytes = b"D") -> bytes:
    body = struct.pack("!H", len(cells)) + b"".join(map(cell, cells))
    return kind + struct.pack("!I", 4 + len(body)) + body


def row(kinds: Sequence[str], values: Sequence[Any]) -> bytes:
    def octets(kind: str, value: Any) -> bytes | None:
        if value is None:
            return None
        return array(kind[:-2], value) if kind.endswith("[]") else PACKED[kind](value)

    return message([octets(k, v) for k, v in zip(kinds, values, strict=True)])


def decoder(*kinds: str) -> Decoder:
    return Decoder([f"c{n}" for n in range(len(kinds))], [oid(kind) for kind in kinds])


def decoded(kind: str, octets: bytes, most: int = 1 << 20) -> tuple[list[Any], int]:
    """The values of a single column, and the octets they took."""
    batch, used = decoder(kind).decode(memoryview(octets), most)
    batch.validate(full=True)
    return batch.column(0).to_pylist(), used


def same(found: Any, wanted: Any) -> bool:
    """Equal, signs of zeros and NaN included."""
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, float):
        return isinstance(found, float) and (
            math.isnan(found) if math.isnan(wanted) else struct.pack("d", found) == struct.pack("d", wanted)
        )
    return type(found) is type(wanted) and found == wanted


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    kinds = draw(st.lists(st.sampled_from(sorted(PACKED)).flatmap(lambda k: st.sampled_from([k, k + "[]"]))))

    def values(kind: str) -> st.SearchStrategy[Any]:
        item = VALUES[kind.removesuffix("[]")]
        filled = st.lists(st.none() | item, max_size=5) if kind.endswith("[]") else item
        return st.none() | filled

    rows = draw(st.lists(st.tuples(*map(values, kinds)).map(list), min_size=1, max_size=20))
    return kinds, rows


@settings(max_examples=120, deadline=None)
@given(tables(), st.data())
def test_any_table(table: tuple[list[str], list[list[Any]]], data: st.DataObject) -> None:
    """Cut anywhere: whole rows come out, the rest is left for the next time."""
    kinds, rows = table
    messages = [row(kinds, values) for values in rows]
    ends = np.cumsum([len(m) for m in messages]).tolist()
    octets = b"".join(messages)
    cut = data.draw(st.integers(1, len(octets)))
    most = data.draw(st.integers(0, len(rows) + 1))
    batch, used = decoder(*kinds).decode(memoryview(octets[:cut]), most)
    batch.validate(full=True)
    count = min(most, sum(end <= cut for end in ends))
    assert used == ([0, *ends])[count]
    if kinds:
        assert batch.num_rows == count
    for number, column in enumerate(batch.columns):
        wanted = [values[number] for values in rows[:count]]
        assert same(column.to_pylist(), wanted), kinds[number]
        assert column.null_count == wanted.count(None)


@pytest.mark.parametrize("kind", sorted(PACKED))
@pytest.mark.parametrize("rows", [1, 7, 8, 9, 15, 16, 17])
@pytest.mark.parametrize("pattern", ["none", "all", "first", "last", "odd"])
def test_nulls_at_every_place_of_a_bitmap(kind: str, rows: int, pattern: str) -> None:
    value = {"text": "é", "varchar": "", "timestamp": datetime(1999, 12, 31, 23, 59, 59, 999999)}.get(kind, 1)
    value = float(value) if kind.startswith("float") else value
    missing = {
        "none": set(),
        "all": set(range(rows)),
        "first": {0},
        "last": {rows - 1},
        "odd": set(range(1, rows, 2)),
    }[pattern]
    cells = [None if n in missing else value for n in range(rows)]
    lists = [None if n in missing else [value, None] * (n % 3) for n in range(rows)]
    kinds = [kind, kind + "[]", kind + "[]"]
    octets = b"".join(row(kinds, [c, k, cells]) for c, k in zip(cells, lists, strict=True))
    batch, used = decoder(kind, kind + "[]", kind + "[]").decode(memoryview(octets))
    batch.validate(full=True)
    assert used == len(octets)
    assert same(batch.column(0).to_pylist(), cells)
    assert same(batch.column(1).to_pylist(), lists)
    assert same(batch.column(2).to_pylist(), [cells] * rows)


def test_sixteen_hundred_columns() -> None:
    kinds = [k + s for k in sorted(PACKED) for s in ("", "[]")] * 100
    octets = message([None] * 1600) + row(kinds, [None] * 1599 + [["x"]])
    batch, used = decoder(*kinds).decode(memoryview(octets))
    batch.validate(full=True)
    assert (batch.num_columns, batch.num_rows, used) == (1600, 2, len(octets))
    assert batch.column(1599).to_pylist() == [None, ["x"]]
    assert sum(c.null_count for c in batch.columns) == 3199


def test_five_megabytes_of_text() -> None:
    text = "é😀" * 833_334
    values, _ = decoded("text", message([text.encode()]) * 2)
    assert values == [text, text]


def test_arrays_of_more_dimensions_come_flat() -> None:
    octets = message([array("int4", [1, 2, 3, 4, None, 6], [2, 3])])
    octets += message([array("int4", range(64), [2] * 6)])
    octets += message([array("int4", [], [0])]) + message([array("int4", [], [3, 0])])
    assert decoded("int4[]", octets)[0] == [[1, 2, 3, 4, None, 6], list(range(64)), [], []]


@pytest.mark.parametrize(
    ("microseconds", "stored"),
    [
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (0, 946_684_800_000_000),
        (-946_684_800_000_000, 0),
        (-946_684_800_000_001, -1),
    ],
)
def test_moments(microseconds: int, stored: int) -> None:
    """Infinities stay what they are."""
    batch, _ = decoder("timestamp", "timestamp[]").decode(
        memoryview(
            message(
                [
                    struct.pack("!q", microseconds),
                    array("int8", [microseconds]).replace(
                        struct.pack("!I", oid("int8")), struct.pack("!I", oid("timestamp"))
                    ),
                ]
            )
        )
    )
    assert batch.column(0).cast(pa.int64()).to_pylist() == [stored]
    assert batch.column(1).values.cast(pa.int64()).to_pylist() == [stored]


def test_the_next_message_is_left() -> None:
    two = row(["int4"], [1]) + row(["int4"], [2])
    assert decoded("int4", two + b"C\0\0\0\x04" + two) == ([1, 2], len(two))


def test_a_batch_outlives_its_octets() -> None:
    octets = bytearray(row(["text", "int4[]"], ["abc", [7]]))
    batch, _ = decoder("text", "int4[]").decode(memoryview(octets))
    octets[:] = bytes(len(octets))
    assert batch.to_pydict() == {"c0": ["abc"], "c1": [[7]]}


@pytest.mark.parametrize("name", ["numeric", "bool", "name", "bpchar", "timestamptz", "bytea", "interval"])
def test_types_that_results_do_not_have(name: str) -> None:
    with pytest.raises(RowsError, match=r"no way to read the types of b, c$"):
        Decoder(["a", "b", "c"], [oid("int4"), types[name].oid, 0])


HEADER = struct.pack("!iiI", 1, 0, oid("int4"))
ITEM = cell(struct.pack("!i", 5))

LIES: dict[str, tuple[str, bytes]] = {
    "no columns": ("int4", message([])),
    "two columns": ("int4", message([b"\0\0\0\1"] * 2)),
    "no count of columns": ("int4", b"D\0\0\0\x05\0"),
    "a length below itself": ("int4", b"D\0\0\0\x03"),
    "no length": ("int4", b"D\0\0\0\x06\0\x01"),
    "half a length": ("int4", b"D\0\0\0\x08\0\x01\0\0"),
    "a negative length": ("int4", b"D\0\0\0\x0a\0\x01\xff\xff\xff\xfe"),
    "the least length": ("text", b"D\0\0\0\x0a\0\x01\x80\0\0\0"),
    "a cell beyond its row": ("text", b"D\0\0\0\x0b\0\x01\0\0\0\x02x" + b"y" * 20),
    "a huge cell": ("text", b"D\0\0\0\x0b\0\x01\x7f\xff\xff\xffx"),
    "a row beyond its cells": ("int4", b"D\0\0\0\x0b\0\x01\xff\xff\xff\xffx"),
    "a short number": ("int4", message([b"\0\0\0"])),
    "a long number": ("int2", message([b"\0\0\0"])),
    "an empty number": ("float8", message([b""])),
    "an empty array": ("int4[]", message([b""])),
    "no sizes": ("int4[]", message([HEADER])),
    "half a size": ("int4[]", message([HEADER + b"\0\0\0\1\0\0\0"])),
    "seven dimensions": ("int4[]", message([array("int4", [1], [1] * 7)])),
    "negative dimensions": ("int4[]", message([struct.pack("!iiI", -1, 0, 23) + bytes(64)])),
    "a negative size": ("int4[]", message([HEADER + struct.pack("!ii", -1, 1) + ITEM])),
    "two negative sizes": ("int4[]", message([array("int4", [1], [-1, -1])])),
    "sizes whose product overflows": ("int4[]", message([array("int4", [1], [2**31 - 1] * 6)])),
    "sizes whose product overflows to 0": ("int4[]", message([array("int4", [], [2**16] * 4)])),
    "a size too large": ("int4[]", message([HEADER + struct.pack("!ii", 2, 1) + ITEM])),
    "a huge size": ("int4[]", message([HEADER + struct.pack("!ii", 2**31 - 1, 1) + ITEM])),
    "a size too small": ("int4[]", message([HEADER + struct.pack("!ii", 1, 1) + ITEM * 2])),
    "a size of none": ("int4[]", message([HEADER + struct.pack("!ii", 0, 1) + ITEM])),
    "elements without dimensions": ("int4[]", message([struct.pack("!iiI", 0, 0, 23) + ITEM])),
    "a short element": ("int4[]", message([HEADER + struct.pack("!ii", 1, 1) + cell(b"abc")])),
    "a negative element": ("text[]", message([HEADER + struct.pack("!iii", 1, 1, -2)])),
    "a huge element": ("text[]", message([HEADER + struct.pack("!iii", 1, 1, 2**31 - 1) + b"x"])),
    "an element out of its cell": (
        "text[]",
        b"D" + struct.pack("!IHi", 43, 1, 25) + HEADER + struct.pack("!iii", 1, 1, 9) + b"x" * 9,
    ),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("behind", [0, 1])
def test_octets_that_lie(lie: str, behind: int) -> None:
    """Also behind a good row."""
    kind, octets = LIES[lie]
    good = row([kind], [None])
    with pytest.raises(RowsError, match="a row is not as its columns are"):
        decoded(kind, good * behind + octets)


def test_every_beginning_of_a_row_is_waited_for() -> None:
    octets = row(["text[]"], [["ab", None, ""]])
    for size in range(1, len(octets)):
        assert decoded("text[]", octets[:size]) == ([], 0)


def test_octets_changed_at_random() -> None:
    """Either they are refused or they are rows; Arrow then finds nothing wrong but text that is no UTF-8."""
    seed = random.Random(1)  # noqa: S311  no secret
    kinds = [k + s for k in ("int2", "int8", "text", "timestamp") for s in ("", "[]")]
    moment = datetime(2010, 5, 5)
    values = [7, [1, None, 3], -1, [2**40], "abc", ["x", None, "yz", ""], moment, [moment, None]]
    good = row(kinds, values) + row(kinds, [None] * 8) + row(kinds, values)
    reader = decoder(*kinds)
    refused = read = 0
    for _ in range(4000):
        octets = bytearray(good)
        for _ in range(seed.randint(1, 3)):
            start = seed.randrange(len(octets))
            octets[start] = seed.choice([0, 1, 2, 0x7F, 0x80, 0xFF, seed.randrange(256)])
        end = seed.choice([len(octets), seed.randrange(1, len(octets))])
        try:
            batch, used = reader.decode(memoryview(octets[:end]))
        except RowsError:
            refused += 1
            continue
        read += 1
        assert 0 <= used <= end
        assert batch.num_rows <= 3
        batch.validate()
    assert refused > 1000
    assert read > 1000


def test_every_type_of_results_is_here() -> None:
    assert {oid(k + s) for k in PACKED for s in ("", "[]")} == set(TYPES)
