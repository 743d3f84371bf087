"""The positions that are kept of a case lead to what a look at every event finds."""

from __future__ import annotations

from case_sayings import OPENED, ORDER, SERVED, WHOLE, ended
from hypothesis import given
from hypothesis import strategies as st

from consentry.ledger.case_events import CaseEnd, CaseOpened, NoticeCorrected, NoticeRequired
from consentry.ledger.events import Body, NoticeServed
from consentry.ledger.oversight_events import OrderDrained, OrderDrainedV1, OrderEnd, OrderEnded, Origin
from consentry.oversight.case import Case
from consentry.oversight.order import Scope, issue
from consentry.oversight.overseen import Overseen
from ledger.sayings import BODIES, consumed, event

ANOTHER = CaseOpened(case="d", title="another", reference="x", by=None)
SAID = st.one_of(
    st.sampled_from(
        [
            *WHOLE,
            ANOTHER,
            ORDER,
            issue(Scope(), order="d.1", case="d", origin=Origin.OWN_DECISION, reference="note", at_ms=1),
            OrderEnded(order="d.1", case="d", how=OrderEnd.WITHDRAWN),
            *(OrderDrainedV1(order=each, stopped=0, expired=0, released=0, took_ms=None) for each in ("c.1", "d.1")),
            OrderDrained(order="c.1", stopped=0, expired=0, released=0, failed=1, took_ms=None),
            NoticeServed(notice="m", at=1, cohort=SERVED.cohort, count=1),
            NoticeRequired(case="d", notice="m", days=1, by="ann"),
            NoticeCorrected(case="c", notice="n", days=None, reason="mistyped", by=("ann", "bob")),
            *map(ended, CaseEnd),
            consumed(1),
        ]
    ),
    BODIES,
)


def looked_for(bodies: list[Body], case: Case, record: Overseen) -> list[int]:
    """Return where something is said of a case, by a look at every event since it was opened."""
    orders = {each.order for each in record.orders.of(case.case)}
    found = []
    for position, body in enumerate(bodies):
        if isinstance(body, NoticeServed):
            belongs = body.notice in {*case.notices, *case.dropped}
        elif isinstance(body, OrderDrainedV1 | OrderDrained):
            belongs = body.order in orders
        else:
            belongs = getattr(body, "case", None) == case.case
        if belongs and position >= case.position:
            found.append(position)
    return found


@given(st.lists(SAID, max_size=25))
def test_a_timeline_by_positions_is_that_of_a_look_at_every_event(bodies: list[Body]) -> None:
    record = Overseen()
    record.advance([event(position, body) for position, body in enumerate(bodies)])
    for case in record.cases:
        assert record.timelines.of(case, record.orders.of(case.case)) == looked_for(bodies, case, record)


def test_what_was_served_before_it_was_required_belongs_to_it_and_what_is_of_before_the_case_does_not() -> None:
    bodies: list[Body] = [
        SERVED,
        OPENED,
        SERVED,
        NoticeRequired(case="c", notice="n", days=2, by="ann"),
        ANOTHER,
        SERVED,
    ]
    record = Overseen()
    record.advance([event(position, body) for position, body in enumerate(bodies)])
    case = record.cases.get("c")
    assert case is not None
    assert record.timelines.of(case, ()) == [1, 2, 3, 5]
