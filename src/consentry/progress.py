"""How far a piece of work is: who does it announces it and counts, whoever watches decides what to show.

Nobody may be watching: then there is no `Progress` at all (None), and what a total costs to know is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

_Thing = TypeVar("_Thing")
_Result = TypeVar("_Result")


class Progress(Protocol):
    """Is told how far the work is. Where nothing is announced, a plain function that counts will do as well."""

    def begin(self, what: str, *, total: int | None, unit: str) -> None:
        """Say what is done from here on, and how much of it there is (None: nobody knows). What was before is over."""
        ...

    def __call__(self, done: int) -> None:
        """Say how much was done since the last call. Any thread may."""
        ...


Watching = Callable[[], AbstractContextManager[Progress | None]]
"""Whoever watches work that no caller announced, such as reading the ledger: for as long as the block lasts."""


def unwatched() -> AbstractContextManager[Progress | None]:
    """Nobody watches."""
    return nullcontext()


def watched(
    things: Iterable[_Thing], progress: Progress | None, *, what: str, total: int | None, unit: str
) -> Iterator[_Thing]:
    """Announce what is done with things, give them out one by one, and count each when the next one is asked for."""
    if progress is None:
        yield from things
        return
    progress.begin(what, total=total, unit=unit)
    for thing in things:
        yield thing
        progress(1)


def watched_work(
    work: Callable[[_Thing], _Result], progress: Progress | None, *, size: Callable[[_Thing], int] = lambda _: 1
) -> Callable[[_Thing], _Result]:
    """Return `work` that also counts, by `size`, what it was done with."""
    if progress is None:
        return work

    def counted_work(thing: _Thing) -> _Result:
        result = work(thing)
        progress(size(thing))
        return result

    return counted_work
