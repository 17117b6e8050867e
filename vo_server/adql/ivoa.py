"""The IVOA's catalogue of user defined functions, version 1.2, but for ivo_simbadpoint (`objects`).

Arguments have the names that the catalogue gives them.
"""

from dataclasses import replace

from schema.types import BIGINT, DOUBLE, INTEGER, INTEGER_ARRAY, POINT, REGION, VARCHAR
from vo_server.adql.calls import GEOMETRY as SHAPE
from vo_server.adql.calls import LITERAL, LONG, NUMBER, POSITION, TEXT, TIME, WHOLE, Arguments, Function
from vo_server.adql.errors import ADQLError
from vo_server.adql.frames import FRAMES
from vo_server.adql.geometry import GEOMETRY
from vo_server.adql.metadata import same_unit
from vo_server.adql.terms import Meta, Shape, Term
from vo_server.adql.transform import geom_transform

DEEPEST_ORDER = 29
"""The finest order of HEALPix that pgSphere knows; its cells fit into 64 bits."""

MOST_BINS = 1000
"""Most bins of a histogram: PostgreSQL copies all of them for each value."""

# Needle and haystack are cut into runs of letters and digits, so that names like HESS J1745-290 are
# found by any of their parts; the text search of PostgreSQL reads signs, hosts and paths in them.
_HASWORD = (
    "array_remove(regexp_split_to_array(lower({1}), '[^[:alnum:]]+'), '')"
    " <@ regexp_split_to_array(lower({0}), '[^[:alnum:]]+')"
)

# Box and Muller 1958, Annals of Mathematical Statistics 29, 610. random() may be 0, but not 1.
_NORMAL = "({0} + {1} * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))"


def _whole(term: Term, low: int, high: int, what: str) -> None:
    """ADQLError if a constant argument is outside of low..high."""
    if isinstance(term.constant, int) and not low <= term.constant <= high:
        raise ADQLError(
            f"the {what} {term.constant} is out of range", term.at, f"it goes from {low} to {high}"
        )


def _healpix_index(call: Arguments) -> Term:
    order, *position = call.terms
    _whole(order, 0, DEEPEST_ORDER, "order")
    if len(position) == 2:
        position = [GEOMETRY["POINT"].build(replace(call, name="POINT", terms=position))]
    point = replace(call, terms=position).shape(0, "point")
    return call.result(f"healpix_nest({order.sql}, {point.sql})", BIGINT, Meta(ucd="pos.healpix"))


def _healpix_center(call: Arguments) -> Term:
    order, index = call.terms
    _whole(order, 0, DEEPEST_ORDER, "order")
    if isinstance(order.constant, int):
        _whole(index, 0, 12 * 4**order.constant - 1, "HEALPix index")
    sql = f"center_of_healpix_nest({order.sql}, {index.sql})"
    return call.result(sql, POINT, POSITION_META, Shape("point", sql))


def _histogram(call: Arguments) -> Term:
    _, lower, upper, nbins = call.terms
    if not isinstance(nbins.constant, int):
        raise ADQLError(f"{call.name} takes its number of bins as a constant", nbins.at, "for example 20")
    _whole(nbins, 1, MOST_BINS, "number of bins")
    limits = lower.constant, upper.constant
    if isinstance(limits[0], float | int) and isinstance(limits[1], float | int) and limits[0] >= limits[1]:
        raise ADQLError(
            f"the lower limit {limits[0]} is not below the upper limit {limits[1]}",
            (lower.at[0], upper.at[1]),
            f"it is written {call.name}(val, lower, upper, nbins)",
        )
    sql = (
        f"COALESCE(vo.histogram({', '.join(t.sql for t in call.terms)}),"
        f" array_fill(0, ARRAY[{nbins.constant + 2}]))"
    )
    return call.result(sql, INTEGER_ARRAY, Meta(ucd="meta.number"))


EPOCH_PROP_POS = "ra dec parallax pmra pmdec radial_velocity ref_epoch out_epoch"

DATE = Meta(unit="d", ucd="time.epoch")
ANGLE = Meta(unit="deg")
POSITION_META = Meta(unit="deg", ucd="pos.eq")

TEXTS: tuple[Function, ...] = (
    Function(
        "ivo_string_agg",
        (("expression", TEXT), ("delimiter", TEXT)),
        VARCHAR,
        "string_agg({0}, {1})",
        "An aggregate: the strings of a group, joined by the delimiter; NULLs are left out.",
        aggregate=True,
    ),
    Function(
        "ivo_nocasematch",
        (("value", TEXT), ("pattern", TEXT)),
        INTEGER,
        "{0} ILIKE {1} ESCAPE ''",
        "1 if value matches the LIKE pattern whatever the case, else 0.",
        predicate=True,
    ),
    Function(
        "ivo_hasword",
        (("haystack", TEXT), ("needle", TEXT)),
        INTEGER,
        _HASWORD,
        "1 if all words of needle occur in haystack whatever the case, else 0; words are runs of letters"
        " and digits.",
        predicate=True,
    ),
    Function(
        "ivo_hashlist_has",
        (("hashlist", TEXT), ("item", TEXT)),
        INTEGER,
        "position('#' in {1}) = 0 AND lower({1}) = ANY (string_to_array(lower({0}), '#'))",
        "1 if item is one of the words of hashlist, which # separates, whatever the case; else 0.",
        predicate=True,
    ),
)

