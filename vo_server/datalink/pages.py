"""The links of datasets as a page for people: previews, what is known of the data, what can be had."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from astropy.time import Time

from schema.collection import Collection
from schema.products import RESPONSES
from vo_server.collections.terms import terms
from vo_server.datalink import urls
from vo_server.datalink.answer import rows
from vo_server.datalink.dataset import Dataset
from vo_server.datalink.links import NAMES, Link
from vo_server.settings import Settings
from vo_server.soda.capabilities import SYNC
from vo_server.soda.parameters import ranges
from vo_server.templates import anchor, page, template

MOST: Final = 20
"""Datasets on a page."""

_PREVIEWS: Final = ("#preview-image", "#preview-plot")
_OWN_PLACES: Final = {*_PREVIEWS, "#preview", "#cutout", "#proc"}
"""Links that stand elsewhere on the page than in the list, or are for programs only."""

_UNITS: Final = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def links_page(
    ids: Sequence[str], found: Mapping[str, Dataset], collections: Sequence[Collection], settings: Settings
) -> str:
    """The page for these identifiers; what there is none of is said, not failed for."""
    shown = ids[:MOST]
    links: dict[str, list[Link]] = {}
    for link in rows(shown, found, collections, settings):
        links.setdefault(link.id, []).append(link)
    by_name = {c.name: c for c in collections}
    sections = []
    for number, did in enumerate(shown):
        dataset = found.get(did)
        if dataset is None:
            sections.append(_unknown(did))
        else:
            collection = by_name.get(dataset.row["obs_collection"])
            sections.append(_section(dataset, links[did], collection, number, settings, titled=len(ids) > 1))
    heading = _heading(ids, found)
    intro = "" if ids else "<p>Files, previews and cutouts of one dataset, found by its identifier.</p>"
    body = template("links.html").substitute(
        url=escape(settings.url),
        heading=escape(heading),
        intro=intro,
        datasets="\n".join(sections),
        more=_for_programs(ids, settings),
    )
    return page(heading, body)


def _heading(ids: Sequence[str], found: Mapping[str, Dataset]) -> str:
    if len(ids) != 1:
        cut = f", the first {MOST} of them" if len(ids) > MOST else ""
        return f"{len(ids)} datasets{cut}" if ids else "Links of a dataset"
    known = found.get(ids[0])
    return _title(known) if known else "Unknown identifier"


def _title(dataset: Dataset) -> str:
    return dataset.row["obs_title"] or dataset.did


def _for_programs(ids: Sequence[str], settings: Settings) -> str:
    address = escape(f"{urls.links(settings.url, ids[:MOST])}&RESPONSEFORMAT=votable") if ids else ""
    own = f'<a href="{address}">The same for programs</a> (DataLink 1.1). ' if ids else ""
    return f'{own}Identifiers are found with a query: <a href="{escape(settings.url)}/tap">TAP</a>.'


def _unknown(did: str) -> str:
    return (
        f"<p>There is no dataset with the identifier <code>{escape(did)}</code> here. Perhaps it was cut or"
        " changed on its way, or it has been withdrawn.</p>"
    )


def _section(  # noqa: PLR0913  what is shown of a dataset
    dataset: Dataset,
    links: Sequence[Link],
    collection: Collection | None,
    number: int,
    settings: Settings,
    *,
    titled: bool,
) -> str:
    listed = [link for link in links if link.semantics not in _OWN_PLACES]
    return template("dataset.html").substitute(
        title=f"<h2>{escape(_title(dataset))}</h2>" if titled else "",
        previews="".join(_preview(link) for link in links if link.semantics in _PREVIEWS),
        facts="\n".join(
            f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in _facts(dataset, collection)
        ),
        links="\n".join(map(_row, _merged(listed))),
        cutout=_cutout(dataset, number, settings) if dataset.is_event_list else "",
        terms=_terms(collection),
    )


def _preview(link: Link) -> str:
    address, text = escape(link.access_url or ""), escape(link.description)
    image = f'<a href="{address}"><img src="{address}" alt="{text}"/></a>'
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>\n"


def _merged(links: Sequence[Link]) -> Iterator[tuple[Link, str]]:
    """The links with what they lead to; a file that several lead to is listed once."""
    by_url: dict[str, list[Link]] = {}
    for link in links:
        by_url.setdefault(link.access_url or "", []).append(link)
    for first, *others in by_url.values():
        parts = [NAMES[o.local_semantics].lower() for o in others if o.local_semantics in RESPONSES]
        yield first, f"Event list with {', '.join(parts)}" if parts else first.description


def _row(entry: tuple[Link, str]) -> str:
    link, text = entry
    return (
        f"<tr><td>{anchor(link.access_url or '', escape(text))}</td>"
        f"<td>{_size(link.content_length)}</td><td>{escape(link.content_type or '')}</td></tr>"
    )


def _size(octets: int | None) -> str:
    if octets is None:
        return ""
    return next((f"{octets / size:.1f} {unit}" for unit, size in _UNITS if octets >= size), f"{octets} bytes")


def _facts(dataset: Dataset, collection: Collection | None) -> Iterator[tuple[str, str]]:
    """Name and HTML of what is known; energies in TeV, times in UTC."""
    row = dataset.row
    release = escape(row["obs_collection"])
    if collection is not None and collection.reference_url:
        release = anchor(collection.reference_url, release)
    energy = ranges(row).get("ENERGY")
    told = {
        "Identifier": f"<code>{escape(dataset.did)}</code>",
        "Release": release,
        "Target": escape(row["target_name"] or ""),
        "Instrument": escape(" ".join(filter(None, (row["facility_name"], row["instrument_name"])))),
        "Position (ICRS)": _position(row["s_ra"], row["s_dec"]),
        "Time (UTC)": _period(row["t_min"], row["t_max"]),
        "Exposure": "" if row["t_exptime"] is None else f"{row['t_exptime']:,.0f} s",
        "Energies": f"{float(energy.minimum or 0):.3g} to {float(energy.maximum):.3g} TeV" if energy else "",
        "Events": "" if dataset.events is None else f"{dataset.events:,}",
        "Public since": "" if dataset.released is None else f"{dataset.released:%Y-%m-%d}",
    }
    yield from ((name, text) for name, text in told.items() if text)


def _position(ra: float | None, dec: float | None) -> str:
    return "" if ra is None or dec is None else f"{ra:.4f}, {dec:+.4f} deg"


def _period(start: float | None, end: float | None) -> str:
    if start is None or end is None:
        return ""
    first, last = (Time(mjd, format="mjd", scale="utc").strftime("%Y-%m-%d %H:%M:%S") for mjd in (start, end))
    return f"{first} to {last}"


def _cutout(dataset: Dataset, number: int, settings: Settings) -> str:
    known = ranges(dataset.row)
    examples = {
        name.lower(): " ".join(filter(None, known[name])) if name in known else ""
        for name in ("CIRCLE", "TIME", "ENERGY")
    }
    return template("cutout.html").substitute(
        url=escape(settings.url + SYNC[1]), did=escape(dataset.did), number=number, **examples
    )


def _terms(collection: Collection | None) -> str:
    """What goes with every copy of the data."""
    if collection is None:
        return ""
    told = {
        "Simulated data": "These are simulated data." if collection.simulated else "",
        **dict(terms(collection)),
        "Reference": escape(collection.reference or ""),
    }
    lines = "<br/>".join(f"<b>{name}:</b> {text}" for name, text in told.items() if text)
    return f"<h3>Terms of use</h3>\n<p>{lines}</p>" if lines else ""
