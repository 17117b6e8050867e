import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.facts import Facts, HduLocation, ProductError, Source
from ingest.parallel import map_ordered, read_all
from ingest.release import find_release
from tests.dl3files import Habits, write_dl3


@dataclass(frozen=True)
class Job:
    source: Source
    number: int


def jobs(n: int) -> list[Job]:
    return [Job(Source({"events": HduLocation(Path(f"run{i}.fits"), 1)}), i) for i in range(n)]


def square(job: Job) -> int:
    if job.number == 3:
        raise ProductError(job.source.path, "EVENTS", "three")
    if job.number == 5:
        raise ZeroDivisionError("five")
    return job.number**2


def square_or_die(job: Job) -> int:
    if job.number == 4:
        os._exit(1)
    return job.number**2


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order_and_failures_stay_with_their_job(processes: int) -> None:
    results = [result for _, result in map_ordered(square, jobs(30), processes)]
    assert [r for r in results if isinstance(r, int)] == [i * i for i in range(30) if i not in {3, 5}]
    assert str(results[3]) == "run3.fits: EVENTS: three"
    assert str(results[5]) == (
        "run5.fits: reading failed unexpectedly (ZeroDivisionError: five); please report it"
    )


def test_a_process_that_dies_takes_only_its_job_with_it() -> None:
    results = [result for _, result in map_ordered(square_or_die, jobs(20), 2)]
    assert [r for r in results if isinstance(r, int)] == [i * i for i in range(20) if i != 4]
    assert (
        str(results[4])
        == "run4.fits: reading failed unexpectedly (the reading process died); please report it"
    )


def test_no_jobs() -> None:
    assert list(map_ordered(square, [], 2)) == []


def test_a_consumer_that_stops_early_leaves_no_process_waiting() -> None:
    results = map_ordered(square, jobs(50), 2)
    assert next(results)[1] == 0
    results.close()


def test_reading_a_release(tmp_path: Path) -> None:
    for number in range(1, 5):
        write_dl3(tmp_path / f"run{number}.fits.gz", Habits(obs_id=number, events=number, irfs=False))
    (tmp_path / "run5.fits").write_bytes(b"")
    found = [result for _, result in read_all(find_release(tmp_path).sources, processes=2)]
    assert [f.n_events for f in found if isinstance(f, Facts)] == [1, 2, 3, 4]
    assert [type(f) for f in found].count(ProductError) == 1
