"""Who watches the demo sees how far its longer steps are, as with the commands it plays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from consentry.cli.main import main
from consentry.cli.output import Output
from end_to_end.test_progress import Watched, Watching, console

FURTHER = ("counting", "looking for what leaves")
"""Of these the deployment tells by itself, whatever was asked of it."""


def test_the_longer_steps_of_the_demo_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Watched.seen = Watching()
    monkeypatch.setattr("consentry.cli.main.Output", Watched)
    people, items = 1_500, 6_000
    with pytest.raises(SystemExit) as left:
        main(
            [
                *("--home", str(tmp_path / "home"), "demo", "--no-serve"),
                *("--people", str(people), "--items", str(items)),
            ]
        )
    assert left.value.code == 0
    announced = dict.fromkeys((what, total) for what, total, _ in seen.told() if what != "opening")
    assert [each[0] for each in announced if not each[0].startswith(FURTHER)] == [
        "generating",
        "reading people",
        "reading items",
        "looking for repeated ids",
        "checking choices",
        "recording choices",
        "deciding",
        "checking content files",
        "checking sidecars",
        "writing a table",
    ]
    assert {("generating", items), ("reading items", items), ("deciding", items)} <= announced.keys()


def test_threads_that_come_together_share_a_bar_and_none_takes_it_from_another() -> None:
    out = Output(notes=console()[0])
    together, seen = Barrier(8), []

    def work() -> None:
        for _ in range(50):
            together.wait(20)
            with out.progress() as progress:
                seen.append(progress)

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(work) for _ in range(8)]:
            done.result()
    assert len(seen) == 400
    assert None not in seen
