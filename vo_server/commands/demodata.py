"""`vo-server demo-data`."""

from pathlib import Path
from typing import Annotated

import typer

from ingest.simulate import MAX_OBSERVATIONS, simulate_release
from vo_server.commands.console import out


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
