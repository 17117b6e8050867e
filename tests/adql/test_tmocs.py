"""Time MOCs: astropy and mocpy judge, and the good time intervals in the files of a real release."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import erfa
import numpy as np
import psycopg
import pytest
from astropy.io import fits
from astropy.time import Time
from mocpy import TimeMOC

from schema.load import catalogue as published_catalogue
from schema.model import Catalogue
from tests.ingesting import Archive
from vo_server.adql import ADQLError, translate
from vo_server.roles import owner_url, read_collections
from vo_server.settings import Settings

Ask = Callable[..., list[tuple[Any, ...]]]
Ranges = list[tuple[int, int]]

LIGHT_TIME = 510 / 86400
"""Days that light takes between Earth and barycentre at most, and some seconds more."""


@pytest.fixture(scope="module")
def owner(module_settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(
        owner_url(module_settings), autocommit=True, cursor_factory=psycopg.RawCursor
    ) as connection:
        yield connection


@pytest.fixture(scope="module")
def release(
    module_settings: Settings, shared_data: Path, owner: psycopg.Connection[Any]
) -> dict[str, list[tuple[float, float]]]:
    """The ingested release: the GTIs of its files in MJD (UTC) by obs_id."""
    with psycopg.connect(owner_url(module_settings), autocommit=True) as connection:
        Archive(module_settings, connection).ingest(shared_data / "hess-dl3-dr1")
    found = {}
    for path in sorted((shared_data / "hess-dl3-dr1/data").glob("*.fits.gz")):
        with fits.open(path) as hdus:
            header, table = hdus["GTI"].header, hdus["GTI"].data
            origin = header["MJDREFI"] + header["MJDREFF"]
            scale = header["TIMESYS"].lower()
            edges = [
                Time(origin, table[name].astype(float) / 86400, format="mjd", scale=scale).utc.mjd
                for name in ("START", "STOP")
            ]
            found[str(hdus["EVENTS"].header["OBS_ID"])] = list(zip(*(e.tolist() for e in edges), strict=True))
    return found


@pytest.fixture(scope="module")
def catalogue(
    owner: psycopg.Connection[Any], release: dict[str, Any], module_settings: Settings
) -> Catalogue:
    with psycopg.connect(owner_url(module_settings)) as connection:
        return published_catalogue(read_collections(connection))


@pytest.fixture(scope="module")
def ask(owner: psycopg.Connection[Any], catalogue: Catalogue) -> Ask:
    def run(text: str) -> list[tuple[Any, ...]]:
        translation = translate(text, catalogue)
        return owner.execute(translation.sql, translation.parameters).fetchall()

    return run


@pytest.fixture(scope="module")
def value(owner: psycopg.Connection[Any], catalogue: Catalogue) -> Callable[[str], Any]:
    """The value of an expression that needs no table."""

    def run(expression: str) -> Any:
        translation = translate(f"SELECT TOP 1 {expression} AS v FROM tap_schema.tables", catalogue)
        ((found,),) = owner.execute(translation.sql, translation.parameters).fetchall()
        return found

    return run


def ranges(text: str) -> Ranges:
    """The ranges of a T-MOC in microseconds, as mocpy reads it."""
    moc = TimeMOC.from_string(text, format="ascii")
    return [(int(a), int(b)) for a, b in moc.to_depth61_ranges.tolist()] if not moc.empty() else []


def test_times_are_brought_to_tcb_as_by_astropy(owner: psycopg.Connection[Any]) -> None:
    """Within the 2 ms between TDB and TT, on days that do not end with a leap second."""
    draw = np.random.default_rng(5)
    mjd = np.round(draw.uniform(41400, 62000, 400), 6)
    time = Time(mjd, format="mjd", scale="utc").tcb
    expected = (time.jd1 * 2).astype(np.int64) * 43_200_000_000 + np.rint(time.jd2 * 86400e6).astype(np.int64)
    found = [owner.execute("SELECT vo.tmoc_microseconds($1)", (m,)).fetchall()[0][0] for m in mjd.tolist()]
    assert np.abs(np.array(found) - expected).max() < 2500


def test_leap_seconds_are_those_of_erfa(owner: psycopg.Connection[Any]) -> None:
    """Around every one that erfa knows, so that a new one makes this test fail."""
    table = erfa.leap_seconds.get()
    table = table[table["year"] >= 1972]
    assert len(table) == 28
    for year, month, offset in table.tolist():
        day = Time(f"{year}-{month:02d}-01", scale="utc").mjd
        ((found,),) = owner.execute("SELECT vo.tmoc_microseconds($1)", (day,)).fetchall()
        rate = 1.550519768e-8 * 86400 * (day - 43144.0)
        seconds = (found - 207360043200000000) / 1e6 - day * 86400
        assert seconds == pytest.approx(offset + 32.184 + rate, abs=1e-3)


def test_overlaps_are_those_of_the_good_time_intervals(
    ask: Ask, release: dict[str, list[tuple[float, float]]]
) -> None:
    """Intervals longer than the light time about the start of every run find it; those between do not."""
    for obs_id, intervals in list(release.items())[::10]:
        start, stop = intervals[0][0], intervals[-1][1]
        around = (start - LIGHT_TIME, start + LIGHT_TIME)
        long_before = (start - 3 * LIGHT_TIME, start - 1.1 * LIGHT_TIME)
        after = (stop + 1.1 * LIGHT_TIME, stop + 1.2 * LIGHT_TIME)
        for (low, high), expected in ((around, 1), (long_before, 0), (after, 0)):
            query = (
                "SELECT obs_id FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea"
                f" WHERE vo_tmoc_overlaps(t_intervals, {low!r}, {high!r}) = {{}} AND obs_id = '{obs_id}'"
            )
            assert ask(query.format(expected)) == [(obs_id,)], (obs_id, low, high)
            assert ask(query.format(1 - expected)) == []


def test_overlaps_are_those_of_mocpy_and_astropy(ask: Ask) -> None:
    texts = dict(ask("SELECT obs_id, t_intervals FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea"))
    known = {obs_id: ranges(text) for obs_id, text in texts.items()}
    assert len(known) > 100
    for low, high in ((53290.0, 53310.0), (53343.9, 53344.1), (50000.0, 53000.0), (54000.0, 56000.0)):
        time = Time([low, high], format="mjd", scale="utc").tcb
        first, last = ((time.jd1 + time.jd2) * 86400e6).tolist()
        overlaps = {i for i, parts in known.items() if any(a <= last and b > first for a, b in parts)}
        covers = {i for i, parts in known.items() if any(a <= first and b > last for a, b in parts)}
        select = "SELECT obs_id FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea WHERE "
        assert {i for (i,) in ask(f"{select} vo_tmoc_overlaps(t_intervals, {low}, {high}) = 1")} == overlaps
        assert {i for (i,) in ask(f"{select} vo_tmoc_covers(t_intervals, {low}, {high}) = 1")} == covers
    union = "SELECT o.obs_id FROM ivoa.obscore AS o NATURAL JOIN ivoa.obscore_hea AS h WHERE 1 = "
    one = next(iter(texts))
    for test, judge in (
        (f"vo_tmoc_overlaps(t_intervals, '{texts[one]}')", lambda a, b: bool(ranges_common(a, b))),
        (f"vo_tmoc_covers('{texts[one]}', t_intervals)", lambda a, b: ranges_common(a, b) == a),
    ):
        expected = {i for i, parts in known.items() if judge(parts, known[one])}
        assert one in expected
        assert {i for (i,) in ask(union + test)} == expected


def ranges_common(a: Ranges, b: Ranges) -> Ranges:
    """What two lists of ranges have in common."""
    return [
        (max(low, first), min(high, last))
        for low, high in a
        for first, last in b
        if max(low, first) < min(high, last)
    ]


def test_durations_are_the_good_time_of_the_files(
    ask: Ask, release: dict[str, list[tuple[float, float]]]
) -> None:
    found = dict(
        ask(
            "SELECT obs_id, vo_tmoc_duration(t_intervals) FROM ivoa.obscore AS o"
            " JOIN ivoa.obscore_hea AS h ON o.obs_publisher_did = h.obs_publisher_did"
        )
    )
    assert set(found) == set(release)
    orders = dict(ask("SELECT obs_id, t_intervals FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea"))
    for obs_id, intervals in release.items():
        seconds = sum(stop - start for start, stop in intervals) * 86400
        cell = 2.0 ** (61 - TimeMOC.from_string(orders[obs_id], format="ascii").max_order) / 1e6
        assert seconds * 0.999 <= found[obs_id] <= seconds + 2 * cell * len(intervals) + 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("31/1234-1240 1250", "30/617-619"), ("61/0 7-9", "60/1 61/8"), ("0/0-1", "5/3"), ("31/5", "31/7")],
)
def test_literals_are_combined_as_by_mocpy(value: Callable[[str], Any], one: str, other: str) -> None:
    a, b = (TimeMOC.from_string(t, format="ascii") for t in (one, other))
    assert ranges(value(f"vo_tmoc_union('{one}', 't{other}')")) == ranges(a.union(b).to_string())
    assert ranges(value(f"vo_tmoc_intersect('{one}', '{other}')")) == ranges(a.intersection(b).to_string())
    assert value(f"vo_tmoc_overlaps('{one}', '{other}')") == int(not a.intersection(b).empty())
    assert value(f"vo_tmoc_covers('{one}', '{other}')") == int(
        ranges(a.intersection(b).to_string()) == ranges(other)
    )
    seconds = sum(high - low for low, high in ranges(one)) / 1e6
    assert value(f"vo_tmoc_duration('{one}')") == pytest.approx(seconds)
    order, _, numbers = one.partition("/")
    assert value(f"vo_tmoc_duration('{order}/' || '{numbers}')") == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("vo_tmoc_overlaps('31/', 1, 90000)", 0),
        ("vo_tmoc_overlaps('0/0-1', 50000, 50000)", 1),
        ("vo_tmoc_overlaps('0/0-1', 50001, 50000)", 0),
        ("vo_tmoc_covers('0/0-1', 50001, 50000)", 0),
        ("vo_tmoc_overlaps('0/0-1', -1e300, 1e300)", 1),
        ("vo_tmoc_overlaps('0/0', NULL, 5)", None),
        ("vo_tmoc_duration('31/')", 0.0),
        ("vo_tmoc_union('31/', '7/')", "0/"),
    ],
)
def test_empty_and_odd_intervals(value: Callable[[str], Any], expression: str, expected: object) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("vo_tmoc_duration('62/1')", "the order 62 is out of range: orders of a T-MOC end at 61"),
        ("vo_tmoc_duration('0/2')", "there is no cell 2 at order 0"),
        ("vo_tmoc_duration('s3/1')", "this is a MOC of space, not a T-MOC"),
        ("vo_tmoc_duration('yesterday')", "a T-MOC looks like '31/1234-1240 1250'"),
        ("vo_tmoc_overlaps(3, 4, 5)", "vo_tmoc_overlaps takes text here, this is a number"),
        ("CONTAINS(POINT(1, 2), t_intervals)", "CONTAINS takes a geometry here, this is text"),
    ],
)
def test_what_is_wrong_is_told(catalogue: Catalogue, expression: str, told: str) -> None:
    with pytest.raises(ADQLError, match=told):
        translate(f"SELECT {expression} AS v FROM ivoa.obscore_hea", catalogue)


def test_text_that_is_no_tmoc_is_a_clear_error(ask: Ask) -> None:
    with pytest.raises(psycopg.errors.DataException, match="is no T-MOC"):
        ask("SELECT vo_tmoc_duration(obs_id) AS d FROM ivoa.obscore")


def test_the_column_is_still_text(ask: Ask) -> None:
    ((text, same, length),) = ask(
        "SELECT TOP 1 t_intervals, COALESCE(t_intervals, 'none'), 1 FROM ivoa.obscore_hea"
        " WHERE t_intervals LIKE '%/%' AND t_intervals <> ''"
    )
    assert text == same
    assert length == 1


@pytest.mark.parametrize("order", [20, 27, 35, 61])
def test_cells_of_an_order_are_those_of_mocpy(ask: Ask, value: Callable[[str], Any], order: int) -> None:
    rows = ask(
        f"SELECT t_intervals, TMOC({order}, t_intervals) FROM ivoa.obscore_hea WHERE t_intervals IS NOT NULL"
    )
    for text, degraded in rows[::7]:
        moc = TimeMOC.from_string(text, format="ascii")
        expected = moc.degrade_to_order(order) if order < moc.max_order else moc
        assert ranges(degraded) == [(int(a), int(b)) for a, b in expected.to_depth61_ranges.tolist()]
    whole = TimeMOC.from_string(value(f"TMOC({order}, 53290.0, 53310.0)"), format="ascii")
    assert whole.max_order <= order


@pytest.mark.parametrize("order", [15, 22, 27])
def test_tmocs_of_an_order_meet_as_those_of_mocpy(ask: Ask, value: Callable[[str], Any], order: int) -> None:
    """Both brought to the order, as mocpy does it; runs are found that only share a cell."""
    texts = dict(ask("SELECT obs_id, t_intervals FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea"))
    start, stop = 53292.1, 53292.9
    period = TimeMOC.from_string(value(f"TMOC({order}, {start}, {stop})"), format="ascii")
    mocs = {
        name: TimeMOC.from_string(text, format="ascii").degrade_to_order(order)
        for name, text in texts.items()
        if text
    }
    select = "SELECT obs_id FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea WHERE "
    period_text = f"TMOC({order}, {start}, {stop})"
    for condition, expected in (
        (f"INTERSECTS(TMOC({order}, t_intervals), {period_text}) = 1", lambda m: not (m & period).empty()),
        (f"1 = INTERSECTS({period_text}, TMOC({order}, t_intervals))", lambda m: not (m & period).empty()),
        (f"INTERSECTS(TMOC({order}, t_intervals), {period_text}) = 0", lambda m: (m & period).empty()),
        (f"CONTAINS(TMOC({order}, t_intervals), {period_text}) = 1", lambda m: (m & period) == m),
        (f"CONTAINS({period_text}, TMOC({order}, t_intervals)) = 1", lambda m: (m & period) == period),
    ):
        found = {name for (name,) in ask(select + condition)}
        assert found == {name for name, moc in mocs.items() if expected(moc)}, condition


def test_the_order_of_a_tmoc_must_be_one(catalogue: Catalogue) -> None:
    with pytest.raises(ADQLError, match="there is no order 62 of time"):
        translate("SELECT TMOC(62, t_intervals) AS v FROM ivoa.obscore_hea", catalogue)
    with pytest.raises(ADQLError, match="INTERSECTS takes a geometry here, this is text"):
        translate(
            "SELECT INTERSECTS(TMOC(5, t_intervals), CIRCLE(1, 2, 3)) AS v FROM ivoa.obscore_hea", catalogue
        )


SPELLINGS = [
    "SELECT obs_publisher_did FROM ivoa.obscore_hea WHERE {}",
    "SELECT obs_id FROM ivoa.obscore NATURAL JOIN ivoa.obscore_hea WHERE {}",
    "SELECT obs_id FROM hess_dr.obscore WHERE {}",
    "SELECT q.t_intervals FROM (SELECT t_intervals FROM ivoa.obscore_hea) AS q WHERE {}",
    "WITH q AS (SELECT * FROM ivoa.obscore_hea) SELECT t_intervals FROM q WHERE {}",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_index_serves_overlaps(
    owner: psycopg.Connection[Any], catalogue: Catalogue, spelling: str
) -> None:
    schemas = [s.name for s in catalogue.schemas if s.name not in {"ivoa", "tap_schema"}]
    spelling = spelling.replace("hess_dr", schemas[0])
    counts = set()
    for condition in (
        "vo_tmoc_overlaps(t_intervals, 53290, 53310) = 1",
        "1 = vo_tmoc_overlaps(t_intervals, 53290, 53310)",
        "vo_tmoc_overlaps(t_intervals, 53290, 53310) > 0 AND t_intervals IS NOT NULL",
        "INTERSECTS(TMOC(61, t_intervals), TMOC(61, 53290.0, 53310.0)) = 1",
    ):
        translation = translate(spelling.format(condition), catalogue)
        counts.add(len(owner.execute(translation.sql, translation.parameters).fetchall()))
        with owner.transaction():
            owner.execute("SET LOCAL enable_seqscan = off")
            owner.execute("SET LOCAL enable_indexscan = off")
            plan = owner.execute("EXPLAIN " + translation.sql, translation.parameters).fetchall()
        assert "obscore_hea_t_intervals" in str(plan), (condition, plan)
    assert counts != {0}
    assert len(counts) == 1
