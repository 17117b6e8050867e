"""A collection: one data release, described by one TOML file. Every key has a default but the name."""

import json
import math
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from schema import vocabularies
from schema.model import Column, SchemaError
from schema.products import EVENT_LIST, RESPONSES
from schema.reserved import is_regular_identifier
from schema.target import Target, targets
from schema.types import TYPES

UNREGISTERED: Final = "x-unregistered"
"""The authority of collections whose operator has not set one; it is nobody's."""

MESSENGERS: Final[Mapping[str, str]] = {
    "photon": "+22",
    "neutrino": "+12",
    "electron": "+11",
    "muon": "+13",
    "proton": "+2212",
}
"""messenger_name -> Particle Data Group number, as the extension draft of 2026-08-03 writes it."""

_TAKEN = {"ivoa", "tap_schema", "tap_upload", "vo", "public", "information_schema"}
_AUTHORITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{2,}\Z")
_DID = re.compile(r"ivo://(?:\{(?:authority|name|id)\}|[A-Za-z0-9._~*+=/?%:!$&'(),;@-])+\Z")
_LONGEST_SCHEMA = 60
"""PostgreSQL cuts names at 63 bytes."""

_DOI = re.compile(r"10\.[0-9]{4,9}/[!-~]+\Z")
_ORCID = re.compile(r"(?:[0-9]{4}-){3}[0-9]{3}[0-9X]\Z")
_RIGHTS = {"public", "secure", "proprietary"}
_PRODUCT_ROWS = (EVENT_LIST, *RESPONSES)

_LINKS: Final = ("licence_url", "reference_url", "progenitor")
_SCHEMES: Final = ("http://", "https://")
"""Other URLs may run programs (javascript:) or tell nothing to users elsewhere (file:)."""

_PROSE = {"description", "attribution", "terms"}
_LINE_BREAKS = str.maketrans("\t\n\r", "   ")

KEYS: Final[Mapping[str, str]] = {
    "name": "Name of the release, published as obs_collection. Default: the directory's name.",
    "schema": "Schema of the collection's own tables. Default: made from the name.",
    "title": "Title of the release. Default: the name.",
    "description": "What the release is, in a few sentences.",
    "authority": "IVOA authority of its identifiers. Default: the setting `authority`.",
    "did": "Form of obs_publisher_did, with the fields {authority}, {name} and {id}.",
    "licence": "Licence, as its SPDX identifier where there is one.",
    "licence_url": "Where the licence can be read.",
    "attribution": "Text with which users are to acknowledge the data.",
    "terms": "Terms of use beyond the licence.",
    "facility": "facility_name. Default: TELESCOP of each file.",
    "instrument": "instrument_name. Default: INSTRUME of each file.",
    "creators": "Who made the release, as a list. Default: ORIGIN of each file.",
    "orcids": "ORCID of each of the creators, in the same order; an empty string for those without one.",
    "publisher": "Who publishes it here. Default: the setting `publisher`.",
    "contact": "Mail address or URL for questions about the data.",
    "reference": "Bibcode or DOI of the publication that describes the release.",
    "reference_url": "Page that describes the release.",
    "doi": "DOI of the release itself, such as 10.5281/zenodo.1421099.",
    "subjects": "What it is about: terms of the Unified Astronomy Thesaurus as the IVOA writes them, such as"
    " gamma-ray-astronomy. Default: what the messenger tells.",
    "progenitor": "URL of what an event list was made from, with the field {id} for the obs_id.",
    "version": "Version of the release.",
    "release_date": "When it became or becomes public (ISO 8601, UTC).",
    "data_rights": "public, secure or proprietary.",
    "calib_level": "ObsCore calibration level; 2 for DL3.",
    "product_type": "dataproduct_type of event lists: event-list, or hea-event-list as in the 2026 draft.",
    "product_subtype": "dataproduct_subtype of event lists.",
    "product_rows": "Products with ObsCore rows of their own: event-list, and any of aeff, edisp, psf,"
    " bkgrate, rad_max.",
    "field_of_view": "Diameter of the field of view in degrees. Default: from the response functions.",
    "target_class": "target_class of all observations.",
    "messenger": "Kind of particle observed: photon, neutrino, electron, muon or proton.",
    "reference_energy": "Energy in TeV at which resolutions are taken.",
    "reference_offset": "Off-axis angle in degrees at which resolutions are taken.",
    "events": "Whether to publish the table of events, one row per event.",
    "simulated": "Whether the data are simulated; then titles say so.",
    "directories": "Directories outside of the release in which its files may lie, too, absolute or"
    " relative to it. Files elsewhere, where an index or a symbolic link leads, are not published.",
    "targets": 'Tables [targets."Name"] with `ra`, `dec` (ICRS, degrees) and `files` (names or patterns):'
    " what flux points and light curves are of, where their headers do not say it.",
}
"""The keys of a collection's TOML file, with their meaning."""


class CollectionError(SchemaError):
    """A collection's TOML file is wrong; the message says which key and what would be right."""


