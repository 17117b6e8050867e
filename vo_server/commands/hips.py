"""`vo-server hips`."""

from typing import Annotated

import typer

from vo_server import cluster
from vo_server.commands.console import out
from vo_server.commands.progress import progress
from vo_server.hips.making import make
from vo_server.hips.model import ALLSKY_ORDER, DEEPEST, directory_of
from vo_server.hips.published import plan_for
from vo_server.roles import require
from vo_server.settings import load_settings


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
        require(settings)
        plan = plan_for(settings, collection, order)
    with progress("counting") as bar:
        directory = directory_of(settings, plan.collection)
        made = make(plan, directory, settings, settings.ingest_processes, bar)
    if made is None:
        out.print(f"{collection}: the HiPS is up to date", markup=False)
    else:
        out.print(f"{collection}: {made.events} events in {made.tiles} tiles, in {made.tree}", markup=False)
