"""What can go wrong, and how each protocol tells it to the user.

Modules raise a `VOError`; only `handler` turns one into an HTTP response. The docstring of a class
is its default message.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

log = logging.getLogger(__name__)

Renderer = Callable[[str, int, Mapping[str, str]], Response]


class VOError(Exception):
    """The request could not be answered."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class UsageError(VOError):
    """The request is not valid."""


class DataError(VOError):
    """The query cannot be evaluated on the data."""

    def __init__(self, message: str | None = None, sqlstate: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class NotFoundError(VOError):
    """There is no such resource."""


class MissingFileError(NotFoundError):
    """The file of this dataset is missing; the operators have been told."""


class ForbiddenError(VOError):
    """The request is not allowed."""


class QueryTimeoutError(VOError):
    """The query took longer than the time limit of this service."""


class TooLargeError(VOError):
    """The request is larger than this service accepts."""


class TooManyRequestsError(VOError):
    """Too many requests at a time; please try again later."""


class OverloadError(VOError):
    """The service is busy; please try again later."""


class QueryCancelledError(VOError):
    """The query was cancelled."""


class CatalogueChangedError(VOError):
    """The published tables are being changed at this moment; please try again."""


class ServerError(VOError):
    """The service failed to answer."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message)
        self.reference = secrets.token_hex(4)

    def __str__(self) -> str:
        return f"{super().__str__()} Please report this to the operators as incident {self.reference}."


class ChangedFileError(ServerError):
    """A data file has changed since it was published."""


class ResultStoreError(ServerError):
    """The result could not be stored: the disk for results is full, or does not answer."""


class DrawingError(ServerError):
    """The preview could not be drawn."""


STATUS: dict[type[VOError], int] = {
    UsageError: 400,
    DataError: 400,
    ForbiddenError: 403,
    NotFoundError: 404,
    MissingFileError: 404,
    QueryTimeoutError: 408,
    TooLargeError: 413,
    TooManyRequestsError: 429,
    ServerError: 500,
    ChangedFileError: 500,
    ResultStoreError: 500,
    DrawingError: 500,
    CatalogueChangedError: 503,
    QueryCancelledError: 503,
    OverloadError: 503,
}

HEADERS: dict[int, dict[str, str]] = {
    429: {"Retry-After": "10"},
    # Behind an unexpected failure the connection ends: a client must not send its next request on it.
    500: {"Connection": "close"},
    503: {"Retry-After": "10"},
}


def report(error: Exception) -> VOError:
    """`error` as the user may see it; a failure of the server is logged here with its reference."""
    if isinstance(error, VOError) and not isinstance(error, ServerError):
        return error
    failure = error if isinstance(error, ServerError) else ServerError()
    log.error("incident %s", failure.reference, exc_info=error)
    return failure


def status(error: VOError) -> int:
    """HTTP status of `error`: that of the nearest of its classes in `STATUS`."""
    return next(STATUS[c] for c in type(error).__mro__ if c in STATUS)


def text(message: str, status_code: int, headers: Mapping[str, str]) -> Response:
    """The error as plain text."""
    return PlainTextResponse(message + "\n", status_code, dict(headers))


def handler(renderers: Mapping[str, Renderer]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """An exception handler that renders by protocol.

    `renderers` maps the beginning of a path to the form of the errors below it; the longest
    beginning wins and plain text is the default.
    """
    by_length = sorted(renderers.items(), key=lambda item: -len(item[0]))

    async def handle(request: Request, error: Exception) -> Response:
        path = request.url.path
        render = next((r for prefix, r in by_length if path.startswith(prefix)), text)
        if isinstance(error, HTTPException):
            return render(error.detail, error.status_code, error.headers or {})
        if isinstance(error, ClientDisconnect):
            # It left with half of its request sent; nobody will read this.
            return Response(status_code=400)
        known = report(error)
        code = status(known)
        return render(str(known), code, HEADERS.get(code, {}))

    return handle
