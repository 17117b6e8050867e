"""What result columns say of themselves: type, unit, UCD, utype and description."""

import pytest
from astropy.io.votable.ucd import check_ucd

from schema.collection import Collection
from schema.load import catalogue as published
from schema.model import Catalogue, Column, Schema, Table
from schema.types import BIGINT, DOUBLE, INTEGER, REGION, TIMESTAMP, VARCHAR, Type
from vo_server.adql import ResultColumn, translate
from vo_server.adql.metadata import MAX_DESCRIPTION

MAIN = Table(
    "far",
    "stars",
    (
        Column("ra", DOUBLE, "Right ascension", "deg", "pos.eq.ra;meta.main", "x:ra"),
        Column("pm_ra", DOUBLE, "Motion", "mas/yr", "pos.pm;pos.eq.ra"),
        Column("pm_dec", DOUBLE, "Motion", "mas.yr**-1", "pos.pm;pos.eq.dec"),
        Column("brightest", DOUBLE, "Least magnitude", "mag", "phot.mag;stat.min"),
        Column("length", DOUBLE, "Length", "furlong"),
    ),
)


@pytest.fixture(scope="module")
def sky(catalogue: Catalogue) -> Catalogue:
    return catalogue.extended([Schema("far", (MAIN,))])


def column(expression: str, catalogue: Catalogue, table: str = "sky.obs") -> ResultColumn:
    (found,) = translate(f"SELECT {expression} FROM {table}", catalogue).columns
    return found


RA = ("Right ascension", "deg", "pos.eq.ra", None, "sky.obs.s_ra")
ID = ("Name of the observation", None, "meta.id", "obs.id", "sky.obs.obs_id")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT s_ra AS x, obs_id AS y FROM sky.obs", [RA, ID]),
        ("SELECT (s_ra), o.obs_id FROM sky.obs AS o", [RA, ID]),
        ("SELECT q.* FROM (SELECT s_ra AS x, obs_id FROM sky.obs) AS q", [RA, ID]),
        ("WITH q AS (SELECT s_ra, obs_id AS y FROM sky.obs) SELECT a.s_ra, a.y FROM q AS a", [RA, ID]),
        ("SELECT s_ra, obs_id FROM sky.obs GROUP BY s_ra, obs_id", [RA, ID]),
        ("SELECT DISTINCT s_ra, obs_id FROM sky.obs ORDER BY s_ra", [RA, ID]),
        ("SELECT s_ra, obs_id FROM sky.obs UNION SELECT s_ra, obs_id FROM sky.obs ORDER BY 1", [RA, ID]),
        ("SELECT s_ra, obs_id FROM sky.obs NATURAL JOIN other.obs", [RA, ID]),
        ("SELECT s_ra, obs_id FROM sky.obs LEFT JOIN sky.hea USING (obs_id)", [RA, ID]),
        (
            "SELECT s_ra, obs_id FROM sky.obs FULL JOIN sky.hea USING (obs_id)",
            [RA, (*ID[:4], None)],
        ),
        (
            "SELECT s_ra FROM sky.obs UNION SELECT s_dec FROM sky.obs",
            [(*RA[:4], None)],
        ),
        (
            "SELECT s_ra FROM sky.obs EXCEPT SELECT energy_min FROM sky.hea",
            [(*RA[:4], None)],
        ),
        (
            "SELECT energy_min FROM sky.hea UNION SELECT s_ra FROM sky.obs",
            [("Lowest energy", "TeV", None, None, None)],
        ),
    ],
)
def test_passing_through(text: str, expected: list[tuple[str | None, ...]], catalogue: Catalogue) -> None:
    columns = translate(text, catalogue).columns
    assert [(c.description, c.unit, c.ucd, c.utype, c.source) for c in columns] == expected


def test_a_view_says_what_its_tables_say() -> None:
    tables = published((Collection(name="example", schema="example"),))
    view, table = (
        {c.name: (c.type, c.unit, c.ucd, c.utype, c.description) for c in translate(q, tables).columns}
        for q in ("SELECT * FROM example.obscore", "SELECT * FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea")
    )
    assert len(table) > 60
    assert {name: view[name] for name in table} == table


