"""What may be said once something is recorded, and the ledger does not answer any more: not that nothing was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from consentry.errors import UnavailableError

_NOTHING = "ledger-unavailable"
"""Whoever reads it takes it that nothing was recorded."""


@contextmanager
def once_recorded(
    but: str = "perhaps not all that follows from it is done yet", *, anything: bool = True
) -> Iterator[None]:
    """Do in the block what follows from what is durable in the ledger, and reads it. It holds whatever becomes of that.

    Args:
        but: what nobody knows where the ledger does not answer.
        anything: something was recorded; if not, the error stays as it is.

    Raises:
        UnavailableError: the ledger does not answer any more. Nobody may take it that nothing was recorded.
    """
    try:
        yield
    except UnavailableError as error:
        if error.code != _NOTHING or not anything:
            raise
        raise UnavailableError(
            "ledger-outcome-unknown",
            f"it is recorded, but {but}: {error.message}",
            help="read the ledger when it answers, then retry what is missing",
        ) from error
