"""Tiles as files: counts as FITS, and as PNG for the eye (HiPS 1.0, section 4.2).

In a tile, the cells of a square of the HEALPix grid go from its southern corner: the first of the two
coordinates that a cell's number interleaves (its even bits) runs down the picture, the second to the right.
FITS has its rows from the bottom, PNG from the top.
"""

import io
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final

import matplotlib as mpl
import numpy as np
from astropy.io import fits
from matplotlib.image import imsave
from numpy.typing import NDArray

from moc.model import SPACE, Moc
from vo_server.files import written
from vo_server.hips.counting import Counts
from vo_server.hips.model import ALLSKY_ORDER, ALLSKY_WIDTH, TILE_BITS, TILE_WIDTH, tile_path

Bools = NDArray[np.bool_]

_COLOURS: Final = "inferno"

_BLOCK: Final = 4096
"""Bytes; what file systems allot at a time."""

_ALLSKY_COLUMNS: Final = 27
_ALLSKY_ROWS: Final = 29
"""Tiles of order 3 side by side: 768 in rows of floor(sqrt(768)) (section 4.3.2)."""


def write_tile(tree: Path, order: int, number: int, counts: Counts) -> None:
    """Write a tile as FITS, from counts in the order of the cells."""
    header = fits.Header()
    header["BUNIT"] = ("count", "events per pixel")
    header["ORDER"] = (order, "HiPS order of the tile")
    header["NPIX"] = (number, "number of the tile, nested")
    with written(tree / tile_path(order, number, "fits")) as file:
        _write_sparse(file, fits.PrimaryHDU(_from_the_bottom(picture(counts)), header))


def _from_the_bottom(rows: NDArray[np.generic]) -> NDArray[np.generic]:
    """The rows in the order of FITS, as a copy: astropy writes a turned view number by number."""
    return np.ascontiguousarray(rows[::-1])


def _write_sparse(file: BinaryIO, hdu: fits.PrimaryHDU) -> None:
    """Leave holes where all is 0, so that tiles with few events take little of the disk."""
    buffer = io.BytesIO()
    hdu.writeto(buffer)
    octets = buffer.getvalue()
    for start in range(0, len(octets), _BLOCK):
        block = octets[start : start + _BLOCK]
        if block.strip(b"\0"):
            file.seek(start)
            file.write(block)
    file.truncate(len(octets))


def read_tile(tree: Path, order: int, number: int) -> Counts | None:
    """The counts of a tile in the order of the cells; None if there is no such tile."""
    try:
        data = fits.getdata(tree / tile_path(order, number, "fits"))
    except FileNotFoundError:
        return None
    counts = np.empty(TILE_WIDTH**2, np.int32)
    counts[_cells(TILE_WIDTH)] = data[::-1]
    return counts


def write_picture(tree: Path, order: int, number: int, cut: float, covered: Moc) -> None:
    """Write a tile as PNG: the square root of the counts up to `cut`, transparent where nothing was seen."""
    counts = read_tile(tree, order, number)
    if counts is None:
        return
    with written(tree / tile_path(order, number, "png")) as file:
        imsave(file, picture(_coloured(counts, cut, inside(covered, order, number))), format="png")


def write_allsky(tree: Path, cut: float, covered: Moc) -> None:
    """Write Allsky.fits and Allsky.png: all tiles of order 3, made smaller; counts are summed."""
    shape = (_ALLSKY_ROWS * ALLSKY_WIDTH, _ALLSKY_COLUMNS * ALLSKY_WIDTH)
    counts, colours = np.zeros(shape, np.int32), np.zeros((*shape, 4), np.uint8)
    each = (TILE_WIDTH // ALLSKY_WIDTH) ** 2
    for number in range(12 << 2 * ALLSKY_ORDER):
        tile = read_tile(tree, ALLSKY_ORDER, number)
        if tile is None:
            continue
        row, column = (n * ALLSKY_WIDTH for n in divmod(number, _ALLSKY_COLUMNS))
        place = np.s_[row : row + ALLSKY_WIDTH, column : column + ALLSKY_WIDTH]
        small = tile.reshape(-1, each).sum(axis=1, dtype=np.int32)
        counts[place] = picture(small)
        seen: Bools = np.any(inside(covered, ALLSKY_ORDER, number).reshape(-1, each), axis=1, keepdims=False)
        colours[place] = picture(_coloured(small, cut, seen))
    with written(tree / f"Norder{ALLSKY_ORDER}" / "Allsky.fits") as file:
        _write_sparse(file, fits.PrimaryHDU(_from_the_bottom(counts)))
    with written(tree / f"Norder{ALLSKY_ORDER}" / "Allsky.png") as file:
        imsave(file, colours, format="png")


def inside(covered: Moc, order: int, number: int) -> Bools:
    """Which pixels of a tile a MOC touches, in the order of the cells."""
    deepest = order + TILE_BITS
    ranges = covered.degraded(deepest).ranges
    cells = number * TILE_WIDTH**2 + np.arange(TILE_WIDTH**2)
    place = np.searchsorted(ranges.ravel(), cells << 2 * (SPACE.deepest - deepest), side="right")
    return np.asarray(place % 2 == 1)


def picture(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Values in the order of the cells as a square, rows from the top."""
    found: NDArray[np.generic] = values[_cells(int(len(values) ** 0.5))]
    return found


def _coloured(counts: Counts, cut: float, seen: Bools) -> NDArray[np.uint8]:
    colours: NDArray[np.uint8] = mpl.colormaps[_COLOURS](np.sqrt(counts / cut).clip(max=1), bytes=True)
    colours[..., 3] = np.where(seen | (counts > 0), 255, 0)
    return colours


@cache
def _cells(width: int) -> NDArray[np.int64]:
    """The numbers of the cells in a square of pixels, rows from the top."""
    spread = np.zeros(width, np.int64)
    for bit in range(width.bit_length() - 1):
        spread |= (np.arange(width) >> bit & 1) << 2 * bit
    return spread[:, None] | spread[None, :] << 1
