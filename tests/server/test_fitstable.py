"""FITS tables are read back by astropy and STILTS."""

import io
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from schema.model import Column
from schema.types import DOUBLE, TYPES, Type
from tests.server.rowlists import VALUES, columns, result
from vo_server.adql.translation import ResultColumn
from vo_server.errors import QueryTimeoutError, UsageError
from vo_server.results import fitstable
from vo_server.results.cells import timestamp
from vo_server.results.fitstable import write_fits
from vo_server.results.result import Result


def written(answer: Result) -> bytes:
    document = b"".join(write_fits(answer))
    assert len(document) % 2880 == 0
    return document


def table(answer: Result) -> fits.BinTableHDU:
    hdus = fits.open(io.BytesIO(written(answer)), memmap=False)
    hdus.verify("exception")
    (_, found) = hdus
    assert found.data is not None or found.header["NAXIS2"] == 0
    return found


@pytest.mark.parametrize("name", TYPES)
def test_values_and_nulls_come_back(name: str) -> None:
    hdu = table(result(columns(name), [(v,) for v in [None, *VALUES[name], None]]))
    cells = hdu.data["c0"]
    for cell, value in zip(cells[1:4], VALUES[name], strict=True):
        if isinstance(value, list):
            np.testing.assert_array_equal(cell, np.array(value, dtype=np.asarray(cell).dtype))
        elif isinstance(value, str):
            assert cell.rstrip() == value.replace("\n", " ").replace("\t", " ").rstrip()
        elif name == "TIMESTAMP":
            assert cell == timestamp(value)
        else:
            assert cell == (np.float32(value) if name == "REAL" else value)
    null = hdu.header.get("TNULL1")
    kind = TYPES[name]
    for cell in (cells[0], cells[-1]):
        if kind.arraysize == "*":
            assert len(cell) == 0
        elif kind.datatype in {"float", "double"}:
            assert np.isnan(cell).all()
        else:
            assert cell == null


@pytest.mark.parametrize(
    ("values", "form", "null"),
    [
        ([1, 2, None], "I", -32768),
        ([-32768, 2, None], "I", 32767),
        ([-32768, 32767, None], "J", -(2**31)),
        ([-32768, 32767, 1], "I", None),
        ([None, None, None], "I", -32768),
    ],
)
def test_the_number_for_null_does_not_occur(values: list[int | None], form: str, null: int | None) -> None:
    hdu = table(result(columns("SMALLINT"), [(v,) for v in values]))
    assert (hdu.header["TFORM1"], hdu.header.get("TNULL1")) == (form, null)
    assert hdu.data["c0"].tolist() == [null if v is None else v for v in values]


def test_no_number_left_for_null() -> None:
    rows = [(-(2**63),), (None,), (2**63 - 1,)]
    with pytest.raises(UsageError, match="Column c0 has NULLs beside the smallest and the largest integer"):
        written(result(columns("BIGINT"), rows))


def test_arrays_with_missing_elements() -> None:
    fields = columns("INTEGER[]", "DOUBLE PRECISION[]")
    hdu = table(result(fields, [([1, None, 3], [1.0, None]), ([], None), (None, [2.0])]))
    assert [c.tolist() for c in hdu.data["c0"]] == [[1, hdu.header["TNULL1"], 3], [], []]
    assert hdu.header["TNULL1"] == -(2**31)
    assert np.isnan(hdu.data["c1"][0][1])
    assert hdu.data["c1"][2].tolist() == [2.0]


@pytest.mark.parametrize(
    ("kind", "form", "values"),
    [
        (Type("SMALLINT", "boolean", None, None, "smallint"), "L", [1, 0, 1]),
        (Type("SMALLINT", "unsignedByte", None, None, "smallint"), "B", [0, 255, 7]),
        (Type("INTEGER[]", "int", "3", None, "integer[]"), "3J", [[1, 2, 3], [4, 5, 6], [0, 0, 0]]),
        (Type("INTEGER[]", "int", "2x2", None, "integer[]"), "4J", [[[1, 2], [3, 4]]] * 3),
        (Type("VARCHAR", "unicodeChar", "*", None, "text"), "7A", ["Bjork", "Crab", "pulsars"]),
    ],
)
def test_types_of_uploads(kind: Type, form: str, values: list[Any]) -> None:
    flat = [(np.ravel(v).tolist() if isinstance(v, list) else v,) for v in values]
    hdu = table(result([ResultColumn("x", kind)], flat))
    assert hdu.header["TFORM1"] == form
    assert hdu.data["x"].tolist() == values


def test_octets_with_null_become_wider_only_if_needed() -> None:
    kind = Type("SMALLINT", "unsignedByte", None, None, "smallint")
    hdu = table(result([ResultColumn("x", kind)], [(0,), (None,), (255,)]))
    assert (hdu.header["TFORM1"], hdu.header["TNULL1"]) == ("I", -32768)
    hdu = table(result([ResultColumn("x", kind)], [(0,), (None,), (200,)]))
    assert (hdu.header["TFORM1"], hdu.header["TNULL1"]) == ("B", 255)


def test_text_much_wider_than_most_lies_in_the_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitstable, "_PADDING", 1000)
    texts = ["x" * 5000, *["ab"] * 10, None, "last"]
    hdu = table(result(columns("VARCHAR", "INTEGER"), [(t, n) for n, t in enumerate(texts)]))
    assert hdu.header["TFORM1"] == "1QA(5000)"
    assert ["".join(c) for c in hdu.data["c0"]] == [t or "" for t in texts]
    assert hdu.data["c1"].tolist() == list(range(13))


def test_metadata() -> None:
    description = "Right ascension — " + "long " * 30
    hdu = table(result([Column("s_ra", DOUBLE, description, "deg", "pos.eq.ra", "obscore:a")], [(1.0,)]))
    header = hdu.header
    assert (header["TTYPE1"], header["TUNIT1"], header["TUCD1"]) == ("s_ra", "deg", "pos.eq.ra")
    assert header["TCOMM1"].startswith("Right ascension - long long")


def test_no_rows_and_cut_rows() -> None:
    assert table(result(columns("VARCHAR", "INTEGER[]"), [])).header["NAXIS2"] == 0
    cut = table(result(columns("INTEGER"), [(n,) for n in range(9)], maxrec=4))
    assert cut.data["c0"].tolist() == [0, 1, 2, 3]
    assert "cut after 4 rows" in str(cut.header["COMMENT"])
    assert table(result(columns("INTEGER"), [(1,)], maxrec=0)).header["NAXIS2"] == 0


def test_failure_comes_before_the_first_octet() -> None:
    failing = result(columns("INTEGER"), [(n,) for n in range(9)], failure=QueryTimeoutError())
    with pytest.raises(QueryTimeoutError):
        next(write_fits(failing))


def test_too_many_columns() -> None:
    with pytest.raises(UsageError, match="999 columns"):
        next(write_fits(result(columns(*["INTEGER"] * 1000), [])))


def test_stilts_reads_it(tmp_path: Path) -> None:
    rows = [(None,) * len(TYPES), *zip(*VALUES.values(), strict=True)]
    path = tmp_path / "result.fits"
    path.write_bytes(written(result(columns(*TYPES), rows)))
    done = subprocess.run(
        ["stilts", "tcopy", f"in={path}", "ofmt=csv"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "-32768" in done.stdout
    assert "Polygon ICRS 1 1 2 1 2 2" in done.stdout
