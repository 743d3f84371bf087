"""Every item of every sealed release is decided as plain Python decides it, in generated worlds.

People choose, take back, link accounts, are erased and come back; tables and files are loaded anew; descriptors are
corrected; releases are sealed in between. A release into whose building people speak must equal one built from nothing
at the same position, and one that was sealed before a descriptor was corrected is told by the one before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from pyroaring import BitMap64

from amounts import examples
from consentry.corpus import census
from consentry.errors import ChoiceError
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.release.explain import Explanation
from consentry.release.manifest import Manifest
from end_to_end.generous_policies import OPEN, policies
from end_to_end.network import (
    CATEGORY_WORDS,
    CREATED_TYPES,
    ID_TYPES,
    INVOLVES,
    LICENCES,
    TEXT_TYPES,
    Form,
    Id,
    RawItem,
    RawPerson,
    Reading,
    as_stored,
    descriptor,
    fresh,
    write_corpus,
    write_items,
    write_people,
)
from end_to_end.oracle import AsksOwnersAlone, Decided, HearsNobody, World, decide_all
from end_to_end.telling import told_then

NOW = 1_764_000_000  # 24 November 2025
DAY = 86_400
_TRAINING = (Purpose.TRAIN_GENAI, Purpose.TRAIN_GENAI_TEXT)
PURPOSES = st.sampled_from([*_TRAINING, *_TRAINING, Purpose.EVALUATE])
SEEDS = st.integers(0, 2**32)
MOMENTS = (NOW - 400 * DAY, NOW - 31 * DAY, NOW - DAY, NOW - 5, NOW, NOW + DAY)
WORDS = ("ada", "böb", "李雷", "👩‍🚀", "e\u0301ve", " dan ", "nul\0l", "007")
NUMBERS = (1, 2, 7, 40, 2**31 - 1, 5, 6, 100)

CATEGORIES = (CATEGORY_WORDS, {"haiku": "post", "pic": "image"}, {**CATEGORY_WORDS, "post": "direct-message"})
VISIBILITIES: tuple[dict[str, str], ...] = ({}, {"whoever": "public"}, {"public": "private", "private": "public"})
"""What the platform's words may be said to mean."""


def items_of(rng: Random, ids: tuple[Id, ...], *, first: int, text_ids: bool) -> list[RawItem]:
    """Return up to 30 items, most of them unremarkable."""

    def item(number: int) -> RawItem:
        involved = None if rng.random() < 0.7 else tuple(rng.choices(ids, k=rng.randrange(4)))
        return RawItem(
            id=f"item-{number}-ü" if text_ids else number,
            author=rng.choice(ids),
            category=rng.choice(["post"] * 4 + ["status_update", "pic", "pic", "direct-message", "haiku", "ai-prompt"]),
            visibility=rng.choice(["public"] * 8 + ["private", "whoever"]),
            created=rng.choice([*MOMENTS * 3, None, -1, 0, 2**32]),
            licence=rng.choice(LICENCES),
            involves=involved,
        )

    return [item(first + number) for number in range(rng.randrange(30))]


def but_for_leaving(told: Explanation) -> dict[str, Any]:
    """Return what is said of an item, but for what changes when it leaves a release."""
    return {name: each for name, each in told.body.items() if name not in {"allowed", "reasons", "amendment"}}


