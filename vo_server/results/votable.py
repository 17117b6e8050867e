"""Results as VOTable, streamed, and the VOTable of an error.

Sources: VOTable 1.4 (frame: section 3, COOSYS and TIMESYS: 3.3 and 3.4), DALI 1.1 section 4.4
(QUERY_STATUS), IVOA Data Origin (names of the INFOs).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from schema.types import Type
from vo_server.errors import ServerError, VOError, report
from vo_server.results import arrow, binary
from vo_server.results.cells import ELEMENT_NULL, ascii_cells, between, joined, text_cells
from vo_server.results.descriptor import FieldLink, param
from vo_server.results.field import ResultField
from vo_server.results.result import Info, Result
from vo_server.xmlwriter import element, escape, start

Octets = bytes | memoryview

NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"  # of VOTable 1.3 up to 1.5

_SERVICES: Final = 100
"""Descriptors that are written at a time."""

POSITIONS = ("pos.eq", "pos_eq_")
"""How UCDs of equatorial positions begin, in UCD1+ and in the UCD1 of cone searches."""

MJD_ORIGIN: Final = "2400000.5"
"""As a Julian date, since Aladin 12 takes the abbreviation MJD-origin for a fault and guesses the scale."""

DAYS = {"time.start", "time.end", "time.epoch"}
CALENDAR = {"time.release", "time.creation", "time.processing"}


@dataclass(frozen=True, slots=True)
class Frame:
    """A COOSYS or TIMESYS element and which columns refer to it."""

    id: str
    xml: str
    applies: Callable[[ResultField], bool]


def _is_position(column: ResultField) -> bool:
    return column.type.is_geometry or _main_word(column).startswith(POSITIONS)


def _is_mjd(column: ResultField) -> bool:
    is_reference_value = "arith.zp" in (column.ucd or "")
    return column.unit == "d" and _main_word(column) in DAYS and not is_reference_value


def _is_calendar_date(column: ResultField) -> bool:
    return column.type.xtype == "timestamp" and _main_word(column) in CALENDAR


def _main_word(column: ResultField) -> str:
    return (column.ucd or "").partition(";")[0].strip().lower()


FRAMES = (
    Frame("icrs", element("COOSYS", ID="icrs", system="ICRS"), _is_position),
    Frame(
        "mjd_utc",
        element("TIMESYS", ID="mjd_utc", timeorigin=MJD_ORIGIN, timescale="UTC", refposition="TOPOCENTER"),
        _is_mjd,
    ),
    Frame(
        "date_utc",
        element("TIMESYS", ID="date_utc", timescale="UTC", refposition="UNKNOWN"),
        _is_calendar_date,
    ),
)


@dataclass(frozen=True, slots=True)
class Serialisation:
    """How rows stand in DATA: the tags about them, and whether octets become base64."""

    opening: str
    closing: str
    is_binary: bool = True
    scalar_nulls: Mapping[str, float] = field(default_factory=dict)


BINARY2: Final = Serialisation('<BINARY2><STREAM encoding="base64">', "</STREAM></BINARY2>")
BINARY: Final = Serialisation(
    '<BINARY><STREAM encoding="base64">', "</STREAM></BINARY>", scalar_nulls=binary.SCALAR_NULL
)
TABLEDATA: Final = Serialisation("<TABLEDATA>", "</TABLEDATA>", is_binary=False)
NO_DATA: Final = Serialisation("", "")


def write_binary2(result: Result) -> Iterator[bytes]:
    """The result with its rows in BINARY2."""
    types = [c.type for c in result.columns]
    rows = (binary.binary2_rows(types, batch) for batch in result.batches())
    return _document(result, types, rows, BINARY2)


def write_binary(result: Result) -> Iterator[bytes]:
    """The result with its rows in BINARY, where numbers that mean NULL are declared."""
    types = [_with_room_for_null(c.type) for c in result.columns]
    rows = (binary.binary_rows(types, batch) for batch in result.batches())
    return _document(result, types, rows, BINARY)


def write_tabledata(result: Result) -> Iterator[bytes]:
    """The result with its rows as elements."""
    types = [c.type for c in result.columns]
    rows = (_table_rows(types, batch) for batch in result.batches())
    return _document(result, types, rows, TABLEDATA)


def metadata_document(result: Result) -> bytes:
    """A VOTable with the columns and what is said about them, without rows."""
    lines = _head(result, [c.type for c in result.columns], NO_DATA)
    return "\n".join([*lines, "</TABLE>", "</RESOURCE>", *_services(result), "</VOTABLE>", ""]).encode()


def error_document(message: str, version: str = "1.4", infos: Sequence[Info] = ()) -> bytes:
    """The VOTable that tells an error: QUERY_STATUS and no table (DALI 1.1, section 4.4.2).

    `infos` tell it once more, in the words of another protocol.
    """
    status = element("INFO", message, name="QUERY_STATUS", value="ERROR")
    opening = _root(version) + _infos(infos)
    return f'{opening}<RESOURCE type="results">{status}</RESOURCE></VOTABLE>\n'.encode()


class _Ending:
    """How the rows ended: the first octets are out by then, so that only the foot can tell."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def guarded(self, chunks: Iterator[Octets]) -> Iterator[Octets]:
        """The chunks up to a failure, which is kept for the foot."""
        try:
            yield from chunks
        except VOError as error:
            self._result.failure = report(error)
        except (TypeError, ValueError) as error:
            failure = ServerError("A value does not fit the type of its column.")
            failure.__cause__ = error
            self._result.failure = report(failure)

    def status(self) -> str:
        """The trailing QUERY_STATUS, empty if all rows are there."""
        if self._result.failure is not None:
            return _status("ERROR", str(self._result.failure))
        if self._result.overflow:
            return _status("OVERFLOW", f"The result was cut after {self._result.maxrec} rows (MAXREC).")
        return _status("OVERFLOW", self._result.shortened) if self._result.shortened else ""


