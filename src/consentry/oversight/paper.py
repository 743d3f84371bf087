"""Papers of a case: the documents that were given in it, each known by the position of the event that names it.

The ledger has their digests, the object store has them. They hold no personal data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from consentry.digests import Digest
from consentry.errors import NotFoundError
from consentry.ledger.case_events import ConditionMet, ReportDelivered
from consentry.ledger.statement_events import StatementFiled
from consentry.oversight.case import Case
from consentry.oversight.notice import Notices, Version
from consentry.policy.choice import Seconds


class PaperKind(StrEnum):
    """What a paper is."""

    EVIDENCE = "evidence"
    """What shows that a condition is met."""
    STATEMENT = "statement"
    """What an authority filed, with its signature if it signed."""
    NOTICE = "notice"
    """The text of a notice that the case requires, in one of its versions."""
    REPORT = "report"
    """A report that was delivered to an authority."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A document of a case.

    Attributes:
        name: what people call it.
        document: the digest by which it is kept.
        position: of the event that names it.
        at: when that was recorded.
        part: which of the texts that the event names: a notice has one for each language.
    """

    kind: PaperKind
    name: str
    document: Digest
    position: int
    at: Seconds
    part: int = 0


_NAMED_BY = {
    ConditionMet.KIND: (PaperKind.EVIDENCE, "evidence"),
    StatementFiled.KIND: (PaperKind.STATEMENT, "document"),
    ReportDelivered.KIND: (PaperKind.REPORT, "document"),
}
"""Which field of an event names a paper."""


def papers_of(case: Case, timeline: Iterable[Mapping[str, Any]], *, notices: Notices) -> list[Paper]:
    """Return the papers of a case, oldest first; `timeline` is what was said of it: position, at, kind and body."""
    found = [_paper(case, each) for each in timeline if each["kind"] in _NAMED_BY]
    for name in (*case.notices, *sorted(case.dropped)):
        known = notices.get(name)
        found += [paper for version in (() if known is None else known.versions) for paper in _texts(name, version)]
    return sorted(found, key=lambda each: (each.position, each.part))


def _texts(name: str, version: Version) -> list[Paper]:
    texts = version.texts
    return [
        Paper(
            kind=PaperKind.NOTICE,
            name=f"{name}, version {version.number}" + (f", {', '.join(text.languages)}" if len(texts) > 1 else ""),
            document=text.document,
            position=version.position,
            at=version.at,
            part=part,
        )
        for part, text in enumerate(texts)
    ]


def the_one(papers: Iterable[Paper], position: int, *, part: int) -> Paper:
    """Return the document that an event names.

    Raises:
        NotFoundError: it names none of these, or not so many.
    """
    found = next((each for each in papers if (each.position, each.part) == (position, part)), None)
    if found is None:
        raise no_such_paper()
    return found


def no_such_paper() -> NotFoundError:
    """Return the error for a position at which no document of a case is named, or none that somebody may read."""
    return NotFoundError(
        "case-paper-unknown", "no such paper was given in this case", help="the page of the case has those there are"
    )


def _paper(case: Case, event: Mapping[str, Any]) -> Paper:
    kind, field = _NAMED_BY[event["kind"]]
    return Paper(
        kind=kind,
        name=_name(case, kind, event["body"]),
        document=event["body"][field],
        position=event["position"],
        at=event["at"],
    )


def _name(case: Case, kind: PaperKind, body: Mapping[str, Any]) -> str:
    if kind is PaperKind.EVIDENCE:
        condition = case.conditions.get(body["condition"])
        return body["condition"] if condition is None else condition.title
    if kind is PaperKind.REPORT:
        report = case.reports.get(body["report"])
        return body["report"] if report is None else report.title
    return f"{body['says'].replace('-', ' ')}: {body['reference']}"
