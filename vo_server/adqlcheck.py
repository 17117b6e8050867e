"""What `vo-server adql` does: queries from files are checked and translated, and shown with their columns."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

from schema.load import catalogue, core_catalogue
from schema.model import Catalogue
from vo_server import roles
from vo_server.adql import ADQLError, Translation, translate
from vo_server.adql.check import check_syntax
from vo_server.adql.tokens import MAX_LENGTH
from vo_server.settings import Settings

REFUSED = 1
"""Exit code: a query is no ADQL, or does not fit the tables."""

UNREADABLE = 2
"""Exit code: a file cannot be read as text."""

MOST_BYTES = 4 * MAX_LENGTH
"""Bytes that a query of the longest accepted text may have."""

CONNECT_SECONDS = 3
"""Longest wait for a database that may be away."""

Say = Callable[[str], None]


def published(settings: Settings) -> tuple[Catalogue, str]:
    """The catalogue of the database, if one answers, else that of an empty one; and a word on which it is.

    Starts and makes nothing.
    """
    try:
        url = roles.owner_url(settings)
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            connection.execute(f"SET statement_timeout = {CONNECT_SECONDS * 1000}")
            collections = roles.read_collections(connection)
    except psycopg.Error as error:
        reason = str(error).strip().partition("\n")[0]
        return (
            core_catalogue(),
            f"the tables are those of an empty archive, for no database answers: {reason}",
        )
    names = ", ".join(c.name for c in collections) or "no collection"
    return catalogue(collections), f"the tables are those of the database, with {names}"


def check_files(paths: Sequence[Path], say: Say, complain: Say, *, strict: bool) -> int:
    """Say of each file whether it holds one query by the grammar; returns the exit code."""

    def check(text: str) -> str:
        return "\n".join(["ok", *(f"note: {note}" for note in check_syntax(text, strict=strict))])

    return _each(paths, check, say, complain)


def translate_files(paths: Sequence[Path], known: Catalogue, say: Say, complain: Say, *, strict: bool) -> int:
    """Show the SQL and the result columns of each file's query; returns the exit code."""

    def show(text: str) -> str:
        if strict:
            check_syntax(text, strict=True)
        return shown(translate(text, known))

    return _each(paths, show, say, complain)


def _each(paths: Sequence[Path], work: Callable[[str], str], say: Say, complain: Say) -> int:
    code = 0
    for path in paths:
        name = f"{path}: " if len(paths) > 1 else ""
        try:
            text = _read(path)
            say(f"{name}{work(text)}")
        except ADQLError as error:
            complain(f"{name}{error}")
            code = max(code, REFUSED)
        except (OSError, UnicodeDecodeError) as error:
            complain(f"{path}: {_reason(error)}")
            code = UNREADABLE
    return code


def _read(path: Path) -> str:
    """The text of a file, or of standard input if it is called `-`; a byte order mark is no part of it."""
    with contextlib.nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as source:
        content = source.read(MOST_BYTES + 1)
    # One byte too many is enough for the query to be refused as too long.
    return content.decode("utf-8-sig", "strict" if len(content) <= MOST_BYTES else "replace")


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        return f"line {line} is not UTF-8: byte 0x{error.object[error.start]:02x}"
    return error.strerror or str(error)


def shown(translation: Translation) -> str:
    """The SQL, its parameters and the columns of the result, as lines of text."""
    parameters = [f"${number} = {value!r}" for number, value in enumerate(translation.parameters, start=1)]
    rows = [("column", "type", "unit", "ucd", "description")]
    rows += [(c.name, c.type.name, c.unit or "", c.ucd or "", c.description) for c in translation.columns]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([translation.sql, *parameters, "", *lines])
