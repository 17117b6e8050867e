"""Formats for people: the page and the aligned text."""

import pytest
from lxml import etree

from schema.model import Column
from schema.types import DOUBLE
from tests.server.rowlists import columns, result
from vo_server.errors import QueryTimeoutError
from vo_server.results import webpage
from vo_server.results.plain import write_plain
from vo_server.results.result import Result
from vo_server.results.webpage import write_html


def page(answer: Result) -> etree._Element:
    """The page, which is well-formed XML, too."""
    return etree.fromstring(b"".join(write_html(answer)))


def test_page_escapes_and_links() -> None:
    texts = ["<b>&", "https://x.org/a?b=1&c=2", "javascript:alert(1)", "see https://x.org", None, "\x01"]
    root = page(result(columns("VARCHAR"), [(t,) for t in texts]))
    assert ["".join(td.itertext()) for td in root.iter("td")] == [
        "<b>&",
        "https://x.org/a?b=1&c=2",
        "javascript:alert(1)",
        "see https://x.org",
        "",
        "\ufffd",
    ]
    assert [a.get("href") for a in root.iter("a")] == ["https://x.org/a?b=1&c=2"]


@pytest.mark.parametrize(("rows", "note"), [(9, "first 4 rows"), (4, None), (5, "first 4 rows")])
def test_page_is_bounded(rows: int, note: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webpage, "MOST", 4)
    root = page(result(columns("INTEGER"), [(n,) for n in range(rows)]))
    assert [td.text for td in root.iter("td")] == ["0", "1", "2", "3"]
    notes = [p.text for p in root.iter("p")]
    assert (note is None and notes == []) or note in notes[0]


def test_page_says_what_maxrec_cut() -> None:
    root = page(result(columns("INTEGER"), [(n,) for n in range(9)], maxrec=2))
    assert "first 2 rows" in next(root.iter("p")).text


def test_aligned_text() -> None:
    fields = [*columns("VARCHAR"), Column("longer", DOUBLE)]
    rows = [("a", 1.0), ("日本 two\nlines", None), (None, -0.5), ("x", 10.25)]
    assert b"".join(write_plain(result(fields, rows))).decode().splitlines() == [
        "c0            longer",
        "------------  ------",
        "a                1.0",
        "日本 two lines        ",
        "                -0.5",
        "x              10.25",
    ]


def test_aligned_text_says_what_was_cut_and_fails_before_its_beginning() -> None:
    text = b"".join(write_plain(result(columns("INTEGER"), [(n,) for n in range(9)], maxrec=2))).decode()
    assert text.splitlines()[-1] == "The result was cut after 2 rows (MAXREC)."
    failing = result(columns("INTEGER"), [(n,) for n in range(9)], failure=QueryTimeoutError())
    with pytest.raises(QueryTimeoutError):
        next(write_plain(failing))
