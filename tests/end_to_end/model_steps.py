"""Short ways to train a model and to see how it stands."""

from __future__ import annotations

from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import LeaseEnd

DAY = 86_400


def train(
    deployment: Deployment, release: str, model: str, ranges: list[list[int]] | None, *, amendment: int = 0
) -> str:
    """Train a model under a lease, on some rows of the release (a1, a2, b1, c1 | g1, x1, n1); None: say nothing."""
    control = deployment.control
    lease, secret = control.leases.grant(release, job=f"job-{model}", model=model)
    if ranges is not None:
        control.leases.consumed(lease.lease, secret=secret, from_step=0, to_step=5, amendment=amendment, ranges=ranges)
    control.leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=5)
    return lease.lease


def stage(deployment: Deployment, model: str) -> str:
    return str(deployment.control.models.show(model)["stage"])


def at(deployment: Deployment, later: int) -> None:
    """Move the clock."""
    clock = deployment.control.desk.parts.clock
    object.__setattr__(deployment.control.desk.parts, "clock", lambda: clock() + later)


def code_of(call: Any) -> str:
    with pytest.raises(ConsentryError) as caught:
        call()
    return caught.value.code
