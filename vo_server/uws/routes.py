"""The resource tree of asynchronous jobs of all services (UWS 1.1, section 2.2; TAP 1.1, section 2.2.2)."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from anyio.to_thread import run_sync
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from vo_server import dali
from vo_server.errors import ForbiddenError, NotFoundError, UsageError
from vo_server.settings import Settings
from vo_server.uws import documents, pages
from vo_server.uws.documents import instant
from vo_server.uws.job import ACTIVE, Caller, Job, Phase
from vo_server.uws.results import upload_key
from vo_server.uws.service import Jobs
from vo_server.uws.services import SERVICES, JobService, job_url

COOKIE: Final = "vo_jobs"
"""Ties the jobs of an anonymous client together, so that its list of jobs shows them and no others.

An address would not do: many people share one.
"""

LONGEST_LIST: Final = 1000

_ABORTED: Final = "The job was aborted on request."

Form = tuple[list[tuple[str, str]], dict[str, bytes]]


async def jobs(request: Request) -> Response:
    """The list of the caller's jobs, or a new job."""
    if request.method == "POST":
        return await _create(request)
    phases = [_phase(text) for text in _values(request, "PHASE")] or [p for p in Phase if p != Phase.ARCHIVED]
    after = [_instant("AFTER", text) for text in _values(request, "AFTER")]
    last = [_whole("LAST", text) for text in _values(request, "LAST")]
    shown = min([LONGEST_LIST, *last])
    service, latest = _service(request), max(after, default=None)
    listed = await run_sync(
        _jobs(request).store.listed, service.name, _caller(request), phases, latest, shown
    )
    if pages.wanted(request):
        return pages.jobs_page(listed, _jobs_url(request), service.title)
    return _xml(documents.jobs_document(listed, _jobs_url(request)))


async def job(request: Request) -> Response:
    """One job; a GET may wait for its next phase (WAIT), a DELETE or ACTION=DELETE ends it for good."""
    if request.method == "DELETE":
        return await _delete(request)
    if request.method == "POST":
        pairs, _ = await _form(request)
        if [(name.upper(), value.upper()) for name, value in pairs] != [("ACTION", "DELETE")]:
            raise UsageError("a job itself takes ACTION=DELETE only; parameters go to its /parameters")
        return await _delete(request)
    found = await _waited(request)
    place = await run_sync(_jobs(request).store.place, found.id) if found.phase is Phase.QUEUED else 0
    if pages.wanted(request):
        return pages.job_page(found, _job_url(request, found), place)
    return _xml(documents.job_document(found, _job_url(request, found), place))


async def child(request: Request) -> Response:
    """One of the resources below a job: GET shows it, POST changes the job where that is foreseen."""
    name = request.path_params["child"]
    found = await _found(request)
    if request.method == "POST":
        change = CHANGES.get(name)
        if change is None:
            raise UsageError(f"a POST changes {', '.join(CHANGES)} of a job, not {name!r}")
        await change(request, found)
        return _see(_job_url(request, found))
    show = CHILDREN.get(name)
    if show is None:
        raise NotFoundError(f"A job has no {name!r}; it has {', '.join(CHILDREN)}.")
    return show(found, _job_url(request, found))


async def parameter(request: Request) -> Response:
    """A table that came with the job, as it was sent."""
    found = await _found(request)
    name = request.path_params["name"]
    if name not in found.parts:
        raise NotFoundError(f"No part {name!r} came with this job.")
    content = await run_sync(_jobs(request).results.read, upload_key(found.id, name))
    return Response(content, media_type="application/octet-stream")


async def result(request: Request) -> Response:
    """A result of a COMPLETED job, or the one range of bytes of it that is asked for (RFC 9110, 14)."""
    found = await _found(request)
    name = request.path_params["name"]
    stored = next((stored for stored in found.results if stored.name == name), None)
    if stored is None:
        raise NotFoundError(f"The job is {found.phase}: it has no result {name!r}.")
    size = stored.size
    start, end = _range(request.headers.get("range", ""), size)
    headers = {
        "Content-Type": stored.media_type,
        "Content-Length": str(end - start),
        "Accept-Ranges": "bytes",
    }
    partial = (start, end) != (0, size)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    if request.method == "HEAD":
        return Response(headers=headers)
    chunks = _jobs(request).results.stream(stored.key, start, end)
    return StreamingResponse(chunks, 206 if partial else 200, headers)


