"""Ranges and preconditions (RFC 9110), without a server."""

from email.utils import formatdate

import pytest

from vo_server.products.conditions import Verdict, Version, judge, ranges

NOW = 1_700_000_000.0
VERSION = Version('"a"', NOW - 100.5, 1000)
EARLIER, SAME, LATER = (formatdate(NOW - 100.5 + step, usegmt=True) for step in (-10, 0, 10))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", ((0, 10),)),
        ("Bytes = 0 - 9 ", ((0, 10),)),
        ("bytes=990-", ((990, 1000),)),
        ("bytes=-10", ((990, 1000),)),
        ("bytes=-5000", ((0, 1000),)),
        ("bytes=0-5000", ((0, 1000),)),
        ("bytes=999-999", ((999, 1000),)),
        ("bytes=20-29,0-9", ((0, 10), (20, 30))),
        ("bytes=0-9,,5-14", ((0, 15),)),
        ("bytes=0-9,5000-", ((0, 10),)),
        ("bytes=1000-", ()),
        ("bytes=-0", ()),
        ("bytes=9-0", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes", None),
        ("bytes=a-b", None),
        ("bytes=0-9,x", None),
        ("bytes=1-2-3", None),
        ("bytes=٣-٤", None),
        ("rows=0-9", None),
        ("bytes=" + "9" * 19 + "-", None),
        ("bytes=" + ",".join(f"{i}-{i}" for i in range(0, 34, 2)), None),
    ],
)
def test_ranges(header: str, expected: object) -> None:
    assert ranges(header, 1000) == expected


def test_nothing_of_an_empty_file() -> None:
    assert ranges("bytes=0-", 0) == ()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"if-none-match": '"a"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"b"', "if-modified-since": LATER}, 200),
        ({"if-modified-since": SAME}, 304),
        ({"if-modified-since": EARLIER}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": 'W/"a"'}, 412),
        ({"if-match": '"b", "a"'}, 200),
        ({"if-unmodified-since": EARLIER}, 412),
        ({"if-unmodified-since": SAME}, 200),
        ({"range": "bytes=0-1"}, 206),
        ({"range": "bytes=0-1", "if-range": '"a"'}, 206),
        ({"range": "bytes=0-1", "if-range": 'W/"a"'}, 200),
        ({"range": "bytes=0-1", "if-range": SAME}, 206),
        ({"range": "bytes=0-1", "if-range": LATER}, 200),
        ({"range": "bytes=0-1", "if-none-match": '"a"'}, 304),
        ({"range": "bytes=5000-"}, 416),
        ({"range": "bytes=5000-", "if-range": '"b"'}, 200),
        ({"range": "lines=1-2"}, 200),
    ],
)
def test_conditions(headers: dict[str, str], status: int) -> None:
    assert judge("GET", headers, VERSION, NOW).status == status


def test_ranges_are_for_get_only() -> None:
    assert judge("HEAD", {"range": "bytes=0-1"}, VERSION, NOW) == Verdict(200)
    assert judge("POST", {"range": "bytes=0-1", "if-none-match": '"a"'}, VERSION, NOW) == Verdict(200)


def test_a_date_that_may_hide_a_change_does_not_continue_a_download() -> None:
    fresh = Version('"a"', NOW - 1, 1000)
    headers = {"range": "bytes=0-1", "if-range": formatdate(NOW - 1, usegmt=True)}
    assert judge("GET", headers, fresh, NOW).status == 200
