"""What of the sky a counts map shows."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tests.dl3files import Habits, write_dl3
from vo_server.previews.eventlist import opened
from vo_server.previews.making import FIGURES
from vo_server.previews.model import EventList
from vo_server.products.file import Place, Record

RA, DEC = 100.0, -20.0


def shown(path: Path, offsets: list[float], fov: float) -> tuple[int, int]:
    """How many events the counts map tells that it shows, and how many lie outside.

    The events lie north of the pointing, by `offsets` in deg.
    """
    columns = {
        "RA": fits.Column("RA", "D", unit="deg", array=np.full(len(offsets), RA)),
        "DEC": fits.Column("DEC", "D", unit="deg", array=DEC + np.array(offsets)),
    }
    write_dl3(path, Habits(events=len(offsets), columns=columns))
    content = path.read_bytes()
    events = Place(Record(str(path), len(content), hashlib.sha256(content).hexdigest(), None), "EVENTS")
    found = EventList(
        obs_publisher_did="ivo://some.where/release?1",
        collection="release",
        obs_id="1",
        target=None,
        simulated=False,
        ra=RA,
        dec=DEC,
        fov=fov,
        region=None,
        start=None,
        events=events,
        gti=None,
    )
    figure = FIGURES["counts-map"](found, opened(events))
    told = " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    match = re.search(r"(\d+) events(?:, (\d+) outside)?;", told)
    assert match is not None, told
    return int(match[1]), int(match[2] or 0)


@pytest.mark.parametrize(
    ("offsets", "fov", "expected"),
    [
        ([0.1] * 11 + [1.2] * 9, 0.8, (11, 9)),  # most lie in the field of view, which is shown
        ([0.1] * 9 + [1.2] * 11, 0.8, (20, 0)),  # most do not, as with point-like response functions
        ([0.1] + [1.2] * 98 + [20.0], 0.8, (99, 1)),  # one far away does not make the map wide
        ([0.1] * 9 + [1.2] * 11, 5.0, (20, 0)),
    ],
)
def test_a_map_shows_the_field_of_view_unless_most_events_lie_outside(
    tmp_path: Path, offsets: list[float], fov: float, expected: tuple[int, int]
) -> None:
    assert shown(tmp_path / "events.fits", offsets, fov) == expected
