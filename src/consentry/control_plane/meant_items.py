"""What single items are before they are excluded for good: whoever answers an objection sees what it would take."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np

from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.control_plane.removals import Removals
from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.registration import open_corpus
from consentry.errors import ConsentryError, InputError, NotFoundError
from consentry.ledger.events import Pseudonym
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release.explain import Found, find


@dataclass(frozen=True, slots=True, kw_only=True)
class MeantItem:
    """An item as the corpus has it.

    Attributes:
        owner: the pseudonym of whom it is by; None if nobody knows.
        releases: those that hold it now and that it would leave.
        unread: those whose files cannot be read, so that nobody knows.
    """

    id: str = field(repr=False)
    category: Category
    visibility: Visibility
    created: Seconds | None
    owner: Pseudonym | None
    releases: tuple[str, ...]
    unread: tuple[str, ...]


class MeantItems:
    """Looks at items of a corpus, and records nothing."""

    def __init__(self, desk: Desk, *, archive: Archive, removals: Removals) -> None:
        self._desk = desk
        self._archive = archive
        self._removals = removals

    def look(self, corpus: str, items: Collection[str], *, purpose: Purpose) -> list[MeantItem]:
        """Return what items are, and which releases for a purpose or one below it hold them, in the order given.

        Raises:
            NotFoundError: the corpus, or one of the items, is not known.
            InputError: none is named.
        """
        if corpus not in self._desk.present().state.corpora:
            raise NotFoundError(
                "corpus-unknown", f"no corpus `{corpus}`", help="register it: consentry corpus register"
            )
        if not items:
            raise InputError("objection-no-items", "no item is named", help="name at least one item of the corpus")
        opened = open_corpus(self._desk.corpora, corpus)
        named = self._desk.parts.pseudonyms
        found = {each: find(opened, each, key=named.item(corpus, each)) for each in dict.fromkeys(items)}
        holding, unread = self._holding(corpus, list(found.values()), purpose=purpose)
        return [
            MeantItem(
                id=item,
                category=opened.items[int(at.sidecar.klass[at.row])].category,
                visibility=opened.items[int(at.sidecar.klass[at.row])].visibility,
                created=_created(at),
                owner=next(iter(self._desk.accounts(self._desk.present(), int(at.sidecar.person[at.row]))), None),
                releases=tuple(holding[index]),
                unread=unread,
            )
            for index, (item, at) in enumerate(found.items())
        ]

    def _holding(self, corpus: str, found: list[Found], *, purpose: Purpose) -> tuple[list[list[str]], tuple[str, ...]]:
        """Return for each item the releases that hold it, and those that cannot be read."""
        holding: list[list[str]] = [[] for _ in found]
        unread = []
        for name, sealed in self._archive.sealed().items():
            if sealed.withdrawn is not None:
                continue
            try:
                for index in self._held(name, corpus, found, purpose=purpose):
                    holding[index].append(name)
            except (ConsentryError, OSError):
                unread.append(name)
        return holding, tuple(unread)

    def _held(self, name: str, corpus: str, found: list[Found], *, purpose: Purpose) -> Iterator[int]:
        release = self._archive.remembered(name)
        if release.manifest.corpus != corpus or not purpose.covers(release.manifest.purpose):
            return
        removed = self._removals.removed(self._desk.newest.amendments.newest(name))
        numbers = {file.pin: number for number, file in enumerate(release.manifest.files)}
        for index, at in enumerate(found):
            number = numbers.get(at.sidecar.pin)
            if number is None or at.row in removed.get(number, ()):
                continue
            left_out = release.left_out({number: np.array([at.row], dtype=np.int64)})[number]
            if not left_out[0]:
                yield index


def _created(at: Found) -> Seconds | None:
    stored = UNKNOWN_DATE if at.sidecar.created is None else int(at.sidecar.created[at.row])
    return None if stored == UNKNOWN_DATE else stored
