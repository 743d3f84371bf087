"""Every item of every sealed release is decided as plain Python decides it, in generated worlds.

People choose, take back, link accounts, are erased and come back; tables and files are loaded anew; releases are sealed
in between. A release into whose building people speak must equal one built from nothing at the same position.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from pyroaring import BitMap64

from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.release.manifest import Manifest
from end_to_end.network import (
    CREATED_TYPES,
    ID_TYPES,
    INVOLVES,
    LICENCES,
    TEXT_TYPES,
    Form,
    Id,
    RawItem,
    RawPerson,
    as_stored,
    fresh,
    write_corpus,
    write_people,
)
from end_to_end.oracle import World, decide_all

NOW = 1_764_000_000  # 24 November 2025
DAY = 86_400
_TRAINING = (Purpose.TRAIN_GENAI, Purpose.TRAIN_GENAI_TEXT)
MOMENTS = (NOW - 400 * DAY, NOW - 31 * DAY, NOW - DAY, NOW - 5, NOW, NOW + DAY)
WORDS = ("ada", "böb", "李雷", "👩‍🚀", "e\u0301ve", " dan ", "nul\0l", "007")
NUMBERS = (1, 2, 7, 40, 2**31 - 1, 5, 6, 100)

OPEN = """
[policy_set]
name = "open"
version = "1"
title = "Everything but of minors"
purposes = ["train-ai", "evaluate"]
[[permit]]
id = "everything"
why = "For tests: nearly everything is permitted."
legal_basis = "contract"
[[forbid]]
id = "minors"
why = "Nothing by or about minors."
age = ["minor"]
"""

WINDOW = """
[policy_set]
name = "window"
version = "1"
title = "Only a window of dates, after a notice"
purposes = ["train-ai"]
[[permit]]
id = "after-notice"
why = "People were told and had time."
legal_basis = "legitimate-interests"
age = ["adult"]
where.outside = ["UK"]
created = { from = 2025-01-01 }
notice = { id = "n1", days = 1 }
[[permit]]
id = "said-yes"
why = "They agreed."
legal_basis = "consent"
choice = ["allowed"]
[[forbid]]
id = "private"
why = "Private is private."
visibility = ["private"]
"""


def policies() -> dict[str, str]:
    return {"open": OPEN, "window": WINDOW, **shipped()}


def items_of(ids: st.SearchStrategy[Id], *, first: int) -> st.SearchStrategy[list[RawItem]]:
    involved = st.none() | st.none() | st.lists(ids, max_size=3).map(tuple)
    item = st.builds(
        RawItem,
        id=st.just(0),
        author=ids,
        category=st.sampled_from(
            ["post", "post", "post", "status_update", "pic", "direct-message", "haiku", "ai-prompt"]
        ),
        visibility=st.sampled_from(["public", "public", "public", "public", "private", "whoever"]),
        created=st.none() | st.sampled_from(MOMENTS) | st.sampled_from([-1, 0, 2**32]),
        licence=st.sampled_from(LICENCES),
        involves=involved,
    )

    def numbered(items: list[RawItem]) -> list[RawItem]:
        return [replace(each, id=first + number) for number, each in enumerate(items)]

    return st.lists(item, max_size=12).map(numbered)


class Worlds(RuleBasedStateMachine):
    """A deployment and the oracle, told the same things."""

    items = Bundle("items")

    @initialize(
        data=st.data(),
        numbers=st.booleans(),
        created=st.sampled_from(sorted(CREATED_TYPES)),
        involves=st.sampled_from(INVOLVES),
        text=st.sampled_from(sorted(TEXT_TYPES)),
        rows_per_group=st.integers(1, 5),
    )
    def begin(
        self, data: st.DataObject, numbers: bool, created: str, involves: str, text: str, rows_per_group: int
    ) -> None:
        self.context = fresh()
        self.folder, self.deployment = self.context.__enter__()
        self.control = self.deployment.control
        self.world = World()
        self.numbers = numbers
        forms = [name for name in ID_TYPES if ("int" in name) is numbers]
        self.form = Form(
            ids=data.draw(st.sampled_from(forms)),
            created=created,
            involves=involves,
            text=text,
            rows_per_group=rows_per_group,
        )
        self.ids: tuple[Id, ...] = NUMBERS if numbers else WORDS
        self.files: list[list[RawItem]] = []
        self.add_file(data)
        self.load_people(data)
        self.publish(data)

    def teardown(self) -> None:
        if hasattr(self, "context"):
            self.context.__exit__(None, None, None)

    def named(self) -> st.SearchStrategy[str]:
        return st.sampled_from([str(each) for each in self.ids])

    def maybe_named(self) -> st.SearchStrategy[Id]:
        nobody: tuple[Id, ...] = (None,) if self.numbers else (None, "")
        return st.sampled_from((*self.ids * 5, *nobody))

    @rule(data=st.data())
    def add_file(self, data: st.DataObject) -> None:
        first = sum(len(each) for each in self.files) + 1000
        raw = data.draw(items_of(self.maybe_named(), first=first))
        if not self.numbers:
            raw = [replace(each, id=f"item-{each.id}-ü") for each in raw]
        self.files.append(raw)
        self.control.register_corpus(write_corpus(self.folder, self.files, self.form))

    @rule(data=st.data())
    def load_people(self, data: st.DataObject) -> None:
        left_out = data.draw(st.lists(st.sampled_from(self.ids), max_size=2))
        people = [self.person(data, each) for each in self.ids if each not in left_out]
        self.control.load_people(write_people(self.folder / "people", people))
        self.world.load(people)

    def person(self, data: st.DataObject, id_: Id) -> RawPerson:
        assert id_ is not None
        odd = data.draw(st.sampled_from(["", "", "", "", "country", "age", "account", "same_as"]))
        return RawPerson(
            id=id_,
            country=data.draw(st.sampled_from(["GB", "FR", "BR", None])) if odd == "country" else "US",
            age=data.draw(st.sampled_from(["minor", "who knows", None])) if odd == "age" else "adult",
            account=data.draw(st.sampled_from(["closed", None])) if odd == "account" else "active",
            same_as=data.draw(st.sampled_from(self.ids)) if odd == "same_as" else None,
        )

    @rule(data=st.data())
    def publish(self, data: st.DataObject) -> None:
        self.name = data.draw(st.sampled_from(["open", "open", "open", *sorted(policies())]))
        text = policies()[self.name]
        self.control.publish(text, self.name)
        self.policy: PolicySet = load(text, self.name)

    @rule(data=st.data())
    def choose(self, data: st.DataObject) -> None:
        self.speak(data)

    def speak(self, data: st.DataObject) -> None:
        person = data.draw(self.named())
        every = [str(item.id) for items in self.files for item in items]
        some = data.draw(st.lists(st.sampled_from(every), max_size=2)) if every else []
        choice = Choice(
            purpose=data.draw(
                st.sampled_from([*_TRAINING, Purpose.TRAIN_GENAI_IMAGE, Purpose.TRAIN_AI, Purpose.EVALUATE])
            ),
            state=data.draw(st.sampled_from([*ChoiceState, ChoiceState.REFUSED])),
            reach=data.draw(st.sampled_from(Reach)),
            at=data.draw(st.sampled_from((*MOMENTS, -7))),
            categories=data.draw(st.frozensets(st.sampled_from([Category.POST, Category.IMAGE]), max_size=2)),
            items=frozenset(some),
        )
        stored = Choice(
            purpose=choice.purpose,
            state=choice.state,
            reach=choice.reach,
            at=choice.at,
            categories=choice.categories,
            items=frozenset(self.deployment.item("network", item) for item in choice.items),
        )
        said = ChoiceMade(person=self.deployment.person(person), choice=stored, source=Source.SETTINGS)
        assert self.control.choose([said]) == 1
        self.world.choose(person, choice)

    @rule(data=st.data())
    def link(self, data: st.DataObject) -> None:
        one, other = data.draw(st.lists(self.named(), min_size=2, max_size=2, unique=True))
        self.control.link(self.deployment.person(one), self.deployment.person(other))
        self.world.link(one, other)

    @rule(data=st.data())
    def serve(self, data: st.DataObject) -> None:
        told = data.draw(st.lists(self.named(), unique=True))
        at = data.draw(st.sampled_from([NOW - 2 * DAY, NOW - DAY, NOW - DAY + 1]))
        self.control.serve_notice("n1", [self.deployment.person(each) for each in told], at=at)
        self.world.serve("n1", told, at)

    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        people = data.draw(st.lists(self.named(), min_size=1, max_size=2, unique=True))
        self.control.erase([self.deployment.person(each) for each in people])
        self.world.erase(people)

    @rule(data=st.data(), purpose=st.sampled_from([*_TRAINING, *_TRAINING, Purpose.EVALUATE]))
    def build(self, data: st.DataObject, purpose: Purpose) -> None:
        self.control.publish(policies()[self.name], self.name)  # a build is of the newest policy of its name
        draft = self.control._decide("network", purpose, self.name, at=NOW, progress=None)
        for _ in range(data.draw(st.integers(0, 3))):
            self.speak(data)
            if data.draw(st.booleans()):
                self.control.present()  # somebody else looks: what was said is taken in before the seal
        built = self.control._seal(draft, purpose, self.name)
        assert built is not None
        self.check(built.manifest, purpose)
        problems = [found for found in self.control.verify(built.manifest.release, decide=True) if found.problem]
        assert not problems
        self.explain_one(data, built.manifest.release)

    def check(self, manifest: Manifest, purpose: Purpose) -> None:
        stored = [[as_stored(item, self.form) for item in items] for items in self.files]
        expected = decide_all(self.world, stored, self.policy, purpose=purpose, at=NOW)
        release = self.control.release(manifest.release)
        assert [file.pin.path for file in manifest.files] == [f"items/{n}.parquet" for n in range(len(self.files))]
        for file, decisions in zip(manifest.files, expected, strict=True):
            excluded = set(BitMap64.deserialize(release.bitmap(file)))
            assert excluded == {row for row, decision in enumerate(decisions) if not decision.allowed}
        counts = manifest.counts
        assert counts["eligible"] == sum(decision.allowed for decisions in expected for decision in decisions)
        assert counts["items"] == sum(len(items) for items in self.files)

    def explain_one(self, data: st.DataObject, release: str) -> None:
        every = [item for items in self.files for item in items]
        if every:
            item = data.draw(st.sampled_from(every))
            found = self.control.explain(release, str(item.id))
            assert found.body["agrees_with_bitmap"]


def play(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Worlds,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            print_blob=True,
        ),
    )


def test_every_item_is_decided_as_plain_python_decides_it() -> None:
    play(examples=25, steps=12)


@pytest.mark.slow
def test_every_item_is_decided_as_plain_python_decides_it_in_many_worlds() -> None:
    play(examples=1_500, steps=25)