class Worlds(RuleBasedStateMachine):
    """A deployment and the oracle, told the same things."""

    oracle: type[World] = World
    held: ClassVar[int] = 0  # items against plain Python, since it was set back

    @initialize(seed=SEEDS, numbers=st.booleans())
    def begin(self, seed: int, numbers: bool) -> None:
        rng = Random(seed)
        self.context = fresh()
        self.folder, self.deployment = self.context.__enter__()
        self.control = self.deployment.control
        self.world = self.oracle()
        self.numbers = numbers
        self.form = Form(
            ids=rng.choice([name for name in ID_TYPES if ("int" in name) is numbers]),
            created=rng.choice([*CREATED_TYPES]),
            involves=rng.choice(INVOLVES),
            text=rng.choice([*TEXT_TYPES]),
            rows_per_group=rng.randrange(1, 12),
        )
        self.ids: tuple[str | int, ...] = NUMBERS if numbers else WORDS
        self.files: list[list[RawItem]] = []
        self.erased = False
        self.reading = Reading()
        self.add_file(seed)
        self.load_people(seed)
        self.publish(seed)

    def teardown(self) -> None:
        if hasattr(self, "context"):
            self.context.__exit__(None, None, None)

    def named(self, rng: Random) -> str:
        return str(rng.choice(self.ids))

    @rule(seed=SEEDS)
    def add_file(self, seed: int) -> None:
        nobody: tuple[Id, ...] = (None,) if self.numbers else (None, "")
        first = sum(len(each) for each in self.files) + 1000
        rng = Random(seed)
        raw = items_of(rng, (*self.ids * 5, *nobody), first=first, text_ids=not self.numbers)
        self.files.append(raw)
        if len(self.files) == 1 or self.erased or rng.random() < 0.3:
            path = write_corpus(self.folder, self.files, self.form, reading=self.reading)
        else:  # the others stay as they are: what was counted and decided about them may be kept
            path = self.folder / "corpus.toml"
            write_items(self.folder / "items" / f"{len(self.files) - 1}.parquet", raw, self.form)
        self.control.statements.register_corpus(path)

    @rule(seed=SEEDS)
    def load_people(self, seed: int) -> None:
        rng = Random(seed)
        people = [self.person(rng, each) for each in self.ids if rng.random() < 0.9]
        self.control.statements.load_people(write_people(self.folder / "people", people))
        self.world.load(people)

    def person(self, rng: Random, id_: str | int) -> RawPerson:
        odd = rng.choice(["", "", "", "", "country", "age", "account", "same_as"])
        return RawPerson(
            id=id_,
            country=rng.choice(["GB", "FR", "BR", None]) if odd == "country" else "US",
            age=rng.choice(["minor", "who knows", None]) if odd == "age" else "adult",
            account=rng.choice(["closed", None]) if odd == "account" else "active",
            same_as=rng.choice(self.ids) if odd == "same_as" else None,
        )

    @rule(seed=SEEDS)
    def publish(self, seed: int) -> None:
        self.name = Random(seed).choice(["open"] * 6 + [*policies()])
        text = policies()[self.name]
        self.control.statements.publish(text, self.name)
        self.policy: PolicySet = load(text, self.name)

    @rule(seed=SEEDS, purpose=PURPOSES)
    def choose(self, seed: int, purpose: Purpose) -> None:
        rng = Random(seed)
        for _ in range(rng.randrange(1, 5)):
            self.speak(rng)
        self.build(seed + 1, purpose)

    def speak(self, rng: Random) -> None:
        person = self.named(rng)
        every = [str(item.id) for items in self.files for item in items]
        about_items = bool(every) and rng.random() < 0.3
        choice = Choice(
            purpose=rng.choice([*_TRAINING, Purpose.TRAIN_GENAI_IMAGE, Purpose.TRAIN_AI, Purpose.EVALUATE]),
            state=rng.choice([*ChoiceState, ChoiceState.REFUSED]),
            reach=rng.choice([*Reach]),
            at=rng.choice((*MOMENTS, -7)),
            categories=frozenset(rng.sample([Category.POST, Category.IMAGE], k=rng.choice([0, 0, 1, 2]))),
            items=frozenset(rng.choices(every, k=3)) if about_items else frozenset(),
        )
        stored = replace(choice, items=frozenset(self.deployment.item("network", item) for item in choice.items))
        said = ChoiceMade(person=self.deployment.person(person), choice=stored, source=Source.SETTINGS)
        if self.control.desk.present().state.is_erased(said.person):
            with pytest.raises(ChoiceError):
                self.control.statements.choose([said])
            return
        assert self.control.statements.choose([said]) == 1
        self.world.choose(person, choice)

    @rule(seed=SEEDS)
    def object_to_an_item(self, seed: int) -> None:
        rng = Random(seed)
        every = [str(item.id) for items in self.files for item in items]
        if every:
            purpose = rng.choice([*_TRAINING, Purpose.TRAIN_GENAI_IMAGE, Purpose.TRAIN_AI, Purpose.EVALUATE])
            items = {rng.choice(every) for _ in range(2)}
            filed = self.control.objections.file("a picture", answer_to="zoe", purpose=purpose)
            self.control.objection_queue.match_items(filed.objection, items, corpus="network", by="sam")
            for item in items:
                self.world.exclude(item, purpose)

    @rule(seed=SEEDS)
    def link(self, seed: int) -> None:
        one, other = (str(each) for each in Random(seed).sample(self.ids, k=2))
        self.control.statements.link(self.deployment.person(one), self.deployment.person(other))
        self.world.link(one, other)

    @rule(seed=SEEDS)
    def serve(self, seed: int) -> None:
        rng = Random(seed)
        told = [str(each) for each in self.ids if rng.random() < 0.6] or [str(self.ids[0])]
        at = rng.choice([NOW - 2 * DAY, NOW - DAY, NOW - DAY + 1])
        told_then(self.deployment, "n1", [self.deployment.person(each) for each in told], at=at)
        self.world.serve("n1", told, at)

    @rule(seed=SEEDS, purpose=PURPOSES)
    def erase(self, seed: int, purpose: Purpose) -> None:
        rng = Random(seed)
        person = self.named(rng)
        self.control.statements.erase([self.deployment.person(person)])
        self.world.erase([person])
        self.erased = True
        if rng.random() < 0.7:  # and is back, with new content, under the same id
            self.add_file(seed)
            self.load_people(seed)
        self.build(seed + 1, purpose)

    @rule(seed=SEEDS, purpose=PURPOSES)
    def correct(self, seed: int, purpose: Purpose) -> None:
        """Register the corpus under another descriptor: what is sealed is told by the one it was sealed under.

        It loses what by the other one is of a kind that somebody had refused with reach into what is sealed.
        """
        rng, releases = Random(seed), self.control.releases
        before, reading = self.built(seed, purpose), self.reading
        every = [item for items in self.files for item in items]
        told = {item: releases.explain(before, str(item.id)) for item in rng.sample(every, k=min(2, len(every)))}
        self.reading = Reading(
            categories=rng.choice(CATEGORIES),
            visibilities=rng.choice(VISIBILITIES),
            dated=rng.random() < 0.8,
            hours_ahead=rng.choice([0, 2]),
        )
        path = self.folder / "corpus.toml"
        path.write_text(descriptor(self.form, reading=self.reading), "utf-8")
        self.control.statements.register_corpus(path)
        for item, found in told.items():
            after = releases.explain(before, str(item.id))
            reached = self.world.reached(as_stored(item, self.form, self.reading), purpose=purpose)
            left = found.allowed and reached and reading != self.reading
            if not self.erased:  # see `check`
                assert (after.allowed, after == found) == (found.allowed and not left, not left)
            assert but_for_leaving(after) == but_for_leaving(found)
        self.built(seed + 1, purpose)
        for item, found in told.items():  # what people said meanwhile may have amended it
            assert releases.explain(before, str(item.id)).body["item"] == found.body["item"]
        self.verify(before)

    @rule(seed=SEEDS, purpose=PURPOSES)
    def build(self, seed: int, purpose: Purpose) -> None:
        self.built(seed, purpose)

    def built(self, seed: int, purpose: Purpose) -> str:
        rng = Random(seed)
        if rng.random() < 0.3:  # else the decisions of the last build may be brought up to date
            self.control.statements.publish(policies()[self.name], self.name)
        draft = self.control.releases.drafts._decide("network", purpose, self.name, at=NOW, progress=None)
        for _ in range(rng.randrange(4)):
            self.meanwhile(rng)
        built = self.control.releases.drafts._seal(draft, purpose, self.name, by=None)
        assert built is not None
        stored = [[as_stored(item, self.form, self.reading) for item in items] for items in self.files]
        expected = decide_all(self.world, stored, self.policy, purpose=purpose, at=NOW)
        self.check(built.manifest, expected)
        self.verify(built.manifest.release)
        self.explain_one(rng, built.manifest.release, expected)
        return built.manifest.release

    def meanwhile(self, rng: Random) -> None:
        said = rng.choice(["choice", "choice", "link", "notice", "objection", "other policy"])
        if said == "choice":
            self.speak(rng)
        elif said == "objection":
            self.object_to_an_item(rng.randrange(1 << 30))
        elif said == "link":
            self.link(rng.randrange(1 << 30))
        elif said == "notice":
            self.serve(rng.randrange(1 << 30))
        else:  # published under another name: nothing to the policy set that decides
            self.control.statements.publish(OPEN.replace('name = "open"', 'name = "another"'), "another")
        if rng.random() < 0.5:
            self.control.desk.present()  # somebody else looks: what was said is taken in before the seal

    def verify(self, release: str) -> None:
        assert not [found for found in self.control.releases.verify(release, decide=True) if found.problem]

    def check(self, manifest: Manifest, expected: list[list[Decided]]) -> None:
        release = self.control.releases.open(manifest.release)
        paths = sorted(f"items/{number}.parquet" for number in range(len(self.files)))
        assert [file.pin.path for file in manifest.files] == paths
        for file in manifest.files:
            decided = expected[int(Path(file.pin.path).stem)]
            excluded = set(BitMap64.deserialize(release.bitmap(file)))
            assert excluded == {row for row, each in enumerate(decided) if not each.decision.allowed}
            Worlds.held += len(decided)
        labels = Counter(each.label for decided in expected for each in decided)
        counts = manifest.counts
        assert counts["eligible"] == labels.pop("eligible", 0)
        if not self.erased:  # by raw ids nobody can tell who was erased from who came back under the same id
            assert counts["by_reason"] == labels
        assert counts["items"] == sum(len(items) for items in self.files)

    def explain_one(self, rng: Random, release: str, expected: list[list[Decided]]) -> None:
        raw = [item for items in self.files for item in items]
        if raw:
            number = rng.randrange(len(raw))
            item, decided = raw[number], [each for file in expected for each in file][number]
            found = self.control.releases.explain(release, str(item.id)).body
            assert found["agrees_with_bitmap"]
            read = (found["item"]["category"], found["item"]["visibility"], found["item"]["created"])
            assert read == (decided.item.category, decided.item.visibility, decided.item.created)
            if not self.erased:  # see `check`
                said = ([each["reason"] for each in found["reasons"]], found["counted_as"])
                assert said == ([str(each) for each in decided.decision.reasons], decided.label)


