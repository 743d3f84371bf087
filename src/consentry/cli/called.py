"""How the command line was called: hints say what to type next as it has to be typed here.

In a checkout that is `./run consentry`: `run` says so in the environment. Whoever has installed it types `consentry`.
"""

from __future__ import annotations

import os
import re
import shlex

CALLED_VARIABLE = "RUN_CALLED_AS"
"""Set by `run`: the path of itself as it was typed."""
_COMMAND = re.compile(r"(?<![\w./-])consentry (?!that\b)(?=[a-z-])")


def program() -> str:
    """Return what has to be typed for `consentry`."""
    run = os.environ.get(CALLED_VARIABLE, "")
    if not run:
        return "consentry"
    return f"{shlex.quote(run if '/' in run else f'./{run}')} consentry"


def as_called(hint: str) -> str:
    """Return a hint with every command in it as it has to be typed."""
    name = program()
    return _COMMAND.sub(lambda _: f"{name} ", hint)
