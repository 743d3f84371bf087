"""The ledger falls silent right after it recorded something: nobody is told that nothing was recorded.

It is the real one, on SQLite: from one of its commits on, each statement that is sent to it fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from consentry.bootstrap import Deployment
from consentry.clock import now
from consentry.control_plane.objection_texts import _SAID_AT_ONCE
from consentry.control_plane.order_desk import OrderDesk
from consentry.errors import UnavailableError
from consentry.ledger.case_events import AssessmentKind
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.lineage_events import Destroyed, Remedy
from consentry.ledger.oversight_events import LeaseEnd, Origin
from consentry.ledger.sql import SqlLedger
from consentry.opening import opened_for_orders
from consentry.oversight.authority_statement import Signatory
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from end_to_end.network import RawItem, RawPerson, write_items, write_people
from end_to_end.test_orders_of_dates import again
from end_to_end.test_story import BEFORE, PEOPLE, POLICY, build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

Place = tuple[Path, Deployment]
Act = Callable[[], object]
BRAZIL = Scope(areas=frozenset({"BR"}))


@contextmanager
def silent(ledger: SqlLedger, *, commits: int) -> Iterator[None]:
    """Have the ledger answer nothing while the block lasts, once so many commits were made."""
    engine, look, left = ledger._engine, ledger._look, commits

    def committed(_: object) -> None:
        nonlocal left
        left -= 1

    def asked(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if left <= 0:
            raise OperationalError(statement, parameters, sqlite3.OperationalError("database is locked"))

    # Where the head is found without a statement, that finds nothing either.
    ledger._look = lambda: look() if left > 0 else None
    event.listen(engine, "commit", committed)
    event.listen(engine, "before_cursor_execute", asked)
    try:
        yield
    finally:
        ledger._look = look
        event.remove(engine, "commit", committed)
        event.remove(engine, "before_cursor_execute", asked)


def told(ledger: SqlLedger, act: Act, *, commits: int = 1) -> UnavailableError:
    """Return what is said where the ledger falls silent after so many commits, and check that they were made."""
    head = ledger.head()
    with silent(ledger, commits=commits), pytest.raises(UnavailableError) as caught:
        act()
    assert (ledger.head() > head) == (commits > 0)
    return caught.value


def registered(place: Place) -> Act:
    build(place[1])
    write_items(place[0] / "items" / "2.parquet", [RawItem(id="z1", author="ada", created=BEFORE)])
    return lambda: place[1].control.statements.register_corpus(place[0] / "corpus.toml")


def loaded(place: Place) -> Act:
    descriptor = write_people(place[0] / "people", [*PEOPLE, RawPerson(id="new")])
    return lambda: place[1].control.statements.load_people(descriptor)


def chosen(place: Place) -> Act:
    build(place[1])
    return lambda: say(place[1], "bo", reach=Reach.EVERYTHING)


def chosen_in_part(place: Place) -> Act:
    deployment = place[1]
    no = Choice(purpose=Purpose.TRAIN_AI, state=ChoiceState.REFUSED, reach=Reach.FUTURE, at=BEFORE)
    made = [ChoiceMade(person=deployment.person(each), choice=no, source=Source.IMPORT) for each in ("ada", "bo")]
    return lambda: deployment.control.statements.choose(made, batch=1)


def linked(place: Place) -> Act:
    one, other = map(place[1].person, ("ada", "bo"))
    return lambda: place[1].control.statements.link(one, other)


def erased(place: Place) -> Act:
    return lambda: place[1].control.statements.erase([place[1].person("bo")])


def suspended(place: Place) -> Act:
    build(place[1])
    said: dict[str, Any] = {"case": "c", "origin": Origin.AUTHORITY_REQUEST, "reference": "x"}
    return lambda: place[1].control.orders.suspend(BRAZIL, **said)


def granted(place: Place) -> Act:
    release = build(place[1])
    return lambda: place[1].control.leases.grant(release, job="j", model="m")


def ended(place: Place) -> Act:
    leases = place[1].control.leases
    lease, secret = leases.grant(build(place[1]), job="j", model="m")
    return lambda: leases.end(lease.lease, secret=secret, how=LeaseEnd.STOPPED, step=1)


def sealed(place: Place) -> Act:
    return lambda: build(place[1])


def withdrawn(place: Place) -> Act:
    release = build(place[1])
    return lambda: place[1].control.releases.withdraw(release, "wrong", by="ann")


def written(place: Place) -> Act:
    said: dict[str, Any] = {"languages": ["en"], "channel": "mail", "audience": "all", "by": "ann"}
    return lambda: place[1].control.notices.write("n-1", b"text", **said)


def bound(place: Place) -> Act:
    kind = AssessmentKind.LEGITIMATE_INTEREST
    return lambda: place[1].control.assessments.bind(kind, b"lia", policy=POLICY, by="ann")


def opened(place: Place) -> Act:
    return lambda: place[1].control.cases.open("c", title="t", reference="r", by="ann")


def reviewed(place: Place) -> Act:
    opened(place)()
    return lambda: place[1].control.cases.begin_review("c", by="ann")


def agreed_to(place: Place, agree: Callable[[str], object]) -> None:
    """Bring a case to where two people agreed, and everybody was told."""
    suspended(place)()
    cases, people = place[1].control.cases, [place[1].person(str(each.id)) for each in PEOPLE]
    cases.begin_review("c", by="ann")
    cases.require_notice("c", "n-1", days=0, by="ann")
    for by in ("ann", "bob"):
        agree(by)
    place[1].control.notices.serve("n-1", people, at=now())


def approved(place: Place) -> Act:
    suspended(place)()
    place[1].control.cases.begin_review("c", by="ann")
    return lambda: place[1].control.cases.approve("c", by="ann")


def lifted(place: Place) -> Act:
    cases = place[1].control.cases
    agreed_to(place, lambda by: cases.approve("c", by=by))
    return lambda: cases.lift("c", by="ann", reference="r")


def narrowed(place: Place) -> Act:
    cases, smaller = place[1].control.cases, replace(BRAZIL, purposes=frozenset({Purpose.TRAIN_GENAI_TEXT}))
    agreed_to(place, lambda by: cases.narrow("c", smaller, by=by, reference="r"))
    return lambda: cases.narrow("c", smaller, by="bob", reference="r")


def modelled(place: Place) -> Act:
    release = build(place[1])
    return lambda: place[1].control.models.register("m", releases=[release])


def remedied(place: Place) -> Act:
    modelled(place)()
    say(place[1], "bo", reach=Reach.EVERYTHING)
    return lambda: place[1].control.models.choose_remedy("m", Remedy.RETRAIN, by="ann")


def gone(place: Place) -> Act:
    models = place[1].control.models
    models.register("m", digest=f"sha256:{'a' * 64}")
    models.withdraw("m", "wrong", by="ann")
    return lambda: place[1].control.destruction.say_gone("m", reason="lost", by="ann")


def destroyed(place: Place) -> Act:
    place[1].control.models.register("m")
    place[1].control.models.withdraw("m", "wrong", by="ann")
    folder = place[0] / "weights"
    folder.mkdir()
    (folder / "w").write_bytes(b"w")
    return lambda: place[1].control.destruction.destroy(Destroyed.MODEL, "m", folder=folder, by="ann")


def filed(place: Place) -> Act:
    return lambda: place[1].control.objections.file("me", answer_to="me@example.org")


def heard(place: Place) -> Act:
    link = place[1].control.objections.file("me", answer_to="me@example.org").link
    return lambda: place[1].control.objections.add(link, "more")


def taken_back(place: Place) -> Act:
    link = place[1].control.objections.file("me", answer_to="me@example.org").link
    return lambda: place[1].control.objections.withdraw(link)


def taken(place: Place) -> Act:
    objection = place[1].control.objections.file("me", answer_to="me@example.org").objection
    return lambda: place[1].control.objection_queue.take(objection, by="ann")


def declined_in_part(place: Place) -> Act:
    control = place[1].control
    files = [control.objections.file("me", answer_to="me@example.org") for _ in range(_SAID_AT_ONCE + 1)]
    return lambda: control.objection_queue.not_found(files[0].objection, tried="all", by="ann", alike=True)


def concerned(place: Place) -> Act:
    who = Signatory(handle="anpd", areas=frozenset({"BR"}))
    authority = place[1].control.authority
    return lambda: authority.raise_concern(who=who, case="anpd-1", reference="r", scope=BRAZIL)


def proposed(place: Place) -> Act:
    text = shipped()[POLICY].replace("title = ", "# Other.\ntitle = ", 1)
    return lambda: place[1].control.proposals.propose(text, reason="better", by="ann")


def agreed(place: Place) -> Act:
    proposed(place)()
    return lambda: place[1].control.proposals.approve(f"{POLICY}.1", by="ann")


def looked_up(place: Place) -> Act:
    return lambda: place[1].control.look_ups.look_up("bo", reason="asked", by="ann")


SAID: Mapping[str, Callable[[Place], Act]] = {
    each.__name__: each
    for each in (
        *(registered, loaded, chosen, chosen_in_part, linked, erased),
        *(suspended, granted, ended, sealed, withdrawn),
        *(written, bound, opened, reviewed, approved, lifted, narrowed),
        *(modelled, remedied, gone, destroyed),
        *(filed, heard, taken_back, taken, declined_in_part),
        *(concerned, proposed, agreed, looked_up),
    )
}


@pytest.mark.parametrize("said", SAID)
def test_nobody_is_told_that_nothing_was_recorded_once_it_is(place: Place, said: str) -> None:
    error = told(place[1].ledger, SAID[said](place))
    assert error.code == "ledger-outcome-unknown"
    assert error.message.startswith("it is recorded, but ")
    assert error.message.count("it is recorded") == 1
    assert error.message.endswith("the ledger does not answer: database is locked")
    assert "nothing was recorded" not in error.help


def test_an_order_that_was_given_is_followed_up_later(place: Place) -> None:
    deployment, orders = place[1], place[1].control.orders
    leases = deployment.control.leases
    lease, secret = leases.grant(build(deployment), job="j", model="m")
    given = orders.issuing.issue(BRAZIL, case="c", origin=Origin.AUTHORITY_REQUEST, reference="x")
    for follow in (
        lambda: orders.settle(given.order),
        lambda: orders.issuing.note_if_unread(given, tables=deployment.control.desk.tables),
    ):
        assert told(deployment.ledger, follow, commits=0).code == "ledger-outcome-unknown", "it is in force"
    assert leases.standings([lease.lease])[lease.lease].state == "revoked"
    error = told(deployment.ledger, lambda: leases.end(lease.lease, secret=secret, how=LeaseEnd.STOPPED, step=1))
    assert error.code == "ledger-outcome-unknown"
    assert leases.get(lease.lease).ended is not None
    assert orders.get(given.order).drained is None
    orders.drain()
    drained = orders.get(given.order).drained
    assert drained is not None
    assert drained.stopped == 1


@pytest.mark.parametrize("said", SAID)
def test_where_nothing_was_recorded_that_is_said(place: Place, said: str) -> None:
    error = told(place[1].ledger, SAID[said](place), commits=0)
    assert (error.code, error.help) == ("ledger-unavailable", "nothing was recorded: retry later")


def test_what_is_said_again_and_is_there_already_was_not_recorded_now(place: Place) -> None:
    register, control = registered(place), place[1].control
    register()
    error = told(place[1].ledger, register, commits=0)
    assert error.code == "ledger-unavailable"
    reviewed(place)()
    head = place[1].ledger.head()
    with silent(place[1].ledger, commits=1), pytest.raises(UnavailableError) as caught:
        control.cases.begin_review("c", by="ann")
    assert caught.value.code == "ledger-unavailable", "nothing was new in what was committed"
    assert place[1].ledger.head() == head


def test_people_are_loaded_though_nobody_can_tell_whose_links_are_gone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, ledger, amendments = loaded(place), place[1].ledger, place[1].control.amendments
    amend, head = amendments.amend_recorded, ledger.head()
    with ExitStack() as later:

        def amended() -> list[str]:
            done = amend()
            later.enter_context(silent(ledger, commits=0))
            return done

        monkeypatch.setattr(amendments, "amend_recorded", amended)
        with pytest.raises(UnavailableError, match="it is recorded, but nobody can tell yet which links") as caught:
            load()
    assert caught.value.code == "ledger-outcome-unknown"
    assert ledger.head() == head + 1


def test_an_order_that_is_given_with_the_ledger_alone_is_in_force(place: Place) -> None:
    place[1].close()
    said: dict[str, Any] = {"case": "c", "origin": Origin.AUTHORITY_REQUEST, "reference": "x"}
    with opened_for_orders(place[0] / "home") as issuing:
        assert issuing is not None
        assert isinstance(issuing.place, OrderDesk)
        assert isinstance(ledger := issuing.place._ledger, SqlLedger)
        assert told(ledger, lambda: issuing.issue(BRAZIL, **said)).code == "ledger-outcome-unknown"
        (given,) = issuing.every()
        assert given.ended is None
    place[1].close()


def test_who_is_erased_in_part_is_not_said_not_to_be(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seats are closed, and then nothing can be written."""
    monkeypatch.setenv("CONSENTRY_LEDGER_TIMEOUT_S", "0.2")
    deployment = again(place)
    erase = erased((place[0], deployment))
    with closing(sqlite3.connect(place[0] / "home" / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="it is recorded, but perhaps not all of it is erased yet") as caught:
            erase()
        assert caught.value.code == "ledger-outcome-unknown"
        other.execute("ROLLBACK")
    assert erase() == 1, "said again it goes on"
    deployment.close()
