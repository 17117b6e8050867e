"""One product of a file alone: the HDUs that make it, as a FITS file of their own.

Headers and data are those of the file octet by octet, but for one card of response functions.
"""

import re
from typing import Final

from astropy.io import fits

from schema.products import EVENT_LIST, GTI
from vo_server.errors import NotFoundError, ServerError
from vo_server.products.content import Octets, Piece
from vo_server.products.file import DataFile
from vo_server.products.fitsfile import FitsError, FitsFile, Hdu
from vo_server.products.store import Product

PRIMARY: Final = fits.PrimaryHDU().header.tostring().encode("ascii")
"""A primary HDU without data: one block."""

_CARD: Final = 80
_FORMAT: Final = re.compile(rb"HDUCLAS4= *'([^']*)' *(/.*)?", re.DOTALL)
_GADF_NAME: Final = re.compile(r"[A-Z0-9_]{1,40}")


def alone(products: list[tuple[DataFile, Product]]) -> tuple[Piece, ...]:
    """These products as one FITS file, each behind the other, each from its file.

    A map of a response function brings the table of its energies (BANDSHDU) along. Raises MissingFileError,
    ChangedFileError, NotFoundError for an HDU that is gone, and ServerError for a file that cannot be read.
    """
    pieces: list[Piece] = []
    try:
        for file, product in products:
            holder = FitsFile(file)
            found = holder.find(product.hdu)
            if found is None:
                raise NotFoundError(
                    "The file of this dataset has changed: this product is not in it any more."
                )
            # What lies in a primary HDU needs none before it.
            if found.start and not pieces:
                pieces.append(Octets(PRIMARY))
            pieces += holder.copy(found, _header(holder, found, product))
            bands = holder.bands(found)
            if bands is not None:
                pieces += holder.copy(bands)
    except FitsError as error:
        raise ServerError from error
    return tuple(pieces)


def _header(file: FitsFile, hdu: Hdu, product: Product) -> bytes:
    """The header of a response function whose format is known; nothing for others, which keep theirs."""
    if product.hdu_class is None or product.product in {EVENT_LIST, GTI}:
        return b""
    return with_format(file.header(hdu), product.hdu_class)


def with_format(header: bytes, hdu_class: str) -> bytes:
    """A header as it is stored, of the same length, whose HDUCLAS4 says what GADF calls its format.

    `hdu_class` is the HDU_CLASS of the release's index (GADF 0.3, "HDU index table"). Some releases, the
    first data challenge of CTA among them, have `2D` or `3GAUSS` in their headers for what GADF calls
    `AEFF_2D`, `EDISP_2D` or `PSF_3GAUSS`. In a release the index tells them apart. An HDU that comes alone
    has its header only, by which readers choose how to read it (gammapy's make_data_store_from_query_result
    among them). A header without HDUCLAS4 stays as it is.

    CHECKSUM sums up the header, too: where that changes, blanks take its place. DATASUM stays as true as it
    was.
    """
    name = hdu_class.strip().upper()
    cards = [header[start : start + _CARD] for start in range(0, len(header), _CARD)]
    stated = next((match for card in cards if (match := _FORMAT.fullmatch(card.rstrip()))), None)
    if stated is None or stated[1].strip().upper() == name.encode() or not _GADF_NAME.fullmatch(name):
        return header
    comment = b" " + stated[2] if stated[2] else b""
    card = b"HDUCLAS4= %-20b%b" % (f"'{name:<8}'".encode(), comment)
    changed = {b"HDUCLAS4": card[:_CARD].ljust(_CARD), b"CHECKSUM": b" " * _CARD}
    return b"".join(changed.get(card[:8], card) for card in cards)