@dataclass(frozen=True)
class Collection:
    """One data release and how it is published.

    `name` is obs_collection; `schema` the TAP schema of its own tables. `did` is the form of
    obs_publisher_did with the fields {authority}, {name} and {id}. `reference_energy` (TeV) and
    `reference_offset` (deg) are where the resolutions are taken. `obs_index_extras` and
    `event_extras` are columns found in the release, not keys of the TOML file.
    """

    name: str
    schema: str
    title: str = ""
    description: str = ""
    authority: str = UNREGISTERED
    did: str = "ivo://{authority}/{name}?{id}"
    licence: str | None = None
    licence_url: str | None = None
    attribution: str | None = None
    terms: str | None = None
    facility: str | None = None
    instrument: str | None = None
    creators: tuple[str, ...] = ()
    orcids: tuple[str, ...] = ()
    publisher: str | None = None
    contact: str | None = None
    reference: str | None = None
    reference_url: str | None = None
    doi: str | None = None
    subjects: tuple[str, ...] = ()
    progenitor: str | None = None
    version: str | None = None
    release_date: str | None = None
    data_rights: str = "public"
    calib_level: int = 2
    product_type: str = EVENT_LIST
    product_subtype: str | None = None
    product_rows: tuple[str, ...] = (EVENT_LIST,)
    field_of_view: float | None = None
    target_class: str | None = None
    messenger: str = "photon"
    reference_energy: float = 1.0
    reference_offset: float = 0.5
    events: bool = False
    simulated: bool = False
    directories: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    obs_index_extras: tuple[Column, ...] = ()
    event_extras: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise CollectionError(f"collection {self.name!r}: {problem}")

    def publisher_did(self, local_id: str) -> str:
        """IVOID of a dataset (IVOA Identifiers 2.0): characters outside its grammar percent-encoded."""
        return self.did.format(
            authority=self.authority, name=_ivoid_part(self.name), id=_ivoid_part(local_id)
        )

    def to_json(self) -> str:
        """All of it, extras included, as text that `from_json` reads back."""
        values = asdict(self)
        for key in ("obs_index_extras", "event_extras"):
            values[key] = [{**asdict(c), "type": c.type.name} for c in getattr(self, key)]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Collection":
        """The collection that `to_json` wrote."""
        values = json.loads(text)
        for key in ("obs_index_extras", "event_extras"):
            values[key] = tuple(Column(**{**c, "type": TYPES[c["type"]]}) for c in values[key])
        for key in ("creators", "orcids", "product_rows", "subjects", "directories"):
            values[key] = tuple(values.get(key, ()))
        known = values.get("targets", ())
        values["targets"] = tuple(Target(**{**t, "files": tuple(t["files"])}) for t in known)
        return cls(**values)

    def with_authority(self, authority: str) -> "Collection":
        """Put it under the operator's authority, unless its own file names one."""
        return replace(self, authority=authority) if self.authority == UNREGISTERED else self


_FIELDS = {f.name: f for f in fields(Collection)}

_KINDS: Final[Mapping[str, tuple[type, str]]] = {
    "str": (str, "a string"),
    "str | None": (str, "a string"),
    "bool": (bool, "true or false"),
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "float | None": (float, "a number"),
}
"""Type of a field -> type of its TOML value, and how an error message calls it."""


def read_collection(path: Path, directory: Path | None = None) -> Collection:
    """The collection that a TOML file describes.

    `name` and `schema` default from `directory`, where the release is (default: where the file is).

    Raises CollectionError with the file, the key and what would be right.
    """
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CollectionError(f"{path}: not a readable TOML file: {error}") from error
    try:
        return collection_from(declared, directory=directory or path.resolve().parent)
    except CollectionError as error:
        raise CollectionError(f"{path}: {error}") from error


def collection_from(declared: Mapping[str, Any], directory: Path) -> Collection:
    """The collection with these keys; what is missing has its default."""
    values = {key: _value(key, value) for key, value in declared.items()}
    values.setdefault("name", directory.name)
    values.setdefault("schema", _identifier(str(values["name"])))
    values.setdefault("title", values["name"])
    for key, value in values.items():
        _check_characters(key, value)
    return Collection(**values)


def _check_characters(key: str, value: Any) -> None:
    """Refuse what neither PostgreSQL nor XML can hold; lines may be broken in texts that are read only."""
    for text in value if isinstance(value, tuple) else (value,):
        shown = text.translate(_LINE_BREAKS) if isinstance(text, str) and key in _PROSE else text
        if isinstance(shown, str) and any(unicodedata.category(c) in {"Cc", "Cs"} for c in shown):
            raise CollectionError(f"{key} = {text!r}: text without control characters wanted")


def _value(key: str, value: Any) -> Any:
    if key not in KEYS:
        raise CollectionError(f"unknown key {key!r}; known keys: {', '.join(sorted(KEYS))}")
    declared = _FIELDS[key].type
    wanted = getattr(declared, "__name__", str(declared))
    if key == "targets":
        return _targets(value)
    if isinstance(value, date | datetime) and key == "release_date":
        return value.isoformat()
    if wanted.startswith("float") and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted.startswith("tuple") and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    kind, told = _KINDS.get(wanted, (None, "a list of strings"))
    if kind is None or not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise CollectionError(f"{key} = {value!r}: {told} wanted")
    return value


