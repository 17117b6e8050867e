"""The documents of UWS 1.1 (section 3 and the schema of 2016): jobs, job, parameters, results."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

from lxml import etree

from vo_server.uws.job import Job
from vo_server.xmlwriter import node, serialized

UWS: Final = "http://www.ivoa.net/xml/UWS/v1.0"
XLINK: Final = "http://www.w3.org/1999/xlink"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

_NAMESPACES: Final = {"uws": UWS, "xlink": XLINK, "xsi": XSI}
_HREF: Final = f"{{{XLINK}}}href"
_NIL: Final = {f"{{{XSI}}}nil": "true"}


def instant(when: datetime | None) -> str:
    """A UTC time as UWS 1.1 writes it, with its Z; empty for None."""
    return "" if when is None else when.isoformat(timespec="milliseconds") + "Z"


def jobs_document(jobs: Iterable[Job], jobs_url: str) -> bytes:
    """The list of jobs."""
    root = _root("jobs", {"version": "1.1"})
    for job in jobs:
        children = [
            _uws("phase", job.phase),
            *_optional(runId=job.run_id, ownerId=job.owner),
            _uws("creationTime", instant(job.created)),
        ]
        root.append(_uws("jobref", None, {"id": job.id, _HREF: f"{jobs_url}/{job.id}"}, children))
    return serialized(root)


def job_document(job: Job, url: str, place: int = 0) -> bytes:
    """One job; `place` is its place in the queue, 0 if it is not in it."""
    root = _root("job", {"version": "1.1"})
    root.append(_uws("jobId", job.id))
    root.extend(_optional(runId=job.run_id))
    root.append(_nillable("ownerId", job.owner))
    root.append(_uws("phase", job.phase))
    root.append(_nillable("quote", instant(job.quote)))
    root.append(_uws("creationTime", instant(job.created)))
    root.append(_nillable("startTime", instant(job.started)))
    root.append(_nillable("endTime", instant(job.ended)))
    root.append(_uws("executionDuration", str(job.execution_duration)))
    root.append(_nillable("destruction", instant(job.destruction)))
    root.append(_uws("parameters", None, None, _parameters(job, url)))
    root.append(_uws("results", None, None, _results(job, url)))
    if job.error_message is not None:
        summary = {"type": job.error_type or "fatal", "hasDetail": "true"}
        root.append(_uws("errorSummary", None, summary, [_uws("message", job.error_message)]))
    root.append(_uws("jobInfo", None, None, _info(job, place)))
    return serialized(root)


def parameters_document(job: Job, url: str) -> bytes:
    """The parameters of a job."""
    root = _root("parameters")
    root.extend(_parameters(job, url))
    return serialized(root)


def results_document(job: Job, url: str) -> bytes:
    """The results of a job; there are none before it is COMPLETED."""
    root = _root("results")
    root.extend(_results(job, url))
    return serialized(root)


def _parameters(job: Job, url: str) -> list[etree._Element]:
    """Each parameter once, as identifiers must be unique: the values of a repeated one stand together."""
    values: dict[str, list[str]] = {}
    for name, value in job.to_run:
        values.setdefault(name.upper(), []).append(value)
    found = [_uws("parameter", ";".join(given), {"id": name}) for name, given in values.items()]
    for part in dict.fromkeys(job.parts):
        if part.upper() not in values:
            attributes = {"id": part, "byReference": "true"}
            found.append(_uws("parameter", f"{url}/parameters/{quote(part, safe='')}", attributes))
    return found


def _results(job: Job, url: str) -> list[etree._Element]:
    return [
        _uws(
            "result",
            None,
            {
                "id": result.name,
                _HREF: f"{url}/results/{result.name}",
                "size": str(result.size),
                "mime-type": result.media_type,
            },
        )
        for result in job.results
    ]


def _info(job: Job, place: int) -> list[etree._Element]:
    """What the standard has no element for: rows so far, the lane, and the place in its queue."""
    children = [node("rows", str(job.rows)), node("lane", job.lane)]
    if place:
        children.append(node("placeInQueue", str(place)))
    return children


def _root(name: str, attributes: dict[str, str] | None = None) -> etree._Element:
    return etree.Element(f"{{{UWS}}}{name}", attributes or {}, nsmap=_NAMESPACES)


def _uws(
    name: str,
    text: str | None = None,
    attributes: Mapping[str, str | None] | None = None,
    children: Iterable[etree._Element] = (),
) -> etree._Element:
    return node(f"{{{UWS}}}{name}", text, attributes, children)


def _nillable(name: str, text: str | None) -> etree._Element:
    return _uws(name, text) if text else _uws(name, None, _NIL)


def _optional(**texts: str | None) -> list[etree._Element]:
    return [_uws(name, text) for name, text in texts.items() if text]
