"""Choices that arrive while others are being recorded are recorded together: one call, one flush, each its own answer.

A choice is a short event, and what it costs is the way to the disk and back. That way is gone once for all who wait.
Each is checked before it joins, so that what is wrong with one is the matter of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from consentry.errors import ConsentryError, InputError
from consentry.ledger.events import ChoiceMade
from consentry.service.verbs import Verbs
from consentry.stages import apart, stage

MOST_AT_ONCE = 2000
"""Choices in one append: a few hundred milliseconds' work."""
_Waiting = tuple[Sequence[ChoiceMade], asyncio.Future[Sequence[int]]]


class Together:
    """Records choices. All of it runs on the event loop, but for the recording itself.

    Invariant: if somebody waits, `_running` will take them.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._waiting: list[_Waiting] = []
        self._running: asyncio.Task[None] | None = None

    async def record(self, choices: Sequence[ChoiceMade]) -> Sequence[int]:
        """Return the positions of these choices when they are durable. They are recorded all or none.

        Raises:
            ChoiceError: a choice says it was made at a time to come.
            UnavailableError: the ledger does not answer.
        """
        found: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((choices, found))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), context=apart())
        with stage("ledger.append", events=len(choices)):
            return await found

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._settle(self._take())
        finally:
            self._running = None

    def _take(self) -> list[_Waiting]:
        taken, size = 1, len(self._waiting[0][0])
        while taken < len(self._waiting) and size + len(self._waiting[taken][0]) <= MOST_AT_ONCE:
            size += len(self._waiting[taken][0])
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    async def _settle(self, batch: Sequence[_Waiting]) -> None:
        try:
            positions = await self._record([each for choices, _ in batch for each in choices])
        except InputError as error:
            if len(batch) == 1:
                _fail(batch[0][1], error)
            # Nothing was recorded. The clock was set back after one of them was checked: each is asked for its own.
            else:
                for each in batch:
                    await self._settle([each])
        except BaseException as error:
            for _, found in batch:
                _fail(found, error)
            if not isinstance(error, Exception):
                raise
        else:
            start = 0
            for choices, found in batch:
                if not found.done():
                    found.set_result(positions[start : start + len(choices)])
                start += len(choices)

    async def _record(self, choices: Sequence[ChoiceMade]) -> list[int]:
        positions: list[int] = []
        verb = self._verbs.control.statements.choose
        await self._verbs(verb, choices, batch=len(choices), recorded=positions.extend)
        return positions


def _fail(found: asyncio.Future[Sequence[int]], error: BaseException) -> None:
    if found.done():
        return
    if isinstance(error, ConsentryError):
        # One of each their own: two that wait must not share a traceback.
        found.set_exception(type(error)(error.code, error.message, help=error.help, where=error.where))
    elif isinstance(error, Exception):
        found.set_exception(error)
    else:
        found.cancel()
