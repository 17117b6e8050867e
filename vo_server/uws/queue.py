"""The queue: procrastinate's tables in a schema of their own. It holds nothing that vo.job does not know."""

from importlib.metadata import version
from typing import Final

import psycopg
from procrastinate import App, SyncPsycopgConnector
from procrastinate.schema import SchemaManager
from psycopg import sql

from vo_server.uws.job import Lane

SCHEMA: Final = "procrastinate"

RUN_JOB: Final = "run_job"
"""What the queue calls the work; its one argument is `job_id`."""

_VERSION: Final = "SELECT obj_description(to_regnamespace('procrastinate'), 'pg_namespace')"

_CREATE: Final = "DROP SCHEMA IF EXISTS procrastinate CASCADE; CREATE SCHEMA procrastinate"


def create(connection: psycopg.Connection) -> None:
    """Make the queue's tables; of another version of procrastinate they are made anew.

    The jobs that were queued come back from vo.job, by `JobStore.recover`.
    """
    wanted = version("procrastinate")
    if connection.execute(_VERSION).fetchone() == (wanted,):
        return
    with connection.transaction():
        connection.execute(_CREATE)
        connection.execute("SET LOCAL search_path TO procrastinate, public")
        connection.execute(SchemaManager.get_schema().encode())
        comment = sql.SQL("COMMENT ON SCHEMA procrastinate IS {}")
        connection.execute(comment.format(sql.Literal(wanted)))


class Queue:
    """Puts jobs into the queue, on connections of the caller."""

    def __init__(self) -> None:
        # Never opened: every entry is written in the caller's own transaction.
        self._app = App(connector=SyncPsycopgConnector())

    def put(self, connection: psycopg.Connection, job_id: str, lane: Lane) -> None:
        """Add a job, in the transaction of `connection`, whose search_path finds the queue's tables."""
        entry = self._app.configure_task(RUN_JOB, queue=lane.value, connection=connection)
        entry.defer(job_id=job_id)
