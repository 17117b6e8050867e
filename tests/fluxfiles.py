"""Small files with flux points (GADF "Flux points", "Lightcurves"), whose habits can be switched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from tests.dl3files import TIME_HEADER

E_REF = np.array([1.0, 2.0, 4.0])
DNDE = np.array([3e-11, 6e-12, np.nan])
TELLING: dict[str, Any] = {
    "SED_TYPE": "dnde",
    "OBJECT": "MSH 15-52",
    "TELESCOP": "SOMESCOPE",
    "INSTRUME": "Phase I",
    "DATE": "2018-05-06T09:14:21",
}
PER_TEV = "cm-2 s-1 TeV-1"
Columns = Mapping[str, tuple[Any, str | None] | None]

DNDE_COLUMNS: dict[str, tuple[Any, str | None] | None] = {
    "e_ref": (E_REF, "TeV"),
    "e_min": (E_REF / np.sqrt(2), "TeV"),
    "e_max": (E_REF * np.sqrt(2), "TeV"),
    "dnde": (DNDE, PER_TEV),
    "dnde_err": (DNDE / 10, PER_TEV),
    "dnde_ul": (np.array([4e-11, 8e-12, 1e-12]), PER_TEV),
    "is_ul": (np.array([False, False, True]), None),
}

CURVE_COLUMNS: dict[str, tuple[Any, str | None] | None] = {
    "time_min": (np.array([100.0, 200.0]), "s"),
    "time_max": (np.array([150.0, 290.0]), "s"),
    "e_min": (np.full((2, 1), 1.0), "TeV"),
    "e_max": (np.full((2, 1), 10.0), "TeV"),
    "flux": (np.array([[2e-11], [3e-11]]), "cm-2 s-1"),
}


def write_flux(
    path: Path,
    changes: Columns | None = None,
    header: Mapping[str, Any] | None = None,
    *,
    base: Columns = DNDE_COLUMNS,
    name: str | None = "FLUXPOINTS",
    gtis: list[tuple[float, float]] | None = None,
) -> Path:
    """Write flux points; None leaves a column or keyword out."""
    columns = {**base, **(changes or {})}
    made = Table({n: c[0] for n, c in columns.items() if c is not None})
    for n, c in columns.items():
        if c is not None:
            made[n].unit = c[1]
    table = fits.BinTableHDU(made, name=name)
    table.header.update({k: v for k, v in {**TELLING, **(header or {})}.items() if v is not None})
    hdus = [fits.PrimaryHDU(), table]
    if gtis is not None:
        good = Table(rows=gtis, names=("START", "STOP"))
        good["START"].unit = good["STOP"].unit = "s"
        gti = fits.BinTableHDU(good, name="GTI")
        gti.header.update(TIME_HEADER)
        hdus.append(gti)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def write_curve(path: Path, changes: Columns | None = None, header: Mapping[str, Any] | None = None) -> Path:
    """Write a light curve of two time bins in one energy band."""
    told = {**TIME_HEADER, "SED_TYPE": "flux", **(header or {})}
    return write_flux(path, changes, told, base=CURVE_COLUMNS)
