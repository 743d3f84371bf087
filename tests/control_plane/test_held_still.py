"""What is known is held still for whoever asks a thousand times, and goes on afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Thread

import pytest

from consentry.bootstrap import Deployment
from consentry.ledger.lineage_events import ModelRegistered
from end_to_end.network import fresh
from ledger.sayings import published


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    with fresh() as (_, started):
        started.ledger.append([published("1")])
        yield started


def test_it_is_told_as_it_was_until_it_is_let_go_of(deployment: Deployment) -> None:
    desk = deployment.control.desk
    with desk.held_still() as present, desk.held_still():
        head = present.position
        deployment.ledger.append([published("2")])
        assert desk.present().position == head
    assert desk.present().position == head + 1


def test_it_is_let_go_of_where_something_goes_wrong(deployment: Deployment) -> None:
    desk = deployment.control.desk
    with pytest.raises(ZeroDivisionError), desk.held_still():
        raise ZeroDivisionError
    deployment.ledger.append([published("2")])
    assert desk.present().position == deployment.ledger.head()


def test_others_wait_rather_than_being_told_what_is_old(deployment: Deployment) -> None:
    desk, asks, told = deployment.control.desk, Event(), list[int]()

    def ask() -> None:
        asks.set()
        told.append(desk.present().position)

    other = Thread(target=ask)
    with desk.held_still():
        deployment.ledger.append([published("2")])
        other.start()
        asks.wait()
        other.join(timeout=0.1)
        assert other.is_alive()
    other.join()
    assert told == [deployment.ledger.head()]


def test_where_many_models_stand_is_told_without_asking_the_ledger_for_each(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"model-{number}" for number in range(300)]
    bodies = [ModelRegistered(model=name, base=None, releases=(), leases=(), digest=None) for name in names]
    deployment.ledger.append(bodies)
    models, asked, plain = deployment.control.models, list[int](), deployment.ledger.head

    def head() -> int:
        asked.append(1)
        return plain()

    monkeypatch.setattr(deployment.ledger, "head", head)
    assert [each["model"] for each in models.every()] == names
    assert len(asked) < len(names), "a few at a time"
