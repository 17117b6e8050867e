"""The command `vo-server`."""

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
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
from ingest.store import Connection, StoreError, collection_size, remove_collection
from schema.collection import Collection, CollectionError
from vo_server import adqlcheck, cluster, doctor, install
from vo_server.app import create_app
from vo_server.cluster import ClusterError
from vo_server.hips.making import make
from vo_server.hips.model import ALLSKY_ORDER, DEEPEST, HipsError, directory_of, remove_hips
from vo_server.hips.published import plan_for
from vo_server.install import InstallError
from vo_server.memory import share_arenas
from vo_server.previews.ahead import make_ahead
from vo_server.previews.kinds import FORMS
from vo_server.previews.model import Preview, previews_of
from vo_server.previews.processes import Drawing
from vo_server.previews.published import event_lists
from vo_server.registry.refresh import update_records
from vo_server.settings import LAST_PORT, Settings, SettingsError, listing, load_settings
from vo_server.uws.worker import work

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
    HipsError,
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


class Terminated(KeyboardInterrupt):
    """SIGTERM during an ingest; like Ctrl-C it makes psycopg cancel what it waits for."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def main() -> None:
    """Run the command; expected errors become one line and exit code 2."""
    # So that SIGTERM, too, unwinds and stops the private cluster (uvicorn raises it again at its end).
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
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
    port: Annotated[int | None, typer.Option(min=1, max=LAST_PORT, help="Port to listen on.")] = None,
) -> None:
    """Serve the published collections over HTTP until interrupted."""
    share_arenas()
    settings = load_settings(host=host, port=port)
    _check_port(settings)
    _log()
    with cluster.running(settings):
        install.require(settings)
        # The settings that records are made from may have changed.
        update_records(settings, err.print)
        _greet(settings)
        uvicorn.run(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            server_header=False,
            log_level="warning",
            access_log=False,
            http="httptools",
            timeout_graceful_shutdown=5,
        )


@app.command()
def worker() -> None:
    """Run asynchronous jobs, beside the worker inside the server or on another machine, until interrupted."""
    settings = load_settings()
    _log()
    with cluster.running(settings):
        install.require(settings)
        out.print(f"A worker for jobs (process {os.getpid()}); stop it with Ctrl-C.")
        asyncio.run(work(settings))


@app.command()
def quickstart(
    data: Annotated[Path | None, typer.Argument(help="A release; without one, a simulated sample.")] = None,
    collection: Annotated[Path | None, typer.Option(help="TOML file that describes the collection.")] = None,
) -> None:
    """Make the database ready, ingest a release, serve it: what `make serve` does."""
    settings = load_settings()
    _check_port(settings)
    sample = settings.data_dir / "sample"
    with cluster.running(settings):
        init()
        if data is None and not sample.exists():
            demo_data(sample)
        # Datasets that had to be skipped do not keep the others offline.
        with contextlib.suppress(typer.Exit):
            ingest([data or sample], collection)
        if data is not None:
            _mention_sample(settings, sample, collection_of(data, collection, settings.authority))
        serve()


@app.command()
def remove(
    collection: Annotated[str, typer.Argument(help="Name of the collection (obs_collection).")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a collection from the database, with all its rows and tables; its files stay."""
    settings = load_settings()
    with cluster.running(settings):
        install.require(settings)
        with install.owner(settings) as connection:
            size = collection_size(connection, collection)
            if not yes:
                typer.confirm(f"Remove the collection {collection} with {size} datasets?", abort=True)
            schemas = [c.schema for c in install.read_collections(connection) if c.name == collection]
            remove_collection(connection, collection, _announcer(settings))
    for schema in schemas:
        remove_hips(settings, schema)
        update_records(settings, err.print)
    out.print(f"{collection}: {size} datasets removed", markup=False)


@app.command()
def previews(
    collection: Annotated[str | None, typer.Argument(help="Name of a collection; without one, all.")] = None,
    svg: Annotated[bool, typer.Option("--svg", help="Make them as SVG, too, not only as PNG.")] = False,
    processes: Annotated[int | None, typer.Option(min=1, max=32, help="Processes that draw.")] = None,
) -> None:
    """Make the previews of all datasets ahead of the first request; those that there are, are kept."""
    settings = load_settings(preview_processes=processes)
    forms = tuple(FORMS) if svg else ("png",)
    with cluster.running(settings):
        install.require(settings)
        with install.owner(settings) as connection:
            wanted = list(previews_of(event_lists(connection, collection), forms))
        if not wanted:
            raise StoreError(f"there are no event lists of {collection or 'any collection'}")
        clean = _draw(wanted, settings)
    if not clean:
        raise typer.Exit(DATA_PROBLEMS)


