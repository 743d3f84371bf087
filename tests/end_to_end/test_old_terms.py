"""What a lift gives back is given back on the new terms: what was sealed before the order stays unread.

A release knows nothing of what was said while its content was suspended. So after the end of an order it is asked what
was decided then: lifted and narrowed, it was; withdrawn, it was not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import OrderEnd
from consentry.oversight.order import Order, Scope
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach, Visibility
from consentry.release.materialise import CopyFormat
from consentry.release.snapshot import Use
from end_to_end.still_given import handed_out
from end_to_end.suspended_network import EVERYTHING, POLICY, UK, build, grant, refusal, renew, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_story import BEFORE, NOW, eligible

USE = Use(Purpose.TRAIN_GENAI, Category.POST, Visibility.PUBLIC)
UK_AND_BRAZIL = Scope(areas=frozenset({"UK", "BR"}))
BRAZIL = Scope(areas=frozenset({"BR"}))


def end(deployment: Deployment, order: Order, how: OrderEnd = OrderEnd.LIFTED) -> None:
    deployment.control.desk.present()
    deployment.ledger.append(deployment.control.orders.ends([order.order], how))


def refuse(deployment: Deployment, person: str, reach: Reach = Reach.UNTRAINED) -> None:
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=reach, at=NOW)
    deployment.control.statements.choose(
        [ChoiceMade(person=deployment.person(person), choice=choice, source=Source.FORM)]
    )


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ConsentryError) as caught:
        call()
    return caught.value.code


def test_who_refuses_in_the_window_is_in_nothing_that_is_read_after_the_lift(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    old = build(deployment)
    lease, secret = grant(deployment, old)
    order = suspend(deployment)
    refuse(deployment, "gb")
    end(deployment, order)
    assert not control.people.may("gb", USE, policy=POLICY)["allowed"]
    new = build(deployment)
    assert eligible(deployment, new) == handed_out(deployment, new) == {"u1", "b1", "n1"}
    grant(deployment, new)
    # The old one still holds what they refused before anybody could read it again.
    assert refusal(deployment, old) == "lease-old-terms"
    assert refused(lambda: renew(deployment, lease, secret)) == "lease-revoked"
    assert refused(lambda: control.lease_reading.handed_out(lease.lease, secret=secret, index=0)) == "lease-revoked"
    for read in (
        lambda: control.releases.data_files(old),
        lambda: control.releases.table(old, 2),
        lambda: control.releases.materialise(old, folder / "copy", kind=CopyFormat.JSONL),
    ):
        assert refused(read) == "release-old-terms"
    assert not (folder / "copy").exists()
    # It stays in the ledger: it can be shown, explained and verified like one that was withdrawn.
    assert control.releases.explain(old, "g1").allowed
    assert not [each.problem for each in control.releases.verify(old) if each.problem]


def test_the_refusal_says_which_suspension_and_when_it_was_lifted(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    old = build(deployment)
    end(deployment, suspend(deployment))
    (order,) = deployment.control.orders.every()
    assert order.ended is not None
    said = deployment.control.orders.barred(old)
    assert said is not None
    assert (said["order"], said["ended"], said["ended_at"]) == (order.order, "lifted", order.ended.at)
    assert said["why"].startswith(f"release `{old}` was sealed before the suspension of UK (order `ico-2024.1`)")
    assert said["why"].endswith(order.ended.in_words())
    with pytest.raises(ConsentryError) as caught:
        grant(deployment, old)
    assert caught.value.message == said["why"]
    assert "build a new release" in (caught.value.help or "")
    assert deployment.control.orders.barred(build(deployment)) is None


def test_tables_do_not_come_back_by_themselves(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    old = build(deployment)
    tables = {version: Path(control.releases.table(old, version)["metadata"]) for version in (2, 3)}
    order = suspend(deployment)
    end(deployment, order)
    new = build(deployment)
    refuse(deployment, "us", Reach.EVERYTHING)  # tables of amended releases are written anew
    control.releases.table(new, 2)
    control.leases.expire()
    assert not any(path.exists() for path in tables.values())


def test_a_table_that_a_crash_left_is_gone_with_the_next_one(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment = place
    control = deployment.control
    old = build(deployment)
    metadata = Path(control.releases.table(old, 2)["metadata"])
    with monkeypatch.context() as patch:
        patch.setattr(control.orders.handouts, "remove", lambda: None)
        order = suspend(deployment)
    end(deployment, order)
    assert metadata.exists()
    control.releases.table(build(deployment), 2)
    assert not metadata.exists()


def test_after_an_order_that_was_given_in_error_it_is_read_as_before(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    old = build(deployment)
    lease, secret = grant(deployment, old)
    end(deployment, suspend(deployment), OrderEnd.WITHDRAWN)
    grant(deployment, old)
    assert handed_out(deployment, old) == EVERYTHING
    assert deployment.control.orders.barred(old) is None
    assert refused(lambda: renew(deployment, lease, secret)) == "lease-revoked", "what had to stop has stopped"


def test_what_a_narrowing_gives_back_is_given_back_on_the_new_terms_too(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    old = build(deployment)
    wide = suspend(deployment, UK_AND_BRAZIL)
    within = build(deployment)
    suspend(deployment, UK)
    end(deployment, wide, OrderEnd.NARROWED)
    assert refusal(deployment, old) == "lease-suspended", "the one in force is named first"
    (narrow,) = [each for each in control.orders.every() if each.ended is None]
    end(deployment, narrow, OrderEnd.WITHDRAWN)
    assert refusal(deployment, old) == "lease-old-terms"
    grant(deployment, within)


def test_orders_that_never_hit_a_release_change_nothing(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    without = suspend(deployment)
    other = build(deployment)  # sealed without the UK
    end(deployment, without)
    lease, secret = grant(deployment, other)
    for scope in (UK, Scope(areas=frozenset({"CH"})), Scope(purposes=frozenset({Purpose.SERVE}))):
        end(deployment, suspend(deployment, scope))
    renew(deployment, lease, secret)
    grant(deployment, other)
    assert handed_out(deployment, other) == {"u1", "b1", "n1"}


def test_a_window_bars_only_what_holds_items_of_then(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    old = build(deployment)
    end(deployment, suspend(deployment, replace(UK, created_from=BEFORE + 1)))
    grant(deployment, old)
    end(deployment, suspend(deployment, replace(UK, created_from=BEFORE)))
    assert refusal(deployment, old) == "lease-old-terms"


def test_an_order_that_names_a_model_bars_the_training_of_that_one(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    old = build(deployment)
    for model in ("drafts", "other"):
        grant(deployment, old, model)
    end(deployment, suspend(deployment, Scope(models=frozenset({"drafts"}))))
    assert refusal(deployment, old, "drafts") == "lease-old-terms"
    grant(deployment, old, "other")
    assert handed_out(deployment, old) == EVERYTHING
    grant(deployment, build(deployment), "drafts")


def test_what_if_names_no_release_that_nobody_may_read_again(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    old = build(deployment)
    order = suspend(deployment)
    assert control.orders.what_if(BRAZIL)["releases"] == {old: 2}, "an order in force may have been an error"
    end(deployment, order)
    new = build(deployment)
    assert control.orders.what_if(BRAZIL)["releases"] == {new: 2}


def test_it_is_known_again_after_a_restart(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    old = build(deployment)
    end(deployment, suspend(deployment))
    deployment.close()
    again = open_deployment(folder / "home")
    assert refusal(again, old) == "lease-old-terms"
    grant(again, build(again))
    again.close()
