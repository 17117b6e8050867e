"""What a preview is made of: the dataset as it is published, and which of its previews is wanted."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from vo_server.previews.kinds import FORMS, KINDS, VERSION
from vo_server.products.file import Place

_MJD_ORIGIN: Final = datetime(1858, 11, 17)


@dataclass(frozen=True)
class EventList:
    """A published event list.

    `ra`, `dec` (ICRS) and `fov`, the diameter of the field of view, are in deg; `region` is STC-S;
    `start` is the start of the observation as MJD in UTC.
    """

    obs_publisher_did: str
    collection: str
    simulated: bool
    obs_id: str
    target: str | None
    ra: float | None
    dec: float | None
    fov: float | None
    region: str | None
    start: float | None
    events: Place
    gti: Place | None

    @property
    def start_utc(self) -> str | None:
        """The start as ISO 8601 text in UTC, to the second."""
        if self.start is None:
            return None
        seconds = round(self.start * 86400)
        return (_MJD_ORIGIN + timedelta(seconds=seconds)).isoformat(" ")


@dataclass(frozen=True)
class Preview:
    """One preview of one event list; `kind` and `form` are those of the register."""

    event_list: EventList
    kind: str
    form: str

    @property
    def subject(self) -> str:
        """What is shown, for messages."""
        return self.event_list.obs_publisher_did

    @property
    def key(self) -> str:
        """Differs wherever the picture does: by what is told of the dataset, its files, and the drawing.

        Where the files lie makes no difference.
        """
        found = self.event_list
        places = [place and (place.record.checksum, place.hdu) for place in (found.events, found.gti)]
        told = {**asdict(found), "events": places[0], "gti": places[1]}
        text = json.dumps([VERSION, self.kind, self.form, told], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Picture(Protocol):
    """What the processes draw: previews, and other pictures that `vo_server.previews.worker` knows."""

    @property
    def key(self) -> str:
        """Differs wherever the picture does."""

    @property
    def subject(self) -> str:
        """What is shown, for messages."""


class Answer(NamedTuple):
    """A picture, or why there is none; then `missing` tells whether the file is not there."""

    picture: bytes | None
    reason: str = ""
    missing: bool = False


def previews_of(event_lists: Iterable[EventList], forms: Iterable[str] = FORMS) -> Iterator[Preview]:
    """All previews of event lists in some forms."""
    chosen = tuple(forms)
    return (Preview(found, kind, form) for found in event_lists for kind in KINDS for form in chosen)
