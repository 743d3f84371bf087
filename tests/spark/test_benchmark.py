"""The benchmark of Spark runs, and says that both ways come to the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_runs(tmp_path: Path) -> None:
    script = ROOT / "benchmarks" / "on_spark.py"
    done = subprocess.run(
        [sys.executable, script, "--scale", "0.002", "--data", tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "met" in done.stdout
    assert "missed" not in done.stdout
