"""What became of releases as a whole: sealed, and withdrawn. All of them are open events.

`by` is who acted for the platform: a handle of staff, or of the key of a program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from consentry.digests import Digest
from consentry.ledger.case_events import Handle
from consentry.ledger.plain_body import PlainBody
from consentry.policy.vocabulary import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSealedV1(PlainBody):
    """A release was sealed: as it was said before it was noted who built it. Not written any more."""

    KIND: ClassVar[str] = "release.sealed"

    release: str
    manifest: Digest
    policy: Digest
    purpose: Purpose
    corpus: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSealed(PlainBody):
    """A release covers exactly the events [0, `position`), and this event stands at `position`; `by`: who built it.

    None if they did not say who they are: with commands one need not.
    """

    KIND: ClassVar[str] = "release.sealed"
    VERSION: ClassVar[int] = 2

    release: str
    manifest: Digest
    policy: Digest
    purpose: Purpose
    corpus: str
    position: int
    by: Handle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseWithdrawnV1(PlainBody):
    """A sealed release may no longer be read: as it was said before it was noted who says so. Not written any more."""

    KIND: ClassVar[str] = "release.withdrawn"

    release: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseWithdrawn(PlainBody):
    """A sealed release may no longer be read, why, and who says so."""

    KIND: ClassVar[str] = "release.withdrawn"
    VERSION: ClassVar[int] = 2

    release: str
    reason: str
    by: Handle


Sealing = ReleaseSealed | ReleaseSealedV1
Withdrawing = ReleaseWithdrawn | ReleaseWithdrawnV1
ReleaseBody = Sealing | Withdrawing

RELEASES = (ReleaseSealed, ReleaseSealedV1, ReleaseWithdrawn, ReleaseWithdrawnV1)
