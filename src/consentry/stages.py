"""Stages of work that take time: who does the work says where one begins, whoever collects traces measures it.

    with stage("release.open"):
        ...

Mostly nobody watches: then a stage is one look whether anybody does. What is said of a stage beside its name are counts
and words of our own, never what names a person, an item, a file or an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import Context, ContextVar, copy_context

Watcher = Callable[[str, Mapping[str, int | str]], AbstractContextManager[object]]
"""Is told the name of a stage, and what is said of it, and lasts as long as the stage."""
_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)
_UNWATCHED: AbstractContextManager[object] = nullcontext()


def stage(name: str, **facts: int | str) -> AbstractContextManager[object]:
    """Return what lasts as long as a stage of the work that this thread, or task, does for whoever asked."""
    watcher = _WATCHER.get()
    return _UNWATCHED if watcher is None else watcher(name, facts)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Have the stages of what is done in this block watched, on whatever threads its context is taken along to."""
    before = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(before)


def apart() -> Context:
    """Return a copy of the context for work that is done for several who asked: it is no stage of any one of them."""
    found = copy_context()
    found.run(_WATCHER.set, None)
    return found
