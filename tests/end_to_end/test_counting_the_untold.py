"""While it is counted whom notices did not reach, nobody else waits: the lock of the desk is free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.clock import now
from consentry.control_plane.telling import Asked, Telling
from consentry.ledger.oversight_events import Origin
from consentry.oversight.case import CaseStanding
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from end_to_end.network import RawItem, RawPerson, fresh, write_corpus, write_people

CASE, POLICY = "ico-2024", "august-2024"
UK, PART = Scope(areas=frozenset({"UK"})), Scope(areas=frozenset({"GB-SCT"}))
NAMES = tuple(f"gb-{number}" for number in range(6))
PEOPLE = tuple(RawPerson(id=each, country="GB") for each in NAMES)
ITEMS = tuple(RawItem(id=f"{each}-1", author=each) for each in NAMES)
WAIT_S, BLOCKED_S = 20, 0.3
Verb = Callable[[Deployment], Any]


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    """A case that is approved, with a notice that reached two of six people, and nobody counted yet."""
    with fresh() as (folder, deployment):
        control = deployment.control
        control.statements.register_corpus(write_corpus(folder, [ITEMS]))
        control.statements.load_people(write_people(folder / "people", PEOPLE))
        control.statements.publish(shipped()[POLICY], POLICY)
        control.orders.suspend(UK, case=CASE, origin=Origin.AUTHORITY_REQUEST, reference="letter")
        control.cases.begin_review(CASE, by="ann")
        control.cases.require_notice(CASE, "n-1", days=1, by="ann")
        for by in ("ann", "bob"):
            assert control.cases.approve(CASE, by=by) == ()
            control.cases.narrow(CASE, PART, by=by, reference="x")
        control.notices.serve("n-1", [deployment.person(each) for each in NAMES[:2]], at=now())
        yield folder, deployment


def untold(deployment: Deployment) -> list[str]:
    return [each.text for each in deployment.control.cases.register_of(CASE)[2] if "did not reach" in each.text]


VERBS: dict[str, Verb] = {
    "shown": lambda deployment: deployment.control.cases.register_of(CASE),
    "lifted": lambda deployment: deployment.control.cases.lift(CASE, by="ann", reference="x"),
    "narrowed": lambda deployment: deployment.control.cases.narrow(CASE, PART, by="ann", reference="x"),
    "looked at by an authority": lambda deployment: deployment.control.authority_view.start(frozenset({"UK"})),
    "looked at as one": lambda deployment: deployment.control.authority_view.case(CASE, frozenset({"UK"})),
}


def gets_through(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, *, counting: Verb, with_the_lock: bool
) -> bool:
    """Say whether an order is given while the first count of a verb goes on, which is as long as the order may take."""
    counts, go_on, given = Event(), Event(), Event()
    count = Telling.count

    def slow(telling: Telling, asked: Asked | None) -> dict[str, int]:
        if asked is not None and not counts.is_set():
            counts.set()
            assert go_on.wait(WAIT_S)
        return count(telling, asked)

    def ask() -> None:
        with ExitStack() as held:
            if with_the_lock:
                held.enter_context(deployment.control.desk.lock)
            counting(deployment)

    def give() -> None:
        deployment.control.orders.suspend(UK, case="another", origin=Origin.OWN_DECISION, reference="note")
        given.set()

    monkeypatch.setattr(Telling, "count", slow)
    threads = [Thread(target=each) for each in (ask, give)]
    threads[0].start()
    try:
        assert counts.wait(WAIT_S), "nobody was counted"
        threads[1].start()
        through = given.wait(BLOCKED_S if with_the_lock else WAIT_S)
    finally:
        go_on.set()
        for each in threads:
            if each.ident is not None:
                each.join(WAIT_S)
    assert given.is_set()
    return through


@pytest.mark.parametrize("verb", list(VERBS))
def test_an_order_is_given_while_people_are_counted(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    _, deployment = place
    assert gets_through(deployment, monkeypatch, counting=VERBS[verb], with_the_lock=False)


def test_the_harness_notices_a_count_with_the_lock(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same harness, with the lock of the desk held as it was before."""
    _, deployment = place
    assert not gets_through(deployment, monkeypatch, counting=VERBS["shown"], with_the_lock=True)


def test_what_was_counted_before_is_not_what_is_lifted_by(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who joins between the count and the head of the ledger is counted at the head."""
    folder, deployment = place
    assert untold(deployment) == ["notice `n-1` did not reach 4 people whose content would be used again"]
    assert deployment.control.cases.register_of(CASE)[1] is CaseStanding.NOTICES_SERVED
    joined = Event()
    count = Telling.count

    def then_somebody_joins(telling: Telling, asked: Asked | None) -> dict[str, int]:
        found = count(telling, asked)
        if not joined.is_set():
            joined.set()
            more = (*PEOPLE, RawPerson(id="gb-late", country="GB"))
            deployment.control.statements.load_people(write_people(folder / "people", more))
        return found

    monkeypatch.setattr(Telling, "count", then_somebody_joins)
    found = deployment.control.cases.lift(CASE, by="ann", reference="x")
    assert joined.is_set()
    assert "notice `n-1` did not reach 5 people whose content would be used again" in [each.text for each in found]


def test_a_count_is_of_the_position_at_which_it_was_asked_for(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    telling, case = deployment.control.cases.telling, deployment.control.cases.get(CASE)
    with deployment.control.desk.lock:
        asked = telling.asked(case, at=now())
    deployment.control.notices.serve("n-1", [deployment.person("gb-3")], at=now())
    assert untold(deployment) == ["notice `n-1` did not reach 3 people whose content would be used again"]
    assert telling.count(asked) == {"n-1": 4}
