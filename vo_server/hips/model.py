"""What a HiPS of counts is made of, and where its files lie (HiPS 1.0, section 4)."""

import hashlib
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moc.model import SPACE, Moc
from moc.shapes import CELL_SIDE
from schema.collection import Collection
from vo_server.previews.model import EventList
from vo_server.settings import Settings

VERSION: Final = 1
"""To be raised when tiles look different from then on: what is there counts as out of date."""

TILE_BITS: Final = 9
TILE_WIDTH: Final = 1 << TILE_BITS
"""Pixels along a side of a tile: cells of TILE_BITS orders more."""

ALLSKY_ORDER: Final = 3
ALLSKY_WIDTH: Final = 64
"""Order of the tiles in Allsky, and pixels along a side of theirs."""

DEEPEST: Final = 7
_MOST_TILES: Final = 4000
"""Tiles of the deepest order, of 1 MB each."""

_PIXELS_PER_RESOLUTION: Final = 4
PIXEL_SIDE: Final = CELL_SIDE / TILE_WIDTH
"""deg; the side of a pixel at order 0, halved with each order."""

CURRENT: Final = "current"
"""File that names the version that is served, so that a new one replaces it at once."""


class HipsError(RuntimeError):
    """A HiPS cannot be made; the message says why."""


@dataclass(frozen=True)
class Plan:
    """A HiPS to be made: of these event lists, down to this order, with the sky that they cover.

    `time` is MJD in UTC, `energy` in J; None where they are not known.
    """

    collection: Collection
    event_lists: tuple[EventList, ...]
    order: int
    covered: Moc
    time: tuple[float, float] | None
    energy: tuple[float, float] | None

    @property
    def key(self) -> str:
        """Differs wherever a file of the HiPS does."""
        places = ((e.obs_publisher_did, e.events.record, e.events.hdu) for e in self.event_lists)
        lists = sorted((did, record.checksum, hdu) for did, record, hdu in places)
        told = [VERSION, self.order, self.collection.to_json(), lists, self.covered.ranges.tolist()]
        text = json.dumps([*told, self.time, self.energy])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def suitable_order(resolution: float | None, covered: Moc) -> int:
    """The deepest order for a resolution (arcsec) that has some pixels, but not too many tiles."""
    wanted = ALLSKY_ORDER
    if resolution:
        wanted = math.ceil(math.log2(3600 * PIXEL_SIDE * _PIXELS_PER_RESOLUTION / resolution))
    order = min(max(wanted, ALLSKY_ORDER), DEEPEST)
    while order > ALLSKY_ORDER and _tiles(covered, order) > _MOST_TILES:
        order -= 1
    return order


def _tiles(covered: Moc, order: int) -> int:
    ranges = covered.degraded(order).ranges
    return int((ranges[:, 1] - ranges[:, 0]).sum()) >> 2 * (SPACE.deepest - order)


def directory_of(settings: Settings, collection: Collection) -> Path:
    """Where the versions of a collection's HiPS lie."""
    return settings.data_dir / "hips" / collection.schema


def remove_hips(settings: Settings, schema: str) -> None:
    """Remove what there is of the HiPS of a collection that has this schema."""
    shutil.rmtree(settings.data_dir / "hips" / schema, ignore_errors=True)


def current(directory: Path) -> Path | None:
    """The version that is served; None if there is none."""
    try:
        name = (directory / CURRENT).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return directory / name if name.isalnum() else None


def tile_path(order: int, number: int, form: str) -> str:
    """The path of a tile in the HiPS."""
    return f"Norder{order}/Dir{number // 10000 * 10000}/Npix{number}.{form}"


def orders(plan: Plan) -> Iterator[int]:
    """All orders, the deepest first."""
    return iter(range(plan.order, -1, -1))
