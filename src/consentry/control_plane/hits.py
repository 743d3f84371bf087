"""What orders hit: which sealed releases hold something in their scope, and whose leases stop by that.

A release is *barred* if an order in force hits it, or one did that was lifted or narrowed since and the release was
sealed before it: what was given back was given back on other terms than it was decided by (`Order.bars`).

Hit is what is hit by what was known when the release was sealed, or since while the order was in force, or now
(`once_known.py`): nobody comes out of an order by people being loaded or content being registered anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.control_plane.found_hits import FoundHits
from consentry.control_plane.known import Known
from consentry.control_plane.once_known import items_of
from consentry.control_plane.order_rows import OrderRows
from consentry.control_plane.removals import Removals
from consentry.errors import ConsentryError
from consentry.ledger.state import Registered
from consentry.oversight.lease import Lease
from consentry.oversight.order import Order, Scope
from consentry.policy.choice import Seconds
from consentry.policy.jurisdictions import contains
from consentry.release.change import Seats
from consentry.release.manifest import ReleaseFile
from consentry.release.sealed import SealedRelease
from consentry.release.tallies import NOBODY_PLACE, UNRESOLVED_PLACE, Kind

_APART = "|"
_NEVER = Registered("", 0)
_PATIENCE = 20
"""After how many times as long as an error took it is looked again."""
_NO_SEATS: Seats = np.empty(0, dtype=np.uint32)


class _Question(NamedTuple):
    """Whether an order hits a release, by what is known: what the answer depends on."""

    order: str
    release: str
    joined: int
    links: int
    erased: int
    """The position of the newest erasure."""
    amended: int
    registered: int
    """Where the corpus was registered: its columns may mean something else since, or a damaged sidecar was mended."""
    decided: bool
    """The release was sealed while the order was in force: only who was joined with somebody since can be hit, or what
    was registered with other columns."""


class _Answer(NamedTuple):
    """What came of a question, by what was known at a position."""

    question: _Question | None
    """None: nobody was joined with anybody since the release was decided, and nothing was registered."""
    position: int
    hit: bool
    looked: frozenset[Path] = frozenset()
    """The sidecars that were looked through."""
    always: bool = False
    """It was found that it is hit, and that stays so: by the counts of the release, or while the order is in force."""
    until: float | None = None
    """When it is to be looked again, by the time since the machine was booted: something could not be read."""


class _Found(NamedTuple):
    """Whether rows of a release are hit, or may be as nobody knows, and the sidecars that were looked through."""

    hit: bool
    for_sure: bool = False
    looked: frozenset[Path] = frozenset()


class Hits:
    """Answers whether an order hits a release, and remembers the newest answer about each order and release.

    When people were linked since, only they are looked at: nobody else can have moved into the scope of the order.
    """

    def __init__(self, desk: Desk, *, archive: Archive, removals: Removals) -> None:
        self.desk = desk
        self.archive = archive
        self.removals = removals
        self._found = FoundHits(desk.parts.home / "hits")
        self._known: dict[tuple[str, str], _Answer] = {}
        self._scans: dict[tuple[str, str], Lock] = {}

    def hitting(self, lease: Lease) -> Order | None:
        """Return an order that makes a lease stop, if there is one.

        One that was issued under it does even if it has ended since. An older one does if it bars the release: people
        may have moved into its areas.
        """
        return next(self.all_hitting(lease), None)

    def all_hitting(self, lease: Lease) -> Iterator[Order]:
        """Yield every order that makes a lease stop. The caller holds the lock."""
        sealed = self.desk.newest.state.releases[lease.release].position
        for order in self.desk.newest.overseen.orders.that_may_bar(sealed):
            if self._stops(order, lease.release, lease.fence) and self._about(order, lease):
                yield order

    def hitting_since(self, lease: Lease, position: int) -> list[Order]:
        """Return the orders that make a lease stop, oldest first, up to the first that came after a position.

        The caller holds the lock.
        """
        found: list[Order] = []
        for order in self.all_hitting(lease):
            found.append(order)
            if order.position > position:
                break
        return found

    def _about(self, order: Order, lease: Lease) -> bool:
        return self.names(order, lease.model, at=lease.fence) and self.hit(order, lease.release)

    def still_read(self) -> set[str]:
        """Return the orders that hit what somebody reads whose lease is not over.

        INVARIANT: the caller does not hold the lock.
        """
        self.foresee()
        with self.desk.lock:
            return {
                each.order for lease in self.desk.present().overseen.leases.open() for each in self.all_hitting(lease)
            }

    def names(self, order: Order, model: str, *, at: int | None = None) -> bool:
        """Say whether an order is about a model, or about one that it is built on.

        For a lease `at` is its fence: a remedy that is done later gives nothing back to it.
        """
        return not order.scope.models or order.scope.names(self.desk.newest.overseen.lineage.ancestry(model, at=at))

    def _stops(self, order: Order, release: str, fence: int) -> bool:
        """Say whether an order makes a lease with this fence stop, if it hits the release."""
        return order.position > fence or order.bars(self.desk.newest.state.releases[release].position)

    def barring(self, release: str, *, model: str | None = None) -> Order | None:
        """Return an order that bars a release for the training of a model, or for any reader; None if there is none.

        One in force comes first.
        """
        with self.desk.lock:
            self.desk.present()
            orders = self._may_bar(release, model)
        return next((order for order in orders if self.hit(order, release)), None)

    def barring_by_now(self, release: str, *, model: str) -> Order | None:
        """Return the same by what is known, without reading the ledger. The caller holds the lock, after `foresee`."""
        return next((order for order in self._may_bar(release, model) if self.hit(order, release)), None)

    def bars(self, order: Order, release: str) -> bool:
        """Say whether an order bars a release, whatever model is trained."""
        with self.desk.lock:
            sealed = self.desk.newest.state.releases[release].position
        return order.bars(sealed) and order.scope.names(None) and self.hit(order, release)

    def barred_for_good(self, release: str) -> bool:
        """Say whether a release may not be read again, whichever orders in force end."""
        with self.desk.lock:
            orders = [each for each in self._may_bar(release, None) if each.ended is not None]
        return any(self.hit(order, release) for order in orders)

    def _may_bar(self, release: str, model: str | None) -> list[Order]:
        """Return the orders that bar a release if they hit it, those in force first. The caller holds the lock."""
        sealed = self.desk.newest.state.releases[release].position
        orders = [order for order in self.desk.newest.overseen.orders.that_may_bar(sealed) if order.bars(sealed)]
        found = [each for each in orders if (each.scope.names(None) if model is None else self.names(each, model))]
        return sorted(found, key=lambda order: order.ended is not None)

    def hit(self, order: Order, release: str) -> bool:
        """Say whether a release holds items in the scope of an order, by what was known then or what is known now.

        A release that was sealed after the order was decided by it: only who moved or was linked since can be hit. That
        is not so for an order that names models, as a release is for none.
        """
        return self.concerns(order, release) and self.holds(order, release)

    def concerns(self, order: Order, release: str) -> bool:
        """Say whether an order is about the purpose of a release."""
        return order.scope.concerns(self.desk.newest.state.releases[release].purpose)

    def found_out(self, order: Order, release: str) -> bool:
        """Say what `holds` does; of those who ask at a time one looks, and the others wait for that.

        INVARIANT: the caller does not hold the lock: whoever looks takes it now and then.
        """
        with self._scans.setdefault((order.order, release), Lock()):
            return self.holds(order, release)

    def holds(self, order: Order, release: str) -> bool:
        """Say the same, whatever purposes the order is about: for the use of what was trained on the release."""
        with self.desk.lock:
            question = self._asked_of(order, release)
            known = self._known.get((order.order, release))
            if question is None:
                known = _Answer(None, 0, hit=False)
            if known is not None and known.question == question and not self._expired(known):
                # Nobody moved or was linked since, whatever else was said.
                self._known[order.order, release] = known._replace(position=self.desk.newest.position)
                return known.hit
            assert question is not None, "where nobody was joined the answer is known"
        found = self._known[order.order, release] = self._answer(order, question, earlier=known)
        return found.hit

    def _answer(self, order: Order, question: _Question, *, earlier: _Answer | None) -> _Answer:
        """Look, by what is known from here on; where nothing was hit earlier, only at those who changed since."""
        if earlier is not None and earlier.always:
            return earlier._replace(question=question)
        release, began = question.release, self.desk.parts.uptime()
        with self.desk.lock:
            position = self.desk.newest.position
            some = None if earlier is None or earlier.hit else self.desk.newest.changed_since(earlier.position)
        if earlier is None and not question.decided and self._found.noted(order.order, release):
            return _Answer(question, position, hit=True, always=True)
        looked = frozenset() if earlier is None or some is None else earlier.looked
        try:
            if some is None and not question.decided and self.held_then(release, order):
                return _Answer(question, position, hit=True, always=True)
            found = self._rows_hit(release, order, question, some=some, looked=looked)
        except (ConsentryError, OSError):
            # What cannot be read is not known, and what is not known is hit. Nobody else's lease is in doubt by that.
            now = self.desk.parts.uptime()
            return _Answer(question, position, hit=True, until=now + _PATIENCE * (now - began))
        # What leaves a release that was decided by the order may leave nothing in it that is hit.
        always = found.for_sure and not question.decided and order.ended is None
        if always:
            self._found.note(order.order, release)
        return _Answer(question, position, found.hit, found.looked, always)

    def _unanswered(self, order: Order, release: str) -> bool:
        """Say whether somebody has to look. The caller holds the lock."""
        question, known = self._asked_of(order, release), self._known.get((order.order, release))
        return question is not None and (known is None or known.question != question or self._expired(known))

    def _expired(self, known: _Answer) -> bool:
        return known.until is not None and self.desk.parts.uptime() >= known.until

    def _asked_of(self, order: Order, release: str) -> _Question | None:
        """Return by what an answer is remembered, None if a release holds nothing. The caller holds the lock."""
        state = self.desk.newest.state
        sealed, joined = state.releases[release], self.desk.newest.reaching.joined
        decided = sealed.position > order.position and order.scope.concerns(sealed.purpose) and order.scope.names(None)
        registered = state.corpora.get(sealed.corpus, _NEVER)
        if decided and max(joined, registered.position) <= sealed.position:
            return None
        # Where people live changes with their table, and with which accounts are one person. An erasure undoes links.
        amended = len(self.desk.newest.amendments.of(release)) if decided else 0
        newest = (joined, len(state.links), state.newest_erasure, amended, registered.position)
        return _Question(order.order, release, *newest, decided)

    def foresee(self, leases: Iterable[str] | None = None, *, asked: tuple[str, str | None] | None = None) -> None:
        """Find out what orders hit of what is read under leases, all that are open if None.

        `asked`: or of the release that somebody asks for, with a model. It takes time: whoever takes the lock
        afterwards need not hold it for so long, and nobody else waits.

        INVARIANT: the caller does not hold the lock.
        """
        with self.desk.lock:
            overseen = self.desk.present().overseen
            found = overseen.leases.open() if leases is None else [overseen.leases.get(name) for name in leases]
            reads = [(each.release, each.model, each.fence) for each in found if each is not None]
            sealed = {name: self.desk.newest.state.releases[name].position for name, _, _ in reads}
            pairs = [
                (order, release)
                for release, model, fence in reads
                for order in overseen.orders.that_may_bar(sealed[release])
                if self._stops(order, release, fence) and self.names(order, model, at=fence)
            ]
            if asked is not None:
                pairs = [(order, asked[0]) for order in self._may_bar(*asked)]
            # None of other uses: nothing is looked for, and perhaps somebody else does, for the use of a model.
            unknown = dict.fromkeys(pair for pair in pairs if self.concerns(*pair) and self._unanswered(*pair))
        for order, release in unknown:
            self.found_out(order, release)

    def made_to_stop(self, order: Order, present: Known) -> list[Lease]:
        """Return the leases that an order revoked, by what is known, oldest first. The caller holds the lock.

        Those that were open when it was given, and of later ones those in which people moved, or content was registered
        anew, since. Where the end of a lease names one order of several, it is found out whether others hit it.
        """
        leases, holds = present.overseen.leases, cache(partial(self.holds, order))
        later = [each for each in leases.open() if each.fence > order.position]
        later = [each for each in later if self._stops(order, each.release, each.fence)]
        those = (*leases.open_at(order.position), *later, *present.overseen.perhaps_ended_by(order))
        found = (each for each in self._meant(order, those) if holds(each.release))
        every = {each.lease: each for each in (*found, *leases.ended_by(order.order))}
        return sorted(every.values(), key=lambda each: each.fence)

    def unknown_of(self, order: Order, present: Known) -> list[str]:
        """Return the releases, read under leases that are over, of which nobody knows whether an order hits them.

        As far as `made_to_stop` asks. The caller holds the lock, and lets go of it to find that out.
        """
        those = (*present.overseen.leases.open_at(order.position), *present.overseen.perhaps_ended_by(order))
        releases = dict.fromkeys(each.release for each in self._meant(order, those))
        return [each for each in releases if self._unanswered(order, each)]

    def read_under(self, order: Order, present: Known) -> list[Lease]:
        """Return the leases that an order revokes if the release that is read under it holds any of its scope."""
        return self._meant(order, present.overseen.leases.open_at(order.position))

    def _meant(self, order: Order, leases: Iterable[Lease]) -> list[Lease]:
        """Return those of some leases that an order is about, by their models and the purposes of their releases."""
        concerns = cache(partial(self.concerns, order))
        return [each for each in leases if concerns(each.release) and self.names(order, each.model, at=each.fence)]

    def held_then(self, name: str, order: Order) -> bool:
        """Say whether the counts of a release name eligible items in scope. They know no dates."""
        scope = order.scope
        if scope.created_from is not None or scope.created_before is not None:
            return False
        tally = self.archive.remembered(name).tally()
        there = np.array([may_lie_in(place, scope, at=order.at) for place in tally.places], dtype=np.bool_)
        such = np.array([_may_be_such(kind, scope) for kind in tally.kinds], dtype=np.bool_)
        return bool(np.any(tally.allowed & (tally.items > 0) & there[tally.place] & such[tally.kind]))

    def _rows_hit(
        self, name: str, order: Order, question: _Question, *, some: Seats | None, looked: frozenset[Path]
    ) -> _Found:
        """Look for items of a release that the rule of an order may match by what was known or is known of them.

        Of a release that was decided by the order those that left by amendments are none: of who was erased nothing is
        known any more. `some`: only they are looked at in sidecars that were `looked` through before.
        """
        release = self.archive.remembered(name)
        known = items_of(self.archive.at_seal, release.manifest)
        with self.desk.lock:
            sealed = self.desk.newest.state.releases[name].position
            noted = self.desk.newest.amendments.newest(name)
        as_decided = question.decided and question.joined <= sealed
        if as_decided:
            some = _NO_SEATS
        if question.decided and some is not None:
            # By what was known of the items when it was sealed it was decided.
            looked |= {each.folder for each in known.sealed.sidecars}
        with self.desk.parts.watching() as progress:
            rows_of = OrderRows(self.desk, order, progress=progress)
            found = rows_of.of(known, sealed=sealed, some=some, looked=looked)
        left = self.removals.removed(noted) if question.decided else {}
        rows = ((index, file, found.get(file.pin)) for index, file in enumerate(release.manifest.files))
        known_hit = any(
            rows_hit(release, file, found=each, left=left.get(index))
            for index, file, each in rows
            if each is not None and (some is None or each)
        )
        told = found.keys() if question.decided else {each.pin for each in known.registered.sidecars}
        untold = not as_decided and any(file.pin not in told for file in release.manifest.files)
        return _Found(known_hit or untold, known_hit, frozenset(each.folder for each in known.sidecars))


def rows_hit(release: SealedRelease, file: ReleaseFile, *, found: BitMap64 | None, left: BitMap64 | None = None) -> int:
    """Count the rows of a file that a release holds and a rule may match.

    Args:
        release: the release.
        file: one of its files.
        found: the rows that the rule may match; None if nobody knows, which counts as one.
        left: the rows that left the release since.

    Raises:
        IntegrityError: the bitmap of the release is not the one that was sealed.
    """
    if found is None:
        return 1
    out = BitMap64.deserialize(release.bitmap(file)) if file.bitmap.cardinality else BitMap64()
    return found.difference_cardinality(out if left is None else out | left)


def _may_be_such(kind: Kind, scope: Scope) -> bool:
    category = not scope.categories or kind.category in {*scope.categories, "unknown"}
    return category and (not scope.visibilities or kind.visibility in {*scope.visibilities, "unknown"})


def may_lie_in(place: str, scope: Scope, *, at: Seconds) -> bool:
    """Say whether people whose items are counted under a place may be in the areas of a scope."""
    if not scope.areas or place in (NOBODY_PLACE, UNRESOLVED_PLACE):
        return True
    countries = place.split(_APART)
    return any(contains(area, country, at=at) is not False for area in scope.areas for country in countries)
