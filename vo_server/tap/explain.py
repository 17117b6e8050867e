"""Faults that the database finds in the data, told in the words of the user's query."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from vo_server.adql.blame import blame
from vo_server.errors import DataError
from vo_server.results.result import RowStream


@contextlib.contextmanager
def explained(query: str) -> Iterator[None]:
    """Raise a DataError of the database with its place in the ADQL `query`."""
    try:
        yield
    except DataError as error:
        raise DataError(blame(query, error.sqlstate, str(error)), error.sqlstate) from error


@dataclass
class ExplainedStream:
    """The rows of a running `query`; a fault on the way is explained too."""

    stream: RowStream
    query: str

    @property
    def complete(self) -> bool:
        """Whether all rows have arrived."""
        return self.stream.complete

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        with explained(self.query):
            yield from self.stream

    def close(self) -> None:
        """Give back the connection; harmless when repeated."""
        self.stream.close()

    def cancel(self) -> None:
        """Stop the query, from any thread."""
        self.stream.cancel()
