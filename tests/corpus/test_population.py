"""Who was erased stays out: across threads, processes, crashes and older copies of the folder."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from consentry.corpus.people import PeopleIndex
from consentry.corpus.population import Population
from consentry.corpus.pseudonym import PseudonymKey, of_texts, pseudonym
from consentry.digests import canonical_json, digest_json
from consentry.errors import DescriptorError, IntegrityError, NotFoundError
from consentry.ledger.events import suppression_token
from consentry.storage import Objects

KEY = PseudonymKey(bytes(range(32)))


def population(folder: Path) -> Population:
    """Open the folder as a process of its own would."""
    return Population(
        folder / "people",
        index=PeopleIndex(folder / "people"),
        key=KEY.for_people(),
        objects=Objects(folder / "objects"),
        clock=lambda: 1_700_000_000,
    )


def person(number: int) -> str:
    return pseudonym(KEY.for_people(), str(number))


def people(*numbers: int) -> list[str]:
    return [person(number) for number in numbers]


def named_again(found: Population, *numbers: int) -> list[int]:
    """Return the seats that content or a people table gives: everybody it names gets one."""
    return [int(ordinal) + 1 for ordinal in found._index.assign(of_texts(people(*numbers)))]


def test_seats_are_given_in_order_and_kept(tmp_path: Path) -> None:
    first = population(tmp_path)
    assert first.seats == 1
    assert first.seats_of(people(5, 6, 5)).tolist() == [1, 2, 1]
    assert first.seats_of([]).tolist() == []
    assert population(tmp_path).seats_of(people(6, 7)).tolist() == [2, 3]
    assert first.seats == 4  # those that the other process gave are counted
    assert first.pseudonyms_of([3, 1]) == people(7, 5)


def test_cohorts_are_read_back(tmp_path: Path) -> None:
    found = population(tmp_path)
    name = found.store_cohort(people(3, 1, 3))
    assert sorted(found.cohort(name)) == sorted(people(1, 3))
    assert found.cohort(found.store_cohort([])) == []
    with pytest.raises(NotFoundError):
        found.cohort("sha256:" + "0" * 64)


def test_erasing_closes_the_seat_and_whoever_comes_back(tmp_path: Path) -> None:
    found = population(tmp_path)
    found.seats_of(people(1, 2, 3))
    tokens = {suppression_token(person(2))}
    assert found.erased(set()).tolist() == []
    found.close(people(2))
    assert found.erased(set()).tolist() == [2]  # before the ledger says a word
    found.forget(people(2))
    assert found.erased(tokens).tolist() == [2]
    assert found.pseudonyms_of([2]) != people(2)
    assert found.seats_of(people(2)).tolist() == [0]  # what was said of them gives no new seat
    assert named_again(found, 2) == [4]
    assert found.erased(tokens).tolist() == [2, 4]
    assert population(tmp_path).erased(tokens).tolist() == [2, 4]


def test_who_was_erased_is_not_seated_again_by_a_list_that_still_names_them(tmp_path: Path) -> None:
    found = population(tmp_path)
    found.seats_of(people(1, 2))
    found.close(people(2))
    found.forget(people(2))
    tokens = {suppression_token(person(2))}
    assert found.seats_of(people(2, 1, 3)).tolist() == [0, 1, 3]
    assert found.seats == 4
    assert found.seats_of(people(2), returned=tokens).tolist() == [4]  # they spoke since
    assert found.seats_of(people(2, 1)).tolist() == [4, 1]
    assert found.erased(tokens).tolist() == [2, 4]


def test_who_is_named_again_while_being_erased_again_stays_out(tmp_path: Path) -> None:
    """The seat given in between is overwritten as well: it must be closed before it answers to no token."""
    found = population(tmp_path)
    found.seats_of(people(1, 2))
    for _ in range(2):
        found.close(people(2))
        (seat,) = named_again(found, 2)
        found.forget(people(2))
        assert seat in found.erased({suppression_token(person(2))}).tolist()
    assert set(found.erased(set()).tolist()) == {2, 3}


def test_an_erasure_that_is_asked_for_again_forgets_whoever_was_left(tmp_path: Path) -> None:
    """Interrupted, the ledger may have forgotten already which accounts were one person."""
    found = population(tmp_path)
    found.seats_of(people(1, 2, 3))
    found.close(people(2, 3))
    found.forget(people(2))
    assert not {*people(2, 3)} & {*found.pseudonyms_of([1, 2, 3])}
    assert found.pseudonyms_of([1]) == people(1)


def test_seats_that_were_one_persons_are_known_after_an_erasure(tmp_path: Path) -> None:
    found = population(tmp_path)
    found.seats_of(people(1, 2, 3, 4))
    assert set(found.linked_when_erased()) == set()
    found.close(people(1, 3), linked=[(1, 3)])
    found.forget(people(1, 3))
    found.close(people(2))  # of one account
    assert set(population(tmp_path).linked_when_erased()) == {(1, 3)}
    found.close(people(1, 3))  # again: the ledger does not know it any more
    assert set(found.linked_when_erased()) == {(1, 3)}


def test_seats_of_which_it_was_never_written_may_be_one_persons(tmp_path: Path) -> None:
    population(tmp_path).seats_of(people(1, 2, 3))
    erased_one(tmp_path, 1)
    erased_one(tmp_path, 3)
    path, body = listed_in(tmp_path)
    older = {name: each for name, each in body.items() if name not in {"linked", "mark"}}
    path.write_bytes(canonical_json({**older, "mark": population(tmp_path)._mark(older)}))
    assert set(population(tmp_path).linked_when_erased()) == {(1, 3)}
    erased_one(tmp_path, 2)
    assert set(population(tmp_path).linked_when_erased()) == {(1, 3)}
    # Of a folder from a backup, whom the ledger has erased since.
    assert named_again(population(tmp_path), 4, 5, 6) == [4, 5, 6]
    found = population(tmp_path)
    found.erased({suppression_token(person(4)), suppression_token(person(6))})
    assert set(population(tmp_path).linked_when_erased()) == {(1, 3), (4, 6)}


def test_somebody_who_was_never_seen_can_be_erased(tmp_path: Path) -> None:
    found = population(tmp_path)
    found.seats_of(people(1))
    found.close(people(9))
    found.forget(people(9))
    assert named_again(found, 9) == [2]
    assert found.erased({suppression_token(person(9))}).tolist() == [2]


def test_the_list_of_the_erased_is_read_again_only_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = population(tmp_path), population(tmp_path)
    first.seats_of(people(*range(20)))
    first.close(people(*range(10)))
    first.forget(people(*range(10)))
    tokens = {suppression_token(person(number)) for number in range(10)}
    second.erased(tokens)
    parsed = Mock(wraps=json.loads)
    asked = Mock(wraps=first._index.pseudonyms)
    monkeypatch.setattr("consentry.corpus.population.json.loads", parsed)
    monkeypatch.setattr(first._index, "pseudonyms", asked)
    for number in range(20, 25):
        assert first.seats_of(people(number, 3)).tolist() == [number + 1, 0]
        second.seats_of(people(number))
        assert first.erased(tokens) is first.erased(tokens)
    assert parsed.call_count == 0
    assert len([seat for call in asked.call_args_list for seat in call.args[0]]) == 5
    asked.reset_mock()
    second.close(people(12))
    second.forget(people(12))
    assert first.erased(tokens).tolist() == [*range(1, 11), 13]
    assert first.seats_of(people(12)).tolist() == [0]
    first.close(people(13))
    first.forget(people(13))
    looked_at = [seat for call in asked.call_args_list for seat in call.args[0]]
    assert not set(looked_at) & set(range(10)), "who was forgotten before is not looked at again"
    assert population(tmp_path).erased(tokens).tolist() == [*range(1, 11), 13, 14]


def test_another_process_that_knows_less_closes_the_right_seats(tmp_path: Path) -> None:
    first, second = population(tmp_path), population(tmp_path)
    first.seats_of(people(1, 2, 3))
    first.erased({suppression_token(person(8))})  # everybody so far was held against the tokens there are
    second.close(people(3))  # has not seen seat 3 yet
    second.forget(people(3))
    assert first.erased({suppression_token(person(3))}).tolist() == [3]


def test_tokens_that_are_not_written_down_are_held_against_everybody(tmp_path: Path) -> None:
    found = population(tmp_path)
    found.seats_of(people(1, 2, 3))
    found.erased({suppression_token(person(8))})
    # A crash before `close`, or a folder restored from a backup: the ledger knows more.
    assert found.erased({suppression_token(person(2)), suppression_token(person(8))}).tolist() == [2]


@pytest.mark.parametrize("step", ["close", "forget", "again"])
def test_interrupted_it_can_be_asked_for_again(tmp_path: Path, step: str) -> None:
    found = population(tmp_path)
    found.seats_of(people(1, 2))
    found.close(people(2))
    if step != "close":
        found.forget(people(2))
    if step == "again":
        named_again(found, 2)
    found = population(tmp_path)
    found.close(people(2))
    found.forget(people(2))
    named_again(found, 2)
    open_seats = set(range(1, found.seats)) - set(found.erased(set()).tolist())
    assert open_seats == {1}


def test_erasing_and_looking_in_many_threads_loses_nobody(tmp_path: Path) -> None:
    places = [population(tmp_path) for _ in range(3)]
    places[0].seats_of(people(*range(60)))
    tokens = {suppression_token(person(number)) for number in range(60)}

    def work(index: int) -> None:
        for number in range(index, 60, 3):
            places[index].close(people(number))
            places[(index + 1) % 3].erased(tokens if number % 2 else set())

    threads = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert population(tmp_path).erased(set()).tolist() == list(range(1, 61))


def test_what_is_not_there(tmp_path: Path) -> None:
    found = population(tmp_path)
    with pytest.raises(DescriptorError, match="descriptor-unreadable"):
        found.load_people(tmp_path / "no.toml", progress=None)
    with pytest.raises(NotFoundError, match="people-table-missing"):
        found.attributes("sha256:" + "0" * 64, at=0, seats=1)


def test_a_table_of_people_the_index_does_not_have_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a", "b"]}), tmp_path / "p.parquet")
    (tmp_path / "p.toml").write_text('[people]\nfiles = ["p.parquet"]\n[columns]\nperson = "id"\n')
    found = population(tmp_path)
    left = tmp_path / "people" / ".table-999999999.staged"
    left.write_bytes(b"of a process that died")
    report = found.load_people(tmp_path / "p.toml", progress=None)
    assert not left.exists()
    assert found.attributes(report.snapshot, at=0, seats=3).known.tolist() == [False, True, True]
    with pytest.raises(IntegrityError, match="people-index-behind"):
        found.attributes(report.snapshot, at=0, seats=2)
    assert found.attributes(None, at=0, seats=5).known.tolist() == [False] * 5


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b'{"checked": 1, "seats": [1]'])
def test_losing_the_list_of_the_erased_opens_no_seat(tmp_path: Path, content: bytes | None) -> None:
    population(tmp_path).seats_of(people(1, 2))
    population(tmp_path).close(people(1))
    population(tmp_path).forget(people(1))
    assert population(tmp_path).erased(()).tolist() == [1]
    listed = next(tmp_path.rglob("erased.json"))
    listed.unlink()
    if content is not None:
        listed.write_bytes(content)
    with pytest.raises(IntegrityError) as caught:
        population(tmp_path).erased(())
    assert caught.value.code == "people-erased-lost"


def listed_in(folder: Path) -> tuple[Path, dict[str, Any]]:
    path = next(folder.rglob("erased.json"))
    return path, json.loads(path.read_bytes())


def erased_one(folder: Path, number: int) -> None:
    found = population(folder)
    found.close(people(number))
    found.forget(people(number))


@pytest.mark.parametrize(
    "change",
    [
        {"seats": []},
        {"seats": [2]},
        {"tokens": []},
        {"checked": 9},
        {"linked": [[1, 2]]},
        {"mark": "0" * 64},
        {"mark": "é"},
        {"mark": None},
    ],
)
def test_who_edits_the_list_of_the_erased_opens_no_seat(tmp_path: Path, change: dict[str, Any]) -> None:
    population(tmp_path).seats_of(people(1, 2))
    erased_one(tmp_path, 1)
    path, body = listed_in(tmp_path)
    for edited in ({**body, **change}, {name: each for name, each in {**body, **change}.items() if name != "mark"}):
        path.write_bytes(canonical_json(edited))
        with pytest.raises(IntegrityError, match="people-erased-lost"):
            population(tmp_path).erased(())


def test_an_older_list_of_the_erased_opens_no_seat(tmp_path: Path) -> None:
    population(tmp_path).seats_of(people(1, 2))
    erased_one(tmp_path, 1)
    older = listed_in(tmp_path)[0].read_bytes()
    erased_one(tmp_path, 2)
    listed_in(tmp_path)[0].write_bytes(older)
    with pytest.raises(IntegrityError, match="people-erased-lost"):
        population(tmp_path).erased(())


def without_marks(folder: Path) -> None:
    """Make the folder one of before lists were marked."""
    path, body = listed_in(folder)
    path.write_bytes(canonical_json({name: each for name, each in body.items() if name != "mark"}))
    head = path.with_name("index.json")
    index = {name: each for name, each in json.loads(head.read_bytes()).items() if name not in {"marked", "check"}}
    head.write_bytes(canonical_json({**index, "check": digest_json(index)}))


def test_a_list_of_before_lists_were_marked_is_taken_until_the_next_erasure(tmp_path: Path) -> None:
    population(tmp_path).seats_of(people(1, 2, 3))
    erased_one(tmp_path, 1)
    without_marks(tmp_path)
    assert population(tmp_path).erased(()).tolist() == [1]
    path, body = listed_in(tmp_path)
    assert "mark" not in body
    path.write_bytes(canonical_json({**body, "seats": []}))  # each erasure closed a seat: that is seen without a mark
    with pytest.raises(IntegrityError, match="people-erased-lost"):
        population(tmp_path).erased(())
    path.write_bytes(canonical_json(body))
    erased_one(tmp_path, 2)
    assert population(tmp_path).erased(()).tolist() == [1, 2]
    path, body = listed_in(tmp_path)
    del body["mark"]
    path.write_bytes(canonical_json(body))
    with pytest.raises(IntegrityError, match="people-erased-lost"):
        population(tmp_path).erased(())


def test_an_erasure_that_was_begun_before_lists_were_marked_is_finished(tmp_path: Path) -> None:
    population(tmp_path).seats_of(people(1, 2))
    population(tmp_path).close(people(1))
    without_marks(tmp_path)
    population(tmp_path).forget(people(1))
    assert population(tmp_path).erased(()).tolist() == [1]


def test_without_an_erasure_there_is_no_list_and_none_is_missed(tmp_path: Path) -> None:
    population(tmp_path).seats_of(people(1, 2))
    assert population(tmp_path).erased(()).tolist() == []
