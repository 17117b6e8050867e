"""STILTS' validators against the served archive."""

import re
import subprocess
from urllib.parse import urlencode

import pytest

STAGES = "TMV TME TMS TMC CPV CAP AVV QGE QPO MDQ OBS UPL EXA"

QUERY = "SELECT obs_id, s_ra, obs_title FROM ivoa.obscore WHERE obs_collection = 'HESS-DL3-DR1'"

KNOWN = {
    "E-OBS-ILOP": "event-list",
}
"""Errors listed under known deviations in README.md, with a word of their text."""


def stilts(*arguments: str) -> str:
    done = subprocess.run(["stilts", *arguments], capture_output=True, text=True, check=False, timeout=600)
    return done.stdout + done.stderr


def test_taplint(archive: str) -> None:
    report = stilts("taplint", f"tapurl={archive}/tap", "interface=tap1.1", f"stages={STAGES}")
    faults = re.findall(r"^([EF]-[A-Z]+-[A-Z0-9]+)-\d+ (.*)$", report, re.MULTILINE)
    unexpected = [f for f in faults if KNOWN.get(f[0], "\0") not in f[1]]
    assert not unexpected, report
    assert {code for code, _ in faults} == set(KNOWN), report
    assert re.search(r"^S-.*$", report, re.MULTILINE), report


@pytest.mark.parametrize(
    ("response", "reader"),
    [
        ("application/x-votable+xml", "votable"),
        ("application/x-votable+xml;serialization=TABLEDATA", "votable"),
        ("text/csv", "csv"),
    ],
)
def test_stilts_reads_every_format(archive: str, response: str, reader: str) -> None:
    query = urlencode({"LANG": "ADQL", "QUERY": QUERY, "RESPONSEFORMAT": response})
    read = stilts("tpipe", f"in={archive}/tap/sync?{query}", f"ifmt={reader}", "omode=count")
    assert "columns: 3" in read, read
    assert "rows: 105" in read, read


def test_stilts_queries_tap(archive: str) -> None:
    answer = stilts("tapquery", f"tapurl={archive}/tap", "sync=true", f"adql={QUERY}", "omode=count")
    assert "rows: 105" in answer, answer


@pytest.mark.parametrize("serialization", ["BINARY2", "TABLEDATA"])
def test_votlint_is_silent(archive: str, serialization: str) -> None:
    media = f"application/x-votable+xml;serialization={serialization}"
    everything = "SELECT * FROM hess_dr.obscore"
    query = urlencode({"LANG": "ADQL", "QUERY": everything, "RESPONSEFORMAT": media})
    assert stilts("votlint", f"votable={archive}/tap/sync?{query}").strip() == ""
