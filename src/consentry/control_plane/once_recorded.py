"""What may be said once something is recorded, and what follows cannot be done: not that nothing was.

The ledger does not answer any more, or the system gives this process no more files, memory or room on a disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from consentry.errors import UnavailableError
from consentry.exhausted import disk_full, no_room

_NOTHING = frozenset({"ledger-unavailable", "system-disk-full", "system-exhausted"})
"""Whoever reads one of them takes it that nothing was recorded."""


@contextmanager
def once_recorded(
    but: str = "perhaps not all that follows from it is done yet", *, anything: bool = True
) -> Iterator[None]:
    """Do in the block what follows from what is durable in the ledger, and reads it. It holds whatever becomes of that.

    Args:
        but: what nobody knows then.
        anything: something was recorded; if not, the error stays as it is.

    Raises:
        UnavailableError: that cannot be done. Nobody may take it that nothing was recorded.
    """
    try:
        yield
    except (UnavailableError, OSError) as error:
        found = (no_room(error) or disk_full(error)) if isinstance(error, OSError) else error
        if found is None or found.code not in _NOTHING or not anything:
            raise
        raise UnavailableError(
            "ledger-outcome-unknown",
            f"it is recorded, but {but}: {found.message}",
            help="read what is there when it can be read, then retry what is missing",
        ) from error
