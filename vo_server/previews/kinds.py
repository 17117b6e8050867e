"""The register of previews: their names, their forms and what DataLink calls them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

VERSION: Final = 3
"""To be raised when previews look different from then on: those in the cache are drawn anew."""

FORMS: Final[Mapping[str, str]] = {"png": "image/png", "svg": "image/svg+xml"}
"""Ending of the name -> media type."""


@dataclass(frozen=True)
class Kind:
    """One kind of preview. `semantics` is its term in the vocabulary datalink/core."""

    name: str
    description: str
    semantics: str


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("counts-map", "Counts on the sky, with the pointing and the target", "#preview-image"),
        Kind("spectrum", "Counts against reconstructed energy", "#preview-plot"),
        Kind("event-rate", "Event rate against time, with the gaps between good times", "#preview-plot"),
        # Not #thumbnail, which lists of the vocabulary that clients carry with them do not know yet.
        Kind("thumbnail", "Small counts map without axes", "#preview"),
    )
}


def preview_url(server_url: str, kind: str, form: str, obs_publisher_did: str) -> str:
    """The URL of a preview; `server_url` is that of the server, without a slash at its end."""
    return f"{server_url}/previews/{kind}.{form}?ID={quote(obs_publisher_did, safe='')}"
