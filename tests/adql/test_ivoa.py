"""The IVOA's catalogue of user defined functions 1.2: its own examples, and independent judges."""

import math
from collections.abc import Callable
from typing import Any

import astropy.units as u
import numpy as np
import psycopg
import pytest
from astropy.coordinates import Distance, SkyCoord
from astropy.time import Time

from schema.model import Catalogue
from schema.types import INTEGER_ARRAY
from vo_server.adql import FEATURES, ADQLError, translate
from vo_server.roles import reader_url
from vo_server.settings import Settings

Row = tuple[Any, ...]
Query = Callable[..., list[Row]]


def value(rows: Query, expression: str) -> Any:
    ((found,),) = rows(f"SELECT TOP 1 {expression} AS v FROM sky.hea")
    return found


EXAMPLES = [
    ("ivo_healpix_index(0, 1, 1)", 4),
    ("ivo_healpix_index(17, 1, 1)", 81609757711),
    ("ivo_healpix_index(17, 359, -1)", 73009064944),
    ("ivo_healpix_index(0, POINT(1, 1))", 4),
    ("ivo_healpix_index(17, POINT('ICRS', 1, 1))", 81609757711),
    ("ivo_healpix_index(17, CENTROID(CIRCLE(359, -1, 3)))", 73009064944),
    ("ivo_healpix_center(0, 6)", [180.0, 0.0]),
    ("ivo_healpix_center(17, ivo_healpix_index(17, 23.4, 56.7))", [23.399843462947466, 56.70016214363192]),
    ("ivo_to_jd(CAST('2000-01-02T12:00:00' AS TIMESTAMP))", 2451546.0),
    ("ivo_to_jd('1910-12-31T06:00:00')", 2419036.75),
    ("ivo_to_jd(NULL)", None),
    ("ivo_to_mjd(CAST('2000-01-02T12:00:00' AS TIMESTAMP))", 51545.5),
    ("ivo_to_mjd('1910-12-31T06:00:00')", 19036.25),
    ("ivo_to_mjd(NULL)", None),
    ("ivo_nocasematch('abcabc', 'ab%')", 1),
    ("ivo_nocasematch('ABcabc', 'ab__bc')", 1),
    ("ivo_nocasematch('abcabc', '%BC')", 1),
    ("ivo_nocasematch('abcabc', 'ABCABC')", 1),
    ("ivo_nocasematch('abcabc', 'abcab')", 0),
    ("ivo_nocasematch(NULL, 'abcab')", None),
    ("ivo_hasword('Miller and Urey have', 'miller')", 1),
    # The catalogue leaves stemming to the implementation; there is none here.
    ("ivo_hasword('shown that a primordial', 'show')", 0),
    ("ivo_hasword('shown that a primordial', 'soup')", 0),
    ("ivo_hasword('shown that a primordial', 'shown primordial')", 1),
    ("ivo_hasword('shown that a primordial', 'Primordial,  SHOWN!')", 1),
    ("ivo_hasword('shown that a primordial', 'shown soup')", 0),
    ("ivo_hasword('HESS J1745-290 (Sgr A*)', 'j1745 290')", 1),
    ("ivo_hasword('see cds.unistra.fr/simbad', 'unistra')", 1),
    ("ivo_hasword('a b', 'a ab')", 0),
    ("ivo_hasword('', 'a')", 0),
    ("ivo_hasword('a', NULL)", None),
    ("ivo_hasword(NULL, 'a')", None),
    ("ivo_hashlist_has('red#green#blue', 'red')", 1),
    ("ivo_hashlist_has('Red#green#blue', 'red')", 1),
    ("ivo_hashlist_has('red#green#blue', 'BLUE')", 1),
    ("ivo_hashlist_has('red#green#blue', 're')", 0),
    ("ivo_hashlist_has('red#green#blue', 'red#green')", 0),
    ("ivo_hashlist_has('red#green#blue', '#')", 0),
    ("ivo_hashlist_has(NULL, 'red')", None),
    ("ivo_interval_overlaps(-3, -2, 2, 3)", 0),
    ("ivo_interval_overlaps(-2, 55.3, 2, 3)", 1),
    ("ivo_interval_overlaps(2, 3, -2, 55.3)", 1),
    ("ivo_interval_overlaps(-2, 55.3, 3, 2)", 0),
    ("ivo_interval_overlaps(-2, 2, 2, 3)", 1),
    ("ivo_interval_overlaps(NULL, 2, 2, 3)", None),
    ("ivo_hms_to_degrees('3:34:45.4')", 53.6891667),
    ("ivo_hms_to_degrees('3h34m45.4s')", 53.6891667),
    ("ivo_hms_to_degrees('3H34M45.4S')", 53.6891667),
    ("ivo_hms_to_degrees('033445.4')", 53.6891667),
    ("ivo_hms_to_degrees('23:59:59.9')", 359.999583333),
    ("ivo_dms_to_degrees('42:9:6.768')", 42.15188),
    ("ivo_dms_to_degrees('42d9m6.768s')", 42.15188),
    ("ivo_dms_to_degrees('42D9M6.768S')", 42.15188),
    ("ivo_dms_to_degrees('420906.768')", 42.15188),
    ("ivo_dms_to_degrees('-00:15:00')", -0.25),
    ("ivo_dms_to_degrees('+00:15:00')", 0.25),
    ("ivo_dms_to_degrees('-0d15m0s')", -0.25),
    ("ivo_dms_to_degrees('+0d15m0s')", 0.25),
    ("ivo_dms_to_degrees('-001500')", -0.25),
    ("ivo_dms_to_degrees('359:59:59')", 359.999722222),
]
"""Expressions and values, those of the catalogue first of all; floating point as far as it gives digits."""


