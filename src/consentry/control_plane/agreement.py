"""What takes two different people who say the very same."""

from __future__ import annotations

from dataclasses import dataclass

from consentry.errors import ConflictError
from consentry.ledger.case_events import Handle, Step
from consentry.oversight.case import Case, Obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """Who agreed to a step that takes two people, and whether it was done with that."""

    by: tuple[Handle, ...]
    done: bool
    orders: tuple[str, ...] = ()
    """Orders that were issued."""
    in_the_way: tuple[Obstacle, ...] = ()
    """What has to be done yet before it takes effect, where two people agreed."""


def require_first_time(case: Case, *, by: Handle, step: Step, about: str | None = None) -> None:
    """Refuse who approved this already.

    Raises:
        ConflictError: they did, and nothing has changed since.
    """
    if by in case.approved_by(step, about):
        raise ConflictError(
            "case-approved-already",
            f"`{by}` approved this already",
            help="it takes two different people; approve again after the next change",
        )
