"""Results as a page to look at: the first rows, with links."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

import pyarrow as pa

from schema.types import Type
from vo_server.results.cells import text_cells
from vo_server.results.result import Result
from vo_server.templates import template
from vo_server.xmlwriter import legal

MOST: Final = 2000
"""Rows on a page: more of them are no help to people and slow for browsers."""

_URL: Final = re.compile(r"https?://[^\s<>\"']+")
_CUT: Final = "<p>These are the first {} rows; there are more.</p>"
_BODY: Final = "$body"


def write_html(result: Result) -> Iterator[bytes]:
    """At most MOST rows, and a note if there are more."""
    page = template("page.html").safe_substitute(title="Result")
    head, tail = page.split(_BODY)
    types = [c.type for c in result.columns]
    names = "".join(f'<th title="{_text(c.description)}">{_text(c.name)}</th>' for c in result.columns)
    units = "".join(f"<th>{_text(c.unit or '')}</th>" for c in result.columns)
    yield f"{head}<h1>Result</h1>\n<table>\n<tr>{names}</tr>\n<tr>{units}</tr>\n".encode()
    left = MOST
    cut = False
    for batch in result.batches():
        yield "".join(_rows(types, batch.slice(0, left))).encode()
        cut = batch.num_rows > left
        left -= min(left, batch.num_rows)
        if cut:
            break
    note = _CUT.format(MOST) if cut else _CUT.format(result.maxrec) if result.overflow else ""
    yield f"</table>\n{note}{tail}".encode()


def _rows(types: Sequence[Type], batch: pa.RecordBatch) -> Iterator[str]:
    columns = [text_cells(t, values).to_pylist() for t, values in zip(types, batch.columns, strict=True)]
    for row in zip(*columns, strict=True):
        yield f"<tr>{''.join(f'<td>{_shown(cell)}</td>' for cell in row)}</tr>\n"


def _shown(cell: str | None) -> str:
    if not cell:
        return ""
    text = _text(cell)
    return f'<a href="{text}">{text}</a>' if _URL.fullmatch(cell) else text


def _text(text: str) -> str:
    return escape(legal(text))
