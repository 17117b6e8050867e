"""Draws previews with matplotlib: from what was counted to the bytes of a picture."""

import io
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import astropy.units as u
import matplotlib as mpl
import numpy as np
from astropy.visualization.wcsaxes import SphericalCircle, WCSAxes
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from vo_server.previews.counting import CountsMap, EventRate, Floats, SkyFrame, Spectrum, poisson_interval

Position = tuple[float, float]
"""Right ascension and declination, ICRS, deg."""

_WIDTH: Final = 6.4
"""inches; text of 11 points is legible where the picture is 600 pixels wide."""

_DPI: Final = 200
_THUMBNAIL: Final = 256
"""Width of a thumbnail in pixels."""

_STYLE: Final[Mapping[str, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "axes.labelsize": 12.0,
    "axes.linewidth": 0.9,
    "axes.unicode_minus": True,
    "legend.fontsize": 10.0,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "text.parse_math": False,  # a $ in the name of a target is a $
    "svg.fonttype": "none",
    "svg.hashsalt": "vo-server",
    "image.composite_image": False,
    "path.simplify": True,
}
"""On top of matplotlib's defaults, whatever a matplotlibrc of the machine says."""

_COLOURS: Final = "inferno"
"""Grows evenly in lightness, so that it reads in grey and with any colour vision."""

_POLAR: Final = 88.0
"""deg; maps that reach beyond have right ascensions above them, too."""

_VISIBLE: Final = 0.003
"""Part of the observation below which a gap is too narrow to be drawn."""

_BRIGHT: Final = 4.0
"""Counts in the peak over those where a usual event lies, from which on colours grow as the square root."""

_INK: Final = "#1f4e79"
_FIELD: Final[Mapping[str, Any]] = {"color": "#d0d0d0", "linewidth": 1.3, "linestyle": (0, (4, 3))}
_EDGE: Final[Mapping[str, Any]] = {"edgecolor": "#d0d0d0", "linewidth": 1.3, "linestyle": (0, (4, 3))}
_GAP: Final = "#dddddd"
_SIMULATED: Final = "#b03a00"

_TITLE_LENGTH: Final = 58
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Caption:
    """What every picture says of its dataset; `start_utc` is ISO 8601."""

    collection: str
    obs_id: str
    target: str | None
    simulated: bool
    start_utc: str | None


@dataclass(frozen=True)
class Marks:
    """What is marked on a map; `diameter` (deg) and `outline`, the field of view, where they are known."""

    pointing: Position | None
    target: Position | None
    diameter: float | None
    outline: tuple[Position, ...]


def use_style() -> None:
    """Make our style that of this process."""
    mpl.rcdefaults()
    mpl.rcParams.update(cast(Any, _STYLE))


def draw_counts_map(counted: CountsMap, marks: Marks, caption: Caption) -> Figure:
    """Counts on the sky."""
    figure = Figure(figsize=(_WIDTH, 6.05))
    wcs, side = counted.frame.wcs, counted.frame.side
    axes = WCSAxes(figure, (0.155, 0.182, 0.64, 0.677), wcs=wcs)
    figure.add_axes(axes)
    shown = counted.shown
    norm = _norm(counted)
    image = axes.imshow(shown, origin="lower", cmap=_COLOURS, norm=norm, interpolation="none")
    _sky_axes(axes, counted.frame)
    axes.set_xlim(-0.5, side - 0.5)
    axes.set_ylim(-0.5, side - 0.5)
    bar_axes = figure.add_axes((0.82, 0.182, 0.03, 0.677))
    bar = figure.colorbar(image, cax=bar_axes)
    bar.set_label("Counts per pixel")
    bar.ax.yaxis.set_major_locator(MaxNLocator(7, integer=bool(shown.max() >= 5)))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(_plain))
    if not counted.counts.any():
        axes.text(side / 2, side * 0.75, "no events", color="white", ha="center", va="center", fontsize=14)
        bar.ax.set_yticks([0])
    _mark(axes, marks)
    _title(figure, caption)
    pixel = f"pixels of {counted.frame.pixel:g}°"
    if counted.smoothing:
        pixel += f", smoothed with σ = {counted.smoothing * counted.frame.pixel:g}°"  # noqa: RUF001  it is a sigma
    events = _events(int(counted.counts.sum()))
    if counted.outside:
        events += f", {counted.outside:,} outside"
    if norm.gamma != 1:
        pixel += "; square-root scale"
    figure.text(0.012, 0.012, f"{events}; {pixel}", ha="left", va="bottom", fontsize=8.5, color="#444444")
    return figure


def draw_thumbnail(counted: CountsMap, marks: Marks, caption: Caption) -> Figure:
    """The map alone, to be told from others at a glance."""
    figure = Figure(figsize=(_THUMBNAIL / _DPI, _THUMBNAIL / _DPI))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    norm = _norm(counted)
    axes.imshow(counted.shown, origin="lower", cmap=_COLOURS, norm=norm, interpolation="none", aspect="auto")
    return figure


