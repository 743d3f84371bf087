"""What breaks for one job breaks for no other, and nobody is told more than is theirs."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from consentry.bootstrap import open_deployment
from consentry.ledger.oversight_events import ItemsConsumed, ModelCheckpointWritten
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from consentry.service.server import serving
from end_to_end.test_story import NOW
from service.at_work import POLICY, Caller, Process, home, said, served
from service.conftest import CONTENT, Place, suspend, wait_until_drained

DATED = Scope(areas=frozenset({"UK"}), created_from=1)
"""The counts of a release know no dates: what it hits is looked up in the items."""


def test_a_watch_tells_a_withdrawal_from_an_order_by_its_code(place: Place) -> None:
    held = place.ask.lease(place.release)
    assert set(held.watch(0).json) == {"state", "amendment"}
    suspend(place)
    assert held.watch(1).json["code"] == "lease-revoked"
    place.deployment.control.releases.withdraw(place.release, "a mistake", by="olga")
    assert held.watch(1).json["code"] == "lease-withdrawn"
    held.end()
    assert held.watch(1).json["code"] == "lease-ended"


def test_a_release_that_cannot_be_read_is_hit_and_silences_nobody(place: Place) -> None:
    control = place.deployment.control
    other = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
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
    other = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
    slow, quick = place.ask.lease(place.release), place.ask.lease(other, job="job-2")
    looking, done, rows_hit = threading.Event(), threading.Event(), control.orders.hits._rows_hit

    def slowly(name: str, *rest: Any, **named: Any) -> Any:
        if name == place.release:
            looking.set()
            done.wait(20)
        return rows_hit(name, *rest, **named)

    monkeypatch.setattr(control.orders.hits, "_rows_hit", slowly)
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


def test_a_model_checkpoint_that_was_confirmed_can_be_said_to_be_in_quarantine(place: Place) -> None:
    held = place.ask.lease(place.release)
    body = {"step": 2, "name": "step-2", "digest": CONTENT}
    confirmed = [held("POST", "model-checkpoints", body).json["position"] for _ in range(2)]
    assert confirmed[0] == confirmed[1]
    suspend(place)
    held.end()
    late = {**body, "quarantined": True}
    answers = [held("POST", "model-checkpoints", late) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json
    assert held("POST", "model-checkpoints", {**body, "quarantined": 1}).code == "serve-malformed"
    assert held("POST", "model-checkpoints", late, token="another").code == "lease-not-yours"
    found = [each.body for each in place.deployment.ledger.read() if isinstance(each.body, ModelCheckpointWritten)]
    assert [each.quarantined for each in found] == [False, True]
    (job,) = place.deployment.control.leases.jobs()
    assert (job["model_checkpoints"], job["quarantined"]) == (0, 1)


def test_what_is_refused_twice_is_noted_as_quarantined_once(place: Place) -> None:
    held = place.ask.lease(place.release)
    suspend(place)
    body = {"step": 2, "name": "step-2", "digest": CONTENT}
    assert [held("POST", "model-checkpoints", body).code for _ in range(2)] == ["lease-revoked"] * 2
    (job,) = place.deployment.control.leases.jobs()
    assert (job["model_checkpoints"], job["quarantined"]) == (0, 1)


def test_one_step_may_be_reported_in_several_requests(place: Place) -> None:
    held = place.ask.lease(place.release)
    step = {"from_step": 1, "to_step": 1, "amendment": 0}
    for ranges in ([[0, 0, 1]], [[0, 2, 3], [1, 0, 1]], [[0, 0, 1]]):
        assert held("POST", "consumption", {**step, "ranges": ranges}).status == 204
    found = [each.body for each in place.deployment.ledger.read() if isinstance(each.body, ItemsConsumed)]
    assert [each.items for each in found] == [1, 2]


def test_who_sits_at_an_address_that_was_left_behind_learns_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with home() as (folder, _):
        server = Process(folder)
        assert json.loads(said(folder, "--json", "jobs"))["live"] is True
        address = folder / "serve.json"
        assert address.stat().st_mode & 0o777 == 0o600
        view = json.loads(address.read_bytes())["view"]
        assert server.ask("GET", "/v1/leases", token=view).status == 200
        assert server.ask("POST", "/v1/leases", {}, token=view).status == 401
        token = server.ask.token
        server.kill()
        with socket.create_server(("127.0.0.1", 0)) as impostor:
            document = {**json.loads(address.read_bytes()), "url": f"http://127.0.0.1:{impostor.getsockname()[1]}"}
            address.write_bytes(json.dumps(document).encode())
            monkeypatch.setattr("consentry.cli.serve._TIMEOUT_S", 1)
            assert json.loads(said(folder, "--json", "jobs"))["live"] is False
            with impostor.accept()[0] as connection:
                asked = connection.recv(1 << 16)
        assert b"Authorization" in asked
        assert token.encode() not in asked
        with served(folder) as again:
            assert again.ask("GET", "/v1/leases", token=view).status == 401


def test_a_server_that_was_opened_early_takes_leases_to_have_been_renewed_until_it_took_over() -> None:
    with home() as (folder, release):
        early = open_deployment(folder)
        before = Process(folder)
        held = before.ask.lease(release, ttl_s=1)
        time.sleep(0.7)
        assert held.renew(1).status == 200
        before.kill()
        killed = early.control.desk.parts.uptime()
        with serving(early) as (url, token):
            held.caller = Caller(url, token)
            assert held.watch(0).json["state"] == "granted"
            (lease,) = early.control.desk.present().overseen.leases
            assert early.control.leases.renewals.until(lease) > killed + 1
        early.close()
