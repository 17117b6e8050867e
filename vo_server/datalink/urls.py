"""The URLs of everything that a link leads to: the one place that writes them.

`server` is the public URL of the server, without a slash at its end; `did` is a publisher DID.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote

LINKS: Final = "/datalink/links"


def links(server: str, dids: Sequence[str] = ()) -> str:
    """The links of datasets; without any the service itself."""
    query = "&".join(f"ID={_encoded(did)}" for did in dids)
    return f"{server}{LINKS}{'?' if query else ''}{query}"


def product(server: str, did: str, name: str) -> str:
    """One HDU of a dataset as a FITS file of its own."""
    return f"{server}/products?ID={_encoded(did)}&PRODUCT={_encoded(name)}"


def spectrum(server: str, did: str) -> str:
    """A spectrum as a VOTable."""
    return f"{server}/spectra?ID={_encoded(did)}"


def bundle(server: str, did: str) -> str:
    """The event list with all that its analysis needs, as one archive."""
    return f"{server}/bundles?ID={_encoded(did)}"


@lru_cache(maxsize=128)
def _encoded(text: str) -> str:
    return quote(text, safe="")
