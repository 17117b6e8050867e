"""Messages that are sent and heard, octet by octet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo_server.rows import protocol
from vo_server.rows.protocol import Description

NAMES = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=63)


def test_the_messages_of_a_query() -> None:
    assert protocol.query("SELECT 'é'") == (
        b"P\x00\x00\x00\x13\x00SELECT '\xc3\xa9'\x00\x00\x00"
        b"B\x00\x00\x00\x0e\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01"
        b"D\x00\x00\x00\x06P\x00"
        b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"
        b"S\x00\x00\x00\x04"
    )


def test_lengths_are_those_of_octets() -> None:
    parse = protocol.query("😀" * 1000)
    assert parse[1:5] == (4 + 1 + 4000 + 3).to_bytes(4)


@pytest.mark.parametrize("sql", ["\0", "SELECT '\0'", "SELECT 1\0", "SELECT '\ud800'"])
def test_text_that_cannot_be_sent(sql: str) -> None:
    """A NUL would end the query early; half a character has no octets."""
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        protocol.query(sql)


@given(st.lists(st.tuples(NAMES, st.integers(0, 2**31 - 1)), max_size=1664))
def test_a_description_is_read_back(columns: list[tuple[str, int]]) -> None:
    wanted = Description([name for name, _ in columns], [oid for _, oid in columns])
    message = protocol.described(wanted)
    kind, length = protocol.HEAD.unpack_from(message)
    assert (kind, 1 + length) == (protocol.ROW_DESCRIPTION, len(message))
    assert protocol.description(message[protocol.HEAD.size :]) == wanted


def test_a_description_as_postgresql_sends_it() -> None:
    """SELECT 1 AS a, 'x'::varchar(5) AS "é", as PostgreSQL 15 answers it."""
    body = bytes.fromhex(
        "00026100 00000000 0000 00000017 0004 ffffffff 0001c3a900 00000000 0000 00000413 ffff 00000009 0001"
    )
    assert protocol.description(body) == Description(["a", "é"], [23, 1043])


def test_an_error_as_postgresql_sends_it() -> None:
    body = b"SERROR\0VERROR\0C22012\0Mdivision by z\xc3\xa9ro\0WPL/pgSQL function f() line 1\nSQL\0"
    body += b"Fint.c\0L1\0\0"
    error = protocol.error(body)
    assert (error.sqlstate, error.message) == ("22012", "division by zéro")
    assert error.context == "PL/pgSQL function f() line 1\nSQL"
    assert str(error) == "division by zéro"


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0", b"M", b"C\0M\0\0"])
def test_an_error_that_says_nothing(body: bytes) -> None:
    error = protocol.error(body)
    assert (error.sqlstate, error.message, error.context) == ("", "", "")


def test_an_error_in_another_encoding() -> None:
    """What the server says before it knows our encoding may be in its own."""
    assert protocol.error(b"C28000\0Mr\xf4le\0\0").message == "r\ufffdle"
