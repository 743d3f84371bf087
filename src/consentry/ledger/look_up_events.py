"""Who looked somebody up, and why. A personal event: it is erased with the person, who can see it until then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from consentry.ledger.case_events import Handle
from consentry.ledger.plain_body import PlainBody


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLookedUp(PlainBody):
    """A member of staff saw what is known of a person. `person` is a pseudonym."""

    KIND: ClassVar[str] = "person.looked-up"
    PERSONAL: ClassVar[bool] = True

    person: str
    reason: str
    by: Handle

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody this event names."""
        return (self.person,)
