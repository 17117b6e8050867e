"""The catalogue's tables: ObsCore, its high-energy extension, TAP_SCHEMA, and the server's own.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMAS = """
CREATE SCHEMA ivoa;
CREATE SCHEMA tap_schema;
"""

# STC-S as ObsCore's s_region holds it -> pgSphere; NULL for other shapes. pgSphere takes no circle
# beyond 90 degrees.
FUNCTIONS = r"""
CREATE FUNCTION vo.stcs_circle(region text) RETURNS scircle
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN m[3]::float8 <= 90 THEN
        scircle(spoint(radians(m[1]::float8), radians(m[2]::float8)), radians(m[3]::float8))
    END
    FROM regexp_match(region, '^\s*circle\s+icrs\s+(\S+)\s+(\S+)\s+(\S+)\s*$', 'i') AS m
$$;
CREATE FUNCTION vo.stcs_polygon(region text) RETURNS spoly
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ('{' || rtrim(regexp_replace(m[1], '(\S+)\s+(\S+)\s*', '(\1d,\2d),', 'g'), ',') || '}')::spoly
    FROM regexp_match(region, '^\s*polygon\s+icrs\s+(.*\S)\s*$', 'i') AS m
$$;
-- The centroid of a spherical polygon: half the sum, over its edges, of arc length times unit normal.
CREATE FUNCTION vo.spoly_centroid(polygon spoly) RETURNS spoint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  WITH numbers AS (
    SELECT v[1]::float8 AS x, i
    FROM regexp_matches($1::text, '[-+0-9.e]+', 'g') WITH ORDINALITY AS m(v, i)
  ), points AS (
    SELECT
      (i + 1) / 2 AS n,
      spoint(max(x) FILTER (WHERE mod(i, 2) = 1), max(x) FILTER (WHERE mod(i, 2) = 0)) AS p
    FROM numbers GROUP BY 1
  ), edges AS (
    SELECT xyz(p) AS a, xyz(coalesce(lead(p) OVER w, first_value(p) OVER w)) AS b
    FROM points WINDOW w AS (ORDER BY n)
  ), normals AS (
    SELECT a, a[2]*b[3] - a[3]*b[2] AS x, a[3]*b[1] - a[1]*b[3] AS y, a[1]*b[2] - a[2]*b[1] AS z,
           a[1]*b[1] + a[2]*b[2] + a[3]*b[3] AS cosine
    FROM edges
  ), weighted AS (
    SELECT a, x, y, z, atan2(l, cosine) / l AS weight
    FROM normals, LATERAL (SELECT sqrt(x*x + y*y + z*z) AS l) AS length WHERE l > 0
  ), total AS (
    SELECT sum(x*weight) AS x, sum(y*weight) AS y, sum(z*weight) AS z,
           sum(a[1]) AS mx, sum(a[2]) AS my, sum(a[3]) AS mz
    FROM weighted
  )
  SELECT spoint(atan2(s*y, s*x), atan2(s*z, sqrt(x*x + y*y)))
  FROM total, LATERAL (SELECT CASE WHEN x*mx + y*my + z*mz >= 0 THEN 1 ELSE -1 END AS s) AS side
