"""Runs the migrations against the database whose URL `vo_server.install.migrate` hands over."""

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.attributes["url"]
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, version_table="revision", version_table_schema="vo")
    with context.begin_transaction():
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS vo")
        context.run_migrations()
