"""People who get a seat while it is found out what an order hits: nothing fails, and no less is hit than without them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane import order_rows
from consentry.control_plane.once_known import people_in
from end_to_end.model_steps import train
from end_to_end.test_orders_of_dates import DATED, granted, state_of, suspend
from end_to_end.test_story import build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

Place = tuple[Path, Deployment]


@pytest.fixture
def elsewhere(place: Place) -> Iterator[Deployment]:
    """Another process at the same home."""
    other = open_deployment(place[0] / "home")
    yield other
    other.close()


@pytest.mark.parametrize("first", [False, True], ids=["after", "before"])
def test_a_member_who_is_seated_while_people_are_looked_up(
    place: Place, elsewhere: Deployment, monkeypatch: pytest.MonkeyPatch, *, first: bool
) -> None:
    control, numbers = place[1].control, count()
    lease, _ = granted(place[1], build(place[1]))
    train(place[1], lease.release, "drafts", None)

    def seated(*asked: Any, **more: Any) -> Any:
        before = people_in(*asked, **more)
        say(elsewhere, f"new-{next(numbers)}")
        elsewhere.control.desk.present()
        return people_in(*asked, **more) if first else before

    monkeypatch.setattr(order_rows, "people_in", seated)
    assert [*control.orders.what_if(DATED)["releases"]] == [lease.release]
    suspend(place[1], DATED)
    assert state_of(place[1], lease) == "revoked"
    assert not control.models.may_serve("drafts")["may"]
    assert next(numbers) > 1
