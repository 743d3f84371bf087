"""Whatever people say in whatever order, old releases hand out exactly what nobody withdrew, item by item."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amounts import examples
from consentry.bootstrap import open_deployment
from consentry.control_plane.amendments import AmendmentVerbs
from consentry.policy.choice import Choice, standing
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.release.present import Present
from consentry.release.reaching import Reached
from end_to_end.network import CATEGORY_WORDS, RawItem, RawPerson, fresh, write_corpus, write_people
from end_to_end.oracle import World
from end_to_end.still_given import handed_out
from end_to_end.test_story import BEFORE, GENAI, NOW, POLICY, build, say

EVERYTHING = Reach.EVERYTHING
NAMES = ["p0", "p1", "p2", "p3", "stranger"]
WORLD_ITEMS = tuple(
    RawItem(
        id=f"i{number}",
        author=NAMES[number % 4],
        category=("post", "comment", "status_update")[number % 3],
        created=BEFORE,
        involves=(NAMES[(number * 7 + 1) % 5],) if number % 2 else None,
    )
    for number in range(24)
)
SAID = st.one_of(
    st.tuples(
        st.just("choose"),
        st.sampled_from(NAMES),
        st.builds(
            Choice,
            purpose=st.sampled_from([Purpose.TRAIN_AI, GENAI, Purpose.TRAIN_GENAI_TEXT, Purpose.SERVE]),
            state=st.sampled_from([ChoiceState.REFUSED, ChoiceState.REFUSED, ChoiceState.UNSET, ChoiceState.ALLOWED]),
            reach=st.sampled_from([EVERYTHING, EVERYTHING, Reach.UNTRAINED]),
            at=st.integers(NOW - 9, NOW),
            categories=st.sampled_from([frozenset[Category](), frozenset({Category.POST})]),
            items=st.sampled_from([frozenset[str](), frozenset[str](), frozenset({"i1", "i4"}), frozenset({"i7"})]),
        ),
    ),
    st.tuples(st.just("link"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("erase"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("build"), st.sampled_from([GENAI, Purpose.TRAIN_GENAI_TEXT]), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


def withdrawn(world: World, item: RawItem, purpose: Purpose) -> bool:
    """Say whether somebody an item involves refuses it with reach `everything`, or was erased."""
    category = Category(CATEGORY_WORDS.get(item.category, item.category))
    for named in (item.author, *(item.involves or ())):
        accounts = world.accounts(str(named))
        live = [each for one in accounts for each in world.live.get(one, ()) if each.reach is EVERYTHING]
        live = [each for each in live if each.state is ChoiceState.REFUSED]
        found = standing(live, purpose=purpose, category=category, item=str(item.id))
        if found.state is ChoiceState.REFUSED or accounts & world.erased:
            return True
    return False


@given(st.lists(SAID, min_size=2, max_size=9))
@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow])
def test_old_releases_never_hand_out_what_was_withdrawn_and_nothing_else_leaves_them(said: list[Any]) -> None:
    require_exactly_what_was_withdrawn_is_gone(said)


@pytest.mark.parametrize("broken", ["links", "everybody"])
def test_control_the_comparison_notices(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken == "links":
        monkeypatch.setattr(AmendmentVerbs, "amend", lambda _: [])
        monkeypatch.setattr(AmendmentVerbs, "newest", lambda *_: 0)
    else:
        everybody = Reached(people=np.arange(1, 4, dtype=np.uint32), by_category={}, single=())
        nobody = Reached(people=np.empty(0, dtype=np.uint32), by_category={}, single=())
        monkeypatch.setattr(Present, "reached", lambda self, *_, **__: everybody if self.state.choices else nobody)
    refusal = Choice(purpose=GENAI, state=ChoiceState.REFUSED, reach=EVERYTHING, at=NOW)
    with pytest.raises(AssertionError):
        require_exactly_what_was_withdrawn_is_gone([("choose", "stranger", refusal), ("link", "stranger", "p1")])


def require_exactly_what_was_withdrawn_is_gone(said: list[Any]) -> None:
    """Say things, and compare after each what old releases hand out with what is worked out item by item."""
    with fresh() as (folder, first):
        deployment, world = first, World()
        deployment.control.statements.register_corpus(write_corpus(folder, [WORLD_ITEMS[:9], WORLD_ITEMS[9:]]))
        people = [RawPerson(id=name) for name in NAMES[:4]]
        deployment.control.statements.load_people(write_people(folder / "people", people))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        world.load(people)
        held = {build(deployment, purpose=each): each for each in (GENAI, Purpose.TRAIN_GENAI_TEXT)}
        expected = {name: handed_out(deployment, name) for name in held}
        for verb, one, other in said:
            if verb == "choose" and one not in world.erased:
                items = tuple(sorted(other.items))
                say(
                    deployment,
                    one,
                    other.state,
                    purpose=other.purpose,
                    reach=other.reach,
                    categories=other.categories,
                    items=items,
                    at=other.at,
                )
                world.choose(one, other)
            elif verb == "link" and one != other:
                deployment.control.statements.link(deployment.person(one), deployment.person(other))
                world.link(one, other)
            elif verb == "erase":
                deployment.control.statements.erase([deployment.person(one)])
                world.erase([one])
            elif verb == "build":
                name = build(deployment, purpose=one)
                if name not in held:
                    held[name] = one
                    expected[name] = handed_out(deployment, name)
            elif verb == "restart":
                deployment.close()
                deployment = open_deployment(folder / "home")
            for name, purpose in held.items():
                expected[name] -= {str(item.id) for item in WORLD_ITEMS if withdrawn(world, item, purpose)}
                assert handed_out(deployment, name) == expected[name], (verb, one, other, name)
        for name in held:
            assert [each.problem for each in deployment.control.releases.verify(name) if each.problem] == []
        shutil.rmtree(folder / "items")
        deployment.close()
