"""A lease is renewed each time a third of its time to live is over, or up to a fifth of that earlier by chance."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consentry.training.client import hold
from training.small_server import CREDENTIAL, SmallPlane

TTL_S, RENEWALS, PATIENCE_S = 60.0, 12, 20


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long the thread that renews would wait each time; it is let wait for a moment only."""
    found: list[float] = []
    wait = threading.Event.wait

    def noted(event: threading.Event, timeout: float | None = None) -> bool:
        if timeout is not None and threading.current_thread().name == "consentry-renewal":
            found.append(timeout)
            timeout = 0.01
        return wait(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", noted)
    return found


def test_it_is_renewed_at_a_third_and_not_in_step_with_others(
    plane: SmallPlane, url: str, tmp_path: Path, waits: list[float]
) -> None:
    place: dict[str, Any] = {"url": url, "credential": CREDENTIAL, "state_folder": tmp_path, "watchdog": False}
    with hold("r", job="j", model="m", ttl_s=TTL_S, **place) as lease:
        until = time.monotonic() + PATIENCE_S
        while plane.lease().sequence < RENEWALS and time.monotonic() < until:
            time.sleep(0.01)
        lease.check()
        known = waits[:RENEWALS]
    assert plane.lease().sequence >= RENEWALS
    assert all(0.8 * TTL_S / 3 <= each <= TTL_S / 3 for each in known)
    assert len(set(known)) > RENEWALS / 2


def test_what_is_done_in_the_name_of_a_job_is_done_before_its_lease_ends_or_not(url: str, tmp_path: Path) -> None:
    place: dict[str, Any] = {"url": url, "credential": CREDENTIAL, "state_folder": tmp_path, "watchdog": False}
    began, may_end = threading.Event(), threading.Event()
    over_meanwhile: list[bool] = []
    done: list[str] = []

    def act() -> None:
        began.set()
        over_meanwhile.append(may_end.wait(0.5) or lease.is_over())

    with hold("r", job="j", model="m", ttl_s=TTL_S, **place) as lease:
        acting = threading.Thread(target=lease.unless_over, args=(act,))
        acting.start()
        assert began.wait(PATIENCE_S)
    may_end.set()
    acting.join()
    assert over_meanwhile == [False], "the block of `hold` waits for it"
    lease.unless_over(partial(done.append, "late"))
    assert done == []
