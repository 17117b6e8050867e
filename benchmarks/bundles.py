"""A bundle of a whole release over HTTP beside `tar` on the same files, and the memory that it takes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlencode

from benchmarks.data import BenchmarkRelease, release
from benchmarks.installation import installed
from benchmarks.measure import Benchmark, Figure, compare
from benchmarks.results import Server, serving_over
from ingest.run import collection_of, ingest_release
from vo_server import install, roles

GROWTH = 20.0
"""MB by which the server may grow while it sends a bundle."""

AT_A_TIME = 8
"""Downloads at the same time, of which each takes as little memory."""

_CURL = shutil.which("curl") or "curl"
_ALL = "SELECT obs_publisher_did FROM ivoa.obscore"


@contextmanager
def published(events: bool = False) -> Iterator[tuple[Server, BenchmarkRelease]]:
    """A server over the release that benchmarks read."""
    with release() as data, installed() as settings:
        collection = replace(collection_of(data.path, None, settings.authority), events=events)
        with roles.owner(settings) as connection:
            ingest_release(
                data.path,
                collection,
                connection,
                lambda c: (install.publish(c), install.grant(c, settings)),
                processes=os.cpu_count() or 1,
            )
        with serving_over(settings) as server:
            yield server, data


def bundles() -> Iterator[Figure]:
    """Whole bundles as tar and zip beside `tar cf - | cat`, and peak memory, alone and several at a time."""
    with published() as (server, data):

        def tar() -> None:
            command = 'tar cf - -C "$0" . | cat > /dev/null'
            subprocess.run(["/bin/sh", "-c", command, str(data.path)], check=True)

        for form, limit in (("tar", 2.0), ("zip", 4.0)):
            server.forget_peak()
            before = server.peak()
            yield compare(
                f"bundle as {form}",
                lambda form=form: _download(server, form),
                tar,
                limit=limit,
                note=data.note,
            )
            yield Figure(f"growth MB, {form}", server.peak() - before, GROWTH, 1.0, "MB; the limit beside it")
        server.forget_peak()
        before = server.peak()
        _download(server, "tar", AT_A_TIME)
        note = "MB; the limit beside it"
        yield Figure(f"growth MB, {AT_A_TIME} at a time", server.peak() - before, 2 * GROWTH, 1.0, note)


def _download(server: Server, form: str, times: int = 1) -> None:
    """Read whole bundles, all at the same time."""
    url = f"http://127.0.0.1:{server.port}/bundles?" + urlencode({"QUERY": _ALL, "FORMAT": form})
    running = [subprocess.Popen([_CURL, "-sSf", "-o", "/dev/null", url]) for _ in range(times)]
    if any(process.wait() for process in running):
        raise RuntimeError("a download failed")


BENCHMARKS: list[Benchmark] = [bundles]
