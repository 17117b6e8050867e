"""Datasets in HEALPix cells, and the coverage of collections."""

from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = """
CREATE TABLE ivoa.obscore_healpix (
    obs_publisher_did text NOT NULL,
    healpix_order integer NOT NULL,
    healpix_index bigint,
    s_moc smoc,
    times int8multirange,
    times_order integer,
    PRIMARY KEY (obs_publisher_did),
    FOREIGN KEY (obs_publisher_did) REFERENCES ivoa.obscore (obs_publisher_did) ON DELETE CASCADE
);
CREATE INDEX obscore_healpix_index ON ivoa.obscore_healpix USING btree (healpix_index);
CREATE INDEX obscore_healpix_s_moc ON ivoa.obscore_healpix USING gin (s_moc);
CREATE INDEX obscore_healpix_times ON ivoa.obscore_healpix USING gist (times);
CREATE TABLE vo.coverage (
    collection text NOT NULL,
    cell bigint NOT NULL,
    s_moc smoc,
    times_order integer,
    t_min double precision,
    t_max double precision,
    energy_min double precision,
    energy_max double precision,
    times int8multirange,
    stale boolean NOT NULL,
    PRIMARY KEY (collection, cell),
    FOREIGN KEY (collection) REFERENCES vo.collection (name) ON DELETE CASCADE
);
"""


def upgrade() -> None:
    """Create the tables; the next ingest fills them."""
    op.get_bind().exec_driver_sql(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.get_bind().exec_driver_sql("DROP TABLE vo.coverage, ivoa.obscore_healpix")
