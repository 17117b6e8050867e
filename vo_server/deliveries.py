"""Which large answers may keep a connection: not all of them, and not those whose clients hardly read.

An answer whose rows are not all there with its first batch keeps its connection for as long as its client
reads. Some connections are kept free of such answers, so that small queries find one whatever others do.
"""

import threading
import time
from typing import Final, Protocol

from vo_server.errors import OverloadError

SLOW: Final = 5.0
"""Seconds for which a client may leave a batch of rows unread while others wait for its place."""

_STANDING: Final = 0.05
"""Seconds after which an answer does not flow at this moment."""

_WAIT: Final = 1.0
"""Seconds for which a large answer waits for others that flow: most have soon come to their end."""

_LOOK: Final = 0.05


class LargeAnswer(Protocol):
    """A large answer on its way to a client."""

    def idle(self) -> float:
        """Seconds since its client was given rows and has not asked for more; 0 if it waits for rows."""

    def give_up(self) -> None:
        """Break it off, from any thread."""


class Deliveries:
    """The large answers, of which there are as many as leave a quarter of the connections to others."""

    def __init__(self, connections: int) -> None:
        self._most = connections - connections // 4
        self._lock = threading.Condition()
        self._under_way: set[LargeAnswer] = set()

    def enter(self, answer: LargeAnswer) -> None:
        """Let a large answer begin; the slowest of the others is given up if it is slow.

        Raises OverloadError if there is no place: at once if no answer flows, so that the connection of this
        one is free for others.
        """
        deadline = time.monotonic() + _WAIT
        with self._lock:
            while len(self._under_way) >= self._most:
                slowest = max(self._under_way, key=lambda other: other.idle())
                if slowest.idle() > SLOW:
                    self._under_way.discard(slowest)
                    break
                stands = all(other.idle() > _STANDING for other in self._under_way)
                if stands or time.monotonic() > deadline:
                    raise OverloadError
                self._lock.wait(_LOOK)
            else:
                slowest = None
            self._under_way.add(answer)
        if slowest is not None:
            slowest.give_up()

    def leave(self, answer: LargeAnswer) -> None:
        """An answer has come to its end; harmless when repeated."""
        with self._lock:
            self._under_way.discard(answer)
            self._lock.notify()
