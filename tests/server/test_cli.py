"""The command: what it prints, where, and its exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import vo_server
from tests.dl3files import TIME_HEADER, Habits, write_dl3
from vo_server import cli
from vo_server.settings import Settings

SMALL = Habits(irfs=False, events=5)


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The test's own database for the command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VO_SERVER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("VO_SERVER_READER_URL", settings.reader_url)
    monkeypatch.setenv("VO_SERVER_INGEST_PROCESSES", "1")


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command that is expected to do something."""
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command ends that can do nothing."""
    monkeypatch.setattr("sys.argv", ["vo-server", *arguments])
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line


def test_version() -> None:
    assert run("version") == (0, f"{vo_server.__version__}\n", "")


@pytest.mark.usefixtures("environment")
def test_from_init_to_doctor(tmp_path: Path) -> None:
    assert run("init") == (0, "The database is ready (as given).\n", "")
    for number in (1, 2):
        write_dl3(tmp_path / "r" / f"{number}.fits", SMALL.but(obs_id=number))
    assert run("ingest", "r") == (0, "r: 2 added, 0 updated, 0 unchanged, 0 skipped, 0 removed\n", "")
    write_dl3(tmp_path / "r" / "3.fits", SMALL.but(obs_id=3, header=dict.fromkeys(TIME_HEADER)))
    (tmp_path / "r" / "2.fits").unlink()
    code, out, err = run("ingest", "--prune", "r")
    assert (code, out) == (1, "r: 0 added, 0 updated, 1 unchanged, 1 skipped, 1 removed\n")
    assert err.startswith(f"skipped: {tmp_path / 'r' / '3.fits'}: ")
    code, out, err = run("doctor")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "ok    files: 1 of 1 as ingested"
    assert "note  collection r: its authority x-unregistered is nobody's" in out
    (tmp_path / "r" / "1.fits").unlink()
    code, out, _ = run("doctor")
    assert code == 1
    assert f"FAULT {tmp_path / 'r' / '1.fits'}: it cannot be read" in out


@pytest.mark.usefixtures("environment")
def test_two_releases_and_a_collection_file(tmp_path: Path) -> None:
    write_dl3(tmp_path / "a" / "1.fits", SMALL)
    write_dl3(tmp_path / "b" / "1.fits", SMALL)
    (tmp_path / "c.toml").write_text('title = "T"\n')
    code, out, _ = run("ingest", "a", "b", "--collection", "c.toml")
    assert (code, [line.split(":")[0] for line in out.splitlines()]) == (0, ["a", "b"])


@pytest.mark.usefixtures("environment")
def test_quickstart_serves_what_could_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dl3(tmp_path / "r" / "1.fits", SMALL)
    (tmp_path / "r" / "2.fits").write_text("no")
    monkeypatch.setattr(cli, "serve", lambda: cli.out.print("serving"))
    code, out, _ = run("quickstart", "r")
    assert (code, out.splitlines()) == (
        0,
        [
            "The database is ready (as given).",
            "r: 1 added, 0 updated, 0 unchanged, 1 skipped, 0 removed",
            "serving",
        ],
    )


def test_a_dry_run_prints_rows_and_needs_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VO_SERVER_DATABASE_URL", "postgresql://nowhere.invalid/x")
    write_dl3(tmp_path / "r" / "1.fits", SMALL.but(obs_id=1, header={"RA_PNT": None, "DEC_PNT": None}))
    write_dl3(tmp_path / "r" / "2.fits", SMALL.but(obs_id=2))
    code, out, err = run("ingest", "--dry-run", str(tmp_path / "r"))
    rows = [json.loads(line) for line in out.splitlines()]
    assert [sorted(row) for row in rows] == [["obs_index", "obscore", "obscore_hea"]] * 2
    assert [row["obscore"]["obs_publisher_did"] for row in rows] == [
        "ivo://x-unregistered/r?1",
        "ivo://x-unregistered/r?2",
    ]
    assert rows[1]["obscore_hea"]["ev_xel"] == 5
    assert code == 0
    assert [line.split(":")[0] for line in err.splitlines()] == ["warning"]


def test_a_dry_run_skips_what_an_ingest_would_skip(tmp_path: Path) -> None:
    write_dl3(tmp_path / "r" / "1.fits", SMALL.but(obs_id=1, header={"LIVETIME": -1.0}))
    write_dl3(tmp_path / "r" / "2.fits", SMALL.but(obs_id=2))
    (tmp_path / "r" / "3.fits").write_text("no")
    code, out, err = run("ingest", "--dry-run", str(tmp_path / "r"))
    assert (code, len(out.splitlines())) == (1, 1)
    assert sorted(line.split(": ")[1] for line in err.splitlines()) == [
        str(tmp_path / "r" / "1.fits"),
        str(tmp_path / "r" / "3.fits"),
    ]


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VO_SERVER_DATABASE_URL", "postgresql://u:secret@h/d")
    code, out, _ = run("settings")
    assert code == 0
    assert "secret" not in out
    assert "port (VO_SERVER_PORT): 8000\n    Port to listen on.\n" in out


def test_demo_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "demo"
    code, out, _ = run("demo-data", str(target), "--observations", "1", "--seed", "3")
    assert (code, out) == (0, f"A simulated release of 1 observations is in {target}.\n")
    assert len(list(target.glob("data/*.fits.gz"))) == 1
    line = fail(monkeypatch, capsys, "demo-data", str(target))
    assert line == f"vo-server: {target} exists and is not an empty directory: choose another place"


@pytest.mark.usefixtures("environment")
def test_errors_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    assert fail(monkeypatch, capsys, "ingest", "absent") == "vo-server: absent: no such file or directory"
    write_dl3(tmp_path / "r" / "1.fits", SMALL)
    (tmp_path / "r" / "collection.toml").write_text("nmae = 1")
    assert fail(monkeypatch, capsys, "ingest", "r").startswith(
        "vo-server: r/collection.toml: unknown key 'nmae'; known keys: "
    )
    (tmp_path / "r" / "collection.toml").write_text("schema = 'ivoa'")
    assert "schema = 'ivoa'" in fail(monkeypatch, capsys, "ingest", "r")
    monkeypatch.setenv("VO_SERVER_PORT", "x")
    line = fail(monkeypatch, capsys, "doctor")
    assert line == "vo-server: VO_SERVER_PORT: port = 'x': a whole number above 0 wanted"
    monkeypatch.delenv("VO_SERVER_PORT")
    monkeypatch.setenv("VO_SERVER_DATABASE_URL", settings.database_url.replace("test_", "absent_"))
    (tmp_path / "r" / "collection.toml").unlink()
    line = fail(monkeypatch, capsys, "ingest", "r")
    assert line.startswith("vo-server: no connection to the database (")
    assert line.endswith("; has `vo-server init` been run?")


@pytest.mark.usefixtures("environment")
def test_a_database_that_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    write_dl3(tmp_path / "r" / "1.fits", SMALL)
    monkeypatch.setenv("VO_SERVER_DATABASE_URL", f"{settings.database_url} dbname=postgres")
    assert fail(monkeypatch, capsys, "ingest", "r") == (
        "vo-server: the database is not ready: run `vo-server init` first"
    )


def test_a_wrong_call() -> None:
    assert run("ingest")[0] == 2
    assert run("serve", "--port", "x")[0] == 2
    assert run("quickstart", "a", "b")[0] == 2
