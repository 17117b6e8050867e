"""Jobs of an earlier version keep their results through the migration, there and back."""

from dataclasses import replace
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config

from vo_server import roles
from vo_server.settings import Settings
from vo_server.uws.job import Caller, Phase, StoredResult
from vo_server.uws.store import JobStore

OLD = "SELECT id, result_key, result_type, result_size FROM vo.job ORDER BY id"


def test_jobs_stay(settings: Settings, database: psycopg.Connection, tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(roles.ALEMBIC))
    config.attributes["url"] = roles.owner_url(settings)
    store = JobStore(replace(settings, result_store=str(tmp_path)))
    store.open()
    try:
        for name, service in (("done", "tap"), ("new", "tap"), ("other", "soda")):
            store.create(name, service, Caller(None, "", None), [])
        database.execute("UPDATE vo.job SET phase = 'EXECUTING' WHERE id = 'done'")
        job = store.find("done")
        assert job is not None
        result = StoredResult("result", "done/1/result", "text/csv", 12)
        store.complete(job, [result], 3)
        command.downgrade(config, "0005")
        rows = database.execute(OLD).fetchall()
        assert rows == [("done", "done/1/result", "text/csv", 12), ("new", None, None, None)]
        command.upgrade(config, "head")
        found = {name: store.find(name) for name in ("done", "new", "other")}
        assert found["other"] is None
        assert found["done"] is not None
        assert found["new"] is not None
        assert (found["done"].phase, found["done"].results) == (Phase.COMPLETED, (result,))
        assert (found["new"].service, found["new"].results) == ("tap", ())
    finally:
        store.close()
