"""The one path from a request to its cutout, for synchronous requests and for jobs."""

import time

from vo_server.cancellation import Cancellation
from vo_server.db import Database
from vo_server.errors import QueryCancelledError, QueryTimeoutError
from vo_server.soda import dataset
from vo_server.soda.cutout import Cutout, make
from vo_server.soda.request import CutoutRequest


def run(
    request: CutoutRequest, database: Database, cancellation: Cancellation, seconds: float
) -> Cutout | None:
    """Choose the events; None if there are none. `seconds` is how long it may take.

    Raises NotFoundError for an unknown ID, UsageError for one that is no event list, QueryCancelledError,
    QueryTimeoutError, and what `cutout.make` raises.
    """
    end = time.monotonic() + seconds

    def check() -> None:
        if cancellation.requested:
            raise QueryCancelledError("The cutout was cancelled.")
        if time.monotonic() > end:
            raise QueryTimeoutError(
                f"The cutout takes longer than the time limit of this service, {seconds:g} s. A job"
                " (/soda/async) may take longer."
            )

    return make(dataset.find(database, request.did), request.selection, check)
