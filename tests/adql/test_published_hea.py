# ruff: noqa: E501 - a table of questions reads best in long lines
"""What high-energy astronomers ask of a real release; astropy on its files is the independent judge.

The questions are those of the use cases in the draft of the high-energy extension of ObsCore
(appendix "Use cases"), put to observations that the H.E.S.S. release has.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
import psycopg
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time

from ingest.run import collection_of, ingest_release
from schema.load import catalogue as published_catalogue
from schema.model import Catalogue
from tests.ingesting import Archive
from vo_server.adql import translate
from vo_server.db import Database
from vo_server.roles import owner_url, read_collections
from vo_server.settings import Settings

COLLECTION = Path(__file__).parents[2] / "resources/collections/hess-dl3-dr1.toml"

BOTH = "ivoa.obscore NATURAL JOIN ivoa.obscore_hea"
RADIUS = 2.5 * u.deg
"""H.E.S.S.'s field of view as the collection describes it."""


@dataclass(frozen=True)
class Run:
    """What one file says, in the units that ObsCore publishes."""

    obs_id: str
    target: str
    pointing: SkyCoord
    events: int
    energy_min: float
    energy_max: float
    t_min: float
    t_max: float
    livetime: float
    response: frozenset[str]

    def within(self, position: SkyCoord, radius: u.Quantity) -> bool:
        """Whether the pointing is so near to `position`."""
        return bool(self.pointing.separation(position) <= radius)


Judge = Callable[[Run], bool]


def near(ra: float, dec: float, radius: u.Quantity) -> Judge:
    position = SkyCoord(ra, dec, unit="deg")
    return lambda run: run.within(position, radius)


def every(*judges: Judge) -> Judge:
    return lambda run: all(judge(run) for judge in judges)


def either(*judges: Judge) -> Judge:
    return lambda run: any(judge(run) for judge in judges)


def nothing(run: Run) -> bool:
    return False


def anything(run: Run) -> bool:
    return True


@pytest.fixture(scope="module")
def runs(shared_data: Path) -> dict[str, Run]:
    """The observations of the release by obs_id, read with astropy alone."""
    found = {}
    for path in sorted((shared_data / "hess-dl3-dr1/data").glob("*.fits.gz")):
        with fits.open(path) as hdus:
            run = _read(hdus)
        found[run.obs_id] = run
    assert len(found) == 105
    return found


def _read(hdus: fits.HDUList) -> Run:
    events, area = hdus["EVENTS"].header, hdus["AEFF"].header
    start, stop = (
        Time(events["MJDREFI"], events["MJDREFF"] + events[key] / 86400, format="mjd", scale="tt").utc.mjd
        for key in ("TSTART", "TSTOP")
    )
    return Run(
        str(events["OBS_ID"]),
        events["OBJECT"],
        SkyCoord(events["RA_PNT"], events["DEC_PNT"], unit="deg", frame="fk5", equinox="J2000").icrs,
        events["NAXIS2"],
        area["LO_THRES"] * 1e12,
        area["HI_THRES"] * 1e12,
        start,
        stop,
        events["LIVETIME"],
        frozenset(hdu.name for hdu in hdus),
    )


@pytest.fixture(scope="module")
def catalogue(module_settings: Settings, shared_data: Path) -> Catalogue:
    """What is published when the release has been ingested."""
    path = shared_data / "hess-dl3-dr1"
    with psycopg.connect(owner_url(module_settings), autocommit=True) as connection:
        archive = Archive(module_settings, connection)
        collection = collection_of(path, COLLECTION, "x-unregistered")
        ingest_release(
            path,
            collection,
            connection,
            archive.publish,
            processes=2,
            prune=False,
            progress=archive.progress,
        )
        return published_catalogue(read_collections(connection))


@pytest.fixture(scope="module")
def ask(module_settings: Settings, catalogue: Catalogue) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """The rows that an ADQL query brings to the public."""
    database = Database(module_settings)
    database.open()

    def run(text: str) -> list[tuple[Any, ...]]:
        translation = translate(text, catalogue)
        return database.fetch(translation.sql, translation.parameters)

    yield run
    database.close()


