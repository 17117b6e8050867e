"""The rows of one answer on their way to a writer, with what the document says about them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from vo_server.errors import DataError, ServerError, VOError
from vo_server.precedence import PRECEDENCE
from vo_server.results import arrow
from vo_server.results.descriptor import FieldLink, ServiceDescriptor, ServiceParameter
from vo_server.results.field import ResultField


class RowStream(Protocol):
    """Batches of rows from a running query."""

    @property
    def complete(self) -> bool:
        """Whether all rows have arrived, so that none keeps anybody waiting."""

    def __iter__(self) -> Iterator[pa.RecordBatch]: ...

    def close(self) -> None:
        """Give back the connection; harmless when repeated."""

    def cancel(self) -> None:
        """Stop the query, from any thread."""


class NoRows:
    """The stream of a query that need not run."""

    complete = True

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(())

    def close(self) -> None:
        """Nothing is open."""

    def cancel(self) -> None:
        """Nothing runs."""


@dataclass(frozen=True, slots=True)
class Info:
    """An INFO element of VOTable."""

    name: str
    value: str
    content: str = ""


@dataclass
class Result:
    """A table being answered, at most `maxrec` rows of it.

    `stream` should offer one row more than `maxrec` if there are more: only then is `overflow` set,
    while the batches are read. `failure` is set by a writer that tells it at the end of its document.
    `infos` describe the answer, `data_infos` the data in it (IVOA Data Origin, sections 3.1 and 3.2),
    `params` are PARAMs about them all and `utype` is the role of the table in a data model.
    `votable_version` is the `version` attribute of a VOTable, `services` stand behind its rows and are asked
    for when those are out, and `field_ids` are the XML IDs of the columns (by number) that they refer to;
    `field_links` tell (by number, too) where the values of columns lead.
    `shortened` tells why rows are missing that `maxrec` would allow.
    """

    columns: Sequence[ResultField]
    stream: RowStream
    maxrec: int
    infos: tuple[Info, ...] = ()
    data_infos: tuple[Info, ...] = ()
    params: tuple[ServiceParameter, ...] = ()
    utype: str | None = None
    votable_version: str = "1.4"
    services: Iterable[ServiceDescriptor] = ()
    field_ids: Mapping[int, str] = field(default_factory=dict)
    field_links: Mapping[int, FieldLink] = field(default_factory=dict)
    shortened: str = ""
    overflow: bool = field(default=False, init=False)
    failure: VOError | None = field(default=None, init=False)

    @property
    def complete(self) -> bool:
        """Whether writing it keeps nobody waiting."""
        return self.stream.complete

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, never more than `maxrec` in all, with the columns' names and `arrow.ARROW`'s types.

        Raises what the stream raises, ServerError if a column is not of its type, and DataError for
        timestamps that cannot be written.
        """
        left = self.maxrec
        if left == 0:
            # DALI 1.1, 3.4.4: metadata only, and the answer says that rows may be missing.
            self.overflow = True
            return
        schema = arrow.schema(self.columns)
        moments = [n for n, c in enumerate(self.columns) if arrow.is_timestamp(c.type)]
        for batch in self.stream:
            self.overflow = batch.num_rows > left
            if left:
                yield self._checked(batch.slice(0, left), schema, moments)
            left -= min(left, batch.num_rows)
            if self.overflow:
                return
            if not self.complete:
                PRECEDENCE.give_way()

    def _checked(self, batch: pa.RecordBatch, schema: pa.Schema, moments: Sequence[int]) -> pa.RecordBatch:
        if batch.schema.types != schema.types:
            raise ServerError(f"The query returns {batch.schema.types}, not {schema.types}.")
        for number in moments:
            if arrow.has_moments_outside(batch.column(number)):
                name = self.columns[number].name
                raise DataError(f"Column {name} has a timestamp outside of the years 1 to 9999.")
        return pa.RecordBatch.from_arrays(batch.columns, schema=schema)

    def close(self) -> None:
        """End the query and give back its connection."""
        self.stream.close()

    def cancel(self) -> None:
        """Stop the query, from any thread."""
        self.stream.cancel()
