"""What the first who asks would wait for is done when the server starts: events are folded, and people classified.

Nobody is kept out meanwhile: who asks earlier waits for the same work, and renewals need none of it.

What is in memory then stays. Python would go through all of it again and again, in search of garbage, and nobody is
answered meanwhile: a server has it left out (`gc.freeze`, as `settled`).
"""

from __future__ import annotations

from collections.abc import Callable

from consentry.errors import ConsentryError
from consentry.service.problems import LOG, unforeseen
from consentry.service.verbs import Verbs

_A_STRANGER = "0" * 32
"""A pseudonym that nobody has: what is the same for all is worked out, and nothing of anybody."""


async def warm(verbs: Verbs, *, settled: Callable[[], None]) -> None:
    """Ask once what a member's page asks, then call `settled`. What cannot be answered is told to whoever asks then."""
    try:
        await verbs(verbs.control.own_settings.uses, _A_STRANGER)
    except ConsentryError as error:
        LOG.info("not prepared: %s", error.code)
    except Exception as error:
        LOG.error("%s", unforeseen(error))
    settled()
