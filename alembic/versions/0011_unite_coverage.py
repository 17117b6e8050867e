"""The coverage of collections as a whole, kept beside its pieces."""

from alembic import op

revision = "0011"
down_revision = "0010"

PIECES = """
CREATE TEMPORARY TABLE pieces ON COMMIT DROP AS SELECT * FROM vo.coverage;
DROP TABLE vo.coverage;
CREATE TABLE vo.coverage (
    collection text NOT NULL,
    cell_order integer NOT NULL,
    cell bigint NOT NULL,
    s_moc smoc,
    times_order integer,
    t_min double precision,
    t_max double precision,
    energy_min double precision,
    energy_max double precision,
    times int8multirange,
    stale boolean NOT NULL,
    PRIMARY KEY (collection, cell_order, cell),
    FOREIGN KEY (collection) REFERENCES vo.collection (name) ON DELETE CASCADE
);
INSERT INTO vo.coverage
SELECT collection, 26, cell, s_moc, times_order, t_min, t_max, energy_min, energy_max, times, stale
FROM pieces;
"""

# What is marked among the pieces, the next ingest makes anew with all above it.
UNITED = """
INSERT INTO vo.coverage (collection, cell_order, cell, s_moc, t_min, t_max, energy_min, energy_max, stale)
SELECT collection, o, cell >> (26 - o), smoc_degrade(min(max_order(s_moc)), sum(s_moc)),
    min(t_min), max(t_max), min(energy_min), max(energy_max), false
FROM pieces, unnest(ARRAY[20, 14, 0]) AS o
GROUP BY 1, 2, 3;
DROP TABLE pieces;
"""

DOWN = """
DELETE FROM vo.coverage WHERE cell_order < 26;
ALTER TABLE vo.coverage DROP COLUMN cell_order;
ALTER TABLE vo.coverage ADD PRIMARY KEY (collection, cell);
"""


def upgrade() -> None:
    """Add the longer cells of time, united from those that there are."""
    for script in (PIECES, UNITED):
        op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    """Keep those of order 26 only."""
    op.get_bind().exec_driver_sql(DOWN)
