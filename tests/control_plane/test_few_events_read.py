"""What jobs report by the thousand is not read where it says nothing: for orders, and for timelines of cases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consentry.control_plane.order_desk import OrderDesk
from consentry.ledger.case_events import CaseOpened, ReviewBegun
from consentry.ledger.envelope import Event, restore
from end_to_end.network import fresh
from ledger.sayings import consumed, published


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions of the events that a ledger reads."""
    found: list[int] = []

    def watched(stored: Any) -> Event:
        found.append(stored.position)
        return restore(stored)

    monkeypatch.setattr("consentry.ledger.sql.restore", watched)
    return found


@pytest.fixture
def place() -> Iterator[tuple[Path, Any]]:
    with fresh() as started:
        yield started


def test_an_order_is_given_without_reading_what_jobs_consumed(place: tuple[Path, Any], restored: list[int]) -> None:
    folder, deployment = place
    deployment.ledger.append([published("1"), *map(consumed, range(50)), published("2")])
    assert OrderDesk(folder, deployment.ledger).present().position == 52
    assert restored == [0, 51]


def test_a_timeline_reads_what_was_said_of_the_case(place: tuple[Path, Any], restored: list[int]) -> None:
    _, deployment = place
    opened = CaseOpened(case="c", title="t", reference="r", by=None)
    reviewed = ReviewBegun(case="c", by="ann")
    deployment.ledger.append([opened, *map(consumed, range(50)), published("1"), reviewed])
    deployment.control.desk.present()
    restored.clear()
    assert [each["position"] for each in deployment.control.cases.timeline("c")] == [0, 52]
    assert restored == [0, 52]
