"""Queries with a few of their tokens missing, doubled, swapped or exchanged."""

import random
import re
from collections.abc import Callable

TOKEN = re.compile(r"\s+|--[^\n]*|\"[^\"]*\"|'[^']*'|[A-Za-z_]\w*|[0-9.]+|[<>!|]+=?|.", re.DOTALL)

STRAY = """
SELECT DISTINCT TOP FROM WHERE GROUP BY HAVING ORDER OFFSET UNION EXCEPT INTERSECT ALL WITH AS JOIN NATURAL
LEFT FULL USING ON AND OR NOT IN IS NULL LIKE BETWEEN EXISTS CAST COUNT MIN COALESCE CASE WHEN END POINT
CONTAINS DISTANCE ( ) , . ; * + - / || = <> < 'a' '' 1 0 2.5 1e400 99999999999999999999 sky.obs obs hea o
obs_id s_ra s_region target released "Mixed" "s_ra"
""".split()


def _drop(tokens: list[str], at: int, _: random.Random) -> None:
    del tokens[at]


def _double(tokens: list[str], at: int, _: random.Random) -> None:
    tokens.insert(at, tokens[at])


def _swap(tokens: list[str], at: int, draw: random.Random) -> None:
    other = draw.randrange(len(tokens))
    tokens[at], tokens[other] = tokens[other], tokens[at]


def _exchange(tokens: list[str], at: int, draw: random.Random) -> None:
    tokens[at] = f" {draw.choice(STRAY)} "


def _insert(tokens: list[str], at: int, draw: random.Random) -> None:
    tokens.insert(at, f" {draw.choice(STRAY)} ")


def _echo(tokens: list[str], at: int, draw: random.Random) -> None:
    tokens[at] = draw.choice(tokens)


CHANGES: tuple[Callable[[list[str], int, random.Random], None], ...] = (
    _drop,
    _double,
    _swap,
    _exchange,
    _insert,
    _echo,
)


def mutated(text: str, draw: random.Random) -> str:
    """`text` after one to three changes."""
    tokens = TOKEN.findall(text)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(tokens))
        draw.choice(CHANGES)(tokens, at, draw)
        tokens = tokens or [""]
    return "".join(tokens)
