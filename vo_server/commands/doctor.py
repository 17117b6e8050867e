"""`vo-server doctor`."""

from typing import Annotated

import typer

from vo_server import cluster
from vo_server.commands.console import DATA_PROBLEMS, out
from vo_server.doctor import examine
from vo_server.settings import load_settings


def doctor(
    deep: Annotated[bool, typer.Option(help="Compare checksums of all files, too.")] = False,
) -> None:
    """Check installation, database, files and metadata; exit code 1 if something is to be done."""
    settings = load_settings()
    clean = True
    with cluster.running(settings):
        for finding in examine(settings, deep=deep):
            mark = "ok" if finding.ok else ("FAULT" if finding.fatal else "note")
            text = finding.what if finding.ok else f"{finding.what}: {finding.advice}"
            out.print(f"{mark:5} {text}", markup=False)
            clean = clean and (finding.ok or not finding.fatal)
    if not clean:
        raise typer.Exit(DATA_PROBLEMS)
