"""Makes previews ahead of the first request."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from vo_server.errors import VOError
from vo_server.previews.model import Preview
from vo_server.previews.processes import Drawing


@dataclass
class Summary:
    """How many previews were made, were there already, and could not be made."""

    made: int = 0
    kept: int = 0
    failed: int = 0


def make_ahead(
    wanted: Sequence[Preview],
    drawing: Drawing,
    ahead: int,
    progress: Callable[[int, int], None],
    complain: Callable[[str], None],
) -> Summary:
    """Make the previews that are not in the cache yet; `ahead` is how many are in hand at a time.

    `progress` is told how many are done, of how many; `complain` why one could not be made.
    """
    summary = Summary()
    for done, (preview, future) in enumerate(_settled(wanted, drawing, ahead), start=1):
        if future is None:
            summary.kept += 1
        else:
            try:
                future.result()
                summary.made += 1
            except VOError as error:
                summary.failed += 1
                complain(f"{preview.event_list.obs_publisher_did}: {preview.kind}: {error}")
        progress(done, len(wanted))
    return summary


def _settled(
    wanted: Iterable[Preview], drawing: Drawing, ahead: int
) -> Iterator[tuple[Preview, Future[bytes] | None]]:
    """Each preview with its future, None for one that is kept already, in the order given."""
    waiting: deque[tuple[Preview, Future[bytes] | None]] = deque()
    for preview in wanted:
        kept = preview.key in drawing.cache
        waiting.append((preview, None if kept else drawing.draw(preview)))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting
