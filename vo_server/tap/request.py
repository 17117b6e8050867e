"""The parameters of a TAP query (TAP 1.1, section 2.7)."""

from dataclasses import dataclass, field

from vo_server import dali
from vo_server.dali import Parameters
from vo_server.errors import UsageError
from vo_server.results import Format
from vo_server.settings import Settings
from vo_server.upload.parameters import Reference, references
from vo_server.upload.source import NO_PARTS, Parts

STANDARD = "ivo://ivoa.net/std/TAP"

LANGUAGES = ("ADQL", "ADQL-2.0", "ADQL-2.1")

RUNID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class TapRequest:
    """A query to run: the same for a synchronous request, for a job, and for services that write their own.

    `standard` is the protocol in which it was asked for.
    """

    query: str
    maxrec: int
    format: Format
    content_type: str
    runid: str | None = None
    uploads: tuple[Reference, ...] = ()
    parts: Parts = field(default_factory=dict)
    standard: str = STANDARD

    @classmethod
    def from_parameters(
        cls, parameters: Parameters, settings: Settings, parts: Parts = NO_PARTS
    ) -> "TapRequest":
        """Check the parameters. Raises UsageError; what TAP does not know is ignored.

        `parts` came with them; uploaded tables are read from there when the query is run.

        REQUEST=doQuery and VERSION, which TAP 1.0 clients send, have no meaning any more.
        """
        _check_language(parameters.one("LANG"))
        query = parameters.one("QUERY")
        if query is None:
            raise UsageError("QUERY is missing: it holds the ADQL query")
        if len(query.encode()) > settings.query_bytes:
            raise UsageError(f"QUERY is longer than the {settings.query_bytes} bytes that are accepted")
        runid = parameters.one("RUNID")
        if runid is not None and len(runid) > RUNID_LENGTH:
            raise UsageError(f"RUNID may have {RUNID_LENGTH} characters; it has {len(runid)}")
        chosen, content_type = dali.response_format(parameters)
        uploads = references(parameters.all("UPLOAD"))
        return cls(query, dali.maxrec(parameters, settings), chosen, content_type, runid, uploads, parts)


def _check_language(language: str | None) -> None:
    known = ", ".join(LANGUAGES)
    if language is None:
        raise UsageError(f"LANG is missing: the query language, one of {known}")
    if language.upper() not in LANGUAGES:
        raise UsageError(f"unknown query language LANG={language!r}; known are {known}")
