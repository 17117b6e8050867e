"""The parameters of cutouts: one for a synchronous request, all combinations of values for a job."""

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Final

from vo_server.dali import Parameters
from vo_server.errors import UsageError
from vo_server.soda import faults
from vo_server.soda.selection import FILTERS, Selection

_NAMES: Final = ("ID", *FILTERS)
_NO_ID: Final = "ID is missing: the obs_publisher_did of an event list"


@dataclass(frozen=True, slots=True)
class CutoutRequest:
    """One cutout that is asked for."""

    did: str
    selection: Selection

    @classmethod
    def single(cls, parameters: Parameters) -> "CutoutRequest":
        """The one cutout of a synchronous request; what SODA does not know is ignored.

        Raises UsageError, with a label of its own for repeated parameters (SODA 1.0, section 5.3).
        """
        for name in _NAMES:
            count = len(parameters.all(name))
            if count > 1:
                raise UsageError(
                    f"{faults.MULTIPLE}: {name} was given {count} times; a job (/soda/async) makes"
                    " a cutout for each value"
                )
        return cls.each(parameters, 1)[0]

    @classmethod
    def each(cls, parameters: Parameters, most: int) -> list["CutoutRequest"]:
        """One for each combination of the values of all parameters, those of the last one changing first.

        Raises UsageError, also for more than `most`.
        """
        if not parameters.all("ID"):
            raise UsageError(_NO_ID)
        given = {name: parameters.all(name) for name in _NAMES if parameters.all(name)}
        count = prod(map(len, given.values()))
        if count > most:
            raise UsageError(f"the values make {count} combinations, and one job may have {most}")
        combined = (dict(zip(given, values, strict=True)) for values in product(*given.values()))
        return [cls(values["ID"], Selection.of(values)) for values in combined]


def count(parameters: Parameters) -> int:
    """How many cutouts a job is asked for."""
    return prod(max(1, len(parameters.all(name))) for name in _NAMES)
