"""The command `vo-server`."""

import importlib
import signal
import sys
from typing import Any, Final

import psycopg
import typer
from typer.core import TyperGroup

from ingest.store import StoreError
from schema.collection import CollectionError
from vo_server.cluster import ClusterError
from vo_server.commands.console import FAILURE, err
from vo_server.hips.model import HipsError
from vo_server.roles import InstallError
from vo_server.settings import SettingsError

COMMANDS: Final = {
    "init": ("initialize", "init"),
    "ingest": ("ingest", "ingest"),
    "serve": ("serve", "serve"),
    "worker": ("serve", "worker"),
    "quickstart": ("quickstart", "quickstart"),
    "remove": ("ingest", "remove"),
    "previews": ("previews", "previews"),
    "hips": ("hips", "hips"),
    "doctor": ("doctor", "doctor"),
    "demo-data": ("demodata", "demo_data"),
    "adql": ("adql", "adql"),
    "settings": ("settings", "settings"),
    "version": ("settings", "version"),
}
"""Command -> its module in `vo_server.commands`, and its function there."""

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


class Commands(TyperGroup):
    """The commands, each loaded when it is wanted: the server carries no migrations and no plotting."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them; None for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name]
        one = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        one.command(cmd_name)(getattr(importlib.import_module(f"vo_server.commands.{module}"), function))
        return typer.main.get_command(one)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def publish() -> None:
    """Publish gamma-ray DL3 releases in the Virtual Observatory."""


def main() -> None:
    """Run the command; expected errors become one line and exit code 2."""
    # So that SIGTERM, too, unwinds and stops the private cluster (uvicorn raises it again at its end).
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        app()
    except EXPECTED as error:
        err.print(f"vo-server: {' '.join(str(error).split())}", markup=False, style="red")
        raise SystemExit(FAILURE) from error
