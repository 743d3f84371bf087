"""Whoever holds a lease hears of an order at once, and it is drained when the last of them has stopped."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyroaring import BitMap64

from consentry.bootstrap import open_deployment
from consentry.cli.suspend import drained_words
from consentry.errors import LeaseOverError
from consentry.ledger.oversight_events import LeaseEnd
from consentry.oversight.authority_view import order_document
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Reach
from consentry.service.api.orders import described
from consentry.training.arrow import batches
from consentry.training.client import hold
from end_to_end.network import Form, descriptor, register_other_bytes
from end_to_end.test_story import say
from service.at_work import ITEMS, Held, until
from service.conftest import Place, suspend, wait_until_drained


def test_an_order_revokes_and_a_watch_says_so_at_once(place: Place) -> None:
    held = place.ask.lease(place.release)
    assert held.watch(0.05).json == {"state": "granted", "amendment": 0}
    told: list[float] = []

    def watch() -> None:
        answer = held.watch(10)
        told.append(time.monotonic())
        assert answer.json["state"] == "revoked"
        assert "ico-2024.1" in answer.json["reason"]

    thread = threading.Thread(target=watch)
    thread.start()
    time.sleep(0.3)
    suspend(place)
    acknowledged = time.monotonic()
    thread.join()
    assert told[0] - acknowledged < 1
    answer = held.renew(1)
    assert (answer.status, answer.code) == (409, "lease-revoked")
    assert "ico-2024.1" in answer.json["title"]
    asked = {"release": place.release, "job": "job-1", "model": "drafts", "nonce": "n"}
    assert place.ask("POST", "/v1/leases", asked).code == "lease-suspended"
    assert held.watch(10).json["state"] == "revoked"


def test_a_watch_never_extends(place: Place) -> None:
    held = place.ask.lease(place.release, ttl_s=1)
    begun = time.monotonic()
    answer = held.watch(10)
    assert answer.json["state"] in ("expired", "ended")
    assert 0.8 < time.monotonic() - begun < 3


def test_what_is_out_of_scope_goes_on(place: Place) -> None:
    held = place.ask.lease(place.release)
    suspend(place, Scope(areas=frozenset({"CH"})))
    # Somebody whose whereabouts nobody knows may be there: that is in the release or not, by its policy.
    excluded = BitMap64.deserialize(held("GET", "files/0/exclusions").content)
    assert 2 in excluded
    assert held.watch(0.2).json["state"] == "granted"
    assert held.renew(1).status == 200


def test_a_withdrawn_release_ends_leases(place: Place) -> None:
    held = place.ask.lease(place.release)
    place.deployment.control.releases.withdraw(place.release, "a reason", by="olga")
    assert held.watch(10).json["state"] == "revoked"
    assert held.renew(1).code == "lease-withdrawn"
    asked = {"release": place.release, "job": "job-1", "model": "drafts", "nonce": "n"}
    assert place.ask("POST", "/v1/leases", asked).code == "lease-withdrawn"


def _lose_a_file(place: Place) -> None:
    register_other_bytes(place.folder, place.deployment, ITEMS[:1], kept=False)


def test_a_lease_is_over_when_nobody_can_tell_what_has_to_leave_its_release(place: Place) -> None:
    held = place.ask.lease(place.release)
    _lose_a_file(place)
    assert held.renew(1).status == 200, "nobody has refused"
    say(place.deployment, "br", reach=Reach.EVERYTHING)  # whose only item is in the file that is as it was
    told = held.watch(10).json
    assert (told["state"], told["code"]) == ("revoked", "lease-unamended")
    assert "items/0.parquet" in told["reason"]
    answer = held.renew(2)
    assert (answer.status, answer.code) == (409, "lease-unamended")
    (job,) = place.ask("GET", "/v1/leases").json["leases"]
    assert (job["state"], job["left_s"]) == ("revoked", None)


def test_a_renewal_tells_what_another_process_was_told(place: Place) -> None:
    held = place.ask.lease(place.release)
    _lose_a_file(place)
    other = open_deployment(place.deployment.settings.home)
    say(other, "br", reach=Reach.EVERYTHING)
    other.close()
    assert held.renew(1).code == "lease-unamended"
    assert held.watch(10).json["code"] == "lease-unamended"


def test_a_job_stops_at_once_when_nobody_can_tell_what_it_may_not_read(place: Place, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"url": place.ask.url, "credential": place.ask.token, "state_folder": tmp_path}
    with hold(place.release, job="job-1", model="drafts", watchdog=False, **asked) as lease:
        _lose_a_file(place)
        say(place.deployment, "br", reach=Reach.EVERYTHING)
        until(lease.is_over, 5)
        with pytest.raises(LeaseOverError, match="nobody can tell") as caught:
            lease.check()
    assert caught.value.code == "lease-unamended"


def test_what_leaves_a_release_under_another_descriptor_leaves_the_epoch_under_way(
    place: Place, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"url": place.ask.url, "credential": place.ask.token, "state_folder": tmp_path}
    with hold(place.release, job="job-1", model="drafts", watchdog=False, **asked) as lease:
        epoch = batches(lease, ["words"], rows=1)
        assert next(epoch)[1].to_pydict() == {"words": ["words of u1"]}
        (place.folder / "corpus.toml").write_text(descriptor(Form(involves="none")))
        place.deployment.control.statements.register_corpus(place.folder / "corpus.toml")
        say(place.deployment, "gb", reach=Reach.EVERYTHING)
        until(lambda: lease.amendment == 1, 5)
        assert [batch.to_pydict() for _, batch in epoch] == [{"words": ["words of b1"]}]
        lease.check()


def test_nobody_reads_who_withdrew_at_another_row_of_a_file_of_the_same_size(place: Place, tmp_path: Path) -> None:
    path = place.folder / "items" / "0.parquet"
    size = path.stat().st_size
    asked: dict[str, Any] = {"url": place.ask.url, "credential": place.ask.token, "state_folder": tmp_path}
    with hold(place.release, job="job-1", model="drafts", watchdog=False, **asked) as lease:
        path.unlink()
        swapped = [ITEMS[1], ITEMS[0], *ITEMS[2:]]
        register_other_bytes(place.folder, place.deployment, swapped[: lease.release.files[0].rows])
        assert path.stat().st_size == size, "all that a reader looks at is the same"
        say(place.deployment, "gb", reach=Reach.EVERYTHING)
        until(lambda: lease.is_over() or lease.amendment == 1, 5)
        with pytest.raises(LeaseOverError, match="nobody can tell"):
            next(batches(lease, ["words"], rows=1))


def test_an_end_is_said_twice_and_noted_once(place: Place) -> None:
    held = place.ask.lease(place.release)
    order = suspend(place)
    for _ in range(2):
        assert held.end("stopped", 17).status == 204
    wait_until_drained(place, order, 0.5)
    (job,) = place.ask("GET", "/v1/leases").json["leases"]
    assert (job["state"], job["order"], job["left_s"]) == ("stopped", order, None)
    assert held.watch(5).json["state"] == "ended"
    assert held.renew(1).code == "lease-ended"


def test_drained_is_noted_soon_after_the_last_lease_ran_out(place: Place) -> None:
    place.ask.lease(place.release, ttl_s=1)
    order = suspend(place)
    wait_until_drained(place, order)
    (found,) = place.deployment.control.orders.every()
    assert found.drained is not None
    assert found.drained.expired == 1
    assert found.drained.took_ms is not None
    assert 900 < found.drained.took_ms < 2_500


def test_the_clock_of_the_day_has_no_say(place: Place) -> None:
    control = place.deployment.control
    held = place.ask.lease(place.release, ttl_s=2)
    for sequence, day in enumerate((86_400, -86_400, 0), 1):
        now = control.desk.parts.clock() + day
        control.desk.parts = replace(
            control.desk.parts, clock=partial(int, now), milliseconds=partial(int, now * 1_000)
        )
        time.sleep(0.8)
        assert held.renew(sequence).status == 200
        assert held.watch(0.05).json["state"] == "granted"
    begun = time.monotonic()
    assert held.watch(5).json["state"] in ("expired", "ended")
    assert 1 < time.monotonic() - begun < 3
    assert place.ask.lease(place.release).renew(1).status == 200


@pytest.mark.parametrize("day_s", [-86_400, 86_400])
def test_how_long_it_took_to_drain_does_not_follow_the_clock_of_the_day(place: Place, day_s: int) -> None:
    control = place.deployment.control
    held = place.ask.lease(place.release)
    order = suspend(place)
    now = control.desk.parts.milliseconds() + 1_000 * day_s
    control.desk.parts = replace(control.desk.parts, clock=lambda: now // 1_000, milliseconds=lambda: now)
    time.sleep(0.3)
    held.end()
    wait_until_drained(place, order)
    (found,) = control.orders.every()
    assert found.drained is not None
    assert found.drained.took_ms is not None
    assert 300 <= found.drained.took_ms < 5_000


def test_how_long_it_took_to_drain_is_unknown_if_the_machine_was_booted_in_between(place: Place) -> None:
    control = place.deployment.control
    held = place.ask.lease(place.release)
    order = suspend(place)
    control.desk.parts = replace(control.desk.parts, boot="another")
    held.end()
    wait_until_drained(place, order)
    (found,) = control.orders.every()
    assert found.drained is not None
    assert found.drained.took_ms is None
    assert drained_words(found) == "after a time that is unknown, 1 lease"
    assert described(found).model_dump()["drained"]["took_ms"] is None
    assert order_document(found)["drained"]["at_ms"] == 1_000 * found.drained.at


def test_two_hundred_watchers_take_few_threads(place: Place) -> None:
    leases = [place.ask.lease(place.release, job=f"job-{number}") for number in range(5)]
    before = threading.active_count()
    threads = [threading.Thread(target=_watched, args=(leases[number % 5],)) for number in range(200)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert threading.active_count() - before - sum(thread.is_alive() for thread in threads) < 70
    begun = time.monotonic()
    suspend(place)
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun < 5


def _watched(held: Held) -> None:
    assert held.watch(30).json["state"] == "revoked"


def test_a_lease_end_of_the_ledger_is_told_to_watchers(place: Place) -> None:
    held = place.ask.lease(place.release)
    control = place.deployment.control
    thread = threading.Timer(
        0.2,
        control.leases.end,
        [held.granted["lease"]],
        {
            "secret": held.granted["secret"],
            "how": LeaseEnd.RELEASED,
            "step": None,
        },
    )
    thread.start()
    assert held.watch(10).json["state"] == "ended"
    thread.join()
