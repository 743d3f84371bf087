"""What to read before saying yes: the text of a notice, or what a policy set says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consentry.control_plane.own_settings import OwnUse
from consentry.control_plane.plane import ControlPlane
from consentry.oversight.language import as_written, canonical
from consentry.oversight.notice import Version
from consentry.policy.choice import Seconds
from consentry.policy.expressions import Rule
from consentry.service.languages import DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeShown:
    """What to read before saying yes: a notice, with the number of its newest version and its text.

    Where nobody wrote one it is what the policy set says of itself: `number` is 0, and `rules` are its version and
    digest. `languages` are those of the text; `fits` says whether the reader's is among them.
    """

    name: str
    number: int
    rules: str = ""
    at: Seconds | None
    paragraphs: Sequence[str]
    languages: tuple[str, ...]
    fits: bool

    @property
    def pin(self) -> str:
        """What a form sends back of it: it is another one if anything in the text has changed."""
        return f"{self.name}/{self.rules or self.number}"

    @property
    def read(self) -> str:
        """What is recorded of it. A policy set is told from a notice by its version: no name of a notice has a `/`."""
        return self.pin if self.rules else self.name

    @property
    def named(self) -> str:
        """How a receipt names the rules: the policy set and its version."""
        return f"{self.name}, {self.rules.partition('/')[0]}"

    @property
    def language(self) -> str:
        """The language of the text; empty if it is in several, or in one that nobody knows."""
        return (canonical(self.languages[0]) or "") if len(self.languages) == 1 else ""


def named_by(permits: Sequence[Rule]) -> list[str]:
    """Return the notices that rules wait for."""
    return [rule.notice.notice for rule in permits if rule.notice is not None]


def notice_for(control: ControlPlane, names: Sequence[str], *, language: str) -> NoticeShown | None:
    """Return the first of some notices that has a text, for somebody who reads a language; None if nobody wrote one."""
    known = {each.notice: each.newest for each in control.notices.every()}
    for name in names:
        version: Version | None = known.get(name)
        if version is not None:
            chosen = version.text_for(language)
            text = control.notices.text(version, language=language).decode("utf-8", "replace")
            parts = [part.strip() for part in text.replace("\r\n", "\n").split("\n\n")]
            return NoticeShown(
                name=name,
                number=version.number,
                at=version.at,
                paragraphs=[part for part in parts if part],
                languages=tuple(dict.fromkeys(map(as_written, chosen.languages))),
                fits=chosen.is_in(language),
            )
    return None


def own_description(use: OwnUse, *, language: str) -> NoticeShown | None:
    """Return what the policy set says of itself and of what it permits them; None if none decides.

    It is all in the reader's language, or all in English where a part was not written in it.
    """
    if use.policy is None:
        return None
    permits = use.stands.permits
    said = [use.policy.title_for(language), *(rule.why_for(language) for rule in permits)]
    if any(written != language for _, written in said):
        said = [use.policy.title_for(DEFAULT), *(rule.why_for(DEFAULT) for rule in permits)]
    texts, languages = zip(*said, strict=True)
    return NoticeShown(
        name=use.policy.name,
        number=0,
        rules=f"{use.policy.version}/{use.digest}",
        at=use.since,
        paragraphs=list(dict.fromkeys(each for each in texts if each)),
        languages=(languages[0],),
        fits=languages[0] == language,
    )
