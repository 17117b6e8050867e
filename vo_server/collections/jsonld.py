"""A collection as a schema.org Dataset in JSON-LD, which search engines for data read.

Source of the terms: https://schema.org/Dataset; spatialCoverage follows ESIP Science on Schema.org 1.3, where
longitude and latitude are those of the Earth: the sky is therefore told as text, with the MOC beside it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from astropy.time import Time

from schema.collection import Collection
from schema.constants import ELECTRONVOLT, EV_PER_TEV
from vo_server.collections import queries, urls
from vo_server.collections.numbers import Numbers
from vo_server.coverage.summary import Summary
from vo_server.registry.records import subjects
from vo_server.settings import Settings

TECHNIQUES: Final = {
    "photon": "gamma-ray astronomy",
    "neutrino": "neutrino astronomy",
}

VARIABLES: Final = (
    ("time of arrival", "s"),
    ("direction of arrival (ICRS)", "deg"),
    ("reconstructed energy", "TeV"),
)
"""What event lists of GADF 0.3 measure, with units."""

_ESCAPES: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""In a script of a page nothing may look like markup."""


def json_ld(
    collection: Collection, identifier: str, numbers: Numbers, coverage: Summary, settings: Settings
) -> str:
    """The text of a script element; `identifier` is the IVOID of the collection's record."""
    c, server = collection, settings.url
    organisation = {"@type": "Organization", "name": c.publisher or settings.publisher or settings.title}
    found = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": f"https://doi.org/{c.doi}" if c.doi else urls.page(server, c),
        "name": c.title or c.name,
        "alternateName": c.name,
        "description": c.description or c.title or c.name,
        "url": urls.page(server, c),
        "identifier": _identifiers(c, identifier),
        "version": c.version,
        "datePublished": c.release_date and c.release_date[:10],
        "license": c.licence_url or c.licence,
        "usageInfo": c.terms,
        "creditText": c.attribution,
        "citation": c.reference,
        "isAccessibleForFree": c.data_rights == "public",
        "creator": _creators(c, numbers),
        "publisher": organisation,
        "keywords": [*subjects(c), *dict.fromkeys((*numbers.facilities, *numbers.instruments))],
        "measurementTechnique": TECHNIQUES.get(c.messenger, "astroparticle physics"),
        "variableMeasured": [_variable(name, unit) for name, unit in VARIABLES] + _energy(coverage),
        "temporalCoverage": period(coverage),
        "spatialCoverage": _sky(c, coverage, server),
        "distribution": _distributions(c, numbers, settings),
        "includedInDataCatalog": {"@type": "DataCatalog", "name": settings.title, "url": f"{server}/"},
    }
    told = {name: value for name, value in found.items() if value not in (None, "", [])}
    return json.dumps(told, ensure_ascii=False, indent=1).translate(_ESCAPES)


def period(coverage: Summary) -> str | None:
    """The days of the first and the last observation (UTC), as ISO 8601 writes an interval."""
    if coverage.time is None:
        return None
    return "/".join(Time(mjd, format="mjd", scale="utc").strftime("%Y-%m-%d") for mjd in coverage.time)


def _identifiers(collection: Collection, identifier: str) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = [{"@type": "PropertyValue", "propertyID": "IVOID", "value": identifier}]
    if collection.doi:
        doi, url = f"doi:{collection.doi}", f"https://doi.org/{collection.doi}"
        scheme = "https://registry.identifiers.org/registry/doi"
        found.insert(0, {"@type": "PropertyValue", "propertyID": scheme, "value": doi, "url": url})
    return found


def _creators(collection: Collection, numbers: Numbers) -> Sequence[Mapping[str, str]]:
    """People have an ORCID; what has none may be an institute or a collaboration."""
    names = collection.creators or numbers.creators
    orcids = collection.orcids or ("",) * len(names)
    return [
        {"@type": "Person", "name": name, "@id": f"https://orcid.org/{orcid}"}
        if orcid
        else {"@type": "Organization", "name": name}
        for name, orcid in zip(names, orcids, strict=True)
    ]


def _variable(name: str, unit: str) -> dict[str, Any]:
    return {"@type": "PropertyValue", "name": name, "unitText": unit}


def _energy(coverage: Summary) -> list[dict[str, Any]]:
    if coverage.energy is None:
        return []
    low, high = (float(f"{joule / ELECTRONVOLT / EV_PER_TEV:.6g}") for joule in coverage.energy)
    return [{**_variable("range of energies", "TeV"), "minValue": low, "maxValue": high}]


def _sky(collection: Collection, coverage: Summary, server: str) -> dict[str, Any] | None:
    if not coverage.s_moc:
        return None
    moc = {"@type": "PropertyValue", "propertyID": "MOC (ICRS)", "value": coverage.s_moc}
    name = "Region of the sky (ICRS) as a Multi-Order Coverage map"
    url = urls.coverage(server, collection, "moc.fits")
    return {"@type": "Place", "name": name, "url": url, "additionalProperty": moc}


def _distributions(collection: Collection, numbers: Numbers, settings: Settings) -> list[dict[str, str]]:
    forms = [("Observations as a table", "text/csv", queries.csv_url(collection, settings))]
    if queries.bundled(numbers.observations, settings):
        url = queries.bundle_url(settings.url, collection)
        forms.insert(0, ("Event lists and response functions", "application/x-tar", url))
    return [
        {"@type": "DataDownload", "name": name, "encodingFormat": form, "contentUrl": url}
        for name, form, url in forms
    ]