@pytest.mark.parametrize(("expression", "expected"), EXAMPLES)
def test_examples(rows: Query, expression: str, expected: object) -> None:
    found = value(rows, expression)
    assert type(found) is type(expected)
    assert found == (pytest.approx(expected, rel=1e-9) if isinstance(expected, float | list) else expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3:34",
        "24:00:00",
        "3:60:00",
        "3:00:60",
        "-3:34:45",
        "3h34m45",
        "3:34m45s",
        "33445",
        "3 34 45",
        "x",
    ],
)
def test_no_hours(rows: Query, text: str) -> None:
    assert value(rows, f"ivo_hms_to_degrees('{text}')") is None


@pytest.mark.parametrize(
    "text",
    ["", "+", "360:00:00", "1:60:00", "1:00:60", "--1:0:0", "1d2m3", "1h2m3s", "1:2:1e1", "\u0661:1:1", "x"],
)
def test_no_degrees(rows: Query, text: str) -> None:
    assert value(rows, f"ivo_dms_to_degrees('{text}')") is None


def test_unknown_text_stays_unknown(rows: Query) -> None:
    found = rows(
        "SELECT ivo_hms_to_degrees(words), ivo_dms_to_degrees(NULL) FROM tap_upload.t1 WHERE words IS NULL"
    )
    assert found == [(None, None)]


MOTION = "7.606083572, 11.79044105, 125, 300, -428.8, 52.51, 2016.0"


@pytest.mark.parametrize(
    ("arguments", "expected", "digits"),
    [
        (f"{MOTION}, 1992.25", [7.604061404627978, 11.7932703828279], 1e-12),
        (f"{MOTION}, 1875.0", [7.594068213694308, 11.807251375203935], 1e-12),
        (MOTION.replace("52.51", "NULL") + ", 1875", [7.594079587029898, 11.807235464326332], 1e-12),
        (
            MOTION.replace("-428.8, 52.51", "NULL, NULL") + ", 1875",
            [7.594080321498365, 11.790440798509207],
            1e-12,
        ),
        # Infinitely far here, at a distance that is not normative there.
        (MOTION.replace("125", "NULL") + ", 1875.0", [7.594079587020846, 11.807235464339055], 1e-10),
    ],
)
def test_motions_of_the_catalogue(rows: Query, arguments: str, expected: list[float], digits: float) -> None:
    assert value(rows, f"ivo_epoch_prop_pos({arguments})") == pytest.approx(expected, abs=digits)


