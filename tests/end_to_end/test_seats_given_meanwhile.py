"""People who get a seat while it is found out what an order hits: nothing fails, and no less is hit."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane import order_rows
from consentry.control_plane.once_known import people_in
from consentry.control_plane.rows_there import RowsThere
from consentry.control_plane.what_if import WhatIf
from end_to_end.model_steps import train
from end_to_end.network import descriptor
from end_to_end.test_orders_of_dates import BRAZIL, DATED, granted, state_of, suspend
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


def involve_others(place: Place, elsewhere: Deployment) -> None:
    """Register the same bytes elsewhere, with whom items involve in a column of people who are named nowhere else."""
    (place[0] / "corpus.toml").write_text(descriptor().replace('"mentions"', '"others"'))
    elsewhere.control.statements.register_corpus(place[0] / "corpus.toml")


@pytest.fixture
def release(place: Place) -> str:
    """A release of files with such a column."""
    for path in (place[0] / "items").iterdir():
        table = pq.read_table(path)
        others = pa.array([[f"new-{path.stem}-{row}"] for row in range(table.num_rows)])
        pq.write_table(table.append_column("others", others), path)
    place[1].control.statements.register_corpus(place[0] / "corpus.toml")
    return build(place[1])


def test_somebody_only_involved_who_is_seated_while_an_order_is_foretold(
    place: Place, elsewhere: Deployment, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = WhatIf._held

    def held(asked: WhatIf, reads: Any) -> Any:
        involve_others(place, elsewhere)
        return plain(asked, reads)

    monkeypatch.setattr(WhatIf, "_held", held)
    assert [*place[1].control.orders.what_if(DATED)["releases"]] == [release]


def test_somebody_only_involved_who_is_seated_while_an_authority_asks(
    place: Place, elsewhere: Deployment, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = RowsThere._rows

    def rows(there: RowsThere, name: str, asked: Any, look: Any) -> Any:
        involve_others(place, elsewhere)
        return plain(there, name, asked, look)

    monkeypatch.setattr(RowsThere, "_rows", rows)
    (found,) = place[1].control.authority_view.releases(BRAZIL.areas)["releases"]
    assert (found["release"], found["items"]) == (release, 1)
