"""A dry run: what a release would hold, worked out from the census.

A census does not know when an item was created or who else it involves. Items whose decision depends on a date are
counted as undecided; items that involve several people are counted by their owner, and a plan says how many they are.
Items about which somebody said something one by one are decided as a build decides them, with all that is known of
them. These are few, but only those of people who chose are found by their seat: to find what anybody else objected to,
the key of every item is looked at. The caller does that, and keeps where they are (`reaching.kept_rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consentry.corpus.census import Census
from consentry.corpus.sidecar import Sidecar
from consentry.policy.choice import Seconds
from consentry.policy.matrix import ItemClass, MatrixCompiler
from consentry.release.basis import Asked, Knowledge, OwnDecision
from consentry.release.reaching import FoundRows
from consentry.release.tallies import (
    Outcome,
    Tallies,
    gathered,
    kinds_of,
    outcome_of,
    place_label,
    reason_counts,
    split,
    summary,
)

UNDECIDED = "depends-on-date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Counts by place, category, licence and reason. `undecided` items depend on when they were created."""

    tally: Tallies
    undecided: int
    involving: int

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return {"counts": summary(self.tally), "undecided": self.undecided, "involving_several": self.involving}


def plan(
    census: Census,
    *,
    compiler: MatrixCompiler,
    knowledge: Knowledge,
    items: Sequence[ItemClass],
    sidecars: Sequence[Sidecar],
    excluded_rows: Sequence[FoundRows],
    at: Seconds,
) -> Plan:
    """Return what a release by these rules would hold; the census is of the classes that are known.

    `excluded_rows` are, file by file, where the items are that are excluded one by one.
    """
    members = knowledge.classes.members
    matrix = compiler.compile(members, items, at=at)
    own = _one_by_one(Asked(compiler, at, knowledge, items), sidecars, excluded_rows)
    by_class = census.counts
    for who, what, _ in own:
        by_class[who, what] -= 1
    person, item = np.nonzero(by_class)
    counts = by_class[person, item]
    cells = np.array(matrix.cells)[np.array(matrix.person_rows)[person], np.array(matrix.item_columns)[item]]
    outcomes = [
        *(outcome_of(decision, involved=False) for decision in matrix.outcomes),
        Outcome(allowed=False, involved=False, reasons=(UNDECIDED,)),
    ]
    first = len(outcomes)
    outcomes += [outcome_of(each.decision, involved=each.involved) for *_, each in own]
    tally = gathered(
        [place_label(member) for member in members],
        kinds_of(items),
        outcomes=outcomes,
        cells=(
            np.append(person, np.array([who for who, *_ in own], dtype=np.int64)),
            np.append(item, np.array([what for _, what, _ in own], dtype=np.int64)),
            np.append(np.where(cells < 0, len(matrix.outcomes), cells), np.arange(first, len(outcomes))),
            np.append(counts, np.ones(len(own), dtype=np.int64)),
        ),
    )
    return Plan(tally=tally, undecided=int(counts[cells < 0].sum()), involving=census.involving)


def _one_by_one(
    asked: Asked, sidecars: Sequence[Sidecar], excluded_rows: Sequence[FoundRows]
) -> list[tuple[int, int, OwnDecision]]:
    """Return the class of the owner, the class of the item and the decision, of items that somebody spoke of alone."""
    codes = asked.knowledge.classes.codes
    return [
        (int(codes[int(sidecar.person[row])]), int(sidecar.klass[row]), decision)
        for sidecar, found in zip(sidecars, excluded_rows, strict=True)
        for row, decision in asked.decisions(sidecar, found).items()
    ]


def difference(old: Plan, new: Plan) -> dict[str, Any]:
    """Return what changes between two plans of the same items: eligible items by place and category, and reasons.

    With it goes what a census cannot tell, as in a plan: how many items depend on a date by the new rules, and how many
    involve several people.
    """
    before, after = old.tally, new.tally
    return {
        "undecided": new.undecided,
        "involving_several": new.involving,
        "eligible": {"before": before.eligible, "after": after.eligible},
        "by_place": _changes(_eligible_by_place(before), _eligible_by_place(after)),
        "by_category": _changes(_eligible_by_category(before), _eligible_by_category(after)),
        "by_reason": _changes(reason_counts(before), reason_counts(after)),
    }


def _eligible_by_place(tally: Tallies) -> dict[str, int]:
    counts = split(tally, tally.places, codes=tally.place)
    return {place: each["eligible"] for place, each in counts.items()}


def _eligible_by_category(tally: Tallies) -> dict[str, int]:
    counts = split(tally, [kind.category for kind in tally.kinds], codes=tally.kind)
    return {category: each["eligible"] for category, each in counts.items()}


def _changes(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    names = sorted(set(before) | set(after))
    changed = {name: after.get(name, 0) - before.get(name, 0) for name in names}
    return dict(sorted(((name, by) for name, by in changed.items() if by), key=lambda each: (-abs(each[1]), each[0])))
