"""The register of the parameters that choose spectra (SSA 1.1, section 4.1): what each is, and its condition.

Conditions are ADQL over ivoa.obscore; a column without a value meets none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from vo_server.adql.writing import number, overlap, string
from vo_server.dali import Parameters
from vo_server.dalivalues import plain_text, read_number, shown
from vo_server.errors import UsageError
from vo_server.eventlists.interval import Interval
from vo_server.ssa.ranges import intervals, moment, values, wavelength

DEFAULT_SIZE: Final = 1.0
"""Diameter of the search in degrees where POS comes without SIZE: the service chooses what is reasonable."""

FRAMES: Final = ("ICRS", "FK5", "GALACTIC")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `condition` turns its value into ADQL, given all parameters, or raises UsageError.

    None stands for a parameter that is read elsewhere. The rest describes it in the metadata of the service.
    """

    name: str
    description: str
    condition: Callable[[str, Parameters], str] | None = None
    datatype: str = "char"
    arraysize: str | None = "*"
    unit: str | None = None
    ucd: str | None = None
    default: str = ""
    options: tuple[str, ...] = ()


def _position(text: str, parameters: Parameters) -> str:
    place, _, qualifier = text.partition(";")
    frame = qualifier.strip().upper() or FRAMES[0]
    words = place.split(",")
    if len(words) != 2:
        raise UsageError(f"POS is longitude,latitude in degrees, such as 83.63,22.01, not {shown(text)}")
    lon, lat = (read_number(word.strip(), "POS") for word in words)
    if frame not in FRAMES:
        raise UsageError(f"POS: the frame {shown(qualifier)} is not known; known are {', '.join(FRAMES)}")
    if not (0 <= lon <= 360 and -90 <= lat <= 90):
        raise UsageError(f"POS: {shown(place)} is no position: 0 to 360 and -90 to 90 degrees")
    size = parameters.one("SIZE")
    diameter = DEFAULT_SIZE if size is None else read_number(size.strip(), "SIZE")
    if not 0 <= diameter <= 360:
        raise UsageError(f"SIZE is the diameter of the search, 0 to 360 degrees, not {shown(str(size))}")
    circle = f"CIRCLE({string(frame)}, {number(lon)}, {number(lat)}, {number(diameter / 2)})"
    return f"1 = CONTAINS(POINT(s_ra, s_dec), {circle})"


def _overlap(
    name: str, lowest: str, highest: str, limits: Callable[[str, str], Interval], text: str, _: Parameters
) -> str:
    """Whether the interval of two columns has something in common with one of the ranges."""
    found = (overlap(lowest, highest, *wanted) for wanted in intervals(text, name, limits))
    return f"({' OR '.join(found)})"


def _same(name: str, column: str, text: str, _: Parameters) -> str:
    """Names are compared without regard to case."""
    words = values(plain_text(text, name), name)
    return "(" + " OR ".join(f"LOWER({column}) = LOWER({string(word)})" for word in words) + ")"


PARAMETERS: Final = (
    Parameter(
        "POS",
        f"Position as longitude,latitude; behind a semicolon may stand a frame: {', '.join(FRAMES)}",
        _position,
        unit="deg",
        ucd="pos.eq",
    ),
    Parameter(
        "SIZE",
        "Diameter of the search about POS",
        None,
        "double",
        None,
        "deg",
        "phys.angSize",
        f"{DEFAULT_SIZE}",
    ),
    Parameter(
        "BAND",
        "Wavelengths in vacuum, as ranges low/high of which one side may be missing, or names of bands",
        partial(_overlap, "BAND", "em_min", "em_max", wavelength),
        unit="m",
        ucd="em.wl",
    ),
    Parameter(
        "TIME",
        "Times (ISO 8601, UTC), as ranges start/stop of which one side may be missing",
        partial(_overlap, "TIME", "t_min", "t_max", moment),
        ucd="time.epoch",
    ),
    Parameter(
        "FORMAT",
        "Format of the spectra; metadata describes the service",
        default="all",
        options=("all", "compliant", "native", "votable", "fits", "xml", "graphic", "metadata"),
    ),
    Parameter(
        "TARGETNAME", "Names of targets", partial(_same, "TARGETNAME", "target_name"), ucd="meta.id;src"
    ),
    Parameter(
        "PUBDID", "IVOID of a spectrum", partial(_same, "PUBDID", "obs_publisher_did"), ucd="meta.ref.ivoid"
    ),
    Parameter(
        "COLLECTION", "Names of data releases", partial(_same, "COLLECTION", "obs_collection"), ucd="meta.id"
    ),
    Parameter(
        "FLUXCALIB",
        "Calibration of the flux, such as absolute",
        partial(_same, "FLUXCALIB", "o_calib_status"),
    ),
    Parameter("TOP", "Rows of the answer, the first of all", None, "int", None),
    Parameter("MAXREC", "Rows of the answer at most", None, "int", None),
)
"""What the service reads; it ignores other parameters, as the standard wants it."""
