"""VOTable as it is uploaded: all versions from 1.0, one pass of expat over untrusted XML.

Nothing is looked up: entities are refused where they are declared, a document type that is only named
(as VOTable 1.0 does) is not read, data behind a `href` are not fetched. Depth and numbers are bounded
while the document comes in. astropy's parser is not used here, because it follows `href` to files and
hosts, clips integers that do not fit, takes what is no number for NULL, and NULL flags of strings for
empty ones.
"""

import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from xml.parsers import expat

from vo_server.errors import UsageError
from vo_server.upload import binary, fitstable, tabledata
from vo_server.upload.model import MAX_COLUMNS, Limits, UploadedTable, UploadField

MAX_DEPTH = 64
_CHUNK = 1 << 18
_FIELD_ATTRIBUTES = ("arraysize", "xtype", "unit", "ucd", "utype")


def read(file: BinaryIO, limits: Limits) -> UploadedTable:
    """The first table of a VOTable. Raises UsageError and TooLargeError."""
    document = parse(file, limits)
    fields = document.fields()
    if not document.in_table:
        raise UsageError("the VOTable has no TABLE")
    if not fields:
        raise UsageError("the TABLE has no FIELD")
    if document.kind == "TABLEDATA":
        return UploadedTable(fields, tabledata.columns(fields, document.cells))
    if document.kind is None:
        return UploadedTable(fields, [[] for _ in fields])
    return _DECODERS[document.kind](fields, document.octets(), limits)


def parse(file: BinaryIO, limits: Limits) -> "Document":
    """Read the document, its fields and its undecoded data."""
    document = Document(limits)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.characters
    parser.EntityDeclHandler = _refuse_entity
    parser.SkippedEntityHandler = _refuse_skipped
    try:
        while chunk := file.read(_CHUNK):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        where = f"line {error.lineno}, column {error.offset}"
        raise UsageError(f"not well-formed XML: {expat.ErrorString(error.code)} ({where})") from error
    except (LookupError, UnicodeError) as error:
        raise UsageError(f"the XML is in an encoding that is not known: {error}") from error
    return document


def _refuse_entity(*_: Any) -> None:
    raise UsageError("the VOTable declares entities, which are not accepted")


def _refuse_skipped(name: str, _: bool) -> None:
    raise UsageError(f"the VOTable refers to an entity &{name}; that it does not hold")