NUMBERS: tuple[Function, ...] = (
    Function(
        "ivo_histogram",
        (("val", NUMBER), ("lower", NUMBER), ("upper", NUMBER), ("nbins", WHOLE)),
        INTEGER_ARRAY,
        "",
        "An aggregate: how many values are below lower or NULL, in each of nbins bins of equal width up to"
        f" upper (which is in the last one), and above. nbins is a constant from 1 to {MOST_BINS}; of no"
        " rows, all counts are 0.",
        aggregate=True,
        build=_histogram,
    ),
    Function(
        "ivo_normal_random",
        (("mu", NUMBER), ("sigma", NUMBER)),
        DOUBLE,
        _NORMAL,
        "A random number from the normal distribution about mu with standard deviation sigma.",
        same_unit,
    ),
    Function(
        "ivo_interval_overlaps",
        (("a1", NUMBER), ("b1", NUMBER), ("a2", NUMBER), ("b2", NUMBER)),
        INTEGER,
        "{0} <= {3} AND {2} <= {1} AND {0} <= {1} AND {2} <= {3}",
        "1 if the intervals [a1, b1] and [a2, b2] have a point in common, else 0.",
        predicate=True,
    ),
    Function(
        "ivo_to_jd",
        (("d", TIME),),
        DOUBLE,
        "(extract(epoch FROM {0}) / 86400 + 2440587.5)::float8",
        "The timestamp as Julian date; the time scale stays as it is.",
        DATE,
    ),
    Function(
        "ivo_to_mjd",
        (("d", TIME),),
        DOUBLE,
        "(extract(epoch FROM {0}) / 86400 + 40587)::float8",
        "The timestamp as modified Julian date; the time scale stays as it is.",
        DATE,
    ),
)

SKY: tuple[Function, ...] = (
    Function(
        "ivo_healpix_index",
        (("hpxOrder", WHOLE), ("long", NUMBER), ("lat", NUMBER)),
        BIGINT,
        "",
        "The HEALPix of an order (nested scheme) that holds the position in degrees.",
        build=_healpix_index,
    ),
    Function(
        "ivo_healpix_index",
        (("hpxOrder", WHOLE), ("point", POSITION)),
        BIGINT,
        "",
        "The HEALPix of an order (nested scheme) that holds the point.",
        build=_healpix_index,
    ),
    Function(
        "ivo_healpix_center",
        (("hpxOrder", WHOLE), ("hpxIndex", LONG)),
        POINT,
        "",
        "The centre of a HEALPix of an order (nested scheme).",
        build=_healpix_center,
    ),
    Function(
        "ivo_epoch_prop_pos",
        tuple((name, NUMBER) for name in EPOCH_PROP_POS.split()),
        POINT,
        f"vo.epoch_prop_pos({', '.join(f'{{{i}}}' for i in range(8))})",
        "The position at out_epoch after linear motion from ref_epoch: degrees, mas, mas/yr (pmra with"
        " cos dec), km/s, Julian years. No parallax is an infinite distance, no motion is none; a"
        " position or an epoch that is NULL is an error.",
        POSITION_META,
    ),
    Function(
        "ivo_geom_transform",
        (("from_sys", LITERAL), ("to_sys", LITERAL), ("geo", SHAPE)),
        REGION,
        "",
        f"The geometry in another reference frame, by a rotation; frames are {', '.join(FRAMES)}."
        " Equinoxes are J2000, of FK4 B1950. A column of regions comes out as STC-S.",
        build=geom_transform,
        returns=SHAPE,
    ),
    Function(
        "ivo_hms_to_degrees",
        (("hms", TEXT),),
        DOUBLE,
        "vo.hms_to_degrees({0})",
        "Degrees from hours, minutes and seconds as h:m:s, hhmmss or hHmMsS; NULL for other text.",
        ANGLE,
    ),
    Function(
        "ivo_dms_to_degrees",
        (("dms", TEXT),),
        DOUBLE,
        "vo.dms_to_degrees({0})",
        "Degrees from degrees, minutes and seconds as d:m:s, ddmmss or dDmMsS, with a sign or without;"
        " NULL for other text.",
        ANGLE,
    ),
)

CATALOGUE: tuple[Function, ...] = (*TEXTS, *NUMBERS, *SKY)