EVENT_LIST = "dataproduct_type = 'event-list'"
CRAB = "CIRCLE(83.6324, 22.0174, 1)"
QUESTIONS: list[tuple[str, Judge]] = [
    (f"{EVENT_LIST} AND obs_collection = 'HESS-DL3-DR1'", anything),
    (
        f"(target_name = 'Crab Nebula' OR CONTAINS(POINT(s_ra, s_dec), {CRAB}) = 1) AND {EVENT_LIST}",
        either(lambda r: r.target == "Crab Nebula", near(83.6324, 22.0174, 1 * u.deg)),
    ),
    (
        "target_name = 'PKS 2155-304' AND calib_level >= 2 AND em_calib_status = 'calibrated' AND ev_xel >= 9000",
        lambda r: r.target == "PKS 2155-304" and r.events >= 9000,
    ),
    (
        "1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 329.716938, -30.225588, 0.6)) AND ev_xel > 6000",
        every(near(329.716938, -30.225588, 0.6 * u.deg), lambda r: r.events > 6000),
    ),
    ("INTERSECTS(s_region, CIRCLE(258.39, -39.76, 0.5)) = 1", near(258.39, -39.76, RADIUS + 0.5 * u.deg)),
    ("INTERSECTS(s_region, CIRCLE(312.775, 30.683, 1.5)) = 1", near(312.775, 30.683, RADIUS + 1.5 * u.deg)),
    ("CONTAINS(POINT('ICRS', 228.48, -59.16), CIRCLE('ICRS', s_ra, s_dec, s_fov)) = 1", near(228.48, -59.16, 5 * u.deg)),
    ("CONTAINS(POINT(228.48, -59.16), CIRCLE(s_ra, s_dec, s_fov / 2)) = 1", near(228.48, -59.16, RADIUS)),
    ("CONTAINS(POINT(228.48, -59.16), s_region) = 1", near(228.48, -59.16, RADIUS)),
    ("CONTAINS(s_region, CIRCLE(228.48, -59.16, 3.1)) = 1", near(228.48, -59.16, 3.1 * u.deg - RADIUS)),
    ("DISTANCE(POINT(s_ra, s_dec), POINT(228.48, -59.16)) < 0.55", near(228.48, -59.16, 0.55 * u.deg)),
    ("DISTANCE(s_ra, s_dec, 6.02, -72.08) <= 2 AND NOT target_name LIKE '47 Tuc%'",
     every(near(6.02, -72.08, 2 * u.deg), lambda r: not r.target.startswith("47 Tuc"))),
    ("energy_min < 2.6e11 AND energy_max >= 1.0e+13", lambda r: r.energy_min < 2.6e11 and r.energy_max >= 1e13),
    ("energy_min < 3.0E11", lambda r: r.energy_min < 3e11),
    ("ivo_interval_overlaps(energy_min, energy_max, 1e10, 2.2e11) = 1", lambda r: r.energy_min <= 2.2e11),
    ("ev_xel BETWEEN 12000 AND 14000", lambda r: 12000 <= r.events <= 14000),
    ("t_min >= 53200 AND t_max <= 53300", lambda r: r.t_min >= 53200 and r.t_max <= 53300),
    ("t_exptime > 1600", lambda r: r.livetime > 1600),
    ("o_ucd LIKE '%em.energy%' AND o_ucd LIKE '%pos.eq%'", anything),
    ("ivo_hashlist_has(o_ucd, 'em.energy') = 1 AND ivo_hashlist_has(o_ucd, 'time') = 1", anything),
    ("o_ucd LIKE '%phys.polarization%'", nothing),
    ("instrument_name LIKE 'H.E.S.S.%' AND facility_name = 'HESS'", anything),
    ("instrument_name LIKE 'CTAO-S'", nothing),
    ("s_calib_status = 'calibrated' AND t_calib_status = 'calibrated' AND em_calib_status <> 'uncalibrated'", anything),
    ("em_calib_status = 'uncalibrated'", nothing),
    ("dataproduct_type IN ('aeff', 'edisp', 'psf', 'bkgrate')", nothing),
    ("messenger_name = 'photon' AND messenger_pdgid IN ('22', '+22')", anything),
    ("messenger_name = 'neutrino'", nothing),
    ("event_type IS NOT NULL", nothing),
    ("CAST(obs_id AS INTEGER) > 23526 AND CAST(obs_id AS INTEGER) <= 25443", lambda r: 23526 < int(r.obs_id) <= 25443),
    ("obs_id = '20136' OR obs_publisher_did LIKE '%?20137'", lambda r: r.obs_id in {"20136", "20137"}),
    ("tracking_mode = tracking_type AND LOWER(target_name) = 'sco x-1'", lambda r: r.target == "Sco X-1"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "judge"), QUESTIONS, ids=[q for q, _ in QUESTIONS])
