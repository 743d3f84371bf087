"""What it means to the holder of a lease that the control plane does not do what it was asked. Pure.

    OVER       the lease does not come back: the job stops
    REFUSED    what was asked is not done unless somebody sees to the cause: whoever needs it fails, and says why
    AGAIN      it may be done if it is asked again; until the deadline of the lease, which ends all asking

A code that is not named here goes by its status. INVARIANT: what is AGAIN by that is either no answer of ours, or says
that it will pass: nobody asks for ever for what can never get better.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from consentry.training.holding import TERMINAL


class Meaning(Enum):
    """What becomes of what was asked."""

    OVER = auto()
    REFUSED = auto()
    AGAIN = auto()


BY_CODE: Final[Mapping[str, Meaning]] = {
    **dict.fromkeys(TERMINAL, Meaning.OVER),
    **dict.fromkeys(
        (
            # Of a grant.
            "release-unknown",
            "lease-suspended",
            "lease-old-terms",
            "lease-ttl-out-of-range",
            "lease-name",
            # Of bitmaps.
            "release-file-unknown",
            "lease-amendment-unknown",
            "amendment-unknown",
            "amendment-damaged",
            # Of what was consumed, and of model checkpoints.
            "lease-ranges",
            "lease-model-checkpoint",
            "checkpoint-fence-stale",
            "checkpoint-exists",
            # Of any request: it is not understood, or its sender is nobody.
            "serve-malformed",
            "serve-no-such-address",
            "serve-method",
            "serve-body-too-large",
            "serve-media-type",
            "serve-token-wrong",
            "access-unknown",
            "access-denied",
            "access-other-site",
            "platform-unknown-host",
        ),
        Meaning.REFUSED,
    ),
    **dict.fromkeys(
        (
            "lease-replayed",  # the next one has a higher number
            "amendment-overtaken",
            "corpus-sidecar-missing",  # while the corpus is registered anew
            "corpus-classes-changed",
            "serve-body-too-slow",
            "platform-unavailable",
            "internal-error",
            # Somebody restores the newest ledger, or lets the server read its keys: until then it renews no lease.
            "ledger-older",
            "key-missing",
            # It is recorded, perhaps: said again, an end changes nothing; of two leases that are granted one expires.
            "ledger-outcome-unknown",
        ),
        Meaning.AGAIN,
    ),
}
_PASSES: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def meaning(status: int, code: str) -> Meaning:
    """Return what an answer means that is not that it was done; no code: it is not from a control plane of ours."""
    found = BY_CODE.get(code)
    if found is Meaning.OVER and not 400 <= status < 500:
        return Meaning.AGAIN
    if found is not None:
        return found
    passes = not code or status in _PASSES or status > HTTPStatus.INTERNAL_SERVER_ERROR
    return Meaning.AGAIN if passes else Meaning.REFUSED
