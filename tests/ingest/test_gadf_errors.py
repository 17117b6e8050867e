"""Files that cannot be published are refused in one line that says what, where and what would be right."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from ingest.facts import HduLocation, ProductError, Source
from ingest.gadf import read
from ingest.release import find_release
from tests.dl3files import TSTART, Habits, index_rows, write_dl3, write_hdu_index, write_irfs, write_map


def refusal(path: Path) -> str:
    with pytest.raises(ProductError) as caught:
        read(Source({"events": HduLocation(path, "EVENTS")}))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def damaged(path: Path, keep: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return path


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.999])
def test_damaged_gzip(tmp_path: Path, keep: float) -> None:
    assert refusal(damaged(write_dl3(tmp_path / "run.fits.gz"), keep)).startswith("damaged gzip (")


@pytest.mark.parametrize("keep", [0.002, 0.01, 0.3, 0.9])
def test_truncated_file(tmp_path: Path, keep: float) -> None:
    message = refusal(damaged(write_dl3(tmp_path / "run.fits"), keep))
    assert "truncated" in message
    assert message.endswith("; fetch the file again")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"SIMPLE"])
def test_not_fits(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.fits"
    path.write_bytes(content)
    assert refusal(path) == "not a FITS file: it does not begin with SIMPLE; expected .fits or .fits.gz"


def test_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "run.fits") == "cannot be read: No such file or directory"


def test_no_events(tmp_path: Path) -> None:
    assert refusal(write_irfs(tmp_path / "irf.fits")) == (
        "EVENTS: no such table of events; the file has AEFF, EDISP, PSF"
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            {"MJDREFI": None},
            "EVENTS MJDREFI: missing or not a number; GADF has no default: give MJDREFI and MJDREFF",
        ),
        ({"TIMESYS": None}, "EVENTS TIMESYS: missing; GADF has no default for it: add e.g. TIMESYS = 'TT'"),
        ({"TIMESYS": "STARDATE"}, "EVENTS TIMESYS: unknown time system 'STARDATE'; known are "),
        ({"TSTOP": TSTART - 1}, f"EVENTS TSTOP: {TSTART - 1} is before TSTART {TSTART}"),
        ({"DEC_PNT": -90.5}, "EVENTS DEC_PNT: -90.5 deg is impossible; declinations lie within -90..90"),
        ({"RA_PNT": 361.5}, "EVENTS RA_PNT: 361.5 deg is impossible; right ascensions lie within 0..360"),
        ({"RA_PNT": -180.5}, "EVENTS RA_PNT: -180.5 deg is impossible; right ascensions lie within 0..360"),
        (
            {"MJDREFI": 2451910},
            "EVENTS MJDREFI: 2.45191e+06 is impossible; MJD 0 to 100000 are the years 1858 to 2132",
        ),
        ({"MJDREFI": -1}, "EVENTS MJDREFI: -0.999257 is impossible; MJD 0 to 100000"),
        ({"TSTART": -1e300}, "EVENTS TSTART: -1e+300 after the reference is MJD -1.15741e+295, which is imp"),
        ({"TSTOP": 1e10}, "EVENTS TSTOP: 1e+10 after the reference is MJD 167651, which is impossible"),
        ({"RA_PNT": "nan"}, "EVENTS RA_PNT: 'nan' is not a finite number; give degrees"),
        ({"RADECSYS": "FK4"}, "EVENTS RADECSYS: unknown frame 'FK4'; GADF has ICRS and FK5"),
        (
            {"RADECSYS": "FK5", "EQUINOX": 1950.0},
            "EVENTS EQUINOX: 1950.0 is not supported; positions must be J2000",
        ),
        ({"OBS_ID": None}, "EVENTS OBS_ID: missing; give the observation an identifier"),
    ],
)
def test_headers(tmp_path: Path, header: dict[str, Any], expected: str) -> None:
    assert refusal(write_dl3(tmp_path / "run.fits", Habits(header=header, irfs=False))).startswith(expected)


def test_no_time_at_all(tmp_path: Path) -> None:
    habits = Habits(events=0, gtis=None, header={"TSTART": None, "TSTOP": None})
    assert refusal(write_dl3(tmp_path / "run.fits", habits)).startswith(
        "EVENTS TSTART: missing or not a number"
    )


@pytest.mark.parametrize("name", ["TIME", "RA", "DEC"])
def test_mandatory_columns(tmp_path: Path, name: str) -> None:
    message = refusal(write_dl3(tmp_path / "run.fits", Habits(columns={name: None}, irfs=False)))
    assert message == f"EVENTS: no column {name}; GADF event lists need TIME, RA, DEC and ENERGY"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("RA", np.nan, "EVENTS column RA: nan in row 3 is not a number"),
        ("DEC", np.inf, "EVENTS column DEC: inf in row 3 is not a number"),
        (
            "DEC",
            90.25,
            "EVENTS column DEC: 90.25 deg in row 3 is impossible; declinations lie within -90..90",
        ),
        (
            "RA",
            721.0,
            "EVENTS column RA: 721 deg in row 3 is impossible; right ascensions lie within 0..360",
        ),
        (
            "TIME",
            1e12,
            "EVENTS column TIME: 1e+12 after the reference is MJD 1.1626e+07, which is impossible;"
            " MJD 0 to 100000 are the years 1858 to 2132",
        ),
        ("TIME", np.nan, "EVENTS column TIME: nan in row 3 is not a number"),
    ],
)
def test_impossible_events_are_named_by_row(tmp_path: Path, name: str, value: float, expected: str) -> None:
    values = np.full(50, TSTART if name == "TIME" else 10.0)
    values[2] = value
    column = fits.Column(name, "1D", array=values)
    assert refusal(write_dl3(tmp_path / "run.fits", Habits(columns={name: column}, irfs=False))) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (
            fits.Column("ENERGY", "1E", unit="s", array=np.ones(50)),
            "unit 's' does not convert to TeV; write it in TeV",
        ),
        (
            fits.Column("ENERGY", "1E", unit="florins", array=np.ones(50)),
            "unknown unit 'florins'; write it in TeV",
        ),
        (fits.Column("ENERGY", "4A", array=["1 T"] * 50), "TFORM 4A holds no numbers"),
    ],
)
def test_columns_of_another_kind(tmp_path: Path, column: fits.Column, expected: str) -> None:
    message = refusal(write_dl3(tmp_path / "run.fits", Habits(columns={"ENERGY": column}, irfs=False)))
    assert message.startswith("EVENTS column ENERGY: ")
    assert expected in message


@pytest.mark.parametrize("interval", [(TSTART + 5, TSTART), (np.nan, TSTART)])
def test_impossible_good_times(tmp_path: Path, interval: tuple[float, float]) -> None:
    habits = Habits(gtis=[(TSTART, TSTART + 1), interval])
    assert refusal(write_dl3(tmp_path / "run.fits", habits)).startswith("GTI: row 2 is no interval: START ")


def test_good_times_of_another_age(tmp_path: Path) -> None:
    habits = Habits(gtis=[(TSTART, 1e12)])
    assert refusal(write_dl3(tmp_path / "run.fits", habits)).startswith(
        "GTI column STOP: 1e+12 after the ref"
    )


def test_energies_are_one_for_each_event(tmp_path: Path) -> None:
    column = fits.Column("ENERGY", "2E", unit="TeV", array=np.ones((50, 2)))
    message = refusal(write_dl3(tmp_path / "run.fits", Habits(columns={"ENERGY": column}, irfs=False)))
    assert message == "EVENTS column ENERGY: has 2 values a row; it must have one"


@pytest.mark.parametrize("kind", ["aeff", "edisp", "psf", "bkg", "rad_max", "gti"])
def test_an_index_publishes_nothing_but_hdus_of_fits_files(tmp_path: Path, kind: str) -> None:
    write_dl3(tmp_path / "data" / "run.fits", Habits(irfs=False))
    (tmp_path / "secret").write_text("root:x:0:0")
    for name, message in (
        ("../secret", "not a FITS file: it does not begin with SIMPLE; expected .fits or .fits.gz"),
        ("run.fits", "the file has no such HDU"),
    ):
        rows = [*index_rows(1, "run.fits", ["events"]), *index_rows(1, name, [kind], hdu_class="x")]
        rows[-1]["hdu_name"] = "NOWHERE"
        index = write_hdu_index(tmp_path / "data" / "hdu-index.fits", rows)
        found = read(find_release(index, [tmp_path]).sources[0])
        index.unlink()
        assert kind not in found.products
        assert {f.path.name for f in found.files} == {"run.fits"}
        (problem,) = found.problems
        assert (problem.where, problem.fatal) == ("NOWHERE", False)
        assert problem.message == f"listed as {kind}, but {message}: published without it"


def test_contradictions_in_a_response_are_a_problem(tmp_path: Path) -> None:
    path = write_dl3(tmp_path / "run.fits")
    with fits.open(path, mode="update") as hdus:
        hdus["PSF"].header["TFORM6"] = "1A"
        hdus["EDISP"].columns["MATRIX"].name = "OTHER"
    found = read(find_release(path).sources[0])
    assert (found.psf, found.edisp, found.fov) == (None, None, 5.0)
    assert [p.fatal for p in found.problems] == [False, False]


def test_a_map_that_is_no_map_of_the_sky_is_a_problem(tmp_path: Path) -> None:
    write_dl3(tmp_path / "run.fits", Habits(irfs=False))
    area = write_map(tmp_path / "aeff.fits", "AEFF", [("ENERGY", np.geomspace(0.1, 100, 4))], np.ones(3))
    fits.setval(area, "CTYPE1", value="RA---XXX", extname="AEFF")
    rows = [*index_rows(1, "run.fits", ["events"]), *index_rows(1, "aeff.fits", ["aeff"])]
    found = read(find_release(write_hdu_index(tmp_path / "hdu-index.fits", rows)).sources[0])
    (problem,) = found.problems
    assert problem.message.startswith("cannot be understood as aeff (")
    assert (problem.path, problem.fatal, "\n" in problem.message) == (area, False, False)


def test_responses_that_cannot_be_read_are_problems_of_a_dataset_that_is_published(tmp_path: Path) -> None:
    write_dl3(tmp_path / "run.fits", Habits(irfs=False))
    (tmp_path / "irf.fits").write_bytes(b"broken")
    rows = [
        *index_rows(1, "run.fits", ["events"]),
        *index_rows(1, "irf.fits", ["aeff"]),
        *index_rows(1, "run.fits", ["psf", "gti"]),
    ]
    rows[-1]["hdu_name"] = "NO_GTI"
    write_hdu_index(tmp_path / "hdu-index.fits", rows)
    found = read(find_release(tmp_path).sources[0])
    assert (found.fov, found.psf, found.gtis) == (None, None, None)
    assert sorted(str(p).removeprefix(f"{tmp_path}/") for p in found.problems) == [
        "irf.fits: aeff: listed as aeff, but not a FITS file: it does not begin with SIMPLE;"
        " expected .fits or .fits.gz: published without it",
        "run.fits: NO_GTI: listed as gti, but the file has no such HDU: published without it",
        "run.fits: psf: listed as psf, but the file has no such HDU: published without it",
    ]


def test_a_missing_pointing_is_a_problem_unless_the_instrument_drifts(tmp_path: Path) -> None:
    missing = {"RA_PNT": None, "DEC_PNT": None}
    pointed = find_release(write_dl3(tmp_path / "a.fits", Habits(header=missing))).sources[0]
    drifting = find_release(
        write_dl3(tmp_path / "b.fits", Habits(header={**missing, "OBS_MODE": "DRIFT"}))
    ).sources[0]
    assert [(p.where, p.fatal) for p in read(pointed).problems] == [("EVENTS RA_PNT", False)]
    assert read(drifting).problems == ()
