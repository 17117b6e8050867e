"""Numbers from instrument response functions stored as tables (GADF "IRFs").

Energies are in TeV and angles in deg here, as GADF has them; what other modules see (`Resolution`,
ranges) is in eV. Values are computed at the nodes around the reference and interpolated between them,
linearly in offset and in the logarithm of energy.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingest.facts import Problem, ProductError, Resolution
from ingest.fitsfile import Hdu
from ingest.fitsheader import number, text
from schema.constants import EV_PER_TEV

Floats: TypeAlias = NDArray[np.float64]

CONTAINMENT = 0.68
FWHM_PER_R68 = math.sqrt(8 * math.log(2)) / math.sqrt(-2 * math.log(1 - CONTAINMENT))
"""1.5599: full width at half maximum over 68 % containment radius of a two-dimensional Gaussian."""

_ENERGY_PREFIXES = ("ENERG", "ETRUE", "ENERGY")
_AXIS_COLUMNS = {
    "energy": (_ENERGY_PREFIXES, "TeV"),
    "theta": (("THETA",), "deg"),
    "rad": (("RAD",), "deg"),
    "migra": (("MIGRA",), ""),
}


@dataclass(frozen=True)
class Axis:
    """Bins of one axis; `low` equals `high` where the file gives nodes instead of bins."""

    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.low)

    def weights(self, at: float, logarithmic: bool = False) -> list[tuple[int, float]]:
        """Return the bins whose centres surround `at` and their weights; none outside the axis."""
        if not len(self) or not self.low.min() <= at <= self.high.max():
            return []
        centres = np.sqrt(self.low * self.high) if logarithmic else (self.low + self.high) / 2
        if logarithmic:
            centres, at = np.log(centres), math.log(at)
        if at <= centres[0] or len(self) == 1:
            return [(0, 1.0)]
        if at >= centres[-1]:
            return [(len(self) - 1, 1.0)]
        upper = int(np.searchsorted(centres, at, side="right"))
        share = float((at - centres[upper - 1]) / (centres[upper] - centres[upper - 1]))
        return [(upper - 1, 1 - share), (upper, share)]


def axis(hdu: Hdu, name: str) -> Axis:
    """Read an axis (`energy`, `theta`, `rad`, `migra`).

    Raises ProductError if its columns are missing or offsets lie outside 0..180 deg.
    """
    prefixes, unit = _AXIS_COLUMNS[name]
    for prefix in prefixes:
        low, high = hdu.in_unit(f"{prefix}_LO", unit), hdu.in_unit(f"{prefix}_HI", unit)
        if low is not None and high is not None and low.size and low.size == high.size:
            if name == "theta" and not np.all((low >= 0) & (low <= high) & (high <= 180)):
                message = "offsets lie within 0..180 deg, low before high: this response is ignored"
                raise ProductError(hdu.path, f"{hdu.name} column {prefix}_HI", message)
            return Axis(low.reshape(-1), high.reshape(-1))
    raise ProductError(hdu.path, hdu.name, f"no columns {prefixes[0]}_LO and {prefixes[0]}_HI of one length")


def cube(hdu: Hdu, column: str, axes: Sequence[str], unit: str | None = None) -> Floats:
    """Return an array column with its axes in the order of `axes`, which is also FITS order by default.

    CREFn says the order if it is there and names all the axes (GADF "FITS arrays": tools should
    use it); if not, that of the format's definition holds. Raises ProductError if sizes contradict.
    """
    found = hdu.column(column)
    if found is None:
        raise ProductError(hdu.path, hdu.name, f"no column {column}")
    raw = hdu.values(found) if unit is None else hdu.in_unit(column, unit)
    if found.code not in "BIJKED":
        message = f"TFORM {found.format} holds no numbers; use a D or E column"
        raise ProductError(hdu.path, f"{hdu.name} column {column}", message)
    lengths = {name: len(axis(hdu, name)) for name in axes}
    order = _declared_order(text(hdu.header, f"CREF{found.number}"), axes)
    if raw is None or raw.size != math.prod(lengths.values()):
        sizes = " x ".join(str(n) for n in lengths.values())
        raise ProductError(
            hdu.path, f"{hdu.name} column {column}", f"does not hold {sizes} values as its axes say"
        )
    shaped = raw.reshape([lengths[name] for name in reversed(order)])
    return np.transpose(shaped, [list(reversed(order)).index(name) for name in axes])


def _declared_order(cref: str | None, axes: Sequence[str]) -> list[str]:
    prefixes = re.findall(r"(\w+)_LO", cref or "")
    known = {prefix: name for name in axes for prefix in _AXIS_COLUMNS[name][0]}
    declared = [known[prefix] for prefix in prefixes if prefix in known]
    return declared if sorted(declared) == sorted(axes) else list(axes)


def interpolate(
    hdu: Hdu, value: Callable[[int, int], float], energy: float, offset: float
) -> Resolution | None:
    """Interpolate `value(energy bin, offset bin)` at `energy` (TeV) and `offset` (deg).

    A response with one offset bin answers for the centre of that bin. None outside the axes and
    where most of the weight falls on empty nodes (NaN).
    """
    offsets = axis(hdu, "theta")
    if len(offsets) == 1:
        offset = float(offsets.low[0] + offsets.high[0]) / 2
    total = weight = 0.0
    for i, energy_weight in axis(hdu, "energy").weights(energy, logarithmic=True):
        for j, offset_weight in offsets.weights(offset):
            at_node = value(i, j) if energy_weight * offset_weight > 0 else math.nan
            if math.isfinite(at_node):
                total += energy_weight * offset_weight * at_node
                weight += energy_weight * offset_weight
    if weight < 0.5:
        return None
    return Resolution(float(total / weight), energy * EV_PER_TEV, round(offset, 6))


def quantile(low: Floats, high: Floats, content: Floats, fraction: float) -> float:
    """Return where the bins `low`..`high` reach `fraction` of their content; NaN if they are empty.

    Content is spread evenly in a bin; negative and undefined content counts as none.
    """
    filled = np.where(content > 0, content, 0.0)
    cumulative = np.cumsum(filled)
    if not (len(cumulative) and cumulative[-1] > 0):
        return math.nan
    wanted = fraction * cumulative[-1]
    k = min(int(np.searchsorted(cumulative, wanted)), len(filled) - 1)
    share = (wanted - (cumulative[k] - filled[k])) / filled[k]
    return float(low[k] + share * (high[k] - low[k]))


def containment_radius(rad: Axis, density: Floats) -> float:
    """Return the radius (deg) that holds 68 % of `density` (per solid angle in bins of `rad`); NaN if empty.

    The density is normalised by its own integral; within a ring it is constant.
    """
    inner, outer = (1 - np.cos(np.radians(edge)) for edge in _ring_edges(rad))
    height = quantile(inner, outer, density * (outer - inner), CONTAINMENT)
    return math.degrees(math.acos(1 - height))


def _ring_edges(rad: Axis) -> tuple[Floats, Floats]:
    if np.any(rad.high > rad.low):
        return rad.low, rad.high
    between = (rad.low[1:] + rad.low[:-1]) / 2
    return np.append(rad.low[0], between), np.append(between, rad.low[-1])


def _table_radius(hdu: Hdu) -> Callable[[int, int], float]:
    density = cube(hdu, "RPSF", ("energy", "theta", "rad"))
    rad = axis(hdu, "rad")
    return lambda i, j: containment_radius(rad, density[i, j].astype(np.float64))


def _gauss_radius(hdu: Hdu) -> Callable[[int, int], float]:
    """Invert the sum of A_i sigma_i^2 (1 - exp(-r^2 / 2 sigma_i^2)), the integral of PSF_3GAUSS."""
    axes = ("energy", "theta")
    scale = cube(hdu, "SCALE", axes)
    amplitudes = np.stack([np.ones(scale.shape), *(cube(hdu, f"AMPL_{k}", axes) for k in (2, 3))])
    sigmas = np.stack([cube(hdu, f"SIGMA_{k}", axes, "deg") for k in (1, 2, 3)])

    def radius(i: int, j: int) -> float:
        used = (amplitudes[:, i, j] != 0) & (sigmas[:, i, j] > 0)
        sigma, share = sigmas[used, i, j], amplitudes[used, i, j] * sigmas[used, i, j] ** 2
        if not (scale[i, j] > 0 and sigma.size and share.sum() > 0):
            return math.nan
        wanted = CONTAINMENT * share.sum()
        return _solve(
            lambda r: float(np.sum(share * -np.expm1(-0.5 * (r / sigma) ** 2))) - wanted, 6 * sigma.max()
        )

    return radius


def _king_radius(hdu: Hdu) -> Callable[[int, int], float]:
    """Invert 1 - (1 + r^2 / 2 gamma sigma^2)^(1 - gamma), the integral of PSF_KING."""
    gamma = cube(hdu, "GAMMA", ("energy", "theta"))
    sigma = cube(hdu, "SIGMA", ("energy", "theta"), "deg")

    def radius(i: int, j: int) -> float:
        g, s = float(gamma[i, j]), float(sigma[i, j])
        if not (g > 1 and s > 0):
            return math.nan
        return s * math.sqrt(2 * g * ((1 - CONTAINMENT) ** (1 / (1 - g)) - 1))

    return radius


def _solve(function: Callable[[float], float], high: float) -> float:
    """Find the zero of an increasing function between 0 and `high` to a part in 10^12."""
    low = 0.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


_PSF_FORMATS = {"RPSF": _table_radius, "SIGMA_1": _gauss_radius, "GAMMA": _king_radius}
"""The formats of point spread functions by a column that only they have."""


def psf_resolution(hdu: Hdu, energy: float, offset: float) -> Resolution | None:
    """Return the full width at half maximum in arcsec of a Gaussian with the same 68 % radius.

    `energy` (true) in TeV, `offset` in deg; PSF_TABLE, PSF_3GAUSS and PSF_KING. Raises ProductError for
    other formats and contradictory tables.
    """
    read = next((read for column, read in _PSF_FORMATS.items() if hdu.column(column)), None)
    if read is None:
        raise ProductError(hdu.path, hdu.name, "not a PSF_TABLE, PSF_3GAUSS or PSF_KING by its columns")
    found = interpolate(hdu, read(hdu), energy, offset)
    return found and Resolution(found.value * FWHM_PER_R68 * 3600, found.energy, found.offset)


def half_width(low: Floats, high: Floats, content: Floats) -> float:
    """Return half the width of the central 68 % of the bins' content; NaN if they are empty."""
    margin = (1 - CONTAINMENT) / 2
    return (quantile(low, high, content, 1 - margin) - quantile(low, high, content, margin)) / 2