@pytest.mark.parametrize(
    ("ra", "dec", "parallax", "pmra", "pmdec", "velocity", "years"),
    [
        (269.4520769586, 4.6933649666, 546.976, -801.551, 10362.394, -110.47, 50.0),
        (269.4520769586, 4.6933649666, 546.976, -801.551, 10362.394, -110.47, -2000.0),
        (0.0001, 89.9999, 10.0, 5000.0, 5000.0, 0.0, 100.0),
        (359.9999, -45.0, 100.0, 2000.0, -500.0, 300.0, 30.0),
        (83.6331, 22.0145, 0.5, -11.3, 2.1, -50.0, 25.0),
    ],
)
def test_motion_against_astropy(
    rows: Query,
    ra: float,
    dec: float,
    parallax: float,
    pmra: float,
    pmdec: float,
    velocity: float,
    years: float,
) -> None:
    """Uniform motion in space; erfa adds light-time terms, which grow with velocity and angle."""
    epoch = Time(2000.0, format="jyear", scale="tdb")
    star = SkyCoord(
        ra * u.deg,
        dec * u.deg,
        distance=Distance(parallax=parallax * u.mas),
        pm_ra_cosdec=pmra * u.mas / u.yr,
        pm_dec=pmdec * u.mas / u.yr,
        radial_velocity=velocity * u.km / u.s,
    )
    moved = star.cartesian.without_differentials() + star.velocity.to_cartesian() * (years * u.yr)
    expected = SkyCoord(moved)
    call = f"{ra}, {dec}, {parallax}, {pmra}, {pmdec}, {velocity}, 2000, {2000 + years}"
    found = SkyCoord(*value(rows, f"ivo_epoch_prop_pos({call})"), unit="deg")
    assert found.separation(expected).deg < 1e-9
    theirs = SkyCoord(star, obstime=epoch).apply_space_motion(dt=years * u.yr)
    assert found.separation(theirs).deg < 1e-9 + 0.1 * star.separation(expected).deg * abs(velocity) / 299792


@pytest.mark.parametrize("index", [0, 1, 6, 7])
def test_motion_of_nothing_known(rows: Query, index: int) -> None:
    arguments = [*MOTION.split(", "), "1992.25"]
    arguments[index] = "NULL"
    message = "ivo_epoch_prop_pos takes no NULL for ra, dec, ref_epoch or out_epoch"
    with pytest.raises(psycopg.errors.NullValueNotAllowed, match=message):
        value(rows, f"ivo_epoch_prop_pos({', '.join(arguments)})")


def test_motion_of_columns(rows: Query) -> None:
    """Integers and REALs fit where floating point numbers are wanted; two steps are one."""
    select = "SELECT DISTANCE(ivo_epoch_prop_pos(s_ra, s_dec, NULL, n_events, em_min, NULL, 2000, t_min), {})"
    found = rows(f"{select.format('POINT(s_ra, s_dec)')}, n_events, t_min FROM sky.obs WHERE n_events > 3")
    for distance, motion, epoch in found:
        expected = math.degrees(math.atan(math.radians(motion / 3.6e6) * (epoch - 2000)))
        assert distance == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        ("ivo_geom_transform('ICRS', 'Galactic', POINT(1, 2))", ["'Galactic'", "did you mean GALACTIC"]),
        ("ivo_geom_transform('J2000', 'ICRS', POINT(1, 2))", ["'J2000'", "ICRS, FK5, FK4, GALACTIC"]),
        ("ivo_geom_transform(target, 'ICRS', POINT(1, 2))", ["takes a string literal here, this is text"]),
        ("ivo_geom_transform('ICRS', 'GALACTIC', s_ra)", ["takes a geometry here, this is a number"]),
        ("ivo_geom_transform('ICRS', 'FK4', MOC(3, CIRCLE(1, 2, 3)))", ["here, this is a moc"]),
        ("ivo_geom_transform('ICRS', 'GALACTIC')", ["has 2 arguments", "(from_sys, to_sys, geo)"]),
        ("ivo_healpix_center(17, 23.2)", ["takes a whole number here", "(line 1, column 31)", "AS BIGINT"]),
        ("ivo_healpix_center(1, 48)", ["the HEALPix index 48 is out of range", "from 0 to 47"]),
        ("ivo_healpix_index(30, s_ra, s_dec)", ["the order 30 is out of range", "from 0 to 29"]),
        ("ivo_healpix_index(-1, POINT(s_ra, s_dec))", ["the order -1 is out of range"]),
        ("ivo_healpix_index(3, 1, 91)", ["the latitude 91 is out of range"]),
        ("ivo_histogram(s_ra, 0, 10, 0)", ["the number of bins 0 is out of range", "from 1 to 1000"]),
        ("ivo_histogram(s_ra, 0, 10, 1001)", ["the number of bins 1001 is out of range"]),
        ("ivo_histogram(s_ra, 0, 10, -3)", ["the number of bins -3 is out of range"]),
        ("ivo_histogram(s_ra, 0, 10, 2.5)", ["takes a whole number here, this is a number"]),
        ("ivo_histogram(s_ra, 0, 10, n_events)", ["number of bins as a constant"]),
        ("ivo_histogram(s_ra, 10, 10, 5)", ["the lower limit 10 is not below the upper limit 10"]),
        ("ivo_histogram(target, 1, 10, 5)", ["takes a number here, this is text"]),
        ("ivo_simbadpoint('M 1')", ["ivo_simbadpoint is not offered here", "POINT(ra, dec)"]),
        ("ivo_hms_to_degrees(s_ra)", ["takes text here, this is a number"]),
    ],
)
def test_rejects(catalogue: Catalogue, call: str, parts: list[str]) -> None:
    with pytest.raises(ADQLError) as caught:
        translate(f"SELECT {call} AS v FROM sky.obs", catalogue)
    for part in parts:
        assert part in str(caught.value)


