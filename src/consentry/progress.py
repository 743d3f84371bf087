"""How far a piece of work is: who does it announces it and counts, whoever watches decides what to show.

Nobody may be watching: then there is no `Progress` at all (None), and what a total costs to know is saved.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told how far the work is. Where nothing is announced, a plain function that counts will do as well."""

    def begin(self, what: str, *, total: int | None, unit: str) -> None:
        """Say what is done from here on, and how much of it there is (None: nobody knows). What was before is over."""
        ...

    def __call__(self, done: int) -> None:
        """Say how much was done since the last call. Any thread may."""
        ...