@app.command()
def hips(
    collection: Annotated[str, typer.Argument(help="Name of the collection (obs_collection).")],
    order: Annotated[
        int | None,
        typer.Option(min=ALLSKY_ORDER, max=DEEPEST, help="Deepest order; without one, by the resolution."),
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=32, help="Processes that count.")] = None,
) -> None:
    """Make the HiPS of a collection, its counts as a map for Aladin; goes on where it was interrupted."""
    settings = load_settings(ingest_processes=processes)
    with cluster.running(settings):
        install.require(settings)
        plan = plan_for(settings, collection, order)
    with _progress("counting") as bar:
        directory = directory_of(settings, plan.collection)
        made = make(plan, directory, settings, settings.ingest_processes, bar)
    if made is None:
        out.print(f"{collection}: the HiPS is up to date", markup=False)
    else:
        out.print(f"{collection}: {made.events} events in {made.tiles} tiles, in {made.tree}", markup=False)


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


@app.command("adql")
def adql_command(
    files: Annotated[list[Path], typer.Argument(help="Files with one query each; - is standard input.")],
    syntax: Annotated[
        bool, typer.Option("--syntax", help="Check the grammar only, without a database.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse extensions of ADQL 2.1.")] = False,
) -> None:
    """Check queries, and show the SQL and the result columns; exit code 1 if one is refused."""

    def say(text: str) -> None:
        out.print(text, markup=False)

    def complain(text: str) -> None:
        err.print(text, markup=False)

    if syntax:
        code = adqlcheck.check_files(files, say, complain, strict=strict)
    else:
        known, note = adqlcheck.published(load_settings())
        complain(f"note: {note}")
        code = adqlcheck.translate_files(files, known, say, complain, strict=strict)
    if code:
        raise typer.Exit(code)


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
    install.require(settings)
    with (
        _progress(f"reading {path.name or path}") as bar,
        _interruptible(bar),
        install.owner(settings) as connection,
    ):
        summary = ingest_release(
            path,
            collection,
            connection,
            _announcer(settings),
            processes=settings.ingest_processes,
            prune=prune,
            progress=bar,
        )
    update_records(settings, err.print)
    return _tell(summary)


def _draw(wanted: Sequence[Preview], settings: Settings) -> bool:
    """Make previews; False if one could not be made."""

    def complain(problem: str) -> None:
        err.print(f"skipped: {problem}", markup=False, style="red")

    drawing = Drawing(settings)
    with contextlib.closing(drawing), _progress("drawing") as bar:
        summary = make_ahead(wanted, drawing, 2 * settings.preview_processes, bar, complain)
    size = sum(entry.size for entry in drawing.cache.entries())
    out.print(
        f"{summary.made} previews made, {summary.kept} were there, {summary.failed} failed;"
        f" {size / 1e6:.0f} of at most {settings.preview_cache} MB are in use"
    )
    return not summary.failed


def _announcer(settings: Settings) -> Callable[[Connection], None]:
    """What is to be done when the tables of a collection have changed."""

    def announce(connection: Connection) -> None:
        install.grant(connection, settings)
        install.publish(connection)

    return announce


def _mention_sample(settings: Settings, sample: Path, served: Collection) -> None:
    """Say that the simulated sample of an earlier start is published beside the release."""
    if not sample.exists():
        return
    name = collection_of(sample, None, settings.authority).name
    with install.owner(settings) as connection:
        published = {c.name for c in install.read_collections(connection)}
    if name in published - {served.name}:
        out.print(
            f"The simulated sample is still published, too; `vo-server remove {name}` removes it.",
            markup=False,
        )


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
            names = ("obscore", "obscore_hea", "obscore_healpix", "obs_index")
            tables = {t: getattr(found, t) for t in names}
            typer.echo(json.dumps(tables, default=str))
    return clean


class _Bar:
    """Turns (done, in all) into a progress bar, and remembers them."""

    def __init__(self, progress: Progress, text: str) -> None:
        self.done = 0
        self.total = 0
        self._progress = progress
        self._task = progress.add_task(text, total=None)

    def __call__(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self._progress.update(self._task, completed=done, total=total)


@contextlib.contextmanager
def _progress(text: str) -> Iterator[_Bar]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield _Bar(progress, text)


@contextlib.contextmanager
def _interruptible(bar: _Bar) -> Iterator[None]:
    """SIGINT and SIGTERM end the command with a line on how far it came, and the shell's exit codes."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt as interruption:
        number = signal.SIGTERM if isinstance(interruption, Terminated) else signal.SIGINT
        err.print(
            f"interrupted; {bar.done} of {bar.total} datasets are in, the rest follows with the next ingest"
        )
        raise SystemExit(128 + number) from interruption
    finally:
        signal.signal(signal.SIGTERM, before)


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It names every job, and who knows the name of a job may use it.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)


def _check_port(settings: Settings) -> None:
    """Raise OSError if the server could not listen on its port."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        where = f"port {settings.port} of {settings.host}"
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"{where} is in use; `--port` or, with make, PORT=... chooses another") from error
        raise OSError(f"{where} cannot be listened on: {error.strerror}") from error


def _greet(settings: Settings) -> None:
    text = GREETING.format(
        version=vo_server.__version__, title=settings.title, url=settings.url, process=os.getpid()
    )
    out.print(text, markup=False)
