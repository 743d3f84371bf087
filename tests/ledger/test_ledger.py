"""What a ledger promises (`consentry.ledger.store`), on both stores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from consentry.errors import ChoiceError, ConflictError, IntegrityError, StateError
from consentry.ledger.envelope import log_entry
from consentry.ledger.events import ChoiceMade, PersonErased, PersonLinked, suppression_token
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.ledger.objection_events import ItemsExcluded, ObjectionErased, ObjectionTaken, ObjectionTold
from consentry.ledger.sql import READ_BATCH, SqlLedger
from consentry.ledger.state import EMPTY, Excluded, fold, unexplained
from consentry.ledger.store import Ledger, PersonalEvents
from consentry.policy.vocabulary import Purpose
from ledger.conftest import Place
from ledger.sayings import ALLOWED, chose, consumed, person, published, sealed


def execute(place: Place, statement: str, **values: object) -> None:
    with place.engine.begin() as connection:
        connection.execute(text(statement), values)


def test_a_ledger_keeps_its_protocols(ledger: SqlLedger) -> None:
    keeps: tuple[Ledger, PersonalEvents] = (ledger, ledger)
    assert len(keeps) == 2


def test_an_empty_ledger(ledger: SqlLedger) -> None:
    assert ledger.head() == 0
    assert list(ledger.read()) == []
    assert ledger.append([]) == range(0)
    assert fold(EMPTY, ledger.read()) == EMPTY


def test_events_come_back_in_order_with_their_time_and_salt(place: Place) -> None:
    ledger = place.open()
    assert ledger.append([chose(1), published("1")]) == range(2)
    assert ledger.append([chose(2)]) == range(2, 3)
    found = list(place.open().read())
    assert [each.body for each in found] == [chose(1), published("1"), chose(2)]
    assert [each.position for each in found] == [0, 1, 2]
    assert {each.recorded_at for each in found} == {1_000}
    assert [each.personal for each in found] == [True, False, True]
    salts = {each.salt for each in found if each.personal}
    assert len(salts) == 2
    assert all(salt is not None and len(salt) == 32 for salt in salts)


def test_read_takes_a_slice(ledger: SqlLedger) -> None:
    ledger.append([chose(number) for number in range(10)])
    assert [each.position for each in ledger.read(3, 6)] == [3, 4, 5]
    assert [each.position for each in ledger.read(8)] == [8, 9]
    assert [each.position for each in ledger.read(8, 99)] == [8, 9]
    assert list(ledger.read(10)) == list(ledger.read(99)) == list(ledger.read(6, 3)) == []


def test_reading_crosses_batches(ledger: SqlLedger) -> None:
    ledger.append([chose(number) for number in range(READ_BATCH + 3)])
    assert [each.position for each in ledger.read(1)] == list(range(1, READ_BATCH + 3))


def test_open_events_are_read_with_personal_ones_of_some_kinds(place: Place) -> None:
    ledger = place.open()
    looked = PersonLookedUp(person=person(3), reason="ticket 7", by="sue")
    ledger.append([chose(1), published("1"), looked, chose(2), looked, published("2")])
    assert [each.position for each in ledger.read(only_open=True)] == [1, 5]
    found = list(ledger.read(only_open=True, beside=(PersonLookedUp.KIND,)))
    assert [each.position for each in found] == [1, 2, 4, 5]
    assert found[1].body == looked
    assert [each.position for each in ledger.read(3, 5, only_open=True, beside=(PersonLookedUp.KIND,))] == [4]
    ledger.append([looked for _ in range(READ_BATCH + 3)])
    assert len(list(ledger.read(only_open=True, beside=(PersonLookedUp.KIND,)))) == READ_BATCH + 7
    ledger.erase([person(3)])
    bodies = [each.body for each in ledger.read(2, 5, only_open=True, beside=(PersonLookedUp.KIND,))]
    assert bodies == [None, None]


def test_what_jobs_report_as_consumed_is_left_out_if_asked(ledger: SqlLedger) -> None:
    looked = PersonLookedUp(person=person(3), reason="ticket 7", by="sue")
    ledger.append([consumed(1), published("1"), chose(1), consumed(2), looked, published("2")])
    assert [each.position for each in ledger.read(only_open=True)] == [0, 1, 3, 5]
    assert [each.position for each in ledger.read(only_open=True, consumed=False)] == [1, 5]
    beside = (PersonLookedUp.KIND,)
    assert [each.position for each in ledger.read(only_open=True, consumed=False, beside=beside)] == [1, 4, 5]
    ledger.append([consumed(number) for number in range(READ_BATCH + 3)])
    ledger.append([published("3")])
    assert [each.position for each in ledger.read(2, only_open=True, consumed=False)] == [5, READ_BATCH + 9]


def test_single_events_are_read_by_their_positions(place: Place) -> None:
    ledger = place.open()
    assert list(ledger.at([])) == []
    ledger.append([chose(number) for number in range(READ_BATCH + 3)] + [published("1")])
    asked = [0, 7, READ_BATCH + 3]
    assert list(ledger.at(asked)) == [each for each in ledger.read() if each.position in asked]
    assert [each.position for each in ledger.at(range(READ_BATCH + 4))] == list(range(READ_BATCH + 4))
    with pytest.raises(IntegrityError, match="2 of 3") as caught:
        list(ledger.at([1, 2, READ_BATCH + 4]))
    assert caught.value.code == "ledger-gap"


def test_positions_are_gapless_under_eight_writers(place: Place) -> None:
    ledger = place.open()

    def write(writer: int) -> list[int]:
        return [
            position
            for number in range(20)
            for position in ledger.append([chose(writer * 100 + number)] * (1 + number % 3))
        ]

    with ThreadPoolExecutor(8) as pool:
        given = [position for positions in pool.map(write, range(8)) for position in positions]
    assert sorted(given) == list(range(ledger.head()))
    assert [each.position for each in ledger.read()] == list(range(len(given)))


def test_a_bad_event_keeps_its_whole_append_out(ledger: SqlLedger) -> None:
    raw = ChoiceMade(person="alice", choice=chose(1).choice, source=chose(1).source)
    with pytest.raises(ChoiceError):
        ledger.append([chose(1), raw])
    assert ledger.head() == 0


def test_sealing_covers_exactly_what_was_said_before(ledger: SqlLedger) -> None:
    ledger.append([chose(1), chose(2)])
    prepared = fold(EMPTY, ledger.read(0, 1))
    with ledger.sealing() as session:
        assert session.position == 2
        state = fold(prepared, session.read_delta(prepared.position))
        assert session.append([sealed("one", session.position)]) == range(2, 3)
        assert [each.kind for each in session.read_delta(1)] == ["choice.made", "release.sealed"]
        assert session.append([published("1")]) == range(3, 4)
    assert state == fold(EMPTY, ledger.read(0, 2))
    assert [each.kind for each in ledger.read(2)] == ["release.sealed", "policy.published"]


def test_a_release_is_not_sealed_at_another_position(ledger: SqlLedger) -> None:
    ledger.append([chose(1)])
    for position in (0, 2):
        with pytest.raises(ConflictError) as caught:
            ledger.append([sealed("one", position)])
        assert caught.value.code == "ledger-seal-position"
    assert ledger.append([sealed("one", 1)]) == range(1, 2)


class InterruptedSealError(Exception):
    pass


@pytest.mark.parametrize("error", [InterruptedSealError, KeyboardInterrupt])
def test_an_exception_in_sealing_leaves_no_trace(place: Place, error: type[BaseException]) -> None:
    ledger = place.open()
    ledger.append([chose(1)])

    def interrupted() -> None:
        with ledger.sealing() as session:
            session.append([sealed("one", session.position)])
            list(session.read_delta(0))
            raise error

    with pytest.raises(error):
        interrupted()
    assert ledger.head() == 1
    assert [each.kind for each in place.open().read()] == ["choice.made"]
    assert ledger.append([chose(2)]) == range(1, 2), "the head is free again"


def test_nobody_appends_while_the_head_is_held(place: Place) -> None:
    holder, others = place.open(), [place.open(), place.open()]
    with ThreadPoolExecutor(3) as pool:
        with holder.sealing() as session:
            waiting = [pool.submit(each.append, [chose(1)]) for each in (*others, holder)]
            assert not wait_for(waiting, timeout=0.1).done
            assert others[0].head() == 0, "reading does not wait"
            session.append([published("1")])
            assert others[0].head() == 0
        assert sorted(each.result()[0] for each in waiting) == [1, 2, 3]


def test_appending_past_the_session_is_refused_rather_than_waiting_for_ever(ledger: SqlLedger) -> None:
    with ledger.sealing() as session:
        attempts: tuple[Callable[[], range], ...] = (
            lambda: ledger.append([chose(1)]),
            lambda: ledger.erase([person(1)]),
        )
        for attempt in attempts:
            with pytest.raises(ConflictError) as caught:
                attempt()
            assert caught.value.code == "ledger-head-held"
        session.append([chose(1)])
    assert ledger.append([chose(2)]) == range(1, 2), "what was refused does not come later"
    assert ledger.head() == 2


def test_history_names_a_person_on_either_side_of_a_link(ledger: SqlLedger) -> None:
    link = PersonLinked(person=person(2), same_as=person(1))
    ledger.append([chose(1), chose(2), link, chose(1, ALLOWED), published("1")])
    assert [each.position for each in ledger.history(person(1))] == [0, 2, 3]
    assert [each.position for each in ledger.history(person(2))] == [1, 2]
    assert list(ledger.history(person(3))) == []


def test_erasure_takes_salt_and_document_and_leaves_the_log(place: Place) -> None:
    ledger = place.open()
    link = PersonLinked(person=person(2), same_as=person(1))
    ledger.append([chose(1), chose(2), published("1"), link])
    before = list(ledger.read())
    kept = fold(EMPTY, before)
    assert ledger.erase([person(1), person(3), person(1)]) == range(4, 6)
    after = list(ledger.read())
    assert [each.erased for each in after] == [True, False, False, True, False, False]
    assert [log_entry(each) for each in after[:4]] == [log_entry(each) for each in before]
    assert after[4].body == PersonErased(token=suppression_token(person(1)), events=2)
    assert after[5].body == PersonErased(token=suppression_token(person(3)), events=0)
    assert list(ledger.history(person(1))) == []
    state = fold(EMPTY, after)
    assert state.is_erased(person(1))
    assert person(1) not in state.choices
    assert fold(kept, after[4:]) == state
    with place.engine.connect() as connection:
        assert connection.execute(text("SELECT position FROM personal ORDER BY 1")).scalars().all() == [1, 4, 5]


def test_erasing_leaves_no_pseudonym_in_the_file(sqlite_place: Place) -> None:
    ledger = sqlite_place.open()
    ledger.append([chose(number) for number in range(0xABCDEF00, 0xABCDEF40)])
    ledger.erase([person(0xABCDEF11)])
    ledger.close()
    path = sqlite_place.engine.url.database
    assert path is not None
    raw = b"".join(file.read_bytes() for file in Path(path).parent.iterdir())
    assert person(0xABCDEF10).encode() in raw
    assert person(0xABCDEF11).encode() not in raw


def test_what_was_written_about_an_objection_is_forgotten_and_its_course_stays(place: Place) -> None:
    ledger = place.open()
    one, two, beside = "a" * 32, "b" * 32, "c" * 32
    taken = ObjectionTaken(objection=one, by="sam")
    ledger.append([taken, ObjectionTold(objection=one, beside=beside, sealed="x"), chose(1)])
    ledger.append([ObjectionTold(objection=two, beside=beside, sealed="y")])
    ledger.append([ObjectionTold(objection=one, beside=None, sealed="z")])
    ledger.append([ItemsExcluded(objection=one, purpose=Purpose.TRAIN_AI, items=(person(7),))])
    assert ledger.alike(beside) == [one, two]
    assert [each.position for each in ledger.history(one)] == [1, 4]
    assert [each.position for each in ledger.history(beside)] == [1, 3]
    before = list(ledger.read())
    assert ledger.forget([one, one], by="kim") == range(6, 7)
    after = list(ledger.read())
    assert [each.erased for each in after] == [False, True, False, False, True, False, False]
    assert after[6].body == ObjectionErased(objection=one, texts=2, by="kim")
    assert [log_entry(each) for each in after[:6]] == [log_entry(each) for each in before]
    assert unexplained(after) == 0
    assert ledger.alike(beside) == [two]
    assert list(ledger.history(one)) == []
    assert fold(EMPTY, after).excluded == {Excluded(person(7), Purpose.TRAIN_AI): 5}
    assert fold(EMPTY, after).choices == fold(EMPTY, before).choices


def test_erasing_nobody_is_nothing(ledger: SqlLedger) -> None:
    ledger.append([chose(1)])
    assert ledger.erase([]) == range(1, 1)
    assert ledger.head() == 1


CHANGES = (
    "UPDATE events SET kind = 'person.linked' WHERE position = 0",
    "UPDATE events SET position = 9 WHERE position = 1",
    "DELETE FROM events WHERE position = 1",
    "DELETE FROM events",
    "UPDATE personal SET person = NULL",
    "UPDATE personal SET document = salt",
    "DELETE FROM head",
    "INSERT INTO head (id, position) VALUES (2, 0)",
    "UPDATE identity SET value = '0'",
    "UPDATE identity SET name = 'other' WHERE name = 'ledger'",
    "DELETE FROM identity WHERE name = 'ledger'",
    "INSERT INTO identity (name, value) VALUES ('ledger', '0')",
)
BY_STORE = {
    "sqlite": ("INSERT OR REPLACE INTO identity (name, value) VALUES ('ledger', '0')",),
    "postgres": ("TRUNCATE events CASCADE", "TRUNCATE identity"),
}


def test_triggers_refuse_to_change_what_was_said(place: Place) -> None:
    ledger = place.open()
    ledger.append([chose(1), published("1")])
    ledger.bind("a" * 32)
    known = ledger.identity()
    for statement in CHANGES + BY_STORE[place.store]:
        with pytest.raises(DBAPIError):
            execute(place, statement)
        assert [each.body for each in ledger.read()] == [chose(1), published("1")]
        assert ledger.identity() == known


def drop_triggers(place: Place) -> None:
    """Become somebody who may change the schema."""
    for table, verb in (("events", "update"), ("events", "delete"), ("personal", "update")):
        on = f" ON {table}" if place.store == "postgres" else ""
        execute(place, f"DROP TRIGGER {table}_{verb}{on}")


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE personal SET document = :other WHERE position = 0", "ledger-event-changed"),
        ("UPDATE personal SET salt = :salt WHERE position = 0", "ledger-event-changed"),
        ("UPDATE events SET commitment = :salt WHERE position = 0", "ledger-event-changed"),
        ("UPDATE events SET document = :other WHERE position = 1", "ledger-event-changed"),
        ("UPDATE events SET document = NULL WHERE position = 1", "ledger-event-changed"),
        ("UPDATE events SET document = :other WHERE position = 0", "ledger-event-changed"),
        ("UPDATE events SET recorded_at = 5 WHERE position = 0", "ledger-event-malformed"),
        ("UPDATE events SET kind = 'choice.changed' WHERE position = 0", "ledger-event-unknown"),
        ("DELETE FROM events WHERE position = 1", "ledger-gap"),
    ],
)
def test_a_change_behind_the_triggers_is_noticed_on_reading(place: Place, statement: str, code: str) -> None:
    ledger = place.open()
    ledger.append([chose(1), published("1"), chose(2)])
    other = next(ledger.read(2)).document
    drop_triggers(place)
    named = {"other": other, "salt": b"t" * 32}
    execute(place, statement, **{name: value for name, value in named.items() if f":{name}" in statement})
    with pytest.raises(IntegrityError) as caught:
        list(ledger.read())
    assert caught.value.code == code


def test_what_was_deleted_without_the_ledger_is_noticed(place: Place) -> None:
    ledger = place.open()
    link = PersonLinked(person=person(2), same_as=person(1))
    ledger.append([chose(1), chose(2), link, published("1"), chose(3)])
    ledger.erase([person(1), person(2)])
    assert unexplained(ledger.read()) == 0
    execute(place, "DELETE FROM personal WHERE position = 4")
    assert unexplained(ledger.read()) == 1


def test_lost_tables_are_no_reason_to_retry(place: Place) -> None:
    ledger = place.open()
    execute(place, "DROP TABLE personal")
    with pytest.raises(StateError) as caught:
        ledger.append([chose(1)])
    assert caught.value.code == "ledger-tables-unusable"
    assert not caught.value.transient
    assert ledger.head() == 0


def test_a_lost_head_is_noticed(place: Place) -> None:
    ledger = place.open()
    execute(place, f"DROP TRIGGER head_delete{' ON head' if place.store == 'postgres' else ''}")
    execute(place, "DELETE FROM head")
    attempts: tuple[Callable[[], object], ...] = (ledger.head, lambda: ledger.append([chose(1)]))
    for attempt in attempts:
        with pytest.raises(IntegrityError) as caught:
            attempt()
        assert caught.value.code == "ledger-head-missing"
