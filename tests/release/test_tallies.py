"""Tallies add up, and what is shown of them is what one gets by going through the items."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from consentry.digests import canonical_json
from consentry.release.tallies import Kind, Outcome, Tallies, gathered, reason_counts, split, summary

PLACES = ("GB", "FR", "FR|GB", "nobody", "unresolved")
KINDS = tuple(Kind(category, "public", licence) for category in ("post", "comment") for licence in ("", "cc"))
OUTCOMES = (
    Outcome(allowed=True, involved=False, reasons=("permitted:a",)),
    Outcome(allowed=True, involved=False, reasons=("permitted:a", "permitted:b")),
    Outcome(allowed=False, involved=False, reasons=("gap:age-unknown", "gap:residence-unknown")),
    Outcome(allowed=False, involved=False, reasons=("refused", "gap:age-unknown")),
    Outcome(allowed=False, involved=True, reasons=("refused", "gap:age-unknown")),
)
Counted = Counter[tuple[str, Kind, Outcome]]

items = st.tuples(st.sampled_from(PLACES), st.sampled_from(KINDS), st.sampled_from(OUTCOMES))
counters = st.lists(items, max_size=40).map(Counter)


def tally_of(counter: Counted, *, words: int = 1) -> Tallies:
    """The same counts, with every word standing there `words` times and cells in no order."""
    cells = [(PLACES.index(place), KINDS.index(kind), OUTCOMES.index(outcome)) for place, kind, outcome in counter]
    column = np.array(cells, dtype=np.int64).reshape(-1, 3)
    return gathered(
        PLACES * words,
        KINDS * words,
        outcomes=OUTCOMES * words,
        cells=(*column.T, np.array([*counter.values()], dtype=np.int64)),
    )


def document(tally: Tallies) -> bytes:
    return canonical_json(tally.to_json())


def counter_of(tally: Tallies) -> Counted:
    cells = zip(tally.place.tolist(), tally.kind.tolist(), tally.outcome.tolist(), tally.items.tolist(), strict=True)
    return Counter(
        {
            (tally.places[place], tally.kinds[kind], tally.outcomes[outcome]): count
            for place, kind, outcome, count in cells
        }
    )


@given(counters, st.integers(1, 3))
def test_equal_counts_have_equal_documents(counter: Counted, words: int) -> None:
    tally = tally_of(counter)
    assert counter_of(tally) == counter
    assert document(tally_of(Counter(dict(reversed(counter.items()))), words=words)) == document(tally)
    assert document(Tallies.from_json(json.loads(document(tally)))) == document(tally)


@given(counters, counters)
def test_what_is_added_can_be_taken_away(one: Counted, other: Counted) -> None:
    nothing = tally_of(Counter())
    both = tally_of(one).changed(less=nothing, more=tally_of(other))
    assert counter_of(both) == one + other
    assert document(both.changed(less=tally_of(other), more=nothing)) == document(tally_of(one))
    assert document(both.changed(less=tally_of(one), more=tally_of(one))) == document(both)


@given(counters, st.integers(0, 2**52))
def test_bytes_are_those_of_the_document(counter: Counted, most: int) -> None:
    tally = tally_of(Counter({item: count + most for item, count in counter.items()}))
    assert tally.to_bytes() == canonical_json(tally.to_json())


@given(counters)
def test_summaries_are_sums_over_items(counter: Counted) -> None:
    tally = tally_of(counter)
    listed = [item for item, count in counter.items() for _ in range(count)]
    denied = [item for item in listed if not item[2].allowed]
    found = summary(tally)
    assert (
        (found["items"], found["denied"]) == (len(listed), len(denied)) == (tally.total, tally.total - tally.eligible)
    )
    assert found["by_reason"] == Counter(outcome.label for *_, outcome in denied)
    assert found["by_gap"] == Counter(
        reason.removeprefix("gap:") for *_, outcome in denied for reason in outcome.reasons if reason.startswith("gap:")
    )
    assert found["by_permit"] == Counter("+".join(each.reasons) for *_, each in listed if each.allowed)
    assert reason_counts(tally) == Counter(outcome.label for *_, outcome in listed)
    for name, part in (("by_category", 0), ("by_licence", 2)):
        by_word = {word: sum(counts.values()) for word, counts in found[name].items()}
        assert by_word == Counter(kind[part] for _, kind, _ in listed)
    assert {word: counts["denied"] for word, counts in split(tally, tally.places, codes=tally.place).items()} == {
        place: sum(place == item[0] for item in denied) for place in {item[0] for item in listed}
    }


def test_people_of_several_countries_are_gathered_in_summaries() -> None:
    tally = tally_of(Counter({("FR|GB", KINDS[0], OUTCOMES[0]): 3, ("FR", KINDS[0], OUTCOMES[2]): 2}))
    assert tally.places == ("FR", "FR|GB")
    assert summary(tally)["by_place"] == {
        "several": {"eligible": 3, "denied": 0},
        "FR": {"eligible": 0, "denied": 2},
    }
