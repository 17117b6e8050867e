"""Results as JSON: an object with `metadata`, `data` and `overflow`.

`metadata` is a list of the columns, each an object with `name` and what of `datatype`, `arraysize`, `xtype`,
`unit`, `ucd`, `utype` and `description` there is, as in VOTable. `data` is a list of rows, each a list of
values: numbers, strings, booleans, lists of numbers, or null. Numbers that JSON lacks are the strings "NaN",
"Infinity" and "-Infinity". `overflow` is true if rows were cut. A failure in mid-stream breaks the transfer
off.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schema.types import Type
from vo_server.results import arrow
from vo_server.results.cells import between, joined, text_cells
from vo_server.results.field import ResultField
from vo_server.results.result import Result

_ESCAPED: Final = arrow.special('"\\' + "".join(map(chr, range(32))))

_NUMBERS: Final = (("nan", '"NaN"'), ("inf", '"Infinity"'), ("-inf", '"-Infinity"'))


def write_json(result: Result) -> Iterator[bytes]:
    """The result, a row a line."""
    metadata = json.dumps([_described(c) for c in result.columns], ensure_ascii=False)
    yield f'{{"metadata": {metadata},\n"data": ['.encode()
    first = True
    for batch in result.batches():
        cells = [_cells(c.type, values) for c, values in zip(result.columns, batch.columns, strict=True)]
        rows = joined(between(",\n[", ",", "]", cells))
        yield rows[1:] if first else rows
        first = False
    yield f'\n],\n"overflow": {json.dumps(result.overflow)}}}\n'.encode()


def _described(column: ResultField) -> dict[str, Any]:
    kind = column.type
    told = {
        "name": column.name,
        "datatype": kind.datatype,
        "arraysize": kind.arraysize,
        "xtype": kind.xtype,
        "unit": column.unit,
        "ucd": column.ucd,
        "utype": column.utype,
        "description": column.description,
    }
    return {name: value for name, value in told.items() if value}


def _cells(kind: Type, values: pa.Array) -> pa.Array:
    return pc.fill_null(_present(kind, values), "null")


def _present(kind: Type, values: pa.Array) -> pa.Array:
    """The values that are not NULL as JSON."""
    if pa.types.is_list(values.type):
        return _lists(kind, values)
    if kind.datatype == "boolean":
        return pc.if_else(pc.not_equal(values, 0), "true", "false")
    if kind.datatype in {"char", "unicodeChar"}:
        return _strings(text_cells(kind, values))
    return _scalars(kind, values)


def _scalars(kind: Type, values: pa.Array) -> pa.Array:
    if kind.datatype == "float":
        values = values.cast(pa.float32(), safe=False)
    text = values.cast(pa.string())
    if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values), min_count=0).as_py():
        for theirs, ours in _NUMBERS:
            text = pc.if_else(pc.equal(text, theirs), ours, text)
    return text


def _lists(kind: Type, values: pa.Array) -> pa.Array:
    ends = np.concatenate(([0], np.cumsum(arrow.numbers(pc.list_value_length(values))))).astype(np.int32)
    missing = pa.array(arrow.nulls(values)) if values.null_count else None
    items = pc.fill_null(_scalars(kind, values.flatten()), "null")
    inner = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), items, mask=missing), ",")
    return pc.binary_join_element_wise("[", inner, "]", "")


def _strings(text: pa.Array) -> pa.Array:
    if arrow.has_any(pc.fill_null(text, ""), _ESCAPED):
        return arrow.mapped(text, lambda value: json.dumps(value, ensure_ascii=False))
    return pc.binary_join_element_wise('"', text, '"', "")
