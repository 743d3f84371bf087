"""What a dry run foretells is what the order then hits: releases, leases and models, whatever was registered anew."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from consentry.bootstrap import Deployment
from consentry.corpus.registration import forget_earlier
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import OrderEnd
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Category, Purpose, Reach
from end_to_end.model_steps import train
from end_to_end.network import RawItem, RawPerson, populated, register_other_bytes, write_items, write_people
from end_to_end.test_orders_of_dates import (
    BOTH,
    LATER,
    Place,
    add_columns,
    describe,
    granted,
    load,
    suspend,
    with_columns,
)
from end_to_end.test_story import BEFORE, ITEMS, NOW, POLICY, build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture


def states(deployment: Deployment) -> dict[str, str]:
    leases = [each.lease for each in deployment.control.desk.present().overseen.leases]
    return {name: each.state for name, each in deployment.control.leases.standings(leases).items()}


def held(deployment: Deployment, order: str) -> list[str]:
    """Return the models that an order holds from being served."""
    models = deployment.control.models
    names = [each.name for each in deployment.control.desk.present().overseen.lineage]
    return sorted(name for name in names if any(f"order {order} " in why for why in models.may_serve(name)["reasons"]))


def foretold(deployment: Deployment, scope: Scope) -> int:
    """Suspend, compare what was foretold with what came of it, and return how much that was."""
    control = deployment.control
    hits = control.orders.hits
    may_be_read = [
        name
        for name, sealed in control.releases.sealed().items()
        if sealed.withdrawn is None and not hits.barred_for_good(name)
    ]
    before = states(deployment)
    said = control.orders.what_if(scope)
    name = suspend(deployment, scope)
    order = control.orders.get(name)
    barred = [each for each in may_be_read if hits.bars(order, each) and hits.concerns(order, each)]
    assert sorted(said["releases"]) == sorted(barred)
    stopped = [each.lease for each in control.orders.made_to_stop(order)]
    assert sorted(said["leases"]) == sorted(stopped)
    after = states(deployment)
    assert {each for each in before if after[each] != before[each]} <= {*said["leases"]}
    assert {*said["leases"]} <= {each for each, state in after.items() if state in ("revoked", "expired")}
    assert said["no_longer_served"] == held(deployment, name)
    assert {*said["no_longer_served"]} <= {*said["models"]}
    return len(said["releases"]) + len(said["leases"]) + len(said["no_longer_served"])


def moved_away(place: Place) -> None:
    load(place, "US")


def described_anew(place: Place) -> None:
    describe(place, "author_id", "poster")


def dated_anew(place: Place) -> None:
    describe(place, "made", "edited")


def memory_lost(place: Place) -> None:
    describe(place, "made", "edited")
    forget_earlier(place[1].control.desk.corpora, "network", wanted=())


def other_bytes(place: Place) -> None:
    register_other_bytes(*place, ITEMS[:3])


def withdrawn(place: Place) -> None:
    for name in list(place[1].control.releases.sealed()):
        place[1].control.releases.withdraw(name, "a mistake", by="olga")


def suspended_before(place: Place) -> None:
    order = suspend(place[1], Scope())
    place[1].ledger.append(place[1].control.orders.ends([order], OrderEnd.LIFTED))


def erased(place: Place) -> None:
    place[1].control.statements.erase([place[1].person("bo")])


def nothing(_: Place) -> None:
    pass


MEANWHILE = [moved_away, described_anew, dated_anew, memory_lost, other_bytes, withdrawn, suspended_before, erased]
SERVE = frozenset({Purpose.SERVE})


@BOTH
@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=lambda each: each.__name__)
def test_what_happened_since_the_seal_makes_a_dry_run_foretell_no_less(
    place: Place, scope: Scope, meanwhile: Callable[[Place], None]
) -> None:
    with_columns(place)
    release = build(place[1])
    granted(place[1], release)
    train(place[1], release, "mm", None)
    meanwhile(place)
    assert foretold(place[1], scope)


@BOTH
@pytest.mark.parametrize("meanwhile", [nothing, moved_away], ids=lambda each: each.__name__)
@pytest.mark.parametrize("about", [Scope(purposes=SERVE), Scope(models=frozenset({"m"}))], ids=["serve", "model"])
def test_an_order_about_serving_or_a_model_is_foretold(
    place: Place, scope: Scope, meanwhile: Callable[[Place], None], about: Scope
) -> None:
    release = build(place[1])
    granted(place[1], release)
    train(place[1], release, "mm", None)
    meanwhile(place)
    assert foretold(place[1], replace(scope, purposes=about.purposes, models=about.models)) == 2


COUNTRIES = ("US", "US", "BR", "FR", "GB", None)
WHO = [f"p{number}" for number in range(8)]


class World:
    """A deployment to which anything happens."""

    def __init__(self, place: Place, random: Random) -> None:
        self.place, self.random = place, random
        self.folder, self.deployment = place
        self.control = place[1].control
        self.steps: tuple[Callable[[], object], ...] = (
            *(self.load, self.build, self.build, self.read, self.read, self.learn, self.describe, self.describe),
            *(self.forget, self.replace, self.withdraw, self.refuse, self.erase, self.link, self.end),
        )

    def load(self) -> None:
        people = [RawPerson(id=each, country=self.random.choice(COUNTRIES)) for each in WHO]
        self.control.statements.load_people(write_people(self.folder / "people", people))

    def release(self) -> str:
        return self.random.choice(list(self.control.releases.sealed()))

    def build(self) -> None:
        build(self.deployment)

    def read(self) -> None:
        granted(self.deployment, self.release())

    def learn(self) -> None:
        name = f"model-{self.random.randrange(9)}"
        self.control.models.register(name, releases=[self.release()])
        self.control.models.register(f"tuned-{name}", base=name)

    def describe(self) -> None:
        describe(self.place, *self.random.choice([("author_id", "poster"), ("made", "edited"), ("made", "made")]))

    def forget(self) -> None:
        if self.random.random() < 0.3:
            forget_earlier(self.control.desk.corpora, "network", wanted=())

    def replace(self) -> None:
        if self.random.random() < 0.3:
            path = self.folder / "items" / "0.parquet"
            write_items(path, items_of(self.random, 0))
            add_columns(path)
            self.control.statements.register_corpus(self.folder / "corpus.toml")

    def withdraw(self) -> None:
        self.control.releases.withdraw(self.release(), "a mistake", by="olga")

    def refuse(self) -> None:
        say(self.deployment, self.random.choice(WHO), reach=Reach.EVERYTHING)

    def erase(self) -> None:
        self.control.statements.erase([self.deployment.person(self.random.choice(WHO))])

    def link(self) -> None:
        one, other = (self.deployment.person(each) for each in self.random.sample(WHO, 2))
        self.control.statements.link(one, other)

    def end(self) -> None:
        orders = [each.order for each in self.control.orders.every() if each.ended is None]
        how = self.random.choice([OrderEnd.LIFTED, OrderEnd.NARROWED, OrderEnd.WITHDRAWN])
        self.deployment.ledger.append(self.control.orders.ends(orders, how))

    def scope(self) -> Scope:
        some = self.random.choice
        areas = some([(), ("BR",), ("UK",), ("EU",), ("BR", "UK")])
        categories = some([(), (), (Category.POST,), (Category.IMAGE,)])
        first, last = some([(None, None), (None, None), (BEFORE, None), (None, NOW), (BEFORE - 9, BEFORE + 9)])
        models = {each.name for each in self.control.desk.present().overseen.lineage}
        return Scope(
            areas=frozenset(areas),
            purposes=some([frozenset(), frozenset(), SERVE, frozenset({Purpose.TRAIN_GENAI})]),
            categories=frozenset(categories),
            created_from=first,
            created_before=last,
            models=frozenset({some(sorted(models))} if models and self.random.random() < 0.2 else ()),
        )


def items_of(random: Random, number: int) -> list[RawItem]:
    return [
        RawItem(
            id=f"i{number}-{each}-{random.random()}",
            author=random.choice(WHO),
            created=random.choice([BEFORE, NOW + 5, LATER]),
            category=random.choice(["post", "pic"]),
            involves=(random.choice(WHO),) if random.random() < 0.2 else (),
        )
        for each in range(3)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_to_a_deployment_an_order_hits_what_was_foretold(seed: int) -> None:
    random = Random(seed)
    people = [RawPerson(id=each, country=random.choice(COUNTRIES)) for each in WHO]
    with populated([items_of(random, number) for number in range(3)], people, POLICY) as place:
        with_columns(place)
        world = World(place, random)
        world.build()
        hit = 0
        for _ in range(6):
            for _ in range(5):
                with suppress(ConsentryError):
                    random.choice(world.steps)()
            hit += foretold(world.deployment, world.scope())
            if random.random() < 0.7:
                world.end()
        assert hit
