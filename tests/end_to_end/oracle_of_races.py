"""What a race may not have done, by the order of the ledger. The oracle knows nothing of policies.

* No sealed release holds an item of somebody who refused at an earlier position, or one in the scope of an order that
  is in force at its position.
* No lease is granted on a release that holds items in the scope of an order that is in force at its fence, or of one
  that was lifted by then and that the release was sealed before.
* No lease is renewed that an order hits which was acknowledged before the renewal was asked for: one that was issued
  under the lease, one that is still in force, or one that the release was sealed before.
* An amendment takes out all that was refused with reach `everything` before the position it covers, nothing that nobody
  refused so, and brings nothing back. Of one release there is one of each number.
* Whoever is granted or renewed a lease is told an amendment that covers every such refusal of before it was asked for.
* Once such a refusal is acknowledged, every release that was sealed before it is amended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from consentry.bootstrap import Deployment
from consentry.errors import ConsentryError
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade
from consentry.ledger.lineage_events import ReleaseAmended
from consentry.ledger.oversight_events import LeaseGranted, OrderEnd, OrderEnded, OrderIssued
from consentry.ledger.release_events import ReleaseSealed
from consentry.policy.vocabulary import Reach

PLACES = ("US", "GB", "BR", "IN", "CA")
CATEGORIES = ("post", "image")
PEOPLE = 300
ITEMS = 2 * PEOPLE
_NEVER = 1 << 62
Mask = npt.NDArray[np.bool_]


def author(item: int) -> int:
    """Return the person of an item; of each person one item is a post and one an image."""
    return item % PEOPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A holder was told that its lease holds: asked for when the ledger held `before` events, answered at `after`."""

    what: str
    release: str
    fence: int
    before: int
    after: int
    amendment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A refusal that reaches everything was acknowledged when the ledger held `after` events."""

    person: int
    after: int


class _Order(NamedTuple):
    name: str
    issued: int
    ended: int
    scope: Mask
    in_error: bool = False

    def bars(self, sealed: int) -> bool:
        """Say whether what was sealed at a position may not be read again once the order has ended."""
        return sealed < self.issued and not self.in_error


class _Amended(NamedTuple):
    stands: int
    removed: Mask


class Oracle:
    """What each item is, by the numbers they were made from, and what the ledger says of them."""

    def __init__(self, deployment: Deployment) -> None:
        self._control = deployment.control
        self._people = {deployment.person(str(number)): number for number in range(PEOPLE)}
        items = np.arange(ITEMS)
        self._author = items % PEOPLE
        self._place = self._author % len(PLACES)
        self._image = items >= PEOPLE
        self._refused = np.zeros(PEOPLE, dtype=np.bool_)
        self._withdrew = np.full(PEOPLE, _NEVER)
        self._orders: dict[str, _Order] = {}
        self._sealed: dict[str, int] = {}
        self._amended: dict[str, list[_Amended]] = {}
        self._included = cache(self._read)
        self._hit = cache(lambda order, release: bool((self._included(release) & self._orders[order].scope).any()))

    def contradictions(
        self, events: Iterator[Event], *, answers: Iterable[Answered], withdrawn: Iterable[Withdrawn]
    ) -> list[str]:
        """Return what contradicts what stands before it, each in a few words."""
        found = [each for event in events for each in self._take(event)]
        found += [each for answer in answers for each in self._of_answer(answer)]
        return found + [each for said in withdrawn for each in self._of_acknowledgement(said)]

    def _take(self, event: Event) -> Iterator[str]:
        """Take one event in, and say what it contradicts."""
        body = event.body
        if isinstance(body, ChoiceMade):
            number = self._people[body.person]
            self._refused[number] = True
            if body.choice.reach is Reach.EVERYTHING:
                self._withdrew[number] = min(self._withdrew[number], event.position)
        elif isinstance(body, OrderIssued):
            scope = np.isin(self._place, [PLACES.index(area) for area in body.areas])
            scope = scope & self._image if body.categories else scope
            self._orders[body.order] = _Order(body.order, event.position, _NEVER, scope)
        elif isinstance(body, OrderEnded):
            in_error = body.how is OrderEnd.WITHDRAWN
            self._orders[body.order] = self._orders[body.order]._replace(ended=event.position, in_error=in_error)
        elif isinstance(body, ReleaseSealed | LeaseGranted):
            # A lease may be granted on a release of before somebody refused: that is what amendments are for.
            against = np.zeros(ITEMS, dtype=np.bool_)
            if isinstance(body, ReleaseSealed):
                against = self._refused[self._author]
                self._sealed[body.release] = event.position
            sealed = self._sealed.get(body.release, _NEVER)
            for order in self._orders.values():
                if order.ended == _NEVER or order.bars(sealed):
                    against = against | order.scope
            if (self._included(body.release) & against).any():
                yield f"{event.kind} at {event.position}"
        elif isinstance(body, ReleaseAmended):
            yield from self._of_amendment(body, event.position)

    def _of_amendment(self, body: ReleaseAmended, stands: int) -> Iterator[str]:
        what = f"amendment {body.number} of {body.release} at {stands}"
        known = self._amended.setdefault(body.release, [])
        if body.number != len(known) + 1:
            yield f"{what}: there are {len(known)} before it"
            return
        before = known[-1].removed if known else np.zeros(ITEMS, dtype=np.bool_)
        removed = self._removed(body)
        known.append(_Amended(stands, removed))
        said = self._withdrew[self._author]
        if (self._included(body.release) & (said < body.position) & ~removed).any():
            yield f"{what}: it leaves in what was withdrawn before {body.position}"
        if (removed & (said >= stands)).any():
            yield f"{what}: it takes out what nobody withdrew"
        if (before & ~removed).any():
            yield f"{what}: it brings something back"

    def _of_answer(self, answer: Answered) -> Iterator[str]:
        """Say what was granted or renewed against what was acknowledged before it was asked for."""
        what = f"one of {answer.what} on {answer.release}, asked for at {answer.before}"
        for order in self._orders.values():
            barred = order.bars(self._sealed.get(answer.release, _NEVER))
            under = barred or answer.fence < order.issued or order.ended >= answer.after
            if order.issued < answer.before and under and self._hit(order.name, answer.release):
                yield f"{what}: {order.name} hits it"
        told = self._amended.get(answer.release, [])[: answer.amendment]
        if self._left_in(answer.release, told, before=answer.before).any():
            yield f"{what}: amendment {answer.amendment} leaves in what was withdrawn"

    def _of_acknowledgement(self, said: Withdrawn) -> Iterator[str]:
        """Say which releases still held what was withdrawn when that was acknowledged."""
        position = int(self._withdrew[said.person])
        for release, sealed in self._sealed.items():
            told = [each for each in self._amended.get(release, []) if each.stands < said.after]
            left = self._left_in(release, told, before=position + 1)
            if sealed < position and left[said.person :: PEOPLE].any():
                yield f"withdrawal at {position}: {release} held it when that was acknowledged at {said.after}"

    def _left_in(self, release: str, told: Sequence[_Amended], *, before: int) -> Mask:
        """Return the items that were withdrawn before a position and that a release still holds."""
        removed = told[-1].removed if told else np.zeros(ITEMS, dtype=np.bool_)
        return self._included(release) & (self._withdrew[self._author] < before) & ~removed

    def _read(self, release: str) -> Mask:
        """Return which items are in a release as it was sealed, by its bitmaps."""
        try:
            opened = self._control.releases.open(release)
            return np.concatenate([~_mask(opened.bitmap(file), file.pin.rows) for file in opened.manifest.files])
        except ConsentryError:
            # Without the head lock one release overwrites another: of what cannot be read nothing is claimed.
            return np.zeros(ITEMS, dtype=np.bool_)

    def _removed(self, body: ReleaseAmended) -> Mask:
        """Return which items left a release, by the bitmaps of an amendment."""
        try:
            files = self._control.releases.open(body.release).manifest.files
            removed = [
                self._control.amendments.rows(body.release, index, number=body.number) for index in range(len(files))
            ]
        except ConsentryError:
            return np.zeros(ITEMS, dtype=np.bool_)
        return np.concatenate([_mask(each, file.pin.rows) for each, file in zip(removed, files, strict=True)])


def _mask(bitmap: bytes, rows: int) -> Mask:
    mask = np.zeros(rows, dtype=np.bool_)
    if bitmap:
        mask[np.array(BitMap64.deserialize(bitmap), dtype=np.int64)] = True
    return mask
