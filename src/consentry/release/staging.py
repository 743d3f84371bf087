"""A folder that appears whole or not at all.

What is written goes to a hidden neighbour of the target, `.<name>.part`, which is renamed when everything in it is on
disk. A crash leaves at most that neighbour, and the next attempt removes it. One writer at a time per target.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consentry.durable import sync_tree, take_name
from consentry.errors import ConflictError
from consentry.exhausted import full_as


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` when the block ends without an error, and vanishes when it does not.

    Raises:
        ConflictError: `target` exists.
        UnavailableError: there is no space left.
    """
    if target.exists():
        raise ConflictError(
            "release-target-exists",
            f"`{target}` exists already",
            help="remove it first, or choose another folder",
        )
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    help_line = "free some space and try again; nothing was left behind"
    try:
        with full_as("release-disk-full", f"no space left to write `{target}`", help=help_line):
            part.mkdir(parents=True)
            yield part
            sync_tree(part)
            take_name(part, target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
