"""The register of services that have jobs. A new one needs a row here and its resource tree is there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from vo_server import dali
from vo_server.db import Database
from vo_server.errors import Renderer
from vo_server.settings import Settings
from vo_server.soda import faults
from vo_server.soda import jobs as soda
from vo_server.tap import jobs as tap
from vo_server.tap.lanes import lane_of
from vo_server.uws.job import Job, Lane, StoredResult
from vo_server.uws.results import ResultStore
from vo_server.uws.running import Running

Produce: TypeAlias = Callable[[Running, Database, ResultStore, Settings, str], tuple[StoredResult, ...]]


@dataclass(frozen=True, slots=True)
class JobService:
    """What jobs of a service have of their own.

    `name` stands in vo.job and in URLs (/<name>/async). `produce` runs a job, given its URL, and stores its
    results; `lane` tells the lane for one that is to be queued. `render_error` writes the error of a failed
    one, and `advice` tells what makes a job faster.
    """

    name: str
    title: str
    produce: Produce
    lane: Callable[[Job, Database, Settings], Lane]
    render_error: Renderer
    advice: str


SERVICES: Final = {
    service.name: service
    for service in (
        JobService("tap", "TAP", tap.produce, lane_of, dali.render_error, tap.ADVICE),
        JobService("soda", "SODA", soda.produce, soda.lane, faults.render, soda.ADVICE),
    )
}
"""Services by name."""


def job_url(job: Job, settings: Settings) -> str:
    """Where a job is found."""
    return f"{settings.url}/{job.service}/async/{job.id}"