async def _create(request: Request) -> Response:
    pairs, parts = await _form(request)
    wanted = [value.upper() for name, value in pairs if name.upper() == "PHASE"]
    if wanted not in ([], ["RUN"]):
        raise UsageError("PHASE may be RUN, once, in the request that creates a job")
    token = request.cookies.get(COOKIE) or secrets.token_urlsafe(18)
    caller = _caller(request, token)
    service = _service(request).name
    made = await run_sync(_jobs(request).create, service, caller, _without(pairs, "PHASE"), parts)
    if wanted:
        await run_sync(_jobs(request).run, made)
    answer = _see(_job_url(request, made))
    if COOKIE not in request.cookies:
        answer.set_cookie(COOKIE, token, path=f"/{service}/async", httponly=True, samesite="lax")
    return answer


async def _delete(request: Request) -> Response:
    found = await _found(request)
    await run_sync(_jobs(request).remove, found)
    return _see(_jobs_url(request))


async def _set_phase(request: Request, found: Job) -> None:
    """PHASE=RUN or ABORT; harmless when the job is there already."""
    wanted = (await _single(request, "PHASE")).upper()
    if wanted == "RUN":
        changed = await run_sync(_jobs(request).run, found)
        welcome = {Phase.QUEUED, Phase.EXECUTING}
    elif wanted == "ABORT":
        changed = await run_sync(_jobs(request).store.abort, found.id, _ABORTED)
        welcome = {Phase.ABORTED}
    else:
        raise UsageError(f"PHASE may be RUN or ABORT, not {wanted!r}")
    if changed is None:
        now = await _found(request)
        if now.phase not in welcome:
            raise ForbiddenError(f"The job is {now.phase}: PHASE={wanted} comes too late.")


async def _add_parameters(request: Request, found: Job) -> None:
    pairs, parts = await _form(request)
    is_pending = found.phase is Phase.PENDING
    if not is_pending or await run_sync(_jobs(request).add, found.id, pairs, parts) is None:
        raise ForbiddenError("Parameters can be added while a job is PENDING; this one is not any more.")


async def _set_destruction(request: Request, found: Job) -> None:
    """A later time than the service keeps jobs becomes the latest possible one."""
    settings: Settings = request.app.state.settings
    wanted = _instant("DESTRUCTION", await _single(request, "DESTRUCTION"))
    latest = found.created + timedelta(seconds=settings.job_retention_hard)
    await run_sync(_jobs(request).store.set_destruction, found.id, min(wanted, latest))


async def _set_duration(request: Request, found: Job) -> None:
    """0, and what is longer than the hard limit, becomes the hard limit."""
    settings: Settings = request.app.state.settings
    wanted = _whole("EXECUTIONDURATION", await _single(request, "EXECUTIONDURATION"))
    seconds = min(wanted or settings.job_duration_hard, settings.job_duration_hard)
    if await run_sync(_jobs(request).store.set_duration, found.id, seconds) is None:
        raise ForbiddenError(
            "The execution duration can be changed until a job runs; this one runs or ended."
        )


CHANGES: Final[dict[str, Callable[[Request, Job], Awaitable[None]]]] = {
    "phase": _set_phase,
    "parameters": _add_parameters,
    "destruction": _set_destruction,
    "executionduration": _set_duration,
}
"""Resource of a job -> what a POST to it does."""


def _error(found: Job, url: str) -> Response:
    """Why the job failed, in the form of its service's errors (TAP 1.1, section 2.2.2)."""
    if found.error_message is None:
        raise NotFoundError(f"The job is {found.phase}: it has no error.")
    return SERVICES[found.service].render_error(found.error_message, 200, {})


CHILDREN: Final[dict[str, Callable[[Job, str], Response]]] = {
    "phase": lambda found, url: PlainTextResponse(found.phase),
    "executionduration": lambda found, url: PlainTextResponse(str(found.execution_duration)),
    "destruction": lambda found, url: PlainTextResponse(instant(found.destruction)),
    "quote": lambda found, url: PlainTextResponse(instant(found.quote)),
    "owner": lambda found, url: PlainTextResponse(found.owner or ""),
    "error": _error,
    "parameters": lambda found, url: _xml(documents.parameters_document(found, url)),
    "results": lambda found, url: _xml(documents.results_document(found, url)),
}
"""Resource of a job -> what a GET of it shows, given the job and its URL (UWS 1.1, section 2.2.2)."""


