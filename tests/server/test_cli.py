"""The command: what it prints, where, and its exit codes."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

import vo_server
from tests.dl3files import TIME_HEADER, Habits, write_dl3
from tests.server import serving
from vo_server import cli, cluster
from vo_server.commands import ingest as commands
from vo_server.roles import newest_revision
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


def quickstart(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[list[str], int]:
    """What `vo-server quickstart` prints before its greeting, and its exit code when it is stopped then."""
    with serving.free_socket() as free:
        monkeypatch.setenv("VO_SERVER_PORT", str(free.getsockname()[1]))
    command = [sys.executable, "-u", "-m", "vo_server", "quickstart", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = list(iter(process.stdout.readline, "\n"))
        process.terminate()
        process.communicate(timeout=20)
    return [line.rstrip() for line in told], process.returncode


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
    assert "ok    files: 1 of 1 as ingested" in out.splitlines()
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
    told, process = quickstart(monkeypatch, "r")
    assert told == [
        "The database is ready (as given).",
        "r: 1 added, 0 updated, 0 unchanged, 1 skipped, 0 removed",
    ]
    assert process == 143


@pytest.mark.usefixtures("environment")
def test_quickstart_ends_where_nothing_could_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving.free_socket() as free:
        monkeypatch.setenv("VO_SERVER_PORT", str(free.getsockname()[1]))
    arguments = [sys.executable, "-m", "vo_server", "quickstart", "absent"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "The database is ready (as given).\n")
    assert done.stderr == "vo-server: absent: no such file or directory\n"


def test_serving_loads_neither_migrations_nor_plotting() -> None:
    program = "import sys, vo_server.cli, vo_server.commands.quickstart; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"alembic", "sqlalchemy", "matplotlib", "PIL", "healpy"} & set(done.stdout.split())


def test_a_dry_run_prints_rows_and_needs_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VO_SERVER_DATABASE_URL", "postgresql://nowhere.invalid/x")
    write_dl3(tmp_path / "r" / "1.fits", SMALL.but(obs_id=1, header={"RA_PNT": None, "DEC_PNT": None}))
    write_dl3(tmp_path / "r" / "2.fits", SMALL.but(obs_id=2))
    code, out, err = run("ingest", "--dry-run", str(tmp_path / "r"))
    rows = [json.loads(line) for line in out.splitlines()]
    assert [sorted(row) for row in rows] == [["obs_index", "obscore", "obscore_hea", "obscore_healpix"]] * 2
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
    assert line == "vo-server: VO_SERVER_PORT: port = 'x': a whole number from 1 to 65535 wanted"
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


SLOWLY = """
import time
import ingest.run
from vo_server.cli import main
read = ingest.run.read
def slowly(*job):
    time.sleep({seconds})
    return read(*job)
ingest.run.read = slowly
main()
"""


@contextlib.contextmanager
def slow_ingest(release: Path, seconds: float) -> Iterator[tuple[subprocess.Popen[str], set[int]]]:
    """An ingest in two reading processes that take their time, and the numbers of those."""
    for number in range(8):
        write_dl3(release / f"{number}.fits", SMALL.but(obs_id=number))
    program = SLOWLY.format(seconds=seconds)
    arguments = [sys.executable, "-c", program, "ingest", str(release), "--processes", "2"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, wait_for(lambda: {n for n, p in running().items() if p == process.pid}, 2)
        finally:
            process.kill()


def wait_for(find: Callable[[], set[int]], size: int) -> set[int]:
    """What `find` finds as soon as there is so much of it."""
    deadline = time.monotonic() + 20
    while len(found := find()) != size:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def running() -> dict[int, int]:
    """The parent of each process that has not ended."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(status.parent.name)] = int(parent)
    return found