def energy_resolving_power(hdu: Hdu, energy: float, offset: float) -> Resolution | None:
    """Return E/dE of EDISP_2D: dE is half the central 68 % of the distribution of E_reco/E_true.

    `energy` (true) in TeV, `offset` in deg. Raises ProductError for contradictory tables.
    """
    matrix = cube(hdu, "MATRIX", ("energy", "migra", "theta"))
    migra = axis(hdu, "migra")
    widths = migra.high - migra.low

    def width(i: int, j: int) -> float:
        return half_width(migra.low, migra.high, matrix[i, :, j] * widths)

    found = interpolate(hdu, width, energy, offset)
    return found and Resolution(1 / found.value, found.energy, found.offset)


def rad_max(hdu: Hdu, energy: float, offset: float) -> Resolution | None:
    """Return the radius of the directional cut (deg) of RAD_MAX_2D at a reconstructed `energy` in TeV."""
    radius = cube(hdu, "RAD_MAX", ("energy", "theta"), "deg")
    found = interpolate(hdu, lambda i, j: float(radius[i, j]) or math.nan, energy, offset)
    return found and Resolution(round(found.value, 6), found.energy, found.offset)


def energy_range(hdu: Hdu, problems: list[Problem]) -> tuple[float, float]:
    """Return the usable energies of AEFF_2D in eV.

    LO_THRES and HI_THRES (TeV) where given, each by itself; else the bins with an area at any
    offset; else the whole axis. Thresholds that cannot be are added to `problems` and ignored.
    """
    energies = axis(hdu, "energy")
    positive = np.any(cube(hdu, "EFFAREA", ("energy", "theta")) > 0, axis=1)
    used = positive if positive.any() else np.ones(len(energies), np.bool_)
    bounds = float(energies.low[used].min()), float(energies.high[used].max())
    stated = {name: number(hdu.header, name) for name in ("LO_THRES", "HI_THRES")}
    thresholds = {name: value for name, value in stated.items() if value is not None}
    ignored = {name: value for name, value in thresholds.items() if value <= 0}
    low, high = (
        thresholds[name] if name in thresholds and name not in ignored else bound
        for name, bound in zip(stated, bounds, strict=True)
    )
    if low > high:
        ignored, (low, high) = thresholds, bounds
    if ignored:
        told = ", ".join(f"{name} = {value:g}" for name, value in ignored.items())
        message = f"{told} TeV cannot be, thresholds are above 0 and LO_THRES below HI_THRES: ignored"
        problems.append(Problem(hdu.path, hdu.name, message, fatal=False))
    return low * EV_PER_TEV, high * EV_PER_TEV


def field_of_view(hdu: Hdu) -> float | None:
    """Return the diameter in deg, twice the largest offset; None if offset 0 is the only one.

    Rounded to the noise of single precision.
    """
    return round(2 * float(axis(hdu, "theta").high.max()), 6) or None
