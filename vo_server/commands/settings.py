"""`vo-server settings` and `vo-server version`."""

import vo_server
from vo_server.commands.console import out
from vo_server.settings import listing, load_settings


def settings() -> None:
    """List the settings with their values and help."""
    for name, variable, value, text in listing(load_settings()):
        out.print(f"{name} ({variable}): {value}\n    {text}", markup=False)


def version() -> None:
    """Print the version."""
    out.print(vo_server.__version__)
