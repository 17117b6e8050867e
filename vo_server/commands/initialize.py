"""`vo-server init`."""

from vo_server import cluster
from vo_server.commands.console import out
from vo_server.install import install
from vo_server.settings import load_settings


def init() -> None:
    """Make the database ready: cluster, roles, pgSphere, tables, TAP_SCHEMA. Safe to repeat."""
    settings = load_settings()
    with cluster.running(settings):
        install(settings, out.print)
    out.print(f"The database is ready ({(settings.database_url and 'as given') or settings.data_dir}).")
