"""Parameters and answers that all DALI services share (DALI 1.1, sections 3 and 4)."""

import io
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from vo_server import __version__
from vo_server.errors import TooLargeError, UsageError
from vo_server.results import DEFAULT, Format, find_format
from vo_server.results.cells import timestamp
from vo_server.results.result import Info
from vo_server.results.votable import error_document
from vo_server.settings import Settings
from vo_server.upload.source import NO_PARTS, Parts, Source

SOFTWARE = f"vo-server/{__version__}"

MAX_FIELDS = 100_000
"""Fields that a posted form may have, such as identifiers of datasets; each costs memory."""

FORM_TYPES = {"application/x-www-form-urlencoded", "multipart/form-data"}


class Parameters:
    """The parameters of a request: names in any case, values as they were sent, unknown ones allowed.

    A parameter with an empty value counts as not sent.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if value:
                self._values.setdefault(name.upper(), []).append(value)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter that may be repeated."""
        return tuple(self._values.get(name, ()))

    def one(self, name: str) -> str | None:
        """The value of a parameter; raises UsageError if it was sent more than once."""
        values = self.all(name)
        if len(values) > 1:
            raise UsageError(f"{name} may be given once only; it was given {len(values)} times")
        return values[0] if values else None


async def read_parameters(request: Request, settings: Settings) -> Parameters:
    """As `read_form`, for services without uploads."""
    async with read_form(request, settings) as form:
        return form.parameters


@dataclass(frozen=True, slots=True)
class Form:
    """Parameters, and what opens each of the named parts that came with them."""

    parameters: Parameters
    parts: Parts


@asynccontextmanager
async def read_form(request: Request, settings: Settings) -> AsyncIterator[Form]:
    """Parameters of the query string and of a posted form together; its parts are there within.

    Raises TooLargeError above `settings.request_bytes`, UsageError for a body that is no form or parts of
    the same name.
    """
    pairs = list(request.query_params.multi_items())
    if request.method != "POST":
        yield Form(Parameters(pairs), NO_PARTS)
        return
    limit = settings.request_bytes
    async with limited(request, limit).form(max_fields=MAX_FIELDS, max_part_size=limit) as form:
        yield Form(Parameters(pairs + _texts(form)), _parts(form))


def maxrec(parameters: Parameters, settings: Settings) -> int:
    """MAXREC, never more than the hard limit (DALI 1.1, section 3.4.4)."""
    text = parameters.one("MAXREC")
    if text is None:
        return min(settings.maxrec_default, settings.maxrec_hard)
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()):
        raise UsageError(f"MAXREC must be a whole number, 0 or more; {text[:40]!r} is not")
    # More digits than the limit has mean a number above it, and int() refuses very long ones.
    beyond = len(digits.lstrip("0")) > len(str(settings.maxrec_hard))
    return settings.maxrec_hard if beyond else min(int(digits), settings.maxrec_hard)


def response_format(parameters: Parameters) -> tuple[Format, str]:
    """Format and Content-Type of the answer: RESPONSEFORMAT, else the FORMAT of TAP 1.0 clients."""
    requested = parameters.one("RESPONSEFORMAT") or parameters.one("FORMAT")
    if requested is None:
        return DEFAULT, DEFAULT.content_type
    return find_format(requested)


def origin(settings: Settings, protocol: str, request_url: str, query: str | None = None) -> tuple[Info, ...]:
    """What every result says of where it comes from (IVOA Data Origin 1.0, section 3.1)."""
    values = {
        "publisher": settings.publisher,
        "contact": settings.contact,
        "server_software": SOFTWARE,
        "service_protocol": protocol,
        "request": request_url,
        "query": query,
        "request_date": timestamp(datetime.now(UTC).replace(tzinfo=None, microsecond=0)),
    }
    return tuple(Info(name, value) for name, value in values.items() if value)


def public_request_url(request: Request, settings: Settings) -> str:
    """The requested URL as the world sees it; what was posted is not in it."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{settings.url}{request.url.path}{query}"


def render_error(message: str, status_code: int, headers: Mapping[str, str]) -> Response:
    """An error as VOTable (DALI 1.1, section 4.4.2)."""
    return Response(error_document(message), status_code, dict(headers), DEFAULT.content_type)


def limited(request: Request, limit: int) -> Request:
    """The request with its body cut off by an error after `limit` octets."""
    size = 0
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind not in FORM_TYPES:
        raise UsageError(f"a POST holds a form ({' or '.join(sorted(FORM_TYPES))}), not {kind!r}")

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise TooLargeError(f"The request is larger than the {limit} bytes that are accepted.")
        return message

    return Request(request.scope, receive)


def _parts(form: FormData) -> Parts:
    """The files of a form, and its texts too: some clients send a table without the name of a file."""
    parts: dict[str, Callable[[], Source]] = {}
    files = [name for name, value in form.multi_items() if not isinstance(value, str)]
    repeated = sorted({name for name in files if files.count(name) > 1})
    if repeated:
        raise UsageError(f"the request has more than one part named {repeated[0]!r}")
    for name, value in form.multi_items():
        if not isinstance(value, str):
            parts[name] = partial(_rewound, value)
        elif name not in files:
            parts[name] = partial(io.BytesIO, value.encode())
    return parts


def _rewound(upload: UploadFile) -> Source:
    upload.file.seek(0)
    return nullcontext(upload.file)


def _texts(form: FormData) -> list[tuple[str, str]]:
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
