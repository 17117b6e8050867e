"""Results as VOTable, streamed, and the VOTable of an error.

Sources: VOTable 1.4 (frame: section 3, COOSYS and TIMESYS: 3.3 and 3.4), DALI 1.1 section 4.4
(QUERY_STATUS), IVOA Data Origin (names of the INFOs).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from schema.types import Type
from vo_server.errors import ServerError, VOError, report
from vo_server.results import binary2
from vo_server.results.cells import ELEMENT_NULL, ascii_text, text_cells
from vo_server.results.result import Info, Result, ResultField, Row
from vo_server.xmlwriter import element, escape, start

NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"  # of VOTable 1.3 up to 1.5

DAYS = {"time.start", "time.end", "time.epoch"}
CALENDAR = {"time.release", "time.creation", "time.processing"}


@dataclass(frozen=True, slots=True)
class Frame:
    """A COOSYS or TIMESYS element and which columns refer to it."""

    id: str
    xml: str
    applies: Callable[[ResultField], bool]


def _is_position(field: ResultField) -> bool:
    return field.type.is_geometry or _main_word(field).startswith("pos.eq")


def _is_mjd(field: ResultField) -> bool:
    is_reference_value = "arith.zp" in (field.ucd or "")
    return field.unit == "d" and _main_word(field) in DAYS and not is_reference_value


def _is_calendar_date(field: ResultField) -> bool:
    return field.type.xtype == "timestamp" and _main_word(field) in CALENDAR


def _main_word(field: ResultField) -> str:
    return (field.ucd or "").partition(";")[0].strip().lower()


FRAMES = (
    Frame("icrs", element("COOSYS", ID="icrs", system="ICRS"), _is_position),
    Frame(
        "mjd_utc",
        element("TIMESYS", ID="mjd_utc", timeorigin="MJD-origin", timescale="UTC", refposition="TOPOCENTER"),
        _is_mjd,
    ),
    Frame(
        "date_utc",
        element("TIMESYS", ID="date_utc", timescale="UTC", refposition="UNKNOWN"),
        _is_calendar_date,
    ),
)


def write_binary2(result: Result) -> Iterator[bytes]:
    """The result with its rows in BINARY2."""
    types = [c.type for c in result.columns]
    ending = _Ending(result)
    octets = ending.guarded(binary2.encode(types, batch) for batch in result.batches())
    yield _head(result, '<BINARY2><STREAM encoding="base64">')
    yield from binary2.base64_lines(octets)
    yield _foot("</STREAM></BINARY2>", ending)


def write_tabledata(result: Result) -> Iterator[bytes]:
    """The result with its rows as elements."""
    types = [c.type for c in result.columns]
    ending = _Ending(result)
    yield _head(result, "<TABLEDATA>")
    yield from ending.guarded(_table_rows(types, batch) for batch in result.batches())
    yield _foot("</TABLEDATA>", ending)


def error_document(message: str, version: str = "1.4") -> bytes:
    """The VOTable that tells an error: QUERY_STATUS and no table (DALI 1.1, section 4.4.2)."""
    status = element("INFO", message, name="QUERY_STATUS", value="ERROR")
    return (f'{_root(version)}<RESOURCE type="results">{status}</RESOURCE></VOTABLE>\n').encode()


class _Ending:
    """How the rows ended: the first octets are out by then, so that only the foot can tell."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self._failure: VOError | None = None

    def guarded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks up to a failure, which is kept for the foot."""
        try:
            yield from chunks
        except VOError as error:
            self._failure = report(error)
        except (OverflowError, TypeError, ValueError) as error:
            failure = ServerError("A value does not fit the type of its column.")
            failure.__cause__ = error
            self._failure = report(failure)

    def status(self) -> str:
        """The trailing QUERY_STATUS, empty if all rows are there."""
        if self._failure is not None:
            return _status("ERROR", str(self._failure))
        if self._result.overflow:
            return _status("OVERFLOW", f"The result was cut after {self._result.maxrec} rows (MAXREC).")
        return ""


def _head(result: Result, opening: str) -> bytes:
    used = [f.xml for f in FRAMES if any(f.applies(c) for c in result.columns)]
    lines = [
        _root(result.votable_version) + _infos(result.infos) + "".join(used),
        '<RESOURCE type="results">' + _status("OK") + _infos(result.data_infos),
        "<TABLE>",
        *map(_field, result.columns),
        f"<DATA>{opening}\n",
    ]
    return "\n".join(lines).encode()


def _foot(closing: str, ending: _Ending) -> bytes:
    return f"{closing}</DATA></TABLE>\n{ending.status()}</RESOURCE>\n</VOTABLE>\n".encode()


def _root(version: str) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + start("VOTABLE", version=version, xmlns=NAMESPACE)


def _infos(infos: Sequence[Info]) -> str:
    return "".join(element("INFO", i.content, name=i.name, value=i.value) for i in infos)


def _status(value: str, message: str = "") -> str:
    return element("INFO", message, name="QUERY_STATUS", value=value)


def _field(field: ResultField) -> str:
    kind = field.type
    frame = next((f.id for f in FRAMES if f.applies(field)), None)
    opening = start(
        "FIELD",
        name=field.name,
        datatype=kind.datatype,
        arraysize=kind.arraysize,
        xtype=kind.xtype,
        unit=field.unit,
        ucd=field.ucd,
        utype=field.utype,
        ref=frame,
    )
    description = element("DESCRIPTION", field.description) if field.description else ""
    return f"{opening}{description}{_null_element(kind)}</FIELD>"


def _null_element(kind: Type) -> str:
    """What stands for a missing element in an array of integers; scalars have NULLs of their own."""
    null = ELEMENT_NULL.get(kind.datatype) if kind.arraysize is not None else None
    return element("VALUES", null=str(null)) if isinstance(null, int) else ""


def _table_rows(types: Sequence[Type], rows: Sequence[Row]) -> bytes:
    columns = [_table_cells(t, values) for t, values in zip(types, zip(*rows, strict=True), strict=True)]
    lines = (f"<TR>{''.join(cells)}</TR>\n" for cells in zip(*columns, strict=True))
    return "".join(lines).encode()


def _table_cells(kind: Type, values: Sequence[object]) -> list[str]:
    cells = text_cells(kind, values)
    if kind.datatype != "char":
        return ["<TD/>" if c is None else f"<TD>{c}</TD>" for c in cells]
    return [f"<TD>{escape(ascii_text(c))}</TD>" if c else "<TD/>" for c in cells]
