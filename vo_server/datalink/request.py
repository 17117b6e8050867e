"""The parameters of a request for links (DataLink 1.1, section 2), and what failures look like."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from starlette.responses import Response

from vo_server.dali import Parameters
from vo_server.datalink.links import MEDIA_TYPE
from vo_server.errors import UsageError
from vo_server.results.votable import error_document
from vo_server.settings import Settings


class Form(Enum):
    """A form of the answer: for programs or for people."""

    VOTABLE = "votable"
    PAGE = "html"


FORMATS: Final = {
    "votable": Form.VOTABLE,
    "application/x-votable+xml": Form.VOTABLE,
    "text/xml": Form.VOTABLE,
    "html": Form.PAGE,
    "text/html": Form.PAGE,
}
"""RESPONSEFORMAT, in lower case and without parameters of a media type -> form."""

FAULTS: Final = {
    **dict.fromkeys((400, 405, 413), "UsageFault"),
    404: "NotFoundFault",
    **dict.fromkeys((408, 429, 503), "TransientFault"),
    500: "FatalFault",
}
"""HTTP status -> what the message of an error begins with."""


@dataclass(frozen=True, slots=True)
class LinksRequest:
    """Which links are wanted: each identifier once, in the order given, as many as are answered.

    `left_out` is the number of further ones.
    """

    ids: tuple[str, ...]
    left_out: int
    form: Form | None

    @classmethod
    def from_parameters(cls, parameters: Parameters, settings: Settings) -> "LinksRequest":
        """Check the parameters. Raises UsageError; what DataLink does not know is ignored."""
        ids = tuple(dict.fromkeys(parameters.all("ID")))
        answered = ids[: settings.links_ids]
        return cls(answered, len(ids) - len(answered), _form(parameters.one("RESPONSEFORMAT")))


def _form(requested: str | None) -> Form | None:
    if requested is None:
        return None
    # A `+` that was not percent-encoded arrives as a blank.
    wanted = requested.partition(";")[0].strip().lower().replace("x-votable xml", "x-votable+xml")
    if wanted not in FORMATS:
        raise UsageError(f"RESPONSEFORMAT={requested!r} is not offered; known are {', '.join(FORMATS)}")
    return FORMATS[wanted]


def wants_page(accept: str) -> bool:
    """Whether the header Accept is that of a browser, or asks for HTML first as one does.

    Java's HTTP client, and so TOPCAT, names text/html too, whatever the program wants: beside image/gif,
    which no browser does any more.
    """
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return "text/html" in kinds and "image/gif" not in kinds and not any("votable" in k for k in kinds)


def render_error(message: str, status_code: int, headers: Mapping[str, str]) -> Response:
    """A failure of the whole request: an error document whose text begins with a fault (section 3.4)."""
    document = error_document(f"{FAULTS.get(status_code, 'DefaultFault')}: {message}")
    return Response(document, status_code, dict(headers), MEDIA_TYPE)
