"""What leaves a release reaches the job that reads it, and a model that is held is not served."""

from __future__ import annotations

import threading
import time

from pyroaring import BitMap64

from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose, Reach
from consentry.training.serving import ServingGate
from end_to_end.test_story import say
from service.at_work import Answer
from service.conftest import Place


def test_a_refusal_of_everything_reaches_the_job_at_once(place: Place) -> None:
    held = place.ask.lease(place.release)
    assert held.renew(1).json["amendment"] == 0
    told: list[Answer] = []
    watching = threading.Thread(target=lambda: told.append(held.watch(20)))
    watching.start()
    began = time.monotonic()
    say(place.deployment, "us", reach=Reach.EVERYTHING)
    watching.join()
    assert time.monotonic() - began < 10
    assert told[0].json == {"state": "granted", "amendment": 1}
    assert held.renew(2).json["amendment"] == 1
    removed = [held("GET", f"files/{index}/amendment/1").content for index in (0, 1)]
    rows = [sorted(BitMap64.deserialize(each)) if each else [] for each in removed]
    assert rows == [[0], []]
    assert held("GET", "files/0/amendment/0").content == b""
    assert held("GET", "files/0/amendment/2").code == "lease-amendment-unknown"
    assert place.ask.lease(place.release).granted["amendment"] == 1


def test_the_gate_before_a_model_obeys_an_order(place: Place) -> None:
    place.ask.lease(place.release)
    gate = ServingGate("drafts", url=place.ask.url, token=place.ask.token)
    with gate:
        assert gate.verdict().may
    scope = Scope(areas=frozenset({"UK"}), purposes=frozenset({Purpose.SERVE}))
    place.deployment.control.orders.suspend(scope, case="c-1", origin=Origin.OWN_DECISION, reference="letter")
    with ServingGate("drafts", url=place.ask.url, token=place.ask.token) as gate:
        assert gate.verdict() == (False, ("order c-1.1 (letter) suspends its use",))
    with ServingGate("unheard-of", url=place.ask.url, token=place.ask.token) as gate:
        assert gate.verdict() == (False, ("no model `unheard-of`",))
    with ServingGate("drafts", url=place.ask.url, token="another") as gate:
        assert not gate.verdict().may
