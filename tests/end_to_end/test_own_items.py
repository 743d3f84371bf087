"""What a person is told about their items is what a release made at that moment does with them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.control_plane.own_content import Aim
from consentry.control_plane.own_list import Which
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.release.basis import Asked
from end_to_end.network import RawItem, RawPerson, fresh, populated, write_corpus, write_people
from end_to_end.test_story import BEFORE, NOW, eligible, say

PURPOSE, POLICY = Purpose.TRAIN_GENAI, "august-2024"
ITEMS = 90


@contextmanager
def world(seed: int, *, elsewhere: float = 1.0) -> Iterator[tuple[Deployment, list[str], random.Random]]:
    """Yield a deployment in which people of several countries wrote and named each other, and some said no.

    `elsewhere` is which part of those outside the US, and of those who may be minors, there is.
    """
    chance = random.Random(seed)
    people = [
        RawPerson(
            id=f"p{number}",
            country=chance.choice(["US", "GB", "DE", None]) if number % 3 and chance.random() < elsewhere else "US",
            age=chance.choice(["adult", "adult", "adult", "minor", None]) if chance.random() < elsewhere else "adult",
            same_as=f"p{number - 1}" if number % 7 == 6 else None,
        )
        for number in range(14)
    ]
    ids = [str(person.id) for person in people]
    items = [
        RawItem(
            id=f"i{number}",
            author=chance.choice(ids),
            category=chance.choice(["post", "comment", "pic", "direct-message", "nonsense"]),
            created=None if number % 11 == 0 else NOW - chance.randrange(1000),
            involves=tuple(chance.sample(ids, chance.randrange(3))),
        )
        for number in range(ITEMS)
    ]
    with fresh() as (folder, deployment):
        control = deployment.control
        control.statements.register_corpus(write_corpus(folder, [items[:50], items[50:]]))
        control.statements.load_people(write_people(folder / "people", people))
        control.statements.publish(shipped()[POLICY], POLICY)
        made = [
            ChoiceMade(
                person=deployment.person(chance.choice(ids)),
                choice=Choice(
                    purpose=chance.choice([PURPOSE, Purpose.TRAIN_AI, Purpose.TRAIN_GENAI_TEXT]),
                    state=chance.choice([ChoiceState.REFUSED, ChoiceState.REFUSED, ChoiceState.ALLOWED]),
                    reach=chance.choice([*Reach]),
                    at=NOW - chance.randrange(1000),
                    categories=frozenset({Category.POST}) if chance.random() < 0.4 else frozenset(),
                    items=frozenset({deployment.item("network", f"i{chance.randrange(ITEMS)}")})
                    if chance.random() < 0.4
                    else frozenset(),
                ),
                source=Source.IMPORT,
            )
            for _ in range(8)
        ]
        control.statements.choose(made)
        if seed:
            scope = Scope(areas=frozenset({"UK"}), categories=frozenset({Category.COMMENT}), created_from=NOW - 500)
            control.orders.suspend(scope, case="ico", origin=Origin.OWN_DECISION, reference="letter")
        yield deployment, ids, chance


@pytest.mark.parametrize("seed", range(3))
def test_items_are_shown_as_a_release_decides_them(seed: int) -> None:
    with world(seed) as (deployment, ids, _):
        control = deployment.control
        release = control.releases.build("network", PURPOSE, policy=POLICY).manifest.release
        seen = 0
        for person in ids:
            number = 1
            while True:
                page = control.own_content.items(
                    deployment.person(person), purpose=PURPOSE, which=Which(), number=number
                )
                for each in page.items:
                    assert each.id is not None
                    assert each.item.used is control.releases.explain(release, each.id).allowed, (person, each)
                    seen += 1
                if number >= page.pages:
                    break
                number += 1
        assert seen >= ITEMS


@pytest.mark.parametrize("seed", range(3))
def test_the_next_release_is_without_what_was_foretold(seed: int) -> None:
    """Also without what others wrote in which they appear, and whatever the reach without what has no date."""
    beside = undated = 0
    with world(seed, elsewhere=0.2) as (deployment, ids, chance):
        control = deployment.control
        was = control.releases.build("network", PURPOSE, policy=POLICY).manifest.eligible
        for name in chance.sample(ids, len(ids)):
            person, reach = deployment.person(name), chance.choice([*Reach])
            categories = frozenset({Category.POST}) if chance.random() < 0.3 else frozenset[Category]()
            foretold = control.own_content.effect(person, Aim(purpose=PURPOSE, categories=categories))
            no = Choice(
                purpose=PURPOSE,
                state=ChoiceState.REFUSED,
                reach=reach,
                at=deployment.control.desk.parts.clock(),
                categories=categories,
            )
            control.statements.choose([ChoiceMade(person=person, choice=no, source=Source.SETTINGS)])
            now = control.releases.build("network", PURPOSE, policy=POLICY).manifest.eligible
            expected = foretold.undated if reach is Reach.FUTURE else foretold.next_release
            assert (was - now, name, reach) == (expected, name, reach)
            beside, undated, was = beside + foretold.next_others, undated + foretold.undated, now
    assert min(beside, undated) > 0, (beside, undated)


def test_what_somebody_objected_to_is_not_what_is_like_it() -> None:
    """Neither is the rest shown or foretold as left out with it, nor it as used with the rest."""
    items = [RawItem(id=f"i{number}", author="ann", created=BEFORE, involves=("bo",)) for number in range(3)]
    items.append(RawItem(id="b", author="bo", created=BEFORE))
    with populated([items], [RawPerson(id="ann"), RawPerson(id="bo")], POLICY) as (_, deployment):
        control = deployment.control
        filed = control.objections.file("a link", answer_to="zoe@example.org")
        control.objection_queue.match_items(filed.objection, ["i0"], corpus="network", by="sam")
        release = control.releases.build("network", PURPOSE, policy=POLICY).manifest.release
        assert eligible(deployment, release) == {"i1", "i2", "b"}
        ann, bo = deployment.person("ann"), deployment.person("bo")
        shown = control.own_content.every_item(ann, purpose=PURPOSE, which=Which())
        assert {each.id for each in shown if each.item.used} == {"i1", "i2"}
        assert control.own_content.effect(ann, Aim(purpose=PURPOSE)).next_release == 2
        foretold = control.own_content.effect(bo, Aim(purpose=PURPOSE))
        assert (foretold.next_release, foretold.next_others) == (3, 2)


@pytest.mark.parametrize("said", [{"items": ("i0", "i1")}, {"reach": Reach.FUTURE}], ids=["items", "later"])
def test_of_others_who_said_something_no_more_is_worked_out_than_differs(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]
) -> None:
    """Somebody may appear in thousands of items of one who said no to hundreds of them."""
    items = [RawItem(id=f"i{number}", author="ann", created=BEFORE, involves=("bo",)) for number in range(40)]
    with populated([items], [RawPerson(id="ann"), RawPerson(id="bo")], POLICY) as (_, deployment):
        say(deployment, "ann", **said)
        looked, person = [], Asked.person

        def counted(self: Asked, *about: Any, **more: Any) -> Any:
            looked.append(about)
            return person(self, *about, **more)

        monkeypatch.setattr(Asked, "person", counted)
        foretold = deployment.control.own_content.effect(deployment.person("bo"), Aim(purpose=PURPOSE))
        assert foretold.next_others == 40 - len(said.get("items", ()))
        assert len(looked) <= 4, len(looked)
