"""`./run`: what it refuses, and that it needs only a plain shell. That it sets up is tested by using it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "run", *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", ["run", "requirements/lock", ".ci/run", ".ci/newcomer"])
def test_a_script_can_be_run_and_parsed(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    interpreter = path.read_text("utf-8").splitlines()[0].removeprefix("#!").split()
    assert interpreter in (["/bin/sh"], ["/usr/bin/env", "bash"])
    subprocess.run([*interpreter, "-n", path], check=True)


def test_help_names_every_command(tmp_path: Path) -> None:
    done = run("help", folder=tmp_path)
    assert done.returncode == 0
    commands = ("demo", "consentry", "test", "lint", "bench", "extras", "lock", "sbom")
    assert all(f"  {command}" in done.stdout for command in commands)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["test", "nolane"],
        ["test", "core"],
        ["test", "cities"],
        ["bench"],
        ["bench", "none"],
        ["extras", "nothing"],
        ["extras", "cities", "nothing"],
        ["sbom", "nothing"],
    ],
)
def test_what_does_not_exist_is_refused_with_help(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "  help: " in done.stderr
    assert done.stdout == ""


def test_make_knows_the_aliases_of_the_readme() -> None:
    assert "demo test lint:\n\t@./run $@" in (ROOT / "Makefile").read_text("utf-8")
