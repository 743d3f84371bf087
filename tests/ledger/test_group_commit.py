from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from consentry.errors import ChoiceError, ConflictError, UnavailableError
from consentry.ledger.envelope import draft
from consentry.ledger.events import Body, ChoiceMade
from consentry.ledger.group_commit import MAX_BATCH_EVENTS, GroupCommit, Request
from consentry.ledger.sql import SqlLedger
from ledger.conftest import Place
from ledger.sayings import chose, sealed

DRAFT = draft(chose(1), recorded_at=7, salt=b"s" * 32)


def request(size: int = 1) -> Request:
    return Request([DRAFT] * size)


def settle(batch: Sequence[Request]) -> None:
    for each in batch:
        each.positions = range(len(each.drafts))


def commits_of(ledger: SqlLedger) -> list[int]:
    """Return a list that grows by one for every commit."""
    seen: list[int] = []
    event.listen(ledger._engine, "commit", lambda _: seen.append(1))
    return seen


def test_many_appends_share_commits_and_all_are_acknowledged(
    place: Place, record_property: Callable[[str, object], None]
) -> None:
    ledger, alone = place.open(), place.open()
    commits = commits_of(ledger)
    threads, each = 16, 12

    def write(writer: int) -> list[int]:
        return [ledger.append([chose(writer)])[0] for _ in range(each)]

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        given = [position for positions in pool.map(write, range(threads)) for position in positions]
    together = threads * each / (time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(each):
        alone.append([chose(1)])
    ratio = together / (each / (time.perf_counter() - start))
    assert sorted(given) == list(range(threads * each))
    assert len(commits) < threads * each / 2
    record_property("appends per commit", threads * each / len(commits))
    record_property("throughput, 16 writers against 1", round(ratio, 1))


def test_what_is_checked_at_the_head_keeps_its_own_append_out(place: Place) -> None:
    """Others in the same commit go ahead; what is checked sees what others said, until it stands behind them."""
    ledger, other = place.open(), place.open()
    other.append([chose(1)])
    seen: list[int] = []

    def refuse() -> None:
        seen.append(ledger.head())
        raise ChoiceError("choice-person-erased", "not behind that", help="leave it out")

    with ThreadPoolExecutor(3) as pool:
        refused = pool.submit(ledger.append, [chose(2)], check=refuse)
        kept = [pool.submit(ledger.append, [chose(3)], check=lambda: None) for _ in range(2)]
        assert sorted(each.result()[0] for each in kept) == [1, 2]
        with pytest.raises(ChoiceError, match="not behind that"):
            refused.result()
    assert [each.body.person for each in ledger.read() if isinstance(each.body, ChoiceMade)] == [
        chose(number).person for number in (1, 3, 3)
    ]
    assert len(seen) == 1


def test_it_is_told_how_long_each_took_until_it_was_durable(place: Place) -> None:
    """From when it was asked for: also what waited for others. What was refused, or wrote nothing, took no time."""
    ledger, told = place.open(), list[float]()
    ledger.commits.told = told.append
    ledger.append([chose(1)])
    with pytest.raises(ConflictError), ledger.sealing() as session:
        session.append([chose(2), sealed("r", 99)])
    with pytest.raises(ConflictError):
        ledger.append([sealed("r", 99)])
    with ledger.sealing():
        pass
    assert len(told) == 1
    with ThreadPoolExecutor(1) as pool:
        with ledger.sealing() as session:
            session.append([chose(3)])
            waiting = pool.submit(ledger.append, [chose(4)])
            time.sleep(0.1)
        waiting.result()
    assert len(told) == 3
    assert all(0 < each < 60 for each in told)
    assert max(told) >= 0.1
    ledger.erase(["1" * 32])
    assert len(told) == 4


def test_a_conflict_in_a_batch_is_its_own(place: Place) -> None:
    ledger = place.open()
    commits = commits_of(ledger)
    wishes: list[list[Body]] = [
        [chose(1)],
        [chose(2), sealed("one", 55)],
        [sealed("two", 0), sealed("three", 0)],
        [chose(3), chose(4)],
    ]

    def attempt(number: int) -> range | str:
        try:
            return ledger.append(wishes[number])
        except ConflictError as error:
            return error.code

    with ThreadPoolExecutor(len(wishes)) as pool:
        with ledger._group.exclusive():  # everybody queues behind this
            found = [pool.submit(attempt, number) for number in range(len(wishes))]
            while len(ledger._group._queue) < len(wishes):
                time.sleep(0.001)
        outcomes = [each.result() for each in found]
    assert outcomes[1:3] == ["ledger-seal-position", "ledger-seal-position"]
    assert sorted(position for each in (outcomes[0], outcomes[3]) for position in each) == [0, 1, 2]
    assert len(commits) == 1
    assert ledger.head() == 3


def test_a_failed_commit_fails_everybody_in_it_with_their_own_error() -> None:
    def fail(_: Sequence[Request]) -> None:
        raise UnavailableError("ledger-unavailable", "the disk is full", help="make room")

    group = GroupCommit(fail, window=0)
    requests = [request() for _ in range(5)]

    def attempt(each: Request) -> BaseException | None:
        with pytest.raises(UnavailableError) as caught:
            group.submit(each)
        return caught.value

    with ThreadPoolExecutor(5) as pool:
        errors = list(pool.map(attempt, requests))
    assert len({id(error) for error in errors}) == 5


def test_an_interrupted_leader_leaves_nobody_waiting() -> None:
    reached = threading.Event()
    go_on = threading.Event()

    def interrupted(batch: Sequence[Request]) -> None:
        reached.set()
        go_on.wait()
        if len(batch) > 1:
            settle(batch)
        else:
            raise KeyboardInterrupt

    group = GroupCommit(interrupted, window=0)
    leader, followers = request(), [request(), request()]
    with ThreadPoolExecutor(3) as pool:
        leading = pool.submit(group.submit, leader)
        reached.wait()
        following = [pool.submit(group.submit, each) for each in followers]
        while len(group._queue) < 2:
            time.sleep(0.001)
        go_on.set()
        with pytest.raises(KeyboardInterrupt):
            leading.result()
        assert [each.result() for each in following] == [range(1), range(1)]
    assert isinstance(leader.error, UnavailableError)
    assert leader.error.code == "ledger-outcome-unknown"


def test_a_batch_is_bounded_and_a_large_append_goes_alone() -> None:
    sizes: list[list[int]] = []

    def note(batch: Sequence[Request]) -> None:
        sizes.append([len(each.drafts) for each in batch])
        settle(batch)

    group = GroupCommit(note, window=0)
    large = MAX_BATCH_EVENTS + 1
    waiting = [request(size) for size in (1, large, 2, 3, 4)]
    with ThreadPoolExecutor(5) as pool, group.exclusive():
        for number, each in enumerate(waiting, 1):
            pool.submit(group.submit, each)
            while len(group._queue) < number:
                time.sleep(0.001)
    assert sizes == [[1], [large], [2, 3, 4]]
    assert all(each.settled for each in waiting)


class CutShortError(BaseException):
    pass


def test_who_is_interrupted_while_queueing_takes_the_request_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interrupted one was first in the queue: whoever comes next must lead all the same."""
    committed: list[Request] = []

    def note(batch: Sequence[Request]) -> None:
        committed.extend(batch)
        settle(batch)

    group = GroupCommit(note, window=0)
    first, interrupted, last = request(), request(), request()
    reached = threading.Event()

    def interrupt(timeout: float | None = None) -> bool:
        del timeout
        reached.wait()
        raise CutShortError

    monkeypatch.setattr(interrupted.woken, "wait", interrupt)
    with ThreadPoolExecutor(3) as pool:
        with group.exclusive():
            leading = pool.submit(group.submit, first)
            while len(group._queue) < 1:
                time.sleep(0.001)
            failing = pool.submit(group.submit, interrupted)
            while len(group._queue) < 2:
                time.sleep(0.001)
            reached.set()
            with pytest.raises(CutShortError):
                failing.result()
            following = pool.submit(group.submit, last)
        assert (leading.result(), following.result()) == (range(1), range(1))
    assert committed == [first, last]
    assert group.submit(request()) == range(1), "somebody leads again"


def test_who_leads_and_is_interrupted_before_the_commit_passes_the_lead_on(monkeypatch: pytest.MonkeyPatch) -> None:
    committed: list[Request] = []

    def note(batch: Sequence[Request]) -> None:
        committed.extend(batch)
        settle(batch)

    group = GroupCommit(note, window=1)
    first, last = request(), request()

    def interrupt(_: float) -> None:
        while len(group._queue) < 2:
            time.monotonic()
        monkeypatch.undo()
        group._window = 0
        raise CutShortError

    monkeypatch.setattr("consentry.ledger.group_commit.time.sleep", interrupt)
    with ThreadPoolExecutor(2) as pool:
        leading = pool.submit(group.submit, first)
        while not group._queue:
            time.monotonic()
        following = pool.submit(group.submit, last)
        with pytest.raises(CutShortError):
            leading.result()
        assert following.result() == range(1)
    assert committed == [last]
