"""The table of asynchronous jobs."""

from alembic import op

revision = "0004"
down_revision = "0003"

TABLE = """
CREATE TABLE vo.job (
    id text NOT NULL,
    phase text NOT NULL,
    owner text,
    session text,
    address text NOT NULL,
    parameters text NOT NULL,
    parts text NOT NULL,
    lane text NOT NULL,
    created timestamp without time zone NOT NULL,
    queued timestamp without time zone,
    started timestamp without time zone,
    ended timestamp without time zone,
    execution_duration integer NOT NULL,
    destruction timestamp without time zone NOT NULL,
    attempt integer NOT NULL,
    interruptions integer NOT NULL,
    rows bigint NOT NULL,
    error_message text,
    error_type text,
    result_key text,
    result_type text,
    result_size bigint,
    PRIMARY KEY (id)
);
CREATE INDEX job_phase ON vo.job (phase, lane, queued);
CREATE INDEX job_address ON vo.job (address);
CREATE INDEX job_destruction ON vo.job (destruction);
"""


def upgrade() -> None:
    """Create the table."""
    op.get_bind().exec_driver_sql(TABLE)


def downgrade() -> None:
    """Drop the table."""
    op.get_bind().exec_driver_sql("DROP TABLE vo.job")
