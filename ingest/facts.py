"""What the reader hands on: frozen values without any database or FITS object, so that they pickle.

Frames and units hold throughout: angles in degrees and ICRS, `t_*` in MJD UTC, durations in seconds,
energies in eV, file sizes in bytes. A field is None where the files do not say; nothing is invented.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from schema.products import EVENT_LIST, FLUX_POINTS, HDU_TYPES
from schema.target import Target

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]

EVENTS = HDU_TYPES[EVENT_LIST]
MAIN_TYPES = (EVENTS, *FLUX_POINTS)
"""What makes a dataset; the other products belong to an event list."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the operator should know; `where` is an HDU, column, keyword or row of `path`.

    `fatal` is false where the dataset is published all the same.
    """

    path: Path
    where: str
    message: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.where}: {self.message}" if self.where else f"{self.path}: {self.message}"


class ProductError(Exception):
    """A product cannot be published; its text is one line: file, place, fault, what would be right."""

    def __init__(self, path: Path, where: str, message: str) -> None:
        super().__init__(path, where, message)
        self.path = path
        self.where = where
        self.message = message

    @property
    def problem(self) -> Problem:
        """The same as a value."""
        return Problem(self.path, self.where, self.message)

    def __str__(self) -> str:
        return str(self.problem)


@dataclass(frozen=True, slots=True)
class HduLocation:
    """An HDU in a file: `hdu` is its name (any case) or, if it has none, its number (primary is 0).

    `hdu_class` is the format's name as the hdu-index spells it (`psf_3gauss`), None if unknown.
    """

    path: Path
    hdu: str | int
    hdu_class: str | None = None


@dataclass(frozen=True, slots=True)
class IndexColumn:
    """A column of an obs-index table: lower-case name, FITS format (`20A`, `E`), unit as written."""

    name: str
    format: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """Where one dataset is to be read from: an event list, or the flux points of a spectrum or light curve.

    `products` maps HDU_TYPEs of GADF and FLUX_POINTS to locations and always holds one of MAIN_TYPES. If
    `indexed` is false it holds nothing else: the other HDUs are those of the same file. `event_type` and
    `event_class` are set where an index partitions one observation into several event lists.
    `obs_index` is the observation's row of the obs-index (lower-case names, empty if there is none),
    `obs_index_columns` describes its columns. `obs_id` and `local_id` are None where only the header
    of the event list can tell.
    """

    products: Mapping[str, HduLocation]
    indexed: bool = False
    local_id: str | None = None
    obs_id: str | None = None
    event_type: str | None = None
    event_class: str | None = None
    obs_index: Mapping[str, Value] = field(default_factory=dict)
    obs_index_columns: tuple[IndexColumn, ...] = ()

    @property
    def kind(self) -> str:
        """Which of MAIN_TYPES it is."""
        return next(kind for kind in MAIN_TYPES if kind in self.products)

    @property
    def path(self) -> Path:
        """The file with the events or flux points."""
        return self.products[self.kind].path


@dataclass(frozen=True, slots=True)
class Release:
    """What `find_release` found: datasets in the order of their identifiers, and what is wrong."""

    path: Path
    sources: tuple[Source, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What may be chosen about reading: reference energy (TeV) and offset (deg), T-MOC limits.

    `targets` are what the operator says of objects that the files may not name.
    """

    reference_energy: float = 1.0
    reference_offset: float = 0.5
    tmoc_order: int = 41
    tmoc_cells: int = 10_000
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file that the dataset uses: size in bytes, modification time in seconds since 1970 UTC."""

    path: Path
    size: int
    mtime: float


@dataclass(frozen=True, slots=True)
class EventColumn:
    """A column of EVENTS: name and FITS format (TTYPEn, TFORMn), unit, description (comment of TTYPEn)."""

    name: str
    format: str
    unit: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class TimeReference:
    """How the file counts time: MJDREFI, MJDREFF (days), TIMESYS (upper case), TIMEUNIT in seconds."""

    mjdrefi: int
    mjdreff: float
    timesys: str
    timeref: str
    unit: float


@dataclass(frozen=True, slots=True)
class Region:
    """The footprint of map-shaped response functions: polygon vertices (ra, dec), centre, diameter."""

    vertices: tuple[tuple[float, float], ...]
    ra: float
    dec: float
    diameter: float


@dataclass(frozen=True, slots=True)
class TimeMoc:
    """A T-MOC (MOC 2.0): `text` is ASCII without prefix, as mocpy's TimeMOC.from_string reads it.

    `ranges` are its half-open intervals in microseconds since JD 0, TCB at the barycentre, merged
    and ascending; `reason` says why the order is coarser than the one asked for.
    """

    order: int
    text: str
    ranges: tuple[tuple[int, int], ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """A resolution and where it holds: energy in eV, off-axis angle in deg (None for sky maps)."""

    value: float
    energy: float
    offset: float | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known about one dataset."""

    source: Source
    local_id: str
    obs_id: str
    products: Mapping[str, HduLocation]
    files: tuple[FileFacts, ...]
    problems: tuple[Problem, ...]

    target: str | None
    ra_obj: float | None
    dec_obj: float | None
    telescope: str | None
    instrument: str | None
    origin: str | None
    creator: str | None
    created: str | None
    """CREATED, else DATE: ISO 8601 in UTC to the second, without Z."""
    observer: str | None
    n_tels: int | None
    tellist: str | None
    geolon: float | None
    geolat: float | None
    altitude: float | None
    """metres above sea level"""

    obs_mode: str | None
    tracking_mode: str | None
    scan_mode: str | None
    pointing_mode: str | None
    analysis_mode: str | None
    """The index's event class, else EV_CLASS, else ANA_VER."""
    event_type: str | None
    """The name of the event type partition, from the index tables only."""

    ra_pnt: float | None
    dec_pnt: float | None
    alt_pnt: float | None
    az_pnt: float | None
    fov: float | None
    """diameter, twice the largest offset of the response functions, or that of `region`"""
    region: Region | None

    time: TimeReference
    tstart: float
    """TSTART and TSTOP as in the header: in the file's unit since the reference, in its time system"""
    tstop: float
    t_start: float
    t_stop: float
    gtis: tuple[tuple[float, float], ...] | None
    """(start, stop) in MJD UTC, as in the file; None if there is no GTI table"""
    t_moc: TimeMoc
    """of the good time intervals, or of TSTART..TSTOP where there is no GTI table"""
    ontime: float | None
    livetime: float | None
    deadc: float | None
    exposure: float | None
    """LIVETIME, else ONTIME, else the sum of the good time intervals"""

    n_events: int
    columns: tuple[EventColumn, ...]
    o_ucd: str | None
    event_energy_min: float | None
    event_energy_max: float | None
    energy_min: float | None
    energy_max: float | None
    psf: Resolution | None
    """full width at half maximum in arcsec"""
    edisp: Resolution | None
    """resolving power E/dE"""
    rad_max: Resolution | None
    """radius of the directional cut in deg"""

    obs_index: Mapping[str, Value]
    """The row for obs_index, lower-case names, as the files have it (frame and unit of the file):
    the index's values, gaps filled from the EVENTS header; TSTART and TSTOP always from the EVENTS
    header, since index tables often hold them in single precision."""


@dataclass(frozen=True, slots=True)
class EventArray:
    """A column of an event list as an array of one row per event, in `unit`."""

    name: str
    values: NDArray[np.generic]
    unit: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class Events:
    """An event list as arrays of one length.

    `time` is in seconds since the reference as in the file, `time_mjd` in MJD UTC, `ra` and `dec` in
    ICRS deg, `energy` in TeV (None without that column), `event_id` None without that column.
    `others` are all further columns as found, in the file's order.
    """

    event_id: NDArray[np.int64] | None
    time: NDArray[np.float64]
    time_mjd: NDArray[np.float64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    energy: NDArray[np.float64] | None
    others: tuple[EventArray, ...]
