"""The job, its phases and the changes between them (UWS 1.1, section 2.1)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple


class Phase(StrEnum):
    """Phases of a job (UWS 1.1, section 2.1.3)."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    UNKNOWN = "UNKNOWN"
    HELD = "HELD"
    SUSPENDED = "SUSPENDED"
    ARCHIVED = "ARCHIVED"


ACTIVE: Final = frozenset({Phase.PENDING, Phase.QUEUED, Phase.EXECUTING})
"""Phases in which waiting for the next one makes sense (UWS 1.1, section 2.2.1.1)."""

CHANGES: Final[dict[Phase, frozenset[Phase]]] = {
    Phase.PENDING: frozenset({Phase.QUEUED, Phase.ABORTED}),
    Phase.QUEUED: frozenset({Phase.QUEUED, Phase.EXECUTING, Phase.ABORTED, Phase.ERROR}),
    # A job whose worker stops or dies goes back to the queue.
    Phase.EXECUTING: frozenset({Phase.QUEUED, Phase.COMPLETED, Phase.ERROR, Phase.ABORTED}),
}
"""Phase -> phases that may follow; whatever is not here is final."""


class Lane(StrEnum):
    """Lanes of the queue, each with slots of its own in every worker: small jobs do not wait for big ones."""

    FAST = "fast"
    SLOW = "slow"


def before(phase: Phase) -> list[Phase]:
    """The phases from which a job may come into `phase`."""
    return [earlier for earlier, later in CHANGES.items() if phase in later]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request. `session` is the digest of the cookie of an anonymous client."""

    owner: str | None
    address: str
    session: str | None


class StoredResult(NamedTuple):
    """A result: its name among those of the job, its key in the result store, its size in bytes."""

    name: str
    key: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Job:
    """One row of vo.job. Times are UTC without saying so, `execution_duration` is in seconds.

    `attempt` counts the starts: whoever runs an older attempt has lost the job. `interruptions` counts the
    attempts whose worker vanished.
    """

    id: str
    phase: Phase
    owner: str | None
    session: str | None
    address: str
    parameters: tuple[tuple[str, str], ...]
    parts: tuple[str, ...]
    lane: Lane
    created: datetime
    queued: datetime | None
    started: datetime | None
    ended: datetime | None
    execution_duration: int
    destruction: datetime
    attempt: int
    interruptions: int
    rows: int
    error_message: str | None
    error_type: str | None
    service: str
    results: tuple[StoredResult, ...]

    @property
    def run_id(self) -> str | None:
        """The client's own name of the job: the last RUNID that was given."""
        given = [value for name, value in self.parameters if name.upper() == "RUNID"]
        return given[-1] if given else None

    @property
    def quote(self) -> datetime | None:
        """When the job will have ended, at the latest (TAP 1.1, section 2.2.2); None before it is run."""
        begun = self.started or self.queued
        return None if begun is None else begun + timedelta(seconds=self.execution_duration)

    @property
    def to_run(self) -> tuple[tuple[str, str], ...]:
        """The parameters as the query takes them, with one RUNID at most."""
        others = tuple(pair for pair in self.parameters if pair[0].upper() != "RUNID")
        return others if self.run_id is None else (*others, ("RUNID", self.run_id))
