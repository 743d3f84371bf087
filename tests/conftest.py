"""Lanes: a folder tests/NAME with a requirements/NAME.txt is looked at only when it is asked for by name.

Its packages are not installed elsewhere. `./run test NAME` asks for it in the environment that has them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from skips import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]
"""What is skipped is held against a list of reasons."""

# A slow machine is no counterexample; a counterexample must be found again by whoever reads the log.
settings.register_profile("consentry", deadline=None, print_blob=True)
settings.load_profile("consentry")

TESTS = Path(__file__).parent
REQUIREMENTS = TESTS.parent / "requirements"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    lane = collection_path.relative_to(TESTS).parts[:1] if collection_path.is_relative_to(TESTS) else ()
    if not lane or not (REQUIREMENTS / f"{lane[0]}.txt").exists():
        return None
    asked = any(Path(argument.split("::")[0]).resolve().is_relative_to(TESTS / lane[0]) for argument in config.args)
    return None if asked else True


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: a third of a test's time is waiting for disks, databases and clocks."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) + 1
