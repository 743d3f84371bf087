"""Snapshots that are held: nothing grows with what anybody asks for, and one at a time is taken."""

from __future__ import annotations

import asyncio

import pytest

from consentry.errors import ConsentryError
from consentry.policy.vocabulary import Purpose
from consentry.service.snapshots import Snapshots
from consentry.service.verbs import Verbs
from end_to_end.network import fresh
from service.at_work import POLICY, prepare


def test_names_that_nobody_published_leave_nothing_behind() -> None:
    async def ask(snapshots: Snapshots) -> None:
        for number in range(50):
            with pytest.raises(ConsentryError):
                await snapshots.current(f"made-up-{number}", Purpose.TRAIN_GENAI)
        assert not snapshots._turns
        found = await asyncio.gather(*(snapshots.current(POLICY, Purpose.TRAIN_GENAI) for _ in range(30)))
        assert len({id(each) for each in found}) <= 2, "those who ask together share one; the second may turn meanwhile"
        assert not snapshots._turns
        assert len(snapshots._held) == 1

    with fresh() as (folder, deployment):
        prepare(folder, deployment)
        verbs = Verbs(deployment.control)
        asyncio.run(ask(Snapshots(verbs)))
        verbs.close()