def test_the_oracle_knows_what_somebody_refused_with_reach_into_what_is_sealed() -> None:
    world, posts = World(), frozenset({Category.POST})
    for who, reach in (("ada", Reach.EVERYTHING), ("dan", Reach.UNTRAINED)):
        said = Choice(
            purpose=Purpose.TRAIN_GENAI_TEXT, state=ChoiceState.REFUSED, reach=reach, at=NOW, categories=posts
        )
        world.choose(who, said)
    world.link("ada", "eve")
    post = RawItem(id=1, author="bob", involves=("eve",), category="post")
    assert world.reached(post, purpose=Purpose.TRAIN_GENAI)
    assert not world.reached(replace(post, category="direct-message"), purpose=Purpose.TRAIN_GENAI)
    assert not world.reached(replace(post, involves=("dan",)), purpose=Purpose.TRAIN_GENAI)
    assert not world.reached(post, purpose=Purpose.EVALUATE)


_TRYING = (Phase.explicit, Phase.reuse, Phase.generate)


def compared(
    worlds: type[Worlds] = Worlds, *, examples: int, steps: int, phases: Sequence[Phase] = (*_TRYING, Phase.shrink)
) -> int:
    """Play generated worlds, hold every release that is sealed in them against plain Python, and count their items."""
    Worlds.held = 0
    run_state_machine_as_test(
        worlds,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=phases,
            print_blob=True,
            report_multiple_bugs=False,
        ),
    )
    return Worlds.held


@pytest.mark.parametrize("oracle", [AsksOwnersAlone, HearsNobody])
def test_control_worlds_that_are_decided_otherwise_are_noticed(oracle: type[World]) -> None:
    worlds = type("Wrong", (Worlds,), {"oracle": oracle})
    with pytest.raises(AssertionError):
        compared(worlds, examples=20, steps=12, phases=[Phase.generate])


@pytest.mark.parametrize("few", [census._FEW, 0])  # 0: decisions are kept however many people moved
def test_every_item_is_decided_as_plain_python_decides_it(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(census, "_FEW", few)
    assert compared(examples=examples(8), steps=12) > 80


@pytest.mark.slow
def test_every_item_is_decided_as_plain_python_decides_it_in_many_worlds() -> None:
    assert compared(examples=600, steps=25) > 6_000
