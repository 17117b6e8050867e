"""`vo-server quickstart`: one command from files to a service."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from ingest.run import collection_of
from schema.collection import Collection
from vo_server import cluster
from vo_server.commands.console import DATA_PROBLEMS, out
from vo_server.commands.serve import check_port, serve
from vo_server.roles import owner, read_collections
from vo_server.settings import Settings, load_settings

SIGNALLED: Final = 128
"""What shells add to the number of the signal that ended a process."""


def quickstart(
    data: Annotated[Path | None, typer.Argument(help="A release; without one, a simulated sample.")] = None,
    collection: Annotated[Path | None, typer.Option(help="TOML file that describes the collection.")] = None,
) -> None:
    """Make the database ready, ingest a release, serve it: what `make serve` does."""
    settings = load_settings()
    check_port(settings)
    sample = settings.data_dir / "sample"
    described = [] if collection is None else ["--collection", str(collection)]
    with cluster.running(settings):
        _step("init")
        if data is None and not sample.exists():
            _step("demo-data", str(sample))
        # Datasets that had to be skipped do not keep the others offline.
        _step("ingest", *described, "--", str(data or sample), suffices=DATA_PROBLEMS)
        if data is not None:
            _mention_sample(settings, sample, collection_of(data, collection, settings.authority))
        serve()


def _step(*arguments: str, suffices: int = 0) -> None:
    """Run another command to its end, in a process of its own, so that the server keeps none of its memory.

    Exits as that command does if its exit code is over `suffices`.
    """
    with subprocess.Popen([sys.executable, "-m", "vo_server", *arguments]) as process:  # noqa: S603  this program
        try:
            code = process.wait()
        except SystemExit:
            process.terminate()
            raise
        except KeyboardInterrupt:
            # Ctrl-C reaches it by itself.
            process.wait()
            raise
    if not 0 <= code <= suffices:
        raise typer.Exit(code if code > 0 else SIGNALLED - code)


def _mention_sample(settings: Settings, sample: Path, served: Collection) -> None:
    """Say that the simulated sample of an earlier start is published beside the release."""
    if not sample.exists():
        return
    name = collection_of(sample, None, settings.authority).name
    with owner(settings) as connection:
        published = {c.name for c in read_collections(connection)}
    if name in published - {served.name}:
        out.print(
            f"The simulated sample is still published, too; `vo-server remove {name}` removes it.",
            markup=False,
        )
