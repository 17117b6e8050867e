"""Jobs of more than one service, with any number of results."""

from alembic import op

revision = "0006"
down_revision = "0005"

# Columns are turned into the new ones: dropped ones would leave gaps in the order of the others.
UPGRADE = """
UPDATE vo.job SET result_type = CASE WHEN result_key IS NULL THEN '[]' ELSE
    json_build_array(json_build_array('result', result_key, result_type, result_size))::text END,
    result_key = 'tap';
ALTER TABLE vo.job RENAME COLUMN result_key TO service;
ALTER TABLE vo.job RENAME COLUMN result_type TO results;
ALTER TABLE vo.job DROP COLUMN result_size,
    ALTER COLUMN service SET NOT NULL, ALTER COLUMN results SET NOT NULL;
"""

# Older versions know queries only, with one result.
DOWNGRADE = """
DELETE FROM vo.job WHERE service <> 'tap';
ALTER TABLE vo.job ADD COLUMN result_size bigint,
    ALTER COLUMN service DROP NOT NULL, ALTER COLUMN results DROP NOT NULL;
UPDATE vo.job SET service = results::json->0->>1, results = results::json->0->>2,
    result_size = (results::json->0->>3)::bigint;
ALTER TABLE vo.job RENAME COLUMN service TO result_key;
ALTER TABLE vo.job RENAME COLUMN results TO result_type;
"""


def upgrade() -> None:
    """Tell the service of each job, and list its results."""
    op.get_bind().exec_driver_sql(UPGRADE)


def downgrade() -> None:
    """Back to one result; jobs of other services are gone."""
    op.get_bind().exec_driver_sql(DOWNGRADE)
