"""The declared tables against the standards, written down here a second time and independently."""

import pytest

from schema.load import core_catalogue
from schema.model import Column
from schema.types import Type

# ObsCore 1.1, tables 5 and 6 with erratum 1: name, M(andatory) or O(ptional) with ! where NULL is
# forbidden, datatype (region: char with xtype adql:REGION), unit, UCD, utype without "obscore:".
OBSCORE = """
dataproduct_type M char - meta.code.class ObsDataset.dataProductType
calib_level M! int - meta.code;obs.calib ObsDataset.calibLevel
obs_collection M! char - meta.id DataID.collection
obs_id M! char - meta.id DataID.observationID
obs_publisher_did M! char - meta.ref.ivoid Curation.publisherDID
access_url M char - meta.ref.url Access.reference
access_format M char - meta.code.mime Access.format
access_estsize M long kbyte phys.size;meta.file Access.size
target_name M char - meta.id;src Target.name
s_ra M double deg pos.eq.ra Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C1
s_dec M double deg pos.eq.dec Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C2
s_fov M double deg phys.angSize;instr.fov Char.SpatialAxis.Coverage.Bounds.Extent.diameter
s_region M region - pos.outline;obs.field Char.SpatialAxis.Coverage.Support.Area
s_resolution M double arcsec pos.angResolution Char.SpatialAxis.Resolution.Refval.value
s_xel1 M long - meta.number Char.SpatialAxis.numBins1
s_xel2 M long - meta.number Char.SpatialAxis.numBins2
t_min M double d time.start;obs.exposure Char.TimeAxis.Coverage.Bounds.Limits.StartTime
t_max M double d time.end;obs.exposure Char.TimeAxis.Coverage.Bounds.Limits.StopTime
t_exptime M double s time.duration;obs.exposure Char.TimeAxis.Coverage.Support.Extent
t_resolution M double s time.resolution Char.TimeAxis.Resolution.Refval.value
t_xel M long - meta.number Char.TimeAxis.numBins
em_min M double m em.wl;stat.min Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit
em_max M double m em.wl;stat.max Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit
em_res_power M double - spect.resolution Char.SpectralAxis.Resolution.ResolPower.refVal
em_xel M long - meta.number Char.SpectralAxis.numBins
o_ucd M char - meta.ucd Char.ObservableAxis.ucd
pol_states M char - meta.code;phys.polarization Char.PolarizationAxis.stateList
pol_xel M long - meta.number Char.PolarizationAxis.numBins
facility_name M char - meta.id;instr.tel Provenance.ObsConfig.Facility.name
instrument_name M char - meta.id;instr Provenance.ObsConfig.Instrument.name
dataproduct_subtype O char - meta.code.class ObsDataset.dataProductSubtype
target_class O char - src.class Target.class
obs_creation_date O timestamp - time;meta.dataset DataID.date
obs_creator_name O char - meta.id DataID.creator
obs_creator_did O char - meta.id DataID.creatorDID
obs_title O char - meta.title;obs DataID.title
publisher_id O char - meta.ref.ivoid Curation.publisherID
bib_reference O char - meta.bib.bibcode Curation.reference
data_rights O char - meta.code Curation.rights
obs_release_date O timestamp - time.release Curation.releaseDate
s_ucd O char - meta.ucd Char.SpatialAxis.ucd
s_unit O char - meta.unit Char.SpatialAxis.unit
s_resolution_min O double arcsec pos.angResolution;stat.min Char.SpatialAxis.Resolution.Bounds.Limits.LoLimit
s_resolution_max O double arcsec pos.angResolution;stat.max Char.SpatialAxis.Resolution.Bounds.Limits.HiLimit
s_pixel_scale O double arcsec phys.angSize;instr.pixel Char.SpatialAxis.Sampling.RefVal.SamplingPeriod
s_calib_status O char - meta.code.qual Char.SpatialAxis.calibrationStatus
s_stat_error O double arcsec stat.error;pos.eq Char.SpatialAxis.Accuracy.StatError.Refval.value
t_calib_status O char - meta.code.qual Char.TimeAxis.calibrationStatus
t_stat_error O double s stat.error;time Char.TimeAxis.Accuracy.StatError.Refval.value
em_ucd O char - meta.ucd Char.SpectralAxis.ucd
em_unit O char - meta.unit Char.SpectralAxis.unit
em_calib_status O char - meta.code.qual Char.SpectralAxis.calibrationStatus
em_res_power_min O double - spect.resolution;stat.min Char.SpectralAxis.Resolution.ResolPower.LoLimit
em_res_power_max O double - spect.resolution;stat.max Char.SpectralAxis.Resolution.ResolPower.HiLimit
em_resolution O double m spect.resolution;stat.mean Char.SpectralAxis.Resolution.Refval.value
em_stat_error O double m stat.error;em Char.SpectralAxis.Accuracy.StatError.Refval.value
o_unit O char - meta.unit Char.ObservableAxis.unit
o_calib_status O char - meta.code.qual Char.ObservableAxis.calibrationStatus
o_stat_error O double - stat.error Char.ObservableAxis.Accuracy.StatError.Refval.value
proposal_id O char - meta.id;obs.proposal Provenance.Proposal.identifier
"""

