"""Whom events concern, of those whose items were decided before: some people, single items, perhaps everybody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consentry.ledger.envelope import Event
from consentry.ledger.events import (
    CHANGES_NO_STATE,
    ChoiceMade,
    CorpusRegistered,
    NoticeServed,
    PersonLinked,
    PolicyPublished,
)
from consentry.ledger.objection_events import ItemsExcluded
from consentry.ledger.release_events import RELEASES

Seats = npt.NDArray[np.uint32]
_ABOUT_SOME = (ChoiceMade, PersonLinked, NoticeServed)
_ABOUT_NOBODY = (
    PolicyPublished,
    CorpusRegistered,
    *RELEASES,
    ItemsExcluded,
    *CHANGES_NO_STATE,
)


@dataclass(frozen=True, slots=True)
class Change:
    """Whom events concerned: the people in these seats and nobody else, or (`structural`) perhaps everybody.

    `items`: single items were excluded, whoever they concern.
    """

    seats: Seats
    structural: bool
    items: bool = False

    @property
    def nothing(self) -> bool:
        """Whether every decision is what it was."""
        return not (self.seats.size or self.structural or self.items)


def is_structural(events: Iterable[Event]) -> bool:
    """Say whether `events` may concern everybody: another people table, or somebody erased."""
    return any(
        event.body is not None and not isinstance(event.body, (*_ABOUT_SOME, *_ABOUT_NOBODY)) for event in events
    )
