"""The wish to stop a query, which may come before the query runs, while it runs or when it is over."""

import threading
from collections.abc import Callable


class Cancellation:
    """Passes a cancel on to what is running; both sides may live in different threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requested = False
        self._stop: Callable[[], None] | None = None

    @property
    def requested(self) -> bool:
        """True once `cancel` was called."""
        return self._requested

    def cancel(self) -> None:
        """Stop what runs, or what will be bound later."""
        with self._lock:
            self._requested = True
            stop = self._stop
        if stop is not None:
            stop()

    def bind(self, stop: Callable[[], None]) -> None:
        """Call `stop` on cancel; at once if that has happened already."""
        with self._lock:
            self._stop = stop
            requested = self._requested
        if requested:
            stop()
