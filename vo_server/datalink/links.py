"""From a dataset to its links: one row each (DataLink 1.1, section 3.2). Pure: no database, no files.

Terms of `semantics` are those of the vocabulary http://www.ivoa.net/rdf/datalink/core.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

from schema.collection import Collection
from schema.products import EVENT_LIST, FLUX_POINTS, LIGHT_CURVE, PROFILE, RESPONSES, SPECTRUM
from vo_server.datalink import urls
from vo_server.datalink.dataset import Dataset
from vo_server.previews import kinds
from vo_server.products.content import FITS
from vo_server.products.sizes import product_size

TAR: Final = "application/x-tar"
PAGE: Final = "text/html"
VOTABLE: Final = "application/x-votable+xml"
MEDIA_TYPE: Final = "application/x-votable+xml;content=datalink"

NAMES: Final = {
    "aeff": "Effective area",
    "edisp": "Energy dispersion",
    "psf": "Point spread function",
    "bkgrate": "Rate of background events",
    "rad_max": "Directional cut of a point-like analysis",
    SPECTRUM: "Spectrum",
    LIGHT_CURVE: "Light curve",
    PROFILE: "Spatial profile",
}
"""Products with their names for people; what is none of them is an event list."""

PRODUCT_TYPE: Final = "http://www.ivoa.net/rdf/product-type#"
RESPONSE_TYPE: Final = "http://www.ivoa.net/rdf/response-type#"

EVENT_BUNDLE: Final = "event-bundle"

QUALIFIERS: Final = {
    EVENT_LIST: PRODUCT_TYPE + EVENT_LIST,
    EVENT_BUNDLE: PRODUCT_TYPE + EVENT_BUNDLE,
    **{name: RESPONSE_TYPE + name for name in RESPONSES},
    # The vocabulary has no term of its own for it.
    "rad_max": RESPONSE_TYPE + "response-function",
    **{name: PRODUCT_TYPE + name for name in FLUX_POINTS},
}
"""content_qualifier as the bare name that gammapy reads -> as the URI of a term."""


_PACKAGE: Final = "Event list and response functions with their index tables, as gammapy and others open it"


class Link(NamedTuple):
    """One row of an answer: exactly one of access_url, service_def and error_message is there.

    `content_length` is in bytes; `service_def` is the XML ID of a descriptor in the same document. Nobody has
    to log in (`link_auth`), and everybody may (`link_authorized`, 0 or not 0).
    """

    id: str
    access_url: str | None = None
    service_def: str | None = None
    error_message: str | None = None
    description: str = ""
    semantics: str = "#this"
    content_type: str | None = None
    content_length: int | None = None
    content_qualifier: str | None = None
    local_semantics: str | None = None
    link_auth: str | None = "false"
    link_authorized: int | None = 1


class Service(NamedTuple):
    """What a row says of a service: which descriptor, in what role."""

    service_def: str
    description: str
    semantics: str
    local_semantics: str


def unknown(did: str) -> Link:
    """The row for an identifier that no dataset has."""
    fault = f"NotFoundFault: there is no dataset {did}"
    told = "The dataset that was asked for"
    return Link(did, error_message=fault, description=told, link_auth=None, link_authorized=None)


def links(
    dataset: Dataset, collection: Collection | None, server: str, services: Sequence[Service]
) -> Iterator[Link]:
    """The rows of one dataset; `server` is the URL of the server.

    `services` are those that work on it: none for response functions.
    """
    yield from _own(dataset, server)
    if dataset.is_event_list:
        yield from _calibrations(dataset, server)
    if dataset.is_event_list or dataset.is_response:
        yield Link(
            dataset.did,
            access_url=urls.bundle(server, dataset.observation),
            description=_PACKAGE,
            semantics="#package",
            content_type=TAR,
            content_qualifier=EVENT_BUNDLE,
            local_semantics=EVENT_BUNDLE,
        )
    if dataset.is_event_list:
        yield from _previews(dataset, server)
    for service in services:
        yield Link(
            dataset.did,
            service_def=service.service_def,
            description=service.description,
            semantics=service.semantics,
            content_type=FITS,
            content_qualifier=EVENT_LIST,
            local_semantics=service.local_semantics,
        )
    if collection is not None:
        yield from _origins(dataset, collection)


def _own(dataset: Dataset, server: str) -> Iterator[Link]:
    """The file of the dataset, and what stands for it or belongs to it by its kind."""
    own = dataset.products.get(dataset.product)
    yield Link(
        dataset.did,
        access_url=dataset.access_url,
        description=f"{_name(dataset.product)}: the whole file",
        content_type=FITS,
        content_length=own.size if own else None,
        content_qualifier=dataset.product,
        local_semantics=dataset.product,
    )
    if dataset.product == SPECTRUM:
        yield Link(
            dataset.did,
            access_url=urls.spectrum(server, dataset.did),
            description="Spectrum: the flux points as a VOTable",
            content_type=VOTABLE,
            content_qualifier=SPECTRUM,
            local_semantics="votable",
        )
    if dataset.is_response:
        yield Link(
            dataset.did,
            access_url=urls.links(server, [dataset.observation]),
            description="Links of the event list that the response function belongs to",
            semantics="#coderived",
            content_type=MEDIA_TYPE,
        )


def with_uris(link: Link) -> Link:
    """The row with the URI of a term for content_qualifier."""
    return link._replace(content_qualifier=QUALIFIERS.get(link.content_qualifier or ""))


def _name(product: str) -> str:
    return NAMES.get(product, "Event list")


def _calibrations(dataset: Dataset, server: str) -> Iterator[Link]:
    """The response functions.

    Where all of them lie in the file of the event list, that file is what each link leads to: gammapy
    (make_data_store_from_query_result) downloads it once, if all URLs are equal. Otherwise it downloads
    each URL and takes all HDUs of all files, so that each link must deliver its HDU alone.
    """
    events = dataset.products.get(EVENT_LIST)
    found = [dataset.products[name] for name in RESPONSES if name in dataset.products]
    in_one_file = events is not None and all(product.path == events.path for product in found)
    sizes = {name: product.hdu_size for name, product in dataset.products.items()}
    for product in found:
        alone = product_size(product.name, sizes, product.hdu)
        where = dataset.access_url if in_one_file else urls.product(server, dataset.did, product.name)
        yield Link(
            dataset.did,
            access_url=where,
            description=f"{_name(product.name)}{', in the file of the event list' if in_one_file else ''}",
            semantics="#calibration",
            content_type=FITS,
            content_length=product.size if in_one_file else alone,
            content_qualifier=product.name,
            local_semantics=product.name,
        )


def _previews(dataset: Dataset, server: str) -> Iterator[Link]:
    for kind in kinds.KINDS.values():
        yield Link(
            dataset.did,
            access_url=kinds.preview_url(server, kind.name, "png", dataset.did),
            description=kind.description,
            semantics=kind.semantics,
            content_type=kinds.FORMS["png"],
            local_semantics=kind.name,
        )


def _origins(dataset: Dataset, collection: Collection) -> Iterator[Link]:
    """What the data were made from, and what is written about them."""
    if collection.progenitor and dataset.product not in FLUX_POINTS:
        url = collection.progenitor.replace("{id}", quote(dataset.row["obs_id"], safe=""))
        text = "Data that the event list was made from"
        yield Link(
            dataset.did,
            access_url=url,
            description=text,
            semantics="#progenitor",
            local_semantics="progenitor",
            link_auth=None,
            link_authorized=None,
        )
    pages = (
        ("reference", collection.reference_url, f"Description of {collection.name}"),
        ("licence", collection.licence_url, f"Licence: {collection.licence or collection.licence_url}"),
    )
    for role, page, told in pages:
        if page:
            yield Link(
                dataset.did,
                access_url=page,
                description=told,
                semantics="#documentation",
                content_type=PAGE,
                local_semantics=role,
            )
