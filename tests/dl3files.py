"""Small DL3 files whose habits can be switched: what instruments write, and what goes wrong.

The response functions are known in closed form: point spread and energy dispersion are Gaussians of
`psf_sigma` (deg) and MIGRA_SIGMA, the area is positive from 0.1 to 50 TeV.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

MJDREFI, MJDREFF = 51910, 0.000742870370370241
TSTART, TSTOP = 101962602.0, 101964284.0
"""H.E.S.S. run 20136: 2004-03-26T02:56:42 to 03:24:44 UTC."""

ENERGY_EDGES = np.geomspace(0.01, 100, 21)
THETA_NODES = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
RAD_EDGES = np.linspace(0, 0.7, 141)
MIGRA_EDGES = np.linspace(0.4, 1.6, 61)
MIGRA_SIGMA = 0.12
TAIL = 0.05
"""Amplitude of the second Gaussian of PSF_3GAUSS, three times as wide as the first."""

TIME_HEADER: dict[str, Any] = {
    "MJDREFI": MJDREFI,
    "MJDREFF": MJDREFF,
    "TIMEUNIT": "s",
    "TIMESYS": "TT",
    "TIMEREF": "local",
}
EVENTS_HEADER: dict[str, Any] = {
    "HDUCLASS": "GADF",
    "HDUCLAS1": "EVENTS",
    **TIME_HEADER,
    "TSTART": TSTART,
    "TSTOP": TSTOP,
    "ONTIME": 1682.0,
    "LIVETIME": 1521.0,
    "DEADC": 0.9043,
    "OBJECT": "MSH 15-52",
    "RA_OBJ": 228.6125,
    "DEC_OBJ": -59.2717,
    "RA_PNT": 228.6125,
    "DEC_PNT": -58.7717,
    "ALT_PNT": 51.5,
    "AZ_PNT": 195.7,
    "RADECSYS": "ICRS",
    "EQUINOX": 2000.0,
    "OBS_MODE": "POINTING",
    "ORIGIN": "A Collaboration",
    "TELESCOP": "SOMESCOPE",
    "INSTRUME": "Phase I",
    "CREATOR": "writer 1.0",
    "N_TELS": 4,
    "TELLIST": "1,2,3,4",
    "GEOLON": 16.5,
    "GEOLAT": -23.3,
    "ALTITUDE": 1835.0,
    "DATE": "2018-05-06T09:14:21",
}


@dataclass(frozen=True)
class Habits:
    """What a file is like. `header` overrides EVENTS keywords; None leaves one out.

    `gtis` are (start, stop) in seconds, None for no table. `columns` replaces or adds event columns,
    None leaves one out. `psf` is table, 3gauss, king or None.
    """

    obs_id: int | str | None = 20136
    header: Mapping[str, Any] = field(default_factory=dict)
    events: int = 50
    columns: Mapping[str, fits.Column | None] = field(default_factory=dict)
    gtis: Sequence[tuple[float, float]] | None = ((TSTART, TSTOP),)
    gti_header: Mapping[str, Any] = field(default_factory=lambda: TIME_HEADER)
    irfs: bool = True
    aeff_header: Mapping[str, Any] = field(default_factory=dict)
    theta: Sequence[tuple[float, float]] = tuple((float(t), float(t)) for t in THETA_NODES)
    psf: str | None = "table"
    rad_max: float | None = None
    energy_name: str = "ENERG"
    names: Mapping[str, str | None] = field(default_factory=dict)

    def but(self, **changes: Any) -> "Habits":
        """The same with some habits changed."""
        return replace(self, **changes)


def psf_sigma(theta: float) -> float:
    """Sigma of the point spread function in deg at an offset in deg, the same at all energies."""
    return 0.06 + 0.02 * theta


def write_dl3(path: Path, habits: Habits | None = None) -> Path:
    """Write an event list with its good times and response functions; gzipped if named so."""
    habits = habits or Habits()
    hdus = [fits.PrimaryHDU(), events_hdu(habits)]
    if habits.gtis is not None:
        hdus.append(gti_hdu(habits))
    if habits.irfs:
        hdus += irf_hdus(habits)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList(hdus).writeto(path)
    return path


def write_irfs(path: Path, habits: Habits | None = None) -> Path:
    """Write the response functions alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), *irf_hdus(habits or Habits())]).writeto(path)
    return path


def events_hdu(habits: Habits) -> fits.BinTableHDU:
    n = habits.events
    random = np.random.default_rng(1)
    columns: dict[str, fits.Column | None] = {
        "EVENT_ID": fits.Column("EVENT_ID", "1K", array=np.arange(n) + 2**40),
        "TIME": fits.Column("TIME", "1D", unit="s", array=np.linspace(TSTART + 1, TSTOP - 1, n)),
        "RA": fits.Column("RA", "1E", unit="deg", array=228.6 + random.normal(size=n)),
        "DEC": fits.Column("DEC", "1E", unit="deg", array=-58.8 + random.normal(size=n)),
        "ENERGY": fits.Column("ENERGY", "1E", unit="TeV", array=np.geomspace(0.2, 40, n)),
        **habits.columns,
    }
    header = {"OBS_ID": habits.obs_id, **EVENTS_HEADER, **habits.header}
    return _table("EVENTS", [c for c in columns.values() if c is not None], header, habits)


