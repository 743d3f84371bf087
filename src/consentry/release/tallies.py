"""Counts of a release: how many items of each kind have each outcome, and what people read from that.

A cell is (place, kind of item, outcome, number of items); a kind is category, visibility and licence. Everything shown
of a release is a sum over cells: by reason, by country, by category, by licence, by gap. The cells are stored with the
release, so that two releases can be compared long after the corpus moved on:

    {"places": [...], "kinds": [[category, visibility, licence], ...],
     "outcomes": [[allowed, involved, [reason, ...]], ...],
     "cells": {"place": [...], "kind": [...], "outcome": [...], "items": [...]}}

where entry k of the four lists is cell k, and the first three are indices. Words and cells are in ascending order and
none stands there in vain, so equal counts have equal documents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.corpus.classes import PersonClasses
from consentry.digests import canonical_json
from consentry.policy.evaluator import Decision, ReasonKind
from consentry.policy.jurisdictions import country_of
from consentry.policy.matrix import ItemClass, PersonClass
from consentry.release.kernel import Tally, add_up
from consentry.release.tables import Tables

NOBODY_PLACE = "nobody"
UNRESOLVED_PLACE = "unresolved"
SEVERAL_PLACES = "several"
"""People with several candidate countries, in summaries; the cells themselves name the countries."""
_JOINT = "|"
INVOLVED = "involved:"
"""Before a reason: it is not the owner's, but somebody else's whom the item involves."""
ELIGIBLE = "eligible"
_KEY_BITS = 20
_MANY = 1 << 16

I64 = npt.NDArray[np.int64]
_Word = TypeVar("_Word", str, "Kind", "Outcome")
_Any = TypeVar("_Any")


class Kind(NamedTuple):
    """What items are counted apart by."""

    category: str
    visibility: str
    licence: str


class Outcome(NamedTuple):
    """A decision as it is counted. `involved`: the reasons are those of a further person."""

    allowed: bool
    involved: bool
    reasons: tuple[str, ...]

    @property
    def label(self) -> str:
        """What items with this outcome are counted under."""
        if self.allowed:
            return ELIGIBLE
        return f"{INVOLVED}{self.reasons[0]}" if self.involved else self.reasons[0]


@dataclass(frozen=True, slots=True, eq=False)
class Tallies:
    """The counts of some items; see the module's docstring. The columns are aligned: entry k is about cell k."""

    places: tuple[str, ...]
    kinds: tuple[Kind, ...]
    outcomes: tuple[Outcome, ...]
    place: I64
    kind: I64
    outcome: I64
    items: I64

    @property
    def total(self) -> int:
        """Number of items."""
        return int(self.items.sum())

    @property
    def eligible(self) -> int:
        """Number of eligible items."""
        return int(self.items[self.allowed].sum())

    @property
    def allowed(self) -> npt.NDArray[np.bool_]:
        """Whether the items of each cell are eligible."""
        return np.array([outcome.allowed for outcome in self.outcomes], dtype=np.bool_)[self.outcome]

    def changed(self, *, less: Tallies, more: Tallies) -> Tallies:
        """Return the counts when the items in `less` are counted as in `more` instead."""
        parts = (self, less, more)
        return gathered(
            [place for each in parts for place in each.places],
            [kind for each in parts for kind in each.kinds],
            outcomes=[outcome for each in parts for outcome in each.outcomes],
            cells=_Cells(
                _stacked([each.place for each in parts], [len(each.places) for each in parts]),
                _stacked([each.kind for each in parts], [len(each.kinds) for each in parts]),
                _stacked([each.outcome for each in parts], [len(each.outcomes) for each in parts]),
                np.concatenate([self.items, -less.items, more.items]),
            ),
        )

    def to_bytes(self) -> bytes:
        """Return the document as canonical JSON: that of `to_json`, with numbers written a column at a time."""
        cells = {name: _written(getattr(self, name)) for name in _Cells._fields}
        words = {name: canonical_json(getattr(self, name)) for name in ("places", "kinds", "outcomes")}
        return _object({"cells": _object(cells), **words})

    def to_json(self) -> dict[str, Any]:
        """Return the document."""
        cells = {name: getattr(self, name).tolist() for name in _Cells._fields}
        return {"places": self.places, "kinds": self.kinds, "outcomes": self.outcomes, "cells": cells}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Tallies:
        """Read a document."""
        return cls(
            tuple(body["places"]),
            tuple(Kind(*kind) for kind in body["kinds"]),
            tuple(Outcome(allowed, involved, tuple(reasons)) for allowed, involved, reasons in body["outcomes"]),
            *(np.array(body["cells"][name], dtype=np.int64) for name in _Cells._fields),
        )


class _Cells(NamedTuple):
    """The columns of a tally."""

    place: I64
    kind: I64
    outcome: I64
    items: I64


