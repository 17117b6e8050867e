"""One attempt of a job: how far it is, and how it is stopped."""

import time
from dataclasses import dataclass, field

from vo_server.cancellation import Cancellation
from vo_server.uws.job import Job


@dataclass
class Running:
    """A job that is being run; other threads look at it. `begun` is on the monotonic clock."""

    job: Job
    cancellation: Cancellation = field(default_factory=Cancellation)
    rows: int = 0
    begun: float = field(default_factory=time.monotonic)
