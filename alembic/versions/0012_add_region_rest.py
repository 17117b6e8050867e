"""Regions of more than a hemisphere are found, by the circle that they leave out."""

from alembic import op

revision = "0012"
down_revision = "0011"

FUNCTIONS = r"""
-- Of a circle of more than 90 degrees, which pgSphere cannot hold, the circle about the antipode that it
-- does not cover; NULL for other shapes.
CREATE FUNCTION vo.stcs_rest(region text) RETURNS scircle
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN m[3]::float8 > 90 AND m[3]::float8 <= 180 THEN
        scircle(spoint(radians(m[1]::float8) + pi(), -radians(m[2]::float8)), radians(180 - m[3]::float8))
    END
    FROM regexp_match(region, '^\s*circle\s+icrs\s+(\S+)\s+(\S+)\s+(\S+)\s*$', 'i') AS m
$$;
CREATE FUNCTION vo.region_text(circle scircle, polygon spoly, rest scircle, frame text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN rest IS NULL THEN vo.region_text(circle, polygon, frame)
    ELSE concat_ws(
        ' ', 'Circle', frame,
        mod(180 + round(degrees(long(center(rest)))::numeric, 10), 360)::float8,
        -round(degrees(lat(center(rest)))::numeric, 10)::float8,
        180 - round(degrees(radius(rest))::numeric, 10)::float8
    ) END
$$;
"""

# Without statistics, the planner takes the new column for filled. Views that lack it are made again by
# the installation that runs this.
COLUMN = """
ALTER TABLE ivoa.obscore
    ADD COLUMN region_rest scircle GENERATED ALWAYS AS (vo.stcs_rest(s_region)) STORED;
CREATE INDEX obscore_region_rest ON ivoa.obscore USING gist (region_rest);
ANALYZE ivoa.obscore (region_rest);
"""

DROP_VIEWS = """
DO $$
DECLARE
    own text;
BEGIN
    FOR own IN SELECT tap_schema FROM vo.collection LOOP
        EXECUTE format('DROP VIEW IF EXISTS %I.obscore', own);
    END LOOP;
END
$$;
"""

DOWN = """
ALTER TABLE ivoa.obscore DROP COLUMN region_rest;
DROP FUNCTION vo.stcs_rest(text), vo.region_text(scircle, spoly, scircle, text);
"""


def upgrade() -> None:
    """Add the column, filled, and what reads it."""
    for script in (FUNCTIONS, COLUMN, DROP_VIEWS):
        op.get_bind().exec_driver_sql(script.replace("%", "%%"))


def downgrade() -> None:
    """Drop it."""
    for script in (DROP_VIEWS, DOWN):
        op.get_bind().exec_driver_sql(script.replace("%", "%%"))
