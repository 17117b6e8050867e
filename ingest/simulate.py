"""A simulated DL3 release in the format GADF 0.3, for demonstration and tests.

`simulate_release` plans the observations (ingest.simulate_plan), computes their response functions,
draws their events (ingest.simulate_irf) and writes all of it. Each header says that it is simulated.
"""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.time import TimeDelta
from numpy.typing import NDArray

from ingest import simulate_irf, simulate_plan
from ingest.simulate_fits import (
    EVENT_COLUMNS,
    FOV_ALIGNMENT,
    GTI_COLUMNS,
    HDU_INDEX_COLUMNS,
    OBS_INDEX_COLUMNS,
    RESPONSES,
    Card,
    binary_table,
    class_cards,
    response_hdu,
    write_fits,
)
from ingest.simulate_irf import Floats, ResponseFunctions
from ingest.simulate_plan import Observation

MAX_OBSERVATIONS: Final = 500
"""About two years of dark nights, all of them with known Earth orientation."""
_DATA_DIR: Final = "data"


class _IndexRows(NamedTuple):
    obs: dict[str, Any]
    hdus: list[dict[str, Any]]


def simulate_release(directory: Path, observations: int = 12, seed: int = 1) -> Path:
    """Write a simulated release into `directory`, which must be empty or absent, and return it.

    The same `observations` and `seed` give the same FITS files, byte for byte. The release appears
    whole or not at all. Raises ValueError unless there are 1 to MAX_OBSERVATIONS, FileExistsError if there
    is something at `directory` already.
    """
    if not 1 <= observations <= MAX_OBSERVATIONS:
        raise ValueError(f"observations = {observations}: 1 to {MAX_OBSERVATIONS} wanted")
    directory = directory.absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise FileExistsError(f"{directory} exists and is not an empty directory: choose another place")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}-") as scratch:
        release = Path(scratch) / "release"
        _write_release(release, observations, seed)
        release.replace(directory)
    return directory


