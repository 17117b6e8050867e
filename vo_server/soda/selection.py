"""What a cutout is to hold: the values of the filtering parameters (SODA 1.0, section 3.3), read and checked.

Values are written as DALI 1.1 (section 3.3) has them. Raised is UsageError, with what would be right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from schema.constants import EV_PER_TEV, HC
from vo_server.dalivalues import circle, interval, polygon, position
from vo_server.eventlists.interval import Interval
from vo_server.soda.shapes import Shape


@dataclass(frozen=True)
class Selection:
    """All conditions together; a cutout holds the events that meet every one of them.

    `energy` is in TeV, `time` in MJD (UTC); None stands for no condition. `given` are the parameters as
    they were sent.
    """

    regions: tuple[Shape, ...] = ()
    energy: Interval | None = None
    time: Interval | None = None
    given: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Selection":
        """The selection that the filtering parameters among `values` describe."""
        given = tuple((name, values[name]) for name in FILTERS if name in values)
        energies = [INTERVALS[name](text) for name, text in given if name in INTERVALS]
        energy = None
        for found in energies:
            energy = found if energy is None else energy.common(found)
        return cls(
            regions=tuple(REGIONS[name](text) for name, text in given if name in REGIONS),
            energy=energy,
            time=interval(values["TIME"], "TIME") if "TIME" in values else None,
            given=given,
        )


def _energy(text: str) -> Interval:
    return interval(text, "ENERGY")


def _band(text: str) -> Interval:
    """Wavelengths in m as energies in TeV: E = hc / wavelength, so that the limits change places."""
    shortest, longest = interval(text, "BAND")
    return Interval(_photon(longest), _photon(shortest))


def _photon(wavelength: float) -> float:
    return HC / EV_PER_TEV / wavelength if wavelength > 0 else inf


REGIONS: Final[dict[str, Callable[[str], Shape]]] = {
    "CIRCLE": circle,
    "POLYGON": polygon,
    "POS": position,
}
INTERVALS: Final[dict[str, Callable[[str], Interval]]] = {"BAND": _band, "ENERGY": _energy}

FILTERS: Final = (*REGIONS, *INTERVALS, "TIME")
"""The filtering parameters."""
