"""ADQL that the server writes itself: values of requests as literals, never pasted."""

from math import isinf


def string(text: str) -> str:
    """`text` as a character string literal (ADQL 2.1, section 2.1.4)."""
    return "'" + text.replace("'", "''") + "'"


def number(value: float) -> str:
    """A finite `value` as a numeric literal that is read back as the same number."""
    return repr(float(value))


def limited(column: str, comparison: str, limit: float) -> str:
    """Whether a column compares so to a limit; if that is infinite, whether it has a value."""
    return f"{column} IS NOT NULL" if isinf(limit) else f"{column} {comparison} {number(limit)}"


def overlap(lowest: str, highest: str, low: float, high: float) -> str:
    """Whether the interval of two columns has something in common with one, whose ends may be infinite."""
    return f"({limited(lowest, '<=', high)} AND {limited(highest, '>=', low)})"