async def _waited(request: Request) -> Job:
    """The job, when WAIT is over if there is one."""
    found = await _found(request)
    waits = [_seconds(text) for text in _values(request, "WAIT")]
    phases = [_phase(text) for text in _values(request, "PHASE")]
    if not waits or found.phase not in ACTIVE:
        return found
    changed = await _jobs(request).changed(found.id, phases[0] if phases else None, min(waits))
    if changed is None:
        raise NotFoundError("The job has been deleted.")
    return changed


async def _found(request: Request) -> Job:
    """The job of the URL. Raises NotFoundError, and ForbiddenError for a job with another owner."""
    service = _service(request).name
    found = await run_sync(_jobs(request).store.find, request.path_params["id"])
    if found is None or found.service != service:
        raise NotFoundError("There is no such job; it may have been deleted, or its time has come.")
    if found.owner not in {None, _caller(request).owner}:
        raise ForbiddenError("This job belongs to somebody else.")
    return found


def _caller(request: Request, token: str | None = None) -> Caller:
    """Who asks; nobody can log in yet, so that there is no owner."""
    token = token or request.cookies.get(COOKIE)
    session = hashlib.sha256(token.encode()).hexdigest() if token else None
    return Caller(None, request.client.host if request.client else "", session)


async def _form(request: Request) -> Form:
    """Pairs and files of the query string and the posted form.

    Raises TooLargeError above `settings.request_bytes`, UsageError for a body that is no form.
    """
    settings: Settings = request.app.state.settings
    pairs = [(name, value) for name, value in request.query_params.multi_items() if value]
    async with dali.limited(request, settings.request_bytes).form(
        max_part_size=settings.request_bytes
    ) as form:
        return [*pairs, *_texts(form)], await _files(form)


def _texts(form: FormData) -> list[tuple[str, str]]:
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str) and value]


async def _files(form: FormData) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name in found:
                raise UsageError(f"the request has more than one part named {name!r}")
            found[name] = await value.read()
    return found


async def _single(request: Request, name: str) -> str:
    """The one value of a posted parameter."""
    pairs, _ = await _form(request)
    value = dali.Parameters(pairs).one(name)
    if value is None:
        raise UsageError(f"{name} is missing")
    return value


def _values(request: Request, name: str) -> list[str]:
    items = request.query_params.multi_items()
    return [value for given, value in items if given.upper() == name and value]


def _without(pairs: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return [pair for pair in pairs if pair[0].upper() != name]


def _phase(text: str) -> Phase:
    try:
        return Phase(text.upper())
    except ValueError as error:
        raise UsageError(f"PHASE is one of {', '.join(Phase)}, not {text!r}") from error


def _instant(name: str, text: str) -> datetime:
    """A time in UTC, without saying so."""
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{name} is a time like 2026-01-31T12:00:00Z, not {text!r}") from error
    return when if when.tzinfo is None else when.astimezone(UTC).replace(tzinfo=None)


def _whole(name: str, text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise UsageError(f"{name} is a whole number, 0 or more, not {text[:40]!r}")
    return int(digits)


def _seconds(text: str) -> float:
    """The value of WAIT; -1 waits as long as the server likes."""
    return float("inf") if text.strip() == "-1" else float(_whole("WAIT", text))


def _range(header: str, size: int) -> tuple[int, int]:
    """First byte and the byte behind the last one; all of it for a header that asks for no single range."""
    unit, _, spec = header.partition("=")
    first, dash, last = (part.strip() for part in spec.partition("-"))
    plain = all(part == "" or (part.isascii() and part.isdigit()) for part in (first, last))
    if unit.strip() != "bytes" or not dash or not plain or not (first or last):
        return 0, size
    if not first:
        return max(0, size - int(last)), size
    start, end = int(first), min(int(last) + 1 if last else size, size)
    return (start, end) if start < end else (0, size)


def _jobs(request: Request) -> Jobs:
    found: Jobs = request.app.state.jobs
    return found


def _service(request: Request) -> JobService:
    """The service of the URL. Raises NotFoundError if it has no jobs."""
    found = SERVICES.get(request.path_params["service"])
    if found is None:
        raise NotFoundError("There is no such service with jobs.")
    return found


def _jobs_url(request: Request) -> str:
    settings: Settings = request.app.state.settings
    return f"{settings.url}/{_service(request).name}/async"


def _job_url(request: Request, found: Job) -> str:
    return job_url(found, request.app.state.settings)


def _see(url: str) -> Response:
    return RedirectResponse(url, 303)


def _xml(document: bytes) -> Response:
    return Response(document, media_type="text/xml", headers={"Cache-Control": "no-store", "Vary": "Accept"})
