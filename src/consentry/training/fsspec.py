"""Model checkpoints in any store that fsspec knows.

Such stores rename nothing in one step, so a model checkpoint is there once its `consentry.json` is: that is written
last, and removed first when it is withdrawn. They lock nothing either: two leases may pass each other between a look
at the fence and the writing, and then the older one withdraws what it wrote when it looks again.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import fsspec

from consentry.training.model_checkpoints import NOTE, QUARANTINE_NOTE, STATE, fence_document, fence_in


class FsspecFolder:
    """A folder of a store, by its address: `s3://bucket/models`, `memory://models`."""

    scratch: Path | None = None

    def __init__(self, address: str, **options: Any) -> None:
        self._store, self._root = fsspec.core.url_to_fs(address, **options)

    def only_one(self) -> AbstractContextManager[None]:
        """Hold nothing: there is nothing to hold."""
        return nullcontext()

    def fence(self, own: int) -> int:
        """Return the highest fence, as far as the store shows it."""
        path = f"{self._root}/{STATE}/fence.json"
        self._store.invalidate_cache()
        known = fence_in(self._store.cat_file(path) if self._store.exists(path) else None)
        if own > known:
            self._store.makedirs(f"{self._root}/{STATE}", exist_ok=True)
            self._store.pipe_file(path, fence_document(own))
        return max(known, own)

    def put(self, folder: Path, target: str) -> None:
        """Upload everything, the note last."""
        root = f"{self._root}/{target}"
        if self._store.exists(root):
            raise FileExistsError(target)
        files = [path for path in folder.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: path.name in (NOTE, QUARANTINE_NOTE)):
            remote = f"{root}/{path.relative_to(folder).as_posix()}"
            self._store.makedirs(remote.rpartition("/")[0], exist_ok=True)
            self._store.put_file(str(path), remote)

    def withdraw(self, name: str, target: str, *, note: bytes) -> None:
        """Remove the note, then move the rest and note why."""
        source, root = f"{self._root}/{name}", f"{self._root}/{target}"
        if self._store.exists(f"{source}/{NOTE}"):
            self._store.rm_file(f"{source}/{NOTE}")
        self._store.makedirs(root.rpartition("/")[0], exist_ok=True)
        self._store.mv(source, root, recursive=True)
        self._store.makedirs(root, exist_ok=True)
        self._store.pipe_file(f"{root}/{QUARANTINE_NOTE}", note)
