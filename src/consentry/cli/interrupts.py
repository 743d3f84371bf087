"""Ctrl-C as an exception of our own, so that the exit status stays ours.

Python notes a plain `KeyboardInterrupt` that leaves an `exec` of a string, as data classes are made with, and then ends
`python -m consentry` by the signal, whatever was caught (`run_eval_code_obj` in CPython's `pythonrun.c`). It knows
that exception by identity: a subclass is not noted, and everything that catches `KeyboardInterrupt` catches it.

Nothing but the standard library may be imported here: this is in place before the rest of the program is read in.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C."""


def catch() -> None:
    """Raise `Interrupted` at SIGINT. Where the signal is ignored or somebody else's, it stays so."""
    ours = threading.current_thread() is threading.main_thread()
    if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _raise)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted
