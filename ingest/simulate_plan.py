"""What the simulated array observes and when: sources, wobble pointings, dark time, good time intervals.

The site is a round position without an observatory. Sun, Moon and altitudes come from astropy's
built-in ephemeris and Earth orientation tables, so nothing is fetched from the network.
"""

from dataclasses import dataclass
from typing import Final

import astropy.units as u
import numpy as np
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time, TimeDelta
from astropy.utils import iers
from numpy.typing import NDArray

from ingest.simulate_irf import ARRAY_TELESCOPES, PowerLaw

GEOLON: Final = -3.0
GEOLAT: Final = 40.0
ALTITUDE: Final = 2000.0

MJDREFI: Final = 58849
MJDREFF: Final = 69.184 / 86400.0
"""2020-01-01T00:00:00 UTC as MJD in TT, the reference of all times in the release."""

RUN_SECONDS: Final = 1680
MIN_ALTITUDE: Final = 40.0
FIRST_OBS_ID: Final = 100001

_FIRST_NIGHT = "2020-11-10T00:00:00"
_NIGHTS_AT_ONCE = 30
_RUNS_PER_NIGHT = 4
_SLOT_EDGES = np.arange(18.0, 30.5, 0.5)
"""Half-hour slots of a night, in hours of UTC after 0h of its evening's date; a run ends within its slot."""
_GAPS = (0, 1, 0, 2)
"""Clouds in an observation, by its number; so good time intervals are one more."""


@dataclass(frozen=True)
class Source:
    """A simulated point source, or an empty field (no spectrum); ICRS in deg."""

    name: str
    ra: float
    dec: float
    spectrum: PowerLaw | None

    @property
    def position(self) -> SkyCoord:
        """ICRS."""
        return SkyCoord(self.ra, self.dec, unit="deg")


CRAB_LIKE: Final = Source("Simulated Crab-like source", 83.633, 22.014, PowerLaw(3.45e-11, 2.6))
EXTRAGALACTIC: Final = Source("Simulated extragalactic source", 359.8, 30.2, PowerLaw(4.0e-12, 3.0))
NORTHERN: Final = Source("Simulated northern source", 52.5, 86.0, PowerLaw(7.0e-12, 2.4))
OFF_FIELD: Final = Source("Simulated off field", 30.0, -6.0, None)

_CYCLE = (
    CRAB_LIKE, EXTRAGALACTIC, NORTHERN, CRAB_LIKE, OFF_FIELD, CRAB_LIKE,
    EXTRAGALACTIC, NORTHERN, CRAB_LIKE, EXTRAGALACTIC, OFF_FIELD, NORTHERN,
)  # fmt: skip
_WOBBLE = (90.0, 270.0, 0.0, 180.0)
"""Position angles of the pointing seen from the source, deg: RA +, RA -, Dec +, Dec -."""
_WOBBLE_OFFSET = 0.5


@dataclass(frozen=True)
class Observation:
    """One run. `pointing` in ICRS; `alt` and `az` in deg at mid-run; times in s since MJDREF, in TT.

    `gti` has the shape (n, 2): START and STOP; `deadc` is the live fraction of the good time.
    """

    obs_id: int
    source: Source
    pointing: SkyCoord
    alt: float
    az: float
    tstart: float
    tstop: float
    gti: NDArray[np.float64]
    deadc: float
    telescopes: tuple[int, ...]

    @property
    def ontime(self) -> float:
        """Sum of the good time intervals, s."""
        return float(np.diff(self.gti).sum())

    @property
    def livetime(self) -> float:
        """Good time corrected for dead time, s."""
        return self.ontime * self.deadc

    @property
    def offset(self) -> float:
        """Angle between source and pointing, deg."""
        return float(self.pointing.separation(self.source.position).deg)


def site() -> EarthLocation:
    """The position of the simulated array."""
    return EarthLocation.from_geodetic(GEOLON * u.deg, GEOLAT * u.deg, ALTITUDE * u.m)


def reference_time() -> Time:
    """MJDREFI + MJDREFF in TT."""
    return Time(MJDREFI, MJDREFF, format="mjd", scale="tt")


def plan(observations: int, rng: np.random.Generator) -> list[Observation]:
    """Runs in the order of their start, in dark time with their source above MIN_ALTITUDE."""
    # The final values come with astropy: nothing is fetched, and they do not change.
    with iers.earth_orientation_table.set(iers.IERS_B.open()):
        wanted = [_CYCLE[i % len(_CYCLE)] for i in range(observations)]
        pointings = [_pointing(source, wanted[:i].count(source)) for i, source in enumerate(wanted)]
        starts = _schedule(wanted, rng)
        order = sorted(range(observations), key=lambda i: starts[i])
        return [
            _observation(number, wanted[i], pointings[i], starts[i], rng) for number, i in enumerate(order)
        ]


