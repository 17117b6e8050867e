"""Errors as SODA tells them: plain text that begins with a label (SODA 1.0, section 5.3)."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from vo_server import errors

MULTIPLE: Final = "MultiValuedParamNotSupported"

LABELS: Final = {
    400: "UsageError",
    401: "AuthenticationError",
    403: "AuthorizationError",
    404: "UsageError",
    405: "UsageError",
    413: "UsageError",
    429: "ServiceUnavailable",
    503: "ServiceUnavailable",
}
"""HTTP status -> label."""

DEFAULT: Final = "Error"


_ALL: Final = {DEFAULT, MULTIPLE, *LABELS.values()}


def labelled(message: str, status_code: int) -> str:
    """The message behind its label, which it may have already."""
    if message.partition(":")[0] in _ALL:
        return message
    return f"{LABELS.get(status_code, DEFAULT)}: {message}"


def render(message: str, status_code: int, headers: Mapping[str, str]) -> Response:
    """The error as a response."""
    return errors.text(labelled(message, status_code), status_code, headers)
