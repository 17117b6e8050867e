"""Translations kept for queries that come again, as those of a program that looks around do."""

import threading
from collections import OrderedDict

from schema.model import Catalogue
from vo_server.adql.objects import SIMBADPOINT, Resolve
from vo_server.adql.translation import Translation, translate

MAX_ENTRIES = 256
"""Most translations that are kept."""

MAX_LENGTH = 20_000
"""Longest text and SQL together of a translation that is kept, in characters."""


class TranslationCache:
    """The last translations for one catalogue; another catalogue begins anew. Safe for threads.

    With the bounds on number and length it takes at most MAX_ENTRIES * MAX_LENGTH characters, and the
    columns that so long a statement can have.
    """

    def __init__(self, entries: int = MAX_ENTRIES, length: int = MAX_LENGTH) -> None:
        self._entries = entries
        self._length = length
        self._lock = threading.Lock()
        self._catalogue: Catalogue | None = None
        self._kept: OrderedDict[tuple[str, int | None], Translation] = OrderedDict()

    def __len__(self) -> int:
        """How many translations are kept."""
        return len(self._kept)

    def translate(
        self, text: str, catalogue: Catalogue, *, limit: int | None = None, resolve: Resolve | None = None
    ) -> Translation:
        """As `translation.translate`, of which it keeps the result.

        Errors are not kept, nor is what `resolve` had a part in: objects and services change.
        """
        if SIMBADPOINT.name in text.lower():
            return translate(text, catalogue, limit=limit, resolve=resolve)
        key = (text, limit)
        with self._lock:
            if self._catalogue is not catalogue:
                self._catalogue = catalogue
                self._kept.clear()
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        translation = translate(text, catalogue, limit=limit, resolve=resolve)
        if len(text) + len(translation.sql) <= self._length:
            self._keep(key, catalogue, translation)
        return translation

    def _keep(self, key: tuple[str, int | None], catalogue: Catalogue, translation: Translation) -> None:
        with self._lock:
            # Another thread may have come with another catalogue meanwhile.
            if self._catalogue is catalogue:
                self._kept[key] = translation
                while len(self._kept) > self._entries:
                    self._kept.popitem(last=False)
