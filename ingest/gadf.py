"""Reading one dataset of a GADF DL3 release: FITS in, facts out, no database."""

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest import eventlist
from ingest.facts import (
    Events,
    Facts,
    FileFacts,
    HduLocation,
    Problem,
    ProductError,
    ReadOptions,
    Source,
    TimeMoc,
    TimeReference,
    Value,
)
from ingest.fitsfile import FitsFile, Hdu, Span, has_hdu, open_cached, spans
from ingest.fitsheader import number
from ingest.frames import Frame, frame
from ingest.goodtimes import GoodTimes, good_times
from ingest.hdus import locate
from ingest.keywords import Keywords, modes
from ingest.responses import read_responses
from ingest.times import check_span, first_date, time_reference, utc_mjd

_MOVING = ("fixed-az-el-transit", "none")
"""Tracking modes without one direction."""


def read(source: Source, options: ReadOptions | None = None) -> Facts:
    """Read all facts of one dataset.

    Raises ProductError, whose text is one line, for a file that is damaged or not FITS, without
    EVENTS, without a time reference or a known time system, with impossible times or coordinates.
    What is merely missing or cannot be read in a response function is in `Facts.problems`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _read(source, options or ReadOptions())


def read_events(source: Source) -> Events:
    """Read the events of one dataset. Raises ProductError as `read` does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdu = _events_hdu(source, open_cached(source.path))
        return eventlist.event_arrays(hdu, time_reference(hdu.path, hdu.name, hdu.header))


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file as it is on disk, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hdu_size(source: Source, location: HduLocation) -> int | None:
    """Return the bytes of an HDU with its padding, and of the table of energies (BANDSHDU) that it names.

    None if it is not there. Raises ProductError for a file that cannot be read.
    """
    here = location.path == source.path
    found = open_cached(location.path).spans if here else spans(location.path)
    hdu = _span(found, location.hdu)
    bands = None if hdu is None or hdu.bands is None else _span(found, hdu.bands)
    return None if hdu is None else hdu.size + (bands.size if bands else 0)


def _span(found: tuple[Span, ...], hdu: str | int) -> Span | None:
    if isinstance(hdu, int):
        return found[hdu] if 0 <= hdu < len(found) else None
    return next((span for span in found if span.name == hdu.upper()), None)


def _events_hdu(source: Source, file: FitsFile) -> Hdu:
    wanted = source.products["events"].hdu
    hdu = file.find(wanted)
    if hdu is None or not hdu.is_table:
        names = ", ".join(h.name for h in file.hdus[1:]) or "no extension"
        raise ProductError(file.path, str(wanted), f"no such table of events; the file has {names}")
    return hdu


def _products(source: Source, file: FitsFile, problems: list[Problem]) -> dict[str, HduLocation]:
    """Complete what the index says: GADF has the GTI beside the events; a bare file has all in it.

    What the index names but is not in a FITS file is left out: an index must not publish other files.
    """
    inside = locate(file)
    if not source.indexed:
        return {**inside, **source.products}
    listed = {**{kind: at for kind, at in inside.items() if kind == "gti"}, **source.products}
    faults = {kind: _fault(at, file) for kind, at in listed.items() if kind != "events"}
    for kind, fault in faults.items():
        if fault is not None:
            at, message = listed[kind], f"listed as {kind}, but {fault}: published without it"
            problems.append(Problem(at.path, str(at.hdu), message, fatal=False))
    return {kind: at for kind, at in listed.items() if faults.get(kind) is None}


def _fault(location: HduLocation, file: FitsFile) -> str | None:
    try:
        if location.path == file.path:
            found = file.find(location.hdu) is not None
        else:
            found = has_hdu(location.path, location.hdu)
    except ProductError as error:
        return error.message
    return None if found else "the file has no such HDU"


def _read(source: Source, options: ReadOptions) -> Facts:
    file = open_cached(source.path)
    events = _events_hdu(source, file)
    words = Keywords(file.path, events.name, events.header, source.obs_index)
    reference = time_reference(file.path, events.name, events.header)
    problems = eventlist.problems(events)
    products = _products(source, file, problems)
    good = _good_times(products, file, reference, problems)
    values = eventlist.measured(events, reference)
    sky = _sky(words, frame(file.path, events.name, events.header), problems)
    times = _times(words, reference, good, values.time, problems)
    direction = (
        None if sky["tracking_mode"] in _MOVING or sky["ra_pnt"] is None else (sky["ra_pnt"], sky["dec_pnt"])
    )
    found = read_responses(products, file, options)
    region = found.region if sky["ra_pnt"] is None else None
    event_energies = eventlist.energy_bounds(values.energy)
    return Facts(
        source=source,
        products=products,
        files=_files(products),
        problems=(*problems, *found.problems),
        **_identity(source, words),
        **sky,
        fov=region.diameter if region else found.fov,
        region=region,
        time=reference,
        **times,
        t_moc=_t_moc(good, times, reference, direction, options),
        n_events=events.rows,
        columns=eventlist.describe(events),
        o_ucd=eventlist.observables(events),
        event_energy_min=event_energies[0],
        event_energy_max=event_energies[1],
        energy_min=found.energy_min,
        energy_max=found.energy_max,
        psf=found.psf,
        edisp=found.edisp,
        rad_max=found.rad_max,
        obs_index=_obs_index(words, events, times, values.time),
    )


