"""Units as VOUnits 1.1 writes them: what they convert to, and what arithmetic makes of them.

Units of stored columns are read as they stand in catalogues, where "km s-1" and "mas/yr" occur beside
the standard's "km.s**-1". None is the unit of a number that has none.
"""

import re
import warnings
from functools import lru_cache
from math import isfinite

from astropy import units

from vo_server.adql.errors import did_you_mean

MAX_LENGTH = 60
"""Longest unit that is read."""

MAX_POWER = 10
"""Highest power that arithmetic raises a unit to."""

UNKNOWN = "?"
"""The unit of a value that has one which cannot be told; no result column shows it."""

FORMATS = ("vounit", "generic", "cds")
"""The syntaxes in which a unit is looked for, as astropy calls them: the standard's comes first."""

SPECTRAL = (
    "wavelength, frequency and energy are different quantities: compute the other one,"
    " for example 1.239841984e-6 / x for eV from m"
)

# A power such as 10**9999999 would be worked out, digit by digit.
_TOO_LONG = re.compile(r"[0-9]{4}")
_WORD = re.compile(r"[^\W\d_]\w*")
_FAULTS = (ValueError, TypeError, ArithmeticError)
_PREFIXED = ("m", "s", "g", "eV", "Hz", "J", "Jy", "Pa", "pc", "W", "byte", "yr", "T", "V")
_BARE = (
    *("deg", "arcmin", "arcsec", "mas", "rad", "mrad", "sr", "min", "h", "d", "a", "AU", "lyr", "K", "mol"),
    *(
        "mag",
        "erg",
        "barn",
        "count",
        "photon",
        "pixel",
        "adu",
        "bit",
        "Angstrom",
        "solMass",
        "solLum",
        "solRad",
    ),
)
KNOWN = (
    *_BARE,
    *(prefix + symbol for symbol in _PREFIXED for prefix in ("n", "u", "m", "", "k", "T", "G", "M")),
)
"""What a misspelled unit is compared with."""


class UnitError(ValueError):
    """A conversion that is not possible, and what would be."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@lru_cache(maxsize=1024)
def parse_unit(text: str) -> units.UnitBase | None:
    """The unit that `text` means, None if it means none."""
    if len(text) > MAX_LENGTH or _TOO_LONG.search(text):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", units.UnitsWarning)
        for syntax in FORMATS:
            try:
                unit = units.Unit(text, format=syntax)
            except _FAULTS:
                continue
            return unit if isinstance(unit, units.UnitBase) else None
    return None


@lru_cache(maxsize=1024)
def factor(source: str, target: str) -> float:
    """What a value in `source` is multiplied with to be in `target`.

    Raises UnitError if `target` is no unit, or one of another quantity.
    """
    wanted = parse_unit(target)
    if wanted is None:
        raise UnitError(f"unknown unit '{target[:MAX_LENGTH]}'", _nearest(target))
    if wanted == units.dimensionless_unscaled:
        raise UnitError("the unit is empty", "a value with a unit cannot be converted to one without")
    given = parse_unit(source)
    if given is None:
        raise UnitError(f"the unit '{source}' of the value is not one that can be converted")
    try:
        return _exact(float(given.to(wanted)))
    except units.UnitConversionError:
        hint = SPECTRAL if given.is_equivalent(wanted, units.spectral()) else ""
        raise UnitError(f"{source} cannot be converted to {target}", hint) from None
    except _FAULTS:
        raise UnitError(f"{source} cannot be converted to {target}", "the factor is out of range") from None


def _exact(value: float) -> float:
    """`value` without the error of its last digit, where it is a decimal number or the inverse of one."""
    if not (isfinite(value) and isfinite(1 / value)):
        raise OverflowError(value)
    decimal, inverse = float(f"{value:.12g}"), float(f"{1 / value:.12g}")
    if abs(decimal / value - 1) < 1e-15:
        return decimal
    return 1 / inverse if abs(inverse * value - 1) < 1e-15 else value


def _nearest(text: str) -> str:
    """A hint on the first word of `text` that is no unit."""
    for word in _WORD.findall(text[:MAX_LENGTH]):
        if parse_unit(word) is None and (hint := did_you_mean(word, KNOWN)):
            return hint
    return "units are written as in 'arcsec', 'km.s**-1' or 'm**2'"


def same(left: str | None, right: str | None) -> bool:
    """Whether both are one unit, however they are written ("mas/yr" and "mas.yr**-1")."""
    if left == right:
        return True
    if left is None or right is None:
        return False
    first, second = parse_unit(left), parse_unit(right)
    return first is not None and second is not None and first == second


def product(left: str | None, right: str | None) -> str | None:
    """The unit of left * right; UNKNOWN if there is no reasonable one, None if it has none."""
    return _combined(left, right, 1) if left and right else left or right


def quotient(left: str | None, right: str | None) -> str | None:
    """The unit of left / right, as in `product`."""
    return _combined(left, right, -1) if right else left


@lru_cache(maxsize=1024)
def power(unit: str | None, exponent: float) -> str | None:
    """The unit of a value in `unit` raised to `exponent`, as in `product`."""
    if unit is None:
        return None
    base = parse_unit(unit)
    if base is None or not abs(exponent) <= MAX_POWER:
        return UNKNOWN
    return _written(base**exponent)


@lru_cache(maxsize=1024)
def _combined(left: str | None, right: str | None, sign: int) -> str | None:
    first = parse_unit(left) if left else units.dimensionless_unscaled
    second = parse_unit(right) if right else units.dimensionless_unscaled
    if first is None or second is None:
        return UNKNOWN
    return _written(first * second**sign)


def _written(unit: units.UnitBase) -> str | None:
    """The unit in the syntax of VOUnits; None for no unit, UNKNOWN for one that the standard lacks."""
    if any(abs(p) > MAX_POWER for p in unit.powers):
        return UNKNOWN
    try:
        text = str(unit.to_string("vounit", deprecations="silent"))
    except _FAULTS:
        return UNKNOWN
    return (text or None) if len(text) <= MAX_LENGTH else UNKNOWN
