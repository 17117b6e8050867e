import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from ingest.facts import ProductError
from ingest.fitsfile import FitsFile, Hdu, has_hdu, open_cached, open_fits, unit_factor


def table(path: Path, *columns: fits.Column, **header: Any) -> Hdu:
    hdu = fits.BinTableHDU.from_columns(columns, name="T")
    hdu.header.update(header)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path / "file.fits")
    found = open_fits(path / "file.fits").find("t")
    assert found is not None
    return found


def values(hdu: Hdu, name: str) -> list[Any]:
    column = hdu.column(name)
    assert column is not None
    found: list[Any] = hdu.values(column).tolist()
    return found


@pytest.mark.parametrize(
    ("unit", "target", "factor"), [("GeV", "TeV", 1e-3), ("rad", "deg", 57.29577951308232), ("km", "m", 1e3)]
)
def test_units(unit: str, target: str, factor: float) -> None:
    assert unit_factor(unit, target) == pytest.approx(factor)


def test_scaled_and_unsigned_columns(tmp_path: Path) -> None:
    hdu = table(
        tmp_path,
        fits.Column("SCALED", "I", array=np.array([2, -1])),
        fits.Column("U2", "I", bzero=2**15, array=np.array([0, 65535], dtype=np.uint16)),
        fits.Column("U4", "J", bzero=2**31, array=np.array([0, 2**32 - 1], dtype=np.uint32)),
        fits.Column("U8", "K", bzero=2**63, array=np.array([0, 2**64 - 1], dtype=np.uint64)),
    )
    hdu.header.update({"TSCAL1": 0.5, "TZERO1": 10.0})
    assert values(hdu, "SCALED") == [11.0, 9.5]
    assert values(hdu, "U2") == [0, 65535]
    assert values(hdu, "U4") == [0, 2**32 - 1]
    assert values(hdu, "U8") == [0, 2**64 - 1]


@pytest.mark.parametrize("count", [3, 8, 9, 32, 63])
def test_bits_are_integers_with_the_first_bit_highest(tmp_path: Path, count: int) -> None:
    bits = np.zeros((2, count), dtype=bool)
    bits[0, 0] = bits[1, -1] = True
    assert values(table(tmp_path, fits.Column("B", f"{count}X", array=bits)), "B") == [2 ** (count - 1), 1]


def test_more_bits_than_an_integer_has_stay_apart(tmp_path: Path) -> None:
    bits = np.zeros((1, 70), dtype=bool)
    bits[0, 69] = True
    hdu = table(tmp_path, fits.Column("B", "70X", array=bits))
    assert np.flatnonzero(hdu.values(hdu.columns[0])[0]).tolist() == [69]


def test_shapes_follow_tdim_unless_it_contradicts_the_format(tmp_path: Path) -> None:
    data = np.arange(12.0)[None]
    hdu = table(
        tmp_path,
        fits.Column("CUBE", "12D", array=data),
        fits.Column("ROW", "12D", array=data),
        fits.Column("WRONG", "12D", array=data),
    )
    hdu.header.update({"TDIM1": "(3, 4)", "TDIM2": "(12)", "TDIM3": "(5,5)"})
    assert [c.shape for c in hdu.columns] == [(4, 3), (12,), (12,)]
    assert values(hdu, "CUBE")[0][1] == [3.0, 4.0, 5.0]


def test_of_names_that_differ_in_case_only_the_exact_one_is_meant(tmp_path: Path) -> None:
    hdu = table(tmp_path, fits.Column("ra", "D", array=[1.0]), fits.Column("RA", "D", array=[2.0]))
    assert (values(hdu, "RA"), values(hdu, "ra"), values(hdu, "Ra")) == ([2.0], [1.0], [1.0])


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    hdu = table(tmp_path, fits.Column("A", "D", array=[1.0]))
    hdu.header["TFORM1"] = "1Z"
    with pytest.raises(ProductError, match="T TFORM1: '1Z' is not a FITS table format"):
        hdu.column("A")


