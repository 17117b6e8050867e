"""What a user is told when a query cannot be translated."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

Span = tuple[int, int]
"""Offsets of the first character and of the one after the last, in the query text."""


class ADQLError(ValueError):
    """The query is not ADQL, names something unknown, or mixes types.

    `line` and `column` count from 1; `offending` is the text at fault; `hint` says what would be right.
    """

    def __init__(self, message: str, span: Span = (0, 0), hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint
        self.line = 1
        self.column = 1
        self.offending = ""
        self.excerpt = ""

    def locate(self, text: str) -> "ADQLError":
        """Fill in line, column and excerpt from the query `text`; returns itself."""
        start = min(self.span[0], len(text))
        end = max(start, min(self.span[1], len(text)))
        first = text.rfind("\n", 0, start) + 1
        last = text.find("\n", start)
        last = len(text) if last < 0 else last
        self.line = text.count("\n", 0, start) + 1
        self.column = start - first + 1
        self.offending = text[start:end]
        self.excerpt = _excerpt(text[first:last], start - first, min(end, last) - start)
        return self

    def __str__(self) -> str:
        lines = [f"{self.message} (line {self.line}, column {self.column})"]
        if self.excerpt:
            lines.append(self.excerpt)
        if self.hint:
            lines.append(self.hint)
        return "\n".join(lines)


def _excerpt(line: str, at: int, width: int, *, around: int = 60) -> str:
    """The source line, cut to what is near the fault, with carets under the offending text."""
    left = max(0, at - around)
    right = min(len(line), at + min(width, around) + around)
    before = "..." if left else ""
    after = "..." if right < len(line) else ""
    shown = "".join(c if c.isprintable() else " " for c in line[left:right])
    carets = "^" * max(1, min(width, right - at))
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + at - left)}{carets}"


def resembling(word: str, known: Iterable[str]) -> str:
    """The upper-case word of `known` that `word` may be meant to be; empty if none, or if it is one."""
    found = get_close_matches(word.upper(), known, n=1, cutoff=0.74)
    return found[0] if found and found[0] != word.upper() else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint with the known names nearest to `name`, or an empty string.

    Of a mapping, its values are shown for the keys that are near.
    """
    shown = known if isinstance(known, Mapping) else {k: k for k in known}
    by_folded = {k.lower(): v for k, v in shown.items()}
    close = get_close_matches(name.lower(), by_folded, n=3, cutoff=0.6)
    if not close:
        return ""
    return "did you mean " + " or ".join(by_folded[c] for c in close) + "?"
