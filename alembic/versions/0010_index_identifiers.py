"""Identifiers of datasets are found in upper and lower case."""

from alembic import op

revision = "0010"
down_revision = "0009"

INDEX = "CREATE INDEX obscore_obs_publisher_did_lower ON ivoa.obscore USING btree (lower(obs_publisher_did))"


def upgrade() -> None:
    """Create the index."""
    op.get_bind().exec_driver_sql(INDEX)


def downgrade() -> None:
    """Drop it."""
    op.get_bind().exec_driver_sql("DROP INDEX ivoa.obscore_obs_publisher_did_lower")
