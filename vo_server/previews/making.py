"""Makes one preview: reads the event list, counts, draws."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from vo_server.previews import counting, drawing
from vo_server.previews.eventlist import Events, good_times, opened
from vo_server.previews.model import EventList, Preview
from vo_server.products.fitsfile import FitsError

_SKY: Final = (("RA", "deg"), ("DEC", "deg"))
_TIME: Final = (("TIME", "s"),)
_ENERGY: Final = (("ENERGY", "TeV"),)

_NUMBER: Final = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"

_MOST: Final = 0.95
"""The share of the events that a map shows where the field of view does not hold half of them."""

_SAME_PLACE: Final = 1 / 60
"""deg within which the target is where the telescopes point."""


def make(preview: Preview) -> bytes:
    """The picture. Raises FitsError, MissingFileError and ChangedFileError."""
    found = preview.event_list
    figure = FIGURES[preview.kind](found, opened(found.events))
    title = f"{found.collection}, observation {found.obs_id}: {preview.kind}"
    return drawing.picture(figure, preview.form, title)


def _caption(found: EventList) -> drawing.Caption:
    return drawing.Caption(found.collection, found.obs_id, found.target, found.simulated, found.start_utc)


def _map(
    draw: Callable[[counting.CountsMap, drawing.Marks, drawing.Caption], Figure],
) -> Callable[[EventList, Events], Figure]:
    def figure(found: EventList, events: Events) -> Figure:
        ra, dec, diameter, marks = _field(found, events)
        counted = _counted(events, ra, dec, diameter)
        if marks.target is not None and not counted.frame.holds(*marks.target):
            marks = replace(marks, target=None)
        return draw(counted, marks, _caption(found))

    return figure


def _counted(events: Events, ra: float, dec: float, diameter: float) -> counting.CountsMap:
    """The counts within a field of view (deg), or about most events where few of them lie in it.

    Point-like response functions (MAGIC) reach as far as the target, and the events far beyond.
    """
    # FK5 J2000 counts as ICRS: they are 25 mas apart, and ingest takes no other frames.
    frame = counting.sky_frame(ra, dec, diameter, events.rows)
    counted = counting.counts_map(events.blocks(_SKY), frame)
    if 2 * counted.outside <= events.rows:
        return counted
    wider = 2 * counting.reach(events.blocks(_SKY), ra, dec, _MOST)
    frame = counting.sky_frame(ra, dec, max(wider, diameter), events.rows)
    return counting.counts_map(events.blocks(_SKY), frame)


def _field(found: EventList, events: Events) -> tuple[float, float, float, drawing.Marks]:
    """Centre and diameter (deg) of what is to be seen, and the marks on it."""
    vertices = _vertices(found.region)
    known = found.ra is not None and found.dec is not None
    ra, dec = (found.ra, found.dec) if found.ra is not None and found.dec is not None else _middle(events)
    diameter = found.fov
    if vertices:
        corners = np.array(vertices).T
        diameter = 2 * counting.radius([(corners[0], corners[1])], ra, dec)
    elif diameter is None:
        diameter = 2 * counting.radius(events.blocks(_SKY), ra, dec) or 1.0
    pointing = (ra, dec) if known and not vertices else None
    marks = drawing.Marks(pointing, _target(events, pointing), found.fov, vertices)
    return ra, dec, diameter, marks


def _middle(events: Events) -> tuple[float, float]:
    return counting.middle(events.blocks(_SKY))


def _target(events: Events, pointing: drawing.Position | None) -> drawing.Position | None:
    """Where the header says that the target is, unless that is where the telescopes point."""
    ra, dec = events.keyword("RA_OBJ"), events.keyword("DEC_OBJ")
    if ra is None or dec is None or abs(dec) > 90:
        return None
    if pointing is not None:
        distance = counting.radius([(np.array([ra]), np.array([dec]))], *pointing)
        if distance < _SAME_PLACE:
            return None
    return ra, dec


def _vertices(region: str | None) -> tuple[drawing.Position, ...]:
    """The vertices of a polygon in STC-S; none for other shapes."""
    if region is None or not region.lower().startswith("polygon"):
        return ()
    numbers = [float(n) for n in re.findall(_NUMBER, region)]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _spectrum(found: EventList, events: Events) -> Figure:
    blocks = events.blocks(_ENERGY) if events.has("ENERGY") else ((np.full(events.rows, np.nan),),)
    return drawing.draw_spectrum(counting.spectrum(blocks), _caption(found))


def _event_rate(found: EventList, events: Events) -> Figure:
    intervals = good_times(found.gti, events) if found.gti is not None else None
    span = _span(events, intervals)
    good = np.array([span]) if intervals is None else intervals
    counted = counting.event_rate(events.blocks(_TIME), good, span, events.rows)
    return drawing.draw_event_rate(counted, _caption(found))


def _span(events: Events, intervals: counting.Floats | None) -> tuple[float, float]:
    """Start and stop as ingest takes them: of the header, else of the good times, else of the events."""
    stated = events.keyword("TSTART", "s"), events.keyword("TSTOP", "s")
    if stated[0] is not None and stated[1] is not None:
        return stated[0], stated[1]
    if intervals is not None and len(intervals):
        ends = float(np.nanmin(intervals)), float(np.nanmax(intervals))
    else:
        times = [(t.min(), t.max()) for (t,) in events.blocks(_TIME) if len(t)]
        if not times:
            raise FitsError("it does not say when it was observed")
        ends = float(min(t[0] for t in times)), float(max(t[1] for t in times))
    return (ends[0] if stated[0] is None else stated[0]), (ends[1] if stated[1] is None else stated[1])


FIGURES: Final[Mapping[str, Callable[[EventList, Events], Figure]]] = {
    "counts-map": _map(drawing.draw_counts_map),
    "spectrum": _spectrum,
    "event-rate": _event_rate,
    "thumbnail": _map(drawing.draw_thumbnail),
}
"""How each kind of the register is made."""
