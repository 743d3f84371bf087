"""Model checkpoints at a place that keeps no order itself: there the order of the ledger counts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Thread

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import ModelCheckpointWritten
from consentry.oversight.lease import Leases
from end_to_end.model_steps import code_of
from end_to_end.test_story import build
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

CONTENT = "sha256:" + "0" * 64
Keep = Callable[..., int]


def keeper(deployment: Deployment, release: str, job: str, *, model: str = "m") -> Keep:
    """Grant a lease, and return what keeps model checkpoints under it."""
    lease, secret = deployment.control.leases.grant(release, job=job, model=model)

    def keep(name: str, *, step: int = 1, content: str = CONTENT, quarantined: bool = False) -> int:
        return deployment.control.leases.model_checkpoint(
            lease.lease, secret=secret, step=step, name=name, content=content, quarantined=quarantined
        )

    return keep


def written(deployment: Deployment) -> list[tuple[str, bool]]:
    bodies = (each.body for each in deployment.ledger.read())
    return [(each.name, each.quarantined) for each in bodies if isinstance(each, ModelCheckpointWritten)]


def test_an_older_lease_keeps_nothing_more_once_a_later_one_kept_something(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    old, new = keeper(deployment, release, "old"), keeper(deployment, release, "new")
    first = old("@store/one")
    new("@store/two")
    assert code_of(lambda: old("@store/three", step=2)) == "checkpoint-fence-stale"
    assert code_of(lambda: old("@store/one", step=9)) == "checkpoint-fence-stale"
    assert old("@elsewhere/three", step=3) > first, "it is overtaken there, and nowhere else"
    assert old("three", step=4) > first, "a name without a place keeps its order where it is kept"
    assert written(deployment)[:4] == [
        ("@store/one", False),
        ("@store/two", False),
        ("@store/three", True),
        ("@store/one", True),
    ]
    deployment.close()
    again = open_deployment(folder / "home")
    try:
        third = keeper(again, release, "third")
        third("@store/four")
        kept = again.control.desk.present().overseen.leases
        for each in kept:
            five = ModelCheckpointWritten(lease=each.lease, step=5, name="@store/5", digest=CONTENT, quarantined=False)
            if each.job != "third":
                assert code_of(partial(kept.require_turn, each, five)) == "checkpoint-fence-stale"
    finally:
        again.close()


def test_what_was_confirmed_stays_so_when_it_is_said_again(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    old, new = keeper(deployment, release, "old"), keeper(deployment, release, "new")
    position = old("@store/one")
    new("@store/two")
    assert old("@store/one") == position, "its answer was lost, say"
    assert written(deployment) == [("@store/one", False), ("@store/two", False)]


def test_names_of_before_there_were_places_are_not_of_one(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    old, new = keeper(deployment, release, "old"), keeper(deployment, release, "new")
    for step, name in enumerate(("runs/one", "/one", "one/", "one@two/x"), start=1):
        new(name, step=step)
        old(name, step=step)
    assert not any(quarantined for _, quarantined in written(deployment))


@pytest.mark.parametrize("name", ["@one", "@/one", "@store/", "@store//one", "@store/./one", "@store/one/two", "@é/x"])
def test_a_place_is_spelled_in_one_way(place: tuple[Path, Deployment], name: str) -> None:
    _, deployment = place
    keep = keeper(deployment, build(deployment), "job")
    assert code_of(lambda: keep(name)) == "lease-model-checkpoint"


def test_a_job_that_trains_another_model_replaces_nobody(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    old, other = keeper(deployment, release, "old"), keeper(deployment, release, "other", model="another")
    other("@store/another")
    old("@store/one")
    assert code_of(lambda: old("@store/another")) == "checkpoint-exists"


def test_a_name_that_another_lease_kept_is_not_given_again(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    old, new = keeper(deployment, release, "old"), keeper(deployment, release, "new")
    position = old("@store/one")
    assert old("@store/one") == position, "said again it is the same"
    assert code_of(lambda: old("@store/one", content="sha256:" + "1" * 64)) == "checkpoint-exists"
    assert code_of(lambda: new("@store/one")) == "checkpoint-exists"
    assert old("@store/two", step=2) > position, "what was refused overtakes nobody"
    old("@store/two", step=2, quarantined=True)
    assert code_of(lambda: new("@store/two")) == "checkpoint-exists", "it may be there yet"
    new("@store/three")


def test_what_is_in_quarantine_overtakes_nobody(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    old, new = keeper(deployment, release, "old"), keeper(deployment, release, "new")
    new("@store/late", quarantined=True)
    old("@store/one")
    assert written(deployment) == [("@store/late", True), ("@store/one", False)]


def race(deployment: Deployment, release: str, place: str) -> list[str]:
    """Let leases keep model checkpoints at a place, all at a time; return what is out of order."""
    keepers = [keeper(deployment, release, f"job-{number}") for number in range(8)]
    begun = Barrier(len(keepers))

    def keep(number: int) -> None:
        begun.wait()
        for step in range(4):
            with suppress(ConsentryError):
                keepers[number](f"{place}/{number}-{step}", step=step)

    threads = [Thread(target=keep, args=(number,)) for number in range(len(keepers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [int(name.partition("/")[2][0]) for name, quarantined in written(deployment) if not quarantined]
    return [f"{later} after {earlier}" for earlier, later in pairwise(kept) if later < earlier]


def test_of_leases_that_keep_at_a_time_none_does_after_a_later_one(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    assert race(deployment, build(deployment), "@store") == []
    kept = {name for name, quarantined in written(deployment) if not quarantined}
    assert {f"@store/7-{step}" for step in range(4)} <= kept, "nothing overtakes the newest"


def test_control_without_that_look_the_order_is_lost(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leases, "require_turn", lambda *_: None)
    _, deployment = place
    assert race(deployment, build(deployment), "@store") != []
