"""The services that work on datasets, as descriptors (DataLink 1.1, section 4)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from vo_server.adql.translation import ResultColumn
from vo_server.datalink import urls
from vo_server.datalink.dataset import Dataset
from vo_server.datalink.links import MEDIA_TYPE, Service
from vo_server.products.content import FITS
from vo_server.results.descriptor import THIS, FieldLink, ServiceDescriptor, ServiceParameter, field_id
from vo_server.settings import Settings
from vo_server.soda.capabilities import ASYNC, SYNC
from vo_server.soda.parameters import PARAMETERS, Range, ranges
from vo_server.upload.uploads import SCHEMA as UPLOADED

STANDARD: Final = "ivo://ivoa.net/std/DataLink#links-1.1"

_DID: Final = "obs_publisher_did"

_GOES_ALONG: Final = "files, response functions, previews, cutouts"

_ID: Final = ServiceParameter("ID", description="Publisher DID of a dataset", ucd="meta.id;meta.main")


class Soda(NamedTuple):
    """A form of the cutout service and what its links say."""

    name: str
    standard_id: str
    path: str
    description: str
    semantics: str


CUTOUT: Final = Soda(
    "cutout",
    *SYNC,
    "Events of a part of the sky, of the time or of the energies, at once",
    "#cutout",
)

CUTOUTS: Final = Soda(
    "cutouts",
    *ASYNC,
    "Events of parts of the sky, of the time or of the energies, as a job",
    "#proc",
)


class Linked(NamedTuple):
    """What a result needs to lead to links: XML IDs and LINKs of its columns by number, and descriptors."""

    field_ids: dict[int, str]
    field_links: dict[int, FieldLink]
    services: tuple[ServiceDescriptor, ...]


def linked(columns: Sequence[ResultColumn], settings: Settings) -> Linked:
    """Links and cutouts for a result that has publisher DIDs, nothing for others.

    What counts is where the values come from, not what the query calls them: the first column that passes
    through a published column obs_publisher_did. Identifiers in uploaded tables may be anybody's.
    """
    for number, column in enumerate(columns):
        table, _, name = (column.source or "").rpartition(".")
        if name == _DID and not table.startswith(f"{UPLOADED}."):
            return linked_by(number, column.name, settings)
    return Linked({}, {}, ())


def linked_by(number: int, name: str, settings: Settings) -> Linked:
    """Links and cutouts for a result whose column of this number (from 0) and name has publisher DIDs.

    With the descriptor of cutouts clients cut out without a look at the links (pyvo's `processed` of a row).
    """
    xml_id = field_id(name)
    links = ServiceDescriptor(
        "links",
        urls.links(settings.url),
        (_ID._replace(ref=xml_id),),
        f"Everything that goes with a dataset: {_GOES_ALONG}",
        standard_id=STANDARD,
        content_type=MEDIA_TYPE,
    )
    cutout = _descriptor(CUTOUT, _inputs({}, ref=xml_id), settings)
    media_type = MEDIA_TYPE.partition(";")[0]  # astropy takes parameters of the type of a LINK for a fault
    link = FieldLink(_GOES_ALONG.capitalize(), media_type, f"{urls.links(settings.url)}?ID=${{{xml_id}}}")
    return Linked({number: xml_id}, {number: link}, (links, cutout))


def links_itself(settings: Settings) -> ServiceDescriptor:
    """The links service as it describes itself."""
    return ServiceDescriptor(
        "this",
        urls.links(settings.url),
        (_ID, ServiceParameter("RESPONSEFORMAT", description="votable (the default) or html")),
        "Links of datasets; ID may be repeated",
        standard_id=STANDARD,
        content_type=MEDIA_TYPE,
        utype=THIS,
    )


def services(dataset: Dataset, number: int) -> list[Service]:
    """What rows say of the services for the dataset of this number in the answer."""
    if not dataset.is_event_list:
        return []
    return [Service(_xml_id(s, number), s.description, s.semantics, s.name) for s in (CUTOUT, CUTOUTS)]


def descriptors(dataset: Dataset, number: int, settings: Settings) -> Iterator[ServiceDescriptor]:
    """The descriptors that `services` tells of, with the ranges of the dataset (SODA 1.0, section 4.3)."""
    if not dataset.is_event_list:
        return
    inputs = _inputs(ranges(dataset.row), did=dataset.did)
    for soda in (CUTOUT, CUTOUTS):
        yield _descriptor(soda, inputs, settings, _xml_id(soda, number))


def _xml_id(soda: Soda, number: int) -> str:
    """Unique in the document, and a name that people can read where there is one dataset only."""
    return f"{soda.name}-{number}" if number else soda.name


def _descriptor(
    soda: Soda, inputs: Sequence[ServiceParameter], settings: Settings, xml_id: str | None = None
) -> ServiceDescriptor:
    return ServiceDescriptor(
        xml_id or soda.name,
        settings.url + soda.path,
        inputs,
        soda.description,
        id=xml_id,
        standard_id=soda.standard_id,
        content_type=FITS,
    )


def _inputs(known: Mapping[str, Range], did: str = "", ref: str | None = None) -> list[ServiceParameter]:
    """The parameters of a cutout, of this dataset or of those in the column `ref`, with the known ranges."""
    inputs = []
    for parameter in PARAMETERS:
        limits = known.get(parameter.name)
        identifies = parameter.name == "ID"
        inputs.append(
            ServiceParameter(
                parameter.name,
                did if identifies else "",
                ref if identifies else None,
                parameter.description,
                parameter.datatype,
                parameter.arraysize,
                parameter.xtype,
                parameter.unit,
                parameter.ucd,
                limits.minimum if limits else None,
                limits.maximum if limits else None,
            )
        )
    return inputs
