"""Notices: what people are told, in which version, and to how many it was served.

Rules:

* A notice has a name; a policy waits for it by that name. What is written under it at once is the next version: a text,
  or the same in several languages.
* A language is written in one way, `en-GB`; what was kept before is read as if it had been (`language.py`).
* A serving is of the version that was newest when it was recorded. Serving a name that nobody wrote a text for is
  possible, because the text may be kept elsewhere; it is shown as unwritten.
* A version tells nobody anything before it is written: a serving is recorded with a time after that, or as it happens.
  Where the clock is behind what was recorded before, the time of a serving is as much later.
  Servings that were recorded with earlier times, before this was looked at, count as they were recorded.
* Whether somebody was told, and whether their days are over, is decided for each person by the evaluator, to the
  second. An earlier refusal stands whatever is served or published later: so who refused is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from consentry.digests import Digest
from consentry.ledger.case_events import NoticeWritten, NoticeWrittenV1
from consentry.ledger.envelope import Event
from consentry.ledger.events import NoticeServed
from consentry.oversight.language import as_written
from consentry.policy.choice import Seconds

AS_IT_HAPPENS: Seconds = 3_600
"""What is recorded within so many seconds is recorded as it happens: a list of millions takes a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of a notice, and the languages it is in."""

    languages: tuple[str, ...]
    document: Digest

    def is_in(self, language: str) -> bool:
        """Say whether somebody who reads a language can read it: `cy-GB` is `cy`."""
        return any(_main(each) == _main(language) for each in self.languages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a notice says: one text, or one for each of its languages."""

    number: int
    body: NoticeWritten | NoticeWrittenV1
    position: int
    at: Seconds

    @property
    def texts(self) -> tuple[Text, ...]:
        """The texts, in the order in which they were written."""
        languages: dict[Digest, tuple[str, ...]] = {}
        for language, document in zip(self.body.languages, self.body.documents, strict=True):
            languages[document] = (*languages.get(document, ()), language)
        return tuple(Text(languages=each, document=document) for document, each in languages.items())

    def text_for(self, language: str) -> Text:
        """Return the text for somebody who reads a language: the one that was written first, if none is in it.

        The nearest comes first: for `zh-Hant-HK` one in it, then in `zh-Hant`, then in `zh`, then in any `zh-…`.
        """
        texts = self.texts
        near = (each for tag in _wider(language) for each in texts if tag in map(_plain, each.languages))
        return next(chain(near, (each for each in texts if each.is_in(language)), texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """To how many people a notice was served at once, and in which version (0: nobody wrote one)."""

    version: int
    people: int
    at: Seconds
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice with its versions and servings, oldest first."""

    notice: str
    versions: tuple[Version, ...] = ()
    servings: tuple[Serving, ...] = field(default=())

    @property
    def newest(self) -> Version | None:
        """The version that is served now."""
        return self.versions[-1] if self.versions else None

    def can_be_told(self, at: Seconds, *, now: Seconds) -> bool:
        """Say whether people can have been told what it says now, at a time before now."""
        written = now if self.newest is None else self.newest.at
        return at >= min(written, now - AS_IT_HAPPENS)

    @property
    def people(self) -> int:
        """How many were served it; who was served it twice counts twice."""
        return sum(each.people for each in self.servings)


class Notices:
    """All notices, folded from events."""

    def __init__(self) -> None:
        self._notices: dict[str, Notice] = {}

    def __iter__(self) -> Iterator[Notice]:
        return iter(self._notices.values())

    def get(self, notice: str) -> Notice | None:
        """Return a notice."""
        return self._notices.get(notice)

    def take(self, event: Event) -> None:
        """Take one event in, if it is about notices."""
        body = event.body
        if not isinstance(body, NoticeWritten | NoticeWrittenV1 | NoticeServed):
            return
        known = self._notices.get(body.notice, Notice(notice=body.notice))
        if isinstance(body, NoticeWritten | NoticeWrittenV1):
            number = len(known.versions) + 1
            version = Version(number=number, body=body, position=event.position, at=event.recorded_at)
            known = replace(known, versions=(*known.versions, version))
        else:
            serving = Serving(version=len(known.versions), people=body.count, at=body.at, position=event.position)
            known = replace(known, servings=(*known.servings, serving))
        self._notices[body.notice] = known


def _plain(language: str) -> str:
    return as_written(language).lower()


def _wider(language: str) -> list[str]:
    """Return a language, and then without its region, its script and so on: `zh-hant-hk`, `zh-hant`, `zh`."""
    parts = _plain(language).split("-")
    return ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _main(language: str) -> str:
    """Return a language without its region or script."""
    return _plain(language).partition("-")[0]