def _norm(counted: CountsMap) -> PowerNorm:
    """Counts to colours: linear, or as the square root where a source outshines the field around it."""
    shown = counted.shown
    peak = float(shown.max())
    return PowerNorm(0.5 if peak > _BRIGHT * _usual(shown) else 1.0, vmin=0, vmax=max(peak, 1e-9))


def _usual(shown: Floats) -> float:
    """The value of the pixel in which the median event lies; 0 without events."""
    ordered = np.sort(shown, axis=None)
    running = np.cumsum(ordered)
    return float(ordered[np.searchsorted(running, running[-1] / 2)])


def draw_spectrum(counted: Spectrum, caption: Caption) -> Figure:
    """Counts against reconstructed energy."""
    figure, axes = _plot(caption)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("Reconstructed energy (TeV)")
    axes.set_ylabel("Counts per bin")
    edges, counts = counted.edges, counted.counts
    if not counts.size:
        axes.set_xlim(0.01, 100)
        axes.set_ylim(0.5, 10)
        _say(axes, "no events with an energy")
    else:
        low, high = poisson_interval(counts)
        used = counts > 0
        centre = np.sqrt(edges[1:] * edges[:-1])
        axes.stairs(counts, edges, baseline=0.5, fill=True, color=_INK, alpha=0.18)
        axes.errorbar(
            centre[used],
            counts[used],
            xerr=(centre[used] - edges[:-1][used], edges[1:][used] - centre[used]),
            yerr=(np.minimum(counts - low, counts - 0.5)[used], (high - counts)[used]),
            fmt="o",
            color=_INK,
            markersize=3.5,
            linewidth=1.3,
        )
        # Two powers of ten at least, so that the axis can be read.
        decades = max(math.log10(edges[-1] / edges[0]) * 1.06, 2.2)
        middle, half = math.sqrt(edges[0] * edges[-1]), 10 ** (decades / 2)
        axes.set_xlim(middle / half, middle * half)
        axes.set_ylim(0.5, max(float(high.max()) * 1.6, 12))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(10, numticks=10))
        axis.set_major_formatter(FuncFormatter(_decade))
        axis.set_minor_formatter(NullFormatter())
    _note(figure, int(counts.sum()), counted.uncounted, "without energy")
    return figure


def draw_event_rate(counted: EventRate, caption: Caption) -> Figure:
    """Event rate against time."""
    figure, axes = _plot(caption)
    seconds, unit = _time_unit(counted.span[1])
    since = f"since {caption.start_utc} UTC" if caption.start_utc else "since the start"
    axes.set_xlabel(f"Time {since} ({unit})")
    axes.set_ylabel("Event rate (Hz)")
    start, stop = counted.start / seconds, counted.stop / seconds
    low, high = (bound / counted.exposure for bound in poisson_interval(counted.counts))
    gaps = counted.gaps[counted.gaps[:, 1] - counted.gaps[:, 0] > counted.span[1] * _VISIBLE] / seconds
    if len(gaps):
        bars = np.stack([gaps[:, 0], gaps[:, 1] - gaps[:, 0]], axis=1)
        axes.broken_barh(
            bars.tolist(),
            (0, 1),
            transform=axes.get_xaxis_transform(),
            facecolor=_GAP,
            linewidth=0,
            label="not in good time",
        )
    if counted.counts.any():
        centre = (start + stop) / 2
        axes.errorbar(
            centre,
            counted.rate,
            xerr=(stop - start) / 2,
            yerr=(counted.rate - low, high - counted.rate),
            fmt="o",
            color=_INK,
            markersize=3.5,
            linewidth=1.3,
        )
        mean = counted.counts.sum() / counted.exposure.sum()
        axes.axhline(mean, color=_SIMULATED, linewidth=1.1, linestyle="--", label=f"mean {_rounded(mean)} Hz")
        axes.set_ylim(0, max(float(high.max()) * 1.25, 1e-12))
    else:
        axes.set_ylim(0, 1)
        _say(axes, "no events" if counted.counts.size else "no good time")
    width = max(counted.span[1] / seconds, 1e-9)
    axes.set_xlim(-0.02 * width, 1.02 * width)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(_plain))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", ncols=2, frameon=True, framealpha=0.9, edgecolor="none")
    _note(figure, int(counted.counts.sum()), counted.uncounted, "outside good time")
    return figure


def picture(figure: Figure, form: str, title: str) -> bytes:
    """The bytes of a figure in a form of the register."""
    content = io.BytesIO()
    metadata: dict[str, Any] = {"Title": title}
    if form == "svg":
        metadata |= {"Date": None, "Creator": "vo-server"}
    else:
        FigureCanvasAgg(figure)
        metadata |= {"Software": "vo-server"}
    figure.savefig(content, format=form, dpi=_DPI, metadata=metadata, facecolor="white")
    return content.getvalue()


