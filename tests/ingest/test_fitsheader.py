import io
import warnings

import numpy as np
import pytest
from astropy.io import fits

from ingest.fitsheader import FitsError, Header, description, headers, keyword, number, text

CARDS = [
    "PLAIN   =                   42 / an integer",
    "NEG     =                  -42",
    "REAL    =   1.5E+03",
    "FORTRAN =   1.5D-03 / in the manner of FORTRAN",
    "TRUTH   =                    T",
    "FALSITY =                    F / no",
    "NAME    = 'O''Neill / not a comment'   / a comment / with a slash",
    "BLANK   = '        '",
    "EMPTY   =",
    "CLOSE   = 'no blank'/no blank",
    "KEY-_9  = 1",
    "PLAIN   =                   43 / repeated",
    "COMMENT = looks like a value",
    "HIERARCH ESO TEL = 1",
    "LONG    = 'first &'",
    "CONTINUE  'second &'",
    "CONTINUE  'third' / at last",
    "COMPLEX = (1.0, 2.0)",
]


def test_cards_say_what_astropy_reads_in_them() -> None:
    raw = "".join(card.ljust(80) for card in CARDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = fits.Header.fromstring(raw)
        ours = Header(raw.encode())
        for name in (
            "PLAIN",
            "NEG",
            "REAL",
            "FORTRAN",
            "TRUTH",
            "FALSITY",
            "NAME",
            "BLANK",
            "CLOSE",
            "KEY-_9",
            "LONG",
        ):
            assert (ours[name], type(ours[name])) == (theirs[name], type(theirs[name])), name
            assert ours.comments[name] == theirs.comments[name], name
    assert (ours["EMPTY"], ours["COMPLEX"]) == (None, None)
    assert not {"HIERARCH", "CONTINUE", "COMMENT"} & set(ours)


def test_keywords_may_be_blank_texts_or_missing() -> None:
    header = {"A": " x ", "B": "  ", "C": "1.5", "D": 2, "E": "NaN", "F": True}
    assert [keyword(header, name) for name in "ABCDXF"] == ["x", None, "1.5", 2, None, True]
    assert [number(header, name) for name in "ABCDE"] == [None, None, 1.5, 2.0, None]
    assert (text(header, "B", "D", "A"), text(header, "B", "X")) == ("2", None)


def test_comments_that_programs_write_by_themselves_describe_nothing() -> None:
    cards = ["TTYPE1  = 'A'       / label for field   1", "TTYPE2  = 'B'       / the angle"]
    header = Header("".join(card.ljust(80) for card in cards).encode())
    assert [description(header, name) for name in ("TTYPE1", "TTYPE2", "TTYPE3")] == [None, "the angle", None]


def test_an_unclosed_text_is_no_value() -> None:
    header = Header(b"A       = 'unclosed".ljust(80) + b"B       = 1".ljust(80))
    assert (keyword(header, "A"), keyword(header, "B")) == (None, 1)


def test_walking_finds_the_data_where_astropy_does() -> None:
    many = fits.ImageHDU(np.arange(7.0), name="LONG")
    many.header.update({f"KEY{i}": i for i in range(100)})
    table = fits.BinTableHDU.from_columns(
        [fits.Column("A", "PJ()", array=np.array([[1], [2, 3]], dtype=object))]
    )
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), many, table, fits.ImageHDU()]).writeto(stream)
    found = [(begin, size) for _, begin, size in headers(stream)]
    stream.seek(0)
    with fits.open(stream) as hdus:
        places = [hdu.fileinfo() for hdu in hdus]
    assert [begin for begin, _ in found] == [place["datLoc"] for place in places]
    assert [-(-size // 2880) * 2880 for _, size in found] == [place["datSpan"] for place in places]


@pytest.mark.parametrize(
    ("card", "named"),
    [
        ("NAXIS1  = -6000000", "NAXIS1"),
        ("NAXIS1  = 'wide'", "NAXIS1"),
        ("NAXIS1  = 1.5", "NAXIS1"),
        ("NAXIS1  = 1E999", "NAXIS1"),
        ("NAXIS   = -1", "NAXIS"),
        ("PCOUNT  = -1", "PCOUNT"),
        ("GCOUNT  = -1", "GCOUNT"),
        ("BITPIX  = 7", "BITPIX"),
        ("NAXIS1  = 9999999999999999999999999", "NAXISn"),
    ],
)
def test_sizes_that_cannot_be_are_refused_instead_of_walked_in_circles(card: str, named: str) -> None:
    stated = {"BITPIX": "BITPIX  = 8", "NAXIS": "NAXIS   = 1", "NAXIS1": "NAXIS1  = 10"}
    cards = ["SIMPLE  = T", *({**stated, card[:8].strip(): card}).values(), "END"]
    with pytest.raises(FitsError, match=f"no valid {named} in the header of HDU 0"):
        list(headers(io.BytesIO("".join(c.ljust(80) for c in cards).ljust(2880).encode())))


def test_what_follows_the_last_extension_is_ignored() -> None:
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU()]).writeto(stream)
    stream.write(b"\0" * 2880)
    assert len(list(headers(stream))) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a FITS file"),
        (b"SIMPLE  =                    T".ljust(100), "truncated in the header of HDU 0"),
        (
            b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800),
            "no valid NAXIS in the header of HDU 0",
        ),
    ],
)
def test_broken_headers(content: bytes, message: str) -> None:
    with pytest.raises(FitsError, match=message):
        list(headers(io.BytesIO(content)))