def test_finding_by_name_or_number(tmp_path: Path) -> None:
    table(tmp_path, fits.Column("A", "D", array=[1.0]))
    file = open_fits(tmp_path / "file.fits")
    assert [hdu.name for hdu in file.hdus] == ["HDU 0", "T"]
    assert [hdu.is_table for hdu in file.hdus] == [False, True]
    assert file.find(1) is file.find("T") is file.hdus[1]
    assert (file.find(2), file.find("X")) == (None, None)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    def names(file: FitsFile) -> list[str]:
        return [column.name for column in file.hdus[1].columns]

    path = tmp_path / "file.fits"
    table(tmp_path, fits.Column("A", "D", array=[1.0]))
    first = open_cached(path)
    assert open_cached(path) is first
    path.unlink()
    table(tmp_path, *(fits.Column(name, "400D", array=np.ones((1, 400))) for name in "BC"))
    assert (names(first), names(open_cached(path))) == (["A"], ["B", "C"])


def test_missing_integers_and_logicals_are_not_a_number(tmp_path: Path) -> None:
    hdu = table(
        tmp_path,
        fits.Column("I", "J", null=-1, array=np.array([5, -1])),
        fits.Column("U", "I", bzero=2**15, null=0, array=np.array([2**15, 2**15 + 1], dtype=np.uint16)),
        fits.Column("NONE", "J", null=-1, array=np.array([5, 6])),
        fits.Column("TRUTH", "L", array=np.array([True, False])),
    )
    assert values(hdu, "TRUTH") == [True, False]
    hdu.header["TNULL2"] = 0
    content = bytearray(hdu.data)
    content[hdu.columns[3].offset] = 0
    missing = Hdu(hdu.path, hdu.number, hdu.header, memoryview(bytes(content)))
    assert (values(missing, "I")[0], math.isnan(values(missing, "I")[1])) == (5.0, True)
    assert (math.isnan(values(missing, "U")[0]), values(missing, "U")[1]) == (True, 2**15 + 1)
    assert values(missing, "NONE") == [5, 6]
    assert (math.isnan(values(missing, "TRUTH")[0]), values(missing, "TRUTH")[1]) == (True, 0.0)


def test_texts_end_at_their_first_nul(tmp_path: Path) -> None:
    hdu = table(
        tmp_path,
        fits.Column("TEXT", "6A", array=np.array([b"ab\0cd ", b"gamma "])),
        fits.Column("LIST", "6A", array=np.array([b"ab\0c\0x", b"de f  "])),
    )
    hdu.header["TDIM2"] = "(3,2)"
    assert values(hdu, "TEXT") == ["ab", "gamma"]
    assert values(hdu, "LIST") == [["ab", "c"], ["de", "f"]]


def test_empty_tables_have_empty_columns_of_all_kinds(tmp_path: Path) -> None:
    one = {"12X": np.ones((1, 12), bool), "5A": ["x"], "L": [True], "3E": np.ones((1, 3)), "J": [1]}
    hdu = table(tmp_path, *(fits.Column(f"C{form}", form, array=array) for form, array in one.items()))
    hdu.header["NAXIS2"] = 0
    assert [hdu.values(column).shape for column in hdu.columns] == [(0,), (0,), (0,), (0, 3), (0,)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"NAXIS1": 7}, "T: its columns are 8 bytes wide, but NAXIS1 is 7; write the table again"),
        ({"NAXIS1": 9}, "T: its columns are 8 bytes wide, but NAXIS1 is 9; write the table again"),
        ({"TFIELDS": "many"}, "T TFIELDS: 'many' is no whole number from 0; the table cannot be read"),
    ],
)
def test_tables_that_are_not_as_described(tmp_path: Path, header: dict[str, Any], message: str) -> None:
    hdu = table(tmp_path, fits.Column("A", "D", array=[1.0]))
    hdu.header.update(header)
    with pytest.raises(ProductError, match=message):
        hdu.column("A")


def test_named_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.fits")
    for read in (open_fits, open_cached, lambda path: has_hdu(path, "EVENTS")):
        with pytest.raises(ProductError, match="not a regular file"):
            read(tmp_path / "x.fits")


def test_hdus_are_found_by_their_headers(tmp_path: Path) -> None:
    path = table(tmp_path, fits.Column("A", "D", array=[1.0])).path
    assert [has_hdu(path, hdu) for hdu in ("t", "T", "X", 0, 1, 2)] == [True, True, False, True, True, False]
