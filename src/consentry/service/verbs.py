"""How the event loop calls verbs of the control plane: on threads, so that a verb may wait for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from consentry.control_plane.plane import ControlPlane

THREADS = 64
"""So many may wait until it is known what an order hits, and others still be answered."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Verbs:
    """Calls verbs. Close it when nothing calls any more."""

    def __init__(self, control: ControlPlane, *, threads: int = THREADS) -> None:
        self.control = control
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verb")

    async def __call__(self, verb: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
        """Call a verb on one of the threads, and return what it returns. What it logs is of the caller's platform."""
        called = partial(copy_context().run, partial(verb, *arguments, **named))
        return await asyncio.get_running_loop().run_in_executor(self._pool, called)

    def close(self) -> None:
        """Wait for the verbs that are at work."""
        self._pool.shutdown()
