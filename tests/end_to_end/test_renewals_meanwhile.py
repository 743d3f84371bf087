"""While something slow goes on a lease is renewed: nobody holds the lock of the desk for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.control_plane import conditions
from consentry.control_plane.hits import Hits
from consentry.control_plane.notices import NoticeVerbs
from consentry.control_plane.rows_there import RowsThere
from consentry.errors import ConsentryError
from consentry.ledger import image
from consentry.ledger.oversight_events import LeaseEnd, LeaseEnded, Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from end_to_end.case_steps import CASE, condition
from end_to_end.suspended_network import build, grant, renew, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_story import BEFORE

WAIT_S, BLOCKED_S = 20, 0.3
SERVED_IN_THE_UK = Scope(areas=frozenset({"UK"}), purposes=frozenset({Purpose.SERVE}), created_from=BEFORE - 1)


class Slow:
    """Lets a lease be renewed while something goes on that takes as long as that."""

    def __init__(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deployment = deployment
        self.release = build(deployment)
        self._lease, self._secret = grant(deployment, self.release)
        self._monkeypatch = monkeypatch

    def consumed(self, step: int) -> None:
        """Report that two items were consumed in a step."""
        self.deployment.control.leases.consumed(
            self._lease.lease, secret=self._secret, from_step=step, to_step=step, amendment=0, ranges=[[0, 0, 2]]
        )

    def renewed(
        self,
        owner: Any,
        name: str,
        verb: Callable[[], Any],
        *,
        with_the_lock: bool = False,
        meanwhile: Callable[[], Any] = lambda: None,
    ) -> bool:
        """Say whether the lease is renewed while the first call of `name` goes on that `verb` makes."""
        begun, go_on, done = Event(), Event(), Event()
        plain = getattr(owner, name)

        def slow(*args: Any, **more: Any) -> Any:
            if not begun.is_set():
                begun.set()
                assert go_on.wait(WAIT_S)
            return plain(*args, **more)

        def ask() -> None:
            # Whether it is done in the end is another matter.
            with suppress(ConsentryError), self.deployment.control.desk.lock if with_the_lock else nullcontext():
                verb()

        def renewing() -> None:
            renew(self.deployment, self._lease, self._secret)
            meanwhile()
            done.set()

        self._monkeypatch.setattr(owner, name, slow)
        threads = [Thread(target=each) for each in (ask, renewing)]
        threads[0].start()
        try:
            assert begun.wait(WAIT_S), "nothing slow was done"
            threads[1].start()
            through = done.wait(BLOCKED_S if with_the_lock else WAIT_S)
        finally:
            go_on.set()
            for each in threads:
                if each.ident is not None:
                    each.join(WAIT_S)
        assert done.is_set()
        return through


@pytest.fixture
def slow(place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch) -> Slow:
    return Slow(place[1], monkeypatch)


def test_while_it_is_looked_for_what_holds_a_model(slow: Slow) -> None:
    suspend(slow.deployment, SERVED_IN_THE_UK)
    assert slow.renewed(Hits, "_rows_hit", lambda: slow.deployment.control.models.may_serve("drafts"))


def test_the_harness_notices_the_lock(slow: Slow) -> None:
    """The control: the same, with the lock of the desk held as it was before."""
    suspend(slow.deployment, SERVED_IN_THE_UK)
    verb = lambda: slow.deployment.control.models.may_serve("drafts")  # noqa: E731
    assert not slow.renewed(Hits, "_rows_hit", verb, with_the_lock=True)


def test_while_it_is_looked_for_whose_lease_that_is_over_an_order_had_hit(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the server was started anew after an order that is not noted as drained yet."""
    _, deployment = place
    lease, _ = grant(deployment, build(deployment))
    scope = replace(SERVED_IN_THE_UK, purposes=frozenset())
    orders = deployment.control.orders
    given = orders.issuing.issue(scope, case=CASE, origin=Origin.OWN_DECISION, reference="x")
    deployment.ledger.append([LeaseEnded(lease=lease.lease, how=LeaseEnd.STOPPED, orders=(), step=1)])
    slow = Slow(deployment, monkeypatch)
    assert slow.renewed(Hits, "_rows_hit", orders.drain)
    drained = orders.get(given.order).drained
    assert drained is not None
    assert drained.stopped == 1


SCOTLAND = replace(SERVED_IN_THE_UK, areas=frozenset({"GB-SCT"}))
CHECKING: dict[str, Callable[[Deployment], Any]] = {
    "shown": lambda deployment: deployment.control.cases.register_of(CASE),
    "approved": lambda deployment: deployment.control.cases.approve(CASE, by="ann"),
    "lifted": lambda deployment: deployment.control.cases.lift(CASE, by="ann", reference="x"),
    "narrowed": lambda deployment: deployment.control.cases.narrow(CASE, SCOTLAND, by="ann", reference="x"),
    "looked at by an authority": lambda deployment: deployment.control.authority_view.start(frozenset({"UK"})),
    "listed for an authority": lambda deployment: deployment.control.authority_view.cases(frozenset({"UK"})),
    "shown to an authority": lambda deployment: deployment.control.authority_view.case(CASE, frozenset({"UK"})),
}


@pytest.mark.parametrize("verb", list(CHECKING))
def test_while_the_checks_of_a_case_are_run(slow: Slow, verb: str) -> None:
    suspend(slow.deployment, SERVED_IN_THE_UK)
    slow.deployment.control.conditions.add(condition("minors", check="no-minors"))
    assert slow.renewed(conditions, "run", lambda: CHECKING[verb](slow.deployment))


def test_while_it_is_looked_for_whom_a_notice_may_reach(slow: Slow) -> None:
    notices = slow.deployment.control.notices
    assert slow.renewed(NoticeVerbs, "_answered", lambda: notices.audience(["us"], purpose=Purpose.TRAIN_GENAI))


def test_while_it_is_looked_for_what_models_read_of_somewhere(slow: Slow) -> None:
    view = slow.deployment.control.authority_view
    assert slow.renewed(RowsThere, "_rows", lambda: view.models(frozenset({"US"})))


def test_while_a_report_of_what_was_consumed_is_made_durable(slow: Slow) -> None:
    assert slow.renewed(slow.deployment.ledger, "append", lambda: slow.consumed(1))
    slow.consumed(1)
    (job,) = slow.deployment.control.leases.jobs()
    assert (job["items"], job["step"]) == (2, 1)


def test_what_is_reported_twice_at_a_time_counts_once(slow: Slow) -> None:
    assert slow.renewed(slow.deployment.ledger, "append", lambda: slow.consumed(1), meanwhile=lambda: slow.consumed(1))
    assert [event.kind for event in slow.deployment.ledger.read()].count("items.consumed") == 2
    (job,) = slow.deployment.control.leases.jobs()
    assert (job["items"], job["step"]) == (2, 1)


def test_while_the_state_is_kept(slow: Slow) -> None:
    desk = slow.deployment.control.desk
    desk.kept.every = 1

    def ask() -> None:
        with desk.lock:
            desk.present()

    assert slow.renewed(image, "to_bytes", ask)
    desk.settle()
    assert desk.kept.at(range(1, desk.present().position + 1)) == desk.present().state
