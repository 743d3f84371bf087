"""A snapshot in memory never changes, also not by an order: the next one says no, as the verb does at once."""

from __future__ import annotations

from pathlib import Path

from consentry.bootstrap import Deployment
from consentry.policy.vocabulary import Category, Purpose
from consentry.release.snapshot import Snapshot
from end_to_end.suspended_network import POLICY, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture


def allowed(snapshot: Snapshot, person: str) -> bool:
    return snapshot.may(person, purpose=Purpose.TRAIN_GENAI, category=Category.POST).allowed


def test_the_next_snapshot_after_an_order_says_no(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    people = deployment.control.people
    before = people.snapshot(POLICY, [Purpose.TRAIN_GENAI])
    assert (allowed(before, "gb"), allowed(before, "us")) == (True, True)
    suspend(deployment)
    after = people.snapshot(POLICY, [Purpose.TRAIN_GENAI], like=before)
    assert (allowed(after, "gb"), allowed(after, "us")) == (False, True)
    assert allowed(before, "gb"), "what was taken before is as it was: who holds it has to take the next one"
