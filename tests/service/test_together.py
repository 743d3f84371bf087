"""Choices that arrive at the same time share an append, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from consentry.bootstrap import Deployment
from consentry.control_plane.statements import StatementVerbs
from consentry.errors import ChoiceError, UnavailableError
from consentry.ledger.events import ChoiceMade, Source, made_too_late
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.service.together import MOST_AT_ONCE, Together
from consentry.service.verbs import Verbs
from end_to_end.network import fresh
from service.at_work import in_thread, platform_key, prepare

LATE = 9_999_999_999


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with fresh() as (folder, found):
        prepare(folder, found)
        yield found


def chose(deployment: Deployment, who: str, *, at: int = 1_700_000_000) -> ChoiceMade:
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=Reach.UNTRAINED, at=at)
    return ChoiceMade(person=deployment.person(who), choice=choice, source=Source.SETTINGS, notice=None)


def together(deployment: Deployment, *requests: Sequence[ChoiceMade]) -> list[Sequence[int] | BaseException]:
    verbs = Verbs(deployment.control, threads=2)

    async def run() -> list[Sequence[int] | BaseException]:
        gathered = Together(verbs)
        return await asyncio.gather(*map(gathered.record, requests), return_exceptions=True)

    try:
        return asyncio.run(run())
    finally:
        verbs.close()


def counted(monkeypatch: pytest.MonkeyPatch, **fails: Any) -> list[int]:
    """Return a list of how many choices each call of the verb was about."""
    calls: list[int] = []
    plain = StatementVerbs.choose

    def choose(self: StatementVerbs, choices: Sequence[ChoiceMade], **more: Any) -> int:
        calls.append(len(choices))
        if "error" in fails:
            raise fails["error"]
        return plain(self, choices, **more)

    monkeypatch.setattr(StatementVerbs, "choose", choose)
    return calls


def test_each_gets_its_own_positions(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch)
    requests = [[chose(deployment, f"w{request}-{each}") for each in range(1 + request % 3)] for request in range(40)]
    found = together(deployment, *requests)
    events = {each.position: each.body for each in deployment.ledger.read()}
    for request, positions in zip(requests, found, strict=True):
        assert not isinstance(positions, BaseException)
        assert [events[position] for position in positions] == request
    assert len(calls) <= 2, "the first may have gone alone"


def test_what_is_wrong_with_one_is_the_matter_of_one(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch)
    before = deployment.ledger.head()
    good = [[chose(deployment, f"g{each}")] for each in range(5)]
    found = together(deployment, *good[:3], [chose(deployment, "late", at=LATE)], *good[3:])
    assert isinstance(found[3], ChoiceError)
    positions = [each[0] for each in found if not isinstance(each, BaseException)]
    assert len(positions) == len(set(positions)) == 5
    assert deployment.ledger.head() == before + 5
    assert calls[0] == 6, "all at once, and then one by one"


@pytest.mark.parametrize("kind", ["ledger-unavailable", "ledger-outcome-unknown"])
def test_a_ledger_that_does_not_answer_is_told_to_all_and_asked_once(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    calls = counted(monkeypatch, error=UnavailableError(kind, "no answer", help="retry"))
    found = together(deployment, *([chose(deployment, f"u{each}")] for each in range(7)))
    assert [isinstance(each, UnavailableError) and each.code == kind for each in found] == [True] * 7
    assert len({id(each) for each in found}) == 7, "each its own"
    assert sum(calls) == 7, "nothing is tried a second time: it may have been recorded"


def test_a_mistake_of_ours_leaves_nobody_waiting(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch, error=RuntimeError("a mistake"))
    found = together(deployment, [chose(deployment, "m1")], [chose(deployment, "m2")])
    assert all(isinstance(each, RuntimeError) for each in found)


def test_no_append_grows_without_bound(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch)
    one = [chose(deployment, "many")] * (MOST_AT_ONCE // 2)
    together(deployment, *[one] * 5)
    assert max(calls) <= MOST_AT_ONCE
    assert sum(calls) == 5 * len(one)


def test_over_http_all_are_there_when_they_are_answered(deployment: Deployment) -> None:
    key = platform_key(deployment)
    headers = {"authorization": f"Bearer {key}"}
    with (
        in_thread(deployment) as ask,
        httpx2.Client(base_url=ask.url, headers=headers) as program,
        ThreadPoolExecutor(16) as threads,
    ):

        def send(number: int) -> tuple[int, int]:
            said = {"person": f"h{number}", "purpose": "train-genai", "state": "refused"}
            if number % 10 == 7:
                said["at"] = LATE  # type: ignore[assignment]
            answer = program.post("/v1/choices", json={"choices": [said]})
            head = deployment.ledger.head()
            if answer.status_code == 201:
                (position,) = answer.json()["positions"]
                assert position < head
                return number, position
            assert answer.json()["code"] == made_too_late(LATE).code
            return number, -1

        found = dict(threads.map(send, range(200)))
    events = {each.position: each.body for each in deployment.ledger.read()}
    for number, position in found.items():
        if number % 10 == 7:
            assert position == -1
            continue
        body = events[position]
        assert isinstance(body, ChoiceMade)
        assert body.person == deployment.person(f"h{number}")
