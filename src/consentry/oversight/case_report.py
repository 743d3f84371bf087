"""A report on a case for an authority: what was said of it in the events [0, P), and nothing else.

The same position gives the same bytes, whoever asks and whenever: no clock is read, and no count depends on what people
erased since. So nothing is said about single people, neither who they are nor how many refused by name: what refusals
kept out is counted in items, row by row of each release (`control_plane/scope_counts.py`). Staff are not named.

What no ledger says is not guessed. Which form for objections was served is not known. Nobody could approve lifting
while it took too many steps, so for how far the case is, a condition about it counts as open until somebody did. How
many people a notice did not reach is not counted. Neither is listed as in the way: that is said apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from consentry.ledger.case_events import Step
from consentry.oversight.case import APPROVALS, Answers, Case, Report, standing, what_stands_in_the_way
from consentry.oversight.case_register import register
from consentry.oversight.condition_check import ABOUT_THE_FORM, Answer
from consentry.oversight.drained_words import drained_in_words
from consentry.oversight.notice import Notice, Version
from consentry.oversight.order import Order, in_words
from consentry.oversight.overseen import Overseen
from consentry.policy.choice import SECONDS_PER_DAY, Seconds

FORMAT = "consentry/case-report/v5"
FOURTH_FORMAT = "consentry/case-report/v4"
"""Called a case that was narrowed one that is under review, or one whose conditions are met."""
THIRD_FORMAT = "consentry/case-report/v3"
"""Listed whatever was served of a notice, ever, without saying which of it the case waits for."""
SECOND_FORMAT = "consentry/case-report/v2"
"""Named who gave evidence and approvals, took the form for objections to be the one of the version that made it, and
called a case approved that was waiting. Counted leases, and called them jobs."""
FIRST_FORMAT = "consentry/case-report/v1"
"""Counted by the counts of a release, too, which know no dates of creation: a window counted as all of them."""

_FORM_UNKNOWN = "not known at that position: the ledger does not say which form was served"


def document(
    overseen: Overseen,
    case: Case,
    *,
    report: Report,
    position: int,
    at: Seconds,
    answers: Answers,
    releases: Sequence[dict[str, Any]],
    personal_events: int,
) -> dict[str, Any]:
    """Return a report as plain values, for canonical JSON.

    Args:
        overseen: what oversight knew at `position`.
        case: the case at that position.
        report: the report that is owed.
        position: the events [0, `position`) are reported.
        at: when the last of them was recorded; days are counted to then.
        answers: what the checks of conditions say of the policy sets in force at that position; of those that look at
            the form for objections, whatever: it is not looked at.
        releases: the releases sealed before it that were about what the case suspends, with their counts.
        personal_events: how many choices, links and erasures there were.
    """
    over, unknown = case.over, _about_the_form(case)
    return {
        "format": FORMAT,
        "report": {"report": report.report, "title": report.title, "due": report.due},
        "position": position,
        "as_of": at,
        "case": _case_json(case, at, answers=_assuming(answers, unknown, met=bool(case.approved_by(Step.LIFT)))),
        "orders": [order_json(each) for each in overseen.orders.of(case.case)],
        "conditions": conditions_json(case, answers, unknown=unknown),
        "approvals": {"needed": APPROVALS, "people": len(over.by if over is not None else case.approved_by(Step.LIFT))},
        "notices": notices_json(case, overseen),
        "releases": list(releases),
        "personal_events": personal_events,
        "in_the_way": _in_the_way(case, at, answers=_assuming(answers, unknown, met=True)) if over is None else [],
        "not_known": list(_not_known(case, unknown)) if over is None else [],
    }


def _case_json(case: Case, at: Seconds, *, answers: Answers) -> dict[str, Any]:
    over = case.over
    return {
        "case": case.case,
        "title": case.title,
        "reference": case.reference,
        "opened": {"position": case.position, "at": case.at},
        "standing": str(standing(case, at, answers=answers, not_reached={})),
        "narrowed": case.narrowed,
        "ended": None
        if over is None
        else {"how": str(over.how), "reference": over.reference, "position": over.position, "at": over.at},
    }


def _in_the_way(case: Case, at: Seconds, *, answers: Answers) -> list[str]:
    missing = what_stands_in_the_way(case, at, answers=answers, not_reached={})
    return [each.unnamed or each.text for each in missing]


def _assuming(answers: Answers, unknown: Collection[str], *, met: bool) -> Answers:
    """Return the answers as if the conditions of which nobody knows were met, or were not."""
    return {**answers, **dict.fromkeys(unknown, Answer(met=met, found=_FORM_UNKNOWN))}


def _about_the_form(case: Case) -> frozenset[str]:
    """Return the conditions whose check looks at the form for objections."""
    return frozenset(each.condition for each in case.conditions.values() if each.check in ABOUT_THE_FORM)


def _not_known(case: Case, unknown: frozenset[str]) -> Iterator[str]:
    for each in case.conditions.values():
        if each.condition in unknown:
            yield f"whether condition `{each.condition}` ({each.title}) is met: {_FORM_UNKNOWN}"
    for notice in (each for each in case.notices if each in case.served):
        yield f"how many people notice `{notice}` did not reach whose content would be used again: it is not counted"


def order_json(order: Order) -> dict[str, Any]:
    """Return an order as plain values, without who put it in force."""
    drained, ended = order.drained, order.ended
    return {
        "order": order.order,
        "scope": order.scope.to_json(),
        "in_words": in_words(order.scope),
        "origin": str(order.origin),
        "reference": order.reference,
        "issued": {"position": order.position, "at": order.at},
        "drained": None
        if drained is None
        else {
            "position": drained.position,
            "after_ms": drained.took_ms,
            "leases": drained.leases,
        },
        "ended": None if ended is None else {"how": str(ended.how), "position": ended.position, "at": ended.at},
    }


def conditions_json(case: Case, answers: Answers, *, unknown: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the register of a case as plain values, naming nobody; of one that is over as it was at the end.

    Of those that are `unknown` nobody can tell whether they are met; what was found when the case was lifted is known.
    """
    at_the_end = {each.split(": ", 1)[0] for each in case.over.found} if case.over is not None else set()
    found: list[dict[str, Any]] = []
    for each in register(case, answers):
        condition = each.condition
        untold = condition.condition in unknown and condition.condition not in at_the_end
        said = _FORM_UNKNOWN if untold else each.found
        found.append(
            {
                "condition": condition.condition,
                "title": condition.title,
                "due": condition.due,
                "check": condition.check,
                "parameters": list(condition.parameters),
                "evidence": each.evidence,
                "met": None if untold else each.met,
                "found": said if each.evidence is None else f"evidence {each.evidence}",
            }
        )
    return found


