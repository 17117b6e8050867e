"""What registry records and pages tell of the coverage of a collection."""

from dataclasses import dataclass
from typing import Final

from schema.constants import ELECTRONVOLT
from vo_server.coverage import store
from vo_server.db import Database

SUMMARY_ORDER: Final = 8
"""Order of the MOC in a registry record, which is to have some dozens of kB at most."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Coverage of a collection; what is not known is None.

    `s_moc` is an ASCII MOC of the sky (ICRS), `time` start and end as MJD in UTC, `energy` the least and the
    largest energy in J.
    """

    s_moc: str | None
    time: tuple[float, float] | None
    energy: tuple[float, float] | None


def summary(database: Database, collection: str, order: int = SUMMARY_ORDER) -> Summary:
    """The coverage of a collection by its name (obs_collection), with a MOC of this order at most.

    A collection without datasets, or an unknown one, covers nothing.
    """
    t_min, t_max, low, high = store.intervals(database, collection)
    return Summary(
        s_moc=store.sky_text(database, collection, order),
        time=None if t_min is None or t_max is None else (t_min, t_max),
        energy=None if low is None or high is None else (low * ELECTRONVOLT, high * ELECTRONVOLT),
    )
