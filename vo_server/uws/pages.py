"""A job and the list of jobs for people: what a browser gets where a program gets XML."""

from collections.abc import Iterable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vo_server.templates import page
from vo_server.uws.documents import instant
from vo_server.uws.job import ACTIVE, Job, Phase

_VARY = {"Vary": "Accept", "Cache-Control": "no-store"}

_AGAIN = {"Refresh": "2"}
"""The browser asks again after this many seconds while a job is active."""


def wanted(request: Request) -> bool:
    """True for browsers: they ask for HTML first, and for XHTML (UWS 1.1, section 2.2.2.1).

    Java's programs ask for HTML first, too, without wanting it, but not for XHTML.
    """
    accepted = request.headers.get("accept", "").strip().lower()
    return accepted.startswith("text/html") and "application/xhtml+xml" in accepted


def jobs_page(jobs: Iterable[Job], url: str, service: str) -> Response:
    """The list of jobs."""
    rows = "".join(
        f'<tr><td><a href="{escape(url)}/{job.id}">{escape(job.run_id or job.id)}</a></td>'
        f"<td>{job.phase}</td><td>{instant(job.created)}</td></tr>"
        for job in jobs
    )
    body = (
        f"<h1>Jobs</h1><p>The {service} jobs that this browser has created.</p>"
        f"<table><tr><th>Job</th><th>Phase</th><th>Created</th></tr>{rows}</table>"
    )
    return HTMLResponse(page("Jobs", body), headers=_VARY)


def job_page(job: Job, url: str, place: int) -> Response:
    """One job with what can be done with it."""
    facts = {
        "Phase": job.phase + (f", number {place} in the queue" if place else ""),
        "Rows so far": str(job.rows),
        "Created": instant(job.created),
        "Started": instant(job.started),
        "Ended": instant(job.ended),
        "May take": f"{job.execution_duration} s",
        "Is deleted": instant(job.destruction),
        **{f"Parameter {name}": value for name, value in job.to_run},
        "Error": job.error_message or "",
    }
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td><pre>{escape(value)}</pre></td></tr>"
        for name, value in facts.items()
        if value
    )
    links = "".join(
        f'<p><a href="{escape(url)}/results/{escape(result.name)}">{escape(result.name.capitalize())}</a></p>'
        for result in job.results
    )
    body = f"<h1>Job {escape(job.run_id or job.id)}</h1>{links}{_buttons(job, url)}<table>{rows}</table>"
    waits = job.phase in ACTIVE and job.phase is not Phase.PENDING
    return HTMLResponse(page("Job", body), headers={**_VARY, **(_AGAIN if waits else {})})


def _buttons(job: Job, url: str) -> str:
    offered = [("Delete", url, "ACTION", "DELETE")]
    if job.phase in ACTIVE:
        offered.insert(0, ("Abort", f"{url}/phase", "PHASE", "ABORT"))
    if job.phase is Phase.PENDING:
        offered.insert(0, ("Run", f"{url}/phase", "PHASE", "RUN"))
    return "".join(
        f'<form method="post" action="{escape(action)}"><input type="hidden" name="{name}" value="{value}"/>'
        f'<input type="submit" value="{label}"/></form>'
        for label, action, name, value in offered
    )
