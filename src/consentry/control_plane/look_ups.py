"""Looking one person up: for a reason, which is recorded before anything is seen, and which the person can see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from consentry.control_plane.desk import Desk
from consentry.control_plane.known import Known
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import require_handle, require_texts
from consentry.corpus.people import MISSING
from consentry.corpus.pseudonym import words
from consentry.corpus.registration import open_corpus
from consentry.errors import ConsentryError, InputError, NotFoundError
from consentry.ledger.case_events import Handle
from consentry.ledger.events import Pseudonym
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.policy.matrix import PersonClass
from consentry.policy.vocabulary import Account, Age


class LookUpVerbs:
    """Verbs about what staff see of single people. `uses_of` says which releases and models used a person's items."""

    def __init__(self, desk: Desk, *, uses_of: Callable[[str], dict[str, Any]]) -> None:
        self._desk = desk
        self._uses_of = uses_of

    def look_up(self, person: str, *, reason: str, by: Handle) -> dict[str, Any]:
        """Say what is known of a person, by the id the platform has of them. That it was asked is recorded first.

        Raises:
            InputError: no id, or no reason in one line.
            NotFoundError: the person was erased, so that nothing may be kept of them.
        """
        require_handle(by)
        require_texts(reason=reason)
        if not person.strip():
            raise InputError("person-missing", "nobody is named", help="give the id the platform has of the person")
        desk = self._desk
        named = desk.parts.pseudonyms.person(person)
        with desk.at_head() as session:
            if desk.newest.state.is_erased(named):
                raise NotFoundError("person-erased", "this person was erased", help="nothing is known of them any more")
            (position,) = session.append([PersonLookedUp(person=named, reason=reason, by=by)])
        with once_recorded("nothing can be said of this person yet"):
            return {"person": named, "position": position, **self._found(person, named)}

    def _found(self, person: str, named: Pseudonym) -> dict[str, Any]:
        desk = self._desk
        with desk.lock:
            present = desk.present()
            index, key = desk.parts.pseudonyms.lookup()
            ordinal = index.lookup_one(*words(key, person))
            seat = None if ordinal == MISSING else ordinal + 1
            accounts = [named] if seat is None else desk.accounts(present, seat)
            seats = () if seat is None else present.accounts(seat)
            found = self._residence(present, seat)
            choices = [
                {
                    "purpose": str(each.choice.key.purpose),
                    "category": None if each.choice.key.category is None else str(each.choice.key.category),
                    "one_item": each.choice.key.item is not None,
                    "state": str(each.choice.state),
                    "reach": str(each.choice.reach),
                    "at": each.choice.at,
                    "position": each.position,
                }
                for account in accounts
                for each in present.state.choices.get(account, ())
            ]
            corpora = list(present.state.corpora)
        return {
            "accounts": len(accounts),
            "choices": sorted(choices, key=lambda each: each["position"], reverse=True),
            **found,
            "items": [row for name in corpora for row in self._items(name, seats)],
            "uses": self._uses_of(person),
            "looked_up": self.looked_up(named),
        }

    def looked_up(self, person: Pseudonym) -> list[dict[str, Any]]:
        """Return who looked a person up, on any of their accounts: time, handle, reason and position, newest first."""
        desk = self._desk
        with desk.lock:
            present = desk.present()
            index, _ = desk.parts.pseudonyms.lookup()
            # Not `seats_of`: who is asked about gets no seat.
            ordinal = index.lookup_one(int(person[:16], 16), int(person[16:], 16))
            others = [] if ordinal == MISSING else desk.accounts(present, ordinal + 1)
            accounts = dict.fromkeys([person, *present.state.group_of(person), *others])
        found = [
            {"at": event.recorded_at, "by": event.body.by, "reason": event.body.reason, "position": event.position}
            for account in accounts
            for event in desk.parts.personal.history(account)
            if isinstance(event.body, PersonLookedUp)
        ]
        return sorted(found, key=lambda each: each["position"], reverse=True)

    def _residence(self, present: Known, seat: int | None) -> dict[str, Any]:
        """Return where a person may live and what is known besides, with the gaps that deny. Holds the lock."""
        classes = present.classes(at=self._desk.parts.clock())
        known = None if seat is None or seat >= classes.codes.size else classes.members[int(classes.codes[seat])]
        if known is None:
            unknown = {"places": [], "established": False, "age": None, "account": None, "notices": []}
            return {"known": False, **unknown, "gaps": ["person"]}
        return {
            "known": known.known,
            "places": sorted(known.places),
            "established": known.established,
            "age": str(known.age),
            "account": str(known.account),
            "notices": [{"notice": notice, "at": at} for notice, at in known.notices],
            "gaps": _gaps(known),
        }

    def _items(self, name: str, seats: tuple[int, ...]) -> list[dict[str, Any]]:
        """Count the items of a corpus that are by or about a person, by category."""
        counts: dict[str, int] = {}
        try:
            corpus = open_corpus(self._desk.corpora, name)
            for sidecar in corpus.sidecars if seats else ():
                rows = sidecar.rows_of(np.array(seats, dtype=np.uint32))
                for code, count in enumerate(np.bincount(sidecar.klass[rows], minlength=1).tolist()):
                    if count:
                        category = str(corpus.items[code].category)
                        counts[category] = counts.get(category, 0) + count
        except (ConsentryError, OSError):
            return [{"corpus": name, "category": "", "items": None}]
        return [{"corpus": name, "category": category, "items": count} for category, count in sorted(counts.items())]


def _gaps(known: PersonClass) -> list[str]:
    found = [] if known.known else ["person"]
    if not known.places or not known.established:
        found.append("residence")
    if known.age is Age.UNKNOWN:
        found.append("age")
    if known.account is Account.UNCLEAR:
        found.append("account")
    return found