def gti_hdu(habits: Habits) -> fits.BinTableHDU:
    edges = np.array(habits.gtis or [], dtype=np.float64).reshape(-1, 2)
    columns = [
        fits.Column(name, "1D", unit="s", array=edges[:, i]) for i, name in enumerate(("START", "STOP"))
    ]
    return _table("GTI", columns, {"HDUCLAS1": "GTI", **habits.gti_header}, habits)


def irf_hdus(habits: Habits) -> list[fits.BinTableHDU]:
    hdus = [aeff_hdu(habits), edisp_hdu(habits)]
    if habits.psf is not None:
        hdus.append(PSFS[habits.psf](habits))
    if habits.rad_max is not None:
        energies, thetas = _axis("ENERG", ENERGY_EDGES, "TeV"), _nodes(habits)
        data = np.full((len(habits.theta), len(ENERGY_EDGES) - 1), habits.rad_max)
        header = {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "RAD_MAX", "HDUCLAS4": "RAD_MAX_2D"}
        hdus.append(_table("RAD_MAX", [*energies, *thetas, _cube("RAD_MAX", data, "deg")], header, habits))
    return hdus


def aeff_hdu(habits: Habits) -> fits.BinTableHDU:
    centres = np.sqrt(ENERGY_EDGES[1:] * ENERGY_EDGES[:-1])
    area = np.where((centres > 0.1) & (centres < 50), 1e5, 0.0)
    data = np.repeat(area[None, :], len(habits.theta), axis=0)
    columns = [*_axis(habits.energy_name, ENERGY_EDGES, "TeV"), *_nodes(habits), _cube("EFFAREA", data, "m2")]
    header = {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "EFF_AREA", "HDUCLAS4": "AEFF_2D", **habits.aeff_header}
    return _table("AEFF", columns, header, habits)


def edisp_hdu(habits: Habits) -> fits.BinTableHDU:
    cumulative = [0.5 * math.erf((edge - 1) / MIGRA_SIGMA / math.sqrt(2)) for edge in MIGRA_EDGES]
    content = np.diff(cumulative) / np.diff(MIGRA_EDGES)
    shape = len(habits.theta), len(content), len(ENERGY_EDGES) - 1
    columns = [
        *_axis(habits.energy_name, ENERGY_EDGES, "TeV"),
        *_axis("MIGRA", MIGRA_EDGES, ""),
        *_nodes(habits),
        _cube("MATRIX", np.broadcast_to(content[None, :, None], shape), ""),
    ]
    header = {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "EDISP", "HDUCLAS4": "EDISP_2D"}
    return _table("EDISP", columns, header, habits)


def _psf_table(habits: Habits) -> fits.BinTableHDU:
    sigma = np.array([psf_sigma((low + high) / 2) for low, high in habits.theta])
    edge = np.exp(-0.5 * (RAD_EDGES[:, None] / sigma) ** 2)
    rings = 2 * np.pi * -np.diff(np.cos(np.radians(RAD_EDGES)))
    density = -np.diff(edge, axis=0) / rings[:, None]
    data = np.repeat(density[:, :, None], len(ENERGY_EDGES) - 1, axis=2)
    return _psf("PSF_TABLE", [*_axis("RAD", RAD_EDGES, "deg"), _cube("RPSF", data, "sr-1")], habits)


def _psf_3gauss(habits: Habits) -> fits.BinTableHDU:
    sigma = np.array([psf_sigma((low + high) / 2) for low, high in habits.theta])
    sigmas = np.repeat(sigma[:, None], len(ENERGY_EDGES) - 1, axis=1)
    scale = 1 / (2 * np.pi * np.radians(sigmas) ** 2 * (1 + TAIL * 9))
    columns = [
        _cube("SCALE", scale, "sr-1"),
        _cube("SIGMA_1", sigmas, "deg"),
        _cube("AMPL_2", np.full(sigmas.shape, TAIL), ""),
        _cube("SIGMA_2", 3 * sigmas, "deg"),
        _cube("AMPL_3", sigmas * 0, ""),
        _cube("SIGMA_3", sigmas * 0, "deg"),
    ]
    return _psf("PSF_3GAUSS", columns, habits)


def _psf_king(habits: Habits) -> fits.BinTableHDU:
    shape = len(habits.theta), len(ENERGY_EDGES) - 1
    return _psf(
        "PSF_KING",
        [_cube("GAMMA", np.full(shape, 2.0), ""), _cube("SIGMA", np.full(shape, 0.05), "deg")],
        habits,
    )


