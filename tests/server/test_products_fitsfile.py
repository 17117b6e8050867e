"""FITS files as they are, odd and hostile: HDUs found, copied whole, and refused where they make no sense."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tests.dl3files import write_dl3
from vo_server.products.file import Record, look
from vo_server.products.fitsfile import FitsError, FitsFile, Hdu


def opened(path: Path) -> FitsFile:
    return FitsFile(look(Record(str(path.resolve()), 0, "", None)))


def found(file: FitsFile, name: str) -> Hdu:
    hdu = file.find(name)
    assert hdu is not None
    return hdu


def octets(file: FitsFile, hdu: Hdu, header: bytes = b"") -> bytes:
    return b"".join(b"".join(piece.chunks(0, piece.size)) for piece in file.copy(hdu, header))


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
def test_hdus_lie_where_astropy_finds_them(tmp_path: Path, name: str) -> None:
    path = write_dl3(tmp_path / name)
    content = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    file = opened(path)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in file.hdus] == ["", *(hdu.name for hdu in hdus[1:])]
        for number, hdu in enumerate(hdus):
            place, ours = hdu.fileinfo(), file.hdus[number]
            start, data, end = place["hdrLoc"], place["datLoc"], place["datLoc"] + place["datSpan"]
            assert (ours.start, ours.data) == (start, data)
            assert file.header(ours) == content[start:data]
            assert octets(file, ours) == content[start:end]
            other = file.header(ours).replace(b"'", b'"')
            assert octets(file, ours, other) == other + content[data:end]
    assert file.find("aeff") is file.find(" AEFF ") is file.find("3")
    assert file.find("99") is None
    assert file.bands(found(file, "AEFF")) is None


def test_tables_of_text_end_in_blanks(tmp_path: Path) -> None:
    table = fits.TableHDU.from_columns([fits.Column("A", "A5", array=np.array(["a", "b"]))], name="TEXT")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "a.fits")
    file = opened(tmp_path / "a.fits")
    assert octets(file, found(file, "TEXT")) == (tmp_path / "a.fits").read_bytes()[2880:]


def header(*cards: str) -> bytes:
    return "".join(card.ljust(80) for card in (*cards, "END")).ljust(2880).encode()


IMAGE = ("SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    1")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "does not begin"),
        (b"GIF89a", "does not begin"),
        (b"SIMPLE  =                    T".ljust(2880), "cut short"),
        (header(*IMAGE, "NAXIS1  =                -2880"), "-2880 bytes of data"),
        (header(*IMAGE, "NAXIS1  =  9999999999999999999"), "bytes of data"),
        (header(*IMAGE, "NAXIS1  =        1000000000000"), "cut short"),
        (header(*IMAGE, "NAXIS1  = 'many'"), "makes no sense"),
        (header(*IMAGE), "makes no sense"),
        (b"\x1f\x8b" + bytes(100), "cannot be read"),
        (
            gzip.compress(header(*IMAGE, "NAXIS1  =                 9000") + bytes(9000))[:60],
            "cannot be read",
        ),
    ],
)
def test_files_that_make_no_sense(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.fits").write_bytes(content)
    with pytest.raises(FitsError, match=told):
        opened(tmp_path / "a.fits")
