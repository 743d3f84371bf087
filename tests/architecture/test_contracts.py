"""The import contracts of pyproject.toml hold, and each of them bites."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources to plant violations in."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.parquet"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(tree: Path) -> tuple[bool, str]:
    program = "from importlinter.cli import lint_imports_command as main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "--no-cache"],
        cwd=tree,
        # The copy must win over the installed sources.
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr


def test_the_contracts_hold(tree: Path) -> None:
    kept, report = lint_imports(tree)
    assert kept, report


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("policy/evaluator.py", "import numpy", "plain Python"),
        ("ledger/state.py", "import sqlalchemy", "knows no database"),
        ("corpus/sidecar.py", "import rich", "Only the edge"),
        ("release/kernel.py", "import duckdb", "Only the edge"),
        ("policy/choice.py", "import consentry.corpus.sidecar", "downward only"),
        ("digests.py", "import consentry.policy.choice", "downward only"),
        ("settings.py", "import consentry.bootstrap", "downward only"),
        ("corpus/planted.py", "import consentry.ledger.sql", "bootstrap only"),
        ("control_plane/plane.py", "import sqlalchemy", "Only the edge"),
        ("cli/main.py", "import consentry.connectors.planted", "bootstrap only"),
        ("control_plane/plane.py", "import consentry.storage", "bootstrap only"),
        ("training/planted.py", "import consentry.control_plane", "no server"),
        ("service/planted.py", "import consentry.clock", "Time is an argument"),
        ("connectors/planted.py", "import consentry.connectors.other", "do not know each other"),
        ("training/planted.py", "import consentry.ledger.state", "no server"),
        ("ledger/events.py", "import consentry.ledger.sql", "storage is on top"),
        ("policy/choice.py", "import consentry.policy.evaluator", "No cycles"),
        ("unlisted.py", "import json", "downward only"),
    ],
)
def test_control_a_planted_violation_is_found(tree: Path, module: str, statement: str, contract: str) -> None:
    package = tree / "src" / "consentry"
    for other in ("ledger/sql.py", "connectors/other.py", "connectors/planted.py"):
        (package / other).touch()
    with (package / module).open("a", encoding="utf-8") as file:
        # Inside a function: lazy imports count.
        file.write(f"\n\ndef planted() -> None:\n    {statement}\n")
    kept, report = lint_imports(tree)
    assert not kept
    broken = [line for line in report.splitlines() if line.endswith("BROKEN")]
    assert any(contract in line for line in broken), report