@dataclass
class Document:
    """What has been read so far of the first TABLE; later tables are passed over."""

    limits: Limits
    path: list[str] = field(default_factory=list)
    in_table: bool = False
    done: bool = False
    declared: list[dict[str, str]] = field(default_factory=list)
    kind: str | None = None
    cells: list[list[str]] = field(default_factory=list)
    _row: list[str] = field(default_factory=list)
    _text: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        tag = tag.rpartition(":")[2]
        path = self.path
        path.append(tag)
        if len(path) > MAX_DEPTH:
            raise UsageError(f"the XML is nested more than {MAX_DEPTH} elements deep")
        if len(path) == 1 and tag != "VOTABLE":
            raise UsageError(f"the XML is no VOTable: it begins with <{tag[:40]}>")
        if tag in _STARTS and not self.done and (self.in_table or tag == "TABLE"):
            _STARTS[tag](self, attributes)

    def end(self, tag: str) -> None:
        """An element ends."""
        tag = tag.rpartition(":")[2]
        if tag in _ENDS and self.in_table and not self.done:
            _ENDS[tag](self)
        self.path.pop()

    def characters(self, text: str) -> None:
        """Text, whole or in pieces."""
        if self._text is not None:
            self._text.append(text)

    def fields(self) -> tuple[UploadField, ...]:
        """The columns, each with a name."""
        return tuple(_field(d, index) for index, d in enumerate(self.declared, start=1))

    def octets(self) -> bytes:
        """The base64 text of the STREAM, decoded."""
        text, self._text = "".join(self._text or ()), None
        try:
            return binascii.a2b_base64(text)
        except (binascii.Error, ValueError) as error:
            raise UsageError(f"the STREAM is not valid base64: {error}") from error

    def _table(self, _: dict[str, str]) -> None:
        self.in_table = True

    def _field(self, attributes: dict[str, str]) -> None:
        self.declared.append(dict(attributes))
        if len(self.declared) > MAX_COLUMNS:
            raise UsageError(f"the table has more than {MAX_COLUMNS} columns")

    def _values(self, attributes: dict[str, str]) -> None:
        if self.path[-2] == "FIELD" and attributes.get("null"):
            self.declared[-1]["null"] = attributes["null"].strip()

    def _description(self, _: dict[str, str]) -> None:
        if self.path[-2] == "FIELD":
            self._text = []

    def _serialisation(self, attributes: dict[str, str]) -> None:
        self.kind = self.path[-1]

    def _stream(self, attributes: dict[str, str]) -> None:
        if "href" in attributes:
            raise UsageError("the data of the VOTable are elsewhere (STREAM with href); send them inline")
        encoding = attributes.get("encoding", "none")
        if encoding != "base64":
            raise UsageError(f"STREAM encoding={encoding!r} is not accepted; base64 is")
        self._text = []

    def _cell(self, attributes: dict[str, str]) -> None:
        if attributes.get("encoding"):
            raise UsageError("TD with an encoding is not accepted; write the value as text")
        self._text = []

    def _new_row(self, _: dict[str, str]) -> None:
        self._row = []

    def _end_cell(self) -> None:
        self._row.append("".join(self._text or ()))
        self._text = None

    def _end_row(self) -> None:
        if len(self._row) != len(self.declared):
            found, wanted = len(self._row), len(self.declared)
            raise UsageError(f"row {len(self.cells) + 1} has {found} cells; the table has {wanted} columns")
        self.cells.append(self._row)
        self.limits.check_rows(len(self.cells), exact=False)

    def _end_description(self) -> None:
        if self.path[-2] == "FIELD":
            self.declared[-1]["description"] = " ".join("".join(self._text or ()).split())
            self._text = None

    def _end_table(self) -> None:
        self.done = True

    def _no_parquet(self, _: dict[str, str]) -> None:
        raise UsageError("a VOTable that refers to a Parquet file is not accepted; upload the file itself")


_STARTS: dict[str, Callable[[Document, dict[str, str]], None]] = {
    "TABLE": Document._table,
    "FIELD": Document._field,
    "VALUES": Document._values,
    "DESCRIPTION": Document._description,
    "TABLEDATA": Document._serialisation,
    "BINARY": Document._serialisation,
    "BINARY2": Document._serialisation,
    "FITS": Document._serialisation,
    "PARQUET": Document._no_parquet,
    "STREAM": Document._stream,
    "TR": Document._new_row,
    "TD": Document._cell,
}

_ENDS: dict[str, Callable[[Document], None]] = {
    "DESCRIPTION": Document._end_description,
    "TD": Document._end_cell,
    "TR": Document._end_row,
    "TABLE": Document._end_table,
}


def _field(declared: dict[str, str], index: int) -> UploadField:
    name = declared.get("name") or declared.get("ID") or f"col{index}"
    datatype = declared.get("datatype", "")
    if datatype not in binary.DATATYPES:
        raise UsageError(f"column {name}: datatype={datatype!r} is none of VOTable's")
    if datatype.endswith("Complex"):
        raise UsageError(f"column {name}: complex numbers are not accepted; send two columns")
    others = {a: declared.get(a) or None for a in _FIELD_ATTRIBUTES}
    return UploadField(
        name, datatype, description=declared.get("description", ""), null=declared.get("null"), **others
    )


_DECODERS = {
    "BINARY": binary.binary,
    "BINARY2": binary.binary2,
    "FITS": fitstable.serialised,
}