def _targets(value: Any) -> tuple[Target, ...]:
    if not isinstance(value, Mapping):
        raise CollectionError(f'targets = {value!r}: tables [targets."Name"] wanted')
    try:
        return targets(value)
    except ValueError as error:
        raise CollectionError(f"targets: {error}") from error


def _problems(c: Collection) -> list[str]:
    """All that is wrong with a collection, as `key = value: what would be right`."""
    checks = [
        (not c.name.strip(), "name is empty"),
        (
            not _is_schema(c.schema),
            f"schema = {c.schema!r}: a lower-case ADQL identifier of up to {_LONGEST_SCHEMA} characters"
            f" wanted, not a reserved word, pg_* or one of {', '.join(sorted(_TAKEN))}",
        ),
        (
            _AUTHORITY.match(c.authority) is None,
            f"authority = {c.authority!r}: an IVOA authority wanted (letters, digits, '.', '-', '_', '~')",
        ),
        (
            "{id}" not in c.did or _DID.match(c.did) is None,
            f"did = {c.did!r}: an IVOID with the field {{id}} wanted, such as ivo://{{authority}}/{{name}}?{{id}}",
        ),
        (
            c.data_rights not in _RIGHTS,
            f"data_rights = {c.data_rights!r}: one of {', '.join(sorted(_RIGHTS))}",
        ),
        (c.calib_level not in range(5), f"calib_level = {c.calib_level}: 0 to 4 (ObsCore 1.1, section 3.2)"),
        (c.messenger not in MESSENGERS, f"messenger = {c.messenger!r}: one of {', '.join(MESSENGERS)}"),
        (
            c.field_of_view is not None and not 0 < c.field_of_view <= 360,
            f"field_of_view = {c.field_of_view}: degrees, above 0 and up to 360",
        ),
        (not 0 < c.reference_energy < math.inf, f"reference_energy = {c.reference_energy}: TeV, above 0"),
        (not 0 <= c.reference_offset <= 180, f"reference_offset = {c.reference_offset}: degrees, from 0"),
        (
            not {EVENT_LIST} <= set(c.product_rows) <= set(_PRODUCT_ROWS)
            or len(set(c.product_rows)) < len(c.product_rows),
            f"product_rows = {list(c.product_rows)}: {EVENT_LIST}, and any of {', '.join(_PRODUCT_ROWS[1:])},"
            " once each",
        ),
        *(
            (bool(url) and not str(url).startswith(_SCHEMES), f"{key} = {url!r}: an http or https URL wanted")
            for key in _LINKS
            if (url := getattr(c, key)) is not None
        ),
        (
            c.doi is not None and _DOI.match(c.doi) is None,
            f"doi = {c.doi!r}: a DOI without anything in front wanted, such as 10.5281/zenodo.1421099",
        ),
        *((bool(wrong), f"subjects: {wrong}") for wrong in map(_subject_problem, c.subjects)),
        *((True, f"orcids: {wrong}") for wrong in _orcid_problems(c)),
        (not _is_date(c.release_date), f"release_date = {c.release_date!r}: ISO 8601 wanted"),
    ]
    return [message for wrong, message in checks if wrong]


def _subject_problem(term: str) -> str | None:
    return vocabularies.problem("uat", term)


def _orcid_problems(c: Collection) -> list[str]:
    """What is wrong with the ORCIDs; the last character checks the others (ISO/IEC 7064, MOD 11-2)."""
    if c.orcids and len(c.orcids) != len(c.creators):
        return [f"{len(c.orcids)} for {len(c.creators)} creators; one for each wanted, empty for none"]
    return [f"{orcid!r} is not an ORCID" for orcid in c.orcids if orcid and not _is_orcid(orcid)]


def _is_orcid(text: str) -> bool:
    if _ORCID.match(text) is None:
        return False
    total = 0
    for digit in text.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == text[-1]


def _is_date(text: str | None) -> bool:
    try:
        return text is None or datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def _is_schema(name: str) -> bool:
    return (
        is_regular_identifier(name)
        and name not in _TAKEN
        and not name.startswith("pg_")
        and len(name) <= _LONGEST_SCHEMA
    )


def _identifier(name: str) -> str:
    """A schema name from any name: lower case, letters, digits and underscores."""
    cleaned = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_LONGEST_SCHEMA] or "collection"
    return cleaned if _is_schema(cleaned) else f"c_{cleaned}"[:_LONGEST_SCHEMA]


def _ivoid_part(text: str) -> str:
    unreserved = "-._~/"
    return "".join(
        ch
        if ch.isascii() and (ch.isalnum() or ch in unreserved)
        else "".join(f"%{b:02X}" for b in ch.encode())
        for ch in text
    )
