"""What an authority itself said: concerns, suspensions, and that its suspensions may be lifted. Open events.

What was said, with its signature, is a document in the object store. No personal data belongs in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from consentry.digests import Digest
from consentry.ledger.case_events import Handle
from consentry.ledger.plain_body import PlainBody


class Says(StrEnum):
    """What an authority's statement says."""

    CONCERN = "concern"
    """Something should be looked into. Nothing is suspended by it."""
    SUSPEND = "suspend"
    """A use is suspended, from the order on that stands beside this event."""
    MAY_BE_LIFTED = "may-be-lifted"
    """The orders that are named may end, as far as this authority is concerned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFiled(PlainBody):
    """The account `by` of an authority filed a statement about a case.

    `orders` are those it issued, or that may be lifted. `areas` are those it is about. `statement` is the digest of the
    very bytes that were signed, `document` that of the object which holds these, the signature and the key. `key` is
    the id of the key; None for a concern that nobody signed.
    """

    KIND: ClassVar[str] = "statement.filed"

    case: str
    says: Says
    orders: tuple[str, ...]
    areas: tuple[str, ...]
    reference: str
    statement: Digest
    document: Digest
    key: Digest | None
    by: Handle


StatementBody = StatementFiled
STATEMENTS = (StatementFiled,)
"""They concern nobody's choices: what is known of people stays as it is."""
