"""Small state of the web that is no event: answers kept for requests that are sent again, and where events are sent.

Whatever a method returns from is durable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from consentry.errors import IntegrityError

SECRET_PREFIX = "whsec_"  # noqa: S105 - of a secret, as the Standard Webhooks specification has it
KEPT_S = 24 * 3600
"""How long an answer is kept for a request that may be sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """The answer to a request with an idempotency key.

    Attributes:
        request: the digest of what was asked; another one under the same key is a mistake.
        status: of the answer; None: nobody knows yet what came of it.
        content: the answer itself. It names no person and holds no secret.
    """

    request: str
    status: int | None = None
    kind: str = ""
    content: bytes = b""


class EndpointState(StrEnum):
    """How it is with deliveries to an endpoint."""

    UP_TO_DATE = "up to date"
    SENDING = "sending"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where events are sent to.

    Attributes:
        ident: what it is called in lists.
        url: where to.
        kinds: the kinds of events it wants; none: all.
        secret: by which what is sent is signed, `whsec_` and base64; empty if it cannot be read.
        position: events before this were delivered, or were not wanted.
        failures: tries that failed since the last delivery.
        retry_at: not before this, seconds.
    """

    ident: str
    url: str
    kinds: frozenset[str] = frozenset()
    secret: str = field(repr=False)
    made_by: str
    made_at: int
    position: int
    failures: int = 0
    retry_at: int = 0
    error: str = ""

    def state(self, head: int) -> EndpointState:
        """Return how it is with it, as of a head of the ledger."""
        if self.failures:
            return EndpointState.FAILING
        return EndpointState.UP_TO_DATE if self.position >= head else EndpointState.SENDING


def secret_unreadable(ident: str) -> IntegrityError:
    """Return the error of a webhook whose secret was sealed with another key, or changed."""
    return IntegrityError(
        "webhook-secret-unreadable",
        f"the secret of webhook `{ident}` cannot be decrypted",
        help=f"restore the keys of the home it was made in, or exchange it: consentry webhook exchange {ident}",
    )


class KeptAnswers(Protocol):
    """Answers to requests that may be sent again, by a name that says who asked what under which key."""

    def begin(self, name: str, *, request: str, now: int) -> KeptAnswer | None:
        """Note that a request is being answered, and return None; or what is kept of one before."""
        ...

    def finish(self, name: str, answer: KeptAnswer) -> None:
        """Keep the answer."""
        ...

    def forget(self, name: str) -> None:
        """Forget a request that changed nothing, so that it can be sent again."""
        ...


class Endpoints(Protocol):
    """Where events are sent to."""

    def endpoints(self) -> list[Endpoint]:
        """Return all of them, oldest first."""
        ...

    def put_endpoint(self, endpoint: Endpoint) -> None:
        """Write one down, new or changed."""
        ...

    def advance_endpoint(self, endpoint: Endpoint, *, since: int) -> bool:
        """Write down how far deliveries are; False: it was removed or moved meanwhile, and is not at `since`."""
        ...

    def remove_endpoint(self, ident: str) -> bool:
        """Forget one; False: there is none."""
        ...


class EndpointSecrets(Protocol):
    """By which secret each is signed to."""

    def exchange_secret(self, ident: str, secret: str) -> bool:
        """Put a secret in place of the one before, and have the next try made at once; False: there is no such one.

        How far deliveries are is left as it is, whoever moves it meanwhile.
        """
        ...


class ManagedEndpoints(Endpoints, EndpointSecrets, Protocol):
    """All about them."""


class WebState(KeptAnswers, ManagedEndpoints, Protocol):
    """All of it."""
