"""What people are told: the texts of notices, in their versions, and to whom they were served.

Texts are documents in the object store; the ledger names them by digest. They hold no personal data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from consentry.control_plane.desk import Desk
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import require_handle, require_texts
from consentry.corpus.people import MISSING
from consentry.corpus.pseudonym import words
from consentry.errors import ChoiceError, NotFoundError, names_there_are
from consentry.ledger.case_events import Handle, NoticeWritten
from consentry.ledger.events import NoticeServed, Pseudonym
from consentry.ledger.state import State
from consentry.oversight.language import canonical
from consentry.oversight.notice import Notice, Text, Version
from consentry.policy.choice import Seconds, as_date, refused_as_a_whole
from consentry.policy.policy_parser import IDENTIFIER
from consentry.policy.vocabulary import Purpose
from consentry.progress import Progress, watched

_NO_OTHERS: Mapping[str, bytes] = MappingProxyType({})


class NoticeVerbs:
    """Verbs about notices."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def write(
        self,
        notice: str,
        text: bytes,
        *,
        languages: Sequence[str],
        channel: str,
        audience: str,
        by: Handle | None = None,
        others: Mapping[str, bytes] = _NO_OTHERS,
    ) -> Version:
        """Store the text of a notice as its next version.

        `text` is in all of `languages`, and is shown where there is none in somebody's own; `others` say the same in
        further languages, by their codes. Whoever writes `EN` or `en_GB` means `en` and `en-GB`, and that is kept.

        Raises:
            ChoiceError: no policy can ask for a notice of this name, there is no text, two for one language, or one for
                a language that nobody knows.
        """
        require_notice_name(notice)
        if not all(each.strip() for each in (text, *others.values())):
            raise ChoiceError("notice-empty", f"the text of notice `{notice}` is empty", help="give what people read")
        every = tuple(map(_language, (*languages, *others)))
        require_texts(channel=channel, audience=audience, language=", ".join(every))
        if again := next((each for each in every if every.count(each) > 1), None):
            raise _twice(notice, again)
        if by is not None:
            require_handle(by)
        put = self.desk.parts.objects.put
        body = NoticeWritten(
            notice=notice,
            languages=every,
            documents=(*[put(text)] * len(languages), *map(put, others.values())),
            channel=channel,
            audience=audience,
            by=by,
        )
        (position,) = self.desk.parts.ledger.append([body])
        with once_recorded():
            return next(each for each in self.get(notice).versions if each.position == position)

    def every(self) -> list[Notice]:
        """Return all notices that were written or served."""
        return list(self.desk.present().overseen.notices)

    def get(self, name: str) -> Notice:
        """Return a notice.

        Raises:
            NotFoundError: it was neither written nor served.
        """
        known = {each.notice: each for each in self.every()}
        if name not in known:
            raise NotFoundError(
                "notice-unknown",
                f"no notice `{name}` was written or served",
                help=names_there_are(known, "notices", otherwise="write one: consentry notice write"),
            )
        return known[name]

    def text(self, version: Version, *, language: str | None = None) -> bytes:
        """Return the text of a version of a notice: the one for a language, or the one that was written first."""
        document = version.body.document if language is None else version.text_for(language).document
        return self.desk.parts.objects.get(document)

    def texts(self, version: Version) -> list[tuple[Text, bytes]]:
        """Return every text of a version of a notice."""
        return [(each, self.desk.parts.objects.get(each.document)) for each in version.texts]

    def serve(self, notice: str, people: Sequence[Pseudonym], *, at: Seconds) -> int:
        """Record that people were told something. Return the position.

        Where the clock is behind the latest that was recorded, they were told as much later as it is behind.

        Raises:
            ChoiceError: no policy can ask for a notice of this name, so nothing would ever come of it; or nobody can
                have been told yet, or so early, or nobody was.
        """
        require_notice_name(notice)
        now = self.desk.parts.clock()
        if at > now:
            raise ChoiceError(
                "notice-time-to-come",
                f"notice `{notice}` is said to be served at `{as_date(at)}`, which has not come",
                help="record it once it was served; a date is the end of its day in UTC",
            )
        if not people:
            raise ChoiceError(
                "notice-nobody", f"notice `{notice}` was served to nobody", help="name the people who were told"
            )
        present = self.desk.present()
        behind = max(0, present.state.latest - now)
        known = present.overseen.notices.get(notice) or Notice(notice=notice)
        if not known.can_be_told(at + behind, now=now + behind):
            raise _too_early(known, at)
        cohort = self.desk.parts.people.store_cohort(people)
        body = NoticeServed(notice=notice, at=at + behind, cohort=cohort, count=len(people))
        return self.desk.parts.ledger.append([body])[0]

    def audience(
        self, people: Iterable[str], *, purpose: Purpose, progress: Progress | None = None
    ) -> tuple[list[str], int]:
        """Return those ids whose person can still be told about a use, and the number of those left out.

        Left out are people who refused the use as a whole, on any of their accounts, and people who were erased: nobody
        is asked twice. Who refused a part of it, some kinds of items or one use of several, is told about the rest.
        Nothing is recorded, and nobody gets a seat by it.
        """
        with self.desk.lock:
            present = self.desk.present()
            # Neither changes any more: there may be millions of ids, and everybody else would wait for the lock.
            state, groups = present.state, present.groups
        ids = list(dict.fromkeys(people))
        asked = watched(ids, progress, what="looking at people", total=len(ids), unit="people")
        told = [each for each in asked if not self._answered(each, purpose, state=state, groups=groups)]
        return told, len(ids) - len(told)

    def had_refused(
        self, people: Iterable[str], *, purpose: Purpose, until: Seconds, progress: Progress | None = None
    ) -> int:
        """Count those ids that `audience` would have left out at a time: who refused until then, and who was erased."""
        with self.desk.lock:
            present = self.desk.present()
            state, groups = present.state, present.groups
        ids = list(dict.fromkeys(people))
        asked = watched(ids, progress, what="looking for who had refused", total=len(ids), unit="people")
        return sum(self._answered(each, purpose, state=state, groups=groups, until=until) for each in asked)

    def _answered(
        self,
        person: str,
        purpose: Purpose,
        *,
        state: State,
        groups: Mapping[int, tuple[int, ...]],
        until: Seconds | None = None,
    ) -> bool:
        index, key = self.desk.parts.pseudonyms.lookup()
        ordinal = index.lookup_one(*words(key, person))
        seats = () if ordinal == MISSING else groups.get(ordinal + 1, (ordinal + 1,))
        named = self.desk.parts.pseudonyms.person(person)
        accounts = dict.fromkeys((named, *self.desk.parts.people.pseudonyms_of(seats)))
        if any(state.is_erased(each) for each in accounts):
            return True
        every = (each.choice for account in accounts for each in state.statements_of(account))
        said = (each for each in every if until is None or each.at <= until)
        return refused_as_a_whole(said, purpose)


