"""Errors as cone searches tell them (Simple Cone Search 1.03, section 2)."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from vo_server.results.result import Info
from vo_server.results.votable import error_document
from vo_server.scs.cone import DEFAULT_FORMAT

STATUS: Final = {400: 200}
"""HTTP status of an error elsewhere -> of a cone search.

Its clients look for errors in the document, and many do not read that of another status than 200. What a
client cannot mend keeps its status, for those on the way to know.
"""


def render(message: str, status_code: int, headers: Mapping[str, str]) -> Response:
    """A VOTable that tells the error as SCS 1.03 wants it, and as DALI 1.1 (section 4.4.2) does."""
    document = error_document(message, infos=(Info("Error", message),))
    return Response(document, STATUS.get(status_code, status_code), dict(headers), DEFAULT_FORMAT)
