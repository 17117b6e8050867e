"""The rows of one answer on their way to a writer, with what the document says about them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schema.types import Type

Row = tuple[Any, ...]


class ResultField(Protocol):
    """What a writer needs to know of a column: columns of the catalogue and of a query both fit."""

    @property
    def name(self) -> str:
        """The name, as a query can use it."""

    @property
    def type(self) -> Type:
        """Type of its values."""

    @property
    def description(self) -> str:
        """One line for people."""

    @property
    def unit(self) -> str | None:
        """VOUnits, None if there is none."""

    @property
    def ucd(self) -> str | None:
        """UCD1+ words."""

    @property
    def utype(self) -> str | None:
        """Role in a data model."""


class RowStream(Protocol):
    """Batches of rows from a running query."""

    def __iter__(self) -> Iterator[list[Row]]: ...

    def close(self) -> None:
        """Give back the connection; harmless when repeated."""

    def cancel(self) -> None:
        """Stop the query, from any thread."""


class NoRows:
    """The stream of a query that need not run."""

    def __iter__(self) -> Iterator[list[Row]]:
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
    while the batches are read. `infos` describe the answer, `data_infos` the data in it (IVOA Data
    Origin, sections 3.1 and 3.2). `votable_version` is the `version` attribute of a VOTable.
    """

    columns: Sequence[ResultField]
    stream: RowStream
    maxrec: int
    infos: tuple[Info, ...] = ()
    data_infos: tuple[Info, ...] = ()
    votable_version: str = "1.4"
    overflow: bool = field(default=False, init=False)

    def batches(self) -> Iterator[list[Row]]:
        """The rows, never more than `maxrec` in all; raises what the stream raises."""
        left = self.maxrec
        if left == 0:
            # DALI 1.1, 3.4.4: metadata only, and the answer says that rows may be missing.
            self.overflow = True
            return
        for batch in self.stream:
            self.overflow = len(batch) > left
            if batch[:left]:
                yield batch[:left]
            left -= len(batch)
            if self.overflow:
                return

    def close(self) -> None:
        """End the query and give back its connection."""
        self.stream.close()

    def cancel(self) -> None:
        """Stop the query, from any thread."""
        self.stream.cancel()
