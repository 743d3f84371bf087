"""Who is one person: links of two, and the groups that they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from consentry.ledger.layered import carried


class _Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


Member = TypeVar("Member", bound=_Ordered)


def groups_of(links: Iterable[tuple[Member, Member]]) -> dict[Member, tuple[Member, ...]]:
    """Return, for everybody linked, all they are linked to directly or through others, in order (union-find)."""
    parent: dict[Member, Member] = {}

    def root(member: Member) -> Member:
        while (above := parent.setdefault(member, member)) != member:
            parent[member] = parent[above]
            member = above
        return member

    for one, other in links:
        parent[root(one)] = root(other)
    members: defaultdict[Member, list[Member]] = defaultdict(list)
    for member in list(parent):
        members[root(member)].append(member)
    groups = (tuple(sorted(group)) for group in members.values())
    return {member: group for group in groups for member in group}


def parted(before: Mapping[Member, tuple[Member, ...]], after: Mapping[Member, tuple[Member, ...]]) -> int:
    """Return how many links it would take to join those again who were linked before."""
    groups = distinct(before, before)
    return sum(len({after.get(member, (member,))[0] for member in group}) - 1 for group in groups)


def joined(
    groups: Mapping[Member, tuple[Member, ...]], links: Iterable[tuple[Member, Member]]
) -> Mapping[Member, tuple[Member, ...]]:
    """Return the groups after further links, looking only at those that are linked now."""
    links = list(links)
    concerned = distinct(groups, (member for link in links for member in link))
    held = ((group[0], member) for group in concerned for member in group)
    return carried(groups, groups_of([*links, *held]))


def distinct(groups: Mapping[Member, tuple[Member, ...]], members: Iterable[Member]) -> Iterable[tuple[Member, ...]]:
    """Return the group of each member that has one, once. Groups share nobody, so their first ones tell them apart."""
    found = (groups.get(member) for member in members)
    return {group[0]: group for group in found if group is not None}.values()