def by_language(notice: str, texts: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Return the texts of a notice by their languages, each written in the one way.

    Raises:
        ChoiceError: two are in one, or one is in a language that nobody knows.
    """
    found: dict[str, bytes] = {}
    for given, text in texts:
        language = _language(given)
        if language in found:
            raise _twice(notice, language)
        found[language] = text
    return found


def _too_early(notice: Notice, at: Seconds) -> ChoiceError:
    newest = notice.newest
    since = "nobody wrote its text here" if newest is None else f"its text was written at `{newest.at}`"
    return ChoiceError(
        "notice-before-text",
        f"notice `{notice.notice}` is said to be served at `{at}`, but {since}",
        help="its days count from when its text stood here: write the text, and record who is told from then on",
    )


def _twice(notice: str, language: str) -> ChoiceError:
    """Return the error for two texts of a notice in one language."""
    return ChoiceError(
        "notice-language-twice",
        f"notice `{notice}` has two texts in `{language}`",
        help="give one text for each language; `EN` and `en` are one, and so are `en_GB` and `en-GB`",
    )


def _language(tag: str) -> str:
    """Return the tag of a language in the way it is kept.

    Raises:
        ChoiceError: it names none that is known.
    """
    known = canonical(tag)
    if known is None:
        raise ChoiceError(
            "notice-language-unknown",
            f"`{tag}` is no language that is known",
            help="give a tag of BCP 47: `en`, `cy`, or with a region `en-GB`",
        )
    return known


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
