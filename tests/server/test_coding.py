"""Which content coding an Accept-Encoding header chooses."""

import pytest

from vo_server.results.coding import chosen


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", None),
        ("identity", None),
        ("br, deflate", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("zstd ; q=0.5,gzip; q=0.4", "zstd"),
        ("gzip;q=0", None),
        ("zstd;q=0, *", "gzip"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=1.000, identity;q=0.5", "gzip"),
        ("gzip;q=2, zstd;q=x", None),
    ],
)
def test_chosen(header: str, name: str | None) -> None:
    coding = chosen(header)
    assert (coding and coding.names[0]) == name
