"""All cases, folded from events. What the events mean for a case is said in `consentry.oversight.case`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from consentry.ledger.case_events import (
    ApprovalGiven,
    AssessmentBound,
    CaseBody,
    CaseEnded,
    CaseNarrowed,
    CaseOpened,
    ConditionAdded,
    ConditionMet,
    ConditionReopened,
    ConditionReopenedV1,
    ConditionTakenBack,
    NoticeCorrected,
    NoticeRequired,
    NoticeWritten,
    NoticeWrittenV1,
    ReportDelivered,
    ReportScheduled,
    ReviewBegun,
    Step,
)
from consentry.ledger.envelope import Event
from consentry.ledger.events import NoticeServed
from consentry.ledger.oversight_events import OrderEnd, OrderEnded, OrderIssued, Origin
from consentry.ledger.statement_events import Says, StatementFiled
from consentry.oversight.case import Approval, Case, Condition, Met, Over, Report, Statement
from consentry.policy.choice import Seconds


class Cases:
    """All cases, folded from events."""

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}
        self._approved: dict[str, None] = {}
        """Those in which somebody approved something and that are not over: what is served concerns no others."""
        self._requiring: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """By notice, those that require it, or did once."""

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases.values())

    def get(self, case: str) -> Case | None:
        """Return a case."""
        return self._cases.get(case)

    def take(self, event: Event) -> None:
        """Take one event in, if it is about a case."""
        body = event.body
        if isinstance(body, NoticeServed):
            for case in [self._cases[each] for each in self._approved]:
                self._keep(_told_of_narrowings(body, _told(body, case, event), event))
            return
        if isinstance(body, StatementFiled):
            if (of := self._cases.get(body.case)) is not None:
                self._keep(_stated(of, body, event))
            return
        if isinstance(body, NoticeWritten | NoticeWrittenV1):
            for case in [self._cases[each] for each in self._requiring[body.notice]]:
                if case.over is None and body.notice in case.notices:
                    self._keep(_altered(case, event))
            return
        if not isinstance(body, CaseBody | OrderIssued | OrderEnded) or isinstance(body, AssessmentBound):
            return
        found = self._cases.get(body.case)
        if found is None and isinstance(body, CaseOpened | OrderIssued):
            found = _opened(body, event)
        if found is not None and (found.over is None or isinstance(body, ReportScheduled | ReportDelivered)):
            found = _after(found, body, event)
        if found is not None:
            self._keep(found)

    def _keep(self, case: Case) -> None:
        self._cases[case.case] = case
        if case.over is None and case.approvals:
            self._approved[case.case] = None
        else:
            self._approved.pop(case.case, None)
        for notice in case.notices:
            self._requiring[notice][case.case] = None


def _opened(body: CaseOpened | OrderIssued, event: Event) -> Case:
    return Case(
        case=body.case,
        title=body.title if isinstance(body, CaseOpened) else body.reference,
        reference=body.reference,
        by=body.by if isinstance(body, CaseOpened) else None,
        position=event.position,
        at=event.recorded_at,
        changed=event.position,
    )


def _after(case: Case, body: CaseBody | OrderIssued | OrderEnded, event: Event) -> Case:
    if isinstance(body, ReportScheduled | ReportDelivered):
        return _reported(case, body, event)
    changed = _changed(case, body, event)
    if changed is not None:
        if isinstance(body, OrderEnded) and body.how is not OrderEnd.NARROWED:
            # The case ends with it, in the same append: what people were told stays on record.
            return replace(changed, changed=event.position)
        return _altered(changed, event)
    if isinstance(body, ApprovalGiven):
        given = Approval(by=body.by, step=body.step, about=body.about, position=event.position, at=event.recorded_at)
        return replace(case, approvals=(*case.approvals, given))
    if isinstance(body, CaseNarrowed):
        # In the same append the smaller order was issued and the others ended: that is the last change.
        return replace(case, narrowed=case.narrowed + 1, last_narrowed=case.changed)
    if isinstance(body, CaseEnded):
        over = Over(
            how=body.how,
            reference=body.reference,
            found=body.found,
            by=body.by,
            position=event.position,
            at=event.recorded_at,
        )
        return replace(case, over=over)
    return case


def _stated(case: Case, body: StatementFiled, event: Event) -> Case:
    """Return a case with what an authority filed. Whoever approved lifting before a concern did not know of it."""
    filed = Statement(body=body, position=event.position, at=event.recorded_at)
    stated = replace(case, statements=(*case.statements, filed))
    return _altered(stated, event) if body.says is Says.CONCERN and case.over is None else stated


def _told(body: NoticeServed, case: Case, event: Event) -> Case:
    """Return a case with what was served on the lifting that two people agreed to."""
    # What was served before it was approved is not what was approved, whenever that is recorded.
    if not body.count or case.approval is None or body.at < case.approval.at:
        return case
    told = replace(case, served={**case.served, body.notice: _last(body, event, case.served)})
    return _counting(told, body, event)


def _told_of_narrowings(body: NoticeServed, case: Case, event: Event) -> Case:
    """Return a case with what was served on the narrowings of it that two people agreed to."""
    served, told = dict(case.served_on), case
    for about in {each.about for each in case.approvals if each.step is Step.NARROW and each.about is not None}:
        approval = case.approval_of(Step.NARROW, about)
        if body.count > 0 and approval is not None and body.at >= approval.at:
            before = served.get(about, {})
            served[about] = {**before, body.notice: _last(body, event, before)}
            told = _counting(case, body, event)
    return replace(told, served_on=served)


def _last(body: NoticeServed, event: Event, before: Mapping[str, Seconds]) -> Seconds:
    """Return when a notice was served last: the latest time, so that a clock that goes back makes nothing shorter."""
    return max(_since(body, event), before.get(body.notice, 0))


def _since(body: NoticeServed, event: Event) -> Seconds:
    """Return from when the days after a serving count: no date makes them fewer, nor does a clock that is behind."""
    return max(event.recorded_at, body.at)


def _counting(case: Case, body: NoticeServed, event: Event) -> Case:
    return replace(case, counting={**case.counting, event.position: _since(body, event)})


def _altered(case: Case, event: Event) -> Case:
    """Return a case that is another one than was approved, and than people were told of."""
    return replace(case, changed=event.position, served={}, served_on={}, counting={})


def _reported(case: Case, body: ReportScheduled | ReportDelivered, event: Event) -> Case:
    known = case.reports.get(body.report)
    if isinstance(body, ReportScheduled):
        found = known or Report(report=body.report, title=body.title, due=body.due)
    elif known is not None:
        found = replace(known, delivered=body, delivered_at=event.recorded_at, earlier=known.deliveries())
    else:
        return case
    return replace(case, reports={**case.reports, body.report: found})


def _changed(case: Case, body: CaseBody | OrderIssued | OrderEnded, event: Event) -> Case | None:
    """Return a case after a change; None if this is none."""
    if isinstance(body, OrderIssued):
        of_authority = case.of_authority | ({body.order} if body.origin is Origin.AUTHORITY else frozenset())
        return replace(case, orders=case.orders | {body.order}, of_authority=of_authority)
    if isinstance(body, OrderEnded):
        return replace(case, orders=case.orders - {body.order})
    if isinstance(body, ReviewBegun):
        return replace(case, review=event.recorded_at) if case.review is None else None
    if isinstance(body, NoticeRequired):
        days = max(body.days, case.notices.get(body.notice, 0))
        notices = {**case.notices, body.notice: days}
        return replace(case, notices=notices, dropped=case.dropped - {body.notice})
    if isinstance(body, NoticeCorrected):
        return _corrected(case, body)
    if isinstance(body, ConditionAdded):
        return None if body.condition in case.conditions else _with(case, _added(body))
    if isinstance(body, ConditionMet) and (found := case.conditions.get(body.condition)) is not None:
        return _with(case, replace(found, met=Met(evidence=body.evidence, by=body.by, at=event.recorded_at)))
    if isinstance(body, ConditionReopened | ConditionReopenedV1) and (found := case.conditions.get(body.condition)):
        return _with(case, replace(found, met=None))
    if isinstance(body, ConditionTakenBack) and body.condition in case.conditions:
        left = {name: each for name, each in case.conditions.items() if name != body.condition}
        return replace(case, conditions=left)
    return None


def _corrected(case: Case, body: NoticeCorrected) -> Case | None:
    if body.notice not in case.notices:
        return None
    if body.days is not None:
        return replace(case, notices={**case.notices, body.notice: body.days})
    left = {name: days for name, days in case.notices.items() if name != body.notice}
    return replace(case, notices=left, dropped=case.dropped | {body.notice})


def _with(case: Case, condition: Condition) -> Case:
    return replace(case, conditions={**case.conditions, condition.condition: condition})


def _added(body: ConditionAdded) -> Condition:
    return Condition(
        condition=body.condition,
        title=body.title,
        owner=body.owner,
        due=body.due,
        check=body.check,
        policy=body.policy,
        parameters=body.parameters,
    )
