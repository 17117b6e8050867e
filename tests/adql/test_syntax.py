"""The grammar: extensions, what a strict parser refuses, and the check that needs no tables."""

from collections import Counter

import pytest

from schema.model import Catalogue
from tests.adql.conftest import Query
from vo_server.adql import FEATURES, ADQLError, translate
from vo_server.adql.cases import FUNCTIONS
from vo_server.adql.check import FITS, KNOWN, check_syntax
from vo_server.adql.expressions import ALTERNATIVES
from vo_server.adql.extensions import (
    ESCAPE,
    EXTENSIONS,
    GREATEST,
    LEAST,
    NULLIF,
    SCALAR_QUERY,
    SEARCHED_CASE,
    SEMICOLON,
    SET_DISTINCT,
    SIMPLE_CASE,
    Extension,
)
from vo_server.adql.features import OWN
from vo_server.adql.geometry import GEOMETRY
from vo_server.adql.parser import parse

EXAMPLES: dict[Extension, tuple[str, str]] = {
    SEARCHED_CASE: ("SELECT CASE WHEN s_ra > 1 THEN 1 ELSE 2 END FROM sky.obs", "CASE"),
    SIMPLE_CASE: ("SELECT 1 + CASE n_events WHEN 1 THEN 1 END FROM sky.obs", "CASE"),
    NULLIF: ("SELECT NULLIF(n_events, 0) FROM sky.obs", "NULLIF"),
    GREATEST: ("SELECT greatest(s_ra, s_dec) FROM sky.obs", "greatest"),
    LEAST: ("SELECT ABS(Least(s_ra, s_dec)) FROM sky.obs", "Least"),
    SCALAR_QUERY: ("SELECT s_ra / (SELECT TOP 1 s_dec FROM sky.obs) FROM sky.obs", "("),
    ESCAPE: ("SELECT obs_id FROM sky.obs WHERE target LIKE 'a!_' ESCAPE '!'", "ESCAPE"),
    SET_DISTINCT: ("SELECT obs_id FROM sky.obs EXCEPT DISTINCT SELECT obs_id FROM sky.hea", "DISTINCT"),
    SEMICOLON: ("SELECT obs_id FROM sky.obs ;", ";"),
}
"""A query that uses the extension, and the text that a strict parser marks."""


def test_every_extension_is_declared_and_has_an_example() -> None:
    assert set(EXAMPLES) == set(EXTENSIONS)
    assert [(f.form, f.description) for f in FEATURES[OWN]] == [(e.form, e.description) for e in EXTENSIONS]


@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda e: e.form)
def test_extensions_are_accepted_but_not_strictly(extension: Extension, catalogue: Catalogue) -> None:
    text, marked = EXAMPLES[extension]
    assert translate(text, catalogue).columns
    assert check_syntax(text) == ()
    with pytest.raises(ADQLError) as caught:
        check_syntax(text, strict=True)
    assert caught.value.message == f"{extension.name} is an extension of this server, not ADQL 2.1"
    assert caught.value.hint == f"the form is {extension.form}"
    assert caught.value.offending == marked
    assert caught.value.column == text.rindex(marked) + 1


@pytest.mark.parametrize(
    "text",
    [
        "WITH a AS (SELECT * FROM t) SELECT *, x FROM a ORDER BY x + 1 DESC OFFSET 3",
        "SELECT a FROM t UNION ALL (SELECT b FROM u ORDER BY b) INTERSECT SELECT c FROM v",
        "SELECT 'a'\n'b', CAST(x AS CHAR(3)), IN_UNIT(x, 'TeV'), COALESCE(x, 1), COT(x) FROM t",
        "SELECT a.x FROM s.t AS a NATURAL JOIN u LEFT OUTER JOIN v USING (y) JOIN w",
        "SELECT x FROM t WHERE x + 1 IS NULL AND y IN (1) AND z NOT ILIKE 'a' GROUP BY x / 2",
        "SELECT x FROM t WHERE 1 = CONTAINS(POINT('ICRS', x, y), BOX(CENTROID(r), 1, 2))",
    ],
)
def test_adql_is_accepted_strictly(text: str) -> None:
    assert check_syntax(text, strict=True) == ()


def test_alternatives_are_what_their_renderers_say() -> None:
    assert set(FUNCTIONS) == ALTERNATIVES


