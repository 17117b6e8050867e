"""Where, when and at which energies the data of collections are (VODataService 1.2, section 3.2)."""

import math
from collections.abc import Iterable, Iterator
from typing import Final

from astropy.time import Time
from lxml import etree

from moc.model import SPACE, union
from moc.text import ascii_moc, parse
from schema.collection import Collection
from vo_server.coverage.summary import Summary
from vo_server.xmlwriter import node

LIGHT_TIME: Final = 500.0 / 86400.0
"""Days that light takes from the Earth to the Sun: times at the Earth and at the barycentre differ less."""

WAVEBANDS: Final = {"photon": "Gamma-ray", "neutrino": "Neutrino"}
"""The kind of particle of a collection -> a term of the vocabulary messenger, which has no others."""


def coverage(
    collections: Iterable[Collection], summary: Summary, moc_url: str | None = None
) -> etree._Element:
    """The element; what is not known is not in it. `moc_url` is where the region of the sky is in full."""
    footprint = summary.s_moc and moc_url
    children = [
        *([node("spatial", summary.s_moc)] if summary.s_moc else []),
        *_temporal(summary),
        *_spectral(summary),
        *([node("footprint", footprint, {"ivo-id": "ivo://ivoa.net/std/moc"})] if footprint else []),
        *(node("waveband", name) for name in wavebands(collections)),
    ]
    return node("coverage", None, None, children)


def wavebands(collections: Iterable[Collection]) -> Iterator[str]:
    """The wavebands of collections, none for particles that the vocabulary does not have."""
    kinds = dict.fromkeys(c.messenger for c in collections)
    return (WAVEBANDS[kind] for kind in kinds if kind in WAVEBANDS)


def united(summaries: Iterable[Summary]) -> Summary:
    """What collections cover together, as far as it is known."""
    known = tuple(summaries)
    skies = [parse(s.s_moc, SPACE) for s in known if s.s_moc]
    return Summary(
        ascii_moc(union(skies)) if skies else None,
        _span([s.time for s in known if s.time]),
        _span([s.energy for s in known if s.energy]),
    )


def _span(intervals: list[tuple[float, float]]) -> tuple[float, float] | None:
    return (min(low for low, _ in intervals), max(high for _, high in intervals)) if intervals else None


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
