"""Conditional requests and ranges (RFC 9110, sections 13 and 14), as pure functions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

MOST_RANGES: Final = 16
"""Ranges that one request may ask for; more are taken for an attack, and the whole is sent."""

_RANGE: Final = re.compile(r"(\d{0,18})\s*-\s*(\d{0,18})", re.ASCII)
_TAG: Final = re.compile(r'(W/)?("[^"]*")')

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Version:
    """Validators of what is there: a strong entity tag, and in s since 1970 when it last changed."""

    etag: str
    modified: float | None
    size: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Status of the answer, and the ranges [start, stop) that a 206 holds."""

    status: int
    ranges: Ranges = ()


def judge(method: str, headers: Mapping[str, str], version: Version, now: float) -> Verdict:
    """What the request gets, in the order of RFC 9110, section 13.2.2; `now` in s since 1970."""
    if not _wanted(headers, version):
        return Verdict(412)
    if method in {"GET", "HEAD"} and known(headers, version):
        return Verdict(304)
    asked = headers.get("range")
    if method != "GET" or asked is None or not _same(headers.get("if-range"), version, now):
        return Verdict(200)
    found = ranges(asked, version.size)
    if found is None:
        return Verdict(200)
    return Verdict(206, found) if found else Verdict(416)


def ranges(header: str, size: int) -> Ranges | None:
    """The ranges that a Range header asks for, in order and merged; None if it is to be ignored.

    Those that lie wholly beyond the end are left out (RFC 9110, section 14.1.2).
    """
    unit, equals, listed = header.partition("=")
    parts = [part.strip() for part in listed.split(",") if part.strip()]
    if unit.strip().lower() != "bytes" or not equals or not 0 < len(parts) <= MOST_RANGES:
        return None
    found = []
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None or not (match[1] or match[2]):
            return None
        if match[1] and match[2] and int(match[1]) > int(match[2]):
            return None
        start = int(match[1]) if match[1] else max(0, size - int(match[2]))
        stop = min(int(match[2]) + 1, size) if match[1] and match[2] else size
        if start < stop:
            found.append((start, stop))
    return _merged(found)


def _merged(found: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)


def _wanted(headers: Mapping[str, str], version: Version) -> bool:
    """If-Match, else If-Unmodified-Since."""
    if (match := headers.get("if-match")) is not None:
        return match.strip() == "*" or (("", version.etag) in _TAG.findall(match))
    since = _date(headers.get("if-unmodified-since"))
    return since is None or version.modified is None or int(version.modified) <= since


def known(headers: Mapping[str, str], version: Version) -> bool:
    """Whether the client has it: If-None-Match, else If-Modified-Since (RFC 9110, section 13.1)."""
    if (match := headers.get("if-none-match")) is not None:
        return match.strip() == "*" or any(tag == version.etag for _, tag in _TAG.findall(match))
    since = _date(headers.get("if-modified-since"))
    return since is not None and version.modified is not None and int(version.modified) <= since


def _same(validator: str | None, version: Version, now: float) -> bool:
    """If-Range: the same tag, or the same date if no later change can share its second (section 8.8.2.2)."""
    if validator is None or validator.strip() == version.etag:
        return True
    since = _date(validator)
    return version.modified is not None and int(version.modified) == since and version.modified < now - 2


def _date(text: str | None) -> int | None:
    """A date of HTTP in s since 1970; None if it is none."""
    try:
        return None if text is None else int(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError):
        return None
