"""How the command line was called: hints say what to type next as it has to be typed here.

In a checkout that is `./run consentry`: `run` says so in the environment. Whoever has installed it types `consentry`.
Whoever named a home has to name it again.
"""

from __future__ import annotations

import os
import re
import shlex
from contextvars import ContextVar
from pathlib import Path

CALLED_VARIABLE = "RUN_CALLED_AS"
"""Set by `run`: the path of itself as it was typed."""
_COMMAND = re.compile(r"(?<![\w./-])consentry (?!that\b)(?=[a-z-])(--home )?")
_HOME: ContextVar[str] = ContextVar("home", default="")


def program() -> str:
    """Return what has to be typed for `consentry`."""
    run = os.environ.get(CALLED_VARIABLE, "")
    if not run:
        return "consentry"
    return f"{shlex.quote(run if '/' in run else f'./{run}')} consentry"


def at_home(home: Path | None) -> None:
    """Take note of the home that the command line names, if it does."""
    _HOME.set("" if home is None else f"--home {shlex.quote(str(home))} ")


def as_called(hint: str) -> str:
    """Return a hint with every command in it as it has to be typed."""
    name, home = program(), _HOME.get()
    return _COMMAND.sub(lambda found: f"{name} {found[1] or home}", hint)
