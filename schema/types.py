"""The register of column types: one row ties ADQL, VOTable and PostgreSQL together.

Source of the correspondence: TAP 1.1 section 2.5 and TAPRegExt 1.0, VOTable 1.4 section 2.1,
DALI 1.1 section 3 (xtypes); of MOC, DALI 1.2. Time MOCs have no xtype yet.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """A column type as each of the three worlds spells it.

    `arraysize` is None for scalars. `numeric` orders the number types by width (None for others),
    so that an arithmetic result takes the wider of its operands.
    """

    name: str
    datatype: str
    arraysize: str | None
    xtype: str | None
    postgres: str
    numeric: int | None = None

    @property
    def is_text(self) -> bool:
        """True for character strings that are not geometries or timestamps."""
        return self.datatype == "char" and self.xtype is None

    @property
    def is_geometry(self) -> bool:
        """True for what CONTAINS and INTERSECTS accept."""
        return self.name in {"POINT", "CIRCLE", "POLYGON", "REGION", "MOC"}

    @property
    def is_array(self) -> bool:
        """True for arrays of numbers."""
        return self.name.endswith("[]")


SMALLINT = Type("SMALLINT", "short", None, None, "smallint", 1)
INTEGER = Type("INTEGER", "int", None, None, "integer", 2)
BIGINT = Type("BIGINT", "long", None, None, "bigint", 3)
REAL = Type("REAL", "float", None, None, "real", 4)
DOUBLE = Type("DOUBLE PRECISION", "double", None, None, "double precision", 5)
VARCHAR = Type("VARCHAR", "char", "*", None, "text")
TIMESTAMP = Type("TIMESTAMP", "char", "*", "timestamp", "timestamp without time zone")
POINT = Type("POINT", "double", "2", "point", "spoint")
CIRCLE = Type("CIRCLE", "double", "3", "circle", "scircle")
POLYGON = Type("POLYGON", "double", "*", "polygon", "spoly")
REGION = Type("REGION", "char", "*", "adql:REGION", "text")
MOC = Type("MOC", "char", "*", "moc", "smoc")
TMOC = Type("TMOC", "char", "*", None, "text")
SMALLINT_ARRAY = Type("SMALLINT[]", "short", "*", None, "smallint[]")
INTEGER_ARRAY = Type("INTEGER[]", "int", "*", None, "integer[]")
BIGINT_ARRAY = Type("BIGINT[]", "long", "*", None, "bigint[]")
REAL_ARRAY = Type("REAL[]", "float", "*", None, "real[]")
DOUBLE_ARRAY = Type("DOUBLE PRECISION[]", "double", "*", None, "double precision[]")

TYPES: dict[str, Type] = {
    t.name: t
    for t in (
        SMALLINT,
        INTEGER,
        BIGINT,
        REAL,
        DOUBLE,
        VARCHAR,
        TIMESTAMP,
        POINT,
        CIRCLE,
        POLYGON,
        REGION,
        MOC,
        TMOC,
        SMALLINT_ARRAY,
        INTEGER_ARRAY,
        BIGINT_ARRAY,
        REAL_ARRAY,
        DOUBLE_ARRAY,
    )
}
