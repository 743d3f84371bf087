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
from consentry.policy.policy_set import PolicySet
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


def history(published: Sequence[Published], read: Read) -> list[Decided]:
    """Return every set that was published, the newest first, with what it decides about now and until when it did."""
    until: dict[int, int] = {}
    decides: Iterable[int] = ()
    for count, newest in enumerate(published, start=1):
        before, decides = decides, {each.position for each in by_purpose(published[:count], read).values()}
        until.update(dict.fromkeys((each for each in before if each not in decides), newest.position))
        for each in decides:
            until.pop(each, None)
    now = by_purpose(published, read)
    return [
        Decided(each, tuple(purpose for purpose in Purpose if now.get(purpose) == each), until.get(each.position))
        for each in reversed(published)
    ]
