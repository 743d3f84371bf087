"""The items of one person, decided one by one: what of theirs may be used now, and why the rest may not.

Rows are found by postings, so it costs what the person has, however much there is. The answer about a row is that of
the evaluator. What it depends on is the same for most rows of a person, so most are answered from memory.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.pseudonym import key_of
from consentry.corpus.sidecar import Sidecar
from consentry.ledger.events import Pseudonym
from consentry.policy.choice import LiveChoice, Seconds
from consentry.policy.evaluator import Decision
from consentry.policy.expressions import Item
from consentry.policy.vocabulary import Category, Visibility
from consentry.release.basis import Asked


class OwnItem(NamedTuple):
    """One item of a person, and what is decided about it.

    Attributes:
        row: its position in its file.
        category: what kind of content it is; `visibility` is who could see it.
        created: when it was created; None if unknown.
        decision: about the person it is by.
        others: whether it is left out because of somebody else it involves. Because of what is theirs to know.
    """

    row: int
    category: Category
    visibility: Visibility
    created: Seconds | None
    decision: Decision
    others: bool

    @property
    def used(self) -> bool:
        """Whether it may be used."""
        return self.decision.allowed and not self.others


@dataclass(slots=True)
class OwnItems:
    """Decides rows by one person. `asked` holds the rules and what is known, `said` all choices of the person."""

    asked: Asked
    said: Sequence[LiveChoice]
    _mine: dict[tuple[int, int, int, str, bool], Decision] = field(default_factory=dict)
    _theirs: dict[tuple[int, int, int], Decision] = field(default_factory=dict)

    def of(self, sidecar: Sidecar, seats: npt.NDArray[np.uint32]) -> Iterator[OwnItem]:
        """Yield the items of a file that are by the person in any of `seats`, in file order."""
        rows = sidecar.rows_of(seats)
        owned = rows[np.isin(sidecar.person[rows], seats)]
        cuts, named = self._cuts(), _by_key(self.said)
        objected = {key_of(each) for each in self.asked.knowledge.excluded}
        created = [UNKNOWN_DATE] * owned.size if sidecar.created is None else sidecar.created[owned].tolist()
        first, last = (np.searchsorted(sidecar.involved_row, owned, side=side) for side in ("left", "right"))
        columns = [each[owned].tolist() for each in (sidecar.person, sidecar.klass, sidecar.item)]
        spans = zip(first.tolist(), last.tolist(), strict=True)
        for row, owner, code, key, at, (start, stop) in zip(owned.tolist(), *columns, created, spans, strict=True):
            kind = self.asked.items[code]
            made = None if at == UNKNOWN_DATE else at
            excluded = key in objected
            item = Item(category=kind.category, visibility=kind.visibility, created=made, objected=excluded)
            alike = code, -1 if made is None else bisect_right(cuts, made)
            mine = owner, *alike, named.get(key, ""), excluded
            if mine not in self._mine:
                self._mine[mine] = self.asked.for_seat(owner, item, item_key=mine[3])
            seats_of_others = sidecar.involved_person[start:stop].tolist()
            others = any(not self._about(seat, item, alike, key).allowed for seat in seats_of_others)
            yield OwnItem(row, kind.category, kind.visibility, made, self._mine[mine], others)

    def _about(self, seat: int, item: Item, alike: tuple[int, int], key: int) -> Decision:
        """Decide for somebody else whom an item involves."""
        known = self.asked.knowledge
        if seat in known.single:
            return self.asked.for_seat(seat, item, item_key=_by_key(known.single[seat]).get(key, ""))
        code = int(known.classes.codes[seat])
        facts = known.classes.members[code]
        if facts is not None and facts.standing(self.asked.compiler.purpose, item.category).since is not None:
            return self.asked.for_seat(seat, item, item_key="")
        if (code, *alike) not in self._theirs:
            self._theirs[code, *alike] = self.asked.for_seat(seat, item, item_key="")
        return self._theirs[code, *alike]

    def _cuts(self) -> list[Seconds]:
        """Return the times between which it makes no difference when an item was created."""
        rules = (at for rule in self.asked.compiler.rules for at in (rule.created_from, rule.created_before))
        return sorted({*(at for at in rules if at is not None), *(choice.at for choice in self.said)})


def _by_key(said: Sequence[LiveChoice]) -> Mapping[int, Pseudonym]:
    """Return the items that somebody chose about one by one, by what sidecars keep of them."""
    items = {choice.key.item for choice in said if choice.key.item is not None}
    return {key_of(item): item for item in items}
