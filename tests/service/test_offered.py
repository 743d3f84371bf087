"""What open pages wait for is looked up once for all, told to all at once, and no longer than somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import cast

import pytest

from consentry.control_plane.plane import ControlPlane
from consentry.errors import UnavailableError
from consentry.service import offered
from consentry.service.offered import Offered
from consentry.service.verbs import Verbs

MANY = 200


class Word:
    """The word as it is, and how often somebody looked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.looks = "a", 0
        self.error: Exception | None = None
        monkeypatch.setattr(offered, "offered_by", self)

    def __call__(self, _: ControlPlane) -> str:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return self.now


@pytest.fixture
def word(monkeypatch: pytest.MonkeyPatch) -> Word:
    return Word(monkeypatch)


@pytest.fixture
def told() -> Iterator[Offered]:
    verbs = Verbs(cast("ControlPlane", None), threads=1)
    yield Offered(verbs)
    verbs.close()


def test_all_are_told_by_the_looks_of_one(told: Offered, word: Word) -> None:
    async def scene() -> None:
        assert await told.other_than("", seconds=5) == "a", "whoever knows nothing is told at once"
        waiting = [asyncio.create_task(told.other_than("a", seconds=30)) for _ in range(MANY)]
        await asyncio.sleep(3 * offered.PACE_S)
        assert not any(each.done() for each in waiting)
        word.now = "b"
        assert set(await asyncio.gather(*waiting)) == {"b"}
        assert word.looks < MANY / 4, "not a look for each"

    asyncio.run(scene())


def test_nobody_looks_when_nobody_waits(told: Offered, word: Word) -> None:
    async def scene() -> None:
        assert await told.other_than("a", seconds=2.5 * offered.PACE_S) == "a", "it still is that"
        await asyncio.sleep(2 * offered.PACE_S)
        looked = word.looks
        assert looked > 1, "while somebody waits it is looked again"
        await asyncio.sleep(4 * offered.PACE_S)
        assert word.looks == looked

    asyncio.run(scene())


def test_what_goes_wrong_is_told_to_all_and_looked_at_again(told: Offered, word: Word) -> None:
    async def scene() -> None:
        word.error = UnavailableError("ledger-unavailable", "it is away", help="wait")
        found = await asyncio.gather(*(told.other_than("a", seconds=30) for _ in range(3)), return_exceptions=True)
        assert found == [word.error] * 3
        word.error, word.now = None, "b"
        assert await told.other_than("a", seconds=30) == "b"

    asyncio.run(scene())
