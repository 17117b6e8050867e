"""Files that are there whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A file to write, that appears at `path` when the block ends without error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(".unfinished", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            yield file
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, path)
    finally:
        # It is not there any more if it was renamed.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
