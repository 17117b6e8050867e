"""Columns of event lists by their names."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from vo_server.eventlists.table import Table
from vo_server.products.file import Record, look
from vo_server.products.fitsfile import FitsFile


def values(path: Path, names: list[str], wanted: str) -> list[float]:
    """The first row of the column `wanted` in a table whose columns hold 0, 1, 2, ..."""
    columns = [fits.Column(name, "D", array=np.array([float(i)])) for i, name in enumerate(names)]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="T")]).writeto(path)
    content = path.read_bytes()
    record = Record(str(path), len(content), hashlib.sha256(content).hexdigest(), None)
    file = FitsFile(look(record))
    table = Table(file, file.hdus[1])
    (rows,) = table.chunks(1)
    found: list[float] = table.column(wanted).values(rows).tolist()
    return found


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
@pytest.mark.parametrize(
    ("names", "value"),
    [
        (["dec", "ra", "RA"], 2.0),  # as HAWC writes them: in radians, and in degrees
        (["RA", "ra", "Ra"], 0.0),
        (["x", "Ra", "ra"], 1.0),
    ],
)
def test_the_name_in_upper_case_goes_before_others(tmp_path: Path, names: list[str], value: float) -> None:
    assert values(tmp_path / "t.fits", names, "RA") == [value]
