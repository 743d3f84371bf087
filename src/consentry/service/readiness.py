"""Whether requests can be answered: what they need is looked at, at most once a second, whoever asks.

What was seen is remembered, a failure as well: whoever asks again and again holds up nobody. The log says when requests
cannot be answered any more, and when they can again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock

from consentry.accounts.admission import Admission
from consentry.bootstrap import Deployment
from consentry.errors import ConsentryError, UnavailableError
from consentry.home import require_usable
from consentry.service.problems import LOG, unforeseen

LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Where the ledger ends, and what is wrong all the same, without holding up a request."""

    position: int
    warnings: tuple[ConsentryError, ...]


class Readiness:
    """Looks at the ledger, the accounts and the folder of a deployment, and remembers what it saw."""

    def __init__(self, deployment: Deployment, admission: Admission) -> None:
        self._deployment = deployment
        self._admission = admission
        self._lock = Lock()
        self._looked_at = 0.0
        self._seen: Seen | ConsentryError | None = None
        self._since: float | None = None
        """Since when requests cannot be answered; None: they can."""

    def look(self, *, trouble: ConsentryError | None) -> Seen:
        """Return what was seen; `trouble` is why the ledger cannot be looked at, as whoever watches it found out.

        Raises:
            UnavailableError: requests cannot be answered.
        """
        with self._lock:
            if trouble is None and (self._seen is None or time.monotonic() - self._looked_at >= LOOK_EVERY_S):
                self._seen, self._looked_at = self._look(), time.monotonic()
            found = trouble or self._seen
            self._tell(found)
        if isinstance(found, Seen):
            return found
        assert found is not None
        # Whatever it is, it is not the request.
        raise UnavailableError(found.code, found.message, help=found.help)

    def _look(self) -> Seen | ConsentryError:
        try:
            require_usable(self._deployment.settings.home, self._deployment.control.desk.parts.ledger_id)
            self._admission.all_keys()
            warnings: list[ConsentryError] = [
                each.told() for each in self._deployment.control.desk.present().overseen.lost
            ]
            if (keys := self._deployment.key_trouble()) is not None:
                warnings.append(keys)
            # Taking the turn of whoever writes shows that the ledger can be written to, and leaves no trace.
            with self._deployment.ledger.sealing() as session:
                return Seen(position=session.position, warnings=tuple(warnings))
        except ConsentryError as error:
            return error
        except Exception as error:
            return unforeseen(error)

    def _tell(self, found: Seen | ConsentryError | None) -> None:
        if isinstance(found, ConsentryError) and self._since is None:
            self._since = time.monotonic()
            LOG.error("requests cannot be answered: %s", found)
        elif isinstance(found, Seen) and self._since is not None:
            LOG.warning("requests can be answered again, after %.0f s", time.monotonic() - self._since)
            self._since = None