def _write_release(release: Path, observations: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (release / _DATA_DIR).mkdir(parents=True)
    rows = [_write_observation(release, run, rng) for run in simulate_plan.plan(observations, rng)]
    obs_header = [*_time_cards(), *_site_cards(), *class_cards("INDEX", "OBS")]
    obs_index = binary_table("OBS_INDEX", OBS_INDEX_COLUMNS, _columns([row.obs for row in rows]), obs_header)
    hdu_rows = [hdu for row in rows for hdu in row.hdus]
    hdu_index = binary_table("HDU_INDEX", HDU_INDEX_COLUMNS, _columns(hdu_rows), class_cards("INDEX", "HDU"))
    write_fits(release / "obs-index.fits.gz", [obs_index])
    write_fits(release / "hdu-index.fits.gz", [hdu_index])
    texts = files("resources") / "simulated"
    values = {"observations": observations, "seed": seed, "version": version("vo-server")}
    (release / "README.txt").write_text((texts / "README.txt").read_text("utf-8").format(**values), "utf-8")
    (release / "collection.toml").write_text((texts / "collection.toml").read_text("utf-8"), "utf-8")


def _write_observation(release: Path, run: Observation, rng: np.random.Generator) -> _IndexRows:
    """Simulate and write one observation; return its rows of the index tables."""
    irf = simulate_irf.response_functions(90.0 - run.alt, len(run.telescopes))
    events = _events(run, irf, rng)
    header = _observation_cards(run)
    gti = {"START": run.gti[:, 0], "STOP": run.gti[:, 1]}
    hdus = [
        binary_table(
            "EVENTS", EVENT_COLUMNS, events, [*class_cards("EVENTS", "ACCEPTED"), *header, FOV_ALIGNMENT]
        ),
        binary_table("GTI", GTI_COLUMNS, gti, [*class_cards("GTI"), *_time_cards(run)]),
        *(response_hdu(response, irf, run.obs_id) for response in RESPONSES),
    ]
    path = release / _DATA_DIR / f"simulated_{run.obs_id:06d}.fits.gz"
    content = write_fits(path, hdus)
    kinds = [("events", "events"), ("gti", "gti"), *((r.field, r.hdu_class) for r in RESPONSES)]
    file = {
        "OBS_ID": run.obs_id, "FILE_DIR": _DATA_DIR, "FILE_NAME": path.name, "SIZE": len(content),
        "MD5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }  # fmt: skip
    return _IndexRows(
        _obs_index_row(header, len(events["TIME"])),
        [
            {**file, "HDU_TYPE": kind, "HDU_CLASS": hdu_class, "HDU_NAME": hdu.name}
            for (kind, hdu_class), hdu in zip(kinds, hdus, strict=True)
        ],
    )


def _events(run: Observation, irf: ResponseFunctions, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """The columns of EVENT_COLUMNS: background and source events in the order of their time."""
    field = run.pointing.skyoffset_frame()
    background = simulate_irf.draw_background(irf, run.ontime, rng)
    # Longitude of the offset frame grows with RA, DETX against it (GADF 0.3, coords-fov).
    sky = [SkyCoord(-background.detx, background.dety, unit="deg", frame=field).icrs]
    energies = [background.energy]
    if run.source.spectrum is not None:
        gammas = simulate_irf.draw_gammas(irf, run.source.spectrum, run.offset, run.livetime, rng)
        angle = rng.uniform(0.0, 360.0, gammas.rad.size)
        sky.append(run.source.position.directional_offset_by(angle * u.deg, gammas.rad * u.deg).icrs)
        energies.append(gammas.energy)
    energy = np.concatenate(energies)
    shuffled = rng.permutation(energy.size)
    energy = energy[shuffled]
    position = SkyCoord(
        np.concatenate([s.ra.deg for s in sky])[shuffled],
        np.concatenate([s.dec.deg for s in sky])[shuffled],
        unit="deg",
    )
    seen = position.transform_to(field)
    return {
        "EVENT_ID": (np.int64(run.obs_id) << 32) + np.arange(1, energy.size + 1),
        "TIME": np.sort(_good_times(run.gti, energy.size, rng)),
        "RA": position.ra.deg,
        "DEC": position.dec.deg,
        "ENERGY": energy,
        "DETX": -seen.lon.wrap_at(180.0 * u.deg).deg,
        "DETY": seen.lat.deg,
        "MULTIP": _multiplicity(energy, len(run.telescopes), rng),
    }


def _good_times(gti: Floats, number: int, rng: np.random.Generator) -> Floats:
    """`number` times, uniform over the good time intervals, in their unit."""
    lengths = gti[:, 1] - gti[:, 0]
    before = np.concatenate([[0.0], np.cumsum(lengths)])
    drawn = rng.random(number) * before[-1]
    interval = np.searchsorted(before, drawn, side="right") - 1
    times: Floats = gti[interval, 0] + drawn - before[interval]
    return times


def _multiplicity(energy: Floats, telescopes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Telescopes in an event, at least two; the more, the higher the energy (TeV)."""
    chance = 1.0 / (1.0 + (0.6 / energy))
    number: NDArray[np.int64] = 2 + rng.binomial(telescopes - 2, chance)
    return number


def _site_cards() -> list[Card]:
    return [
        ("GEOLON", simulate_plan.GEOLON, "[deg] simulated site"),
        ("GEOLAT", simulate_plan.GEOLAT, "[deg] simulated site"),
        ("ALTITUDE", simulate_plan.ALTITUDE, "[m] simulated site"),
    ]


def _time_cards(run: Observation | None = None) -> list[Card]:
    """The reference of times (GADF 0.3, time-formats) and when `run` was, in TIMESYS."""
    cards: list[Card] = [
        ("MJDREFI", simulate_plan.MJDREFI, "[d] 2020-01-01T00:00:00 UTC, integer part"),
        ("MJDREFF", simulate_plan.MJDREFF, "[d] fraction"),
        ("TIMEUNIT", "s", ""),
        ("TIMESYS", "TT", ""),
        ("TIMEREF", "TOPOCENTER", ""),
    ]
    if run is None:
        return cards
    reference = simulate_plan.reference_time()
    start, stop = (reference + TimeDelta(t, format="sec") for t in (run.tstart, run.tstop))
    return [
        *cards,
        ("TSTART", run.tstart, "[s] since MJDREF"),
        ("TSTOP", run.tstop, "[s] since MJDREF"),
        ("DATE-OBS", start.isot, "start, in TIMESYS"),
        ("DATE-END", stop.isot, "end, in TIMESYS"),
        ("TELAPSE", run.tstop - run.tstart, "[s] TSTOP - TSTART"),
        ("ONTIME", run.ontime, "[s] sum of the good time intervals"),
        ("LIVETIME", run.livetime, "[s] ONTIME without dead time"),
        ("DEADC", run.deadc, "LIVETIME / ONTIME"),
    ]


def _observation_cards(run: Observation) -> list[Card]:
    """The header of EVENTS beside its classes (GADF 0.3, iact-events)."""
    pointing, galactic = run.pointing, run.pointing.galactic
    return [
        ("OBS_ID", run.obs_id, "observation identifier"),
        ("OBS_MODE", "POINTING", ""),
        *_time_cards(run),
        ("OBJECT", run.source.name, ""),
        ("RA_OBJ", run.source.ra, "[deg]"),
        ("DEC_OBJ", run.source.dec, "[deg]"),
        ("RA_PNT", float(pointing.ra.deg), "[deg]"),
        ("DEC_PNT", float(pointing.dec.deg), "[deg]"),
        ("GLON_PNT", float(galactic.l.deg), "[deg]"),
        ("GLAT_PNT", float(galactic.b.deg), "[deg]"),
        ("ALT_PNT", run.alt, "[deg] at mid-time"),
        ("AZ_PNT", run.az, "[deg] at mid-time, east of north"),
        ("RADECSYS", "ICRS", ""),
        ("EQUINOX", 2000.0, "[yr]"),
        ("CONV_DEP", 0.0, "parallel pointing"),
        ("EV_CLASS", "simulated", ""),
        ("N_TELS", len(run.telescopes), ""),
        ("TELLIST", ",".join(map(str, run.telescopes)), ""),
        ("TASSIGN", "Simulated site", ""),
        *_site_cards(),
    ]


def _obs_index_row(header: Sequence[Card], event_count: int) -> dict[str, Any]:
    """What the header says, with dates and times in columns of their own."""
    values = {name: value for name, value, _ in header}
    for end in ("OBS", "END"):
        values[f"DATE-{end}"], values[f"TIME-{end}"] = str(values[f"DATE-{end}"]).split("T")
    values["ZEN_PNT"] = 90.0 - float(values["ALT_PNT"])
    values["QUALITY"] = int(float(values["ONTIME"]) < simulate_plan.RUN_SECONDS)
    values["EVENT_COUNT"] = event_count
    return {column.name: values[column.name] for column in OBS_INDEX_COLUMNS}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
