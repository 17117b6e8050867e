"""The processes that draw: one drawing however many ask, deaths, limits, and no process left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.dl3files import Habits, write_dl3
from vo_server.errors import DrawingError, MissingFileError, NotFoundError, OverloadError
from vo_server.previews import processes
from vo_server.previews.kinds import KINDS
from vo_server.previews.making import FIGURES
from vo_server.previews.model import EventList, Preview
from vo_server.previews.processes import Drawing, Process
from vo_server.products.file import Place, Record
from vo_server.settings import Settings


def published(path: Path) -> EventList:
    """As ingest would have published a file of ours."""
    found = path.stat()
    record = Record(str(path), found.st_size, "0" * 64, found.st_mtime)
    return EventList(
        f"ivo://a/b?{path.name}", "b", False, path.name, "MSH 15-52", 228.6, -58.8, 5.0, None, 53090.1,
        Place(record, "EVENTS"), Place(record, "GTI"),
    )  # fmt: skip


@pytest.fixture
def preview(tmp_path: Path) -> Preview:
    return Preview(published(write_dl3(tmp_path / "x.fits", Habits(irfs=False))), "spectrum", "png")


@pytest.fixture
def drawing(tmp_path: Path) -> Iterator[Drawing]:
    drawing = Drawing(Settings(data_dir=tmp_path / "data", preview_processes=2))
    yield drawing
    drawing.close()
    assert drawing.processes == 0


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    ).stdout
    return {int(line.split()[0]) for line in listed.splitlines() if "vo_server.previews.worker" in line}


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_one_drawing_however_many_ask(drawing: Drawing, preview: Preview) -> None:
    futures = [drawing.draw(preview) for _ in range(20)]
    pictures = {future.result() for future in futures}
    assert len(pictures) == 1
    assert pictures.pop().startswith(b"\x89PNG")
    assert drawing.processes == len(children()) == 1
    assert len(list(drawing.cache.entries())) == 1


def test_all_kinds_are_drawn_by_the_processes_there_are(drawing: Drawing, preview: Preview) -> None:
    wanted = [replace(preview, kind=kind, form=form) for kind in KINDS for form in ("png", "svg")]
    pictures = [future.result() for future in [drawing.draw(w) for w in wanted]]
    assert len(set(pictures)) == len(wanted) == 8
    assert drawing.processes <= 2


def test_each_kind_of_the_register_is_made() -> None:
    assert FIGURES.keys() == KINDS.keys()


def test_a_process_that_dies_is_replaced(drawing: Drawing, preview: Preview) -> None:
    drawing.draw(preview).result()
    (first,) = children()
    os.kill(first, signal.SIGKILL)
    other = replace(preview, kind="event-rate")
    with pytest.raises(DrawingError):
        drawing.draw(other).result()
    assert drawing.draw(other).result().startswith(b"\x89PNG")
    assert first not in children()


def test_a_process_that_is_stuck_is_ended(
    drawing: Drawing, preview: Preview, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing.draw(preview).result()
    (first,) = children()
    os.kill(first, signal.SIGSTOP)
    monkeypatch.setattr(processes, "LONGEST", 0.5)
    with pytest.raises(DrawingError):
        drawing.draw(replace(preview, kind="event-rate")).result()
    assert children() == set()


def test_idle_processes_end(drawing: Drawing, preview: Preview, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing.draw(preview).result()
    drawing.rest()
    assert len(children()) == 1
    monkeypatch.setattr(processes, "IDLE", 0.0)
    drawing.rest()
    assert (children(), drawing.processes) == (set(), 0)


def test_more_than_may_wait_are_refused(
    drawing: Drawing, preview: Preview, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MOST_WAITING", 2)
    first = drawing.draw(preview), drawing.draw(replace(preview, form="svg"))
    with pytest.raises(OverloadError):
        drawing.draw(replace(preview, kind="thumbnail"))
    assert drawing.draw(preview) is first[0]
    for future in first:
        future.result()
    assert eventually(lambda: not drawing._pending)
    drawing.draw(replace(preview, kind="thumbnail")).result()


def test_closing_stops_what_is_drawn(tmp_path: Path, preview: Preview) -> None:
    drawing = Drawing(Settings(data_dir=tmp_path / "data", preview_processes=1))
    drawing.draw(preview).result()
    os.kill(next(iter(children())), signal.SIGSTOP)
    future = drawing.draw(replace(preview, kind="event-rate"))
    assert eventually(future.running)
    drawing.close()
    assert isinstance(future.exception(), DrawingError)
    assert children() == set()
    with pytest.raises(OverloadError):
        drawing.draw(preview)


def test_no_process_outlives_a_killed_server(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from vo_server.previews.processes import Process\n"
        "process = Process(Path(sys.argv[1])); print(process._process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        worker = int(server.stdout.readline())
        server.kill()
    assert eventually(lambda: not Path(f"/proc/{worker}").exists())


def test_files_that_cannot_be_shown(drawing: Drawing, preview: Preview, tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    content = path.read_bytes()
    path.write_bytes(content[:4000])
    with pytest.raises(NotFoundError, match=r"cannot be shown: its file has changed since it was published"):
        drawing.draw(preview).result()
    path.write_bytes(content[:-2876])
    with pytest.raises(NotFoundError, match=r"cannot be shown: it is cut short"):
        drawing.draw(Preview(published(path), "spectrum", "png")).result()
    path.unlink()
    with pytest.raises(MissingFileError):
        drawing.draw(preview).result()
    (tmp_path / "secret").write_bytes(content)
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(MissingFileError):
        drawing.draw(preview).result()
    assert drawing.processes == 1
    assert list(drawing.cache.entries()) == []


def test_a_picture_that_cannot_be_kept_is_answered(
    drawing: Drawing, preview: Preview, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "previews").write_text("in the way")
    assert drawing.draw(preview).result().startswith(b"\x89PNG")


def test_the_server_itself_does_not_load_what_draws(tmp_path: Path) -> None:
    program = "import sys, vo_server.previews.routes; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_a_process_that_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preview: Preview
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    process = Process(tmp_path)
    with pytest.raises(DrawingError):
        process.draw(preview)
    process.end()
