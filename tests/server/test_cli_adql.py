"""The command `vo-server adql`: what it prints, where, and its exit codes."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from schema.collection import Collection
from schema.load import core_catalogue
from vo_server import adqlcheck, cli, roles
from vo_server.settings import Settings

GOOD = "SELECT TOP 3 obs_id, 2 * s_ra AS x FROM ivoa.obscore WHERE target_name = 'it''s [b]'\n"
BAD = "SELECT obs_id\n  FORM ivoa.obscore\n"


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory of its own, and settings with which no database answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VO_SERVER_DATABASE_URL", raising=False)
    monkeypatch.setenv("VO_SERVER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def run(*arguments: str, given: str | bytes = "") -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    result = CliRunner().invoke(cli.app, ["adql", *arguments], input=given, catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def written(directory: Path, **texts: str) -> list[str]:
    """The files with these texts."""
    for name, text in texts.items():
        (directory / name).write_text(text)
    return list(texts)


def test_sql_and_columns_are_shown(away: Path) -> None:
    code, out, err = run(*written(away, q=GOOD))
    assert code == 0
    sql, parameter, empty, head, *columns = out.splitlines()
    assert sql == (
        'SELECT "obscore"."obs_id", (2 * "obscore"."s_ra") AS "x" FROM "ivoa"."obscore" AS "obscore"'
        ' WHERE ("obscore"."target_name" = $1::text) LIMIT 3'
    )
    assert (parameter, empty) == ("""$1 = "it's [b]\"""", "")
    assert head.split() == ["column", "type", "unit", "ucd", "description"]
    assert columns[0].split()[:3] == ["obs_id", "VARCHAR", "meta.id"]
    assert columns[1].split() == ["x", "DOUBLE", "PRECISION", "deg", "2", "*", "s_ra"]
    assert columns[0].index("Identifier") == columns[1].index("2 * s_ra") == head.index("description")
    assert err.startswith("note: the tables are those of an empty archive, for no database answers: ")
    assert not (away / "data").exists()


def test_the_tables_of_the_database_are_known(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VO_SERVER_DATABASE_URL", settings.database_url)
    files = written(tmp_path, q="SELECT obs_id FROM own.obs_index")
    code, _, err = run(*files)
    assert code == 1
    assert err.splitlines()[:2] == [
        "note: the tables are those of the database, with no collection",
        "unknown table own.obs_index (line 1, column 20)",
    ]
    own = Collection("Own release", "own")
    with psycopg.connect(roles.owner_url(settings)) as connection:
        row = (own.name, own.schema, own.to_json())
        connection.execute("INSERT INTO vo.collection VALUES (%s, %s, %s, now())", row)
    code, out, err = run(*files)
    assert (code, err) == (0, "note: the tables are those of the database, with Own release\n")
    assert out.startswith('SELECT "obs_index"."obs_id" FROM "own"."obs_index" AS "obs_index"\n')


def test_errors_are_shown_with_their_place(away: Path) -> None:
    code, out, err = run("--syntax", *written(away, q=BAD))
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "unexpected ivoa, expected FROM (line 2, column 8)",
        "    FORM ivoa.obscore",
        "         ^^^^",
        "the select list is followed by FROM; its items are separated by commas; is FORM meant to be FROM?",
    ]


def test_several_files_are_named(away: Path) -> None:
    foreign = "SELECT ivo_foo(1) FROM t"
    code, out, err = run("--syntax", *written(away, a=GOOD, b=BAD, c=foreign))
    assert code == 1
    assert out.splitlines() == [
        "a: ok",
        "c: ok",
        "note: ivo_foo is a user defined function of the IVOA that this server does not have"
        " (line 1, column 8)",
    ]
    assert err.startswith("b: unexpected ivoa, expected FROM (line 2, column 8)\n")


@pytest.mark.parametrize("mode", [("--syntax",), ()])
def test_strict_refuses_extensions(away: Path, mode: tuple[str, ...]) -> None:
    text = "SELECT LEAST(s_ra, s_dec) AS x FROM ivoa.obscore"
    assert run(*mode, "-", given=text)[0] == 0
    code, out, err = run(*mode, "--strict", "-", given=text)
    assert (code, out) == (1, "")
    assert "LEAST is an extension of this server, not ADQL 2.1 (line 1, column 8)" in err


def test_standard_input_and_a_byte_order_mark(away: Path) -> None:
    assert run("--syntax", "-", given=b"\xef\xbb\xbfSELECT x\r\nFROM t\r\n")[:2] == (0, "ok\n")


def test_unreadable_files(away: Path) -> None:
    (away / "latin").write_bytes(b"SELECT x\nFROM t -- caf\xe9")
    code, out, err = run("--syntax", "latin", "missing", ".", *written(away, b=BAD, a=GOOD))
    assert (code, out) == (2, "a: ok\n")
    first, second, third, *_ = err.splitlines()
    assert first == "latin: line 2 is not UTF-8: byte 0xe9"
    assert second == "missing: No such file or directory"
    assert third == ".: Is a directory"


def test_the_syntax_check_reads_no_settings(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VO_SERVER_PORT", "none")
    assert run("--syntax", "-", given=GOOD)[0] == 0


def test_a_database_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adqlcheck, "CONNECT_SECONDS", 2)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        known, note = adqlcheck.published(Settings(database_url=f"postgresql://u@127.0.0.1:{port}/x"))
    assert time.monotonic() - started < 10
    assert known is core_catalogue()
    assert note.startswith("the tables are those of an empty archive, for no database answers: ")
    assert "timeout" in note


@pytest.mark.parametrize(("text", "code"), [(GOOD, 0), (BAD, 1), (None, 2)])
def test_exit_codes_of_the_process(away: Path, text: str | None, code: int) -> None:
    if text is not None:
        written(away, q=text)
    done = subprocess.run(
        [sys.executable, "-m", "vo_server", "adql", "--syntax", "q"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stdout == ("ok\n" if code == 0 else "")
    assert bool(done.stderr) == (code != 0)