def notices_json(case: Case, overseen: Overseen) -> list[dict[str, Any]]:
    """Return the notices that a case requires, with the ends of the times to object, as plain values.

    `waiting_ends` is until when the case waits after a serving; None of one that does not count for it: what was served
    before lifting or narrowing was approved tells nobody what was approved.
    """
    known = {name: overseen.notices.get(name) or Notice(notice=name) for name in case.notices}
    return [notice_json(each, days=case.notices[name], counting=case.counting) for name, each in known.items()]


def notice_json(known: Notice, *, days: int, counting: Mapping[int, Seconds]) -> dict[str, Any]:
    """Return a notice that is waited for so many days; `counting` are the servings that its case waits after."""
    waits = days * SECONDS_PER_DAY
    return {
        "notice": known.notice,
        "days": days,
        "versions": [
            {
                "version": each.number,
                "text": each.body.document,
                "languages": list(each.body.languages),
                # Only where there are several: reports on what was said before stay what they were.
                **({"texts": _texts(each)} if len(each.texts) > 1 else {}),
                "channel": each.body.channel,
                "audience": each.body.audience,
                "position": each.position,
            }
            for each in known.versions
        ],
        "servings": [
            {
                "version": each.version,
                "people": each.people,
                "served": each.at,
                "window_ends": each.at + waits,
                "waiting_ends": counting[each.position] + waits if each.position in counting else None,
                "position": each.position,
            }
            for each in known.servings
        ],
    }


def _texts(version: Version) -> list[dict[str, Any]]:
    return [{"languages": list(each.languages), "text": each.document} for each in version.texts]


def markdown(body: dict[str, Any]) -> str:
    """Return a report as text for people."""
    return "\n".join([*_head(body), *_orders(body), *_register(body), *_told(body), *_sealed(body)])


def _head(body: dict[str, Any]) -> Iterator[str]:
    case, report = body["case"], body["report"]
    yield f"# {report['title']}"
    yield ""
    yield f"Case `{case['case']}`: {case['title']} ({case['reference']})."
    yield f"Report `{report['report']}`, due {_day(report['due'])}."
    yield f"It covers the ledger events [0, {body['position']:,}), the last of them of {_moment(body['as_of'])}."
    yield ""
    ended = case["ended"]
    how = case["standing"].replace("-", " ")
    yield f"**The case is: {how}.**" + (f" {ended['reference']}, {_moment(ended['at'])}." if ended else "")
    yield from (f"- {each}" for each in body["in_the_way"])
    yield ""
    if unknown := body.get("not_known"):
        yield "Not known at that position:"
        yield ""
        yield from (f"- {each}" for each in unknown)
        yield ""


