"""Translations that are kept: which, for how long, and how many."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from schema.model import Catalogue, Column, Schema, Table
from schema.types import INTEGER
from vo_server.adql import ADQLError, translate
from vo_server.adql.cache import TranslationCache

QUERY = "SELECT obs_id, s_ra FROM sky.obs WHERE target = 'Crab'"


def test_the_same_query_is_translated_once(catalogue: Catalogue) -> None:
    cache = TranslationCache()
    first = cache.translate(QUERY, catalogue, limit=10)
    assert first == translate(QUERY, catalogue, limit=10)
    assert cache.translate(QUERY, catalogue, limit=10) is first
    other = cache.translate(QUERY, catalogue, limit=11)
    assert other.sql.endswith("LIMIT 11")
    assert cache.translate(QUERY.replace("Crab", "crab"), catalogue, limit=10).parameters == ("crab",)
    assert len(cache) == 3


def test_another_catalogue_begins_anew(catalogue: Catalogue) -> None:
    cache = TranslationCache()
    query = "SELECT * FROM far.things"
    kept = cache.translate(QUERY, catalogue)
    with pytest.raises(ADQLError, match="unknown table"):
        cache.translate(query, catalogue)
    things = Table("far", "things", (Column("a", INTEGER),))
    more = Table("far", "things", (Column("a", INTEGER), Column("b", INTEGER)))
    for table in (things, more):
        changed = catalogue.extended([Schema("far", (table,))])
        names = [c.name for c in cache.translate(query, changed).columns]
        assert names == [c.name for c in table.columns]
        assert len(cache) == 1
    assert cache.translate(QUERY, catalogue) is not kept


def test_errors_are_not_kept(catalogue: Catalogue) -> None:
    cache = TranslationCache()
    for _ in range(2):
        with pytest.raises(ADQLError, match="unknown column s_rah"):
            cache.translate("SELECT s_rah FROM sky.obs", catalogue)
    assert len(cache) == 0


def test_the_oldest_goes_first(catalogue: Catalogue) -> None:
    cache = TranslationCache(entries=3)
    kept = [cache.translate(QUERY, catalogue, limit=n) for n in range(3)]
    assert cache.translate(QUERY, catalogue, limit=0) is kept[0]
    cache.translate(QUERY, catalogue, limit=3)
    assert len(cache) == 3
    assert cache.translate(QUERY, catalogue, limit=0) is kept[0]
    assert cache.translate(QUERY, catalogue, limit=2) is kept[2]
    assert cache.translate(QUERY, catalogue, limit=1) is not kept[1]


def test_long_ones_are_not_kept(catalogue: Catalogue) -> None:
    size = len(QUERY) + len(translate(QUERY, catalogue).sql)
    for length, kept in ((size, 1), (size - 1, 0)):
        cache = TranslationCache(length=length)
        assert cache.translate(QUERY, catalogue) == translate(QUERY, catalogue)
        assert len(cache) == kept


def test_resolved_names_are_not_kept(catalogue: Catalogue) -> None:
    cache = TranslationCache()
    asked: list[str] = []

    def resolver(lon: float) -> Callable[[str], tuple[float, float]]:
        def resolve(name: str) -> tuple[float, float]:
            asked.append(name)
            return lon, 22.0

        return resolve

    query = "SELECT DISTANCE(IVO_SIMBADPOINT('M 1'), POINT(s_ra, s_dec)) FROM sky.obs"
    first = cache.translate(query, catalogue, resolve=resolver(83.5))
    second = cache.translate(query, catalogue, resolve=resolver(84.5))
    assert "83.5" in first.sql
    assert "84.5" in second.sql
    assert asked == ["M 1", "M 1"]
    assert len(cache) == 0


def test_many_threads_get_what_they_ask_for(catalogue: Catalogue) -> None:
    cache = TranslationCache(entries=5)
    other = catalogue.extended([])

    def ask(n: int) -> bool:
        known = other if n % 50 == 0 else catalogue
        return cache.translate(QUERY, known, limit=n % 9) == translate(QUERY, known, limit=n % 9)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(2_000)))
    assert 1 <= len(cache) <= 5
