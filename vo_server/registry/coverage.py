"""Where, when and at which energies the data of a collection are (VODataService 1.2, section 3.2)."""

import math
from collections.abc import Iterator
from typing import Final

from astropy.time import Time
from lxml import etree

from schema.collection import Collection
from vo_server.coverage.summary import Summary
from vo_server.xmlwriter import node

LIGHT_TIME: Final = 500.0 / 86400.0
"""Days that light takes from the Earth to the Sun: times at the Earth and at the barycentre differ less."""

WAVEBANDS: Final = {"photon": "Gamma-ray", "neutrino": "Neutrino"}
"""The kind of particle of a collection -> a term of the vocabulary messenger, which has no others."""


def coverage(collection: Collection, summary: Summary, moc_url: str) -> etree._Element:
    """The element; what is not known is not in it. `moc_url` is where the region of the sky is in full."""
    children = [
        *([node("spatial", summary.s_moc)] if summary.s_moc else []),
        *_temporal(summary),
        *_spectral(summary),
        *([node("footprint", moc_url, {"ivo-id": "ivo://ivoa.net/std/moc"})] if summary.s_moc else []),
        *(node("waveband", name) for name in wavebands(collection)),
    ]
    return node("coverage", None, None, children)


def wavebands(collection: Collection) -> list[str]:
    """The wavebands of a collection, none for particles that the vocabulary does not have."""
    return [WAVEBANDS[collection.messenger]] if collection.messenger in WAVEBANDS else []


def _temporal(summary: Summary) -> Iterator[etree._Element]:
    """The interval as MJD in TDB at the barycentre, wide enough for the light time; steps of 0.01 d."""
    if summary.time is not None:
        start, end = Time(summary.time, format="mjd", scale="utc").tdb.mjd
        low, high = math.floor((start - LIGHT_TIME) * 100) / 100, math.ceil((end + LIGHT_TIME) * 100) / 100
        yield node("temporal", f"{low:.2f} {high:.2f}")


def _spectral(summary: Summary) -> Iterator[etree._Element]:
    """The interval of the energies of the particles in J."""
    if summary.energy is not None:
        yield node("spectral", " ".join(f"{joule:.6g}" for joule in summary.energy))
