"""Makes a HiPS: parallel over processes, taken up again where it was left, served when it is whole."""

import fcntl
import os
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Final

from moc.fitsfile import fits_moc
from vo_server.errors import ChangedFileError, MissingFileError
from vo_server.files import written
from vo_server.hips import counting, tiles
from vo_server.hips.model import ALLSKY_ORDER, ALLSKY_WIDTH, CURRENT, TILE_WIDTH, HipsError, Plan, orders
from vo_server.hips.properties import PROPERTIES, page, properties
from vo_server.previews.model import EventList
from vo_server.products.fitsfile import FitsError
from vo_server.settings import Settings

Progress = Callable[[int, int], None]

_SHOWN: Final = 0.995
"""Share of the pixels with events that are not saturated in pictures."""

_AHEAD: Final = 4
"""Tasks in hand per process."""

_PARTS: Final = "parts"
_STEPS: Final = 3
"""An event list, a tile and its picture are steps of the same length to the progress bar, about."""


@dataclass(frozen=True, slots=True)
class Made:
    """A HiPS that is served: where it lies, events and tiles in it."""

    tree: Path
    events: int
    tiles: int


def make(plan: Plan, directory: Path, settings: Settings, processes: int, progress: Progress) -> Made | None:
    """Make the HiPS of a plan below `directory` and serve it instead of earlier ones; None if it is there.

    `progress` is told steps done, of how many. Raises HipsError if event lists cannot be read (nothing is
    served then that lacks some, and what was counted is kept for the next attempt), and while another
    process makes one there.
    """
    tree = directory / plan.key
    work = directory / f"{plan.key}.unfinished"
    with _alone(directory):
        if tree.is_dir():
            _serve(tree)
            return None
        work.mkdir(exist_ok=True)
        with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_follow) as pool:
            made = _make(plan, work, settings, _Tasks(pool, processes), progress)
        shutil.rmtree(work / _PARTS)
        os.rename(work, tree)
        _serve(tree)
        return Made(tree, *made)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the directory, which ends with the process at the latest. Raises HipsError if another one does."""
    directory.mkdir(parents=True, exist_ok=True)
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HipsError(f"another process is making a HiPS in {directory}") from error
        yield
    finally:
        os.close(held)


def _make(plan: Plan, work: Path, settings: Settings, tasks: "_Tasks", progress: Progress) -> tuple[int, int]:
    """The tree of a HiPS; how many events and tiles are in it."""
    touched = _counted(plan, work / _PARTS, tasks, progress)
    done = len(plan.event_lists)
    numbers = {order: sorted({t >> 2 * (plan.order - order) for t in touched}) for order in orders(plan)}
    total = done + 2 * sum(map(len, numbers.values()))
    found: dict[int, Counter[int]] = {}
    for order in orders(plan):
        deepest = order == plan.order
        arguments = (
            (work, order, number, tuple(touched[number]) if deepest else None) for number in numbers[order]
        )
        found[order] = Counter()
        for values in tasks.run(_tile, arguments):
            found[order].update(values)
            done += 1
            progress(done, total)
    cuts = {order: _cut(values) for order, values in found.items()}
    pictures = ((work, o, n, cuts[o], plan.covered) for o in orders(plan) for n in numbers[o])
    for _ in tasks.run(tiles.write_picture, pictures):
        done += 1
        progress(done, total)
    events = sum(value * times for value, times in found[plan.order].items())
    small = (TILE_WIDTH / ALLSKY_WIDTH) ** 2
    tiles.write_allsky(work, max(1.0, cuts[ALLSKY_ORDER] * small / 4), plan.covered)
    for name, text in (
        (PROPERTIES, properties(plan, settings, cuts[plan.order], events)),
        ("index.html", page(plan)),
    ):
        with written(work / name) as file:
            file.write(text.encode())
    with written(work / "Moc.fits") as file:
        file.write(fits_moc(plan.covered))
    return events, sum(map(len, numbers.values()))


def _counted(plan: Plan, parts: Path, tasks: "_Tasks", progress: Progress) -> dict[int, list[Path]]:
    """The tiles with events, each with the files of counts that it is made from. Raises HipsError."""
    touched: dict[int, list[Path]] = {}
    problems: list[str] = []
    paths = [parts / f"{number}.npy" for number in range(len(plan.event_lists))]
    arguments = ((e, plan.order, path) for e, path in zip(plan.event_lists, paths, strict=True))
    for done, found in enumerate(tasks.run(_part, arguments)):
        if isinstance(found, str):
            problems.append(f"{plan.event_lists[done].obs_publisher_did}: {found}")
        else:
            for tile in found:
                touched.setdefault(tile, []).append(paths[done])
        progress(done + 1, _STEPS * len(plan.event_lists))
    if problems:
        raise HipsError(
            f"{len(problems)} event lists cannot be counted, so no HiPS is made; the first: {problems[0]}"
        )
    return touched


def _part(found: EventList, order: int, part: Path) -> list[int] | str:
    """The tiles of an event list, or why it cannot be read."""
    try:
        return counting.count_events(found, order, part)
    except MissingFileError:
        return "its file cannot be opened"
    except ChangedFileError:
        return "its file has changed since it was published: ingest it again"
    except FitsError as error:
        return str(error)


def _tile(work: Path, order: int, number: int, parts: Sequence[Path] | None) -> Counter[int]:
    """Write a tile from counts of event lists, or from its children; which counts it has."""
    counts = tiles.read_tile(work, order, number)
    if counts is None:
        if parts is None:
            children = [tiles.read_tile(work, order + 1, 4 * number + n) for n in range(4)]
            counts = counting.summed(children)
        else:
            counts = counting.sum_parts(parts, number)
        tiles.write_tile(work, order, number, counts)
    return counting.values(counts)


def _cut(values: Counter[int]) -> float:
    """The count that saturates pictures of an order."""
    left = _SHOWN * values.total()
    for value in sorted(values):
        left -= values[value]
        if left <= 0:
            return float(max(value, 1))
    return 1.0


def _serve(tree: Path) -> None:
    """Serve a tree, and remove what was served before and what was left unfinished of it."""
    with written(tree.parent / CURRENT) as file:
        file.write(f"{tree.name}\n".encode())
    for other in tree.parent.iterdir():
        if other.is_dir() and other != tree:
            shutil.rmtree(other, ignore_errors=True)


def _follow() -> None:
    """Let this process end with the one that started it, however that ends: the library's would wait on."""
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


class _Tasks:
    """Runs functions in processes, some tasks ahead, results in order."""

    def __init__(self, pool: Executor, processes: int) -> None:
        self._pool = pool
        self._ahead = _AHEAD * processes

    def run(self, function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        waiting: deque[Future[Any]] = deque()
        try:
            for given in arguments:
                waiting.append(self._pool.submit(function, *given))
                if len(waiting) > self._ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