def test_histogram_against_numpy(rows: Query) -> None:
    ((found, lowest),) = rows("SELECT ivo_histogram(s_dec, -60, 75.5, 20), MIN(s_dec) FROM sky.obs")
    values = np.array([v for (v,) in rows("SELECT s_dec FROM sky.obs WHERE s_dec < 91")])
    expected = np.histogram(values, 20, (-60, 75.5))[0].tolist()
    below = int((values < -60).sum()) + 1  # one is NULL
    assert lowest < -60
    assert found == [below, *expected, int((values > 75.5).sum())]


def test_histogram_of_groups(rows: Query) -> None:
    text = "SELECT calib_level, ivo_histogram(n_events, 0, 4, 4) AS h FROM sky.obs GROUP BY calib_level"
    known = rows("SELECT calib_level, n_events FROM sky.obs")
    for level, found in rows(text):
        values = [n for known_level, n in known if known_level == level]
        inner = np.histogram([v for v in values if v is not None], 4, (0, 4))[0].tolist()
        assert found == [sum(v is None for v in values), *inner, sum(v is not None and v > 4 for v in values)]
    assert len(rows(text)) == 4


def test_edges_of_a_histogram(rows: Query) -> None:
    """The upper limit belongs to the last bin, as in numpy; NaN and infinities lie outside."""
    call = "ivo_histogram({}, 0, 1, 2)"
    for value_, expected in (
        ("0", [0, 1, 0, 0]),
        ("0.5", [0, 0, 1, 0]),
        ("1", [0, 0, 1, 0]),
        ("1.0000001", [0, 0, 0, 1]),
        ("-1e-300", [1, 0, 0, 0]),
        ("NULL", [1, 0, 0, 0]),
        ("CAST('NaN' AS REAL)", [0, 0, 0, 1]),
        ("CAST('-Infinity' AS REAL)", [1, 0, 0, 0]),
        ("CAST('Infinity' AS REAL)", [0, 0, 0, 1]),
    ):
        found = rows(f"SELECT {call.format(value_)} AS h FROM other.obs WHERE obs_id = 'x'")
        assert found == [(expected,)], value_
    assert rows(f"SELECT {call.format('t_min')} AS h FROM other.obs WHERE t_min > 5") == [([0, 0, 0, 0],)]
    assert rows(f"SELECT {call.format('t_min')} AS h FROM other.obs WHERE t_min > 5 GROUP BY obs_id") == []


@pytest.mark.parametrize(
    "limits", ["t_min, 1", "NULL, 3", "1, CAST('NaN' AS REAL)", "CAST('-Infinity' AS REAL), 1"]
)
def test_limits_that_make_no_histogram(rows: Query, limits: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="a lower limit that is below the upper"):
        rows(f"SELECT ivo_histogram(t_min, {limits}, 5) AS h FROM other.obs")


def test_histograms_of_parts_add_up(connection: psycopg.Connection) -> None:
    found = connection.execute("SELECT vo.histogram_add(ARRAY[1, 2, 3], ARRAY[10, 20, 30])").fetchone()
    assert found == ([11, 22, 33],)


def test_a_histogram_is_an_array_column(catalogue: Catalogue) -> None:
    text = "SELECT ivo_histogram(s_ra, 0, 360, 36) FROM sky.obs"
    (column,) = translate(text, catalogue).columns
    assert (column.name, column.type, column.ucd) == ("ivo_histogram", INTEGER_ARRAY, "meta.number")