def test_the_check_knows_every_kind_of_argument() -> None:
    kinds = {kind for forms in KNOWN.values() for form in forms for _, kind in form.arguments}
    kinds |= {kind for f in GEOMETRY.values() for form in f.forms for _, kind in form.arguments}
    assert kinds - {"CHAR"} <= set(FITS)


@pytest.mark.parametrize(
    "value",
    [
        "CENTROID(3)",
        "POINT('ICRS', x, 'sy')",
        "POINT(NULL, 1, 2)",
        "POINT(NULL, 1)",
        "(POINT(1, 2)) || 'a'",
        "(a || b) * 2",
        "ABS((UPPER(x)))",
        "DISTANCE(x, y)",
        "CIRCLE(CENTROID(r), 3)",
        "POLYGON(a, b, c, d, e, f)",
        "POLYGON(POINT(1, 2), b, CAST('3 4' AS POINT), d)",
        "UPPER(COALESCE(a, POINT(1, 2)))",
        "AVG('a')",
        "ROUND(x), ROUND(x, -1)",
        "AREA(ivo_geom_transform('ICRS', 'GALACTIC', POINT(1, 2)))",
        "ivo_healpix_index(3, POINT(1, 2)), ivo_healpix_index(3, x, y)",
        "COALESCE(COORD1(POINT(1, 2)), 2) || 'a'",
    ],
)
def test_what_may_stand_where(value: str) -> None:
    assert check_syntax(f"SELECT {value} FROM t", strict=True) == ()


@pytest.mark.parametrize(
    ("value", "message", "marked"),
    [
        ("POINT(3, 4) || 'a'", "|| takes text, this is a point", "POINT(3, 4)"),
        ("'a' || x || CIRCLE(x, y, 2)", "|| takes text, this is a circle", "CIRCLE(x, y, 2)"),
        ("-UPPER(x)", "- takes a number here, this is text", "UPPER(x)"),
        ("1 + (x || 'a') + (x) * POINT(x, y)", "* takes a number here, this is a point", "POINT(x, y)"),
        ("ABS()", "ABS has 0 arguments", "ABS()"),
        ("ABS(x, y)", "ABS has 2 arguments", "ABS(x, y)"),
        ("ABS(x || y)", "ABS takes a number here, this is text", "x || y"),
        ("LOWER(ABS(x))", "LOWER takes text here, this is a number", "ABS(x)"),
        ("LOWER(2 * x)", "LOWER takes text here, this is a number", "2 * x"),
        ("CIRCLE('fk5', 2, 3)", "CIRCLE takes a point here, this is a number", "2"),
        ("CIRCLE('a', 'b', 2)", "CIRCLE takes a point here, this is text", "'b'"),
        ("POLYGON(2, 3, 3, 0, 23, 0, 45)", "POLYGON takes a point here, this is a number", "2"),
        ("POLYGON(a, b)", "POLYGON has 2 arguments", "POLYGON(a, b)"),
        ("DISTANCE(a, b, c)", "DISTANCE has 3 arguments", "DISTANCE(a, b, c)"),
        ("AREA(ABS(x))", "AREA takes a geometry here, this is a number", "ABS(x)"),
        ("COORD1(CIRCLE(1, 2, 3))", "COORD1 takes a point here, this is a circle", "CIRCLE(1, 2, 3)"),
        ("REGION(x)", "REGION takes a string literal here", "x"),
        ("COALESCE()", "COALESCE has no arguments", "COALESCE()"),
        ("IN_UNIT(x || y, 'TeV')", "IN_UNIT takes a number here, this is text", "x || y"),
        ("TAN2(x)", "unknown function TAN2", "TAN2"),
        ("my_undefined_function(ra, dec)", "unknown function my_undefined_function", "my_undefined_function"),
        ("ivo_to_mjd(x, y)", "ivo_to_mjd has 2 arguments", "ivo_to_mjd(x, y)"),
    ],
)
def test_what_may_not_stand_where(value: str, message: str, marked: str) -> None:
    for strict in (False, True):
        with pytest.raises(ADQLError) as caught:
            check_syntax(f"SELECT {value} FROM t", strict=strict)
        assert (caught.value.message, caught.value.offending) == (message, marked)


