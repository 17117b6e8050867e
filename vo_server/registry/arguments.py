"""The arguments of OAI-PMH requests, and what is wrong with them (OAI-PMH 2.0, sections 3 and 4)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vo_server.registry.resource import DATESTAMP
from vo_server.registry.store import END, START


class OAIError(Exception):
    """The request is answered by an error; `code` is one of section 3.6."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Verb:
    """What a verb needs and takes; `exclusive` is the argument that excludes all others."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    exclusive: str = ""


_LIST: Final = Verb(frozenset({"metadataPrefix"}), frozenset({"from", "until", "set"}), "resumptionToken")

VERBS: Final[Mapping[str, Verb]] = {
    "Identify": Verb(),
    "ListMetadataFormats": Verb(optional=frozenset({"identifier"})),
    "ListSets": Verb(exclusive="resumptionToken"),
    "ListIdentifiers": _LIST,
    "ListRecords": _LIST,
    "GetRecord": Verb(frozenset({"identifier", "metadataPrefix"})),
}

_FORMS: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII), "%Y-%m-%d", timedelta(days=1)),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", re.ASCII), DATESTAMP, timedelta(seconds=1)),
)
"""The two forms of dates, with what an interval that ends in one includes."""

_UNRESERVED: Final = re.compile(r"[A-Za-z0-9\-_.!~*'()]+(:[A-Za-z0-9\-_.!~*'()]+)*\Z")
_SIMPLE: Final = frozenset({"metadataPrefix", "set"})
"""Arguments of restricted form (section 2.6 and 3.4)."""


def read(pairs: Iterable[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    """The verb of a request and its other arguments. Raises OAIError."""
    sent = list(pairs)
    verbs = [value for name, value in sent if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in VERBS:
        told = repr(verbs[0][:40]) if len(verbs) == 1 else f"{len(verbs)} verbs"
        raise OAIError("badVerb", f"one of the verbs {', '.join(VERBS)} is wanted once, not {told}")
    arguments = {name: value for name, value in sent if name != "verb"}
    if len(arguments) < len(sent) - 1:
        raise OAIError("badArgument", "an argument is repeated")
    _check(verbs[0], arguments)
    return verbs[0], arguments


def _check(name: str, arguments: Mapping[str, str]) -> None:
    verb, given = VERBS[name], set(arguments)
    if verb.exclusive in given:
        if given != {verb.exclusive}:
            raise OAIError("badArgument", f"{verb.exclusive} excludes all other arguments")
        return
    for argument in sorted(given - verb.required - verb.optional):
        raise OAIError("badArgument", f"{name} has no argument {argument[:40]!r}")
    for argument in sorted(verb.required - given):
        raise OAIError("badArgument", f"{name} needs the argument {argument}")
    for argument, value in arguments.items():
        if not value or (argument in _SIMPLE and _UNRESERVED.match(value) is None):
            raise OAIError("badArgument", f"{argument} cannot be {value[:40]!r}")


def interval(arguments: Mapping[str, str]) -> tuple[datetime, datetime]:
    """The datestamps that a list is restricted to: from the first and before the second, in UTC.

    Raises OAIError for dates of another form or of two forms, and for an end before the start.
    """
    start = _date("from", arguments["from"]) if "from" in arguments else None
    end = _date("until", arguments["until"]) if "until" in arguments else None
    if start and end and start[1] != end[1]:
        raise OAIError("badArgument", "from and until must have the same granularity")
    if start and end and start[0] > end[0]:
        raise OAIError("badArgument", "from is later than until")
    return start[0] if start else START.datestamp, min(END - end[1], end[0]) + end[1] if end else END


def _date(name: str, text: str) -> tuple[datetime, timedelta]:
    for shape, form, step in _FORMS:
        if shape.match(text):
            try:
                return datetime.strptime(text, form), step
            except ValueError:
                break
    raise OAIError("badArgument", f"{name} = {text[:40]!r}: YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ is wanted")
