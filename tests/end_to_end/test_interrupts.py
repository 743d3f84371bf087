"""Ctrl-C at known points of a build: the exit status is 130, it is said, and nothing half-sealed is left.

The build is a real one, in a process of its own, that waits at the point until it is interrupted there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from end_to_end.terminal import Terminal, build
from end_to_end.terminal import ready as ready  # noqa: PLC0414 - a fixture
from end_to_end.terminal import terminal as terminal  # noqa: PLC0414 - a fixture

_WAITING = """
import importlib, signal, sys, time
from consentry.cli.main import main

# Whoever runs the tests in the background may have told all processes to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
place, when, *words = sys.argv[1:]
module, _, name = place.rpartition(".")
owner = importlib.import_module(module)
real = getattr(owner, name)


def wait():
    print("here", flush=True)
    time.sleep(60)


def waiting(*given, **named):
    if when == "before":
        wait()
    result = real(*given, **named)
    wait()
    return result


setattr(owner, name, waiting)
main(words)
"""

_WHILE_A_CLASS_IS_MADE = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)
seen = []


def hook(event, given):
    if event == "import" and given[0] == os.environ["INTERRUPTED_AT"] and not seen:
        seen.append(given)
        exec("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)")


sys.addaudithook(hook)
"""

BEFORE_THE_SEAL = [
    ("consentry.cli.context.open_deployment", "before"),
    ("consentry.cli.context.open_deployment", "after"),
    ("consentry.release.builder.decide", "before"),
    ("consentry.release.builder.content", "after"),
    ("consentry.release.builder.write", "before"),
    ("consentry.release.builder.write", "after"),
    ("consentry.release.sealing._sealed", "after"),
]
AFTER_THE_SEAL = ("consentry.control_plane.newest_word.write_down", "before")


def interrupted(terminal: Terminal, place: str, when: str, *options: str) -> tuple[int, str, str]:
    """Interrupt a build at a point; return the exit status, and what was written to both streams."""
    words = ["--home", str(terminal.home), *options, "release", "build", "network", "--policy", "september-2024"]
    running = subprocess.Popen(
        [sys.executable, "-c", _WAITING, place, when, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "here\n"
    running.send_signal(signal.SIGINT)
    out, notes = running.communicate(timeout=60)
    return running.returncode, out, notes


def releases(terminal: Terminal) -> set[str]:
    """Return the sealed releases; what lies in the folder must be just those, and each must verify."""
    named = {each["release"] for each in terminal.run("release", "list")["releases"]}
    folders = terminal.home / "releases"
    assert {each.name for each in folders.glob("*")} == named
    assert list(folders.rglob(".*.part")) == []
    assert all(terminal.run("release", "verify", name)["ok"] for name in named)
    return named


@pytest.mark.parametrize(("place", "when"), BEFORE_THE_SEAL)
def test_before_the_seal_nothing_is_left(ready: Terminal, place: str, when: str) -> None:
    assert interrupted(ready, place, when) == (130, "", "\ninterrupted; nothing half-done was left behind\n")
    assert releases(ready) == set()
    assert releases(ready) | {build(ready)["release"]} == releases(ready)


def test_after_the_seal_the_release_is_there_and_whole(ready: Terminal) -> None:
    status, out, notes = interrupted(ready, *AFTER_THE_SEAL)
    assert (status, out) == (130, "")
    assert notes.startswith("\ninterrupted; ")
    (sealed,) = releases(ready)
    assert {sealed, build(ready)["release"]} == releases(ready)


def test_for_programs_the_status_says_it_and_no_document_is_printed(ready: Terminal) -> None:
    status, out, notes = interrupted(ready, "consentry.release.builder.write", "before", "--json")
    assert (status, out) == (130, "")
    with pytest.raises(json.JSONDecodeError):
        json.loads(notes)
    assert "interrupted" in notes


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("click", 130),
        ("consentry.settings", 130),
        ("consentry.cli.interrupts", -signal.SIGINT),  # the control: ours is not in place yet
    ],
)
def test_the_status_stays_where_python_would_end_by_the_signal(tmp_path: Path, place: str, status: int) -> None:
    (tmp_path / "sitecustomize.py").write_text(_WHILE_A_CLASS_IS_MADE)
    paths = [str(tmp_path), *sys.path]
    ended = subprocess.run(
        [sys.executable, "-m", "consentry", "doctor"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "INTERRUPTED_AT": place},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == status, ended
    assert b"Traceback" not in ended.stderr
