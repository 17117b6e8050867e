"""Queries with an uploaded table, and tables to upload."""

import io
from collections.abc import Iterable, Sequence

import httpx
from astropy.io.votable import parse_single_table
from astropy.io.votable.tree import TableElement

from tests.xmlcheck import VOTABLE, parsed
from vo_server.xmlwriter import element

NS = {"v": VOTABLE}


def send(
    client: httpx.Client, content: bytes, query: str = "SELECT * FROM TAP_UPLOAD.t", **parameters: str
) -> httpx.Response:
    """A query on the table `t`, sent as the part `table`."""
    form = {"LANG": "ADQL", "QUERY": query, "UPLOAD": "t,param:table", **parameters}
    return client.post("/tap/sync", data=form, files={"table": ("any.name", content)})


def table_of(answer: httpx.Response) -> TableElement:
    """The table in the answer, as astropy reads it."""
    assert answer.status_code == 200, answer.text
    parsed(answer.content)
    return parse_single_table(io.BytesIO(answer.content), verify="exception")


def rows_of(answer: httpx.Response) -> list[list[str]]:
    """The rows of a CSV answer without commas in its values."""
    assert answer.status_code == 200, answer.text
    return [line.split(",") for line in answer.text.splitlines()[1:]]


def message_of(answer: httpx.Response, status: int = 400) -> str:
    """The message of an error document."""
    assert answer.status_code == status, answer.text[:500]
    info = parsed(answer.content).find("v:RESOURCE/v:INFO[@name='QUERY_STATUS']", NS)
    assert info is not None
    assert info.get("value") == "ERROR"
    return info.text or ""


def votable(
    fields: Sequence[str], rows: Iterable[Sequence[str | None]] = (), version: str = "1.4", data: str = ""
) -> bytes:
    """A VOTable with FIELDs of these attributes, and TABLEDATA of these cells unless `data` is given."""
    lines = [
        "<TR>" + "".join("<TD/>" if c is None else element("TD", c) for c in row) + "</TR>" for row in rows
    ]
    body = data or f"<TABLEDATA>{''.join(lines)}</TABLEDATA>"
    declared = "".join(f if f.startswith("<") else f"<FIELD {f}/>" for f in fields)
    namespace = f'xmlns="{VOTABLE}"' if version >= "1.3" else ""
    return (
        f'<?xml version="1.0"?><VOTABLE version="{version}" {namespace}><RESOURCE><TABLE>{declared}'
        f"<DATA>{body}</DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()
