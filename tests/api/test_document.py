"""Schemathesis reads the description, sends what it allows and what it forbids, and holds every answer against it.

Each operation is asked by one caller who may do it, so that it is really done: what others may not do is asked at every
address by `tests/service/test_access.py`. A shorter run of everything stands in CI; `./run test api -m slow` is longer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.conftest import CALLERS, Place
from consentry.accounts.access import TABLE, Action, Role, Scope

CONFIG = Path(__file__).parent / "schemathesis.toml"
CHECK = Path(__file__).parent / "codes.py"
EXAMPLES = int(os.environ.get("CONSENTRY_TEST_EXAMPLES", "2"))
MANY_EXAMPLES = 50
"""Of one operation in one phase, in a campaign."""


def operations(place: Place) -> Iterator[tuple[str, set[Action]]]:
    """Yield every operation of the description, with what it needs."""
    for methods in place.ask("GET", "/openapi.json").json["paths"].values():
        for operation in methods.values():
            yield operation["operationId"], {Action(each) for each in operation["x-consentry-actions"]}


def of(place: Place, caller: str) -> list[str]:
    """Return the operations that a caller is the first to be able to do."""
    return [name for name, actions in operations(place) if _first(actions) == caller]


def _first(actions: set[Action]) -> str:
    if Action.HOLDER in actions:
        return "holder"
    needed = actions - {Action.ANYONE}
    may = (
        name for name, roles in CALLERS.items() if all(any(_may(role, action) for role in roles) for action in needed)
    )
    return next(may, "")


def _may(role: Role, action: Action) -> bool:
    """Say whether a role may do something as far as it goes: an authority in its jurisdictions."""
    return TABLE[action].get(role) in {Scope.ALL, *([Scope.AREAS] if role is Role.AUTHORITY else [])}


def _line(place: Place, caller: str, *, examples: int) -> list[str]:
    shown = place.shown[caller]
    config = place.deployment.settings.home / f"{caller}.toml"
    pinned = "".join(f"{name} = {value!r}\n" for name, value in shown.pinned.items())
    loaded = f"hooks = {str(CHECK)!r}\n\n"
    config.write_text(loaded + CONFIG.read_text() + (f"\n[parameters]\n{pinned}" if pinned else ""))
    line: list[Any] = [sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run"]
    line += [f"{place.ask.url}/openapi.json", "--header", f"{shown.header}: {shown.value}"]
    line += ["--header", "Sec-Fetch-Site: same-origin", "--max-examples", examples, "--seed", "7", "--no-color"]
    for name in of(place, caller):
        line += ["--include-operation-id", name]
    if shown.header == "Cookie":
        # It leaves the cookie in its place while it sends wrong keys. `tests/service/test_access.py` asks without.
        line += ["--exclude-checks", "ignored_auth"]
    return list(map(str, line))


@dataclass
class Asking:
    """One run of Schemathesis, and where it writes."""

    process: subprocess.Popen[bytes]
    output: Path

    def found(self, *, within_s: int) -> str:
        """Wait for the end, and return what was found: nothing if every answer was one of the document."""
        code, told = self.process.wait(within_s), self.output.read_text()
        sys.stdout.write(told[-1_500:])  # how much was asked: shown with -rP
        return told[-20_000:] if code else ""


@contextmanager
def _asking(place: Place, *, examples: int) -> Iterator[dict[str, Asking]]:
    """Let all callers ask at once: each takes a processor to itself for most of the time."""
    running = {}
    try:
        for caller in place.shown:
            output = place.deployment.settings.home / f"{caller}.txt"
            with output.open("wb") as out:
                process = subprocess.Popen(
                    _line(place, caller, examples=examples), stdout=out, stderr=subprocess.STDOUT, cwd=output.parent
                )
            running[caller] = Asking(process, output)
        yield running
    finally:
        for each in running.values():
            each.process.kill()
            each.process.wait()


@pytest.fixture(scope="module")
def asking(place: Place) -> Iterator[dict[str, Asking]]:
    with _asking(place, examples=EXAMPLES) as running:
        yield running


def test_somebody_can_do_everything(place: Place) -> None:
    asked = [name for caller in place.shown for name in of(place, caller)]
    assert sorted(asked) == sorted(name for name, _ in operations(place))


@pytest.mark.parametrize("caller", [*CALLERS, "holder"])
def test_every_answer_is_one_of_the_document(asking: dict[str, Asking], caller: str) -> None:
    assert not asking[caller].found(within_s=900)


@pytest.mark.slow
def test_a_campaign_of_answers(place: Place) -> None:
    with _asking(place, examples=MANY_EXAMPLES) as running:
        for each in running.values():
            assert not each.found(within_s=7200)
