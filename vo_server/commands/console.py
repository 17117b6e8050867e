"""What the commands say, and how they end."""

from typing import Final

from rich.console import Console

DATA_PROBLEMS: Final = 1
"""Exit code: some datasets were skipped, or the doctor found something."""

FAILURE: Final = 2
"""Exit code: nothing could be done."""

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)