def gathered(
    places: Sequence[str], kinds: Sequence[Kind], *, outcomes: Sequence[Outcome], cells: tuple[I64, I64, I64, I64]
) -> Tallies:
    """Add up cells and put them in order. Words may repeat or stand there in vain, cells may repeat or be zero.

    Args:
        places: what the first column of `cells` indexes.
        kinds: what the second column indexes.
        outcomes: what the third column indexes.
        cells: place, kind, outcome and number of items of each cell.
    """
    for _ in range(2):
        place, kind, outcome, items = cells
        places, place = _ranked(places, place)
        kinds, kind = _ranked(kinds, kind)
        outcomes, outcome = _ranked(outcomes, outcome)
        keys = (place * len(kinds) + kind) * len(outcomes) + outcome
        total = add_up([Tally(keys, items)])
        rest, outcome = np.divmod(total.keys, max(1, len(outcomes)))
        place, kind = np.divmod(rest, max(1, len(kinds)))
        cells = place, kind, outcome, total.counts
        if _all_used(places, place) and _all_used(kinds, kind) and _all_used(outcomes, outcome):
            break
        # The second time, words are dropped whose items came to nothing.
    return Tallies(tuple(places), tuple(kinds), tuple(outcomes), *cells)


def _stacked(codes: Sequence[I64], words: Sequence[int]) -> I64:
    """Return codes one after another; each but the first are about the words that follow those before."""
    first = np.cumsum([0, *words[:-1]])
    return np.concatenate([each + begin for each, begin in zip(codes, first, strict=True)])


def _written(numbers: I64) -> bytes:
    """Return numbers as a list in JSON."""
    import pyarrow.compute as pc  # noqa: PLC0415

    texts = pa.array(numbers).cast(pa.string())
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts), ",")
    return b"[" + str(joined[0]).encode() + b"]"


def _object(members: Mapping[str, bytes]) -> bytes:
    """Return an object of members that are canonical JSON, in canonical order of their (ASCII) names."""
    return b"{" + b",".join(canonical_json(name) + b":" + members[name] for name in sorted(members)) + b"}"


def _all_used(words: Sequence[object], codes: I64) -> bool:
    return bool(np.bincount(codes, minlength=len(words)).all())


def _ranked(words: Sequence[_Word], codes: I64) -> tuple[list[_Word], I64]:
    """Return the words that occur, distinct and ascending, and the new code of each entry."""
    used = np.flatnonzero(np.bincount(codes, minlength=len(words))).tolist()
    ordered = sorted({words[code] for code in used})
    rank = {word: code for code, word in enumerate(ordered)}
    table = np.zeros(len(words), dtype=np.int64)
    table[used] = [rank[words[code]] for code in used]
    return ordered, table[codes]


def place_label(person: PersonClass | None) -> str:
    """Return how a person's whereabouts are shown: a country, several joined by `|`, `unresolved` or `nobody`."""
    if person is None:
        return NOBODY_PLACE
    if not person.places or not person.established:
        return UNRESOLVED_PLACE
    return _joined(person.places)


@lru_cache(maxsize=1 << 14)
def _joined(places: frozenset[str]) -> str:
    return _JOINT.join(sorted({country_of(place) for place in places}))


def counted(tallies: Iterable[Tally], look: Tables, *, places: Sequence[str], items: Sequence[ItemClass]) -> Tallies:
    """Return what the kernel counted, under the words it is shown with.

    Args:
        tallies: counts by person class, item class and outcome.
        look: the tables they were made with.
        places: where the people of each person class of the tables are shown.
        items: the item classes.
    """
    total = add_up(tallies)
    cell, outcome = np.divmod(total.keys, 2 * look.involved_offset)
    person, item = np.divmod(cell, look.width)
    outcomes = [outcome_of(decision, involved=involved) for involved in (False, True) for decision in look.outcomes]
    return gathered(places, kinds_of(items), outcomes=outcomes, cells=(person, item, outcome, total.counts))


@dataclass(frozen=True, slots=True)
class Words:
    """Words that counts are kept under while tables come and go: a word keeps its number, others are added.

    A key of a tally is the number of a place, that of a kind and that of an outcome, `_KEY_BITS` for each.
    """

    places: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    outcomes: tuple[Outcome, ...] = ()

    @property
    def many(self) -> bool:
        """Whether so many words came together that it is time to begin anew, long before keys have no room for them."""
        return max(len(self.places), len(self.outcomes)) > _MANY

    def with_those_of(self, look: Tables, *, places: Sequence[str], items: Sequence[ItemClass]) -> Worded:
        """Return the words and those that counts by these tables are shown under, see `counted`."""
        outcomes = [outcome_of(decision, involved=involved) for involved in (False, True) for decision in look.outcomes]
        all_places, place = _added(self.places, places)
        all_kinds, kind = _added(self.kinds, kinds_of(items))
        all_outcomes, outcome = _added(self.outcomes, outcomes)
        return Worded(Words(all_places, all_kinds, all_outcomes), place, kind, outcome)

    def shown(self, tallies: Iterable[Tally]) -> Tallies:
        """Return what was counted under these words."""
        total = add_up(tallies)
        rest, outcome = np.divmod(total.keys, 1 << _KEY_BITS)
        place, kind = np.divmod(rest, 1 << _KEY_BITS)
        return gathered(self.places, self.kinds, outcomes=self.outcomes, cells=(place, kind, outcome, total.counts))


