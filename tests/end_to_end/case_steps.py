"""Short ways to bring a case to a step, and to see what stands in its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from consentry.bootstrap import Deployment
from consentry.clock import now
from consentry.control_plane.agreement import Agreed
from consentry.errors import ConsentryError
from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import SECONDS_PER_DAY
from end_to_end.suspended_network import POLICY, UK

CASE = "ico-2024"
WITHOUT_UK = {"u1", "b1", "n1"}


def suspend(deployment: Deployment, scope: Scope = UK, *, case: str = CASE) -> str:
    order = deployment.control.orders.suspend(scope, case=case, origin=Origin.AUTHORITY_REQUEST, reference="letter")
    return order.order


def condition(name: str, *parameters: str, check: str | None = None, policy: str | None = POLICY) -> ConditionAdded:
    return ConditionAdded(
        case=CASE,
        condition=name,
        title=f"title of {name}",
        owner="ann",
        due=4_000_000_000,
        check=check,
        policy=policy if check else None,
        parameters=parameters,
        by="ann",
    )


def later(deployment: Deployment, *, days: int) -> None:
    """Let the clock of decisions be ahead; what is recorded is recorded now."""
    clock = now() + days * SECONDS_PER_DAY
    deployment.control.desk.parts = replace(deployment.control.desk.parts, clock=lambda: clock)


def in_the_way(deployment: Deployment) -> list[str]:
    return [each.kind for each in deployment.control.cases.lift(CASE, by="ann", reference="x")]


def agree_to_lift(deployment: Deployment, *, notice: str = "n-1", days: int = 30) -> None:
    """Bring the case to where two people approved lifting it: what is missing is the notice, and its days."""
    cases = deployment.control.cases
    cases.begin_review(CASE, by="ann")
    cases.require_notice(CASE, notice, days=days, by="ann")
    for by in ("ann", "bob"):
        assert cases.approve(CASE, by=by) == ()


def ready(deployment: Deployment) -> None:
    """Bring the case to where only the days are missing."""
    agree_to_lift(deployment)
    deployment.control.notices.serve("n-1", [deployment.person("gb")], at=now())


def narrow(
    deployment: Deployment,
    scope: Scope,
    *,
    told: Sequence[str],
    case: str = CASE,
    by: tuple[str, str] = ("ann", "bob"),
    reference: str = "x",
) -> Agreed:
    """Narrow a case by everything that this takes, and return what came of it."""
    cases, (first, second) = deployment.control.cases, by
    cases.begin_review(case, by=first)
    cases.require_notice(case, "n-1", days=0, by=first)
    for handle in (first, second):
        assert not cases.narrow(case, scope, by=handle, reference=reference).done
    deployment.control.notices.serve("n-1", [deployment.person(each) for each in told], at=now())
    return cases.narrow(case, scope, by=second, reference=reference)


def refused(code: str, call: object) -> None:
    with pytest.raises(ConsentryError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.code == code