PSFS = {"table": _psf_table, "3gauss": _psf_3gauss, "king": _psf_king}


def _psf(kind: str, columns: list[fits.Column], habits: Habits) -> fits.BinTableHDU:
    axes = [*_axis("ENERG", ENERGY_EDGES, "TeV"), *_nodes(habits)]
    header = {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "RPSF", "HDUCLAS4": kind}
    return _table("PSF", [*axes, *columns], header, habits)


def _axis(name: str, edges: np.ndarray[Any, Any], unit: str) -> list[fits.Column]:
    return _bins(name, edges[:-1], edges[1:], unit)


def _nodes(habits: Habits) -> list[fits.Column]:
    low, high = np.array(habits.theta).T
    return _bins("THETA", low, high, "deg")


def _bins(name: str, low: np.ndarray[Any, Any], high: np.ndarray[Any, Any], unit: str) -> list[fits.Column]:
    form = f"{len(low)}E"
    return [
        fits.Column(f"{name}_{end}", form, unit=unit or None, array=values[None, :])
        for end, values in (("LO", low), ("HI", high))
    ]


def _cube(name: str, data: np.ndarray[Any, Any], unit: str) -> fits.Column:
    dim = f"({','.join(str(n) for n in data.shape[::-1])})"
    return fits.Column(name, f"{data.size}E", unit=unit or None, dim=dim, array=data[None])


def _table(
    name: str, columns: list[fits.Column], header: Mapping[str, Any], habits: Habits
) -> fits.BinTableHDU:
    hdu = fits.BinTableHDU.from_columns(columns)
    extname = habits.names.get(name, name)
    if extname is not None:
        hdu.header["EXTNAME"] = extname
    hdu.header.update({key: value for key, value in header.items() if value is not None})
    return hdu


def write_hdu_index(
    path: Path, rows: Iterable[Mapping[str, Any]], header: Mapping[str, Any] | None = None
) -> Path:
    """Write (or append) an hdu-index table; a row has the columns' names in lower case."""
    return write_table(path, [{"file_dir": "", "hdu_class": "", **row} for row in rows], header)


def index_rows(obs_id: Any, name: str, types: Iterable[str], **more: Any) -> list[dict[str, Any]]:
    """The hdu-index rows of HDUs in one file, each under the name of its type in lower case."""
    return [{"obs_id": obs_id, "hdu_type": t, "file_name": name, "hdu_name": t, **more} for t in types]


def write_table(
    path: Path, rows: Sequence[Mapping[str, Any]], header: Mapping[str, Any] | None = None
) -> Path:
    """Write a table of the rows' values, or append it to an existing file as a further HDU."""
    columns = []
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        form = (
            f"{values.dtype.itemsize // 4 or 1}A"
            if values.dtype.kind == "U"
            else FORMATS[values.dtype.str[1:]]
        )
        columns.append(fits.Column(name.upper(), form, array=values))
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header.update(header or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        fits.append(path, hdu.data, hdu.header)
    else:
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


FORMATS = {"i8": "K", "i4": "J", "f8": "D", "f4": "E", "b1": "L"}


def write_map(
    path: Path, name: str, axes: Sequence[tuple[str, np.ndarray[Any, Any]]], profile: np.ndarray[Any, Any]
) -> Path:
    """Write a response function as a 10 deg x 10 deg map around (83.6, 22) that is the same everywhere.

    `axes` are (name, edges) in FITS order; `profile` has their lengths in numpy order.
    """
    data = np.broadcast_to(profile[..., None, None], (*profile.shape, 10, 10))
    image = fits.ImageHDU(np.array(data, dtype=np.float64), name=name)
    wcs = {"CRPIX": 5.5, "CRVAL": (83.6, 22.0), "CDELT": (-1.0, 1.0), "CTYPE": ("RA---CAR", "DEC--CAR")}
    for key, value in wcs.items():
        for i in (0, 1):
            image.header[f"{key}{i + 1}"] = value[i] if isinstance(value, tuple) else value
    image.header["BANDSHDU"] = f"{name}_BANDS"
    grid = np.meshgrid(*(np.arange(n) for n in profile.shape), indexing="ij")
    columns = [fits.Column("CHANNEL", "K", array=np.arange(profile.size))]
    for i, (axis, edges) in enumerate(axes):
        image.header[f"AXCOLS{i + 1}"] = f"{axis}_MIN,{axis}_MAX"
        at = grid[len(axes) - 1 - i].ravel()
        unit = "deg" if axis == "RAD" else "TeV"
        columns += [
            fits.Column(f"{axis}_{end}", "D", unit=unit, array=edges[at + k])
            for k, end in enumerate(("MIN", "MAX"))
        ]
    bands = fits.BinTableHDU.from_columns(columns, name=f"{name}_BANDS")
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), image, bands]).writeto(path)
    return path
