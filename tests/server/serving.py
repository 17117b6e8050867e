"""Runs an application on a real socket."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp


@contextlib.contextmanager
def served(app: ASGIApp, listener: socket.socket | None = None) -> Iterator[str]:
    """The URL of `app`, served from a thread until the block ends."""
    listener = listener or free_socket()
    config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield url_of(listener)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def free_socket() -> socket.socket:
    """A socket bound to a free port of loopback."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL of what listens there."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"
