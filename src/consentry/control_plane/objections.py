"""Objecting: what anybody may do, without a login. An objection is filed, and followed by a private link.

Filing looks nothing up and refuses nobody: it is one append of two events, which many share a flush for. What it says
is looked at later, by staff. The link is 256 random bits. The id of the objection is a digest of them, and nothing
else of the link is kept: who reads the ledger cannot follow anybody's objection.

What an objector is told says nothing about other objections, not even that somebody else said the same: whoever files
a guess would learn that it is right.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from consentry.control_plane.desk import Desk
from consentry.control_plane.match_in_part import followed_in_part
from consentry.control_plane.objection_texts import ObjectionTexts, Told, for_objector, require_words
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import require_handle
from consentry.digests import canonical_json, digest
from consentry.errors import NotFoundError
from consentry.ledger.case_events import Handle
from consentry.ledger.objection_events import ObjectionHeard, ObjectionReceived, ObjectionWithdrawn
from consentry.oversight.objection import ANSWER_MONTHS, Objection, months_after
from consentry.oversight.objection_form import ANSWER_TO, FIND, FORM, REASON
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import Purpose

_LINK_BYTES = 32
_ID_DIGITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """An objection that is durable.

    `link` is the secret part of the private link: it is for the objector alone, and is never shown again.
    """

    objection: str
    link: str = field(repr=False)
    position: int
    received: Seconds
    due: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What an objector sees: where it stands, and what was said, oldest first.

    `in_part`: some of the content that is meant may still be used, though more was asked for.
    """

    objection: Objection
    in_part: bool
    course: tuple[Told, ...] = field(repr=False)


class Objections:
    """Verbs for objectors."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._texts = ObjectionTexts(desk)

    def file(
        self,
        find: str,
        *,
        answer_to: str,
        reason: str = "",
        purpose: Purpose = Purpose.TRAIN_AI,
        by: Handle | None = None,
    ) -> Filed:
        """Take an objection in. It is durable when this returns.

        Args:
            find: a link to the content, or a name to find it by.
            answer_to: an address of any kind for the answer.
            reason: why, if they like.
            purpose: the use they object to, with everything below it.
            by: the handle of who types it in for them, from a letter say.

        Raises:
            InputError: what the form requires is missing, or something is longer than it takes.
        """
        if by is not None:
            require_handle(by)
        said = {
            each.name: require_words(given, each.name, most=each.most, required=each.required)
            for each, given in ((FIND, find), (ANSWER_TO, answer_to), (REASON, reason))
        }
        link = secrets.token_hex(_LINK_BYTES)
        objection = objection_of(link)
        # Of exactly what was said: staff see which are the same, and nobody else can.
        beside = self._desk.parts.texts.fingerprint(canonical_json([purpose, said]))
        received = ObjectionReceived(objection=objection, purpose=purpose, form=FORM.version, by=by)
        told = self._texts.told(objection, "received", beside=beside, by=by, **said)
        ledger = self._desk.parts.ledger
        position = ledger.append([received, told])[0]
        with once_recorded("its link is lost"):
            (event,) = ledger.read(position, position + 1)
        due = months_after(event.recorded_at, ANSWER_MONTHS)
        return Filed(objection=objection, link=link, position=position, received=event.recorded_at, due=due)

    def follow(self, link: str) -> Followed:
        """Return what the holder of a link may see.

        Raises:
            NotFoundError: no objection has this link.
        """
        objection = self._by_link(link)
        course = self._texts.course(objection.objection)
        return Followed(objection=objection, in_part=followed_in_part(course), course=tuple(for_objector(course)))

    def add(self, link: str, text: str) -> Followed:
        """Add a message. After an answer it makes the objection received anew.

        Raises:
            NotFoundError: no objection has this link.
            StateError: it was withdrawn or erased.
        """
        words = require_words(text, "message")
        objection = self._by_link(link).objection
        body = ObjectionHeard(objection=objection)
        self._texts.say(objection, lambda _: [(body, self._texts.told(objection, "heard", text=words))])
        with once_recorded():
            return self.follow(link)

    def withdraw(self, link: str) -> Followed:
        """Take an objection back. What was refused because of it stays refused.

        Raises:
            NotFoundError: no objection has this link.
            StateError: it was withdrawn or erased.
        """
        objection = self._by_link(link).objection
        body = ObjectionWithdrawn(objection=objection)
        self._texts.say(objection, lambda _: [(body, self._texts.told(objection, "withdrawn"))])
        with once_recorded():
            return self.follow(link)

    def _by_link(self, link: str) -> Objection:
        try:
            return self._texts.objection(objection_of(link))
        except NotFoundError:
            raise NotFoundError(
                "objection-link-unknown",
                "no objection has this link",
                help="check that the whole link was copied; it was shown once, when the objection was sent",
            ) from None


def objection_of(link: str) -> str:
    """Return the id of the objection that a private link leads to."""
    content = b"consentry/objection-link/v1\x00" + link.encode("utf-8", "surrogatepass")
    return digest(content).removeprefix("sha256:")[:_ID_DIGITS]
