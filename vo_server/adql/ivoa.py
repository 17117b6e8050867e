"""The IVOA's catalogue of user defined functions, version 1.2."""

from schema.types import BIGINT, DOUBLE, INTEGER, POINT, VARCHAR
from vo_server.adql.calls import LONG, NUMBER, POSITION, TEXT, TIME, WHOLE, Function
from vo_server.adql.terms import Meta

CATALOGUE: tuple[Function, ...] = (
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
        "to_tsvector('simple'::regconfig, {0}) @@ plainto_tsquery('simple'::regconfig, {1})",
        "1 if all words of needle occur in haystack whatever the case, else 0.",
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
    Function(
        "ivo_interval_overlaps",
        (("l1", NUMBER), ("h1", NUMBER), ("l2", NUMBER), ("h2", NUMBER)),
        INTEGER,
        "{0} <= {3} AND {2} <= {1} AND {0} <= {1} AND {2} <= {3}",
        "1 if the intervals [l1, h1] and [l2, h2] have a point in common, else 0.",
        predicate=True,
    ),
    Function(
        "ivo_string_agg",
        (("expression", TEXT), ("delimiter", TEXT)),
        VARCHAR,
        "string_agg({0}, {1})",
        "An aggregate: the strings of a group, joined by the delimiter; NULLs are left out.",
        aggregate=True,
    ),
    Function(
        "ivo_to_jd",
        (("d", TIME),),
        DOUBLE,
        "(extract(epoch FROM {0}) / 86400 + 2440587.5)::float8",
        "The timestamp as Julian date; the time scale stays as it is.",
        Meta(unit="d", ucd="time.epoch"),
    ),
    Function(
        "ivo_to_mjd",
        (("d", TIME),),
        DOUBLE,
        "(extract(epoch FROM {0}) / 86400 + 40587)::float8",
        "The timestamp as modified Julian date; the time scale stays as it is.",
        Meta(unit="d", ucd="time.epoch"),
    ),
    Function(
        "ivo_healpix_index",
        (("hpxOrder", WHOLE), ("long", NUMBER), ("lat", NUMBER)),
        BIGINT,
        "healpix_nest({0}, spoint(radians({1}), radians({2})))",
        "The HEALPix of an order (nested scheme) that holds the position in degrees.",
        Meta(ucd="pos.healpix"),
    ),
    Function(
        "ivo_healpix_index",
        (("hpxOrder", WHOLE), ("p", POSITION)),
        BIGINT,
        "healpix_nest({0}, {1})",
        "The HEALPix of an order (nested scheme) that holds the point.",
        Meta(ucd="pos.healpix"),
    ),
    Function(
        "ivo_healpix_center",
        (("hpxOrder", WHOLE), ("hpxIndex", LONG)),
        POINT,
        "center_of_healpix_nest({0}, {1})",
        "The centre of a HEALPix of an order (nested scheme).",
        Meta(unit="deg", ucd="pos.eq"),
    ),
)
