"""Those of a kept state who chose one thing and no more, in columns: nearly everybody, and no object for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.corpus.pseudonym import Pseudonyms, of_texts
from consentry.ledger.events import Pseudonym
from consentry.ledger.kept_choices import REACHES, ROW, STATES, KeptChoices
from consentry.ledger.layered import layers
from consentry.ledger.state import Stated
from consentry.policy.choice import LiveChoice
from consentry.policy.vocabulary import ChoiceState

Mask = npt.NDArray[np.bool_]
I64 = npt.NDArray[np.int64]
Own = tuple[Stated, ...]
"""What one person chose."""
_ROWS = np.dtype(
    [("person", ">u8", 2), ("key", "<u4"), ("state", "u1"), ("reach", "u1"), ("at", "<i8"), ("position", "<u8")]
)
assert _ROWS.itemsize == ROW.size, "a row is what `kept_choices` says"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SingleChoices:
    """One choice of each of `people`, about no single item.

    Attributes:
        people: whose choices they are.
        kind: for each, which of `kinds` it is.
        kinds: the choices that some made, times left out.
        at: when each was made.
        position: of the event of each.
    """

    people: Pseudonyms
    kind: I64
    kinds: Sequence[LiveChoice]
    at: I64
    position: I64

    def stated(self, index: int) -> Stated:
        """Return one of them."""
        choice = self.kinds[int(self.kind[index])]._replace(at=int(self.at[index]))
        return Stated(choice, int(self.position[index]))

    def by_kind(self, which: Mask) -> Iterator[tuple[LiveChoice, I64]]:
        """Yield each kind that says something with the indices of those, of some people, who chose so."""
        order = np.argsort(self.kind, kind="stable")
        order = order[which[order]]
        sorted_kinds = self.kind[order]
        starts = np.flatnonzero(np.diff(sorted_kinds, prepend=-1))
        for start, stop in pairwise([*starts.tolist(), order.size]):
            if (kind := self.kinds[int(sorted_kinds[start])]).state is not ChoiceState.UNSET:
                yield kind, order[start:stop]


def singles_of(choices: Mapping[Pseudonym, Own]) -> tuple[SingleChoices, list[Pseudonym], list[Own]]:
    """Return those of a state's choices that columns can tell, and everybody else with what each of them chose."""
    below, changes = layers(choices)
    if not isinstance(below, KeptChoices) or not len(below):
        return _NOBODY, list(choices), [said for _, said in choices.items()]
    rows: npt.NDArray[Any] = np.frombuffer(below.table, dtype=_ROWS)
    high, low = (rows["person"][:, word].astype(np.uint64) for word in (0, 1))
    first = np.flatnonzero(np.concatenate([[True], (high[1:] != high[:-1]) | (low[1:] != low[:-1])]))
    stop = np.append(first[1:], rows.size)
    changed = np.zeros(rows.size, dtype=np.bool_)
    changed[[row for person in changes if (row := below.row_of(person)) is not None]] = True
    said, general = ~changed[first], np.array([key.item is None for key in below.abouts], dtype=np.bool_)
    single = said & (stop - first == 1) & general[rows["key"][first]]
    others = {
        rows["person"][start].tobytes().hex(): below.between(start, end)
        for start, end in zip(first[said & ~single].tolist(), stop[said & ~single].tolist(), strict=True)
    }
    others |= {person: own for person, own in changes.items() if own is not None}
    found = _singles(below, rows[first[single]], Pseudonyms(high=high[first[single]], low=low[first[single]]))
    return found, list(others), list(others.values())


def _singles(kept: KeptChoices, rows: npt.NDArray[Any], people: Pseudonyms) -> SingleChoices:
    code = (rows["key"].astype(np.int64) * len(STATES) + rows["state"]) * len(REACHES) + rows["reach"]
    found = np.flatnonzero(np.bincount(code))
    kinds = []
    for each in found.tolist():
        about, reach = divmod(each, len(REACHES))
        key, state = divmod(about, len(STATES))
        kinds.append(LiveChoice(kept.abouts[key], STATES[state], REACHES[reach], 0))
    return SingleChoices(
        people=people,
        kind=np.searchsorted(found, code),
        kinds=kinds,
        at=rows["at"].astype(np.int64),
        position=rows["position"].astype(np.int64),
    )


_NONE: I64 = np.empty(0, dtype=np.int64)
_NOBODY = SingleChoices(people=of_texts([]), kind=_NONE, kinds=(), at=_NONE, position=_NONE)
