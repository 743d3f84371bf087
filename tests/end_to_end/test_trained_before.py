"""A model that was trained before a suspension may be served once that ended, and says so; others may not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.errors import StateError
from consentry.ledger.oversight_events import LeaseEnd, OrderEnd, Origin
from consentry.oversight.order import Order, Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose
from end_to_end.network import RawItem, RawPerson, fresh, write_corpus, write_people
from end_to_end.test_story import BEFORE, NOW

POLICY = "august-2024"
PEOPLE = (RawPerson(id="us"), RawPerson(id="gb", country="GB"))
ITEMS = (RawItem(id="u1", author="us", created=BEFORE), RawItem(id="g1", author="gb", created=BEFORE))
UK = Scope(areas=frozenset({"UK"}))
TRAINING_IN_THE_UK = Scope(areas=frozenset({"UK"}), purposes=frozenset({Purpose.TRAIN_GENAI}))


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, [ITEMS]))
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        yield folder, deployment


def build(deployment: Deployment) -> str:
    return deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release


def train(deployment: Deployment, release: str, model: str) -> str:
    leases = deployment.control.leases
    lease, secret = leases.grant(release, job=f"job-{model}", model=model)
    leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=5)
    return lease.lease


def suspend(deployment: Deployment, scope: Scope = UK) -> Order:
    return deployment.control.orders.suspend(scope, case="c-1", origin=Origin.AUTHORITY_REQUEST, reference="letter")


def end(deployment: Deployment, order: Order, how: OrderEnd = OrderEnd.LIFTED) -> None:
    deployment.control.desk.present()
    deployment.ledger.append(deployment.control.orders.ends([order.order], how))


def served(deployment: Deployment, *models: str) -> list[bool]:
    return [bool(deployment.control.models.may_serve(each)["may"]) for each in models]


def before(deployment: Deployment, model: str) -> list[tuple[str, str, str, str]]:
    found = deployment.control.models.show(model)["trained_before"]
    return [(each["order"], each["ended"], each["model"], each["release"]) for each in found]


@pytest.mark.parametrize("how", [OrderEnd.LIFTED, OrderEnd.NARROWED])
def test_it_is_served_after_the_end_and_says_which_suspension_it_was_trained_before(
    place: tuple[Path, Deployment], how: OrderEnd
) -> None:
    _, deployment = place
    control, old = deployment.control, build(deployment)
    train(deployment, old, "drafts")
    control.models.register("tuned", base="drafts")
    order = suspend(deployment)
    assert served(deployment, "drafts", "tuned") == [False, False]
    assert before(deployment, "drafts") == [], "it has not ended"
    end(deployment, order, how)
    assert served(deployment, "drafts", "tuned") == [True, True]
    for model in ("drafts", "tuned"):
        assert before(deployment, model) == [(order.order, str(how), "drafts", old)]
    with pytest.raises(StateError, match="was sealed before the suspension") as caught:
        control.leases.grant(old, job="again", model="drafts")
    assert caught.value.code == "lease-old-terms", "served, and trained no further"
    train(deployment, build(deployment), "fresh")
    assert served(deployment, "fresh") == [True]
    assert before(deployment, "fresh") == []


def test_an_order_that_was_given_in_error_leaves_nothing_to_say(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    train(deployment, build(deployment), "drafts")
    end(deployment, suspend(deployment), OrderEnd.WITHDRAWN)
    assert served(deployment, "drafts") == [True]
    assert before(deployment, "drafts") == []


def test_who_does_not_want_it_served_says_so_by_an_order_that_goes_on(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    train(deployment, build(deployment), "drafts")
    order = suspend(deployment)
    suspend(deployment, Scope(areas=frozenset({"UK"}), purposes=frozenset({Purpose.SERVE})))
    end(deployment, order)
    assert served(deployment, "drafts") == [False]
    assert before(deployment, "drafts") != []


def test_what_is_said_to_be_trained_on_it_since_is_held_for_nobody_knows_when_it_was(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    control, old = deployment.control, build(deployment)
    lease = train(deployment, old, "drafts")
    control.models.register("in-time", releases=[old])
    order = suspend(deployment, TRAINING_IN_THE_UK)
    control.models.register("late", releases=[old])
    control.models.register("under-a-lease", leases=[lease])
    control.models.register("on-the-late-one", base="late")
    control.models.register("on-a-new-one", releases=[build(deployment)])
    every = ("drafts", "in-time", "under-a-lease", "on-a-new-one", "late", "on-the-late-one")
    expected = [True, True, True, True, False, False]
    assert served(deployment, *every) == expected, "it is about training, and these were trained before"
    end(deployment, order)
    assert served(deployment, *every) == expected
    (reason,) = control.models.may_serve("on-the-late-one")["reasons"]
    assert reason.startswith(f"that `late` was trained on release `{old}` was said at position ")
    assert f"after order {order.order} (letter) suspended reading it" in reason
    again = suspend(deployment, TRAINING_IN_THE_UK)
    end(deployment, again, OrderEnd.WITHDRAWN)
    assert served(deployment, *every) == expected
