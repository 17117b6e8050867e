"""How the process keeps its memory small."""

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8
"""mallopt(3): the most arenas of memory."""

_ARENAS: Final = 2


def share_arenas() -> None:
    """Let the threads share two arenas of glibc's malloc; for the beginning of a process.

    Each thread would have one of its own, and every arena keeps megabytes that large answers have freed.
    Other C libraries have no such arenas.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
