"""Why a test may be skipped where everything has to run: `.ci/run` sets CI, and there any other skip is a failure.

Each reason is one that no machine can be without: root may do what others may not, and the other way round. Whatever an
installation would mend (a browser, a database, a package) is no reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

NEEDS_ROOT = "only root may mount a small disk; the limit on file sizes is tested below"
NEEDS_NOBODY_SPECIAL = "root may write anywhere"
NOT_OURS = "the given server is not ours to reconfigure"
NOT_OURS_TO_STOP = "the given server stays"
NOT_LINUX = "reads the peak from /proc"
NO_FULL_DEVICE = "needs /dev/full"
NO_GPU = "needs a GPU with CUDA"
NOT_ASKED_FOR = "asked for with --screenshots FOLDER"

ALLOWED = frozenset(
    {NEEDS_ROOT, NEEDS_NOBODY_SPECIAL, NOT_OURS, NOT_OURS_TO_STOP, NOT_LINUX, NO_FULL_DEVICE, NO_GPU, NOT_ASKED_FOR}
)


def may_skip(reason: str) -> bool:
    """Say whether a test that is skipped for a reason may be, where everything has to run."""
    return reason.removeprefix("Skipped: ") in ALLOWED


def _held_against_the_list(report: Any) -> None:
    """Turn a skip for another reason into a failure, if everything has to run."""
    if not os.environ.get("CI") or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not may_skip(reason):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: may not be skipped here ({reason}); tests/skips.py has the reasons"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    """Look at a test that was run."""
    report = yield
    _held_against_the_list(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[Any]:
    """Look at a file of tests that was read: it may skip itself as a whole."""
    report = yield
    _held_against_the_list(report)
    return report
