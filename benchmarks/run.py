"""What `make bench` runs: `python -m benchmarks.run [name...]`, all benchmarks without a name.

One line per figure: name, ours, yardstick, their ratio, the largest ratio that is ok, and the verdict.
A figure over its limit is printed as OVER and fails nothing, since machines differ; a benchmark that
stops with an error does fail. A benchmark is a function in the BENCHMARKS of a module listed here.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence

from benchmarks import (
    bundles,
    conesearch,
    coverage,
    ingest_facts,
    jobs,
    links,
    load_events,
    results,
    spatial,
    translate,
)
from benchmarks.measure import Benchmark
from vo_server import cluster

MODULES = (
    *(ingest_facts, load_events, spatial, translate, results, jobs),
    *(bundles, links, conesearch, coverage),
)

REGISTER: dict[str, Benchmark] = {
    benchmark.__name__: benchmark for module in MODULES for benchmark in module.BENCHMARKS
}


def main(names: Sequence[str]) -> None:
    unknown = sorted(set(names) - REGISTER.keys())
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(REGISTER)}")
    print(machine(), flush=True)
    over = 0
    for name in names or REGISTER:
        for figure in REGISTER[name]():
            print(figure, flush=True)
            over += figure.ratio > figure.limit
    print(f"{over} over their limit" if over else "all within their limits")


def machine() -> str:
    """What the figures depend on: usable cores, Python, PostgreSQL."""
    postgres = subprocess.run(
        [cluster.binaries() / "postgres", "--version"], check=True, capture_output=True, text=True
    )
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores, {platform.machine()}, Python {platform.python_version()}, {postgres.stdout.strip()}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
