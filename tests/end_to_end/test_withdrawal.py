"""A withdrawn release hands out nothing any more, whoever asks; what it was can still be told."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import ConsentryError, InputError, StateError
from consentry.ledger import image
from consentry.ledger.release_events import ReleaseWithdrawn
from consentry.release.iceberg import TableReport, write_table
from consentry.release.materialise import CopyFormat
from end_to_end.network import populated
from end_to_end.terminal import Terminal, ready, terminal  # noqa: F401 - fixtures
from end_to_end.terminal import build as build_with
from end_to_end.test_story import ITEMS, PEOPLE, POLICY, build, say

REASON = "case 7: the notice was not clear"


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS], PEOPLE, POLICY) as started:
        yield started


def tables(deployment: Deployment) -> set[str]:
    return {path.name for path in deployment.control.desk.tables.glob("*") if path.name != ".lock"}


def withdrawals(deployment: Deployment) -> list[int]:
    return [each.position for each in deployment.ledger.read() if isinstance(each.body, ReleaseWithdrawn)]


def test_nothing_is_handed_out_any_more(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    release, other = build(deployment), build(deployment)
    for name in (release, other):
        control.releases.table(name, 2)
    control.releases.table(release, 3)
    assert control.releases.data_files(release)
    position = control.releases.withdraw(release, REASON, by="olga")
    for use in (
        lambda: control.releases.data_files(release),
        lambda: control.releases.table(release, 2),
        lambda: control.releases.materialise(release, folder / "copy", kind=CopyFormat.JSONL),
    ):
        with pytest.raises(StateError, match=REASON) as caught:
            use()
        assert caught.value.code == "release-withdrawn"
    assert not (folder / "copy").exists()
    assert tables(deployment) == {other}
    assert withdrawals(deployment) == [position]
    assert control.releases.data_files(other)
    again = open_deployment(folder / "home")
    try:
        with pytest.raises(StateError, match="release-withdrawn"):
            again.control.releases.data_files(release)
    finally:
        again.close()


def test_what_it_was_can_still_be_told(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    release = build(deployment)
    say(deployment, "ada")
    other = build(deployment)
    before = control.releases.explain(release, "a1").body
    assert before["withdrawn"] is None
    position = control.releases.withdraw(release, REASON, by="olga")
    expected = control.releases.withdrawal(release)
    assert expected is not None
    assert (expected["reason"], expected["position"]) == (REASON, position)
    assert expected["at"] == next(deployment.ledger.read(position)).recorded_at
    assert control.releases.explain(release, "a1").body == {**before, "withdrawn": expected}
    found = control.releases.compare(release, other)
    assert (found["before"]["withdrawn"], found["after"]["withdrawn"]) == (expected, None)
    assert found["reproduced"]
    assert not [each for each in control.releases.verify(release, decide=True) if each.problem]
    assert control.releases.open(release).manifest.release == release
    assert control.releases.withdrawal(other) is None
    # A state that was written down and read back says the same.
    state = control.desk.present().state
    assert image.from_bytes(image.to_bytes(state)) == state


def test_what_cannot_be_withdrawn(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    release = build(deployment)
    with pytest.raises(InputError, match="release-reason-missing"):
        control.releases.withdraw(release, "  ", by="olga")
    with pytest.raises(InputError, match="case-handle"):
        control.releases.withdraw(release, REASON, by="Olga Smith")
    with pytest.raises(ConsentryError, match="release-unknown"):
        control.releases.withdraw("nothing", REASON, by="olga")
    assert withdrawals(deployment) == []
    control.releases.withdraw(release, REASON, by="olga")
    with pytest.raises(StateError, match="release-already-withdrawn"):
        control.releases.withdraw(release, "another reason", by="olga")
    assert len(withdrawals(deployment)) == 1


def test_of_two_who_withdraw_at_a_time_one_is_told(place: tuple[Path, Deployment]) -> None:
    folder, first = place
    release = build(first)
    deployments = [first, *(open_deployment(folder / "home") for _ in range(3))]
    barrier = threading.Barrier(len(deployments))

    def withdraw(deployment: Deployment) -> str:
        barrier.wait()
        try:
            deployment.control.releases.withdraw(release, REASON, by="olga")
        except StateError as error:
            return error.code
        return "withdrawn"

    with ThreadPoolExecutor(len(deployments)) as pool:
        outcomes = sorted(pool.map(withdraw, deployments))
    for each in deployments[1:]:
        each.close()
    assert outcomes == [*["release-already-withdrawn"] * 3, "withdrawn"]
    assert len(withdrawals(first)) == 1


def test_what_a_crash_left_of_a_table_is_removed(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    release, other = build(deployment), build(deployment)
    control.releases.table(release, 2)
    shutil.copytree(control.desk.tables / release, folder / "kept")
    control.releases.withdraw(release, REASON, by="olga")

    def crashed() -> None:
        """Between the event and the removal, or in the middle of the removal."""
        shutil.copytree(folder / "kept", control.desk.tables / release)
        shutil.copytree(folder / "kept", control.desk.tables / f".{release}.removed")

    crashed()
    with pytest.raises(StateError, match="release-already-withdrawn"):
        control.releases.withdraw(release, REASON, by="olga")
    assert tables(deployment) == set()
    crashed()
    control.releases.table(other, 2)
    assert tables(deployment) == {other}


def test_a_table_that_is_being_written_does_not_outlive_the_withdrawal(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    release = build(deployment)
    other = open_deployment(folder / "home")
    seen: list[bool] = []
    withdrawing = threading.Thread(target=lambda: other.control.releases.withdraw(release, REASON, by="olga"))

    def slowly(*files: Any, **more: Any) -> TableReport:
        withdrawing.start()
        deadline = time.monotonic() + 30
        while deployment.control.releases.withdrawal(release) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        seen.append(deployment.control.releases.withdrawal(release) is not None)
        return write_table(*files, **more)

    monkeypatch.setattr("consentry.control_plane.handouts.write_table", slowly)
    deployment.control.releases.table(release, 2)
    withdrawing.join()
    other.close()
    assert seen == [True], "the release was withdrawn while its table was written"
    assert tables(deployment) == set()


def test_on_the_command_line(ready: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    name = build_with(ready)["release"]
    assert ready.run("release", "show", name)["withdrawn"] is None
    metadata = Path(ready.run("release", "table", name)["metadata"])
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert "for good?" in ready.run(
        "release", "withdraw", name, "--by", "olga", "--reason", REASON, status=1, as_json=False
    )
    assert ready.run("release", "list")["releases"][0]["withdrawn"] is None
    ready.fails("release-unknown", "release", "withdraw", "nothing", "--by", "olga", "--reason", REASON, "--yes")
    ready.fails("release-reason-missing", "release", "withdraw", name, "--by", "olga", "--reason", " ", "--yes")
    withdrawn = ready.run("release", "withdraw", name, "--by", "olga", "--reason", REASON, "--yes")["withdrawn"]
    assert (withdrawn["reason"], withdrawn["position"] > 0, withdrawn["at"] > 0) == (REASON, True, True)
    assert not metadata.exists()
    ready.fails("release-already-withdrawn", "release", "withdraw", name, "--by", "olga", "--reason", REASON, "--yes")
    ready.fails("release-already-withdrawn", "release", "withdraw", name, "--by", "olga", "--reason", REASON)
    ready.fails("release-withdrawn", "release", "table", name)
    ready.fails("release-withdrawn", "release", "materialise", name, ready.folder / "copy")
    for words, status in ((("show", name), 0), (("explain", name, "a1"), 3), (("verify", name), 0)):
        assert ready.run("release", *words, status=status)["withdrawn"] == withdrawn
        text = ready.run("release", *words, status=status, as_json=False).replace("\n", " ")
        assert f"WITHDRAWN: {name}" in text
        assert REASON in text
    assert ready.run("release", "list")["releases"][0]["withdrawn"] == withdrawn
    assert REASON in " ".join(ready.run("release", "list", as_json=False).split())
    other = build_with(ready)["release"]
    assert ready.run("release", "diff", name, other)["before"]["withdrawn"] == withdrawn
    assert f"WITHDRAWN: {name}" in ready.run("release", "diff", name, other, as_json=False)