def _document(
    result: Result, types: Sequence[Type], rows: Iterator[Octets], serialisation: Serialisation
) -> Iterator[bytes]:
    ending = _Ending(result)
    octets = ending.guarded(rows)
    coded = binary.base64_lines(octets) if serialisation.is_binary else map(bytes, octets)
    yield "\n".join([*_head(result, types, serialisation), f"<DATA>{serialisation.opening}\n"]).encode()
    yield from coded
    yield f"{serialisation.closing}</DATA></TABLE>\n{ending.status()}</RESOURCE>\n".encode()
    yield from (text.encode() for text in _services(result))
    yield b"</VOTABLE>\n"


def _head(result: Result, types: Sequence[Type], serialisation: Serialisation) -> list[str]:
    """All lines before the data."""
    used = [f.xml for f in FRAMES if any(f.applies(c) for c in result.columns)]
    return [
        _root(result.votable_version) + _infos(result.infos) + "".join(used),
        '<RESOURCE type="results">' + _status("OK") + _infos(result.data_infos),
        *map(param, result.params),
        start("TABLE", utype=result.utype),
        *(
            _field(
                c, t, serialisation.scalar_nulls, result.field_ids.get(number), result.field_links.get(number)
            )
            for number, (c, t) in enumerate(zip(result.columns, types, strict=True))
        ),
    ]


def _services(result: Result) -> Iterator[str]:
    """The descriptors, behind the results: programs that take the first RESOURCE of a document find those."""
    services = iter(result.services)
    while some := "".join(service.xml() for service in islice(services, _SERVICES)):
        yield some


def _root(version: str) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + start("VOTABLE", version=version, xmlns=NAMESPACE)


def _infos(infos: Sequence[Info]) -> str:
    return "".join(element("INFO", i.content, name=i.name, value=i.value) for i in infos)


def _status(value: str, message: str = "") -> str:
    return element("INFO", message, name="QUERY_STATUS", value=value)


def _field(
    column: ResultField,
    kind: Type,
    scalar_nulls: Mapping[str, float],
    xml_id: str | None = None,
    link: FieldLink | None = None,
) -> str:
    frame = next((f.id for f in FRAMES if f.applies(column)), None)
    opening = start(
        "FIELD",
        ID=xml_id,
        name=column.name,
        datatype=kind.datatype,
        arraysize=kind.arraysize,
        xtype=kind.xtype,
        unit=column.unit,
        ucd=column.ucd,
        utype=column.utype,
        ref=frame,
    )
    description = element("DESCRIPTION", column.description) if column.description else ""
    # What stands for a missing element in an array of integers; scalars mostly have NULLs of their own.
    null = (ELEMENT_NULL if kind.arraysize is not None else scalar_nulls).get(kind.datatype)
    values = element("VALUES", null=str(null)) if isinstance(null, int) else ""
    return f"{opening}{description}{values}{link.xml() if link else ''}</FIELD>"


def _with_room_for_null(kind: Type) -> Type:
    is_octet = kind.datatype == "unsignedByte" and kind.arraysize is None
    return replace(kind, datatype="short") if is_octet else kind


_MARKUP = arrow.special("&<>\r")
_CONTROL = arrow.special("".join(chr(n) for n in range(32) if chr(n) not in "\t\n\r") + "\xef")
"""What XML cannot hold; 0xEF begins, among others, U+FFFE and U+FFFF."""

_REFERENCES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))


def _table_rows(types: Sequence[Type], batch: pa.RecordBatch) -> bytes:
    cells = [_table_cells(t, values) for t, values in zip(types, batch.columns, strict=True)]
    return joined(between("<TR><TD>", "</TD><TD>", "</TD></TR>\n", cells))


def _table_cells(kind: Type, values: pa.Array) -> pa.Array:
    cells = text_cells(kind, values)
    if kind.datatype not in binary.TEXTS or arrow.is_timestamp(kind):
        return cells
    cells = pc.fill_null(cells if kind.datatype == "unicodeChar" else ascii_cells(cells), "")
    if arrow.has_any(cells, _CONTROL):
        return arrow.mapped(cells, escape)
    if arrow.has_any(cells, _MARKUP):
        for character, reference in _REFERENCES:
            cells = pc.replace_substring(cells, character, reference)
    return cells
