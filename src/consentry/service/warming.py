"""What the first who asks would wait for is done when the server starts: events are folded, and people classified.

Until it is done the server does not call itself ready, so that whoever spreads load sends nobody. Nobody is kept out
all the same: who asks earlier waits for the same work, and renewals need none of it.

What is in memory then stays. Python would go through all of it again and again, in search of garbage, and nobody is
answered meanwhile: a server has it left out (`gc.freeze`, as `settled`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from consentry.errors import ConsentryError, UnavailableError
from consentry.service.problems import LOG, unforeseen
from consentry.service.verbs import Verbs

_A_STRANGER = "0" * 32
"""A pseudonym that nobody has: what is the same for all is worked out, and nothing of anybody."""


PATIENCE_S = 20.0
"""So long a server that prepares is not called ready: longer, and jobs that only a balancer of load leads here would
stop, as they renew their leases every twenty seconds."""


class Preparing:
    """Whether a server still works out what everybody would wait for."""

    def __init__(self, *, patience: float = PATIENCE_S) -> None:
        self._until = time.monotonic() + patience

    def end(self) -> None:
        """Note that it is done, or was given up."""
        self._until = 0.0

    def require_over(self) -> None:
        """Refuse to call the server ready before.

        Raises:
            UnavailableError: it is not.
        """
        if time.monotonic() < self._until:
            raise UnavailableError(
                "serve-preparing",
                "the server has started and prepares what everybody needs",
                help="ask again in a moment: who asks for a page now waits for that",
            )


async def warm(verbs: Verbs, *, settled: Callable[[], None]) -> None:
    """Ask once what a member's page asks, then call `settled`. What cannot be answered is told to whoever asks then."""
    try:
        await verbs(verbs.control.own_settings.uses, _A_STRANGER)
    except ConsentryError as error:
        LOG.info("not prepared: %s", error.code)
    except Exception as error:
        LOG.error("%s", unforeseen(error))
    settled()
