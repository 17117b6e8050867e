"""The release that benchmarks read: one given by the environment, else a simulated one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.simulate import simulate_release

NAMED = "VO_SERVER_BENCH_RELEASE"
TEST_DATA = "VO_SERVER_TEST_DATA"
_REAL = "hess-dl3-dr1"
_SIMULATED_OBSERVATIONS = 24


@dataclass(frozen=True)
class BenchmarkRelease:
    path: Path
    note: str


@contextmanager
def release() -> Iterator[BenchmarkRelease]:
    """The release that the environment names, else hess-dl3-dr1 of the test data, else a simulated one."""
    named = os.environ.get(NAMED)
    if named:
        yield BenchmarkRelease(Path(named), Path(named).name)
        return
    base = os.environ.get(TEST_DATA)
    if base and (Path(base) / _REAL).is_dir():
        yield BenchmarkRelease(Path(base) / _REAL, _REAL)
        return
    with tempfile.TemporaryDirectory(prefix="vo-server-bench-") as scratch:
        path = simulate_release(Path(scratch) / "release", observations=_SIMULATED_OBSERVATIONS)
        yield BenchmarkRelease(path, f"simulated release, for want of {_REAL} in ${TEST_DATA}")
