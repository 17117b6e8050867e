"""Which format an upload is in, by its first octets: the one register of readers."""

import os
import re
from collections.abc import Callable
from typing import BinaryIO, Final, NamedTuple

from vo_server.errors import TooLargeError, UsageError
from vo_server.upload import fitstable, parquet, texttable, votable
from vo_server.upload.model import Limits, UploadedTable

Reader = Callable[[BinaryIO, Limits], UploadedTable]


class UploadFormat(NamedTuple):
    """A format, how its files begin, and what reads them; None for formats that are known but refused."""

    name: str
    beginning: re.Pattern[bytes]
    read: Reader | None


FORMATS: Final[tuple[UploadFormat, ...]] = (
    UploadFormat("FITS", re.compile(rb"SIMPLE  ="), fitstable.read),
    UploadFormat("Parquet", re.compile(rb"PAR1"), parquet.read),
    UploadFormat("VOTable", re.compile(rb"(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\x00?\s*<"), votable.read),
    UploadFormat("gzip", re.compile(rb"\x1f\x8b"), None),
    UploadFormat("ZIP", re.compile(rb"PK\x03\x04"), None),
    UploadFormat("ECSV", re.compile(rb"# %ECSV"), None),
    UploadFormat("CSV", re.compile(rb"[^\x00-\x08\x0e-\x1f]*\Z"), texttable.read),
)
"""The first row whose beginning fits counts."""

ACCEPTED: Final = ", ".join(f.name for f in FORMATS if f.read is not None)

_SEEN: Final = 512


def read(file: BinaryIO, limits: Limits) -> UploadedTable:
    """The table in `file`, which can seek. Raises UsageError and TooLargeError."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > limits.bytes:
        most = f"this service accepts {limits.bytes} bytes (uploadLimit)"
        raise TooLargeError(f"the file has {size} bytes; {most}")
    if size == 0:
        raise UsageError("the file is empty")
    beginning = file.read(_SEEN)
    file.seek(0)
    found = next((f for f in FORMATS if f.beginning.match(beginning)), None)
    if found is None or found.read is None:
        what = f"{found.name} is not accepted" if found else "the format of the file is not known"
        raise UsageError(f"{what}; these formats are: {ACCEPTED}")
    table = found.read(file, limits)
    limits.check_rows(table.rows)
    return table