$$;
"""

TABLES = """
CREATE TABLE ivoa.obscore (
    dataproduct_type text,
    calib_level integer NOT NULL,
    obs_collection text NOT NULL,
    obs_id text NOT NULL,
    obs_publisher_did text NOT NULL,
    access_format text,
    access_estsize bigint,
    target_name text,
    s_ra double precision,
    s_dec double precision,
    s_fov double precision,
    s_region text,
    s_resolution double precision,
    s_xel1 bigint,
    s_xel2 bigint,
    t_min double precision,
    t_max double precision,
    t_exptime double precision,
    t_resolution double precision,
    t_xel bigint,
    em_min double precision,
    em_max double precision,
    em_res_power double precision,
    em_xel bigint,
    o_ucd text,
    pol_states text,
    pol_xel bigint,
    facility_name text,
    instrument_name text,
    dataproduct_subtype text,
    target_class text,
    obs_creation_date timestamp without time zone,
    obs_creator_name text,
    obs_creator_did text,
    obs_title text,
    publisher_id text,
    bib_reference text,
    data_rights text,
    obs_release_date timestamp without time zone,
    s_ucd text,
    s_unit text,
    s_resolution_min double precision,
    s_resolution_max double precision,
    s_pixel_scale double precision,
    s_calib_status text,
    s_stat_error double precision,
    t_calib_status text,
    t_stat_error double precision,
    em_ucd text,
    em_unit text,
    em_calib_status text,
    em_res_power_min double precision,
    em_res_power_max double precision,
    em_resolution double precision,
    em_stat_error double precision,
    o_unit text,
    o_calib_status text,
    o_stat_error double precision,
    proposal_id text,
    dataset text NOT NULL,
    access_path text,
    region_circle scircle GENERATED ALWAYS AS (vo.stcs_circle(s_region)) STORED,
    region_polygon spoly GENERATED ALWAYS AS (vo.stcs_polygon(s_region)) STORED,
    PRIMARY KEY (obs_publisher_did)
);
CREATE INDEX obscore_obs_id ON ivoa.obscore (obs_id);
CREATE INDEX obscore_obs_collection ON ivoa.obscore (obs_collection);
CREATE INDEX obscore_dataproduct_type ON ivoa.obscore (dataproduct_type);
CREATE INDEX obscore_target_name ON ivoa.obscore (target_name);
CREATE INDEX obscore_t_min ON ivoa.obscore (t_min);
CREATE INDEX obscore_t_max ON ivoa.obscore (t_max);
CREATE INDEX obscore_em_min ON ivoa.obscore (em_min);
CREATE INDEX obscore_em_max ON ivoa.obscore (em_max);
CREATE INDEX obscore_position ON ivoa.obscore USING gist (spoint(radians(s_ra), radians(s_dec)));
CREATE INDEX obscore_region_circle ON ivoa.obscore USING gist (region_circle);
CREATE INDEX obscore_region_polygon ON ivoa.obscore USING gist (region_polygon);
CREATE INDEX obscore_access_path ON ivoa.obscore (access_path);
CREATE INDEX obscore_dataset ON ivoa.obscore (dataset);
CREATE TABLE ivoa.obscore_hea (
    obs_publisher_did text NOT NULL,
    ev_xel bigint,
    s_ref_energy real,
    em_ref_energy real,
    s_ref_oaa real,
    em_ref_oaa real,
    t_intervals text,
    energy_min double precision,
    energy_max double precision,
    obs_mode text,
    tracking_mode text,
    scan_mode text,
    pointing_mode text,
    analysis_mode text,
    event_type text,
    messenger_name text,
    messenger_pdgid text,
    intervals int8multirange,
    PRIMARY KEY (obs_publisher_did),
    FOREIGN KEY (obs_publisher_did) REFERENCES ivoa.obscore (obs_publisher_did) ON DELETE CASCADE
);
CREATE INDEX obscore_hea_energy_min ON ivoa.obscore_hea (energy_min);
CREATE INDEX obscore_hea_energy_max ON ivoa.obscore_hea (energy_max);
CREATE INDEX obscore_hea_t_intervals ON ivoa.obscore_hea USING gist (intervals);
CREATE TABLE tap_schema.schemas (
    schema_name text NOT NULL,
    utype text,
    description text,
    schema_index integer,
    PRIMARY KEY (schema_name)
);
CREATE TABLE tap_schema.tables (
    schema_name text NOT NULL,
    table_name text NOT NULL,
    table_type text NOT NULL,
    utype text,
    description text,
    table_index integer,
    PRIMARY KEY (table_name),
    FOREIGN KEY (schema_name) REFERENCES tap_schema.schemas (schema_name)
);
CREATE TABLE tap_schema.columns (
    table_name text NOT NULL,
    column_name text NOT NULL,
    datatype text NOT NULL,
    arraysize text,
    xtype text,
    "size" integer,
    description text,
    utype text,
    unit text,
    ucd text,
    indexed integer NOT NULL,
    principal integer NOT NULL,
    std integer NOT NULL,
    column_index integer,
    PRIMARY KEY (table_name, column_name),
    FOREIGN KEY (table_name) REFERENCES tap_schema.tables (table_name)
);
CREATE TABLE tap_schema.keys (
    key_id text NOT NULL,
    from_table text NOT NULL,
    target_table text NOT NULL,
    description text,
    utype text,
    PRIMARY KEY (key_id),
    FOREIGN KEY (from_table) REFERENCES tap_schema.tables (table_name),
    FOREIGN KEY (target_table) REFERENCES tap_schema.tables (table_name)
);
CREATE TABLE tap_schema.key_columns (
    key_id text NOT NULL,
    from_column text NOT NULL,
    target_column text NOT NULL,
    PRIMARY KEY (key_id, from_column, target_column),
    FOREIGN KEY (key_id) REFERENCES tap_schema.keys (key_id)
);
CREATE TABLE vo.collection (
    name text NOT NULL,
    tap_schema text NOT NULL,
    definition text NOT NULL,
    updated timestamp without time zone NOT NULL,
    PRIMARY KEY (name)
);
CREATE UNIQUE INDEX collection_tap_schema ON vo.collection (tap_schema);
CREATE TABLE vo.dataset (
    obs_publisher_did text NOT NULL,
    collection text NOT NULL,
    local_id text NOT NULL,
    root text NOT NULL,
    fingerprint text NOT NULL,
    digest text NOT NULL,
    updated timestamp without time zone NOT NULL,
    PRIMARY KEY (obs_publisher_did),
    FOREIGN KEY (collection) REFERENCES vo.collection (name),
    FOREIGN KEY (obs_publisher_did) REFERENCES ivoa.obscore (obs_publisher_did) ON DELETE CASCADE
);
CREATE UNIQUE INDEX dataset_local_id ON vo.dataset (collection, local_id);
CREATE TABLE vo.product (
    obs_publisher_did text NOT NULL,
    product text NOT NULL,
    path text NOT NULL,
    hdu text NOT NULL,
    hdu_class text,
    "size" bigint NOT NULL,
    checksum text NOT NULL,
    PRIMARY KEY (obs_publisher_did, product),
    FOREIGN KEY (obs_publisher_did) REFERENCES ivoa.obscore (obs_publisher_did) ON DELETE CASCADE
);
CREATE INDEX product_path ON vo.product (path);
"""


def upgrade() -> None:
    """Create everything."""
    connection = op.get_bind()
    for script in (SCHEMAS, FUNCTIONS, TABLES):
        # The driver takes a lone % for the mark of a parameter.
        connection.exec_driver_sql(script.replace("%", "%%"))


def downgrade() -> None:
    """Drop everything."""
    op.get_bind().exec_driver_sql(
        "DROP SCHEMA ivoa, tap_schema CASCADE;"
        "DROP TABLE vo.product, vo.dataset, vo.collection;"
        "DROP FUNCTION vo.stcs_circle(text), vo.stcs_polygon(text), vo.spoly_centroid(spoly);"
    )
