"""A cone and the query that finds what lies in it (Simple Cone Search 1.03, section 2)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from schema.model import Column, Table
from vo_server import dali
from vo_server.adql.translation import ResultColumn
from vo_server.adql.writing import number
from vo_server.dali import Parameters
from vo_server.dalivalues import read_number, shown
from vo_server.errors import UsageError
from vo_server.results import find_format
from vo_server.results.field import ResultField
from vo_server.settings import Settings
from vo_server.tap.request import TapRequest

STANDARD: Final = "ivo://ivoa.net/std/ConeSearch"

DEFAULT_FORMAT: Final = "text/xml;content=x-votable"
"""What section 2 calls the answer; its readers are older than BINARY2, so that it has TABLEDATA."""

UCDS: Final[Mapping[str, str]] = {
    "obs_publisher_did": "ID_MAIN",
    "s_ra": "POS_EQ_RA_MAIN",
    "s_dec": "POS_EQ_DEC_MAIN",
}
"""Column -> the UCD1 word by which section 2 finds it; there is one of each."""

FEWEST: Final = {*UCDS, "obs_id", "target_name"}

VERBOSITIES: Final[Mapping[str, Callable[[Column], bool]]] = {
    "1": lambda column: column.name in FEWEST,
    "2": lambda column: column.principal or column.name in FEWEST,
    "3": lambda column: True,
}
"""VERB -> which columns are in the answer."""

DEFAULT_VERBOSITY: Final = "2"


@dataclass(frozen=True, slots=True)
class Cone:
    """Everything up to `radius` from a position (ICRS), in degrees."""

    lon: float
    lat: float
    radius: float

    @classmethod
    def of(cls, parameters: Parameters) -> "Cone":
        """The cone of RA, DEC and SR. Raises UsageError if one is missing, no number or out of range."""
        return cls(*(_number(parameters, *limits) for limits in _LIMITS))


_LIMITS: Final = (
    ("RA", "right ascension (ICRS)", 0.0, 360.0),
    ("DEC", "declination (ICRS)", -90.0, 90.0),
    ("SR", "radius", 0.0, 180.0),
)


def _number(parameters: Parameters, name: str, quantity: str, low: float, high: float) -> float:
    wanted = f"the {quantity} in decimal degrees, {low:g} to {high:g}"
    text = parameters.one(name)
    if text is None:
        raise UsageError(f"{name} is missing: {wanted}")
    value = read_number(text.strip(), name)
    if not low <= value <= high:
        raise UsageError(f"{name} is {wanted}; {shown(text)} is out of range")
    return value


def request(parameters: Parameters, table: Table, settings: Settings) -> TapRequest:
    """The query for what a collection's `table` has in the cone of the parameters.

    A radius of 0 is a radius as others are: it finds the fields, and what lies there exactly. Raises
    UsageError; unknown parameters are ignored.
    """
    cone = Cone.of(parameters)
    verbosity = (parameters.one("VERB") or DEFAULT_VERBOSITY).strip()
    if verbosity not in VERBOSITIES:
        raise UsageError(f"VERB is one of {', '.join(VERBOSITIES)}, not {shown(verbosity)}")
    shown_columns = [c.adql_name for c in table.columns if VERBOSITIES[verbosity](c)]
    center = f"{number(cone.lon)}, {number(cone.lat)}"
    return TapRequest(
        f"SELECT {', '.join(shown_columns)} FROM {table.adql_name}"  # noqa: S608  names and numbers
        f" WHERE 1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE({center}, {number(cone.radius)}))",
        dali.maxrec(parameters, settings),
        *find_format(parameters.one("RESPONSEFORMAT") or DEFAULT_FORMAT),
        standard=STANDARD,
    )


def first_position(table: Table) -> str:
    """A query for the position of one dataset, for those who look whether the service works."""
    return (
        f"SELECT TOP 1 s_ra, s_dec FROM {table.adql_name}"  # noqa: S608  a name
        " WHERE s_ra IS NOT NULL AND s_dec IS NOT NULL ORDER BY obs_publisher_did"
    )


def named(columns: Iterable[ResultField]) -> list[ResultColumn]:
    """Columns of the answer with the UCDs by which clients find identifier and position."""
    return [
        ResultColumn(c.name, c.type, c.description, c.unit, UCDS.get(c.name, c.ucd), c.utype) for c in columns
    ]
