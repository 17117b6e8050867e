"""The terms of the IVOA's vocabularies and the words of UCD1+, from pinned copies.

The copies (resources/vocabularies/*.txt) say where they are from. Deprecated terms are not in them.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final

from schema.model import SchemaError

PINNED: Final = Path(__file__).parent.parent / "resources" / "vocabularies"

_FIRST: Final = frozenset("PQECV")
_LATER: Final = frozenset("SQECV")
"""Kinds of words that may stand first, and after a semicolon (UCD 1.23, section 3.2)."""

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*")


@cache
def terms(vocabulary: str) -> frozenset[str]:
    """The terms of a vocabulary by the name of its pinned copy, such as `uat`.

    Raises SchemaError if there is no copy.
    """
    return frozenset(_lines(vocabulary))


def problem(vocabulary: str, term: str) -> str | None:
    """What is wrong with a term, and what may have been meant; None if the vocabulary has it."""
    known = terms(vocabulary)
    if term in known:
        return None
    near = get_close_matches(term.lower().replace(" ", "-"), sorted(known), n=3, cutoff=0.6)
    meant = f"; perhaps {', '.join(near)}" if near else ""
    return f"{term!r} is not in the vocabulary {vocabulary}{meant}"


@cache
def ucd_words() -> Mapping[str, str]:
    """The words of UCD1+ with the letter that says where in a UCD each may stand."""
    pairs = (line.split() for line in _lines("ucd"))
    return {word: letter for letter, word in pairs}


def ucd_problems(ucd: str) -> list[str]:
    """What is wrong with a UCD: unknown words, and known ones where they must not stand."""
    found = []
    for number, word in enumerate(ucd.split(";")):
        letter = ucd_words().get(word)
        if _WORD.fullmatch(word) is None:
            found.append(f"{word!r} does not have the form of a word")
        elif letter is None:
            found.append(f"{word} is not a word of UCD1+")
        elif letter not in (_LATER if number else _FIRST):
            found.append(f"{word} must {'' if number else 'not '}stand first")
    return found


def _lines(name: str) -> list[str]:
    try:
        text = (PINNED / f"{name}.txt").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SchemaError(f"there is no pinned vocabulary {name!r}") from error
    return [line for line in text.splitlines() if line and not line.startswith("#")]
