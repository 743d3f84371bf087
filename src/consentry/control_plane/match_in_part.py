"""Whom a match is about, what of theirs it leaves, and what stays beside it: staff say why not the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from consentry.control_plane import asker
from consentry.control_plane.desk import Desk
from consentry.control_plane.objection_texts import Told, require_words
from consentry.corpus.people import MISSING
from consentry.corpus.pseudonym import words
from consentry.errors import InputError, NotFoundError
from consentry.ledger.events import Pseudonym
from consentry.ledger.objection_events import LawfulGround
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, Reach


def known_person(desk: Desk, person: str) -> Pseudonym:
    """Return the pseudonym of somebody whose content a match can be about.

    Raises:
        NotFoundError: nobody knows this person: a refusal would concern nothing.
    """
    index, key = desk.parts.pseudonyms.lookup()
    if index.lookup_one(*words(key, person)) == MISSING:
        raise _unknown()
    return desk.parts.pseudonyms.person(person)


def _unknown() -> NotFoundError:
    return NotFoundError(
        "objection-person-unknown",
        "no corpus and no people table names this person",
        help="give the id as it stands in the corpus, or match single items",
    )


def require_rest(
    categories: Collection[Category], reach: Reach, *, ground: LawfulGround | None, as_asked: bool, reply: str
) -> None:
    """Refuse a match that leaves some content in use and does not say why, or says why and leaves none.

    Raises:
        InputError: it is so, or a ground has no explanation.
    """
    if (ground is not None) + as_asked != _is_part(categories, reach):
        raise InputError(
            "objection-rest",
            "why the rest may still be used has to be said of a match in part, once, and of no other",
            help="say that the objector asked for no more, or give a lawful ground and an explanation",
        )
    if ground is not None:
        require_words(reply, "explanation")


def followed_in_part(course: Iterable[Told]) -> bool:
    """Say whether content of anybody may still be used though its use was objected to, by what staff read of it.

    That the objector asked for no more is true of the match that says so, and of no ground beside it: only a match in
    whole leaves nothing.
    """
    matched = [each.words for each in course if each.what == "matched" and "person" in each.words]
    whole = {said["person"] for said in matched if not _is_part(said.get("categories", ()), said["reach"])}
    return any(said["person"] not in whole and not said.get("as_asked", False) for said in matched)


def what_stays(desk: Desk, refusal: Choice, *, person: Pseudonym, seat: int) -> str | None:
    """Return how far back a no of this person goes that goes further than a match and stays; None if none does.

    The head of the ledger is held.

    Raises:
        NotFoundError: they were erased: nothing may be kept of them.
    """
    if desk.newest.state.is_erased(person):
        raise _unknown()
    further = asker.in_seat(desk, desk.newest, person=person, seat=seat).further_than(refusal)
    return None if further is None else str(further.reach)


def _is_part(categories: Collection[str], reach: str) -> bool:
    return bool(categories) or reach != Reach.EVERYTHING