def test_normal_deviates(rows: Query) -> None:
    call = "ivo_normal_random(10, 5)"
    found = np.array(rows(f"SELECT {call} AS a, {call} AS b FROM sky.obs AS o, sky.obs AS p"))
    assert found.shape == (308 * 308, 2)
    assert len(np.unique(found)) == found.size
    scaled = (found - 10) / 5
    assert abs(scaled.mean()) < 0.015
    assert scaled.std() == pytest.approx(1, abs=0.015)
    assert abs((scaled**3).mean()) < 0.06
    assert (scaled**4).mean() == pytest.approx(3, abs=0.15)
    assert abs(np.corrcoef(scaled.T)[0, 1]) < 0.02
    assert (np.abs(scaled) > 3).mean() == pytest.approx(0.0027, abs=0.001)
    assert value(rows, "ivo_normal_random(3, 0)") == 3.0
    assert value(rows, "ivo_normal_random(NULL, 1)") is None


def test_string_agg(rows: Query) -> None:
    ((found,),) = rows(
        "SELECT ivo_string_agg(q.words, ' <//> ') AS v FROM (SELECT words FROM tap_upload.t1) AS q"
    )
    assert sorted(found.split(" <//> ")) == ["#x#Y#", "a b"]
    assert rows("SELECT ivo_string_agg(words, ',') AS v FROM tap_upload.t1 WHERE r > 99") == [(None,)]


SIGNATURES = """\
ivo_string_agg(expression VARCHAR, delimiter VARCHAR) -> VARCHAR
ivo_nocasematch(value VARCHAR, pattern VARCHAR) -> INTEGER
ivo_hasword(haystack VARCHAR, needle VARCHAR) -> INTEGER
ivo_hashlist_has(hashlist VARCHAR, item VARCHAR) -> INTEGER
ivo_histogram(val REAL, lower REAL, upper REAL, nbins INTEGER) -> INTEGER[]
ivo_normal_random(mu REAL, sigma REAL) -> REAL
ivo_interval_overlaps(a1 REAL, b1 REAL, a2 REAL, b2 REAL) -> INTEGER
ivo_to_jd(d TIMESTAMP) -> REAL
ivo_to_mjd(d TIMESTAMP) -> REAL
ivo_healpix_index(hpxOrder INTEGER, long REAL, lat REAL) -> BIGINT
ivo_healpix_index(hpxOrder INTEGER, point POINT) -> BIGINT
ivo_healpix_center(hpxOrder INTEGER, hpxIndex BIGINT) -> POINT
ivo_epoch_prop_pos(ra REAL, dec REAL, parallax REAL, pmra REAL, pmdec REAL, radial_velocity REAL,\
 ref_epoch REAL, out_epoch REAL) -> POINT
ivo_geom_transform(from_sys CHAR, to_sys CHAR, geo GEOMETRY) -> GEOMETRY
ivo_hms_to_degrees(hms VARCHAR) -> REAL
ivo_dms_to_degrees(dms VARCHAR) -> REAL
"""


def test_signatures() -> None:
    declared = [f.form for f in FEATURES["ivo://ivoa.net/std/TAPRegExt#features-udf"]]
    assert [form for form in declared if form.startswith("ivo_")] == SIGNATURES.splitlines()


def test_columns_say_what_they_are(catalogue: Catalogue) -> None:
    turned = "ivo_geom_transform('ICRS', '{}', POINT(s_ra, s_dec))"
    for expression, unit, ucd in (
        ("ivo_to_jd(released)", "d", "time.epoch"),
        ("ivo_to_mjd(released)", "d", "time.epoch"),
        ("ivo_healpix_index(3, s_ra, s_dec)", None, "pos.healpix"),
        ("ivo_healpix_center(3, n_events)", "deg", "pos.eq"),
        ("ivo_epoch_prop_pos(s_ra, s_dec, 1, 1, 1, 1, 2000, 2010)", "deg", "pos.eq"),
        ("ivo_hms_to_degrees(target)", "deg", None),
        ("ivo_dms_to_degrees(target)", "deg", None),
        ("ivo_normal_random(t_min, 1)", "d", None),
        ("ivo_hasword(target, 'a')", None, None),
        (turned.format("GALACTIC"), "deg", "pos.galactic"),
        (f"COORD1({turned.format('GALACTIC')})", "deg", "pos.galactic.lon"),
        (f"COORD2({turned.format('GALACTIC')})", "deg", "pos.galactic.lat"),
        (f"COORD1({turned.format('ECLIPTIC')})", "deg", "pos.ecliptic.lon"),
        (f"COORD2({turned.format('SUPER_GALACTIC')})", "deg", "pos.supergalactic.lat"),
        (f"COORD1({turned.format('FK4')})", "deg", "pos.eq.ra"),
        ("ivo_geom_transform('ICRS', 'GALACTIC', s_region)", None, "pos.outline"),
    ):
        (column,) = translate(f"SELECT {expression} AS v FROM sky.obs", catalogue).columns
        assert (column.unit, column.ucd) == (unit, ucd), expression


