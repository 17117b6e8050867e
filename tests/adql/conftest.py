"""A small catalogue with tables of real rows: every shape of region, wraps, poles and NULLs."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from schema.model import Catalogue, Column, HiddenColumn, Index, Schema, Table
from schema.types import (
    BIGINT,
    DOUBLE,
    DOUBLE_ARRAY,
    INTEGER,
    MOC,
    POINT,
    POLYGON,
    REAL,
    REGION,
    SMALLINT,
    TIMESTAMP,
    VARCHAR,
    Type,
)
from vo_server.adql import Translation, translate
from vo_server.roles import owner_url
from vo_server.settings import Settings

Row = tuple[Any, ...]
Query = Callable[..., list[Row]]

OBS = Table(
    "sky",
    "obs",
    (
        Column("obs_id", VARCHAR, "Name of the observation", ucd="meta.id", utype="obs.id"),
        Column("s_ra", DOUBLE, "Right ascension", unit="deg", ucd="pos.eq.ra"),
        Column("s_dec", DOUBLE, "Declination", unit="deg", ucd="pos.eq.dec"),
        Column("s_region", REGION, "Sky coverage", shapes=("region_circle", "region_polygon", "region_rest")),
        Column("t_min", DOUBLE, "Start", unit="d", ucd="time.start"),
        Column("calib_level", SMALLINT),
        Column("n_events", INTEGER),
        Column("n_bytes", BIGINT, unit="byte"),
        Column("em_min", REAL, unit="m"),
        Column("released", TIMESTAMP),
        Column("target", VARCHAR),
        Column("access_url", VARCHAR, expression="'https://here/' || {row}.\"obs_id\""),
        Column("Mixed", INTEGER),
        Column("size", INTEGER),
    ),
    hidden=(
        HiddenColumn("region_circle", "scircle"),
        HiddenColumn("region_polygon", "spoly"),
        HiddenColumn("region_rest", "scircle"),
        HiddenColumn("secret", "integer"),
    ),
    indexes=(
        Index("obs_position", "spoint(radians(s_ra), radians(s_dec))", "gist", covers=("s_ra", "s_dec")),
        Index("obs_circle", "region_circle", "gist", covers=("s_region",)),
        Index("obs_polygon", "region_polygon", "gist", covers=("s_region",)),
        Index("obs_rest", "region_rest", "gist", covers=("s_region",)),
    ),
)
HEA = Table(
    "sky",
    "hea",
    (
        Column("obs_id", VARCHAR, "Name of the observation, again"),
        Column("energy_min", DOUBLE, "Lowest energy", unit="TeV"),
    ),
    hidden=(HiddenColumn("secret", "integer"),),
)
TWIN = Table("other", "obs", (Column("obs_id", VARCHAR), Column("t_min", DOUBLE)))
UPLOAD = Table(
    "tap_upload",
    "t1",
    (
        Column("ra", DOUBLE),
        Column("dec", DOUBLE),
        Column("r", DOUBLE),
        Column("pos", POINT),
        Column("patch", POLYGON),
        Column("words", VARCHAR),
    ),
)
CATALOGUE = Catalogue((Schema("sky", (OBS, HEA)), Schema("other", (TWIN,)), Schema("tap_upload", (UPLOAD,))))
CORNERS = [(0.0, 0.0), (359.9, 0.1), (0.1, -0.1), (10.0, 90.0), (200.0, -90.0), (83.63, 22.01), (180.0, 0.0)]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return CATALOGUE


@pytest.fixture(scope="module")
def connection(module_settings: Settings) -> Iterator[psycopg.Connection]:
    """A database with the tables of `catalogue`, filled."""
    with psycopg.connect(
        owner_url(module_settings), autocommit=True, cursor_factory=psycopg.RawCursor
    ) as connection:
        for table in CATALOGUE.tables:
            _create(connection, table)
        _fill(connection)
        yield connection


@pytest.fixture(scope="module")
def rows(connection: psycopg.Connection, catalogue: Catalogue) -> Query:
    """The rows that an ADQL query brings."""

    def run(text: str, limit: int | None = None) -> list[Row]:
        return execute(connection, translate(text, catalogue, limit=limit))

    return run


@pytest.fixture(scope="module")
def plan(connection: psycopg.Connection, catalogue: Catalogue) -> Callable[[str], str]:
    """How PostgreSQL would run an ADQL query if sequential scans were dear."""

    def explain(text: str) -> str:
        translation = translate(text, catalogue)
        with connection.transaction():
            connection.execute("SET LOCAL enable_seqscan = off")
            return "\n".join(
                line for (line,) in connection.execute("EXPLAIN " + translation.sql, translation.parameters)
            )

    return explain


def execute(connection: psycopg.Connection, translation: Translation) -> list[Row]:
    """Run a translation and check that the columns are what it says they are."""
    cursor = connection.execute(translation.sql, translation.parameters)
    assert cursor.description is not None
    assert [d.type_code for d in cursor.description] == [_oid(c.type) for c in translation.columns]
    names = [c.name for c in translation.columns]
    assert len(set(names)) == len(names)
    assert [d.name for d in cursor.description] == names
    return cursor.fetchall()


def _oid(kind: Type) -> int:
    """The PostgreSQL type that a result column of this type has."""
    if kind.name in {"POINT", "CIRCLE", "POLYGON"}:
        kind = DOUBLE_ARRAY
    if kind is MOC:
        kind = VARCHAR
    info = psycopg.adapters.types[kind.postgres.removesuffix("[]")]
    return info.array_oid if kind.is_array else info.oid


def _create(connection: psycopg.Connection, table: Table) -> None:
    columns = [f'"{c.name}" {c.type.postgres}' for c in table.stored]
    columns += [f'"{h.name}" {h.postgres}' for h in table.hidden]
    connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{table.schema}"')
    connection.execute(f'CREATE TABLE "{table.schema}"."{table.name}" ({", ".join(columns)})')
    for index in table.indexes:
        connection.execute(
            f'CREATE INDEX {index.name} ON "{table.schema}"."{table.name}" USING {index.using} ({index.sql})'
        )


def _fill(connection: psycopg.Connection) -> None:
    draw = random.Random(20260101)  # noqa: S311 - positions, not secrets
    positions = [*CORNERS, *((draw.uniform(0, 360), draw.uniform(-90, 90)) for _ in range(300))]
    insert = (
        "INSERT INTO sky.obs (obs_id, s_ra, s_dec, s_region, t_min, calib_level, n_events, n_bytes, em_min,"
        ' released, target, "Mixed", size) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)'
    )
    for index, (ra, dec) in enumerate(positions):
        region = f"Circle ICRS {ra!r} {dec!r} 2.5"
        if index % 2:
            region = _square(ra, dec)
        released = f"20{index % 20 + 10}-01-01 00:00:00"
        values = (1000 + index, ra, dec, region, 55000.5 + index, index % 3, index, 2**33 + index)
        connection.execute(
            insert, (str(values[0]), *values[1:], 1e-18 * index, released, f"Source_{index % 7}", index, 1)
        )
    connection.execute("INSERT INTO sky.obs (obs_id) VALUES ('unknown')")
    connection.execute(
        "UPDATE sky.obs SET region_circle = vo.stcs_circle(s_region),"
        " region_polygon = vo.stcs_polygon(s_region), region_rest = vo.stcs_rest(s_region), secret = 1"
    )
    connection.execute(
        "INSERT INTO sky.hea SELECT obs_id, n_events / 10.0, 2 FROM sky.obs"
        " WHERE n_events < 20 OR n_events > 290"
    )
    connection.execute("INSERT INTO sky.hea VALUES ('orphan', 1, 2)")
    connection.execute("INSERT INTO other.obs VALUES ('1000', 1), ('x', 2)")
    connection.execute(
        "INSERT INTO tap_upload.t1 VALUES (0, 0, 5, spoint(0, 0), NULL, 'a b'),"
        " (83.63, 22.01, 1, NULL, spoly '{(0d,0d),(10d,0d),(10d,10d)}', '#x#Y#'),"
        " (NULL, 1, 1, NULL, NULL, NULL)"
    )


def _square(ra: float, dec: float) -> str:
    """A polygon about a position, with three vertices where a pole is inside."""
    if abs(dec) > 87:
        edge = 80.0 if dec > 0 else -80.0
        return f"Polygon ICRS 0 {edge} 120 {edge} 240 {edge}"
    corners = ((2, -2), (2, 2), (-2, 2), (-2, -2))
    return "Polygon ICRS " + " ".join(f"{(ra + x) % 360!r} {dec + y!r}" for x, y in corners)
