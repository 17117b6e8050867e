"""The process that draws previews: `python -m vo_server.previews.worker DESCRIPTOR`.

It takes previews from a connection and answers each with an Answer, until the other end closes.
"""

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Final

from vo_server.coverage import drawing as coverage
from vo_server.coverage.picture import SkyPicture
from vo_server.errors import ChangedFileError, MissingFileError
from vo_server.previews.drawing import use_style
from vo_server.previews.making import make
from vo_server.previews.model import Answer, Picture, Preview
from vo_server.products.fitsfile import FitsError

_NICENESS: Final = 10
"""Queries come first."""


MAKERS: Final[Mapping[type, Callable[[Any], bytes]]] = {Preview: make, SkyPicture: coverage.make}
"""What is drawn -> what draws it."""


def answer(preview: Picture) -> Answer:
    """Make a preview or another picture."""
    try:
        return Answer(MAKERS[type(preview)](preview))
    except MissingFileError as error:
        return Answer(None, str(error), missing=True)
    except ChangedFileError:
        return Answer(None, "its file has changed since it was published")
    except FitsError as error:
        return Answer(None, str(error))


def main() -> None:
    """Answer until the other end closes; any other fault ends the process, and its trace is logged."""
    os.nice(_NICENESS)
    warnings.simplefilter("ignore")
    use_style()
    with Connection(int(sys.argv[1])) as connection:
        while True:
            try:
                preview = connection.recv()
            except EOFError:
                return
            connection.send(answer(preview))


if __name__ == "__main__":
    main()
