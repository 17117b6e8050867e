"""`vo-server previews`."""

import contextlib
from collections.abc import Sequence
from typing import Annotated

import typer

from ingest.store import StoreError
from vo_server import cluster
from vo_server.commands.console import DATA_PROBLEMS, err, out
from vo_server.commands.progress import progress
from vo_server.previews.ahead import make_ahead
from vo_server.previews.kinds import FORMS
from vo_server.previews.model import Preview, previews_of
from vo_server.previews.processes import Drawing
from vo_server.previews.published import event_lists
from vo_server.roles import owner, require
from vo_server.settings import Settings, load_settings


def previews(
    collection: Annotated[str | None, typer.Argument(help="Name of a collection; without one, all.")] = None,
    svg: Annotated[bool, typer.Option("--svg", help="Make them as SVG, too, not only as PNG.")] = False,
    processes: Annotated[int | None, typer.Option(min=1, max=32, help="Processes that draw.")] = None,
) -> None:
    """Make the previews of all datasets ahead of the first request; those that there are, are kept."""
    settings = load_settings(preview_processes=processes)
    forms = tuple(FORMS) if svg else ("png",)
    with cluster.running(settings):
        require(settings)
        with owner(settings) as connection:
            wanted = list(previews_of(event_lists(connection, collection), forms))
        if not wanted:
            raise StoreError(f"there are no event lists of {collection or 'any collection'}")
        clean = _draw(wanted, settings)
    if not clean:
        raise typer.Exit(DATA_PROBLEMS)


def _draw(wanted: Sequence[Preview], settings: Settings) -> bool:
    """Make previews; False if one could not be made."""

    def complain(problem: str) -> None:
        err.print(f"skipped: {problem}", markup=False, style="red")

    drawing = Drawing(settings)
    with contextlib.closing(drawing), progress("drawing") as bar:
        summary = make_ahead(wanted, drawing, 2 * settings.preview_processes, bar, complain)
    size = sum(entry.size for entry in drawing.cache.entries())
    out.print(
        f"{summary.made} previews made, {summary.kept} were there, {summary.failed} failed;"
        f" {size / 1e6:.0f} of at most {settings.preview_cache} MB are in use"
    )
    return not summary.failed