def test_numbers_become_text_beyond_the_grammar(catalogue: Catalogue) -> None:
    text = "SELECT obs_id || ABS(s_ra) FROM sky.obs"
    assert check_syntax(text) == ()
    assert translate(text, catalogue).columns
    with pytest.raises(ADQLError, match=r"\|\| takes text, this is a number"):
        check_syntax(text, strict=True)


def test_functions_of_others_are_noted(catalogue: Catalogue) -> None:
    text = "SELECT ivo_foo(6) || 9,\n gavo_vocmatch('a', 'b', POINT(1, 2)) FROM sky.obs"
    assert check_syntax(text, strict=True) == (
        "ivo_foo is a user defined function of the IVOA that this server does not have (line 1, column 8)",
        "gavo_vocmatch is a user defined function of GAVO that this server does not have (line 2, column 2)",
    )
    with pytest.raises(ADQLError, match="unknown function ivo_foo"):
        translate(text, catalogue)


def test_the_check_bounds_its_work() -> None:
    with pytest.raises(ADQLError, match="nested"):
        check_syntax("SELECT " + "CASE WHEN x = 1 THEN " * 2000 + "1" + " END" * 2000 + " FROM t")
    nested = "SELECT " + "CASE x WHEN 1 THEN " * 50 + "1" + " END" * 50 + " FROM t"
    assert check_syntax(nested) == ()


def test_nested_values_are_rendered_once(catalogue: Catalogue) -> None:
    """Else each level would double the work, and fifty of them would never end."""
    value = "s_ra"
    for _ in range(24):
        value = f"CASE WHEN ({value}) BETWEEN 1 AND 2 THEN 1 END"
    sql = translate(f"SELECT {value} FROM sky.obs", catalogue).sql
    assert sql.count('"s_ra"') == 1
    assert sql.count("BETWEEN") == 24


@pytest.mark.parametrize(
    "text",
    [
        "SELECT x FROM a JOIN b",
        "SELECT x FROM a LEFT JOIN b JOIN (SELECT * FROM c) AS d",
        "SELECT x FROM a INNER JOIN (b JOIN c)",
    ],
)
def test_a_join_without_a_condition_is_grammar_only(text: str, catalogue: Catalogue) -> None:
    assert parse(text, strict=True)
    tables = {"a": "sky.obs AS a", "b": "sky.hea AS b", "c": "other.obs AS c"}
    known = text
    for name, table in tables.items():
        known = known.replace(f" {name}", f" {table}").replace(f"({name}", f"({table}")
    with pytest.raises(ADQLError, match="the JOIN has no condition"):
        translate(known.replace("SELECT x", "SELECT *"), catalogue)


def test_an_inner_join_of_a_table_needs_its_condition() -> None:
    with pytest.raises(ADQLError, match="the JOIN has no condition"):
        check_syntax("SELECT x FROM a INNER JOIN b")


OBS = "SELECT obs_id, s_ra, n_events, calib_level, target FROM sky.obs"


def test_case_chooses_as_python_does(rows: Query) -> None:
    found = rows(
        "SELECT obs_id, CASE WHEN n_events < 10 THEN s_ra WHEN n_events < 20 THEN n_events END AS c,"
        " CASE calib_level WHEN 0 THEN 'none' WHEN 1 THEN target ELSE 'some' END AS w FROM sky.obs"
    )
    expected = set()
    for obs_id, ra, events, level, target in rows(OBS):
        chosen = None
        if events is not None:
            chosen = ra if events < 10 else float(events) if events < 20 else None
        expected.add((obs_id, chosen, {0: "none", 1: target}.get(level, "some")))
    assert set(found) == expected
    assert len(found) == len(expected) == 308


def test_nullif_greatest_and_least(rows: Query) -> None:
    found = rows(
        "SELECT obs_id, NULLIF(calib_level, 1) AS a, GREATEST(calib_level, 1.5) AS b,"
        " LEAST(n_events, calib_level, NULL) AS c FROM sky.obs"
    )
    expected = set()
    for obs_id, _, events, level, _ in rows(OBS):
        least = None if level is None else min(events, level)
        expected.add((obs_id, None if level == 1 else level, max(level or 0, 1.5), least))
    assert set(found) == expected