def test_the_runs_that_fit(
    condition: str, judge: Judge, ask: Callable[[str], list[tuple[Any, ...]]], runs: dict[str, Run]
) -> None:
    found = [obs_id for (obs_id,) in ask(f"SELECT obs_id FROM {BOTH} WHERE {condition} ORDER BY obs_id")]
    expected = sorted(run.obs_id for run in runs.values() if judge(run))
    assert found == expected
    if judge not in (anything, nothing) and "312.775" not in condition:
        assert 0 < len(found) < 105
    whole = ask(f"SELECT * FROM {BOTH} WHERE {condition}")
    assert len(whole) == len(expected)


def test_what_the_rows_say(ask: Callable[[str], list[tuple[Any, ...]]], runs: dict[str, Run]) -> None:
    """Positions, events, energies, times and sizes of all observations."""
    rows = ask(
        "SELECT obs_id, target_name, s_ra, s_dec, ev_xel, energy_min, energy_max, t_min, t_max, t_exptime,"
        f" AREA(s_region), DISTANCE(CENTROID(s_region), POINT(s_ra, s_dec)) FROM {BOTH}"
    )
    assert {row[0] for row in rows} == set(runs)
    cap = (2 * math.pi * u.sr * (1 - math.cos(RADIUS.to_value(u.rad)))).to_value(u.deg**2)
    for obs_id, target, ra, dec, events, low, high, start, stop, live, area, offset in rows:
        run = runs[obs_id]
        assert (target, events) == (run.target, run.events)
        assert run.pointing.separation(SkyCoord(ra, dec, unit="deg")) < 1 * u.mas
        assert (low, high) == pytest.approx((run.energy_min, run.energy_max), rel=1e-12)
        assert (start, stop) == pytest.approx((run.t_min, run.t_max), abs=1e-8)
        assert live == pytest.approx(run.livetime, rel=1e-6)
        assert area == pytest.approx(cap, rel=1e-9)
        assert offset < 1e-9


def test_distances_are_astropys(ask: Callable[[str], list[tuple[Any, ...]]], runs: dict[str, Run]) -> None:
    target = SkyCoord(83.6324, 22.0174, unit="deg")
    rows = ask(
        f"SELECT obs_id, DISTANCE(s_ra, s_dec, 83.6324, 22.0174) AS away FROM {BOTH} ORDER BY away, obs_id"
    )
    for obs_id, away in rows:
        assert away == pytest.approx(runs[obs_id].pointing.separation(target).deg, abs=1e-9)
    assert [away for _, away in rows] == sorted(away for _, away in rows)


def test_events_and_time_by_target(ask: Callable[[str], list[tuple[Any, ...]]], runs: dict[str, Run]) -> None:
    rows = ask(
        "SELECT target_name, COUNT(*) AS n, SUM(ev_xel), SUM(t_exptime) / 3600, MIN(energy_min)"
        f" FROM {BOTH} GROUP BY target_name HAVING COUNT(*) >= 2 ORDER BY n DESC, target_name"
    )
    targets = {run.target for run in runs.values()}
    grouped = {t: [r for r in runs.values() if r.target == t] for t in targets}
    assert {t for t, *_ in rows} == {t for t, found in grouped.items() if len(found) >= 2}
    for target, number, events, hours, lowest in rows:
        found = grouped[target]
        assert (number, events) == (len(found), sum(r.events for r in found))
        assert hours == pytest.approx(sum(r.livetime for r in found) / 3600, rel=1e-6)
        assert lowest == pytest.approx(min(r.energy_min for r in found), rel=1e-12)


def test_events_are_counted_in_the_files(
    ask: Callable[[str], list[tuple[Any, ...]]], shared_data: Path
) -> None:
    """Single events, by energy and by distance from the nebula."""
    path = shared_data / "hess-dl3-dr1/data/hess_dl3_dr1_obs_id_023523.fits.gz"
    with fits.open(path) as hdus:
        table = hdus["EVENTS"].data
        crab = SkyCoord(83.6324, 22.0174, unit="deg")
        away = SkyCoord(table["RA"], table["DEC"], unit="deg").separation(crab).deg
        expected = int(((away < 0.3) & (table["ENERGY"] > 1)).sum())
    assert expected > 10
    assert ask(
        "SELECT COUNT(*) FROM hess_dr.events WHERE obs_id = '23523' AND energy > 1"
        ' AND DISTANCE(ra, "dec", 83.6324, 22.0174) < 0.3'
    ) == [(expected,)]