# High-energy extension of ObsCore, draft of 2026-08-03: name, datatype, unit, UCD. Where the draft says
# int or float, a type that holds more is as good; t_intervals has no UCD in the draft.
OBSCORE_HEA = """
obs_publisher_did char - meta.ref.ivoid
ev_xel long - meta.number;instr.detection;phys.particle
s_ref_energy float eV meta.ref;em.energy;pos
em_ref_energy float eV meta.ref;em.energy;em
s_ref_oaa float deg pos.posAng;instr.offset;pos
em_ref_oaa float deg pos.posAng;instr.offset;em
t_intervals char - *
energy_min double eV em.energy;stat.min
energy_max double eV em.energy;stat.max
obs_mode char - meta.code;obs.param
tracking_mode char - meta.code;obs.param
scan_mode char - meta.code;obs.param
pointing_mode char - meta.code;obs.param
analysis_mode char - meta.code;obs.param
event_type char - meta.code.qual;instr.detection;phys.particle
messenger_name char - meta.id;phys.particle
messenger_pdgid char - meta.ref.pdgid;phys.particle
"""

# TAP 1.1, section 4, tables 2 to 6: column, datatype, ! where NULL is forbidden.
TAP_SCHEMA = {
    "schemas": "schema_name char!, utype char, description char, schema_index int",
    "tables": "schema_name char!, table_name char!, table_type char!, utype char, description char,"
    " table_index int",
    "columns": "table_name char!, column_name char!, datatype char!, arraysize char, xtype char, size int,"
    " description char, utype char, unit char, ucd char, indexed int!, principal int!, std int!,"
    " column_index int",
    "keys": "key_id char!, from_table char!, target_table char!, description char, utype char",
    "key_columns": "key_id char!, from_column char!, target_column char!",
}
TAP_SCHEMA_KEYS = {
    ("tables", "schema_name", "schemas", "schema_name"),
    ("columns", "table_name", "tables", "table_name"),
    ("keys", "from_table", "tables", "table_name"),
    ("keys", "target_table", "tables", "table_name"),
    ("key_columns", "key_id", "keys", "key_id"),
}


def votable_type(kind: Type) -> tuple[str, str | None, str | None]:
    return kind.datatype, kind.arraysize, kind.xtype


WIRE = {
    "char": ("char", "*", None),
    "timestamp": ("char", "*", "timestamp"),
    "region": ("char", "*", "adql:REGION"),
    **{name: (name, None, None) for name in ("int", "long", "float", "double")},
}


def lines(text: str) -> list[list[str]]:
    return [
        [w.replace("-", "") if w == "-" else w for w in line.split()] for line in text.split("\n") if line
    ]


def columns(table: str) -> dict[str, Column]:
    return core_catalogue().by_name[table].by_name


def test_the_transcription_is_whole() -> None:
    levels = [line[1][0] for line in lines(OBSCORE)]
    assert (levels.count("M"), levels.count("O")) == (30, 30)
    assert len(lines(OBSCORE_HEA)) == 17


def test_obscore_has_the_columns_of_the_standard_and_no_others() -> None:
    assert sorted(columns("ivoa.obscore")) == sorted(line[0] for line in lines(OBSCORE))


@pytest.mark.parametrize("line", lines(OBSCORE), ids=lambda line: line[0])
def test_obscore(line: list[str]) -> None:
    name, level, kind, unit, ucd, utype = line
    column = columns("ivoa.obscore")[name]
    assert votable_type(column.type) == WIRE[kind]
    assert (column.unit or "", column.ucd) == (unit, ucd)
    assert (column.utype or "").lower() == f"obscore:{utype}".lower()
    assert column.required == level.endswith("!")
    assert column.principal == level.startswith("M")
    assert column.std
    assert column.description


def test_obscore_hea_has_the_columns_of_the_draft_and_one_alias() -> None:
    assert sorted(columns("ivoa.obscore_hea")) == sorted(
        [*(line[0] for line in lines(OBSCORE_HEA)), "tracking_type"]
    )


@pytest.mark.parametrize("line", lines(OBSCORE_HEA), ids=lambda line: line[0])
def test_obscore_hea(line: list[str]) -> None:
    name, kind, unit, ucd = line
    column = columns("ivoa.obscore_hea")[name]
    assert votable_type(column.type) == WIRE[kind]
    assert (column.unit or "", column.std, column.utype) == (unit, True, None)
    assert ucd in {column.ucd, "*"}
    assert column.required == (name == "obs_publisher_did")


def test_tracking_type_says_what_tracking_mode_says() -> None:
    alias, column = (columns("ivoa.obscore_hea")[name] for name in ("tracking_type", "tracking_mode"))
    assert alias.expression == "{row}.tracking_mode"
    assert (alias.type, alias.ucd, alias.unit) == (column.type, column.ucd, column.unit)
    assert not alias.std


def test_the_two_obscore_tables_share_the_identifier_only() -> None:
    """So that a NATURAL JOIN is one to one."""
    assert set(columns("ivoa.obscore")) & set(columns("ivoa.obscore_hea")) == {"obs_publisher_did"}


@pytest.mark.parametrize("table", TAP_SCHEMA)
def test_tap_schema(table: str) -> None:
    stated = [word.split() for word in TAP_SCHEMA[table].split(", ")]
    declared = columns(f"tap_schema.{table}")
    assert list(declared) == [name for name, _ in stated]
    for name, kind in stated:
        column = declared[name]
        assert votable_type(column.type) == WIRE[kind.rstrip("!")]
        assert (column.required, column.std) == (kind.endswith("!"), True)


def test_keys_of_tap_schema() -> None:
    found = {
        (table.name, own, key.target.removeprefix("tap_schema."), other)
        for table in core_catalogue().tables
        if table.schema == "tap_schema"
        for key in table.foreign_keys
        for own, other in key.columns
    }
    assert found == TAP_SCHEMA_KEYS


def test_what_is_searched_most_is_indexed() -> None:
    indexed = {name for name, column in columns("ivoa.obscore").items() if column.indexed}
    assert indexed == {
        *("obs_publisher_did", "obs_id", "obs_collection", "dataproduct_type", "target_name"),
        *("s_ra", "s_dec", "s_region", "t_min", "t_max", "em_min", "em_max"),
    }
