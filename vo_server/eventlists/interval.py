"""Intervals of numbers."""

from typing import NamedTuple


class Interval(NamedTuple):
    """From `low` to `high`, both included; `low` above `high` holds nothing."""

    low: float
    high: float

    def common(self, other: "Interval") -> "Interval":
        """What lies in both."""
        return Interval(max(self.low, other.low), min(self.high, other.high))
