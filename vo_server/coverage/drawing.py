"""Draws the sky that a collection covers; in the processes of previews only, since matplotlib is large."""

import io
from typing import Final

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord
from cdshealpix import nested
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from moc.model import SPACE, Moc
from moc.shapes import CELL_SIDE
from moc.text import parse
from vo_server.coverage.picture import SkyPicture

_SIZE: Final = (9.0, 4.9)
_PIXELS: Final = (1200, 600)
"""Samples of the map in right ascension and declination."""

_COVERED: Final = "#1668b8"

_SKY: Final = 41252.96
"""deg²; the whole sphere."""


def make(picture: SkyPicture) -> bytes:
    """The picture as PNG: all sky in Hammer-Aitoff projection, ICRS, with the Galactic plane."""
    figure = Figure(figsize=_SIZE, dpi=120, layout="constrained")
    axes = figure.add_subplot(projection="hammer")
    width, height = _PIXELS
    lon = np.linspace(-np.pi, np.pi, width + 1)
    lat = np.linspace(-np.pi / 2, np.pi / 2, height + 1)
    middle = np.meshgrid((lon[1:] + lon[:-1]) / 2, (lat[1:] + lat[:-1]) / 2)
    # Right ascension grows to the left.
    inside = _inside(parse(picture.s_moc, SPACE), -middle[0], middle[1], 360 / width)
    shown = np.ma.masked_where(~inside, np.ones(inside.shape))
    axes.pcolormesh(lon, lat, shown, cmap=ListedColormap([_COVERED]), rasterized=True)
    _plane(axes)
    axes.set_xticks(np.radians([-120, -60, 0, 60, 120]), ["120°", "60°", "0°", "300°", "240°"], size="small")
    axes.set_yticks(np.radians([-60, -30, 0, 30, 60]))
    axes.tick_params(axis="y", labelsize="small")
    axes.grid(color="0.8", linewidth=0.5)
    axes.set_title(f"{picture.title}: {picture.sky_fraction * _SKY:.4g} deg² of the sky")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=picture.form, metadata={"Title": picture.title})
    return buffer.getvalue()


def _inside(moc: Moc, lon: NDArray[np.float64], lat: NDArray[np.float64], sample: float) -> NDArray[np.bool_]:
    """Which samples (rad, every `sample` deg) lie in the MOC, made coarse enough for none to be missed."""
    order = min(moc.order, int(np.log2(CELL_SIDE / sample)))
    coarse = moc.degraded(order)
    cells = nested.lonlat_to_healpix(lon.ravel() * units.rad, lat.ravel() * units.rad, order)
    deep = np.asarray(cells).astype(np.int64) << 2 * (SPACE.deepest - order)
    place = np.searchsorted(coarse.ranges.ravel(), deep, side="right")
    inside: NDArray[np.bool_] = (place % 2 == 1).reshape(lon.shape)
    return inside


def _plane(axes: Axes) -> None:
    plane = SkyCoord(np.linspace(0, 360, 721), np.zeros(721), unit="deg", frame="galactic").icrs
    lon = -plane.ra.wrap_at(180 * units.deg).rad
    breaks = np.flatnonzero(np.abs(np.diff(lon)) > np.pi) + 1
    for x, y in zip(np.split(lon, breaks), np.split(plane.dec.rad, breaks), strict=True):
        axes.plot(x, y, color="0.45", linewidth=0.8, linestyle="--")