@pytest.mark.usefixtures("environment")
def test_an_ingest_that_is_killed_leaves_no_process_and_no_lock(
    tmp_path: Path, database: psycopg.Connection[Any]
) -> None:
    locks = "SELECT l.pid FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
    locks += " WHERE l.locktype = 'advisory' AND a.datname = current_database()"
    with slow_ingest(tmp_path / "r", 60) as (process, readers):
        process.kill()
        process.wait()
        wait_for(lambda: readers & set(running()), 0)
        wait_for(lambda: {pid for (pid,) in database.execute(locks.encode())}, 0)
    assert run("ingest", "r") == (0, "r: 8 added, 0 updated, 0 unchanged, 0 skipped, 0 removed\n", "")


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_ingest_that_is_interrupted_says_how_far_it_came(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with slow_ingest(tmp_path / "r", 0.3) as (process, readers):
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
    assert process.returncode == code
    interrupted = re.fullmatch(
        r"interrupted; (\d) of 8 datasets are in, the rest follows with the next ingest\n", told
    )
    assert interrupted is not None, told
    assert not readers & set(running())
    done = int(interrupted[1])
    assert done < 8
    added = f"r: {8 - done} added, 0 updated, {done} unchanged, 0 skipped, 0 removed\n"
    assert run("ingest", "r") == (0, added, "")


@pytest.mark.usefixtures("environment")
def test_serving_ends_cleanly_on_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving.free_socket() as free:
        monkeypatch.setenv("VO_SERVER_PORT", str(free.getsockname()[1]))
    arguments = [sys.executable, "-u", "-m", "vo_server", "serve"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert next(line for line in process.stdout if "curl" in line)
        process.terminate()
        _, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (143, "")


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("command", ["serve", "quickstart"])
def test_a_port_in_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with serving.free_socket() as taken:
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("VO_SERVER_PORT", str(port))
        assert fail(monkeypatch, capsys, command) == (
            f"vo-server: port {port} of 127.0.0.1 is in use; `--port` or, with make, PORT=... chooses another"
        )


@pytest.mark.usefixtures("environment")
def test_an_address_of_another_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VO_SERVER_HOST", "192.0.2.1")
    line = fail(monkeypatch, capsys, "serve")
    assert line.startswith("vo-server: port 8000 of 192.0.2.1 cannot be listened on: ")


@pytest.mark.usefixtures("environment")
def test_serving_wants_a_database_of_this_version(
    database: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving.free_socket() as free:
        monkeypatch.setenv("VO_SERVER_PORT", str(free.getsockname()[1]))
    database.execute("UPDATE vo.revision SET version_num = '0001'")
    assert fail(monkeypatch, capsys, "serve") == (
        f"vo-server: the database has revision 0001 where {newest_revision()} is needed: run `vo-server init`"
    )


@pytest.mark.usefixtures("environment")
def test_removing_a_collection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dl3(tmp_path / "r" / "1.fits", SMALL)
    run("ingest", "r")
    result = CliRunner().invoke(cli.app, ["remove", "r"], input="n\n")
    assert (result.exit_code, result.stdout) == (1, "Remove the collection r with 1 datasets? [y/N]: n\n")
    assert run("ingest", "r")[1] == "r: 0 added, 0 updated, 1 unchanged, 0 skipped, 0 removed\n"
    assert run("remove", "r", "--yes") == (0, "r: 1 datasets removed\n", "")
    line = fail(monkeypatch, capsys, "remove", "r")
    assert line == "vo-server: there is no collection 'r'; those that there are: none"


@pytest.mark.usefixtures("environment")
def test_the_database_runs_until_a_removal_is_in_the_registry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A private cluster is stopped with the block of `cluster.running`."""
    running: list[Settings] = []
    seen: list[int] = []

    @contextlib.contextmanager
    def started(settings: Settings) -> Iterator[None]:
        running.append(settings)
        yield
        running.clear()

    write_dl3(tmp_path / "r" / "1.fits", SMALL)
    run("ingest", "r")
    monkeypatch.setattr(cluster, "running", started)
    monkeypatch.setattr(commands, "update_records", lambda settings, warn: seen.append(len(running)))
    assert run("remove", "r", "--yes") == (0, "r: 1 datasets removed\n", "")
    assert seen == [1]


@pytest.mark.usefixtures("environment")
def test_quickstart_mentions_the_sample_of_an_earlier_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VO_SERVER_DATA_DIR", str(tmp_path / "data"))
    run("demo-data", str(tmp_path / "data" / "sample"), "--observations", "1")
    write_dl3(tmp_path / "r" / "1.fits", SMALL)
    mention = "The simulated sample is still published, too; `vo-server remove SIMULATED-DL3` removes it."
    assert mention not in quickstart(monkeypatch, "r")[0]
    assert mention not in quickstart(monkeypatch)[0]
    assert quickstart(monkeypatch, "r")[0][-1] == mention
    run("remove", "SIMULATED-DL3", "--yes")
    assert mention not in quickstart(monkeypatch, "r")[0]


def test_a_wrong_call() -> None:
    assert run("ingest")[0] == 2
    assert run("serve", "--port", "x")[0] == 2
    assert run("quickstart", "a", "b")[0] == 2