def _pointing(source: Source, repeat: int) -> SkyCoord:
    """The source beside the centre, each time on another side; an off field is centred."""
    if source.spectrum is None:
        return source.position
    angle = _WOBBLE[repeat % len(_WOBBLE)]
    return source.position.directional_offset_by(angle * u.deg, _WOBBLE_OFFSET * u.deg).icrs


def _schedule(wanted: list[Source], rng: np.random.Generator) -> list[Time]:
    """A start for each source: a dark slot of the earliest night that has one left, drawn at random."""
    starts: dict[int, Time] = {}
    first = Time(_FIRST_NIGHT, scale="utc")
    while len(starts) < len(wanted):
        nights = min(1 + (len(wanted) - len(starts)) // _RUNS_PER_NIGHT, _NIGHTS_AT_ONCE)
        edges = first + (24.0 * np.arange(nights)[:, None] + _SLOT_EDGES) * u.hour
        dark = _dark(edges)
        usable = {source: dark & _high(source, edges) for source in set(wanted)}
        for night in range(nights):
            pending = [i for i in range(len(wanted)) if i not in starts]
            tonight = _assign(pending, [usable[wanted[i]][night] for i in pending], rng)
            for i, slot in tonight.items():
                starts[i] = edges[night, slot] + TimeDelta(rng.integers(90), format="sec")
        first = first + nights * u.day
    return [starts[i] for i in range(len(wanted))]


def _assign(pending: list[int], usable: list[NDArray[np.bool_]], rng: np.random.Generator) -> dict[int, int]:
    """Slot numbers of those pending observations that fit into a night with these usable slots."""
    taken: dict[int, int] = {}
    for i, slots in zip(pending, usable, strict=True):
        free = [int(slot) for slot in np.flatnonzero(slots) if slot not in taken.values()]
        if free:
            taken[i] = int(rng.choice(free))
        if len(taken) == _RUNS_PER_NIGHT:
            break
    return taken


def _dark(edges: Time) -> NDArray[np.bool_]:
    """Which slots between `edges` have the Sun below -18 deg and the Moon below the horizon."""
    frame = AltAz(obstime=edges, location=site())
    sun, moon = (get_body(body, edges, site()).transform_to(frame).alt.deg for body in ("sun", "moon"))
    return _at_both_edges((sun < -18.0) & (moon < 0.0))


def _high(source: Source, edges: Time) -> NDArray[np.bool_]:
    """Which slots between `edges` have the source, and the whole wobble circle, above MIN_ALTITUDE."""
    altitude = source.position.transform_to(AltAz(obstime=edges, location=site())).alt.deg
    return _at_both_edges(altitude > MIN_ALTITUDE + _WOBBLE_OFFSET)


def _at_both_edges(fits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    both: NDArray[np.bool_] = fits[:, :-1] & fits[:, 1:]
    return both


def _observation(
    number: int, source: Source, pointing: SkyCoord, start: Time, rng: np.random.Generator
) -> Observation:
    # Whole seconds from a reference that is a whole second of UTC: TSTART is then an exact number.
    tstart = float(np.round((start.tt - reference_time()).sec))
    middle = start + TimeDelta(RUN_SECONDS / 2, format="sec")
    horizontal = pointing.transform_to(AltAz(obstime=middle, location=site()))
    telescopes = tuple(range(1, ARRAY_TELESCOPES + 1))
    return Observation(
        obs_id=FIRST_OBS_ID + number,
        source=source,
        pointing=pointing,
        alt=float(horizontal.alt.deg),
        az=float(horizontal.az.deg),
        tstart=tstart,
        tstop=tstart + RUN_SECONDS,
        gti=_good_time(tstart, _GAPS[number % len(_GAPS)], rng),
        deadc=float(np.round(rng.uniform(0.95, 0.97), 4)),
        telescopes=telescopes if number % 12 != 2 else telescopes[:2] + telescopes[3:],
    )


def _good_time(tstart: float, gaps: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(gaps + 1, 2): a run with this many clouds of one to four minutes cut out, far from each other."""
    share = RUN_SECONDS // (gaps + 1)
    middles = tstart + share * np.arange(1, gaps + 1)
    lengths = rng.integers(30, 120, gaps)
    edges = np.column_stack([middles - lengths, middles + lengths]).ravel()
    return np.concatenate([[tstart], edges, [tstart + RUN_SECONDS]]).reshape(-1, 2)
