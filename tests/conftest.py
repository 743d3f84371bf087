"""Lanes: a folder tests/NAME with a requirements/NAME.txt is looked at only when it is asked for by name.

Its packages are not installed elsewhere. `./run test NAME` asks for it in the environment that has them.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from amounts import CAMPAIGN
from consentry.accounts import passwords
from skips import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]
"""What is skipped is held against a list of reasons."""

# A slow machine is no counterexample; a counterexample must be found again by whoever reads the log.
settings.register_profile("consentry", deadline=None, print_blob=True)
settings.register_profile(CAMPAIGN, settings.get_profile("consentry"), max_examples=1_000)
settings.load_profile("consentry")

# A shell ignores Ctrl-C for what it runs in the background, and so would all processes that are interrupted by tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
REQUIREMENTS = TESTS.parent / "requirements"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    lane = collection_path.relative_to(TESTS).parts[:1] if collection_path.is_relative_to(TESTS) else ()
    if not lane or not (REQUIREMENTS / f"{lane[0]}.txt").exists():
        return None
    asked = any(Path(argument.split("::")[0]).resolve().is_relative_to(TESTS / lane[0]) for argument in config.args)
    return None if asked else True


def pytest_collection_finish() -> None:
    """Look for garbage less often, and not in what stays for the whole run: that took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: a third of a test's time is waiting for disks, databases and clocks."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) + 1


@pytest.fixture(scope="session", autouse=True)
def _passwords_cost_little() -> Iterator[None]:
    """Hash passwords at once: that takes a tenth of a second on purpose, and hundreds of tests sign in.

    Not in servers that are processes of their own, and not where a test looks at what is stored.
    """

    @cache
    def cheap() -> object:
        from argon2 import PasswordHasher
        from argon2.profiles import CHEAPEST

        return PasswordHasher.from_parameters(CHEAPEST)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", cheap)
        passwords._no_ones.cache_clear()
        yield
