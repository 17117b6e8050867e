"""MOCs as FITS files (MOC 2.0, section 4.2)."""

import io
from typing import Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from moc.model import SPACE, TIME, Moc, SpaceTimeMoc

_TIME_FLAG: Final = -(1 << 63)
"""The top bit, which tells ranges of time from those of space (section 4.2.3)."""

_LAST_SHORT: Final = 13
"""The deepest order whose cells have numbers of 32 bits."""

_COORDSYS: Final = ("COORDSYS", "C", "ICRS")
_TIMESYS: Final = ("TIMESYS", "TCB", "barycentric coordinate time")

Cards = tuple[tuple[str, str | int, str], ...]


def fits_moc(moc: Moc) -> bytes:
    """A MOC of the sky as NUNIQ, which older software reads, too; one of time as RANGE."""
    if moc.axis is SPACE:
        numbers = [(4 << 2 * order) + cells for order, cells in moc.cells().items()]
        kind = np.dtype(np.int32 if moc.order <= _LAST_SHORT else np.int64)
        column = np.sort(np.concatenate([*numbers, np.empty(0, np.int64)])).astype(kind)
        order = (("MOCORD_S", moc.order, "order of the MOC"), ("MOCORDER", moc.order, "the same in MOC 1.1"))
        return _file("UNIQ", column, (*_kind("SPACE", "NUNIQ"), _COORDSYS, *order))
    order_card = ("MOCORD_T", moc.order, "order of the MOC")
    return _file("RANGE", moc.ranges.ravel(), (*_kind(TIME.name, "RANGE"), _TIMESYS, order_card))


def fits_space_time(moc: SpaceTimeMoc) -> bytes:
    """A MOC of time and space as RANGE: of each element the time, flagged, then the sky."""
    shift = TIME.deepest - moc.time_order
    parts: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    for first, end, sky in moc.elements:
        parts += [np.array([first << shift, end << shift], np.int64) | _TIME_FLAG, sky.ranges.ravel()]
    orders = (
        ("MOCORD_T", moc.time_order, "order of the time"),
        ("MOCORD_S", moc.space_order, "order of the sky"),
    )
    cards = (*_kind("TIME.SPACE", "RANGE"), _COORDSYS, _TIMESYS, *orders)
    return _file("RANGE", np.concatenate(parts), cards)


def _kind(dimension: str, ordering: str) -> Cards:
    return (
        ("MOCVERS", "2.0", "version of the standard"),
        ("MOCDIM", dimension, "what it is a MOC of"),
        ("ORDERING", ordering, "how cells are coded"),
    )


def _file(name: str, values: NDArray[np.int32] | NDArray[np.int64], cards: Cards) -> bytes:
    form = "1J" if values.dtype == np.int32 else "1K"
    table = fits.BinTableHDU.from_columns([fits.Column(name, form, array=values)], name="MOC")
    for keyword, value, comment in cards:
        table.header[keyword] = (value, comment)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()
