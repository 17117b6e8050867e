"""`vo-server serve` and `vo-server worker`: the processes that stay."""

import asyncio
import errno
import logging
import os
import socket
from typing import Annotated, Final

import typer
import uvicorn

import vo_server
from vo_server import cluster
from vo_server.app import create_app
from vo_server.commands.console import err, out
from vo_server.memory import share_arenas
from vo_server.registry.refresh import update_records
from vo_server.roles import require
from vo_server.settings import LAST_PORT, Settings, load_settings
from vo_server.uws.worker import work

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


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=LAST_PORT, help="Port to listen on.")] = None,
) -> None:
    """Serve the published collections over HTTP until interrupted."""
    share_arenas()
    settings = load_settings(host=host, port=port)
    check_port(settings)
    _log()
    with cluster.running(settings):
        require(settings)
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


def worker() -> None:
    """Run asynchronous jobs, beside the worker inside the server or on another machine, until interrupted."""
    settings = load_settings()
    _log()
    with cluster.running(settings):
        require(settings)
        out.print(f"A worker for jobs (process {os.getpid()}); stop it with Ctrl-C.")
        asyncio.run(work(settings))


def check_port(settings: Settings) -> None:
    """Raise OSError if the server could not listen on its port."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        where = f"port {settings.port} of {settings.host}"
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"{where} is in use; `--port` or, with make, PORT=... chooses another") from error
        raise OSError(f"{where} cannot be listened on: {error.strerror}") from error


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It names every job, and who knows the name of a job may use it.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)


def _greet(settings: Settings) -> None:
    text = GREETING.format(
        version=vo_server.__version__, title=settings.title, url=settings.url, process=os.getpid()
    )
    out.print(text, markup=False)
