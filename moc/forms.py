"""The forms in which MOCs are written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from moc.fitsfile import fits_moc, fits_space_time
from moc.model import Moc, SpaceTimeMoc
from moc.text import ascii_moc, ascii_space_time, json_moc, json_space_time


@dataclass(frozen=True, slots=True)
class Form:
    """One form: its media type, and how MOCs of one axis and of time and space are written in it."""

    media_type: str
    one: Callable[[Moc], bytes | str]
    two: Callable[[SpaceTimeMoc], bytes | str]

    def write(self, found: Moc | SpaceTimeMoc) -> bytes:
        """The octets of a MOC."""
        written = self.one(found) if isinstance(found, Moc) else self.two(found)
        return written if isinstance(written, bytes) else written.encode() + b"\n"


FORMS: Final[Mapping[str, Form]] = {
    "fits": Form("application/fits", fits_moc, fits_space_time),
    "json": Form("application/json", json_moc, json_space_time),
    "txt": Form("text/plain", ascii_moc, ascii_space_time),
}
"""Ending of the name -> form."""
