"""The register of the columns of an answer: what each is made from, and how clients find it (SSA 1.1, 4.2.5).

Clients know columns by their utypes; those that the standard calls mandatory are all here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schema.types import BIGINT, DOUBLE, TIMESTAMP, VARCHAR, Type
from vo_server.adql.translation import ResultColumn
from vo_server.adql.writing import string

DID: Final = "obs_publisher_did"

_PAIR: Final = Type("PAIR", "double", "*", None, "spoint")
"""Two numbers, or none where a position is not known: arrays of a fixed size cannot be empty."""

_SPACE: Final = "Char.SpatialAxis.Coverage"
_SPECTRUM: Final = "Char.SpectralAxis.Coverage"
_TIME: Final = "Char.TimeAxis.Coverage"


@dataclass(frozen=True, slots=True)
class Field:
    """A column: `value` is ADQL over ivoa.obscore, `utype` the role in the model without its prefix."""

    name: str
    value: str
    utype: str
    description: str
    ucd: str | None = None
    unit: str | None = None
    type: Type = VARCHAR

    @property
    def column(self) -> ResultColumn:
        """The column as writers want it."""
        return ResultColumn(self.name, self.type, self.description, self.unit, self.ucd, f"ssa:{self.utype}")


@dataclass(frozen=True, slots=True)
class Form:
    """A format in which each spectrum can be had; `names` are the values of FORMAT that ask for it.

    `url` and `media_type` are ADQL over ivoa.obscore.
    """

    names: frozenset[str]
    url: str
    media_type: str


VOTABLE: Final = "application/x-votable+xml"

VOTABLE_PATH: Final = "/votable"
"""What follows the address of a file in that of its spectrum as a VOTable."""

FORMS: Final = (
    Form(
        frozenset({"all", "compliant", "votable", "xml", VOTABLE, "text/xml"}),
        f"access_url || {string(VOTABLE_PATH)}",
        string(VOTABLE),
    ),
    Form(
        frozenset({"all", "native", "fits", "application/fits", "image/fits"}), "access_url", "access_format"
    ),
)
"""The formats: a row of the answer for each of them."""


def fields(form: Form, publisher: str) -> tuple[Field, ...]:
    """The columns of the rows in a format; `publisher` is who publishes the collection."""
    return (
        Field("access_url", form.url, "Access.Reference", "URL of the spectrum", "meta.ref.url"),
        Field(
            "access_format", form.media_type, "Access.Format", "Media type of the spectrum", "meta.code.mime"
        ),
        Field(
            "access_estsize",
            "access_estsize",
            "Access.Size",
            "Size of the file with the spectrum",
            "phys.size;meta.file",
            "kbyte",
            BIGINT,
        ),
        *_dataset(publisher),
        *_coverage(),
    )


def _dataset(publisher: str) -> Iterable[Field]:
    return (
        Field("data_model", string("Spectrum-1.1"), "Dataset.DataModel", "Data model of the VOTable"),
        Field("dataset_type", string("Spectrum"), "Dataset.Type", "Kind of data", "meta.code.class"),
        Field("length", "em_xel", "Dataset.Length", "Number of flux points", "meta.number", None, BIGINT),
        Field("title", "obs_title", "DataID.Title", "Title of the spectrum", "meta.title;meta.dataset"),
        Field("collection", "obs_collection", "DataID.Collection", "Data release", "meta.id"),
        Field("creator", "obs_creator_name", "DataID.Creator", "Who made it", "meta.id"),
        Field(
            "creation_date",
            "obs_creation_date",
            "DataID.Date",
            "When it was made (UTC)",
            "time.creation;meta.dataset",
            None,
            TIMESTAMP,
        ),
        Field("creation_type", string("archival"), "DataID.CreationType", "How the answer was made"),
        Field("data_source", string("pointed"), "DataID.DataSource", "What it was made from"),
        Field("instrument", "instrument_name", "DataID.Instrument", "Instrument", "meta.id;instr"),
        Field("bandpass", string("Gamma-ray"), "DataID.Bandpass", "Band of the spectrum", "instr.bandpass"),
        Field("publisher", string(publisher), "Curation.Publisher", "Who publishes it", "meta.curation"),
        Field(DID, DID, "Curation.PublisherDID", "IVOID of the spectrum", "meta.ref.ivoid"),
        Field("rights", "data_rights", "Curation.Rights", "Who may use it"),
        Field("reference", "bib_reference", "Curation.Reference", "Publication", "meta.bib.bibcode"),
        Field("target_name", "target_name", "Target.Name", "What was observed", "meta.id;src"),
    )


def _coverage() -> Iterable[Field]:
    return (
        Field(
            "location",
            "POINT(s_ra, s_dec)",
            f"{_SPACE}.Location.Value",
            "Position of the spectrum: that of its target (ICRS)",
            "pos.eq",
            "deg",
            _PAIR,
        ),
        Field(
            "target_pos",
            "POINT(s_ra, s_dec)",
            "Target.Pos",
            "Position of the target (ICRS)",
            "pos.eq;src",
            "deg",
            _PAIR,
        ),
        Field(
            "aperture",
            "s_fov",
            f"{_SPACE}.Bounds.Extent",
            "Diameter of the region that the spectrum is of",
            "phys.angSize;instr.fov",
            "deg",
            DOUBLE,
        ),
        *_axis("spectral", "(em_min + em_max) / 2", "em_max - em_min", "em_min", "em_max"),
        Field("spectral_ucd", "em_ucd", "Char.SpectralAxis.Ucd", "What the spectral axis is", "meta.ucd"),
        Field("spectral_unit", "em_unit", "Char.SpectralAxis.Unit", "Its unit", "meta.unit"),
        Field("flux_ucd", "o_ucd", "Char.FluxAxis.Ucd", "What the flux is", "meta.ucd"),
        Field("flux_unit", "o_unit", "Char.FluxAxis.Unit", "Its unit", "meta.unit"),
        Field("flux_calibration", "o_calib_status", "Char.FluxAxis.Calibration", "Its calibration"),
        *_time(),
    )


def _axis(name: str, middle: str, extent: str, start: str, stop: str) -> Iterable[Field]:
    told = ((f"{name}_location", middle, "Location.Value", "Middle of the wavelengths", "em.wl"),)
    more = (
        (f"{name}_extent", extent, "Bounds.Extent", "Width of the wavelengths", "em.wl;instr.bandwidth"),
        (f"{name}_start", start, "Bounds.Start", "Shortest wavelength", "em.wl;stat.min"),
        (f"{name}_stop", stop, "Bounds.Stop", "Longest wavelength", "em.wl;stat.max"),
    )
    for column, value, role, text, ucd in (*told, *more):
        yield Field(column, value, f"{_SPECTRUM}.{role}", text, ucd, "m", DOUBLE)


def _time() -> Iterable[Field]:
    told = (
        ("time_location", "(t_min + t_max) / 2", "Location.Value", "Middle of the times", "time.epoch", "d"),
        ("time_extent", "t_exptime", "Bounds.Extent", "Exposure", "time.duration;obs.exposure", "s"),
        ("time_start", "t_min", "Bounds.Start", "Beginning", "time.start;obs.exposure", "d"),
        ("time_stop", "t_max", "Bounds.Stop", "End", "time.end;obs.exposure", "d"),
    )
    for column, value, role, text, ucd, unit in told:
        yield Field(column, value, f"{_TIME}.{role}", text, ucd, unit, DOUBLE)
