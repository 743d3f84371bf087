"""The steps of `.ci/run`: one that fails or is killed is never taken for one that passed, and ends the others."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

STEPS = Path(__file__).parents[2] / ".ci" / "steps.sh"


def ran(*steps: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = f'set -euo pipefail; . "{STEPS}"; two_at_a_time "$@"; echo "all passed"'
    return subprocess.run(
        ["bash", "-c", program, "steps", *steps], cwd=folder, capture_output=True, text=True, check=False, timeout=50
    )


def test_each_is_run_and_says_what_it_prints_in_one_piece(tmp_path: Path) -> None:
    loud = tmp_path / "loud"
    loud.write_text("for each in 1 2 3; do echo loud $1 $each; sleep 0.1; done")
    done = ran(*(f"bash {loud.name} {number}" for number in range(4)), folder=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all passed")
    for number in range(4):
        printed = "".join(f"loud {number} {each}\n" for each in (1, 2, 3))
        assert f"=== bash loud {number}\n{printed}=== passed in " in done.stdout


@pytest.mark.parametrize("steps", [("false",), ("true", "false"), ("true", "true", "false"), ("false", "true", "true")])
def test_one_that_fails_fails_all(tmp_path: Path, steps: tuple[str, ...]) -> None:
    done = ran(*steps, folder=tmp_path)
    assert done.returncode == 1
    assert "=== FAILED (1) after 0 s: false" in done.stdout
    assert "all passed" not in done.stdout


def test_its_status_is_kept_and_what_runs_beside_it_ends_with_all_that_it_started(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("bash -c 'touch begun; sleep 2; touch went-on' & wait")
    (tmp_path / "fails").write_text("until [[ -e begun ]]; do sleep 0.05; done; exit 7")
    done = ran("bash long", "bash fails", "touch after", folder=tmp_path)
    assert done.returncode == 7
    time.sleep(2.5)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["begun", "fails", "long"]


def test_one_that_is_killed_has_not_passed(tmp_path: Path) -> None:
    (tmp_path / "killed").write_text("kill -KILL 0")
    done = ran("true", "bash killed", folder=tmp_path)
    assert done.returncode == 1
    assert "=== FAILED: it was killed: bash killed" in done.stdout


def test_all_that_is_printed_is_shown_of_one_that_fails_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setenv("TMPDIR", str(kept))
    (tmp_path / "fails").write_text("seq 200000; exit 3")
    done = ran("sleep 5", "bash fails", folder=tmp_path)
    assert (done.returncode, len(done.stdout.splitlines()) > 200_000) == (3, True)
    assert "=== FAILED (3) after" in done.stdout
    assert list(kept.iterdir()) == []
