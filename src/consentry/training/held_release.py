"""The release that a lease lets a job read: its files, and which of their rows are left out by now."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consentry.errors import UnavailableError
from consentry.training.lease_requests import LeaseRequests, over
from consentry.training.shared_deadline import LeaseState, SharedDeadline

_TIMEOUT_S = 10.0
_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFile:
    """A data file of the release, as the manifest pins it."""

    index: int
    path: Path
    size: int
    rows: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRelease:
    """A release under a lease. A copy may go to the workers of the job: they see the same deadline."""

    name: str
    manifest: str
    purpose: str
    files: tuple[HeldFile, ...]
    requests: LeaseRequests
    shared: SharedDeadline
    seen: dict[Path, tuple[int, ...]] = field(default_factory=dict, compare=False)
    """What the file system said of each file when it was opened first, see `open_again`."""

    def check(self) -> None:
        """Raise LeaseOverError if the job may not go on. From memory."""
        if self.shared.is_over():
            raise over(self.shared.reason)

    def check_deadline(self) -> None:
        """Raise LeaseOverError if nothing of the job may run any more. From memory.

        For ranks that agree on every step: one that stopped reading alone would leave the others waiting.
        """
        if self.shared.state is LeaseState.STOPPED or self.shared.remaining_s() <= 0:
            raise over(self.shared.reason)

    def excluded(self, file: int) -> bytes:
        """Return the bitmap of the rows that the sealed release leaves out of a file.

        Raises:
            LeaseOverError: the lease was over before there was an answer.
        """
        return self._asked(lambda timeout_s: self.requests.exclusions(file, timeout_s=timeout_s))

    def removed(self, file: int, amendment: int) -> bytes:
        """Return the bitmap of the rows that amendments up to this one remove from a file; none is empty.

        Raises:
            LeaseOverError: the lease was over before there was an answer.
        """
        if not amendment:
            return b""
        return self._asked(lambda timeout_s: self.requests.removed(file, amendment, timeout_s=timeout_s))

    def _asked(self, ask: Callable[[float], bytes]) -> bytes:
        """Ask until there is an answer: without one nothing may be read."""
        while True:
            self.check()
            try:
                return ask(min(_TIMEOUT_S, max(self.shared.remaining_s(), 0.1)))
            except UnavailableError:
                time.sleep(_AGAIN_S)


def held_files(document: Any) -> tuple[HeldFile, ...]:
    """Return the files named in the answer to a grant, in the order of their numbers.

    Raises:
        KeyError, TypeError, ValueError: it does not name them as it should.
    """
    files = [
        HeldFile(
            index=int(each["index"]),
            path=Path(each["path"]),
            size=int(each["size"]),
            rows=int(each["rows"]),
            digest=str(each["digest"]),
        )
        for each in document["files"]
    ]
    files.sort(key=lambda file: file.index)
    if [file.index for file in files] != list(range(len(files))):
        raise ValueError("the files are not numbered from 0")
    return tuple(files)
