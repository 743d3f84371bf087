"""The client that trainers install, against the server that ships with it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pyroaring import BitMap64

from consentry.errors import LeaseOverError
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.training.client import hold
from service.conftest import Place

CONTENT = "sha256:" + "0" * 64


def train(place: Place, folder: Path, acknowledged: list[float]) -> None:
    with hold(
        place.release,
        job="job-1",
        model="drafts",
        ttl_s=30,
        url=place.ask.url,
        credential=place.ask.token,
        state_folder=folder,
        watchdog=False,
    ) as lease:
        assert 2 in BitMap64.deserialize(lease.release.excluded(0))
        lease.check(1)
        lease.committed(1, [(0, 0, 2), (1, 0, 1)])
        assert lease.confirm("step-1", step=1, digest=CONTENT).status == 201
        place.deployment.control.orders.suspend(
            Scope(areas=frozenset({"UK"})), case="ico-2024", origin=Origin.OWN_DECISION, reference="letter"
        )
        acknowledged.append(time.monotonic())
        while time.monotonic() < acknowledged[0] + 10:
            lease.check(2)
            time.sleep(0.01)


def test_a_job_reads_reports_and_is_stopped_by_an_order(place: Place, tmp_path: Path) -> None:
    acknowledged: list[float] = []
    with pytest.raises(LeaseOverError) as caught:
        train(place, tmp_path, acknowledged)
    assert time.monotonic() - acknowledged[0] < 8
    assert caught.value.code == "lease-revoked"
    (job,) = place.ask("GET", "/v1/leases").json["leases"]
    assert (job["step"], job["items"], job["model_checkpoints"], job["state"]) == (1, 3, 1, "stopped")
    (order,) = place.deployment.control.orders.every()
    assert order.drained is not None
    assert order.drained.stopped == 1


def test_a_job_whose_training_raises_has_failed_and_says_what_it_trained_on(place: Place, tmp_path: Path) -> None:
    def breaks() -> None:
        with hold(
            place.release,
            job="job-1",
            model="drafts",
            url=place.ask.url,
            credential=place.ask.token,
            state_folder=tmp_path,
            watchdog=False,
        ) as lease:
            lease.check(1)
            lease.committed(1, [(0, 0, 2)])
            raise ZeroDivisionError("of the training itself")

    with pytest.raises(ZeroDivisionError):
        breaks()
    (job,) = place.ask("GET", "/v1/leases").json["leases"]
    assert (job["state"], job["step"], job["items"], job["order"]) == ("failed", 1, 2, None)
    place.deployment.control.orders.suspend(
        Scope(), case="ico-2024", origin=Origin.OWN_DECISION, reference="a later letter"
    )
    (order,) = place.deployment.control.orders.every()
    assert place.deployment.control.orders.made_to_stop(order) == [], "it had ended before"
