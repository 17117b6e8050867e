"""ADQL text -> tokens (ADQL 2.1, appendix A: lexical elements)."""

import re
from dataclasses import dataclass
from enum import Enum

from vo_server.adql.dialects import CHARACTERS
from vo_server.adql.errors import ADQLError, Span

MAX_LENGTH = 1_000_000
"""Longest accepted query, in characters."""

MAX_DEPTH = 50
"""Deepest accepted nesting of parentheses and CASE; it bounds the recursion of parser and renderer."""


class Kind(Enum):
    """What a token is; `WORD` is a keyword or a regular identifier."""

    WORD = "word"
    QUOTED = "quoted"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"
    END = "end"


@dataclass(slots=True)
class Token:
    """`text` is the upper-case word, the symbol, or the unescaped content; `raw` is as written."""

    kind: Kind
    text: str
    raw: str
    start: int

    @property
    def at(self) -> Span:
        """Where the token stands."""
        return self.start, self.start + len(self.raw)


# Every alternative is possessive, so that a text is read once whatever it holds.
_TOKEN = re.compile(
    r"""
    (?:\s|--[^\n]*+)*+(?:
      (?P<WORD>[A-Za-z][A-Za-z0-9_]*+)
    | (?P<NUMBER>(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+(?![.0-9_])(?<!\b0(?=[xX])))
    | (?P<STRING>'[^']*+(?:''[^']*+)*+')
    | (?P<QUOTED>"[^"]*+(?:""[^"]*+)*+")
    | (?P<SYMBOL><=|>=|<>|!=|\|\||[-+*/<>=(),.;])
    | (?P<END>\Z)
    )
    """,
    re.VERBOSE,
)


_SPACE = re.compile(r"(?:\s|--[^\n]*+)*+")

_DEPTHS = {"(": 1, ")": -1, "CASE": 1, "END": -1}


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`, ended by an END token. Raises ADQLError for what is no token."""
    _check_text(text)
    tokens: list[Token] = []
    position = depth = 0
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup or ""
        raw = match[kind]
        position = match.end()
        if kind == "SYMBOL":
            token = Token(Kind.SYMBOL, raw, raw, position - len(raw))
            depth += _DEPTHS.get(raw, 0)
        else:
            token = _token(kind, raw, position - len(raw))
            if token.kind is Kind.WORD:
                depth += _DEPTHS.get(token.text, 0)
            elif token.kind is Kind.STRING and tokens and tokens[-1].kind is Kind.STRING:
                token = _continued(text, tokens.pop(), token)
        if depth > MAX_DEPTH:
            raise ADQLError(f"parentheses and CASE are nested more than {MAX_DEPTH} deep", token.at)
        tokens.append(token)
        if token.kind is Kind.END:
            return tokens
    space = _SPACE.match(text, position)
    raise _no_token(text, space.end() if space else position)


def _token(kind: str, raw: str, start: int) -> Token:
    if kind == "WORD":
        return Token(Kind.WORD, raw.upper(), raw, start)
    if kind == "STRING":
        return Token(Kind.STRING, raw[1:-1].replace("''", "'"), raw, start)
    if kind == "QUOTED":
        if raw == '""':
            raise ADQLError("a quoted identifier must not be empty", (start, start + 2))
        return Token(Kind.QUOTED, raw[1:-1].replace('""', '"'), raw, start)
    return Token(Kind[kind], raw, raw, start)


def _continued(text: str, first: Token, second: Token) -> Token:
    """Two string literals with a line break between them are one (SQL-92, 5.3)."""
    if "\n" not in text[first.at[1] : second.start]:
        raise ADQLError("two strings in a row", second.at, "strings are joined with ||")
    return Token(Kind.STRING, first.text + second.text, text[first.start : second.at[1]], first.start)


def _check_text(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise ADQLError(f"the query has {len(text)} characters, at most {MAX_LENGTH} are accepted")
    zero = text.find("\0")
    if zero >= 0:
        raise ADQLError("the query contains a NUL character", (zero, zero + 1))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ADQLError("the query contains half a surrogate pair", (error.start, error.end)) from None


def _no_token(text: str, position: int) -> ADQLError:
    """The error for the text at `position`, which begins no token."""
    first = text[position]
    one = (position, position + 1)
    if first == "'":
        return ADQLError("the string is not closed", one, "end it with '; a quote inside is written ''")
    if first == '"':
        return ADQLError("the quoted identifier is not closed", one, 'end it with "')
    word = re.compile(r"[\w.]+").match(text, position)
    span = word.span() if word else one
    shown = text[slice(*span)]
    if first.isdigit() or first == ".":
        return ADQLError(f"{shown} is not a number", span, "numbers look like 12, 12.3, .5 or 1e-7")
    if word:
        hint = f'identifiers begin with a letter A-Z; others are written in double quotes: "{shown}"'
        return ADQLError(f"{shown} is not an identifier", span, hint)
    if text.startswith(first * 2, position):
        one = (position, position + 2)
        hint = CHARACTERS.get(first * 2) or CHARACTERS.get(first, "")
        return ADQLError(f"{first * 2} has no meaning in ADQL", one, hint)
    return ADQLError(f"the character {first!r} has no meaning in ADQL", one, CHARACTERS.get(first, ""))
