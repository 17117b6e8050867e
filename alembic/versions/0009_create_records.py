"""The records of the publishing registry."""

from alembic import op

revision = "0009"
down_revision = "0007"

TABLE = """
CREATE TABLE vo.record (
    identifier text NOT NULL,
    created timestamp without time zone NOT NULL,
    datestamp timestamp without time zone NOT NULL,
    document text,
    PRIMARY KEY (identifier)
);
CREATE INDEX record_datestamp ON vo.record (datestamp, identifier);
"""


def upgrade() -> None:
    """Create the table."""
    op.get_bind().exec_driver_sql(TABLE)


def downgrade() -> None:
    """Drop the table."""
    op.get_bind().exec_driver_sql("DROP TABLE vo.record")
