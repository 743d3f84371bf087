"""Which policy set decides about a use, of those in force.

* A set is in force under its name from when it was published until another one is published under the same name.
  Nothing else ends it: a set that is withdrawn has one in its place that names no use, and so decides about none.
* Sets of several names can say something about one use. The one that was published last decides, of those that name
  the use itself; if none does, of those that name the nearest use above it.
* Who builds a release names a set in force, and who asks about new content can. That one decides there, and nowhere
  else: the release and the answer say which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from consentry.digests import Digest
from consentry.ledger.state import Published
from consentry.policy.policy_set import PolicySet, withdrawals
from consentry.policy.vocabulary import Purpose

Read = Callable[[Digest], PolicySet]
"""Returns the policy set whose text has a digest."""


class Decided(NamedTuple):
    """A policy set that decides, or did.

    Attributes:
        purposes: the uses it names about which it decides now; empty: about none any more.
        until: the position from which it decides about none any more; None: it still does, or never did.
    """

    published: Published
    purposes: tuple[Purpose, ...]
    until: int | None


class Stood(NamedTuple):
    """What was published under a name, and how long it stood.

    Attributes:
        ended: what was published under the name next; None: nothing was since.
    """

    published: Published
    ended: Published | None

    @property
    def state(self) -> str:
        """How it is with it, in a word."""
        if withdraws(self.published):
            return "withdrawal"
        if self.ended is None:
            return "in force"
        return "withdrawn" if withdraws(self.ended) else "replaced"


def every_one(published: Sequence[Published]) -> list[Stood]:
    """Return everything that was published, oldest first, with what came after it under its name."""
    found: list[Stood] = []
    nexts: dict[str, Published] = {}
    for each in reversed(published):
        found.append(Stood(each, nexts.get(each.name)))
        nexts[each.name] = each
    return found[::-1]


def every_set(published: Sequence[Published]) -> list[Stood]:
    """Return every policy set that is or was in force, oldest first: all but what was published only to withdraw."""
    return [each for each in every_one(published) if not withdraws(each.published)]


def withdraws(published: Published) -> bool:
    """Say whether this was published to take its name out of force. By its digest: its text need not be at hand."""
    return published.digest in withdrawals(published.name)


def by_purpose(published: Sequence[Published], read: Read) -> dict[Purpose, Published]:
    """Return for each use that a set in force names the set that decides about it; `published` is oldest first."""
    found: dict[Purpose, Published] = {}
    names = set()
    for each in reversed(published):
        if each.name not in names:
            names.add(each.name)
            for purpose in sorted(read(each.digest).purposes):
                found.setdefault(purpose, each)
    return found


def deciding(found: Mapping[Purpose, Published], purpose: Purpose) -> Published | None:
    """Return the set that decides about a use; None: none does, so it is denied."""
    return next((found[each] for each in purpose.lineage if each in found), None)


def in_turn(published: Sequence[Published], read: Read, *, purpose: Purpose) -> list[tuple[int, Published]]:
    """Return what decided about a use one after the other, oldest first, without a time in which none did.

    With each stands the position from which it did.
    """
    found: list[tuple[int, Published]] = []
    standing: dict[str, Published] = {}
    for newest in published:
        standing.pop(newest.name, None)
        standing[newest.name] = newest
        decides = deciding(by_purpose([*standing.values()], read), purpose)
        if decides is None:
            found = []
        elif not found or found[-1][1] != decides:
            found.append((newest.position, decides))
    return found


def taken_over(published: Sequence[Published], read: Read, *, position: int) -> dict[Purpose, Published | None]:
    """Return the uses about which the set published at `position` decided then, each with what did before it."""
    before = [each for each in published if each.position < position]
    older = by_purpose(before, read)
    newer = by_purpose([each for each in published if each.position <= position], read)
    return {purpose: deciding(older, purpose) for purpose in sorted(newer) if newer[purpose].position == position}


def history(published: Sequence[Published], read: Read) -> list[Decided]:
    """Return every set that was published, the newest first, with what it decides about now and until when it did."""
    until: dict[int, int] = {}
    decides: Iterable[int] = ()
    standing: dict[str, Published] = {}
    for newest in published:
        standing.pop(newest.name, None)
        standing[newest.name] = newest
        before, decides = decides, {each.position for each in by_purpose([*standing.values()], read).values()}
        until.update(dict.fromkeys((each for each in before if each not in decides), newest.position))
        for each in decides:
            until.pop(each, None)
    now = by_purpose(published, read)
    return [
        Decided(each, tuple(purpose for purpose in Purpose if now.get(purpose) == each), until.get(each.position))
        for each in reversed(published)
    ]
