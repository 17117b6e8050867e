"""Rows on disk, for formats whose beginning depends on all of them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pyarrow as pa

from vo_server.results import arrow
from vo_server.results.result import Result


class Spool:
    """The rows of a result in a temporary file; they can be read as often as needed."""

    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        self._file = file
        self._schema = schema
        self.count = 0

    def fill(self, result: Result) -> Iterator[pa.RecordBatch]:
        """Put the rows to disk, and show them on the way. Raises what `result.batches` raises."""
        with pa.ipc.new_stream(self._file, self._schema) as writer:
            for batch in result.batches():
                writer.write_batch(batch)
                self.count += batch.num_rows
                yield batch

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, from the beginning."""
        self._file.seek(0)
        with pa.ipc.open_stream(self._file) as reader:
            yield from reader


@contextmanager
def spool(result: Result) -> Iterator[Spool]:
    """An empty spool for a result; the file is gone behind the block."""
    with tempfile.TemporaryFile(prefix="vo-server-") as file:
        yield Spool(file, arrow.schema(result.columns))
