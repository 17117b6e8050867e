"""Asynchronous jobs of the served archive through STILTS, and beside a worker of its own process."""

import re
import signal
import subprocess
import sys
import time

import httpx

from tests.acceptance.conftest import Installation
from tests.acceptance.test_validators import stilts

QUERY = "SELECT obs_id, s_ra, obs_title FROM ivoa.obscore WHERE obs_collection = 'HESS-DL3-DR1'"
EVENTS = "SELECT energy, ra, dec FROM hess_dr.events"


def test_taplint_of_jobs(archive: str) -> None:
    report = stilts(
        "taplint", f"tapurl={archive}/tap", "interface=tap1.1", "stages=TMV TME TMS TMC CAP QAS UWS"
    )
    assert re.findall(r"^[EF]-.*$", report, re.MULTILINE) == [], report
    assert re.findall(r"^W-(?:QAS|UWS)-.*$", report, re.MULTILINE) == [], report
    assert re.search(r"^S-QAS-QNUM-1 Successful/submitted TAP queries: (\d+)/\1$", report, re.MULTILINE), (
        report
    )


def test_stilts_runs_a_job(archive: str) -> None:
    answer = stilts("tapquery", f"tapurl={archive}/tap", "sync=false", f"adql={QUERY}", "omode=count")
    assert "rows: 105" in answer, answer
    assert "COMPLETED" in answer, answer


def test_a_whole_table_as_a_job(archive: str) -> None:
    options = ("sync=false", "maxrec=2000000", f"adql={EVENTS}", "omode=count")
    answer = stilts("tapquery", f"tapurl={archive}/tap", *options)
    assert "rows: 1046156" in answer, answer


def test_jobs_and_another_worker(archive: str, installation: Installation) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-u", "-m", "vo_server", "worker"],
        env=installation.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline().startswith("A worker for jobs")
        urls = []
        parameters = {"LANG": "ADQL", "QUERY": QUERY, "PHASE": "RUN", "RESPONSEFORMAT": "csv"}
        with httpx.Client(timeout=70) as client:
            for _ in range(20):
                urls.append(client.post(f"{archive}/tap/async", data=parameters).headers["location"])
            for url in urls:
                deadline = time.monotonic() + 30
                while client.get(f"{url}/phase").text != "COMPLETED":
                    assert time.monotonic() < deadline
                    client.get(url, params={"WAIT": "5"})
                assert len(client.get(f"{url}/results/result").text.splitlines()) == 106
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=20)
        assert worker.returncode in {0, 128 + signal.SIGTERM}
