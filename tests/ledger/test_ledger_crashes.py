"""kill -9 of a writing process: the next start finds every acknowledged event, no gap, and nothing half done."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from consentry.ledger.events import ChoiceMade, PersonErased, suppression_token
from consentry.ledger.release_events import ReleaseSealed
from consentry.ledger.sql import SqlLedger
from consentry.ledger.state import EMPTY, fold
from ledger import crash_writer
from ledger.conftest import Place
from ledger.sayings import chose


def address_of(place: Place) -> str:
    if place.store == "postgres":
        return place.address
    path = make_url(place.address).database
    assert path is not None
    return path


def write_and_die(place: Place, *, seed: int) -> list[dict[str, Any]]:
    """Start a writer, kill it some time after its first acknowledgement, and return all it acknowledged."""
    script = Path(crash_writer.__file__)
    with subprocess.Popen(
        [sys.executable, "-m", "ledger.crash_writer", place.store, address_of(place), str(seed)],
        cwd=script.parent.parent,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(random.Random(seed).random() * 0.15)
        writer.kill()
        rest = writer.stdout.read()
    lines = (first + rest).splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def check(ledger: SqlLedger, acknowledged: list[dict[str, Any]]) -> None:
    with ledger.sealing():
        pass  # PostgreSQL may still be busy with the last commit of the dead: its outcome is open until now
    history = list(ledger.read())
    assert [event.position for event in history] == list(range(ledger.head()))
    erased = {line["erased"] for line in acknowledged if "erased" in line}
    for line in acknowledged:
        for position, person in line.get("said", {}).items():
            body = history[int(position)].body
            assert body is None or (isinstance(body, ChoiceMade) and body.person == person)
            assert body is not None or person in erased or position_of_erasure(history, person) is not None
        if "sealed" in line:
            body = history[line["sealed"]].body
            assert isinstance(body, ReleaseSealed)
            assert body.position == line["sealed"]
    assert all(position_of_erasure(history, person) is not None for person in erased)
    middle = len(history) // 2
    state = fold(EMPTY, history)
    assert fold(fold(EMPTY, history[:middle]), history[middle:]) == state
    assert not any(person in state.choices for person in erased)


def position_of_erasure(history: list[Any], person: str) -> int | None:
    token = suppression_token(person)
    return next(
        (event.position for event in history if isinstance(event.body, PersonErased) and event.body.token == token),
        None,
    )


def require_nothing_is_lost_by_a_kill(place: Place, seeds: range) -> None:
    for seed in seeds:
        acknowledged = write_and_die(place, seed=seed)
        assert acknowledged
        with closing(place.open()) as ledger:
            check(ledger, acknowledged)
            head = ledger.head()
            assert ledger.append([chose(seed)]) == range(head, head + 1), "the head is free again"


def test_a_killed_writer_leaves_every_acknowledged_event(place: Place) -> None:
    require_nothing_is_lost_by_a_kill(place, range(2))


@pytest.mark.slow
def test_a_killed_writer_leaves_every_acknowledged_event_campaign(place: Place) -> None:
    require_nothing_is_lost_by_a_kill(place, range(100, 160))
