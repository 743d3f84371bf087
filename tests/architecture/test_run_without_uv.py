"""`./run` where there is no uv: pip brings it, and where it cannot be had, plain pip makes the environment.

Both are done for real, with the index of packages that pip is set to use, in a copy of what they need. The lock is cut
down to what one command of the command line imports. Not in the default lane, which needs no network once it is set up:
`.ci/newcomer` runs them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "dirname", "basename", "cat", "tr", "cksum", "mkdir", "rm", "grep")
"""All that `run` calls but Python."""
FEW = ("click", "markdown-it-py", "mdurl", "pygments", "rich")
"""What `consentry policy` imports, and what that needs."""
COMMAND = ("consentry", "policy", "show", "september-2024", "--json")
WHAT_IS_THERE = (
    "import importlib.metadata, json, re\n"
    "found = importlib.metadata.distributions()\n"
    "print(json.dumps({re.sub('[-_.]+', '-', each.name).lower(): each.version for each in found}))"
)


def locked(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock, re.MULTILINE))


def cut_down(lock: str) -> str:
    """Return what a lock says of a few packages, with its hashes."""
    entries = re.findall(r"^[a-z0-9-]+==.*?(?=^[a-z0-9-]+==|\Z)", lock, re.MULTILINE | re.DOTALL)
    return "".join(each for each in entries if each.partition("==")[0] in FEW)


class Checkout:
    """A copy of what making an environment needs, on a machine that has a shell, a Python and no uv."""

    def __init__(self, folder: Path) -> None:
        self.root, tools = folder / "a checkout", folder / "tools"
        for each in ("requirements", "src"):
            shutil.copytree(ROOT / each, self.root / each, ignore=shutil.ignore_patterns("__pycache__"))
        for each in ("run", "pyproject.toml"):
            shutil.copy(ROOT / each, self.root)
        core = self.root / "requirements" / "core.txt"
        core.write_text(cut_down(core.read_text("utf-8")), "utf-8")
        self.locked = locked(core.read_text("utf-8"))
        tools.mkdir()
        for tool in TOOLS:
            (tools / tool).symlink_to(shutil.which(tool) or "")
        (tools / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CONSENTRY"))},
            "PATH": str(tools),
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "run", *arguments],
            cwd=self.root,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def made_of(self) -> dict[str, str]:
        """Return the packages that are in the environment."""
        python = self.root / ".run" / "core" / "bin" / "python"
        done = subprocess.run([python, "-P", "-c", WHAT_IS_THERE], capture_output=True, text=True, check=True)
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def makes_it_once(self) -> str:
        """Run the command twice, check what is there, and return what was said the first time."""
        first = self.run(*COMMAND)
        assert first.returncode == 0, first.stderr[-2000:]
        assert json.loads(first.stdout)["name"] == "september-2024"
        assert self.made_of() == self.locked, "exactly the lock: neither pip nor uv nor setuptools"
        assert not (self.root / ".run" / "uv").exists(), "it is not kept"
        stamp = self.root / ".run" / "core" / "stamp"
        before = stamp.stat().st_mtime_ns
        # The second time nothing can be fetched, and nothing needs to be.
        again = self.run(*COMMAND, PIP_NO_INDEX="1", UV_OFFLINE="1", PIP_CONFIG_FILE=os.devnull)
        assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")
        assert stamp.stat().st_mtime_ns == before
        return first.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    assert made.locked.keys() == set(FEW)
    assert shutil.which("uv", path=made.environment["PATH"]) is None
    yield made
    shutil.rmtree(made.root)  # 60 MB, which pytest would keep


@pytest.mark.slow
def test_pip_brings_uv_which_makes_the_environment(checkout: Checkout) -> None:
    said = checkout.makes_it_once()
    assert "setting up .run/core" in said
    assert "going on without uv" not in said


@pytest.mark.slow
def test_uv_is_brought_once_for_several_environments_and_not_kept(checkout: Checkout, tmp_path: Path) -> None:
    shutil.copy(checkout.root / "requirements" / "core.txt", checkout.root / "requirements" / "lint.txt")
    log = tmp_path / "pip.log"
    done = checkout.run("ready", "core", "lint", PIP_LOG=str(log))
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line for line in done.stderr.splitlines() if "setting up" in line] == [
        f"run: setting up .run/{name}" for name in ("core", "lint")
    ]
    assert log.read_text("utf-8").count("Collecting uv==") == 1
    assert not (checkout.root / ".run" / "uv").exists()


@pytest.mark.slow
def test_plain_pip_makes_the_environment_where_uv_cannot_be_had(checkout: Checkout) -> None:
    lock = checkout.root / "requirements" / "uv.txt"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", lock.read_text("utf-8")), "utf-8")
    said = checkout.makes_it_once()
    assert "do not match the hashes" in said.lower(), "nothing is installed that is not what the lock says"
    assert "run: going on without uv" in said


@pytest.mark.slow
def test_what_cannot_be_installed_leaves_nothing_that_counts_as_made(checkout: Checkout) -> None:
    for name in ("uv", "core"):
        lock = checkout.root / "requirements" / f"{name}.txt"
        lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", lock.read_text("utf-8")), "utf-8")
    done = checkout.run(*COMMAND)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-2:] == [
        "run: could not install requirements/core.txt",
        "  help: is the package index reachable from here? See the lines above",
    ]
    assert not (checkout.root / ".run" / "core" / "stamp").exists()