def _identity(source: Source, words: Keywords) -> dict[str, Any]:
    obs_id = source.obs_id or words.text("OBS_ID")
    if obs_id is None:
        raise ProductError(words.path, f"{words.where} OBS_ID", "missing; give the observation an identifier")
    kind = source.obs_index.get("event_type")
    return {
        "obs_id": obs_id,
        "local_id": source.local_id or obs_id,
        "target": words.text("OBJECT"),
        "telescope": words.text("TELESCOP"),
        "instrument": words.text("INSTRUME"),
        "origin": words.text("ORIGIN"),
        "creator": words.text("CREATOR"),
        "created": first_date(words.header, ("CREATED", "DATE")),
        "observer": words.text("OBSERVER"),
        "n_tels": words.whole("N_TELS"),
        "tellist": words.text("TELLIST"),
        "geolon": words.quantity("GEOLON", "deg"),
        "geolat": words.quantity("GEOLAT", "deg"),
        "altitude": words.quantity("ALTITUDE", "m"),
        "analysis_mode": source.event_class or words.text("EV_CLASS", "ANA_VER"),
        "event_type": source.event_type or (str(kind) if kind is not None else None),
    }


def _sky(words: Keywords, to_icrs: Frame, problems: list[Problem]) -> dict[str, Any]:
    pointing = words.position("RA_PNT", "DEC_PNT", to_icrs)
    target = words.possible_position("RA_OBJ", "DEC_OBJ", to_icrs)
    obs_mode = words.text("OBS_MODE")
    tracking, scan = modes(obs_mode)
    if pointing is None and tracking not in _MOVING:
        message = "no pointing: published without a position"
        problems.append(Problem(words.path, f"{words.where} RA_PNT", message, fatal=False))
    return {
        "ra_pnt": pointing and pointing[0],
        "dec_pnt": pointing and pointing[1],
        "ra_obj": target and target[0],
        "dec_obj": target and target[1],
        "alt_pnt": words.number("ALT_PNT"),
        "az_pnt": words.number("AZ_PNT"),
        "obs_mode": obs_mode,
        "tracking_mode": tracking,
        "scan_mode": scan,
        "pointing_mode": words.pointing_mode(tracking),
    }


def _good_times(
    products: dict[str, HduLocation], file: FitsFile, reference: TimeReference, problems: list[Problem]
) -> GoodTimes | None:
    """Read the GTI table; one that is listed but not there is a problem, an impossible one an error."""
    location = products.get("gti")
    if location is None:
        return None
    holder = file if location.path == file.path else open_cached(location.path)
    hdu = holder.find(location.hdu)
    if hdu is None or not hdu.is_table:
        message = "not a table of good time intervals: published without it"
        problems.append(Problem(location.path, str(location.hdu), message, fatal=False))
        del products["gti"]
        return None
    return good_times(hdu, reference)


def _times(
    words: Keywords,
    reference: TimeReference,
    good: GoodTimes | None,
    event_times: NDArray[np.float64],
    problems: list[Problem],
) -> dict[str, Any]:
    tstart, tstop = _bounds(words, reference, good, event_times)
    t_start, t_stop = utc_mjd(reference, np.array([tstart, tstop])).tolist()
    problems += filter(None, [words.date_problem(t_start)])
    ontime, livetime = words.number("ONTIME"), words.number("LIVETIME")
    summed = good.length if good else None
    return {
        "tstart": tstart,
        "tstop": tstop,
        "t_start": t_start,
        "t_stop": t_stop,
        "gtis": good.utc if good else None,
        "ontime": ontime,
        "livetime": livetime,
        "deadc": words.number("DEADC"),
        "exposure": next((t for t in (livetime, ontime, summed) if t is not None), None),
    }


def _bounds(
    words: Keywords, reference: TimeReference, good: GoodTimes | None, event_times: NDArray[np.float64]
) -> tuple[float, float]:
    """Return TSTART and TSTOP of the header, else the bounds of the intervals, else of the events.

    The obs-index is not asked: its times are often in single precision.
    """
    fallbacks = [event_times, event_times]
    if good is not None and good.reference == reference and good.start.size:
        fallbacks = [good.start, good.stop]
    bounds = []
    for name, values, bound in zip(("TSTART", "TSTOP"), fallbacks, (np.min, np.max), strict=True):
        stated = number(words.header, name)
        if stated is None and not values.size:
            message = "missing or not a number, and there is neither an interval nor an event to tell it"
            raise ProductError(words.path, f"{words.where} {name}", message)
        bounds.append(float(bound(values)) if stated is None else stated)
    tstart, tstop = bounds
    for name, edge in (("TSTART", tstart), ("TSTOP", tstop)):
        check_span(words.path, f"{words.where} {name}", reference, np.array([edge]))
    if tstop < tstart:
        raise ProductError(words.path, f"{words.where} TSTOP", f"{tstop} is before TSTART {tstart}")
    return tstart, tstop


def _t_moc(
    good: GoodTimes | None,
    times: Mapping[str, Any],
    reference: TimeReference,
    direction: tuple[float, float] | None,
    options: ReadOptions,
) -> TimeMoc:
    counted = good or GoodTimes(reference, np.array([times["tstart"]]), np.array([times["tstop"]]))
    return counted.moc(direction, options.tmoc_order, options.tmoc_cells)


def _obs_index(
    words: Keywords, events: Hdu, times: Mapping[str, Any], event_times: NDArray[np.float64]
) -> dict[str, Value]:
    row = words.obs_index()
    observed = (
        {"event_time_min": event_times.min(), "event_time_max": event_times.max()} if events.rows else {}
    )
    for name, value in {"event_count": events.rows, **observed}.items():
        if row.get(name) is None:
            row[name] = value if isinstance(value, int) else float(value)
    return {**row, "tstart": times["tstart"], "tstop": times["tstop"]}


def _files(products: Mapping[str, HduLocation]) -> tuple[FileFacts, ...]:
    paths = dict.fromkeys(location.path for location in products.values())
    stats = ((path, path.stat()) for path in paths)
    return tuple(FileFacts(path, stat.st_size, stat.st_mtime) for path, stat in stats)
