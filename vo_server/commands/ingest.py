"""`vo-server ingest`, and `vo-server remove`, which undoes it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ingest.facts import Problem
from ingest.run import Summary, collection_of, dry_run, ingest_release
from ingest.store import Connection, collection_size, remove_collection
from schema.collection import Collection
from vo_server import cluster, install
from vo_server.commands.console import DATA_PROBLEMS, err, out
from vo_server.commands.progress import interruptible, progress
from vo_server.hips.model import remove_hips
from vo_server.registry.refresh import update_records
from vo_server.roles import owner, read_collections, require
from vo_server.settings import Settings, load_settings


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


def remove(
    collection: Annotated[str, typer.Argument(help="Name of the collection (obs_collection).")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a collection from the database, with all its rows and tables; its files stay."""
    settings = load_settings()
    with cluster.running(settings):
        require(settings)
        with owner(settings) as connection:
            size = collection_size(connection, collection)
            if not yes:
                typer.confirm(f"Remove the collection {collection} with {size} datasets?", abort=True)
            schemas = [c.schema for c in read_collections(connection) if c.name == collection]
            remove_collection(connection, collection, announcer(settings))
        for schema in schemas:
            remove_hips(settings, schema)
        update_records(settings, err.print)
    out.print(f"{collection}: {size} datasets removed", markup=False)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or directory")
    return path


def _ingest(path: Path, collection: Collection, settings: Settings, prune: bool) -> bool:
    """Ingest one release; False if a dataset was skipped."""
    require(settings)
    with (
        progress(f"reading {path.name or path}") as bar,
        interruptible(bar),
        owner(settings) as connection,
    ):
        summary = ingest_release(
            path,
            collection,
            connection,
            announcer(settings),
            processes=settings.ingest_processes,
            prune=prune,
            progress=bar,
        )
    update_records(settings, err.print)
    return _tell(summary)


def announcer(settings: Settings) -> Callable[[Connection], None]:
    """What is to be done when the tables of a collection have changed."""

    def announce(connection: Connection) -> None:
        install.grant(connection, settings)
        install.publish(connection)

    return announce


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