class Worded(NamedTuple):
    """Words, and which of them those of some tables are: by folded person class, item class and outcome."""

    words: Words
    place: I64
    kind: I64
    outcome: I64

    def tally(self, tally: Tally) -> Tally:
        """Return counts made with the tables under the words."""
        cell, outcome = np.divmod(tally.keys, max(1, self.outcome.size))
        person, item = np.divmod(cell, max(1, self.kind.size))
        keys = (self.place[person] << 2 * _KEY_BITS) | (self.kind[item] << _KEY_BITS) | self.outcome[outcome]
        return add_up([Tally(keys, tally.counts)])


def _added(words: tuple[_Any, ...], more: Sequence[_Any]) -> tuple[tuple[_Any, ...], I64]:
    """Return words with more of them, and the number of each of these."""
    number = {word: code for code, word in enumerate(dict.fromkeys((*words, *more)))}
    return tuple(number), np.array([number[word] for word in more], dtype=np.int64)


def kinds_of(items: Sequence[ItemClass]) -> list[Kind]:
    """Return the kind of each item class."""
    return [Kind(str(each.category), str(each.visibility), each.licence) for each in items]


@lru_cache(maxsize=1 << 12)
def outcome_of(decision: Decision, *, involved: bool) -> Outcome:
    """Return a decision as it is counted."""
    return Outcome(decision.allowed and not involved, involved, tuple(str(reason) for reason in decision.reasons))


def people_by_place(classes: PersonClasses) -> dict[str, int]:
    """Return how many known people there are at each place; see `place_label`."""
    counts = np.bincount(classes.codes, minlength=len(classes.members)).tolist()
    return _largest_first(
        (gathered_place(place_label(member)), count)
        for member, count in zip(classes.members, counts, strict=True)
        if member is not None and member.known
    )


def gathered_place(label: str) -> str:
    """Return what somebody is counted under by place: all who may be in several countries under one word."""
    return SEVERAL_PLACES if _JOINT in label else label


def summary(tally: Tallies) -> dict[str, Any]:
    """Return the counts that a manifest carries."""
    of_outcome = list(zip(tally.outcomes, _sums(tally.outcome, tally.items, len(tally.outcomes)), strict=True))
    denied = [(outcome, items) for outcome, items in of_outcome if not outcome.allowed]
    places = [gathered_place(place) for place in tally.places]
    return {
        "items": tally.total,
        "eligible": tally.eligible,
        "denied": tally.total - tally.eligible,
        "by_reason": _largest_first((outcome.label, items) for outcome, items in denied),
        "by_permit": _largest_first(("+".join(each.reasons), items) for each, items in of_outcome if each.allowed),
        "by_gap": _largest_first((gap, items) for outcome, items in denied for gap in _gaps(outcome)),
        "by_place": split(tally, places, codes=tally.place),
        "by_category": split(tally, [kind.category for kind in tally.kinds], codes=tally.kind),
        "by_licence": split(tally, [kind.licence for kind in tally.kinds], codes=tally.kind),
    }


def split(tally: Tallies, words: Sequence[str], *, codes: I64) -> dict[str, dict[str, int]]:
    """Return the number of eligible and denied items by `words[codes[k]]` of each cell k, largest first."""
    allowed = tally.allowed
    everything = _largest_first(zip(words, _sums(codes, tally.items, len(words)), strict=True))
    eligible = _largest_first(zip(words, _sums(codes[allowed], tally.items[allowed], len(words)), strict=True))
    return {word: {"eligible": eligible[word], "denied": items - eligible[word]} for word, items in everything.items()}


def reason_counts(tally: Tallies) -> dict[str, int]:
    """Return the number of items under each primary reason, those of eligible items included."""
    sums = _sums(tally.outcome, tally.items, len(tally.outcomes))
    return _largest_first((outcome.label, items) for outcome, items in zip(tally.outcomes, sums, strict=True))


def _gaps(outcome: Outcome) -> Iterable[str]:
    """Return what could not be known; an item with two gaps counts under both."""
    prefix = f"{ReasonKind.GAP}:"
    return (reason.removeprefix(prefix) for reason in outcome.reasons if reason.startswith(prefix))


def _sums(codes: I64, items: I64, words: int) -> list[int]:
    sums = np.zeros(words, dtype=np.int64)
    np.add.at(sums, codes, items)
    found: list[int] = sums.tolist()
    return found


def _largest_first(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for word, items in counts:
        sums[word] += items
    return dict(sorted(sums.items(), key=lambda each: (-each[1], each[0])))
