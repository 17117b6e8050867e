"""Counts what previews show, from blocks of events. No files, no drawing."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_PIXEL_SIZES: Final = np.array([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0])
"""Sides of a pixel in deg from which one is chosen."""

_FEWEST_PIXELS, _MOST_PIXELS = 2_000, 60_000
"""Pixels within the field of view; between the two there is one for each event."""

_SMOOTH_BELOW: Final = 20.0
"""Mean counts per pixel below which a map is smoothed for the eye."""

_SMOOTHING: Final = 1.5
"""Sigma of the smoothing in pixels."""

_WIDEST: Final = 180.0
"""deg, the widest map: beyond a hemisphere a zenithal projection shows little."""

_MARGIN: Final = 1.06
"""Width of a map over the diameter of the field of view."""

_REACHES: Final = np.linspace(0.0, 180.0, 18_001)
"""deg, the distances that events are sorted by."""

_BINS_PER_DECADE: Final = 20
_LOWEST_DECADE, _HIGHEST_DECADE = -9, 9
"""Energies counted, as powers of ten in TeV."""

_TIME_STEPS: Final = np.array(
    [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400]
)
"""Widths in s of the bins of an event rate, from which one is chosen."""

_EVENTS_PER_BIN: Final = 30
_MOST_TIME_BINS: Final = 120


@dataclass(frozen=True)
class SkyFrame:
    """A square of sky: centre (ICRS, deg), side of a pixel (deg), pixels along a side (odd)."""

    ra: float
    dec: float
    pixel: float
    side: int

    @property
    def wcs(self) -> WCS:
        """Zenithal equal area (Calabretta & Greisen 2002, section 5.1.7): all pixels see as much sky.

        The centre is that of the middle pixel, north is up, right ascension grows to the left.
        """
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---ZEA", "DEC--ZEA"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [(self.side + 1) / 2] * 2
        wcs.wcs.cdelt = [-self.pixel, self.pixel]
        wcs.wcs.radesys = "ICRS"
        return wcs

    def holds(self, ra: float, dec: float) -> bool:
        """Whether a position (deg) lies within."""
        x, y = self.wcs.wcs_world2pix([ra], [dec], 0)
        return bool(-0.5 <= x[0] < self.side - 0.5 and -0.5 <= y[0] < self.side - 0.5)


@dataclass(frozen=True)
class CountsMap:
    """Counts per pixel, shape (side, side), rows from south to north; and the events beyond its edges."""

    frame: SkyFrame
    counts: Counts
    outside: int

    @property
    def smoothing(self) -> float:
        """Sigma in pixels with which to smooth it for the eye; 0 where there are events enough."""
        inner = math.pi / 4 * self.counts.size
        return _SMOOTHING if 0 < self.counts.sum() < _SMOOTH_BELOW * inner else 0.0

    @property
    def shown(self) -> Floats:
        """The counts smoothed by a Gaussian of that sigma; its sum is that of the counts but at edges."""
        if not self.smoothing:
            return self.counts.astype(np.float64)
        reach = math.ceil(4 * self.smoothing)
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.smoothing) ** 2)
        kernel /= kernel.sum()
        distance = np.subtract.outer(np.arange(self.frame.side), np.arange(self.frame.side)) + reach
        weights = np.where(
            (distance >= 0) & (distance <= 2 * reach), kernel[distance.clip(0, 2 * reach)], 0.0
        )
        smoothed: Floats = weights @ self.counts.astype(np.float64) @ weights.T
        return smoothed


@dataclass(frozen=True)
class Spectrum:
    """Counts in bins of reconstructed energy: edges in TeV (n + 1), counts (n); n may be 0.

    `uncounted` events have no energy, or none above 0.
    """

    edges: Floats
    counts: Counts
    uncounted: int


@dataclass(frozen=True)
class EventRate:
    """Counts in bins of good time.

    `start`, `stop` (s since the start of the observation) bound each bin, `exposure` (s) is the good time
    in it. `gaps`, shape (n, 2), lie between good times; `span` is the whole observation, both in s.
    """

    start: Floats
    stop: Floats
    exposure: Floats
    counts: Counts
    gaps: Floats
    span: tuple[float, float]
    uncounted: int

    @property
    def rate(self) -> Floats:
        """Hz of good time; the dead time of the camera is not corrected for."""
        return self.counts / self.exposure


def sky_frame(ra: float, dec: float, diameter: float, events: int) -> SkyFrame:
    """A frame around a field of view (deg), with pixels that suit the number of events."""
    diameter = min(max(diameter, 20 * _PIXEL_SIZES[0]), _WIDEST)
    wanted = min(max(events, _FEWEST_PIXELS), _MOST_PIXELS)
    best = math.sqrt(math.pi / 4 * diameter**2 / wanted)
    pixel = float(_PIXEL_SIZES[np.argmin(np.abs(np.log(_PIXEL_SIZES / best)))])
    return SkyFrame(ra, dec, pixel, 2 * math.ceil((_MARGIN * diameter / pixel - 1) / 2) + 1)


def middle(blocks: Iterable[tuple[Floats, ...]]) -> tuple[float, float]:
    """The direction (ra, dec in deg) amid the events of (ra, dec) in deg; (0, 0) without events."""
    total = np.zeros(3)
    for ra, dec in blocks:
        total += np.nansum(_vectors(ra, dec), axis=1)
    x, y, z = total
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))


def radius(blocks: Iterable[tuple[Floats, ...]], ra: float, dec: float) -> float:
    """How far from a direction, in deg, the farthest of the events lies; 0 without events."""
    centre = _vectors(np.array([ra]), np.array([dec]))[:, 0]
    farthest = 0.0
    for block in blocks:
        vectors = _vectors(*block)
        chord = np.sqrt(np.sum((vectors - centre[:, None]) ** 2, axis=0))
        farthest = max(farthest, float(np.nanmax(chord, initial=0.0)))
    return math.degrees(2 * math.asin(min(1.0, farthest / 2)))


def reach(blocks: Iterable[tuple[Floats, ...]], ra: float, dec: float, share: float) -> float:
    """How far from a direction this share of the events lies, in deg, to a hundredth; 0 without events."""
    centre = _vectors(np.array([ra]), np.array([dec]))[:, 0]
    counts = np.zeros(len(_REACHES) - 1, np.int64)
    for block in blocks:
        chord = np.sqrt(np.sum((_vectors(*block) - centre[:, None]) ** 2, axis=0))
        distances = np.degrees(2 * np.arcsin(np.minimum(1.0, chord[np.isfinite(chord)] / 2)))
        counts += np.histogram(distances, _REACHES)[0]
    within = np.cumsum(counts)
    return float(_REACHES[np.searchsorted(within, share * within[-1]) + 1]) if within[-1] else 0.0


def _vectors(ra: Floats, dec: Floats) -> Floats:
    longitude, latitude = np.radians(ra), np.radians(dec)
    return np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )


def counts_map(blocks: Iterable[tuple[Floats, ...]], frame: SkyFrame) -> CountsMap:
    """Count events of (ra, dec) in deg."""
    wcs, side = frame.wcs, frame.side
    counts = np.zeros(side * side, np.int64)
    total = 0
    for ra, dec in blocks:
        total += len(ra)
        good = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
        x, y = (np.rint(p) for p in wcs.wcs_world2pix(ra[good], dec[good], 0))
        inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
        pixels = y[inside].astype(np.int64) * side + x[inside].astype(np.int64)
        counts += np.bincount(pixels, minlength=side * side)
    return CountsMap(frame, counts.reshape(side, side), total - int(counts.sum()))


def spectrum(blocks: Iterable[tuple[Floats, ...]]) -> Spectrum:
    """Count events of (energy,) in TeV, in 5, 10 or 20 bins a decade by their number."""
    size = (_HIGHEST_DECADE - _LOWEST_DECADE) * _BINS_PER_DECADE
    counts = np.zeros(size, np.int64)
    total = 0
    for (energy,) in blocks:
        total += len(energy)
        good = energy[np.isfinite(energy) & (energy > 0)]
        bins = np.floor((np.log10(good) - _LOWEST_DECADE) * _BINS_PER_DECADE)
        counts += np.bincount(bins[(bins >= 0) & (bins < size)].astype(np.int64), minlength=size)
    counted = int(counts.sum())
    merged = next(n for n, most in ((4, 300), (2, 1_000_000), (1, math.inf)) if counted <= most)
    counts = counts.reshape(-1, merged).sum(axis=1)
    used = np.flatnonzero(counts)
    first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)
    edges = 10 ** (_LOWEST_DECADE + np.arange(first, last + 1) * merged / _BINS_PER_DECADE)
    return Spectrum(edges if used.size else np.empty(0), counts[first:last], total - counted)


def event_rate(
    blocks: Iterable[tuple[Floats, ...]], good_times: Floats, span: tuple[float, float], events: int
) -> EventRate:
    """Count events of (time,) in the good times, shape (n, 2).

    Times are in s on one clock, and `span`, the observation's start and stop on it, becomes 0 and its
    length. `events` is about how many there are, and so chooses the width of the bins.
    """
    intervals = merged_intervals(good_times) - span[0]
    starts, stops = _pieces(intervals, events)
    counts = np.zeros(len(starts), np.int64)
    total = 0
    for (time,) in blocks:
        total += len(time)
        elapsed = time - span[0]
        # A piece holds its start and not its stop; the last event of an interval is often at its stop.
        piece = np.searchsorted(starts, elapsed, side="right") - 1
        inside = (piece >= 0) & (elapsed <= stops[piece]) if len(starts) else np.zeros(len(time), bool)
        counts += np.bincount(piece[inside], minlength=len(starts))
    bounds = (0.0, max(span[1] - span[0], float(stops.max(initial=0.0))))
    edges = np.concatenate([[bounds[0]], intervals.ravel(), [bounds[1]]]).reshape(-1, 2)
    group = math.ceil(len(starts) / _MOST_TIME_BINS) or 1
    first = np.arange(0, len(starts), group)
    last = np.minimum(first + group, len(starts)) - 1
    return EventRate(
        start=starts[first],
        stop=stops[last],
        exposure=np.add.reduceat(stops - starts, first) if len(first) else np.empty(0),
        counts=np.add.reduceat(counts, first) if len(first) else counts,
        gaps=edges[edges[:, 1] > edges[:, 0]],
        span=bounds,
        uncounted=total - int(counts.sum()),
    )


def merged_intervals(intervals: Floats) -> Floats:
    """Intervals in order, overlapping ones joined; those without a finite length are left out."""
    good = intervals[np.isfinite(intervals).all(axis=1) & (intervals[:, 1] > intervals[:, 0])]
    good = good[np.argsort(good[:, 0], kind="stable")]
    if not len(good):
        return good
    reach = np.maximum.accumulate(good[:, 1])
    opens = np.append(True, good[1:, 0] > reach[:-1])
    closes = np.append(opens[1:], True)
    return np.stack([good[opens, 0], reach[closes]], axis=1)


def _pieces(intervals: Floats, events: int) -> tuple[Floats, Floats]:
    """Each interval in equal pieces of about the width that suits the mean rate."""
    lengths = intervals[:, 1] - intervals[:, 0]
    live = float(lengths.sum())
    if not len(intervals):
        return np.empty(0), np.empty(0)
    wanted = live / min(max(events / _EVENTS_PER_BIN, 5), 60)
    step = float(_TIME_STEPS[np.argmin(np.abs(np.log(_TIME_STEPS / wanted)))])
    step = max(step, live / _MOST_TIME_BINS)
    edges = [np.linspace(start, stop, max(1, round((stop - start) / step)) + 1) for start, stop in intervals]
    return np.concatenate([e[:-1] for e in edges]), np.concatenate([e[1:] for e in edges])


def poisson_interval(counts: Counts) -> tuple[Floats, Floats]:
    """The 1 sigma interval of the mean, given counts (Gehrels 1986, ApJ 303, 336, equations 9 and 14)."""
    n = counts.astype(np.float64)
    above = n + 1
    upper = above * (1 - 1 / (9 * above) + 1 / (3 * np.sqrt(above))) ** 3
    at_least_one = np.maximum(n, 1)
    lower = n * (1 - 1 / (9 * at_least_one) - 1 / (3 * np.sqrt(at_least_one))) ** 3
    return lower, upper