COMPUTED: list[tuple[str, Type, str | None, str | None]] = [
    ("s_ra + s_dec", DOUBLE, "deg", None),
    ("s_ra - 1", DOUBLE, "deg", None),
    ("2 * 3 - s_ra", DOUBLE, "deg", None),
    ("s_ra + NULL", DOUBLE, "deg", None),
    ("s_ra + n_events", DOUBLE, None, None),
    ("s_ra + t_min", DOUBLE, None, None),
    ("t_min - t_min", DOUBLE, "d", None),
    ("s_ra + 1 + t_min", DOUBLE, None, None),
    ("2 * s_ra", DOUBLE, "deg", None),
    ("t_min / 24", DOUBLE, "d", None),
    ("s_ra * s_dec", DOUBLE, "deg**2", None),
    ("s_ra / t_min", DOUBLE, "deg.d**-1", None),
    ("1 / t_min", DOUBLE, "d**-1", None),
    ("s_ra / s_dec", DOUBLE, None, None),
    ("n_bytes * n_events", BIGINT, "byte", None),
    ("n_events / 2", INTEGER, None, None),
    ("- s_ra", DOUBLE, "deg", None),
    ("ABS(s_dec)", DOUBLE, "deg", None),
    ("ROUND(s_ra, 2)", DOUBLE, "deg", "pos.eq.ra"),
    ("ROUND(s_ra)", DOUBLE, "deg", "pos.eq.ra"),
    ("TRUNCATE(s_ra)", DOUBLE, "deg", "pos.eq.ra"),
    ("TRUNCATE(s_ra, 1)", DOUBLE, "deg", "pos.eq.ra"),
    ("CEILING(t_min)", DOUBLE, "d", "time.start"),
    ("FLOOR(t_min)", DOUBLE, "d", "time.start"),
    ("MOD(t_min, 1)", DOUBLE, "d", None),
    ("MOD(s_ra, s_dec)", DOUBLE, "deg", None),
    ("MOD(s_ra, t_min)", DOUBLE, None, None),
    ("SQRT(n_bytes * n_bytes)", DOUBLE, "byte", None),
    ("SQRT(em_min)", DOUBLE, "m**(1/2)", None),
    ("POWER(em_min, 2)", DOUBLE, "m**2", None),
    ("POWER(em_min, -1)", DOUBLE, "m**-1", None),
    ("POWER(em_min, n_events)", DOUBLE, None, None),
    ("POWER(n_events, 2)", DOUBLE, None, None),
    ("SIN(RADIANS(s_ra))", DOUBLE, None, None),
    ("RADIANS(s_ra)", DOUBLE, "rad", None),
    ("DEGREES(1)", DOUBLE, "deg", None),
    ("ATAN2(s_ra, s_dec)", DOUBLE, "rad", None),
    ("LOG10(em_min)", DOUBLE, None, None),
    ("EXP(1)", DOUBLE, None, None),
    ("PI()", DOUBLE, None, None),
    ("COUNT(*)", BIGINT, None, "meta.number"),
    ("COUNT(s_ra)", BIGINT, None, "meta.number"),
    ("MIN(t_min)", DOUBLE, "d", "time.start;stat.min"),
    ("MAX(s_ra)", DOUBLE, "deg", "pos.eq.ra;stat.max"),
    ("MAX(target)", VARCHAR, None, None),
    ("MAX(released)", TIMESTAMP, None, None),
    ("MAX(obs_id)", VARCHAR, None, "meta.id;stat.max"),
    ("AVG(s_dec)", DOUBLE, "deg", "pos.eq.dec;stat.mean"),
    ("SUM(n_bytes)", BIGINT, "byte", None),
    ("SUM(t_min)", DOUBLE, "d", "time.start;arith.sum"),
    ("MAX(s_ra) - MIN(s_ra)", DOUBLE, "deg", None),
    ("MAX(s_ra + 1)", DOUBLE, "deg", None),
    ("DISTANCE(s_ra, s_dec, 1, 2)", DOUBLE, "deg", "pos.angDistance"),
    ("DISTANCE(s_ra, s_dec, 1, 2) * 60", DOUBLE, "deg", None),
    ("AREA(s_region)", DOUBLE, "deg**2", "phys.angArea"),
    ("SQRT(AREA(s_region))", DOUBLE, "deg", None),
    ("COORD1(POINT(s_ra, s_dec))", DOUBLE, "deg", "pos.eq.ra"),
    ("CONTAINS(POINT(s_ra, s_dec), s_region)", INTEGER, None, None),
    ("COALESCE(s_ra, 0)", DOUBLE, "deg", "pos.eq.ra"),
    ("COALESCE(NULL, s_ra, s_ra)", DOUBLE, "deg", "pos.eq.ra"),
    ("COALESCE(s_ra, s_dec)", DOUBLE, "deg", None),
    ("COALESCE(s_ra, t_min)", DOUBLE, None, None),
    ("COALESCE(1, 2)", INTEGER, None, None),
    ("CAST(s_ra AS INTEGER)", INTEGER, "deg", "pos.eq.ra"),
    ("CAST(s_ra AS VARCHAR)", VARCHAR, None, "pos.eq.ra"),
    ("CAST(obs_id AS BIGINT)", BIGINT, None, "meta.id"),
    ("obs_id || target", VARCHAR, None, None),
    ("s_ra || s_dec", VARCHAR, None, None),
    ("LOWER(obs_id)", VARCHAR, None, None),
    ("IN_UNIT(s_ra, 'rad')", DOUBLE, "rad", "pos.eq.ra"),
    ("IN_UNIT(MAX(s_ra), 'rad')", DOUBLE, "rad", "pos.eq.ra;stat.max"),
    ("ivo_to_mjd(released)", DOUBLE, "d", "time.epoch"),
    ("ivo_to_mjd(released) - t_min", DOUBLE, "d", None),
    ("42", INTEGER, None, None),
    ("'a'", VARCHAR, None, None),
    ("NULL", VARCHAR, None, None),
]


