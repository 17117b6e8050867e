"""The command `vo-server`."""

import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import psycopg
import typer
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import vo_server
from ingest.facts import Problem
from ingest.run import Summary, collection_of, dry_run, ingest_release
from ingest.simulate import MAX_OBSERVATIONS, simulate_release
from ingest.store import Connection, StoreError
from schema.collection import Collection, CollectionError
from vo_server import cluster, doctor, install
from vo_server.app import create_app
from vo_server.cluster import ClusterError
from vo_server.install import InstallError
from vo_server.settings import Settings, SettingsError, listing, load_settings

DATA_PROBLEMS: Final = 1
"""Exit code: some datasets were skipped, or the doctor found something."""

FAILURE: Final = 2
"""Exit code: nothing could be done."""

EXPECTED: Final = (
    ClusterError,
    InstallError,
    SettingsError,
    CollectionError,
    StoreError,
    OSError,
    psycopg.OperationalError,
)
"""Errors whose text is all that the operator needs."""

GREETING: Final = """
vo-server {version} serves {title} (process {process}); stop it with Ctrl-C.

  pages        {url}/
  TAP service  {url}/tap

Three things to try:
  1. TOPCAT: VO > Table Access Protocol (TAP) Query, then paste {url}/tap as TAP URL
  2. pyvo:   import pyvo
             pyvo.dal.TAPService("{url}/tap").search("SELECT TOP 5 * FROM ivoa.obscore").to_table()
  3. curl -d LANG=ADQL -d RESPONSEFORMAT=csv \\
          --data-urlencode "QUERY=SELECT obs_id, target_name, t_exptime FROM ivoa.obscore" {url}/tap/sync
"""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Publish gamma-ray DL3 releases in the Virtual Observatory.",
)
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def main() -> None:
    """Run the command; expected errors become one line and exit code 2."""
    # So that SIGTERM, too, unwinds and stops the private cluster (uvicorn raises it again at its end).
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        app()
    except EXPECTED as error:
        err.print(f"vo-server: {' '.join(str(error).split())}", markup=False, style="red")
        raise SystemExit(FAILURE) from error


@app.command()
def init() -> None:
    """Make the database ready: cluster, roles, pgSphere, tables, TAP_SCHEMA. Safe to repeat."""
    settings = load_settings()
    with cluster.running(settings):
        install.install(settings, out.print)
    out.print(f"The database is ready ({(settings.database_url and 'as given') or settings.data_dir}).")


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Releases: directories, or single FITS files.")],
    collection: Annotated[Path | None, typer.Option(help="TOML file that describes the collection.")] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Show the rows; write nothing.")] = False,
    prune: Annotated[bool, typer.Option(help="Remove datasets whose files have vanished.")] = False,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes that read files.")] = None,
) -> None:
    """Read releases of GADF DL3 files and publish what is new or changed in them."""
    settings = load_settings(ingest_processes=processes)
    releases = [(_existing(path), collection_of(path, collection, settings.authority)) for path in paths]
    if dry:
        clean = all([_show_rows(path, described, settings) for path, described in releases])  # noqa: C419  show all
    else:
        with cluster.running(settings):
            clean = all([_ingest(path, described, settings, prune) for path, described in releases])  # noqa: C419  ingest all
    if not clean:
        raise typer.Exit(DATA_PROBLEMS)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve the published collections over HTTP until interrupted."""
    settings = load_settings(host=host, port=port)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with cluster.running(settings):
        install.require(settings)
        _greet(settings)
        uvicorn.run(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            server_header=False,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=5,
        )


@app.command()
def quickstart(
    data: Annotated[Path | None, typer.Argument(help="A release; without one, a simulated sample.")] = None,
    collection: Annotated[Path | None, typer.Option(help="TOML file that describes the collection.")] = None,
) -> None:
    """Make the database ready, ingest a release, serve it: what `make serve` does."""
    settings = load_settings()
    sample = settings.data_dir / "sample"
    with cluster.running(settings):
        init()
        if data is None and not sample.exists():
            demo_data(sample)
        # Datasets that had to be skipped do not keep the others offline.
        with contextlib.suppress(typer.Exit):
            ingest([data or sample], collection)
        serve()


@app.command("doctor")
def doctor_command(
    deep: Annotated[bool, typer.Option(help="Compare checksums of all files, too.")] = False,
) -> None:
    """Check installation, database, files and metadata; exit code 1 if something is to be done."""
    settings = load_settings()
    clean = True
    with cluster.running(settings):
        for finding in doctor.examine(settings, deep=deep):
            mark = "ok" if finding.ok else ("FAULT" if finding.fatal else "note")
            text = finding.what if finding.ok else f"{finding.what}: {finding.advice}"
            out.print(f"{mark:5} {text}", markup=False)
            clean = clean and (finding.ok or not finding.fatal)
    if not clean:
        raise typer.Exit(DATA_PROBLEMS)


@app.command("demo-data")
def demo_data(
    directory: Annotated[Path, typer.Argument(help="Where to write; made if need be.")],
    observations: Annotated[
        int, typer.Option(min=1, max=MAX_OBSERVATIONS, help="Number of observations.")
    ] = 12,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 1,
) -> None:
    """Write a simulated GADF DL3 release with response functions."""
    written = simulate_release(directory, observations, seed)
    out.print(f"A simulated release of {observations} observations is in {written}.")


@app.command("settings")
def settings_command() -> None:
    """List the settings with their values and help."""
    for name, variable, value, text in listing(load_settings()):
        out.print(f"{name} ({variable}): {value}\n    {text}", markup=False)


@app.command()
def version() -> None:
    """Print the version."""
    out.print(vo_server.__version__)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or directory")
    return path


def _ingest(path: Path, collection: Collection, settings: Settings, prune: bool) -> bool:
    """Ingest one release; False if a dataset was skipped."""

    def announce(connection: Connection) -> None:
        install.grant(connection, settings)
        install.publish(connection)

    install.require(settings)
    with install.owner(settings) as connection, _progress(path) as bar:
        summary = ingest_release(
            path,
            collection,
            connection,
            announce,
            processes=settings.ingest_processes,
            prune=prune,
            progress=bar,
        )
    return _tell(summary)


def _tell(summary: Summary) -> bool:
    for problem in summary.warnings:
        _warn(problem)
    for problem in summary.problems:
        err.print(f"skipped: {problem}", markup=False, style="red")
    out.print(summary.text, markup=False)
    return not summary.problems


def _warn(problem: Problem) -> None:
    err.print(f"warning: {problem}", markup=False, style="yellow")


def _show_rows(path: Path, collection: Collection, settings: Settings) -> bool:
    """Print what an ingest would write, a JSON object a line; False if a dataset would be skipped."""
    clean = True
    for found in dry_run(path, collection, settings.ingest_processes, _warn):
        if isinstance(found, Problem):
            err.print(f"skipped: {found}", markup=False, style="red")
            clean = False
        else:
            tables = {t: getattr(found, t) for t in ("obscore", "obscore_hea", "obs_index")}
            typer.echo(json.dumps(tables, default=str))
    return clean


class _Bar:
    """Turns (done, in all) into a progress bar."""

    def __init__(self, progress: Progress, path: Path) -> None:
        self._progress = progress
        self._task = progress.add_task(f"reading {path.name or path}", total=None)

    def __call__(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)


@contextlib.contextmanager
def _progress(path: Path) -> Iterator[_Bar]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield _Bar(progress, path)


def _greet(settings: Settings) -> None:
    text = GREETING.format(
        version=vo_server.__version__, title=settings.title, url=settings.url, process=os.getpid()
    )
    out.print(text, markup=False)
