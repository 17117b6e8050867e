"""The pages of collections for people."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final
from urllib.parse import urlencode

from schema.collection import Collection
from schema.constants import ELECTRONVOLT, EV_PER_TEV
from vo_server.collections import queries, urls
from vo_server.collections.jsonld import json_ld, period
from vo_server.collections.numbers import Numbers, Target
from vo_server.collections.terms import terms
from vo_server.coverage.summary import Summary
from vo_server.hips.model import current, directory_of
from vo_server.settings import Settings
from vo_server.templates import anchor, page, template

HOUR: Final = 3600.0
TEV: Final = EV_PER_TEV * ELECTRONVOLT
"""In J."""


def list_page(known: Sequence[tuple[Collection, Numbers, Summary]], settings: Settings) -> str:
    """All collections with their numbers."""
    rows = "\n".join(_row(*described, settings) for described in known)
    told = rows or '<tr><td colspan="5">Nothing has been ingested yet.</td></tr>'
    body = template("collections.html").substitute(
        url=escape(settings.url), title=escape(settings.title), rows=told
    )
    return page(f"Collections of {settings.title}", body)


def collection_page(
    collection: Collection, identifier: str, numbers: Numbers, coverage: Summary, settings: Settings
) -> str:
    """The landing page of a collection; `identifier` is the IVOID of its record."""
    c, server = collection, settings.url
    facts = _facts(c, identifier, numbers, coverage)
    stated = {"Licence": "none is stated", **dict(terms(c))}
    body = template("collection.html").substitute(
        url=escape(server),
        name=escape(c.name),
        schema=escape(c.schema),
        heading=escape(c.title or c.name),
        simulated="<p><b>These are simulated data.</b></p>" if c.simulated else "",
        description=escape(c.description),
        facts="\n".join(f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in facts),
        terms="\n".join(f"<p><b>{name}:</b> {text}</p>" for name, text in stated.items()),
        coverage=_coverage(c, coverage, server),
        targets=_targets(numbers),
        queries="\n".join(_query(query, server) for query in queries.queries(c)),
        services="\n".join(_services(c, numbers, settings)),
        json_ld=json_ld(c, identifier, numbers, coverage, settings),
    )
    return page(c.title or c.name, body)


def _row(c: Collection, numbers: Numbers, coverage: Summary, settings: Settings) -> str:
    cells = (
        anchor(urls.page(settings.url, c), escape(c.name)),
        escape(c.title) + (" <b>Simulated data.</b>" if c.simulated else ""),
        f"{numbers.observations:,}",
        (period(coverage) or "").replace("/", " to "),
        escape(c.licence or ""),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _facts(c: Collection, identifier: str, numbers: Numbers, coverage: Summary) -> Iterator[tuple[str, str]]:
    """Name and HTML of what is known; energies in TeV, dates in UTC."""
    told = {
        "Identifier": f"<code>{escape(identifier)}</code>",
        "DOI": anchor(f"https://doi.org/{c.doi}", escape(c.doi)) if c.doi else "",
        "Creators": _creators(c, numbers),
        "Facility": escape(c.facility or ", ".join(numbers.facilities)),
        "Instrument": escape(c.instrument or ", ".join(numbers.instruments)),
        "Version": escape(c.version or ""),
        "Public since": escape((c.release_date or "")[:10]),
        "Reference": _reference(c),
        "Observations": f"{numbers.observations:,}",
        "Spectra, light curves": f"{numbers.others:,}" if numbers.others else "",
        "Events": "" if numbers.events is None else f"{numbers.events:,}",
        "Exposure": "" if numbers.exposure is None else f"{numbers.exposure / HOUR:,.1f} h",
        "Targets": f"{numbers.target_count:,}",
        "Time (UTC)": (period(coverage) or "").replace("/", " to "),
        "Energies": _energies(coverage),
        "Questions": escape(c.contact or ""),
    }
    yield from ((name, text) for name, text in told.items() if text)


def _creators(c: Collection, numbers: Numbers) -> str:
    names = c.creators or numbers.creators
    orcids = c.orcids or ("",) * len(names)
    return "; ".join(
        anchor(f"https://orcid.org/{orcid}", escape(name)) if orcid else escape(name)
        for name, orcid in zip(names, orcids, strict=True)
    )


def _reference(c: Collection) -> str:
    """A DOI has a slash in it, a bibcode has none."""
    if not c.reference:
        return anchor(c.reference_url, escape(c.reference_url)) if c.reference_url else ""
    doi = "/" in c.reference
    where = "https://doi.org/" if doi else "https://ui.adsabs.harvard.edu/abs/"
    return anchor(c.reference_url or where + c.reference, escape(c.reference))


def _energies(coverage: Summary) -> str:
    if coverage.energy is None:
        return ""
    low, high = (joule / TEV for joule in coverage.energy)
    return f"{low:.3g} to {high:.3g} TeV"


def _coverage(c: Collection, coverage: Summary, server: str) -> str:
    if not coverage.s_moc:
        return ""
    image = escape(urls.coverage(server, c, "moc.png"))
    moc = escape(urls.coverage(server, c, "moc.fits"))
    text = f"Coverage of {escape(c.name)} on the sky"
    return (
        f'<figure class="coverage"><a href="{moc}"><img src="{image}" alt="{text}"/></a>'
        f"<figcaption>{text}; behind the picture is the MOC as FITS.</figcaption></figure>"
    )


def _targets(numbers: Numbers) -> str:
    if not numbers.targets:
        return ""
    left = numbers.target_count - len(numbers.targets)
    more = f"<p>And {left:,} more.</p>" if left > 0 else ""
    rows = "\n".join(map(_target, numbers.targets))
    head = "<tr><th>Target</th><th>Observations</th><th>Exposure</th></tr>"
    return f"<h2>Targets</h2>\n<table>{head}\n{rows}</table>\n{more}"


def _target(target: Target) -> str:
    hours = "" if target.exposure is None else f"{target.exposure / HOUR:.1f} h"
    return f"<tr><td>{escape(target.name)}</td><td>{target.observations:,}</td><td>{hours}</td></tr>"


def _query(query: queries.Query, server: str) -> str:
    run = anchor(queries.run_url(server, query.adql), "Run it")
    return f"<p>{escape(query.name)}. {run}</p>\n<pre>{escape(query.adql)}</pre>"


def _services(c: Collection, numbers: Numbers, settings: Settings) -> Iterator[str]:
    server = settings.url
    rows = [
        (
            "TAP",
            f"{server}/tap",
            f"ADQL queries; the tables are in the schema <code>{escape(c.schema)}</code>",
        ),
        (
            "Cone search",
            f"{urls.cone_search(server, c)}?",
            "datasets about a position, for TOPCAT and Aladin",
        ),
        ("SIA 2.0", f"{server}/sia/query?{urlencode({'COLLECTION': c.name})}", "datasets by parameters"),
        (
            "DataLink",
            f"{server}/datalink/links",
            "files, response functions, previews and cutouts of a dataset",
        ),
    ]
    if numbers.spectra:
        rows.append(("SSA 1.1", f"{urls.spectral_search(server, c)}?", "spectra, for TOPCAT and plots"))
    if current(directory_of(settings, c)) is not None:
        rows.append(("HiPS", urls.hips(server, c), "counts as a map, for Aladin"))
    if queries.bundled(numbers.observations, settings):
        rows.append(("All files", queries.bundle_url(server, c), "one tar archive, a DataStore for gammapy"))
    for name, address, text in rows:
        shown = escape(address) if len(address) < 80 else "download"
        yield f"<tr><th>{name}</th><td>{anchor(address, shown)}</td><td>{text}</td></tr>"
