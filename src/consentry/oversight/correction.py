"""Requirements of a case that were written down by mistake: what may be corrected or taken back, and by how many.

Rules:

* Fewer days to wait after a notice, a notice that is not required, a condition that is not set: each makes a case
  easier to lift, so each takes a reason, which is kept. More days are only required again.
* While nobody approved lifting the case, one person may: whoever approves later approves what is left. As soon as
  somebody did, even if that counts no more, it takes two different people who say the very same.
* What a binding order demands stands in a letter, not in the ledger. So while such an order is in force, nothing that
  it may demand gets weaker: no days become fewer, no condition is taken back, and a notice only if it has no text, so
  that nobody can have meant it, and another one that is required waits for as many days.
* An order is binding if a court, a regulator or the authority itself made it. That of an authority is none any more
  once the authority signed that it may be lifted.
"""

from __future__ import annotations

from collections.abc import Iterable

from consentry.errors import InputError, NotFoundError, StateError, names_there_are
from consentry.ledger.case_events import Step
from consentry.ledger.oversight_events import Origin
from consentry.oversight.case import Case
from consentry.oversight.order import Order

MOST_DAYS = 366
"""The most days that a case can wait after a notice. Who was told more than a year ago does not know it any more."""
_BINDING = frozenset({Origin.COURT_UNDERTAKING, Origin.BINDING_ORDER, Origin.AUTHORITY})


def takes_two(case: Case) -> bool:
    """Say whether two different people have to say the same: whether anybody ever approved lifting the case."""
    return any(each.step is Step.LIFT for each in case.approvals)


def binding(case: Case, orders: Iterable[Order]) -> tuple[str, ...]:
    """Return the binding orders of a case that are in force; `orders` are all of the case."""
    unsigned = case.unsigned()
    return tuple(
        each.order
        for each in orders
        if each.order in case.orders
        and each.origin in _BINDING
        and (each.origin is not Origin.AUTHORITY or each.order in unsigned)
    )


def require_days(days: int) -> None:
    """Refuse days that no case waits for.

    Raises:
        InputError: there are less than none, or too many.
    """
    if not 0 <= days <= MOST_DAYS:
        raise InputError(
            "case-notice-days",
            f"no case waits {days} days after a notice",
            help=f"give 0 to {MOST_DAYS}: whoever was told more than a year ago has to be told again; a use that is "
            "not to come back at all is prohibited",
        )


def require_notice_correctable(
    case: Case, notice: str, *, days: int | None, has_text: bool, orders: Iterable[Order]
) -> None:
    """Refuse to correct how a case waits for a notice: to fewer `days`, or None: not at all.

    Raises:
        NotFoundError: the case requires no such notice.
        InputError: the days are not fewer.
        StateError: a binding order may demand it.
    """
    required = case.notices.get(notice)
    if required is None:
        raise NotFoundError(
            "case-notice-unknown",
            f"case `{case.case}` does not require notice `{notice}`",
            help=names_there_are(case.notices, "it requires", otherwise="none is required yet"),
        )
    if days is not None and not 0 <= days < required:
        raise InputError(
            "case-notice-not-fewer",
            f"`{days}` days are not fewer than the {required} that are required",
            help="give a smaller number, or take the notice back; to ask for more days, require the notice again",
        )
    mistyped = (
        days is None
        and not has_text
        and any(others >= required for name, others in case.notices.items() if name != notice)
    )
    if not mistyped:
        _require_nothing_binding(case, f"notice `{notice}`", orders=orders)


def require_condition_correctable(case: Case, condition: str, *, orders: Iterable[Order]) -> None:
    """Refuse to take a condition of a case back.

    Raises:
        NotFoundError: there is none of this name.
        StateError: a binding order may demand it.
    """
    if condition not in case.conditions:
        raise NotFoundError(
            "case-condition-unknown",
            f"case `{case.case}` has no condition `{condition}`",
            help=names_there_are(case.conditions, "conditions", otherwise="none is set"),
        )
    _require_nothing_binding(case, f"condition `{condition}`", orders=orders)


def _require_nothing_binding(case: Case, what: str, *, orders: Iterable[Order]) -> None:
    for order in binding(case, orders):
        raise StateError(
            "case-binding",
            f"order `{order}` is binding and may demand {what}",
            help="what it demands is not in the ledger, so nothing gets less while it is in force; a notice that was "
            "mistyped and has no text can go once the right one is required with as many days",
        )
