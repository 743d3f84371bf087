"""What jobs consumed under their leases: looked up in the objects that their reports name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from pyroaring import BitMap64

from consentry.control_plane.removals import Removals
from consentry.digests import Digest
from consentry.oversight.lineage import Consumed, Use
from consentry.oversight.overseen import Overseen
from consentry.policy.choice import Seconds
from consentry.release.amendment import Amendments, Noted

RowsOfFiles = dict[int, BitMap64]
"""Rows by the number of their file in a release."""


@dataclass(slots=True)
class Eaten:
    """What a job consumed after it had heard of one amendment, and when it said so last."""

    amendment: int
    position: int = 0
    at: Seconds = 0
    rows: RowsOfFiles = field(default_factory=dict)

    def add(self, consumed: Consumed, ranges: Sequence[Sequence[int]]) -> None:
        """Take in one report."""
        self.position, self.at = consumed.position, consumed.at
        for index, first, end in ranges:
            self.rows.setdefault(index, BitMap64()).add_range(first, end)


@dataclass(slots=True)
class _Lease:
    """What was consumed under a lease, as far as it was read."""

    read: int = 0
    parts: dict[int, Eaten] = field(default_factory=dict)


class Said(Protocol):
    """What the open events of a ledger say."""

    overseen: Overseen
    amendments: Amendments


class RowsConsumed:
    """The rows that jobs said they trained on. What was read once is remembered: reports never change.

    `known` returns what is known now, and `get` an object.
    """

    def __init__(self, known: Callable[[], Said], *, get: Callable[[Digest], bytes], removals: Removals) -> None:
        self._known = known
        self._get = get
        self.removals = removals
        self._reading = Lock()
        self._eaten: dict[str, _Lease] = {}

    def under(self, use: Use) -> list[Eaten]:
        """Return what was consumed under a lease; nothing if nobody said, or not all: then it is the whole release."""
        return self.said(use) if self.told_all(use) else []

    def said(self, use: Use) -> list[Eaten]:
        """Return what a job said that it consumed under a lease, be it all or not."""
        if use.lease is None:
            return []
        known = self._known()
        said, noted = known.overseen.lineage.consumed(use.lease), known.amendments.of(use.release)
        with self._reading:
            read = self._eaten.setdefault(use.lease, _Lease())
            for consumed in said[read.read :]:
                # Nobody had heard of an amendment that was not there.
                heard = min(consumed.body.amendment, sum(each.stands < consumed.position for each in noted))
                part = read.parts.setdefault(heard, Eaten(heard))
                part.add(consumed, json.loads(self._get(consumed.body.ranges)))
                read.read += 1
            return list(read.parts.values())

    def not_given(self, use: Use, left_out: Callable[[int], BitMap64]) -> int:
        """Count the different rows that a job said it consumed and that its release leaves out since it was sealed.

        `left_out` returns those of a file.
        """
        found: RowsOfFiles = {}
        for part in self.said(use):
            for index, rows in part.rows.items():
                found[index] = found.get(index, BitMap64()) | rows
        return sum(len(rows & left_out(index)) for index, rows in found.items())

    def told_all(self, use: Use) -> bool:
        """Say whether no step is known to be taken under a lease of which nobody said what it consumed.

        The step that a job stopped at was not taken. Steps that are said to have consumed nothing were not told of: no
        optimiser steps on no rows, so whoever says that has not looked.
        """
        overseen = self._known().overseen
        lease = None if use.lease is None else overseen.leases.get(use.lease)
        if lease is None:
            return True
        if any(each.body.items == 0 for each in overseen.lineage.consumed(use.lease or "")):
            return False
        steps = [each.step for _, each in lease.model_checkpoints if not each.quarantined]
        if lease.ended is not None and lease.ended.step is not None:
            steps.append(lease.ended.step)
        return max(steps, default=0) <= (lease.step or 0) + 1

    def gone(self, part: Eaten, *, upto: Noted, noted: Sequence[Noted]) -> RowsOfFiles:
        """Return the consumed rows that left by an amendment, but for those the job had heard of."""
        heard = self.removals.removed(noted[part.amendment - 1] if part.amendment else None)
        removed = self.removals.removed(upto)
        found = {
            index: (removed[index] - heard.get(index, BitMap64())) & rows
            for index, rows in part.rows.items()
            if index in removed
        }
        return {index: rows for index, rows in found.items() if rows}

    def left(self, use: Use) -> Iterator[tuple[int, Seconds, int]]:
        """Yield for each amendment that removed items that were used: position, time and how many."""
        noted = self._known().amendments.of(use.release)
        eaten = self.under(use)
        if not eaten:
            before = 0
            for each in noted:
                if use.lease is None or each.stands > use.position:
                    yield max(each.stands, use.position), max(each.at, use.at), each.items - before
                before = each.items
        for part in eaten:
            before = 0
            for each in noted[part.amendment :] if noted and self.gone(part, upto=noted[-1], noted=noted) else ():
                count = sum(map(len, self.gone(part, upto=each, noted=noted).values()))
                if count > before:
                    yield max(each.stands, part.position), max(each.at, part.at), count - before
                before = count
