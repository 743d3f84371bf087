"""What was known of a release and is known of it: when it was sealed, while an order was in force, and now.

An order hits what it hits by any of that: people who are loaded anew and content that is registered anew take nothing
back. It follows from the ledger and the home, so it is the same after a restart: every people table that was loaded is
kept under its digest, and what a corpus was when a release was sealed from it as long as that release is in the ledger
(`corpus/registration.py`). Who is one person with whom is asked as it is now, and of erased people as it was when they
were erased: which seats were one person's outlives what they said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from consentry.control_plane.at_seal import AtSeal
from consentry.control_plane.desk import Desk
from consentry.corpus.classes import Attributes, join_linked
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import Sidecar
from consentry.digests import Digest
from consentry.ledger.groups import joined
from consentry.oversight.order import Order
from consentry.policy.choice import Seconds
from consentry.policy.matrix import ItemClass
from consentry.release.in_scope import Mask, classes_in_scope, residences_in_scope
from consentry.release.manifest import Manifest
from consentry.release.present import PeopleTables
from consentry.release.reproduce import sidecars_of


class OnceKnown(NamedTuple):
    """What is known of the items of a release: as they are registered, and as they were when it was sealed."""

    registered: Corpus
    sealed: Corpus

    @property
    def sidecars(self) -> list[Sidecar]:
        """All sidecars, each once."""
        return list({each.folder: each for corpus in self for each in corpus.sidecars}.values())

    @property
    def items(self) -> tuple[ItemClass, ...]:
        """What the codes in all of them mean: codes are only ever added to."""
        return max((corpus.items for corpus in self), key=len)


def items_of(at_seal: AtSeal, manifest: Manifest) -> OnceKnown:
    """Return what is known of the items of a release. Both are the same if nothing was registered anew.

    Raises:
        IntegrityError: nobody knows what was known.
    """
    now = at_seal.desk.opened(manifest.corpus)
    return OnceKnown(sidecars_of(manifest, now), at_seal.remembered(manifest, now))


def people_in(desk: Desk, order: Order, *, sealed: int, at: Seconds) -> Mask:
    """Return, by seat, who may live in the areas of an order by what is known now or was known before.

    That is by the people tables that were in force when a release was sealed, or at some time from then on while the
    order was.

    Args:
        desk: where people are known.
        order: the order.
        sealed: the position at which the release was sealed.
        at: the time as of which groups of places are asked.
    """
    with desk.lock:
        known = desk.newest
        classes, groups, tables, people = known.classes(at=at), known.groups, known.tables, known.state.people
        now = set() if people is None else {people.snapshot}
        until = None if order.ended is None else order.ended.position
        loaded = known.people_loaded.in_force(sealed, before=sealed)
        loaded += known.people_loaded.in_force(max(order.position, sealed), before=until)
    # What the table in force says is in the classes, but for links that an erasure undid.
    asked = now.union(loaded) if tables.linked_when_erased() else {*loaded} - now
    found: Mask = classes_in_scope(order.rule, classes, at=at)[classes.codes]
    for snapshot in asked if order.scope.areas else ():
        attributes = as_of_table(tables, snapshot, groups=groups, at=at, seats=found.size)
        found |= residences_in_scope(order.rule, attributes, at=at)
    return found


def as_of_table(
    tables: PeopleTables, snapshot: Digest, *, groups: Mapping[int, tuple[int, ...]], at: Seconds, seats: int
) -> Attributes:
    """Return, by seat, what a people table says of people, the accounts of one person joined.

    Args:
        tables: the people tables.
        snapshot: which one of them.
        groups: who is one person with whom now; so is whom the table links, and who was when they were erased.
        at: the time that ages are as of.
        seats: how many there are.
    """
    linked = (*tables.linked(snapshot).values(), *tables.linked_when_erased())
    # Others may have been given seats, and erased, since somebody counted them.
    links = ((group[0], seat) for group in linked for seat in group if seat < seats)
    return join_linked(tables.attributes(snapshot, at=at, seats=seats), joined(groups, links))
