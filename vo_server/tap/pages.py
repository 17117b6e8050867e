"""TAP for people: its page, and the examples (DALI 1.1, section 2.3), which programs read, too."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vo_server.db import Database
from vo_server.pages import table_row
from vo_server.results import FORMATS
from vo_server.settings import Settings
from vo_server.tap.examples import UPLOAD, Example
from vo_server.tap.examples import examples as examples_of
from vo_server.templates import page as whole_page
from vo_server.templates import template
from vo_server.upload.formats import ACCEPTED

SHOWN = ("html", "csv")
"""Formats that a browser can show, the best first."""


def page(request: Request) -> Response:
    """Endpoints, limits, formats, tables and examples, and a box to run a query."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    offered = [name for f in FORMATS for name in f.names]
    collections = database.collections()
    examples = examples_of(collections)
    body = template("tap.html").substitute(
        title=escape(settings.title),
        url=escape(settings.url),
        query=escape(examples[0].query),
        shown=next(name for name in SHOWN if name in offered),
        choices="".join(f"<option>{escape(name)}</option>" for name in offered),
        formats=escape(", ".join(offered)),
        uploads=escape(ACCEPTED),
        maxrec=f"{min(settings.maxrec_default, settings.maxrec_hard):,}",
        hard=f"{settings.maxrec_hard:,}",
        sync_seconds=f"{settings.sync_timeout:g}",
        job_seconds=f"{settings.job_duration:,}",
        job_seconds_hard=f"{settings.job_duration_hard:,}",
        upload_rows=f"{settings.upload_rows:,}",
        upload_bytes=f"{min(settings.upload_bytes, settings.request_bytes):,}",
        upload_query=escape(UPLOAD.query),
        upload_text=escape(UPLOAD.text),
        examples="\n".join(f"<li>{_link(e, settings.url)}</li>" for e in examples),
        tables="\n".join(table_row(t, settings.url) for t in database.catalogue().tables),
    )
    return HTMLResponse(whole_page(f"TAP of {settings.title}", body))


def examples(request: Request) -> Response:
    """The example queries as XHTML with RDFa."""
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    body = template("examples.html").substitute(
        url=escape(settings.url),
        examples="\n".join(map(_example, examples_of(database.collections()))),
        upload_name=escape(UPLOAD.name),
        upload_text=escape(UPLOAD.text),
        upload_query=escape(UPLOAD.query),
    )
    return HTMLResponse(whole_page(f"Examples for {settings.title}", body))


def _link(example: Example, url: str) -> str:
    where = f"{escape(url)}/tap/examples#{escape(example.id)}"
    return f'<a href="{where}">{escape(example.name)}</a>: {escape(example.text)}'


def _example(example: Example) -> str:
    tables = ", ".join(f'<code property="table">{escape(t)}</code>' for t in example.tables)
    return (
        f'<div typeof="example" id="{escape(example.id)}" resource="#{escape(example.id)}">\n'
        f'<h2 property="name">{escape(example.name)}</h2>\n'
        f"<p>{escape(example.text)}</p>\n"
        f'<pre property="query">{escape(example.query)}</pre>\n'
        f"<p>Reads {tables}.</p>\n</div>"
    )
