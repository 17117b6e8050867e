"""From the parameters of a search to a query of ivoa.obscore (SSA 1.1, section 4.1)."""

from dataclasses import dataclass
from typing import Final

from schema.collection import Collection
from vo_server import dali
from vo_server.adql.writing import string
from vo_server.dali import Parameters
from vo_server.dalivalues import shown
from vo_server.errors import UsageError
from vo_server.results import find_format
from vo_server.settings import Settings
from vo_server.ssa.fields import DID, FORMS, Form, fields
from vo_server.ssa.parameters import PARAMETERS
from vo_server.tap.request import TapRequest

STANDARD: Final = "ivo://ivoa.net/std/SSA"
VERSIONS: Final = ("1.0", "1.1", "1")
OPERATION: Final = "queryData"

DEFAULT_FORMAT: Final = "text/xml;content=x-votable"
"""What section 8.3 calls the answer; its readers are older than BINARY2, so that it has TABLEDATA."""

METADATA: Final = "metadata"


@dataclass(frozen=True, slots=True)
class Search:
    """A query for spectra; with `metadata` only what the service can be asked is wanted."""

    request: TapRequest
    metadata: bool


def search(parameters: Parameters, collection: Collection, settings: Settings) -> Search:
    """The query for the spectra of a collection. Raises UsageError; unknown parameters are ignored."""
    _check_operation(parameters)
    wanted = (parameters.one("FORMAT") or "all").strip().lower()
    metadata = wanted == METADATA
    conditions = [f"obs_collection = {string(collection.name)}", "dataproduct_type = 'spectrum'"]
    for parameter in PARAMETERS:
        value = parameters.one(parameter.name)
        if value is not None and parameter.condition is not None:
            conditions.append(parameter.condition(value, parameters))
    forms = _forms(wanted)
    if not forms:
        conditions.append("1 = 0")
    publisher = collection.publisher or settings.publisher
    where = " AND ".join(conditions)
    parts = [_part(form, publisher, where) for form in forms or FORMS[:1]]
    top = _top(parameters)
    first = f"TOP {top} " if top is not None else ""
    query = (
        f"SELECT {first}* FROM ({' UNION ALL '.join(parts)}) AS spectra"  # noqa: S608  of our making
        f" ORDER BY {DID}, access_format DESC"
    )
    if len(query.encode()) > settings.query_bytes:
        raise UsageError(f"the values make a query of more than the {settings.query_bytes} bytes allowed")
    chosen, content_type = find_format(parameters.one("RESPONSEFORMAT") or DEFAULT_FORMAT)
    most = 0 if metadata else dali.maxrec(parameters, settings)
    return Search(TapRequest(query, most, chosen, content_type, standard=STANDARD), metadata)


def _check_operation(parameters: Parameters) -> None:
    operation = parameters.one("REQUEST")
    if operation is None or operation.strip().lower() != OPERATION.lower():
        told = "is missing" if operation is None else f"= {shown(operation)} is not known"
        raise UsageError(f"REQUEST {told}; it is {OPERATION}")
    version = parameters.one("VERSION")
    if version is not None and version.strip() not in VERSIONS:
        raise UsageError(f"VERSION = {shown(version)} is not known; this service speaks SSA 1.1")


def _forms(wanted: str) -> list[Form]:
    """The formats that FORMAT asks for: a list of names and media types; none for unknown ones."""
    words = {word.strip() for word in wanted.split(",")}
    if METADATA in words:
        return list(FORMS)
    return [form for form in FORMS if words & form.names]


def _part(form: Form, publisher: str, where: str) -> str:
    columns = ", ".join(f"{field.value} AS {field.name}" for field in fields(form, publisher))
    return f"SELECT {columns} FROM ivoa.obscore WHERE {where}"  # noqa: S608  of our making


def _top(parameters: Parameters) -> int | None:
    text = parameters.one("TOP")
    if text is None:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise UsageError(f"TOP must be a whole number, 0 or more; {shown(text)} is not")
    return int(digits)