def _orders(body: dict[str, Any]) -> Iterator[str]:
    yield "## Suspensions"
    yield ""
    # What was delivered in an earlier form is read as it was.
    count, called, last = (
        ("jobs", "job", "last job stopped")
        if body["format"] in (FIRST_FORMAT, SECOND_FORMAT)
        else ("leases", "lease", "last lease over")
    )
    yield f"| order | scope | in force from | {last} | ended |"
    yield "|---|---|---|---|---|"
    for each in body["orders"]:
        ended = each["ended"]
        drained = each["drained"] or {"after_ms": None, count: None}
        stopped = drained_in_words(after_ms=drained["after_ms"], leases=drained[count], called=called)
        how = "in force" if ended is None else f"{ended['how']}, {_moment(ended['at'])}"
        issued = f"{_moment(each['issued']['at'])}, position {each['issued']['position']}"
        yield f"| {each['order']} | {each['in_words']} | {issued} | {stopped} | {how} |"
    yield ""


def _register(body: dict[str, Any]) -> Iterator[str]:
    yield "## Conditions"
    yield ""
    yield "| condition | state | what was found |"
    yield "|---|---|---|"
    for each in body["conditions"]:
        title, found = (each[key].replace("|", "\\|") for key in ("title", "found"))
        yield f"| {title} | {_STATES[each['met']]} | {found} |"
    yield ""
    approvals = body["approvals"]
    yield f"Approved by {_count(approvals['people'], 'person', several='people')}; lifting takes {approvals['needed']}."
    yield ""


def _told(body: dict[str, Any]) -> Iterator[str]:
    yield "## Notices"
    yield ""
    yield "| notice | version | people | served | time to object ends |"
    yield "|---|---|---|---|---|"
    for each in body["notices"]:
        for serving in each["servings"]:
            ends, version = _waits_until(serving), serving["version"] or "unwritten"
            yield f"| {each['notice']} | {version} | {serving['people']:,} | {_moment(serving['served'])} | {ends} |"
        if not any(serving.get("waiting_ends", serving["window_ends"]) for serving in each["servings"]):
            when = "not for this case yet" if each["servings"] else "not yet"
            yield f"| {each['notice']} | - | 0 | {when} | {_count(each['days'], 'day')} after |"
    yield ""


def _waits_until(serving: dict[str, Any]) -> str:
    """Return when the time to object ends; in earlier forms of a report that is not said for the case."""
    ends = serving.get("waiting_ends", serving["window_ends"])
    return "does not count for this case" if ends is None else _moment(ends)


def _sealed(body: dict[str, Any]) -> Iterator[str]:
    yield "## Releases, counted in the scope of the case"
    yield ""
    if not body["releases"]:
        yield "None was sealed."
        yield ""
        yield f"Choices, links between accounts and erasures recorded until then: {body['personal_events']:,}."
        yield ""
        return
    columns = {key: title for key, title in _COUNTED.items() if all(key in each for each in body["releases"])}
    yield f"| release | sealed at | {' | '.join(columns.values())} | state |"
    yield f"|{'---|' * (len(columns) + 3)}"
    for each in body["releases"]:
        counts = [f"{each[key]:,}" for key in columns]
        state = "withdrawn" if each["withdrawn"] else "sealed"
        yield f"| {each['release']} | {each['position']} | {' | '.join(counts)} | {state} |"
    yield ""
    if body["format"] == FIRST_FORMAT:
        yield "In this form of the report a window of creation counts as all dates, and what left a release as used."
        yield ""
    if missing := sum(each.get("uncounted", 0) for each in body["releases"]):
        yield f"Not counted: {_count(missing, 'item')} of files that were registered anew since."
        yield ""
    yield f"Choices, links between accounts and erasures recorded until then: {body['personal_events']:,}."
    yield ""


_STATES = {True: "met", False: "open", None: "not known"}
_COUNTED = {
    "items": "items in scope",
    "eligible": "used",
    "left": "withdrawn since",
    "refused": "kept out by a refusal",
    "suspended": "by an order",
}


def _moment(at: Seconds) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _day(at: Seconds) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _count(number: int, one: str, *, several: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
