"""Products know how large their HDU is, and of when the file is that was read."""

from alembic import op

revision = "0005"
down_revision = "0004"

COLUMNS = """
ALTER TABLE vo.product ADD COLUMN modified double precision;
ALTER TABLE vo.product ADD COLUMN hdu_size bigint;
"""


def upgrade() -> None:
    """Add the columns; the next ingest fills them."""
    op.get_bind().exec_driver_sql(COLUMNS)


def downgrade() -> None:
    """Drop them."""
    op.get_bind().exec_driver_sql("ALTER TABLE vo.product DROP COLUMN modified, DROP COLUMN hdu_size")
