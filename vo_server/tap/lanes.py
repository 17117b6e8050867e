"""Which lane a job goes: what the planner of the database expects its query to cost."""

from typing import Final

from vo_server.adql import ADQLError, translate
from vo_server.dali import Parameters
from vo_server.db import Database
from vo_server.errors import VOError
from vo_server.settings import Settings
from vo_server.tap.request import TapRequest
from vo_server.uws.job import Job, Lane

_EXPLAIN: Final = "EXPLAIN (FORMAT JSON) "

_COST_OF_A_ROW: Final = 0.1
"""What a row costs that is written, in the planner's units, of which it counts none for that."""


def lane_of(job: Job, database: Database, settings: Settings) -> Lane:
    """The lane for a job that is to be queued.

    A job that cannot be judged goes fast: it fails at once, or reads a table that it brings along. Where
    the planner is wrong, the worker moves the job when it has taken a fast slot for too long.
    """
    try:
        request = TapRequest.from_parameters(Parameters(job.to_run), settings)
        translation = translate(request.query, database.catalogue(), limit=request.maxrec + 1)
        ((plan,),) = database.fetch(_EXPLAIN + translation.sql, translation.parameters)
    except (ADQLError, VOError):
        return Lane.FAST
    cost = plan[0]["Plan"]["Total Cost"] + _COST_OF_A_ROW * plan[0]["Plan"]["Plan Rows"]
    return Lane.FAST if cost <= settings.fast_lane_cost else Lane.SLOW