@pytest.mark.parametrize(("expression", "kind", "unit", "ucd"), COMPUTED, ids=[c[0] for c in COMPUTED])
def test_computed(
    expression: str, kind: Type, unit: str | None, ucd: str | None, catalogue: Catalogue
) -> None:
    found = column(expression, catalogue)
    assert (found.type, found.unit, found.ucd) == (kind, unit, ucd)
    assert (found.utype, found.source, found.description) == (None, None, expression)
    assert ucd is None or check_ucd(ucd, check_controlled_vocabulary=True)


@pytest.mark.parametrize(
    ("expression", "unit", "ucd"),
    [
        ("MAX(ra)", "deg", "pos.eq.ra;stat.max"),
        ("MIN(brightest)", "mag", "phot.mag;stat.min"),
        ("MAX(brightest)", "mag", "phot.mag;stat.min;stat.max"),
        ("ROUND(ra)", "deg", "pos.eq.ra;meta.main"),
        ("SQRT(POWER(pm_ra, 2) + POWER(pm_dec, 2))", "mas.yr**-1", None),
        ("pm_ra + pm_dec", "mas/yr", None),
        ("length + length", "furlong", None),
        ("length + 1", "furlong", None),
        ("length * ra", None, None),
        ("SQRT(length)", None, None),
        ("length * ra / ra", None, None),
        ("(length * ra) * ra", None, None),
        ("(ra + pm_ra) * ra", None, None),
        ("(ra + pm_ra) - (ra + pm_ra)", None, None),
        ("SQRT(ra + pm_ra) * ra", None, None),
        ("POWER(ra, ra) * ra", None, None),
        ("COALESCE(ra, pm_ra) * ra", None, None),
        ("ROUND(length * ra) + 1", None, None),
        ("ra / ra * ra", "deg", None),
        ("LOG(ra) * ra", "deg", None),
        ("CAST(ra AS REAL)", "deg", "pos.eq.ra;meta.main"),
    ],
)
def test_units_and_words_that_are_written_otherwise(
    expression: str, unit: str | None, ucd: str | None, sky: Catalogue
) -> None:
    found = column(expression, sky, "far.stars")
    assert (found.unit, found.ucd, found.utype) == (unit, ucd, None)


def test_a_computed_column_passes_through_a_subquery(catalogue: Catalogue) -> None:
    inner = "SELECT target, AVG(t_min) AS middle FROM sky.obs GROUP BY target"
    middle = ResultColumn("m", DOUBLE, "AVG(t_min)", "d", "time.start;stat.mean")
    assert translate(f"SELECT middle AS m FROM ({inner}) AS q", catalogue).columns == (middle,)
    assert translate(f"WITH q AS ({inner}) SELECT middle AS m FROM q", catalogue).columns == (middle,)
    outer = translate(f"SELECT IN_UNIT(MAX(middle), 'h') FROM ({inner}) AS q", catalogue).columns
    expected = "IN_UNIT(MAX(middle), 'h')"
    assert outer == (ResultColumn("in_unit", DOUBLE, expected, "h", "time.start;stat.mean;stat.max"),)


def test_the_description_is_one_short_line(catalogue: Catalogue) -> None:
    assert column("MAX(s_ra\n\t+  1)", catalogue).description == "MAX(s_ra + 1)"
    long = column(" + ".join(["s_ra"] * 500), catalogue).description
    assert len(long) <= MAX_DESCRIPTION
    assert long.startswith("s_ra + s_ra")
    assert long.endswith("...")
    assert column("(s_region)", catalogue) == ResultColumn(
        "s_region", REGION, "Sky coverage", source="sky.obs.s_region"
    )


def test_ucds_of_statistics_are_valid_for_every_published_column() -> None:
    tables = published((Collection(name="example", schema="example", events=True),))
    checked = 0
    for table in tables.tables:
        for c in table.columns:
            if c.ucd is None or c.type.is_array or c.type.is_geometry:
                continue
            if not check_ucd(c.ucd, check_controlled_vocabulary=True):
                continue  # words of the high-energy extension that are not in the list yet
            functions = ("MIN", "MAX", "AVG", "SUM") if c.type.numeric else ("MIN", "MAX")
            items = ", ".join(f"{f}({c.adql_name})" for f in functions)
            for found in translate(f"SELECT {items} FROM {table.adql_name}", tables).columns:
                assert found.ucd is not None
                assert check_ucd(found.ucd, check_controlled_vocabulary=True), found.ucd
                checked += 1
    assert checked > 300
