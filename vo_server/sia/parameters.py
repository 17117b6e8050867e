"""The register of the parameters of SIA 2.0 (section 2.1): what each is, and its condition on ivoa.obscore.

A column without a value meets no condition.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isinf
from typing import Final

from vo_server.adql.writing import limited, overlap, string
from vo_server.dalivalues import interval, plain_text, read_number, shown
from vo_server.errors import UsageError
from vo_server.eventlists.interval import Interval
from vo_server.sia.regions import meets

POL_STATES: Final = ("I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA")
"""What pol_states may consist of (ObsCore 1.1, section B.6.6)."""

LEVELS: Final = ("0", "1", "2", "3", "4")
"""Values of calib_level (ObsCore 1.1, section 3.2, with the level 4 of its table 3)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `condition` turns a value of it into a condition in ADQL, or raises UsageError.

    The other fields are what a VOTable PARAM says of it; `options` are the only values that there are.
    """

    name: str
    description: str
    condition: Callable[[str], str]
    datatype: str = "char"
    arraysize: str | None = "*"
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    options: tuple[str, ...] = ()


def _interval(text: str, name: str) -> Interval:
    """Two numbers, or one that is both limits."""
    words = text.split()
    if len(words) != 1:
        return interval(text, name)
    value = read_number(words[0], name)
    if isinf(value):
        raise UsageError(f"{name}: {shown(text)} alone is no value; an open interval is '-Inf 1' or '1 +Inf'")
    return Interval(value, value)


def _overlap(lowest: str, highest: str, name: str, text: str) -> str:
    """Whether the interval of two columns has something in common with that of the value."""
    return overlap(lowest, highest, *_interval(text, name))


def _within(column: str, name: str, text: str) -> str:
    wanted = _interval(text, name)
    return f"({limited(column, '>=', wanted.low)} AND {limited(column, '<=', wanted.high)})"


def _equal(column: str, name: str, text: str) -> str:
    return f"{column} = {string(plain_text(text, name))}"


def _same_identifier(text: str) -> str:
    """IVOIDs are compared without regard to case (section 2.1.10)."""
    return f"LOWER(obs_publisher_did) = LOWER({string(plain_text(text, 'ID'))})"


def _polarised(text: str) -> str:
    state = _one_of(POL_STATES, "POL", text.upper())
    return f"pol_states LIKE {string(f'%/{state}/%')}"


def _level(text: str) -> str:
    return f"calib_level = {_one_of(LEVELS, 'CALIB', text)}"


def _one_of(known: tuple[str, ...], name: str, text: str) -> str:
    if text.strip() not in known:
        raise UsageError(f"{name} is one of {', '.join(known)}, not {shown(text)}")
    return text.strip()


def _numeric(name: str, description: str, columns: tuple[str, ...], unit: str | None, ucd: str) -> Parameter:
    compare = partial(_overlap, *columns) if len(columns) == 2 else partial(_within, *columns)
    told = f"{description}: a number, or an interval with -Inf and +Inf as open ends"
    return Parameter(name, told, partial(compare, name), "double", "2", "interval", unit, ucd)


def _text(name: str, description: str, column: str, ucd: str) -> Parameter:
    return Parameter(name, description, partial(_equal, column, name), ucd=ucd)


PARAMETERS: Final = (
    Parameter(
        "POS",
        "Region that the field of view is to meet: 'CIRCLE lon lat radius', 'RANGE lon1 lon2 lat1 lat2' or"
        " 'POLYGON lon1 lat1 lon2 lat2 lon3 lat3 ...' in degrees (ICRS)",
        meets,
        ucd="pos.outline;obs.field",
    ),
    _numeric("BAND", "Vacuum wavelengths that are covered in part", ("em_min", "em_max"), "m", "em.wl"),
    _numeric("TIME", "Times (MJD, UTC) that are covered in part", ("t_min", "t_max"), "d", "time"),
    Parameter("POL", "Polarisation state", _polarised, ucd="phys.polarization", options=POL_STATES),
    _numeric("FOV", "Diameter of the field of view", ("s_fov",), "deg", "phys.angSize;instr.fov"),
    _numeric("SPATRES", "Angular resolution", ("s_resolution",), "arcsec", "pos.angResolution"),
    _numeric("SPECRP", "Spectral resolving power", ("em_res_power",), None, "spect.resolution"),
    _numeric("EXPTIME", "Exposure", ("t_exptime",), "s", "time.duration;obs.exposure"),
    _numeric("TIMERES", "Time resolution", ("t_resolution",), "s", "time.resolution"),
    Parameter(
        "ID",
        "Publisher DID of a dataset, in upper or lower case",
        _same_identifier,
        ucd="meta.ref.ivoid",
    ),
    _text("COLLECTION", "Name of a data release", "obs_collection", "meta.id"),
    _text("FACILITY", "Name of an observatory", "facility_name", "meta.id;instr.tel"),
    _text("INSTRUMENT", "Name of an instrument", "instrument_name", "meta.id;instr"),
    _text(
        "DPTYPE",
        "Kind of data product, such as image; images, cubes and event lists where neither it nor ID is given",
        "dataproduct_type",
        "meta.code.class",
    ),
    Parameter("CALIB", "Calibration level", _level, "int", None, ucd="meta.code;obs.calib", options=LEVELS),
    _text("TARGET", "Name of a target, as the release writes it", "target_name", "meta.id;src"),
    _text("FORMAT", "Media type of what access_url delivers", "access_format", "meta.code.mime"),
)
"""All parameters that choose datasets."""
