"""Spectra and light curves: what is read, by whose word, and what is refused."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import constants
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from gammapy.estimators import FluxPoints
from gammapy.maps import MapAxis, RegionGeom, RegionNDMap, TimeMapAxis
from gammapy.modeling.models import PowerLawSpectralModel, SkyModel

from ingest.facts import ProductError, ReadOptions
from ingest.fluxpoints import FluxFacts, read_flux
from ingest.fluxrows import obscore
from ingest.release import find_release
from schema.collection import Collection
from schema.target import Target
from tests.dl3files import MJDREFF, MJDREFI, Habits, write_dl3
from tests.fluxfiles import DNDE_COLUMNS, E_REF, PER_TEV, Columns, write_curve, write_flux

HC = (constants.h * constants.c).to_value("eV m")


def facts(path: Path, options: ReadOptions | None = None) -> FluxFacts:
    (source,) = find_release(path).sources
    return read_flux(source, options)


def test_a_spectrum(tmp_path: Path) -> None:
    found = facts(write_flux(tmp_path / "sed.fits", gtis=[(0.0, 100.0), (50.0, 200.0)]))
    assert (found.source.kind, found.local_id, found.sed_type) == ("spectrum", "sed", "dnde")
    assert (found.points, found.bins) == (3, 1)
    assert found.energy_min == pytest.approx(1e12 / np.sqrt(2))
    assert found.energy_max == pytest.approx(4e12 * np.sqrt(2))
    assert (found.flux_unit, found.energy_unit) == ("TeV**-1.s**-1.cm**-2", "TeV")
    assert found.flux_ucd == "phot.flux.density;em.gamma"
    assert (found.target, found.telescope, found.instrument) == ("MSH 15-52", "SOMESCOPE", "Phase I")
    assert (found.ra, found.dec, found.created) == (None, None, "2018-05-06T09:14:21")
    start = Time(MJDREFI, MJDREFF, format="mjd", scale="tt").utc
    assert found.t_start == pytest.approx(start.mjd, abs=1e-9)
    assert found.t_stop == pytest.approx(start.mjd + 200 / 86400, abs=1e-9)
    assert found.exposure == 200.0
    assert found.good is not None


def test_a_light_curve(tmp_path: Path) -> None:
    found = facts(write_curve(tmp_path / "lc.fits"))
    assert (found.source.kind, found.points, found.bins) == ("light-curve", 1, 2)
    assert (found.flux_ucd, found.flux_unit) == ("phot.flux;em.gamma", "s**-1.cm**-2")
    assert found.exposure == 140.0
    assert found.t_start is not None
    assert found.t_stop is not None
    assert (found.t_stop - found.t_start) * 86400 == pytest.approx(190.0, abs=1e-4)
    assert (found.energy_min, found.energy_max) == (1e12, 1e13)


def test_real_files(shared_data: Path) -> None:
    spectrum, curve = (read_flux(source) for source in find_release(shared_data / "flux-points").sources)
    points = FluxPoints.read(shared_data / "flux-points/crab_hess_fp.fits", format="gadf-sed")
    energies = points.energy_min[0].to_value("eV"), points.energy_max[-1].to_value("eV")
    assert (spectrum.energy_min, spectrum.energy_max) == pytest.approx(energies)
    assert (spectrum.points, spectrum.sed_type) == (5, "likelihood")
    assert spectrum.exposure == pytest.approx(points.gti.time_sum.to_value("s"))
    assert spectrum.t_start == pytest.approx(points.gti.time_start[0].utc.mjd, abs=1e-9)
    assert spectrum.t_stop == pytest.approx(points.gti.time_stop[-1].utc.mjd, abs=1e-9)
    table = Table.read(shared_data / "flux-points/pks2155_hess_lc.fits", hdu=1)
    assert curve.bins == len(table) == 34
    start = Time(table["time_min"].min(), format="mjd", scale="tt").utc.mjd
    assert curve.t_start == pytest.approx(start, abs=1e-9)


@pytest.mark.parametrize("sed_type", ["dnde", "flux", "eflux", "e2dnde", "likelihood"])
def test_what_gammapy_writes(sed_type: str, tmp_path: Path) -> None:
    model = PowerLawSpectralModel(index=2.5, amplitude=3e-11 * u.Unit(PER_TEV))
    table = Table({"e_ref": [1.0, 3.0] * u.TeV, "e_min": [0.5, 2.0] * u.TeV, "e_max": [2.0, 5.0] * u.TeV})
    table["norm"], table["norm_err"], table["norm_ul"] = [1.0, 1.2], [0.1, 0.2], [1.3, 1.7]
    table.meta["SED_TYPE"] = "likelihood"
    points = FluxPoints.from_table(table, reference_model=model)
    path = tmp_path / "written.fits"
    points.write(path, sed_type=sed_type, format="gadf-sed")
    found = facts(path)
    assert (found.sed_type, found.points) == (sed_type, 2)
    assert (found.energy_min, found.energy_max) == pytest.approx((5e11, 5e12))


def flux_maps(*axes: MapAxis | TimeMapAxis) -> FluxPoints:
    """Flux points of a power law on the axes; gammapy chooses what it writes of them."""
    geom = RegionGeom.create("icrs;circle(83.63, 22.01, 0.1)", axes=list(axes))
    values = {"norm": 1.0, "norm_err": 0.1, "norm_ul": 1.5, "ts": 30.0, "sqrt_ts": 5.5}
    maps = {name: RegionNDMap.from_geom(geom, data=np.full(geom.data_shape, v)) for name, v in values.items()}
    spectrum = PowerLawSpectralModel(index=2.5, amplitude=1e-12 * u.Unit(PER_TEV))
    return FluxPoints(maps, reference_model=SkyModel(spectrum))


ENERGIES = MapAxis.from_energy_bounds("1000 GeV", "10000 GeV", nbin=3)


@pytest.mark.parametrize("sed_type", ["dnde", "flux", "eflux", "e2dnde", "likelihood"])
def test_light_curves_that_gammapy_writes(sed_type: str, tmp_path: Path) -> None:
    starts, stops = np.array([0.0, 1.0]) * u.d, np.array([0.5, 1.5]) * u.d
    times = TimeMapAxis(starts, stops, reference_time=Time("2020-01-01", scale="utc"))
    flux_maps(ENERGIES, times).write(tmp_path / "lc.fits", format="lightcurve", sed_type=sed_type)
    found = facts(tmp_path / "lc.fits")
    assert (found.source.kind, found.sed_type) == ("light-curve", sed_type)
    assert (found.points, found.bins, found.places) == (3, 2, 1)
    # gammapy counts from MJD 0 in UTC: its values are the MJD.
    assert (found.t_start, found.t_stop, found.exposure) == (58849.0, 58850.5, 86400.0)
    assert (found.energy_min, found.energy_max) == pytest.approx((1e12, 1e13))
    assert found.energy_unit == "GeV"


def test_profiles_that_gammapy_writes(tmp_path: Path) -> None:
    distances = MapAxis.from_edges([0, 0.1, 0.2, 0.4, 0.5], unit="deg", name="projected-distance")
    points = flux_maps(ENERGIES, distances)
    points.write(tmp_path / "profile.fits", format="profile", sed_type="flux")
    found = facts(tmp_path / "profile.fits")
    assert (found.source.kind, found.sed_type) == ("spatial-profile", "flux")
    assert (found.points, found.bins, found.places) == (3, 1, 4)
    row = obscore(found, Collection(name="X", schema="x"))
    assert (row["dataproduct_type"], row["calib_level"]) == ("spatial-profile", 4)
    assert (row["s_xel1"], row["t_xel"], row["em_xel"]) == (4, 1, 3)
    assert (row["em_min"], row["em_max"]) == pytest.approx((HC / 1e13, HC / 1e12))


@pytest.mark.parametrize("unit", ["TeV", "GeV", "MeV", "keV", "erg", "J"])
def test_units_of_energy(unit: str, tmp_path: Path) -> None:
    scale = (1 * u.TeV).to_value(unit)
    energies = {n: (DNDE_COLUMNS[n][0] * scale, unit) for n in ("e_ref", "e_min", "e_max")}
    found = facts(write_flux(tmp_path / "sed.fits", energies))
    assert found.energy_unit == unit
    lowest = 1e12 / np.sqrt(2)
    assert (found.energy_min, found.energy_max) == pytest.approx((lowest, lowest * 8))


def test_a_spectrum_has_one_flux_point_a_row(tmp_path: Path) -> None:
    one = {n: (np.asarray(c[0])[:, None], c[1]) for n, c in DNDE_COLUMNS.items()}
    assert facts(write_flux(tmp_path / "one.fits", one)).points == 3
    wide = {n: (np.asarray(c[0])[None, :], c[1]) for n, c in DNDE_COLUMNS.items()}
    with pytest.raises(ProductError, match="has 3 values a row: a spectrum is a table with one flux point a"):
        facts(write_flux(tmp_path / "wide/wide.fits", wide))


def test_a_table_without_axes(tmp_path: Path) -> None:
    path = write_flux(tmp_path / "sed.fits")
    whole = path.read_bytes()
    at = whole.index(b"NAXIS   =                    2")
    path.write_bytes(whole[:at] + b"NAXIS   =                    0" + whole[at + 30 :])
    with pytest.raises(ProductError, match="FLUXPOINTS NAXIS: 0, but a table has 2"):
        facts(path)


def test_the_position_of_a_target(tmp_path: Path) -> None:
    header = {"RA_OBJ": 228.5, "DEC_OBJ": -59.25}
    own = facts(write_flux(tmp_path / "own/sed.fits", header=header))
    assert (own.ra, own.dec) == (228.5, -59.25)
    targets = (Target("Crab Nebula", 83.6, 22.0, ("sed*",)), Target("msh 15-52", 1.0, 2.0))
    listed = facts(tmp_path / "own/sed.fits", ReadOptions(targets=targets))
    assert (listed.target, listed.ra, listed.dec) == ("Crab Nebula", 83.6, 22.0)
    named = facts(tmp_path / "own/sed.fits", ReadOptions(targets=targets[1:]))
    assert (named.target, named.ra, named.dec) == ("msh 15-52", 1.0, 2.0)


@pytest.mark.parametrize("indexed", [False, True])
def test_a_sibling_tells_where_the_target_is(tmp_path: Path, indexed: bool) -> None:
    write_dl3(tmp_path / "run.fits", Habits(events=5, irfs=False))
    write_flux(tmp_path / "sed.fits")
    write_flux(tmp_path / "other.fits", header={"OBJECT": "Elsewhere"})
    release = find_release(tmp_path)
    assert release.problems == ()
    assert [s.kind for s in release.sources] == ["events", "spectrum", "spectrum"]
    other, found = (read_flux(source) for source in release.sources[1:])
    assert (found.ra, found.dec) == (228.6125, -59.2717)
    assert (other.ra, other.dec) == (None, None)


def test_tables_of_one_name(tmp_path: Path) -> None:
    path = write_flux(tmp_path / "seds.fits")
    second = write_flux(tmp_path / "second.fits", name=None)
    with fits.open(path, mode="update") as hdus, fits.open(second) as more:
        hdus.append(hdus[1].copy())
        hdus.append(more[1].copy())
    second.unlink()
    release = find_release(tmp_path)
    assert [s.local_id for s in release.sources] == ["seds-FLUXPOINTS", "seds-2", "seds-3"]
    assert [read_flux(s).points for s in release.sources] == [3, 3, 3]


def test_what_is_no_flux(tmp_path: Path) -> None:
    path = write_flux(
        tmp_path / "x.fits", dict.fromkeys(("e_ref", "e_min", "e_max")), {"SED_TYPE": None}, name="X"
    )
    release = find_release(tmp_path)
    assert release.sources == ()
    assert [str(p) for p in release.problems] == [
        f"{path}: holds no EVENTS table and no flux points: left out"
    ]


TWO = np.ones((3, 2))


@pytest.mark.parametrize(
    ("changes", "header", "message"),
    [
        ({"e_ref": (E_REF, None)}, {}, "FLUXPOINTS column e_ref: has no unit; give TUNIT, e.g. 'TeV'"),
        ({"e_ref": (E_REF, "cm")}, {}, "FLUXPOINTS column e_ref: unit 'cm' does not convert to eV"),
        ({"e_ref": (-E_REF, "TeV")}, {}, "FLUXPOINTS column e_ref: in row 1 is no energy above 0"),
        ({"e_min": (np.array([1, np.nan, 1]), "TeV")}, {}, "column e_min: in row 2 is no energy above 0"),
        ({"e_max": (E_REF / 2, "TeV")}, {}, "FLUXPOINTS column e_ref: e_ref is above e_max in row 1"),
        ({"e_ref": None, "e_min": None}, {}, "FLUXPOINTS: no energies: give the columns e_ref, or e_min"),
        ({"e_ref": (TWO, "TeV")}, {}, "column e_ref: has 2 values a row, but other energies have 1 values"),
        ({"dnde": (TWO, PER_TEV)}, {}, "column dnde: has 2 values a row, but the"),
        ({"dnde": (E_REF, "TeV")}, {}, "FLUXPOINTS column dnde: unit 'TeV' does not fit"),
        (
            {"dnde": (E_REF, None)},
            {},
            "column dnde: has no unit; give TUNIT, e.g. 'cm-2 s-1 TeV-1'",
        ),
        (
            {"dnde": (np.array(["a", "b", "c"]), None)},
            {},
            "dnde: TFORM 1A holds no numbers; use D or E",
        ),
        ({"dnde_err": (E_REF, "s")}, {}, "FLUXPOINTS column dnde_err: unit 's' does not fit"),
        ({"is_ul": (np.array(["y", "n", "n"]), None)}, {}, "column is_ul: TFORM 1A is no flag; use L"),
        (
            {"dnde": (np.full(3, np.nan), PER_TEV), "dnde_ul": None},
            {},
            "FLUXPOINTS column dnde: holds no number at all: there is no flux point to publish",
        ),
        ({"dnde": None}, {}, "FLUXPOINTS SED_TYPE: says 'dnde', but there is no column dnde"),
        ({"dnde": None}, {"SED_TYPE": None}, "FLUXPOINTS: no fluxes: give one of the columns dnde, e2dnde"),
        ({}, {"SED_TYPE": "magnitude"}, "FLUXPOINTS SED_TYPE: 'magnitude' is unknown; known are dnde"),
        (
            {"norm": (E_REF, None)},
            {"SED_TYPE": "likelihood"},
            "FLUXPOINTS: no reference spectrum for norm: give one of the columns ref_dnde",
        ),
        ({}, {"RA_OBJ": 83.6, "DEC_OBJ": 95.0}, "FLUXPOINTS DEC_OBJ: 95 deg is impossible"),
    ],
)
def test_what_is_refused(changes: Columns, header: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write_flux(tmp_path / "sed.fits", changes, header)
    with pytest.raises(ProductError) as caught:
        facts(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "header", "message"),
    [
        (
            {"time_min": (np.array([100.0, 300.0]), "s")},
            {},
            "row 2 is no interval: time_min 300.0",
        ),
        ({"time_min": (np.array([np.nan, 1.0]), "s")}, {}, "FLUXPOINTS: row 1 is no interval: time_min nan"),
        ({"time_max": (np.array([1e15, 1e15]), "s")}, {}, "FLUXPOINTS column time_max: 1e+15 after the"),
        ({"time_min": (np.ones((2, 2)), "s")}, {}, "FLUXPOINTS column time_min: must have one value a row"),
        (
            {"time_min": (np.array([1.0, 2.0]), None)},
            {"TIMEUNIT": None},
            "time_min: has no unit; give",
        ),
        ({}, {"TIMESYS": None}, "FLUXPOINTS TIMESYS: missing; GADF has no default"),
        ({}, {"MJDREFI": None}, "FLUXPOINTS MJDREFI: missing or not a number"),
    ],
)
def test_light_curves_that_are_refused(
    changes: Columns, header: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = write_curve(tmp_path / "lc.fits", changes, header)
    with pytest.raises(ProductError, match=None) as caught:
        facts(path)
    assert message in str(caught.value)


def test_no_rows_at_all(tmp_path: Path) -> None:
    empty = {n: (np.array([]), "TeV") for n in ("e_ref", "e_min", "e_max")}
    path = write_flux(tmp_path / "sed.fits", {**empty, "dnde": (np.array([]), PER_TEV)}, base={})
    with pytest.raises(ProductError, match="has no rows: there is no flux point to publish"):
        facts(path)


def test_limits_alone_are_a_spectrum(tmp_path: Path) -> None:
    assert facts(write_flux(tmp_path / "sed.fits", {"dnde": (np.full(3, np.nan), PER_TEV)})).points == 3


def test_photons_in_a_unit(tmp_path: Path) -> None:
    photons = E_REF * 1e-12, "ph cm-2 s-1 MeV-1"
    found = facts(write_flux(tmp_path / "sed.fits", dict.fromkeys(("dnde", "dnde_err", "dnde_ul"), photons)))
    assert found.flux_unit == "photon.MeV**-1.s**-1.cm**-2"


def test_a_unit_that_nobody_knows(tmp_path: Path) -> None:
    path = write_flux(tmp_path / "sed.fits")
    path.write_bytes(path.read_bytes().replace(b"'TeV-1 s-1 cm-2'", b"'furlong       '"))
    with pytest.raises(ProductError, match=r"column dnde: unit 'furlong' does not fit \(unknown unit"):
        facts(path)


def test_damaged_files(tmp_path: Path) -> None:
    whole = write_flux(tmp_path / "a/sed.fits").read_bytes()
    cut = tmp_path / "b/cut.fits"
    cut.parent.mkdir()
    cut.write_bytes(whole[:-2880])
    with pytest.raises(ProductError, match="truncated"):
        facts(cut)
    packed = tmp_path / "c/packed.fits.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(whole))
    assert facts(packed).local_id == "packed"
    hostile = tmp_path / "d/hostile.fits"
    hostile.parent.mkdir()
    hostile.write_bytes(whole.replace(b"NAXIS2  =                    3", b"NAXIS2  =     9999999999999999"))
    release = find_release(hostile)
    assert release.sources == ()
    assert [(p.path, p.fatal) for p in release.problems] == [(hostile, True)]
