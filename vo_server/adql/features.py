"""The language features to declare in the TAP capabilities (TAPRegExt 1.0, section 2.3)."""

from dataclasses import dataclass

from vo_server.adql.expressions import CASTS
from vo_server.adql.extensions import EXTENSIONS
from vo_server.adql.functions import USER_DEFINED
from vo_server.adql.geometry import GEOMETRY
from vo_server.adql.mathematics import STRINGS
from vo_server.adql.objects import SIMBADPOINT
from vo_server.adql.parser import SET_OPERATORS

PREFIX = "ivo://ivoa.net/std/TAPRegExt#features-"
CONDITIONAL = "ivo://ivoa.net/std/tapregext#features-adql-conditional"
"""In the lower case of ADQL 2.1: STILTS 3.4.7 calls this one type an error in the case of TAPRegExt 1.0."""

OWN = "urn:x-vo-server:features-adql-extension"
"""What ADQL does not have. TAPRegExt lets services have types of their own; STILTS 3.4.7 warns of them."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One <feature>: its form and what it does."""

    form: str
    description: str


FEATURES: dict[str, tuple[Feature, ...]] = {
    PREFIX + "udf": tuple(Feature(f.signature, f.doc) for f in USER_DEFINED),
    PREFIX + "adqlgeo": tuple(Feature(name, f.doc) for name, f in GEOMETRY.items()),
    PREFIX + "adql-string": (
        *(Feature(f.name, f.doc) for f in STRINGS),
        Feature("ILIKE", "LIKE whatever the case."),
    ),
    PREFIX + "adql-common-table": (Feature("WITH", "Common table expressions, not recursive."),),
    PREFIX + "adql-sets": tuple(
        Feature(name, f"{name} and {name} ALL of two queries.") for level in SET_OPERATORS for name in level
    ),
    PREFIX + "adql-type": (Feature("CAST", f"CAST(value AS type), to {', '.join(CASTS)}."),),
    CONDITIONAL: (Feature("COALESCE", "The first argument that is not NULL."),),
    PREFIX + "adql-unit": (Feature("IN_UNIT", "IN_UNIT(value, 'unit') converts a value to another unit."),),
    PREFIX + "adql-offset": (Feature("OFFSET", "OFFSET n leaves out the first n rows."),),
    OWN: tuple(Feature(e.form, e.description) for e in EXTENSIONS),
}
"""Features by TAPRegExt feature type."""

RESOLVER_FEATURES: dict[str, tuple[Feature, ...]] = {
    **FEATURES,
    PREFIX + "udf": (*FEATURES[PREFIX + "udf"], Feature(SIMBADPOINT.signature, SIMBADPOINT.doc)),
}
"""FEATURES of a service that looks up the names of objects."""
