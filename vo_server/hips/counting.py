"""Counts events in cells of the sky, of one event list and of one tile at a time."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from moc.shapes import cells_at
from vo_server.files import written
from vo_server.hips.model import TILE_BITS, TILE_WIDTH
from vo_server.previews.eventlist import opened
from vo_server.previews.model import EventList

Counts = NDArray[np.int32]

_SKY: Final = (("RA", "deg"), ("DEC", "deg"))


def count_events(found: EventList, order: int, part: Path) -> list[int]:
    """Count the events of an event list in the pixels of tiles of an order, and keep that in a file.

    The file has rows of (cell, counts), ascending. Events without a position are left out. Returns the
    tiles. Raises FitsError, MissingFileError and ChangedFileError.
    """
    if not part.exists():
        blocks = [np.empty(0, np.int64)]
        for ra, dec in opened(found.events).blocks(_SKY):
            good = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
            blocks.append(cells_at(ra[good], dec[good], order + TILE_BITS))
        cells, counts = np.unique(np.concatenate(blocks), return_counts=True)
        with written(part) as file:
            np.save(file, np.stack([cells, counts], axis=1))
    tiles: list[int] = np.unique(np.load(part)[:, 0] >> 2 * TILE_BITS).tolist()
    return tiles


def sum_parts(parts: Sequence[Path], tile: int) -> Counts:
    """The counts in the pixels of a tile, in the order of their cells."""
    size = TILE_WIDTH**2
    counts = np.zeros(size, np.int64)
    for part in parts:
        rows = np.load(part, mmap_mode="r")
        first, last = np.searchsorted(rows[:, 0], [tile * size, (tile + 1) * size])
        # An event list has each cell once.
        counts[rows[first:last, 0] - tile * size] += rows[first:last, 1]
    return counts.clip(max=np.iinfo(np.int32).max).astype(np.int32)


def summed(children: Sequence[Counts | None]) -> Counts:
    """The counts of a tile from those of its four children, None where there is no such tile."""
    size = TILE_WIDTH**2
    quarters = [
        np.zeros(size // 4, np.int64) if child is None else child.reshape(-1, 4).sum(axis=1, dtype=np.int64)
        for child in children
    ]
    return np.concatenate(quarters).clip(max=np.iinfo(np.int32).max).astype(np.int32)


def values(counts: Counts) -> Counter[int]:
    """How many pixels have which count above 0."""
    found, times = np.unique(counts[counts > 0], return_counts=True)
    return Counter(dict(zip(found.tolist(), times.tolist(), strict=True)))