def test_grouped_by_case(rows: Query) -> None:
    found = rows(
        "SELECT CASE WHEN s_dec > 0 THEN 'north' WHEN s_dec <= 0 THEN 'south' END AS half,"
        " COUNT(*) AS n, SUM(CASE WHEN calib_level = 1 THEN 1 ELSE 0 END) AS ones"
        " FROM sky.obs GROUP BY half"
    )
    halves: Counter[str | None] = Counter()
    ones: Counter[str | None] = Counter()
    for dec, level in rows("SELECT s_dec, calib_level FROM sky.obs"):
        half = None if dec is None else "north" if dec > 0 else "south"
        halves[half] += 1
        ones[half] += level == 1
    assert {half: (n, k) for half, n, k in found} == {h: (n, ones[h]) for h, n in halves.items()}


def test_a_query_as_a_value(rows: Query) -> None:
    energies = dict(rows("SELECT obs_id, energy_min FROM sky.hea"))
    found = rows(
        "SELECT o.obs_id, (SELECT h.energy_min * 2 FROM sky.hea AS h WHERE h.obs_id = o.obs_id) AS e"
        " FROM sky.obs AS o"
    )
    assert len(found) == 308
    assert {e for _, e in found} == {None, *(2 * v for k, v in energies.items() if k != "orphan")}
    assert all(e == (2 * energies[i] if i in energies else None) for i, e in found)
    brightest = rows("SELECT obs_id FROM sky.hea WHERE energy_min = (SELECT MAX(energy_min) FROM sky.hea)")
    assert [energies[i] for (i,) in brightest] == [max(energies.values())]


def test_a_value_of_a_grouped_query(rows: Query) -> None:
    energies = dict(rows("SELECT obs_id, energy_min FROM sky.hea WHERE obs_id <> 'orphan'"))
    inner = "(SELECT MAX(h.energy_min) FROM sky.hea AS h WHERE h.obs_id = o.obs_id)"
    found = rows(f"SELECT {inner} AS e, COUNT(*) AS n FROM sky.obs AS o GROUP BY e")
    assert Counter(dict(found)) == Counter([*energies.values(), *[None] * (308 - len(energies))])
    assert rows(f"SELECT MAX({inner}) AS e FROM sky.obs AS o") == [(max(energies.values()),)]


def test_an_escape_character_makes_wildcards_plain(rows: Query) -> None:
    targets = [t for (t,) in rows("SELECT target FROM sky.obs WHERE target IS NOT NULL")]
    like = "SELECT COUNT(*) AS n FROM sky.obs WHERE target "
    assert rows(like + "LIKE 'Source!_3' ESCAPE '!'") == [(targets.count("Source_3"),)]
    assert rows(like + "LIKE 'Source\\_3' ESCAPE '\\'") == [(targets.count("Source_3"),)]
    assert rows(like + "ILIKE 'source!%' ESCAPE '!'") == [(0,)]
    assert rows(like + "NOT LIKE 'Source''_3' ESCAPE ''''") == [(307 - targets.count("Source_3"),)]


def test_units_stay_where_all_alternatives_agree(catalogue: Catalogue) -> None:
    text = (
        "SELECT CASE WHEN n_events > 1 THEN s_ra ELSE 0 END, CASE WHEN n_events > 1 THEN s_ra ELSE t_min END,"
        " NULLIF(t_min, 0), GREATEST(s_ra, s_dec), (SELECT MAX(t_min) FROM sky.obs) FROM sky.obs"
    )
    columns = translate(text, catalogue).columns
    assert [c.unit for c in columns] == ["deg", None, "d", "deg", "d"]
    assert [c.ucd for c in columns] == ["pos.eq.ra", None, "time.start", None, "time.start;stat.max"]
    assert [c.name for c in columns] == ["case", "case_2", "t_min", "greatest", "col5"]


def test_an_aggregate_may_mix_columns_with_those_of_the_query_around(rows: Query) -> None:
    inner = "(SELECT SUM(h.energy_min * o.calib_level) FROM sky.hea AS h WHERE h.obs_id = o.obs_id)"
    found = rows(f"SELECT o.calib_level, o.n_events, {inner} AS e FROM sky.obs AS o")
    energies = [(level, events, e) for level, events, e in found if e is not None]
    assert len(energies) == 36
    assert all(e == pytest.approx(level * events / 10) for level, events, e in energies)
