"""Errors as spectral searches tell them (SSA 1.1, section 8.10)."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from vo_server.results.votable import error_document
from vo_server.ssa.request import DEFAULT_FORMAT

STATUS: Final = {400: 200}
"""HTTP status of an error elsewhere -> of a search: its clients look for errors in the document."""


def render(message: str, status_code: int, headers: Mapping[str, str]) -> Response:
    """A VOTable whose QUERY_STATUS tells the error."""
    document = error_document(message)
    told = {**headers, "Content-Type": DEFAULT_FORMAT}
    return Response(document, STATUS.get(status_code, status_code), told)
