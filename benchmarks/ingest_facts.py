"""Reading the facts of a whole release, beside reading its event lists once with astropy."""

from collections.abc import Sequence
from pathlib import Path

from astropy.io import fits

from benchmarks.data import release
from benchmarks.measure import Benchmark, Figure, compare
from ingest.facts import ProductError, ReadOptions
from ingest.parallel import read_all
from ingest.release import find_release


def ingest_facts() -> list[Figure]:
    """All facts over all processes; the yardstick takes EVENTS and GTI only, in one process."""
    with release() as data:
        sources = find_release(data.path).sources
        paths = sorted({source.path for source in sources})

        def ours() -> None:
            failures = [o for _, o in read_all(sources, ReadOptions()) if isinstance(o, ProductError)]
            if failures:
                raise failures[0]

        note = f"{len(sources)} datasets, {data.note}"
        return [compare("ingest_facts", ours, lambda: _read_events(paths), limit=2.5, note=note)]


def _read_events(paths: Sequence[Path]) -> int:
    rows = 0
    for path in paths:
        with fits.open(path, memmap=False) as hdus:
            rows += len(hdus["EVENTS"].data) + len(hdus["GTI"].data)
    return rows


BENCHMARKS: list[Benchmark] = [ingest_facts]
