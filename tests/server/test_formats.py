"""RESPONSEFORMAT: names, media types, and what comes back as Content-Type."""

from collections import Counter

import pytest

from vo_server.errors import UsageError
from vo_server.results import FORMATS, find_format

VOTABLE = "application/x-votable+xml"
NAMES = {
    "votable": ("votable", VOTABLE),
    "VOTable": ("votable", VOTABLE),
    "votable/b2": ("votable", VOTABLE),
    "votable/td": ("votable/td", f"{VOTABLE};serialization=TABLEDATA"),
    "csv": ("csv", "text/csv;header=present;charset=utf-8"),
    "tsv": ("tsv", "text/tab-separated-values;charset=utf-8"),
    "votable/b": ("votable/b", f"{VOTABLE};serialization=BINARY"),
    "FITS": ("fits", "application/fits"),
    "parquet": ("parquet", "application/vnd.apache.parquet"),
    "arrow": ("arrow", "application/vnd.apache.arrow.stream"),
    "json": ("json", "application/json"),
    "html": ("html", "text/html;charset=utf-8"),
    "text": ("text", "text/plain;charset=utf-8"),
}
MEDIA_TYPES = {
    VOTABLE: ("votable", VOTABLE),
    "application/x-votable xml": ("votable", VOTABLE),
    f"{VOTABLE};serialization=BINARY2": ("votable", f"{VOTABLE};serialization=BINARY2"),
    f"{VOTABLE}; serialization=tabledata": ("votable/td", f"{VOTABLE}; serialization=tabledata"),
    f"{VOTABLE};charset=utf-8": ("votable", f"{VOTABLE};charset=utf-8"),
    "Text/XML": ("votable/td", "Text/XML"),
    "text/csv": ("csv", "text/csv;header=present;charset=utf-8"),
    "text/csv;header=present": ("csv", "text/csv;header=present"),
    "text/csv; header=present": ("csv", "text/csv; header=present"),
    "text/tab-separated-values": ("tsv", "text/tab-separated-values;charset=utf-8"),
    f"{VOTABLE};serialization=binary": ("votable/b", f"{VOTABLE};serialization=binary"),
    "application/x-parquet": ("parquet", "application/x-parquet"),
    "text/html": ("html", "text/html;charset=utf-8"),
    "text/plain": ("text", "text/plain;charset=utf-8"),
}


@pytest.mark.parametrize(("requested", "wanted"), [*NAMES.items(), *MEDIA_TYPES.items()])
def test_known(requested: str, wanted: tuple[str, str]) -> None:
    found, content_type = find_format(requested)
    assert (found.names[0], content_type) == wanted


def test_csv_without_header_has_no_short_name() -> None:
    found, content_type = find_format("text/csv;header=absent")
    assert found.names == ()
    assert content_type == "text/csv;header=absent"


@pytest.mark.parametrize(
    "requested",
    [
        "xlsx",
        "image/png",
        f"{VOTABLE};serialization=FITS",
        "text/xml\r\nSet-Cookie: a=b",
        "text/xml;a",
        "/",
        " ",
    ],
)
def test_unknown(requested: str) -> None:
    with pytest.raises(UsageError, match="votable"):
        find_format(requested)


def test_every_spelling_of_the_register_is_accepted_and_names_one_format() -> None:
    spellings = [s for f in FORMATS for s in (*f.names, *f.media_types)]
    assert max(Counter(spellings).values()) == 1
    for known in FORMATS:
        for spelling in (*known.names, *known.media_types):
            assert find_format(spelling)[0] is known
