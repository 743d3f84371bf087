"""What a training host has to install: nothing to hold a lease, three packages to read a release."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from training.jobs import ROOT

_ALONE = """
import importlib, sys

allowed = {"consentry", *sys.stdlib_module_names, *sys.argv[1].split()}

class Others:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Others())
for name in sys.argv[2:]:
    importlib.import_module(f"consentry.training.{name}")
"""
BARE = ("client", "consumption", "delivery", "model_checkpoints", "other_leases", "serving", "watchdog")


def alone(packages: str, *modules: str) -> subprocess.CompletedProcess[str]:
    """Import modules where only the standard library and some packages are installed."""
    line = [sys.executable, "-P", "-c", _ALONE, packages, *modules]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", BARE)
def test_a_lease_is_held_with_the_standard_library_alone(module: str) -> None:
    done = alone("", module)
    assert done.returncode == 0, done.stderr


def test_a_release_is_read_with_three_packages() -> None:
    done = alone("numpy pyarrow pyroaring", *BARE, "arrow", "left_out")
    assert done.returncode == 0, done.stderr


def test_control_what_is_not_installed_is_missed() -> None:
    assert "pyroaring is not installed here" in alone("numpy pyarrow", "arrow").stderr
