"""Rows of a query as Arrow record batches, read from PostgreSQL's own messages."""

from vo_server.rows.decoder import RowsError
from vo_server.rows.protocol import BackendError
from vo_server.rows.reader import Reader
from vo_server.rows.sources import cancel

__all__ = ["BackendError", "Reader", "RowsError", "cancel"]
