"""`./run sbom` names everything that the locks pin, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "requirements" / "bill_of_materials.py"


def printed(*names: str) -> str:
    done = subprocess.run([sys.executable, "-P", SCRIPT, *names], capture_output=True, text=True, check=True, cwd="/")
    return done.stdout


def pinned(lock: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8").splitlines()
    return {line.split()[0].partition("[")[0].partition("==")[0] for line in lines if "==" in line.partition("#")[0]}


@pytest.mark.parametrize("names", [("core",), ("core", "postgres", "cities"), ("lint",)])
def test_it_names_what_the_locks_pin(names: tuple[str, ...]) -> None:
    found: dict[str, Any] = json.loads(printed(*names))
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    components = found["components"]
    assert {each["name"] for each in components} == set().union(*map(pinned, names))
    refs = [each["bom-ref"] for each in components]
    assert len(refs) == len(set(refs))
    assert found["dependencies"][0]["dependsOn"] == refs
    for each in components:
        assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"
        assert [note for note in each["properties"] if note["value"].startswith("sha256:")], each["name"]
    assert {each["scope"] for each in components} <= {"required", "optional"}


def test_it_is_the_same_again_and_names_no_address() -> None:
    assert printed() == printed("core")
    assert "//" not in printed()
    assert json.loads(printed())["serialNumber"] != json.loads(printed("core", "postgres"))["serialNumber"]


def test_a_lock_that_is_not_there_is_refused_with_help() -> None:
    done = subprocess.run([sys.executable, "-P", SCRIPT, "nothing"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "  help: locks: " in done.stderr
