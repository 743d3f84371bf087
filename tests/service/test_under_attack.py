"""What breaks for one job breaks for no other, and nobody is told more than is theirs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from end_to_end.test_story import NOW
from service.at_work import POLICY
from service.conftest import Place
from service.test_protocol import suspend, wait_until_drained

DATED = Scope(areas=frozenset({"UK"}), created_from=1)
"""The counts of a release know no dates: what it hits is looked up in the items."""


def test_a_watch_tells_a_withdrawal_from_an_order_by_its_code(place: Place) -> None:
    held = place.ask.lease(place.release)
    assert set(held.watch(0).json) == {"state", "amendment"}
    suspend(place)
    assert held.watch(1).json["code"] == "lease-revoked"
    place.deployment.control.withdraw(place.release, "a mistake")
    assert held.watch(1).json["code"] == "lease-withdrawn"
    held.end()
    assert held.watch(1).json["code"] == "lease-ended"


def test_a_release_that_cannot_be_read_is_hit_and_silences_nobody(place: Place) -> None:
    control = place.deployment.control
    other = control.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
    broken, sound = place.ask.lease(place.release), place.ask.lease(other, job="job-2", ttl_s=1)
    for path in (place.folder / "home" / "releases" / place.release).glob("*.bin"):
        path.write_bytes(b"damaged")
    order = suspend(place, Scope(created_from=1, created_before=2))
    assert broken.watch(5).json["state"] == "revoked"
    assert sound.watch(5).json["state"] in ("expired", "ended")
    assert place.ask("GET", "/healthz").status == 200
    broken.end()
    wait_until_drained(place, order)


def test_looking_through_one_release_holds_up_no_lease_on_another(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = place.deployment.control
    other = control.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
    slow, quick = place.ask.lease(place.release), place.ask.lease(other, job="job-2")
    looking, done, rows_hit = threading.Event(), threading.Event(), control._rows_hit

    def slowly(name: str, *rest: Any) -> int:
        if name == place.release:
            looking.set()
            done.wait(20)
        return rows_hit(name, *rest)

    monkeypatch.setattr(control, "_rows_hit", slowly)
    with ThreadPoolExecutor(2) as threads:
        try:
            ordered = threads.submit(suspend, place, DATED)
            assert looking.wait(10)
            waiting = threads.submit(slow.renew, 1)
            begun = time.monotonic()
            assert quick.renew(1).code == "lease-revoked"
            assert time.monotonic() - begun < 3
            assert not waiting.done()
        finally:
            done.set()
        assert waiting.result().code == "lease-revoked"
        ordered.result()
