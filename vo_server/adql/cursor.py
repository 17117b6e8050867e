"""A position in a list of tokens: looking, accepting, expecting, complaining."""

from collections.abc import Callable, Iterable
from math import isinf
from typing import TypeVar

from schema.reserved import RESERVED_WORDS
from vo_server.adql.dialects import PAIRS, VALUES, WORDS
from vo_server.adql.errors import ADQLError, Span, resembling
from vo_server.adql.extensions import Extension
from vo_server.adql.nodes import Name
from vo_server.adql.tokens import Kind, Token

T = TypeVar("T")

MAX_INTEGER = 2**63 - 1

CLAUSE_WORDS = frozenset(
    {"SELECT", "DISTINCT", "ALL", "TOP", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "BY", "OFFSET", "WITH"}
    | {"JOIN", "ON", "USING", "AS", "UNION", "EXCEPT", "INTERSECT", "ASC", "DESC"}
    | {"AND", "OR", "NOT", "IN", "IS", "BETWEEN", "LIKE", "ILIKE", "EXISTS"}
)
"""The words of the grammar itself, which cannot be meant as names or functions."""


_NAMES = {",": "comma", ".": "dot", ";": "semicolon"}
"""Symbols that would be lost in the punctuation of a message."""


class Cursor:
    """Reads tokens from left to right, never back; a `strict` one refuses extensions of the grammar."""

    def __init__(self, tokens: list[Token], *, strict: bool = False) -> None:
        self._tokens = tokens
        self._strict = strict
        self._index = 0
        self.current = tokens[0]

    @property
    def previous_end(self) -> int:
        """Offset behind the token read last."""
        return self._tokens[self._index - 1].at[1]

    def advance(self) -> Token:
        """Step over the current token and return it."""
        token = self.current
        if token.kind is not Kind.END:
            self._index += 1
            self.current = self._tokens[self._index]
        return token

    def at_word(self, word: str) -> bool:
        """Whether the current token is the keyword."""
        return self.current.text == word and self.current.kind is Kind.WORD

    def at_symbol(self, symbol: str) -> bool:
        """Whether the current token is the symbol."""
        return self.current.text == symbol and self.current.kind is Kind.SYMBOL

    def follows_symbol(self, symbols: str) -> bool:
        """Whether the token behind the current one is one of the symbols, each of one character."""
        if self.current.kind is Kind.END:
            return False
        token = self._tokens[self._index + 1]
        return token.kind is Kind.SYMBOL and token.text in symbols

    def at_query(self) -> bool:
        """Whether a query in parentheses begins here: SELECT or WITH behind opening parentheses.

        Two opening parentheses may also begin a joined table; then what follows the inner closing
        one decides, so that no text is parsed twice.
        """
        index = self._index
        while self._is_symbol(index, "("):
            index += 1
        if index == self._index or not self._is_word(index, "SELECT", "WITH"):
            return False
        for opening in range(self._index + 1, index):
            after = self._matching(opening) + 1
            if not (
                self._is_symbol(after, ")")
                or self._is_word(after, "UNION", "EXCEPT", "INTERSECT", "ORDER", "OFFSET")
            ):
                return False
        return True

    def _matching(self, opening: int) -> int:
        """Index of the token that closes the parenthesis at `opening`, or of the last token but one."""
        depth = 0
        for index in range(opening, len(self._tokens) - 1):
            depth += self._is_symbol(index, "(") - self._is_symbol(index, ")")
            if depth == 0:
                return index
        return len(self._tokens) - 2

    def _is_symbol(self, index: int, symbol: str) -> bool:
        token = self._tokens[index]
        return token.kind is Kind.SYMBOL and token.text == symbol

    def _is_word(self, index: int, *words: str) -> bool:
        token = self._tokens[index]
        return token.kind is Kind.WORD and token.text in words

    def accept_word(self, word: str) -> bool:
        """Step over the keyword if it is here."""
        if self.at_word(word):
            self.advance()
            return True
        return False

    def accept_symbol(self, symbol: str) -> bool:
        """Step over the symbol if it is here."""
        if self.at_symbol(symbol):
            self.advance()
            return True
        return False

    def extended(self, extension: Extension, at: Span) -> None:
        """Note that the text `at` is an extension; ADQLError if only ADQL 2.1 is to be accepted."""
        if self._strict:
            raise extension.refused(at)

    def expect_word(self, word: str, hint: str) -> None:
        """Step over the keyword; ADQLError if it is not here."""
        if not self.accept_word(word):
            raise self.unexpected(hint, wanted=word)

    def expect_symbol(self, symbol: str, hint: str) -> None:
        """Step over the symbol; ADQLError if it is not here."""
        if not self.accept_symbol(symbol):
            raise self.unexpected(hint, wanted=symbol)

    def separated(self, item: Callable[[], T]) -> list[T]:
        """One or more items with commas between them."""
        items = [item()]
        while self.accept_symbol(","):
            items.append(item())
        return items

    def is_reserved(self, token: Token) -> bool:
        """Whether the word cannot be an identifier."""
        return token.text in RESERVED_WORDS

    def at_identifier(self) -> bool:
        """Whether an identifier is here."""
        kind = self.current.kind
        return kind is Kind.QUOTED or (kind is Kind.WORD and not self.is_reserved(self.current))

    def identifier(self, what: str) -> Name:
        """An identifier; `what` names it in errors."""
        token = self.current
        if not self.at_identifier():
            hint = f"the name of a {what} is expected here"
            if token.kind is Kind.WORD and token.text not in CLAUSE_WORDS:
                raise self.reserved(token)
            if token.kind is Kind.STRING and '"' not in token.text:
                hint += f'; names are quoted with double quotes: "{token.text[:80]}"'
            elif token.kind is Kind.WORD:
                hint += f'; as a name it is written in double quotes: "{token.raw.lower()}"'
            raise self.unexpected(hint)
        self.advance()
        return Name(
            token.at, token.text if token.kind is Kind.QUOTED else token.raw, token.kind is Kind.QUOTED
        )

    def dotted(self, most: int, what: str) -> tuple[Name, ...]:
        """Up to `most` identifiers with dots between them."""
        names = [self.identifier(what)]
        while self.at_symbol(".") and not self.follows_symbol("*"):
            self.advance()
            names.append(self.identifier(what))
        if len(names) > most:
            raise ADQLError(f"the name of a {what} has at most {most} parts", names[most].at)
        return tuple(names)

    def number(self, token: Token) -> int | float:
        """The value of a number token."""
        if token.raw.isdigit():
            if len(token.raw.lstrip("0")) <= 19 and (value := int(token.raw)) <= MAX_INTEGER:
                return value
            hint = f"integers go up to {MAX_INTEGER}; write it as a floating point number, as in 1e20"
            raise ADQLError("the integer is too large", token.at, hint)
        real = float(token.raw)
        if isinf(real):
            raise ADQLError("the number is too large", token.at, "numbers go up to about 1.8e308")
        return real

    def unsigned_integer(self, what: str) -> int:
        """An integer literal; `what` names it in errors."""
        token = self.current
        if token.kind is not Kind.NUMBER or not token.raw.isdigit():
            raise self.unexpected(f"{what} takes an unsigned integer")
        self.advance()
        return int(self.number(token))

    def unexpected(self, hint: str, *, wanted: str = "", words: Iterable[str] = ()) -> ADQLError:
        """The error for the current token, which cannot stand here.

        It stands where `wanted` is expected, or where one of the `words` of the grammar could stand.
        """
        token = self.current
        pair = self._pair()
        if pair is not None:
            text, start = pair
            return ADQLError(f"unexpected {text}", (start, start + 2), PAIRS[text])
        hints = [hint, WORDS.get(token.text, "") if token.kind is Kind.WORD else ""]
        if not wanted and hints[1]:
            del hints[0]
        for near in self._tokens[max(0, self._index - 1) : self._index + 1]:
            meant = resembling(near.raw, [wanted, *words]) if near.kind is Kind.WORD else ""
            if meant and near.text not in RESERVED_WORDS:
                hints.append(f"is {near.raw} meant to be {meant}?")
                break
        shown = "the query ends too early"
        if token.kind is not Kind.END:
            shown = f"unexpected {_NAMES.get(token.raw, token.raw[:80])}"
        message = f"{shown}, expected {_NAMES.get(wanted, wanted)}" if wanted else shown
        return ADQLError(message, token.at, "; ".join(filter(None, hints)))

    def _pair(self) -> tuple[str, int] | None:
        """Two symbols of other dialects at the current token, and where they begin."""
        for index in (self._index - 1, self._index):
            first, second = self._tokens[index], self._tokens[min(index + 1, len(self._tokens) - 1)]
            text = first.raw + second.raw
            if index >= 0 and text in PAIRS and first.at[1] == second.start:
                return text, first.start
        return None

    def reserved(self, token: Token) -> ADQLError:
        """The error for a reserved word where an identifier or value should be."""
        hint = f'as a name it is written in double quotes: "{token.raw.lower()}"'
        foreign = VALUES.get(token.text)
        return ADQLError(
            f"{token.raw} is a reserved word of ADQL", token.at, f"{foreign}; {hint}" if foreign else hint
        )
