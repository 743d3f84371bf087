"""The list of a person's own items: which of them, in which order, and a page of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import U32
from consentry.policy.vocabulary import Category
from consentry.release.own_items import Appearing, OwnItem, OwnItems

PAGE_ITEMS = 25
Own = tuple[Corpus, int, OwnItem]
"""An item with its corpus and the number of its file in it."""


class OwnFile(NamedTuple):
    """A content file, in which what is by or about a person is decided: in the rows `mine` and `beside`."""

    corpus: Corpus
    number: int
    deciding: OwnItems
    mine: U32
    beside: U32

    def own(self) -> Iterator[Own]:
        """Yield the items by the person, in file order."""
        for item in self.deciding.of(self.corpus.sidecars[self.number], self.mine):
            yield self.corpus, self.number, item

    def appearing(self) -> Iterator[tuple[int, Appearing]]:
        """Yield the items by others that involve the person, with what sidecars keep of their ids."""
        sidecar = self.corpus.sidecars[self.number]
        for item in self.deciding.appearing(sidecar, self.beside):
            yield int(sidecar.item[item.row]), item


@dataclass(frozen=True, slots=True, kw_only=True)
class OneItem:
    """An item as its owner sees it. `id` is the platform's; None if the file cannot be read now."""

    corpus: str
    id: str | None
    key: str
    item: OwnItem


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """Some items of `total`; `categories` are all that the person has, with how many."""

    items: Sequence[OneItem]
    total: int
    number: int
    pages: int
    categories: Mapping[Category, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which items somebody wants to see, and in which order: newest or oldest first, those without a date last.

    `used`: only those that may be used, or only the others.
    """

    category: Category | None = None
    used: bool | None = None
    oldest_first: bool = False

    def of(self, every: Iterable[Own]) -> list[Own]:
        """Return those items in this order."""
        return sorted((each for each in every if self._fits(each[2])), key=self._place)

    def _fits(self, item: OwnItem) -> bool:
        return (self.category is None or item.category is self.category) and self.used in (None, item.used)

    def _place(self, own: Own) -> tuple[bool, int, str, int, int]:
        corpus, number, item = own
        at = item.created or 0
        return item.created is None, at if self.oldest_first else -at, corpus.name, number, item.row