def _plot(caption: Caption) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, 4.6))
    axes = figure.add_axes((0.135, 0.175, 0.835, 0.695))
    _title(figure, caption)
    return figure, axes


def _sky_axes(axes: WCSAxes, frame: SkyFrame) -> None:
    ra, dec = axes.coords
    ra.set_axislabel("Right ascension (ICRS)", minpad=0.7)
    dec.set_axislabel("Declination (ICRS)", minpad=0.6)
    ra.set_separator(("ʰ", "ᵐ", "ˢ"))
    dec.set_separator(("°", "′", "″"))  # noqa: RUF001  they are primes
    # Near a pole few of the meridians reach the bottom.
    near_pole = abs(frame.dec) + frame.pixel * frame.side > _POLAR
    for axis, side, labelled in ((ra, "b", "bt" if near_pole else "b"), (dec, "l", "l")):
        axis.set_ticks(number=6)
        axis.set_ticklabel_position(labelled)
        axis.set_axislabel_position(side)
        # Declinations grow and fall again beside a pole, so that none can go without its degrees.
        axis.set_ticklabel(exclude_overlapping=True, simplify=not near_pole)
        axis.grid(color="white", alpha=0.22, linewidth=0.6)


def _mark(axes: WCSAxes, marks: Marks) -> None:
    """Draw the marks, and tell below the map what they are."""
    world = axes.get_transform("icrs")
    points = [(marks.pointing, "pointing", "+", "white"), (marks.target, "target", "o", "#5ad8ff")]
    for position, name, marker, colour in points:
        if position is not None:
            axes.plot(
                *([p] for p in position),
                transform=world,
                marker=marker,
                markersize=12,
                markeredgewidth=1.8,
                markeredgecolor=colour,
                markerfacecolor="none",
                linestyle="none",
                label=name,
            )
    handles = axes.get_legend_handles_labels()[0]
    if marks.outline:
        axes.plot(*_closed(marks.outline), transform=world, **_FIELD)
        handles.append(Line2D([], [], label="field of view", **_FIELD))
    elif marks.diameter is not None and marks.pointing is not None and marks.diameter < 180:
        centre = tuple(p * u.deg for p in marks.pointing)
        circle = SphericalCircle(
            centre, marks.diameter / 2 * u.deg, resolution=200, transform=world, facecolor="none", **_EDGE
        )
        axes.add_patch(circle)
        handles.append(Line2D([], [], label=f"field of view {marks.diameter:.3g}°", **_FIELD))
    if handles:
        axes.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.115),
            ncols=3,
            framealpha=1,
            facecolor="#2a2a2a",
            edgecolor="none",
            labelcolor="white",
            handletextpad=0.5,
            columnspacing=1.4,
        )


def _closed(outline: tuple[Position, ...]) -> tuple[list[float], list[float]]:
    ring = [*outline, outline[0]]
    return [ra for ra, _ in ring], [dec for _, dec in ring]


def _title(figure: Figure, caption: Caption) -> None:
    """Two lines: which observation of which collection, and of what; simulated data say so in colour."""
    first = f"{_printable(caption.collection)}, observation {_printable(caption.obs_id)}"
    figure.text(0.5, 0.985, _fitted(first), ha="center", va="top", fontsize=13, fontweight="bold")
    words = _fitted(_printable(caption.target or "no target"))
    if caption.simulated:
        words += " (simulated data)"
    top = 0.985 - 0.25 / figure.get_figheight()
    colour = _SIMULATED if caption.simulated else "black"
    figure.text(0.5, top, words, ha="center", va="top", fontsize=12, color=colour)


def _note(figure: Figure, counted: int, uncounted: int, why: str) -> None:
    text = _events(counted) + (f", {uncounted:,} {why}" if uncounted else "")
    figure.text(0.012, 0.015, text, ha="left", va="bottom", fontsize=9, color="#444444")


def _events(number: int) -> str:
    return f"{number:,} event{'' if number == 1 else 's'}"


def _say(axes: Axes, text: str) -> None:
    axes.text(
        0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=14, color="#444444"
    )


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _fitted(text: str) -> str:
    return textwrap.shorten(text, _TITLE_LENGTH, placeholder=" …") if len(text) > _TITLE_LENGTH else text


def _plain(value: float, _: object = None) -> str:
    return f"{value:,.6g}".replace("-", "\N{MINUS SIGN}")


def _rounded(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _decade(value: float, _: object = None) -> str:
    """0.01 to 1000 as they are, other powers of ten as powers."""
    if 0.009 < value < 1001:
        return f"{value:g}"
    return "10" + str(round(math.log10(value))).translate(_SUPERSCRIPTS)


def _time_unit(length: float) -> tuple[float, str]:
    """Seconds in the unit in which a time of this length (s) reads best, and its name."""
    return next(
        (seconds, name)
        for seconds, name, most in (
            (1.0, "s", 120),
            (60.0, "min", 36_000),
            (3600.0, "h", 864_000),
            (86400.0, "d", math.inf),
        )
        if length <= most
    )
