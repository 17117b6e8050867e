"""The cutout of an event list: a FITS file with its response functions that stands by itself.

Events that are selected come as they are stored, byte for byte. The file is never held as a whole: which
events there are is found out first, so that its size is known, and their rows are read again when it is sent.
The same selection of the same files gives the same bytes, so that an interrupted download can be resumed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from schema.products import EVENT_LIST, GTI
from vo_server import __version__
from vo_server.errors import ServerError
from vo_server.eventlists.table import Table
from vo_server.products.content import FITS, Content, Octets, Piece
from vo_server.products.file import look
from vo_server.products.fitsfile import FitsError, FitsFile, Hdu, padding
from vo_server.soda import goodtimes, subspace
from vo_server.soda.criteria import Check, choose
from vo_server.soda.dataset import Dataset
from vo_server.soda.selection import Selection

_PIECE: Final = 1 << 17
"""Bytes read at a time when the file is sent: what a client that reads slowly keeps in memory."""

_CHECKSUMS: Final = ("CHECKSUM", "DATASUM")
_COUNTS: Final = ("NEVENTS", "NUMEVT")
"""Keywords that some instruments count their events in."""

_MISTAKES: Final = (fits.VerifyError, KeyError, TypeError, ValueError)
"""What astropy raises on cards and units that are none, and we on numbers that count nothing."""


class Cutout(NamedTuple):
    """The file, and how many events are in it."""

    content: Content
    events: int


@dataclass(frozen=True)
class Rows:
    """The chosen rows of a table, and its heap as it is: what descriptors say of it stays true.

    `chosen` has a bit for each row (numpy's packbits), since it is kept for as long as the client reads.
    """

    table: Table
    chosen: NDArray[np.uint8]
    count: int

    @property
    def size(self) -> int:
        """Bytes, without padding."""
        return self.count * self.table.width + self.table.heap[1]

    @property
    def tag(self) -> bytes:
        """The tag of the file; what is chosen tells the header before it."""
        return f"{self.table.file.file.tag} rows {self.table.hdu.data}".encode()

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`.

        Raises MissingFileError or ChangedFileError if the file is not what it was any more, and ServerError
        if it cannot be read.
        """
        end = 0
        try:
            for content in self._all():
                begin, end = end, end + len(content)
                if end > start:
                    yield content[max(start - begin, 0) : stop - begin]
                if end >= stop:
                    return
        except FitsError as error:
            raise ServerError from error

    def _all(self) -> Iterator[bytes]:
        first = 0
        most = 8 * max(1, _PIECE // 8 // self.table.width)
        for rows in self.table.chunks(most) if self.count else ():
            chosen = np.unpackbits(self.chosen[first // 8 :], count=len(rows)).view(np.bool_)
            first += len(rows)
            yield rows[chosen].tobytes()
        begin, size = self.table.heap
        yield from self.table.file.pieces(begin, size, _PIECE)


def make(dataset: Dataset, selection: Selection, check: Check) -> Cutout | None:
    """The cutout, None if the selection leaves no event; without any condition it is the whole list.

    `check` is called again and again and may raise what is to stop the work. Raises MissingFileError, and
    ServerError for files that have changed meanwhile or cannot be read.
    """
    try:
        return _Making(dataset, selection).cutout(check)
    except _MISTAKES as error:
        raise ServerError(f"A file of {dataset.did} cannot be read.") from error


class _Making:
    """The parts that one cutout is made of."""

    def __init__(self, dataset: Dataset, selection: Selection) -> None:
        self._dataset = dataset
        self._selection = selection
        self._files: dict[str, FitsFile] = {}

    def cutout(self, check: Check) -> Cutout | None:
        place = self._dataset.products[EVENT_LIST]
        file = self._file(EVENT_LIST)
        hdu = file.find(place.hdu)
        if hdu is None:
            raise FitsError(f"no HDU {place.hdu}")
        table = Table(file, hdu)
        chosen = choose(self._selection, table, check)
        count = int(np.count_nonzero(chosen))
        if not count and self._selection.given:
            return None
        pieces = [*self._beside(Rows(table, np.packbits(chosen), count)), *self._elsewhere(file)]
        name = f"{self._dataset.obs_id}-cutout.fits".replace("/", "_")
        return Cutout(Content(tuple(pieces), FITS, name), count)

    def _beside(self, rows: Rows) -> Iterator[Piece]:
        """The HDUs of the event list's file, but for those that only other datasets have a use for."""
        file, events = rows.table.file, rows.table.hdu
        place = self._dataset.products.get(GTI)
        gti_file = self._file(GTI) if place is not None else file
        gti = gti_file.find(place.hdu) if place is not None else None
        cut = None
        if gti is not None and self._selection.time is not None:
            cut = goodtimes.cut(Table(gti_file, gti), self._selection.time, events.header)
        others = {found.start for name in self._dataset.foreign if (found := file.find(name)) is not None}
        for hdu in file.hdus:
            if hdu is events:
                yield _header(self._events_header(rows, cut, gti is not None))
                yield rows
                yield Octets(padding(rows.size))
            elif hdu is gti and cut is not None:
                yield from self._good_times(gti, cut)
            elif hdu.start not in others:
                yield from file.copy(hdu)
        if gti is not None and gti_file is not file:
            yield from gti_file.copy(gti) if cut is None else self._good_times(gti, cut)

    def _good_times(self, hdu: Hdu, cut: goodtimes.GoodTimes) -> Iterator[Piece]:
        header = _changed(hdu.header, len(cut.rows))
        header["PCOUNT"] = 0
        if self._selection.time is not None and "TIMESYS" in header:
            goodtimes.restrict(header, self._selection.time, (cut.before, cut.after))
        yield _header(header)
        content = cut.rows.tobytes()
        yield Octets(content + padding(len(content)))

    def _events_header(self, rows: Rows, cut: goodtimes.GoodTimes | None, has_gti: bool) -> fits.Header:
        header = _changed(rows.table.hdu.header, rows.count)
        header["PCOUNT"] = rows.table.heap[1]
        for name in _COUNTS:
            if name in header:
                header[name] = rows.count
        if self._selection.time is not None:
            exposure = None if cut is None else (cut.before, cut.after)
            goodtimes.restrict(header, self._selection.time, exposure)
        subspace.record(header, self._selection, has_gti, self._history(rows))
        return header

    def _history(self, rows: Rows) -> Iterator[str]:
        """What was done and by whom. FITS takes printable ASCII only."""
        yield f"Cutout by vo-server {__version__} of"
        yield ascii(self._dataset.did)[1:-1]
        yield f"{rows.count} of {rows.table.rows} events meet all of"
        for name, value in self._selection.given:
            yield f"{name} = {' '.join(value.split())}"

    def _elsewhere(self, file: FitsFile) -> Iterator[Piece]:
        """Response functions in other files: with them the cutout can be analysed by itself.

        A map brings the table of its energies (BANDSHDU) along.
        """
        for name, place in self._dataset.products.items():
            holder = self._file(name)
            if name in {EVENT_LIST, GTI} or holder is file:
                continue
            found = holder.find(place.hdu)
            # What lies in a primary HDU could be no extension without being written anew.
            if found is None or not found.start:
                continue
            yield from holder.copy(found)
            bands = holder.bands(found)
            if bands is not None:
                yield from holder.copy(bands)

    def _file(self, product: str) -> FitsFile:
        """The file of a product, looked at once."""
        record = self._dataset.products[product].record
        if record.path not in self._files:
            self._files[record.path] = FitsFile(look(record))
        return self._files[record.path]


def _changed(header: fits.Header, rows: int) -> fits.Header:
    """The header of a table that has other rows now: without what is no longer true of it."""
    changed = header.copy()
    changed["NAXIS2"] = rows
    columns = range(1, int(header.get("TFIELDS", 0)) + 1)
    extremes = [f"{name}{number}" for name in ("TDMIN", "TDMAX") for number in columns]
    for name in (*_CHECKSUMS, "THEAP", *extremes):
        changed.remove(name, ignore_missing=True)
    return changed


def _header(header: fits.Header) -> Octets:
    return Octets(header.tostring().encode("ascii"))
