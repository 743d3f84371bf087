"""The cases that are known, and how something is said of one.

What is said of a case is checked and appended while the head of the ledger is held, so that two people who do something
at a time do it one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from consentry.control_plane.desk import Desk
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.telling import Telling
from consentry.errors import NotFoundError, names_there_are
from consentry.ledger.events import Body
from consentry.oversight.case import (
    Case,
)


class CaseBook:
    """Finds cases, and writes into them; knows whom their notices did not reach."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.telling = Telling(desk)

    def every(self) -> list[Case]:
        """Return all cases, oldest first."""
        return list(self.desk.present().overseen.cases)

    def get(self, name: str) -> Case:
        """Return a case.

        Raises:
            NotFoundError: there is none of this name.
        """
        self.desk.present()
        return self.known(name)

    def known(self, name: str) -> Case:
        """Return a case as it is in the present, without reading the ledger. The caller holds the lock."""
        cases = self.desk.newest.overseen.cases
        found = cases.get(name)
        if found is None:
            known = [each.case for each in cases]
            raise NotFoundError(
                "case-unknown",
                f"no case `{name}`",
                help=names_there_are(known, "there are", otherwise="open one: consentry case open"),
            )
        return found

    def timeline(self, case: Case) -> list[dict[str, Any]]:
        """Return all that is known to be said of a case, oldest first: position, time, kind and what it says."""
        with self.desk.lock:
            overseen = self.desk.newest.overseen
            positions = overseen.timelines.of(case, overseen.orders.of(case.case))
        return [
            {"position": each.position, "at": each.recorded_at, "kind": each.kind, "body": each.body.to_json()}
            for each in self.desk.parts.ledger.at(positions)
            if each.body is not None
        ]

    def say(self, name: str, say: Callable[[Case], Sequence[Body]], *, over_too: bool = False) -> Case:
        """Say something about a case that is not over (or is), while nobody else can say anything."""
        self.desk.present()
        with self.desk.at_head() as session:
            case = self.known(name)
            if not over_too:
                case.require_open()
            bodies = say(case)
            positions = session.append(bodies) if bodies else range(0)
        if positions:
            self.desk.write_down(positions[-1])
        with once_recorded(anything=bool(positions)):
            return self.get(name)
