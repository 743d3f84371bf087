"""A dry run: what a release would hold, worked out from the census alone.

A census does not know when an item was created or who else it involves. Items whose decision depends on a date are
counted as undecided; items that involve several people are counted by their owner, and a plan says how many they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consentry.corpus.census import Census
from consentry.corpus.classes import PersonClasses
from consentry.policy.choice import Seconds
from consentry.policy.matrix import ItemClass, MatrixCompiler
from consentry.release.tallies import TallyRow, place_label, reason_counts, summary

UNDECIDED = "depends-on-date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Counts by place, category, licence and reason. `undecided` items depend on when they were created."""

    tally: tuple[TallyRow, ...]
    undecided: int
    involving: int

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return {"counts": summary(self.tally), "undecided": self.undecided, "involving_several": self.involving}


def plan(
    census: Census,
    *,
    compiler: MatrixCompiler,
    classes: PersonClasses,
    items: Sequence[ItemClass],
    at: Seconds,
) -> Plan:
    """Return what a release by these rules would hold."""
    matrix = compiler.compile(classes.members, items, at=at)
    tally: Counter[TallyRow] = Counter()
    undecided = 0
    for person, item in np.argwhere(census.counts).tolist():
        count = int(census.counts[person, item])
        cell = matrix.cells[matrix.person_rows[person]][matrix.item_columns[item]]
        undecided += count if cell < 0 else 0
        kind = items[item]
        decision = matrix.outcomes[cell] if cell >= 0 else None
        row = TallyRow(
            place=place_label(classes.members[person]),
            category=str(kind.category),
            visibility=str(kind.visibility),
            licence=kind.licence,
            allowed=decision is not None and decision.allowed,
            involved=False,
            reasons=(UNDECIDED,) if decision is None else tuple(str(reason) for reason in decision.reasons),
            items=0,
        )
        tally[row] += count
    rows = tuple(sorted(row._replace(items=count) for row, count in tally.items()))
    return Plan(tally=rows, undecided=undecided, involving=census.involving)


def difference(before: Sequence[TallyRow], after: Sequence[TallyRow]) -> dict[str, Any]:
    """Return what changes between two tallies of the same items: eligible items by place and category, and reasons."""
    return {
        "eligible": {"before": _eligible(before), "after": _eligible(after)},
        "by_place": _by(before, after, "place"),
        "by_category": _by(before, after, "category"),
        "by_reason": _changes(reason_counts(before), reason_counts(after)),
    }


def _eligible(tally: Sequence[TallyRow]) -> int:
    return sum(row.items for row in tally if row.allowed)


def _by(before: Sequence[TallyRow], after: Sequence[TallyRow], column: str) -> dict[str, int]:
    counts = []
    for tally in (before, after):
        found: Counter[str] = Counter()
        for row in tally:
            if row.allowed:
                found[getattr(row, column)] += row.items
        counts.append(found)
    return _changes(*counts)


def _changes(before: Any, after: Any) -> dict[str, int]:
    names = sorted(set(before) | set(after))
    changed = {name: after.get(name, 0) - before.get(name, 0) for name in names}
    return dict(sorted(((name, by) for name, by in changed.items() if by), key=lambda each: (-abs(each[1]), each[0])))
