"""Units: what converts into what by which factor, what arithmetic makes of them, and IN_UNIT on rows."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from astropy import units as u

from schema.collection import Collection
from schema.load import catalogue as published
from schema.model import Catalogue
from vo_server.adql import ADQLError, translate
from vo_server.adql.units import UNKNOWN, UnitError, factor, parse_unit, power, product, quotient, same

Query = Callable[..., list[tuple[Any, ...]]]


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("deg", "arcsec", 3600.0),
        ("arcsec", "deg", 1 / 3600),
        ("mas", "deg", 1 / 3_600_000),
        ("deg**2", "arcmin**2", 3600.0),
        ("TeV", "eV", 1e12),
        ("eV", "TeV", 1e-12),
        ("m", "nm", 1e9),
        ("m", "Angstrom", 1e10),
        ("d", "s", 86400.0),
        ("s", "d", 1 / 86400),
        ("s", "h", 1 / 3600),
        ("yr", "d", 365.25),
        ("km/s", "m.s-1", 1000.0),
        ("km s-1", "km.s**-1", 1.0),
        ("mas.yr-1", "arcsec/yr", 1e-3),
        ("mas/yr", "mas.yr**-1", 1.0),
        ("1/s", "Hz", 1.0),
        ("m-2.s-1.TeV-1", "cm-2.s-1.GeV-1", 1e-7),
        ("kbyte", "byte", 1000.0),
        ("hPa", "Pa", 100.0),
        ("TeV", "erg", 1.602176634),
        ("TeV", "J", 1.602176634e-7),
    ],
)
def test_factors_are_exact(source: str, target: str, expected: float) -> None:
    assert factor(source, target) == expected


PAIRS = [("deg", "rad"), ("mas/yr", "rad/yr"), ("deg**2", "sr"), ("pc", "km"), ("lyr", "pc"), ("u", "kg")]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_other_factors_are_those_of_astropy(source: str, target: str) -> None:
    assert factor(source, target) == u.Unit(source).to(u.Unit(target))
    assert factor(source, target) * factor(target, source) == pytest.approx(1, rel=4e-16)


@pytest.mark.parametrize(
    ("source", "target", "message", "hint"),
    [
        ("deg", "kg", "deg cannot be converted to kg", ""),
        ("m", "s", "m cannot be converted to s", ""),
        ("m", "eV", "m cannot be converted to eV", "energy"),
        ("TeV", "Hz", "TeV cannot be converted to Hz", "frequency"),
        ("deg", "", "the unit is empty", "without"),
        ("deg", "  ", "the unit is empty", "without"),
        ("deg", "foo", "unknown unit 'foo'", "units are written as in"),
        ("deg", "arcsecs", "unknown unit 'arcsecs'", "did you mean arcsec"),
        ("TeV", "TEV", "unknown unit 'TEV'", "TeV"),
        ("deg_C", "K", "deg_C cannot be converted to K", ""),
        ("mag", "Jy", "mag cannot be converted to Jy", ""),
        ("furlongs", "m", "the unit 'furlongs' of the value is not one that can be converted", ""),
    ],
)
def test_what_cannot_be_converted(source: str, target: str, message: str, hint: str) -> None:
    with pytest.raises(UnitError) as caught:
        factor(source, target)
    assert caught.value.message == message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "10**9999999 m",
        "m**99999999",
        "m" * 500,
        "(" * 50 + "m",
        "m**(1/0)",
        "1e999m",
        "10**-400 m",
        "nan",
        "\0",
        "é",
    ],
)
def test_any_text_is_soon_refused(text: str) -> None:
    start = time.process_time()
    with pytest.raises(UnitError):
        factor("m", text)
    assert time.process_time() - start < 1


def test_every_published_unit_is_read() -> None:
    tables = published((Collection(name="example", schema="example", events=True),)).tables
    found = {c.unit for t in tables for c in t.columns if c.unit}
    assert len(found) > 5
    assert [unit for unit in found if parse_unit(unit) is None] == []


@pytest.mark.parametrize(
    ("computed", "expected"),
    [
        (product("deg", "deg"), "deg**2"),
        (product("mas.yr-1", "yr"), "mas"),
        (product("km/s", None), "km/s"),
        (product(None, "km/s"), "km/s"),
        (product(None, None), None),
        (product("furlong", "s"), UNKNOWN),
        (product(UNKNOWN, "s"), UNKNOWN),
        (quotient(None, UNKNOWN), UNKNOWN),
        (quotient("deg", "d"), "deg.d**-1"),
        (quotient("m", "m"), None),
        (quotient(None, "s"), "s**-1"),
        (quotient("s", None), "s"),
        (power("deg**2", 0.5), "deg"),
        (power("deg", 2.0), "deg**2"),
        (power("Hz", 0.5), "Hz**(1/2)"),
        (power("deg", 1e300), UNKNOWN),
        (power("furlong", 2.0), UNKNOWN),
        (product("deg**10", "deg"), UNKNOWN),
        (power("deg", 0.0), None),
        (power(None, 2.0), None),
        (product("deg_C", "s"), UNKNOWN),
    ],
)
def test_arithmetic(computed: str | None, expected: str | None) -> None:
    assert computed == expected


def test_units_of_products_are_those_of_astropy() -> None:
    names = ["deg", "mas.yr-1", "km s-1", "m-2.s-1.TeV-1", "kbyte", "1/s"]
    for left in names:
        for right in names:
            first, second = u.Unit(left), u.Unit(right)
            assert u.Unit(product(left, right) or "") == first * second
            assert u.Unit(quotient(left, right) or "") == first / second


def test_spellings_of_one_unit_are_the_same() -> None:
    assert same("mas/yr", "mas.yr**-1")
    assert same(None, None)
    assert not same("m", "km")
    assert not same("m", None)
    assert not same("furlong", "rod")


VALUES = "s_ra, s_dec, t_min, CAST(em_min AS DOUBLE PRECISION), n_bytes"


@pytest.mark.parametrize(
    ("expression", "unit", "judge"),
    [
        ("s_ra", "arcsec", lambda ra, dec, t, em, n: ra * u.deg),
        ("s_ra + 10", "rad", lambda ra, dec, t, em, n: (ra + 10) * u.deg),
        ("10 - s_ra", "rad", lambda ra, dec, t, em, n: (10 - ra) * u.deg),
        ("- s_dec", "arcmin", lambda ra, dec, t, em, n: -dec * u.deg),
        ("t_min", "s", lambda ra, dec, t, em, n: t * u.d),
        ("em_min", "nm", lambda ra, dec, t, em, n: em * u.m),
        ("n_bytes / 2", "kbyte", lambda ra, dec, t, em, n: n // 2 * u.byte),
        ("s_ra * s_dec", "sr", lambda ra, dec, t, em, n: ra * dec * u.deg**2),
        ("ABS(MOD(s_dec, 7))", "rad", lambda ra, dec, t, em, n: abs(dec) % 7 * u.deg),
        (
            "SQRT(POWER(s_ra / t_min, 2) + POWER(s_dec / t_min, 2))",
            "mas.yr-1",
            lambda ra, dec, t, em, n: (ra**2 + dec**2) ** 0.5 / t * u.deg / u.d,
        ),
        ("IN_UNIT(s_ra, 'rad')", "deg", lambda ra, dec, t, em, n: ra * u.deg),
        ("DISTANCE(s_ra, s_dec, s_ra, 0)", "arcsec", lambda ra, dec, t, em, n: abs(dec) * u.deg),
        ("1 / t_min", "Hz", lambda ra, dec, t, em, n: 1 / t / u.d),
    ],
)
def test_in_unit_on_rows(
    expression: str, unit: str, judge: Callable[..., u.Quantity], rows: Query, catalogue: Catalogue
) -> None:
    text = f"SELECT {VALUES}, IN_UNIT({expression}, '{unit}') AS v FROM sky.obs WHERE s_ra IS NOT NULL"
    found = rows(text)
    assert len(found) == 307
    for *values, value in found:
        expected = judge(*values).to_value(u.Unit(unit))
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-9 * (expression[:8] == "DISTANCE"))
    column = translate(text, catalogue).columns[-1]
    assert (column.name, column.unit, column.type.datatype) == ("v", unit, "double")


def test_in_unit_on_a_subquery_and_an_aggregate(rows: Query) -> None:
    inner = "SELECT MAX(t_min) - MIN(t_min) AS span, COUNT(*) AS n FROM sky.obs"
    assert rows(f"SELECT IN_UNIT(span, 'h') FROM ({inner}) AS q") == [(306 * 24.0,)]
    assert rows("SELECT IN_UNIT(MAX(energy_min), 'GeV') FROM sky.hea") == [(30600.0,)]
    assert rows("SELECT COUNT(*) FROM sky.obs WHERE IN_UNIT(s_ra, 'arcmin') < 6.5") == [(2,)]


@pytest.mark.parametrize(
    ("expression", "message", "at"),
    [
        ("IN_UNIT(42, 'kg')", "the value has no unit", 15),
        ("IN_UNIT(40 + 2, 'deg')", "the value has no unit", 15),
        ("IN_UNIT(SQRT(42), 'deg')", "sqrt has no unit", 15),
        ("IN_UNIT(NULL, 'deg')", "the value has no unit", 15),
        ("IN_UNIT(n_events, 'deg')", "n_events has no unit", 15),
        ("IN_UNIT(s_ra + t_min, 'deg')", "the value has no unit", 15),
        ("IN_UNIT(target, 'deg')", "IN_UNIT takes a number, this is text", 15),
        ("IN_UNIT(s_ra, 'kg')", "deg cannot be converted to kg", 21),
        ("IN_UNIT(em_min, 'eV')", "m cannot be converted to eV", 23),
        ("IN_UNIT(s_ra, 'foo')", "unknown unit 'foo'", 21),
        ("IN_UNIT(s_ra, '')", "the unit is empty", 21),
    ],
)
def test_in_unit_says_what_is_wrong(expression: str, message: str, at: int, catalogue: Catalogue) -> None:
    with pytest.raises(ADQLError) as caught:
        translate(f"SELECT {expression} FROM sky.obs", catalogue)
    assert (caught.value.message, caught.value.column) == (message, at + 1)