def test_the_reader_may_call_them_all(
    connection: psycopg.Connection, module_settings: Settings, catalogue: Catalogue
) -> None:
    for schema in ("sky", "tap_upload"):
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {module_settings.reader_role}")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {module_settings.reader_role}")
    calls = [
        *(expression for expression, _ in EXAMPLES),
        f"ivo_epoch_prop_pos({MOTION}, 1992.25)",
        "ivo_geom_transform('ICRS', 'GALACTIC', s_region)",
        "ivo_geom_transform('ICRS', 'FK4', POINT(s_ra, s_dec))",
        "ivo_normal_random(1, 2)",
        "ivo_hms_to_degrees(target)",
        "ivo_dms_to_degrees(target)",
    ]
    aggregates = "ivo_histogram(s_ra, 0, 360, 5) AS h, ivo_string_agg(target, ',') AS s"
    with psycopg.connect(
        reader_url(module_settings), autocommit=True, cursor_factory=psycopg.RawCursor
    ) as reader:
        assert reader.execute("SELECT current_user").fetchone() == (module_settings.reader_role,)
        for call in [f"TOP 2 {', '.join(calls)}", aggregates]:
            translation = translate(f"SELECT {call} FROM sky.obs", catalogue)
            assert reader.execute(translation.sql, translation.parameters).fetchone() is not None


def test_names_become_positions(catalogue: Catalogue, plan: Callable[[str], str]) -> None:
    known = {"M 1": (83.6324, 22.0174), "Sgr A*": (266.41684, -29.00781)}
    asked: list[str] = []

    def resolve(name: str) -> tuple[float, float]:
        asked.append(name)
        return known[name]

    def sql(text: str) -> tuple[str, tuple[Any, ...], list[str]]:
        translation = translate(text, catalogue, resolve=resolve)
        return translation.sql, translation.parameters, [c.name for c in translation.columns]

    where = "SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(s_ra, s_dec), CIRCLE({}, 1)) = 1"
    assert sql(where.format("IVO_SimbadPoint('Sgr  A*')")) == sql(where.format("POINT(266.41684, -29.00781)"))
    nested = (
        where.format("POINT(1, 2)") + " AND obs_id IN (SELECT obs_id FROM sky.hea WHERE {} < 3) ORDER BY {}"
    )
    distance = "DISTANCE(1, 2, COORD1({0}), COORD2({0}))"
    named, numbered = (
        nested.format(distance.format(p), distance.format(p))
        for p in ("ivo_simbadpoint('M 1')", "POINT(83.6324, 22.0174)")
    )
    assert sql(named) == sql(numbered)
    assert asked == ["Sgr A*", "M 1"]
    columns = sql("SELECT ivo_simbadpoint('M 1'), ivo_simbadpoint('M 1') AS crab FROM sky.obs")[2]
    assert columns == ["ivo_simbadpoint", "crab"]


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        ("ivo_simbadpoint('M 1''; DROP')", ["the name 'M 1'; DROP' cannot be resolved", "Simbad"]),
        ("ivo_simbadpoint(target)", ["ivo_simbadpoint takes one string literal", "column 8"]),
        ("ivo_simbadpoint('a' || 'b')", ["takes one string literal"]),
        ("ivo_simbadpoint()", ["takes one string literal"]),
        ("ivo_simbadpoint('a', 'b')", ["takes one string literal"]),
        ("ivo_simbadpoint('')", ["this is no name of an object"]),
        (f"ivo_simbadpoint('{'a' * 201}')", ["this is no name of an object"]),
        ("ivo_simbadpoint('a\u200bb')", ["this is no name of an object"]),
        (", ".join(f"ivo_simbadpoint('known {i}')" for i in range(11)), ["more than 10 names"]),
    ],
)
def test_names_that_do_not(catalogue: Catalogue, call: str, parts: list[str]) -> None:
    def resolve(name: str) -> tuple[float, float]:
        if not name.startswith("known"):
            raise LookupError(name)
        return 1.0, -2.0

    with pytest.raises(ADQLError) as caught:
        translate(f"SELECT {call} FROM sky.obs", catalogue, resolve=resolve)
    for part in parts:
        assert part in str(caught.value)
