"""Resumption tokens: all that is needed to go on with a list, so that nothing is kept between requests."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from vo_server.registry.arguments import OAIError
from vo_server.registry.store import Place

LIFETIME: Final = timedelta(days=1)
"""How long a token can be used (OAI-PMH 2.0, section 3.5: expirationDate)."""

LARGEST: Final = 10**9
"""Records of a list at most; more in a token were not written here."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that has been sent up to a place: `cursor` of `size` records.

    A record that changes while the list is read gets a later datestamp: it is sent again, at the end, unless
    the list ends before.
    """

    prefix: str
    start: datetime
    end: datetime
    place: Place
    cursor: int
    size: int

    def after(self, place: Place, sent: int) -> "Listing":
        """The list when `sent` more records, the last of them at `place`, have been sent."""
        return replace(self, place=place, cursor=self.cursor + sent)


def write(listing: Listing, expires: datetime) -> str:
    """The token for the rest of a list."""
    times = [t.isoformat() for t in (listing.start, listing.end, listing.place.datestamp, expires)]
    values = [listing.prefix, *times, listing.place.identifier, listing.cursor, listing.size]
    return urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def expiry() -> datetime:
    """When a token of this moment expires (UTC)."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0) + LIFETIME


def read(token: str) -> Listing:
    """What a token tells. Raises OAIError for one that was not made here or has expired."""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        prefix, *texts, identifier, cursor, size = json.loads(urlsafe_b64decode(padded))
        start, end, datestamp, expires = (datetime.fromisoformat(text) for text in texts)
        expired = datetime.now(UTC).replace(tzinfo=None) > expires
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise OAIError("badResumptionToken", "the token is not one of this registry") from error
    known = isinstance(prefix, str) and isinstance(identifier, str) and "\0" not in identifier
    zoned = any(time.tzinfo for time in (start, end, datestamp))
    counts = all(type(n) is int and 0 < n < LARGEST for n in (cursor, size))
    if not known or zoned or not counts:
        raise OAIError("badResumptionToken", "the token is not one of this registry")
    if expired:
        raise OAIError("badResumptionToken", "the token has expired: begin anew")
    return Listing(prefix, start, end, Place(datestamp, identifier), cursor, size)
