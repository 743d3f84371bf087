"""What changed between two releases of one corpus, and why.

Items in files that both releases pin to the same bytes are compared one by one: the exclusive-or of the two bitmaps
names those that changed sides, and each is decided again under both bases, which gives the reason it had and the
reason it has. Files that only one of them has, or has with other bytes, are counted whole.

Items that are denied for another reason than before did not change sides. They show in the counts of the two manifests,
which stand beside the moves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from consentry.corpus.sidecar import Sidecar
from consentry.policy.expressions import Effect, Rule
from consentry.progress import Progress, watched
from consentry.release.basis import Basis
from consentry.release.kernel import decide_rows
from consentry.release.sealed import SealedRelease
from consentry.release.tallies import ELIGIBLE, outcome_of

_Count = TypeVar("_Count", int, Mapping[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A sealed release with the basis it was decided by and the sidecars of those of its files that are still known.

    `erased` are the seats of people who were erased, some of them perhaps since it was sealed.
    """

    release: SealedRelease
    basis: Basis
    sidecars: Sequence[Sidecar]
    erased: npt.NDArray[np.uint32]


NOT_REPRODUCED = "not-reproduced"
"""Stands where deciding again does not give what was sealed: something is wrong."""
ERASED_SINCE = "erased-since"
"""Stands where it does not because somebody was erased since: why can no longer be said."""


def compare(before: Side, after: Side, *, progress: Progress | None = None) -> dict[str, Any]:
    """Return the changes from `before` to `after` as plain values."""
    moves: Counter[tuple[str, str]] = Counter()
    old_files = {file.pin.path: file for file in before.release.manifest.files}
    new_files = {file.pin.path: file for file in after.release.manifest.files}
    same = [
        path for path in new_files if path in old_files and old_files[path].pin.digest == new_files[path].pin.digest
    ]
    for path in watched(same, progress, what="comparing", total=len(same), unit="files"):
        old_bits = BitMap64.deserialize(before.release.bitmap(old_files[path]))
        new_bits = BitMap64.deserialize(after.release.bitmap(new_files[path]))
        rows = np.array(old_bits ^ new_bits, dtype=np.int64)
        if rows.size:
            moves.update(zip(_labels(before, path, rows), _labels(after, path, rows), strict=True))
    return {
        "before": _head(before),
        "after": _head(after),
        "eligible_change": after.release.manifest.eligible - before.release.manifest.eligible,
        "moves": [
            {"from": old, "to": new, "items": count}
            for (old, new), count in sorted(moves.items(), key=lambda move: (-move[1], move[0]))
        ],
        "counts": counts(before.release.manifest.counts, after.release.manifest.counts),
        "files": {
            "same": len(same),
            "added": _whole(after, set(new_files) - set(old_files)),
            "removed": _whole(before, set(old_files) - set(new_files)),
            "changed": sorted(set(new_files) & set(old_files) - set(same)),
        },
        "causes": _causes(before, after),
        "reproduced": not any(NOT_REPRODUCED in move for move in moves),
    }


def counts(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts of two manifests side by side, what differs most first.

    Items by reason they are denied for, and by gap; `{"eligible", "denied"}` by place, category and licence: each
    `{"before", "after"}`.
    """
    nothing = {"eligible": 0, "denied": 0}
    return {
        **{
            split: _side_by_side(before[split], after[split], none=0, by=lambda was, now: abs(now - was))
            for split in ("by_reason", "by_gap")
        },
        **{
            split: _side_by_side(before[split], after[split], none=nothing, by=_moved)
            for split in ("by_place", "by_category", "by_licence")
        },
    }


def _moved(was: Mapping[str, int], now: Mapping[str, int]) -> int:
    return sum(abs(now[side] - was[side]) for side in ("eligible", "denied"))


def _side_by_side(
    before: Mapping[str, _Count], after: Mapping[str, _Count], *, none: _Count, by: Callable[[_Count, _Count], int]
) -> dict[str, dict[str, _Count]]:
    pairs = {name: (before.get(name, none), after.get(name, none)) for name in {*before, *after}}
    ordered = sorted(pairs.items(), key=lambda each: (-by(*each[1]), each[0]))
    return {name: {"before": was, "after": now} for name, (was, now) in ordered}


def outcome_labels(side: Side, index: int, *, rows: npt.NDArray[np.int64]) -> list[str]:
    """Return the label under which each of `rows` of the file with this index is counted."""
    look = side.basis.look
    outcomes = decide_rows(side.sidecars[index], rows, look=look, exceptions=side.basis.exceptions[index])
    labels = {}
    for outcome in np.unique(outcomes).tolist():
        involved, number = divmod(outcome, look.involved_offset)
        labels[outcome] = outcome_of(look.outcomes[number], involved=bool(involved)).label
    return [labels[outcome] for outcome in outcomes.tolist()]


def _labels(side: Side, path: str, rows: npt.NDArray[np.int64]) -> list[str]:
    """Return the labels of rows, checked against the sealed bitmap, which is what counts."""
    file = next(file for file in side.release.manifest.files if file.pin.path == path)
    excluded = BitMap64.deserialize(side.release.bitmap(file))
    sealed = [row not in excluded for row in rows.tolist()]
    for index, sidecar in enumerate(side.sidecars):
        if sidecar.pin.path == path:
            found = outcome_labels(side, index, rows=rows)
            gone = np.isin(rows, sidecar.rows_of(side.erased)).tolist()
            return [
                label if (label == ELIGIBLE) is eligible else ERASED_SINCE if erased else NOT_REPRODUCED
                for label, eligible, erased in zip(found, sealed, gone, strict=True)
            ]
    # The file was registered anew since: its bitmap still says who was in, but not why.
    return [ELIGIBLE if eligible else "denied" for eligible in sealed]


def _head(side: Side) -> dict[str, Any]:
    manifest = side.release.manifest
    return {
        "release": manifest.release,
        "position": manifest.position,
        "decided_at": manifest.decided_at,
        "policy": f"{manifest.policy.name} {manifest.policy.version}",
        "items": manifest.items,
        "eligible": manifest.eligible,
    }


def _whole(side: Side, paths: set[str]) -> list[dict[str, Any]]:
    files = [file for file in side.release.manifest.files if file.pin.path in paths]
    return [{"path": file.pin.path, "items": file.pin.rows, "eligible": file.eligible} for file in files]


def _orders(side: Side) -> set[Rule]:
    return {rule for rule in side.basis.compiler.rules if rule.effect is Effect.SUSPEND}


def _causes(before: Side, after: Side) -> dict[str, bool]:
    """Say which of the things a release rests on differ."""
    old, new = before.release.manifest, after.release.manifest
    return {
        "policy": old.policy.digest != new.policy.digest,
        "orders": _orders(before) != _orders(after),
        "ledger": old.position != new.position,
        "people": old.people_snapshot != new.people_snapshot,
        "corpus": old.corpus_snapshot != new.corpus_snapshot,
        "time": old.decided_at != new.decided_at,
    }
