"""What each remedy takes off, and from whom: the model itself, its bases, and what is built on it (record 0052)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_sayings import chose, did, folded, loss, registered, standing

from consentry.ledger.events import Body
from consentry.ledger.lineage_events import Remedy
from consentry.oversight.lineage import TRAINED_ANEW
from consentry.oversight.model_standing import Loss

CHAIN = {"base": None, "m": "base", "leaf": "m"}
"""Each model with what it is built on."""
Marks = dict[str, set[tuple[str, int]]]


@dataclass
class Story:
    """What was said of three models, each built on the one before, and what they lost."""

    said: list[Body] = field(default_factory=lambda: [registered(name, base) for name, base in CHAIN.items()])
    lost: list[Loss] = field(default_factory=list)
    trained: dict[str, int] = field(default_factory=lambda: {name: at for at, name in enumerate(CHAIN)})
    retrained: set[str] = field(default_factory=set)

    def lose(self, model: str) -> None:
        self.lost.append(loss(len(self.said), model, used=self.trained[model]))
        self.said.append(registered("nothing-to-do-with-it"))

    def remedy(self, model: str, remedy: Remedy) -> None:
        chosen = len(self.said)
        self.said.append(chose(model, remedy))
        if remedy in TRAINED_ANEW:
            self.trained[model] = len(self.said)
            self.said.append(registered(model, CHAIN[model]))
        if remedy is Remedy.RETRAIN:
            self.retrained.add(model)
        self.said.append(did(model, chosen, remedy))

    def marks(self) -> Marks:
        models = folded(*self.said)
        found: Marks = {}
        for name in CHAIN:
            stands = standing(models, name, losses=lambda each: [one for one in self.lost if one.model == each])
            found[name] = {(each.model, each.position) for each in stands.losses}
        return found


def told(steps: Sequence[tuple[str, Remedy | None]]) -> Story:
    story = Story()
    for model, remedy in steps:
        if remedy is None:
            story.lose(model)
        else:
            story.remedy(model, remedy)
    return story


STEPS = st.lists(st.tuples(st.sampled_from(list(CHAIN)), st.sampled_from([None, None, *Remedy])), max_size=7)


def below(model: str) -> list[str]:
    """Return the models that one is built on."""
    base = CHAIN[model]
    return [] if base is None else [base, *below(base)]


@given(STEPS, st.sampled_from(list(CHAIN)), st.sampled_from(list(Remedy)))
def test_each_remedy_takes_off_what_the_table_says(
    steps: Sequence[tuple[str, Remedy | None]], model: str, remedy: Remedy
) -> None:
    story = told(steps)
    before = story.marks()
    story.remedy(model, remedy)
    after = story.marks()
    inherited = {each for each in before[model] if each[0] != model}
    base = CHAIN[model]
    of_base = after[base] if base is not None else set[tuple[str, int]]()
    expected = {
        Remedy.ACCEPT: set(),
        Remedy.RETRAIN: inherited & of_base,
        Remedy.RETRAIN_SHARD: inherited,
        Remedy.DROP_ADAPTER: inherited,
    }[remedy]
    assert after[model] == expected
    for each in below(model):
        assert after[each] == before[each], "nothing is taken off a base"
    for each in CHAIN.keys() - {model, *below(model)}:
        if remedy is not Remedy.ACCEPT:
            assert after[each] == before[each], "nothing is taken off what was made of it before"
            continue
        assert before[each] - before[model] <= after[each] <= before[each]
        if not story.retrained:
            assert after[each] == before[each] - before[model], "what was accepted is so wherever it went"


@given(STEPS)
def test_a_model_has_at_least_the_marks_that_its_base_has_now_unless_it_accepted_them(
    steps: Sequence[tuple[str, Remedy | None]],
) -> None:
    story = told([(model, remedy) for model, remedy in steps if remedy is not Remedy.ACCEPT])
    marks = story.marks()
    assert marks["base"] <= marks["m"] <= marks["leaf"]


@pytest.mark.parametrize("remedy", list(Remedy))
def test_a_harness_that_forgets_the_adapter_would_be_noticed(remedy: Remedy) -> None:
    """The control: had a remedy of the adapter taken off what its base lost, or the other way round, it would show."""
    story = told([("base", None), ("m", None)])
    before = story.marks()
    assert before == {"base": {("base", 3)}, "m": {("base", 3), ("m", 4)}, "leaf": {("base", 3), ("m", 4)}}
    story.remedy("m", remedy)
    kept = set() if remedy is Remedy.ACCEPT else {("base", 3)}
    assert story.marks()["m"] == kept
    assert story.marks()["base"] == {("base", 3)}
