"""What writers know of a column of a result."""

from typing import Protocol

from schema.types import Type


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
