"""What people are told, and what lawyers wrote about a policy set: the texts of notices, and assessments.

Texts are documents in the object store; the ledger names them by digest. They hold no personal data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consentry.control_plane.desk import Desk
from consentry.control_plane.known import Known
from consentry.control_plane.wording import require_handle, require_texts
from consentry.corpus.people import MISSING
from consentry.corpus.pseudonym import words
from consentry.corpus.sidecar import NOBODY
from consentry.errors import ChoiceError, InputError, NotFoundError
from consentry.ledger.case_events import AssessmentBound, AssessmentKind, Handle, NoticeWritten
from consentry.ledger.events import NoticeServed, Pseudonym
from consentry.oversight.assessment import Assessment
from consentry.oversight.notice import Notice, Version
from consentry.policy.choice import Seconds, standing
from consentry.policy.policy_parser import IDENTIFIER
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Category, ChoiceState, Purpose


class Informing(Desk):
    """Verbs about notices and assessments."""

    def write_notice(
        self,
        notice: str,
        text: bytes,
        *,
        languages: Sequence[str],
        channel: str,
        audience: str,
        by: Handle | None = None,
    ) -> Version:
        """Store the text of a notice as its next version.

        Raises:
            ChoiceError: no policy can ask for a notice of this name, or there is no text.
        """
        require_notice_name(notice)
        if not text.strip():
            raise ChoiceError("notice-empty", f"the text of notice `{notice}` is empty", help="give what people read")
        require_texts(channel=channel, audience=audience, language=", ".join(languages))
        if by is not None:
            require_handle(by)
        document = self.parts.objects.put(text)
        body = NoticeWritten(
            notice=notice, document=document, languages=tuple(languages), channel=channel, audience=audience, by=by
        )
        (position,) = self.parts.ledger.append([body])
        return next(each for each in self.notice(notice).versions if each.position == position)

    def notices(self) -> list[Notice]:
        """Return all notices that were written or served."""
        return list(self.present().record.notices)

    def notice(self, name: str) -> Notice:
        """Return a notice.

        Raises:
            NotFoundError: it was neither written nor served.
        """
        known = {each.notice: each for each in self.notices()}
        if name not in known:
            raise NotFoundError(
                "notice-unknown",
                f"no notice `{name}` was written or served",
                help=f"notices: {', '.join(known)}" if known else "write one: consentry notice write",
            )
        return known[name]

    def notice_text(self, version: Version) -> bytes:
        """Return the text of a version of a notice."""
        return self.parts.objects.get(version.body.document)

    def serve_notice(self, notice: str, people: Sequence[Pseudonym], *, at: Seconds) -> int:
        """Record that people were told something. Return the position.

        Raises:
            ChoiceError: no policy can ask for a notice of this name, so nothing would ever come of it; or nobody can
                have been told yet, or nobody was.
        """
        require_notice_name(notice)
        if at > self.parts.clock():
            raise ChoiceError(
                "notice-time-to-come",
                f"notice `{notice}` is said to be served at `{at}`, which has not come",
                help="record it once it was served; a date is the end of its day in UTC",
            )
        if not people:
            raise ChoiceError(
                "notice-nobody", f"notice `{notice}` was served to nobody", help="name the people who were told"
            )
        cohort = self.parts.people.store_cohort(people)
        return self.parts.ledger.append([NoticeServed(notice=notice, at=at, cohort=cohort, count=len(people))])[0]

    def audience(self, people: Iterable[str], *, purpose: Purpose) -> tuple[list[str], int]:
        """Return those ids whose person can still be told about a use, and the number of those left out.

        Left out are people who refused the use as a whole, on any of their accounts, and people who were erased: nobody
        is asked twice. Nothing is recorded, and nobody gets a seat by it.
        """
        with self.lock:
            present = self.present()
            ids = list(dict.fromkeys(people))
            told = [each for each in ids if not self._answered(present, each, purpose)]
        return told, len(ids) - len(told)

    def _answered(self, present: Known, person: str, purpose: Purpose) -> bool:
        index, key = self.parts.pseudonyms.lookup()
        ordinal = index.lookup_one(*words(key, person))
        seat = NOBODY if ordinal == MISSING else ordinal + 1
        named = self.parts.pseudonyms.person(person)
        accounts = dict.fromkeys((named, *self.accounts(present, seat)))
        state = present.state
        if any(state.is_erased(each) for each in accounts):
            return True
        # Whole accounts only: who refused pictures can still be told about posts.
        said = (each.choice for account in accounts for each in state.statements_of(account))
        whole = [each for each in said if each.key.category is None and each.key.item is None]
        return standing(whole, purpose=purpose, category=Category.POST).state is ChoiceState.REFUSED

    def bind_assessment(self, kind: AssessmentKind, document: bytes, *, policy: str, by: Handle) -> Assessment:
        """Bind a document to what the policy set in force under a name says.

        Raises:
            NotFoundError: no such policy set is in force.
            InputError: an empty document.
        """
        if not document:
            raise InputError("assessment-empty", "the assessment is an empty document", help="give the document itself")
        require_handle(by)
        found, _ = self.policy(policy)
        body = AssessmentBound(
            assessment=kind,
            document=self.parts.objects.put(document),
            policy=policy,
            policy_set=found.digest,
            by=by,
        )
        (position,) = self.parts.ledger.append([body])
        return next(each for each in self.present().record.assessments if each.position == position)

    def assessments(self) -> list[Assessment]:
        """Return all assessments, oldest first."""
        return list(self.present().record.assessments)

    def unassessed(self, policy: PolicySet) -> tuple[str, ...]:
        """Return the permits of a set that claim legitimate interests without a bound assessment."""
        return self.present().record.assessments.missing(policy)


def require_notice_name(notice: str) -> None:
    """Refuse a name that no policy can ask for.

    Raises:
        ChoiceError: it is none.
    """
    if not IDENTIFIER.fullmatch(notice):
        raise ChoiceError(
            "choice-notice-name",
            f"`{notice}` is no name of a notice",
            help="use the `id` that a policy gives it: lower-case letters, digits and single hyphens",
        )
