"""Model checkpoints in any store that fsspec knows.

Such stores lock nothing and rename nothing in one step. What they can do is refuse to create what is there. So what
has to have an order is a log of small objects, each created once under the next free number and never written again:

    ROOT/.consentry/log/00000001    {"fence": 7, ...}                       a lease was here: none below it comes back
    ROOT/.consentry/log/00000002    {"fence": 7, "kept": "step-100", ...}   what was uploaded under this name is kept

Whoever wants the next number reads all before it. An older lease that was overtaken finds the number taken, reads why,
and keeps nothing more: there is no moment between its look at the fence and its word. A model checkpoint is there once
its `consentry.json` is: that is written after the word, and removed first when it is withdrawn. A name that was kept is
not given again. What a crash left under a name that was not is replaced by the next lease that writes it; where the
older one still lives, a file that it had begun to send may arrive late, and does not match the digest in the note.

A store that cannot refuse can keep model checkpoints all the same, under a name that the control plane knows it by
(`known_as`). Then the word is the event by which the control plane confirms one, in the order of the ledger: it refuses
an older lease once a later one kept something there, and a name that another lease kept. What was confirmed before that
is written, as it came before.
"""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from consentry import durable
from consentry.errors import InputError, StateError
from consentry.exhausted import walked
from consentry.training.model_checkpoints import NOTE, QUARANTINE_NOTE, STATE, OvertakenError, fence_in

_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,97}")
"""With `@`, a slash and the longest name it is as long as a name may be for the control plane."""


class FsspecFolder:
    """A folder of a store, by its address: `s3://bucket/models`, `memory://models`.

    `known_as` is for stores that write over what they should refuse to create: the control plane keeps the order of all
    that write under this name, and there is no log. Whoever writes to one folder has to give it the same name.
    """

    scratch: Path | None = None

    def __init__(self, address: str, *, known_as: str | None = None, **options: Any) -> None:
        if known_as is not None and not _PLACE.fullmatch(known_as):
            raise InputError(
                "checkpoint-place",
                f"`{known_as}` cannot name a place",
                help="use letters, digits, dots, dashes and underscores, at most 98",
            )
        self.known_as = known_as
        self._store, self._root = fsspec.core.url_to_fs(address, **options)
        self._read: list[dict[str, Any]] = []
        self._before = 0
        """The fence of before there was a log."""
        self._refuses = False

    def only_one(self) -> AbstractContextManager[None]:
        """Hold nothing: the log gives an order."""
        return nullcontext()

    def fence(self, own: int) -> int:
        """Return the highest fence of the log, raised to one's own.

        Raises:
            StateError: the store overwrites what it should refuse to create.
        """
        if self.known_as is not None:
            return own  # asked when it is confirmed
        self._require_refusal()
        while True:
            highest = self._highest()
            if own <= highest:
                return highest
            self._say({"fence": own})

    def put(self, folder: Path, target: str, *, fence: int | None) -> None:
        """Upload everything, the note last."""
        root = f"{self._root}/{target}"
        self._store.invalidate_cache()
        if fence is None:
            if self._store.exists(root):
                raise FileExistsError(target)
        else:
            self._require_mine(target, fence)
            if self._store.exists(f"{root}/{NOTE}"):
                raise FileExistsError(target)
            self._remove(root)
        notes = (NOTE, QUARANTINE_NOTE)
        files = (path for root, _, names in walked(folder) for name in names if (path := root / name).is_file())
        for path in sorted(files, key=lambda path: path.name in notes):
            if fence is not None:
                self._require_mine(target, fence, saying=path == folder / NOTE)
            remote = f"{root}/{path.relative_to(folder).as_posix()}"
            self._store.makedirs(remote.rpartition("/")[0], exist_ok=True)
            self._store.put_file(str(path), remote)

    def withdraw(self, name: str, target: str, *, note: bytes) -> None:
        """Remove the note, then move the rest and note why."""
        source, root = f"{self._root}/{name}", f"{self._root}/{target}"
        if self._store.exists(f"{source}/{NOTE}"):
            self._store.rm_file(f"{source}/{NOTE}")
        self._store.invalidate_cache()
        for path in self._store.find(source):
            moved = f"{root}{path.removeprefix(source)}"
            self._store.makedirs(moved.rpartition("/")[0], exist_ok=True)
            self._store.mv(path, moved)
        self._store.makedirs(root, exist_ok=True)
        self._store.pipe_file(f"{root}/{QUARANTINE_NOTE}", note)

    def _require_mine(self, name: str, fence: int, *, saying: bool = False) -> None:
        """Refuse to write under a name that is kept, or after a later lease; if `saying`, say that it is kept now."""
        if self.known_as is not None:
            return  # the control plane confirmed it
        while True:
            if self._highest() > fence:
                # What was uploaded stays: whoever overtook this lease may be writing under the same name.
                raise OvertakenError
            kept_by = {int(each["fence"]) for each in self._read if each.get("kept") == name}
            if kept_by - {fence}:
                raise FileExistsError(name)
            # Said by this lease already: what failed was the note, and it is tried again.
            if not saying or kept_by or self._say({"fence": fence, "kept": name}):
                return

    def _remove(self, root: str) -> None:
        if self._store.exists(root):
            self._store.rm(root, recursive=True)

    def _highest(self) -> int:
        """Return the highest fence of the log as it is now; what was read once does not change."""
        while self._store.exists(path := self._entry(len(self._read) + 1)):
            entry = self._store.cat_file(path)
            self._read.append({**json.loads(entry), "fence": fence_in(entry)})
        return max((int(each["fence"]) for each in self._read), default=self._before)

    def _say(self, entry: dict[str, Any]) -> bool:
        """Write the next entry of the log; False: somebody else wrote it since the log was read."""
        path, own = self._entry(len(self._read) + 1), {**entry, "id": uuid4().hex}
        # Where the answer was lost, the client asks again and is told that it is there: by this very entry.
        return self._create(path, own) or json.loads(self._store.cat_file(path)) == own

    def _entry(self, number: int) -> str:
        self._store.invalidate_cache()
        return f"{self._root}/{STATE}/log/{number:08}"

    def _create(self, path: str, value: dict[str, Any]) -> bool:
        """Create an object, in one step; False: it is there."""
        content = json.dumps(value).encode() + b"\n"
        self._store.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            if isinstance(self._store, LocalFileSystem):
                _create_file(Path(path), content)
            else:
                self._store.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
        return True

    def _require_refusal(self) -> None:
        if self._refuses:
            return
        self._refuses = _creates_in_one_step(self._store) and self._tries_to_create_twice()
        if self._refuses:
            before = f"{self._root}/{STATE}/fence.json"
            self._before = fence_in(self._store.cat_file(before) if self._store.exists(before) else None)
        else:
            raise StateError(
                "checkpoint-store-overwrites",
                f"the store of `{self._root}` cannot create an object only if there is none",
                help="let the control plane keep the order: known_as=NAME, the same for all that write to this folder",
            )

    def _tries_to_create_twice(self) -> bool:
        probe = f"{self._root}/{STATE}/probe-{uuid4().hex}"
        try:
            return self._create(probe, {}) and not self._create(probe, {})
        except (NotImplementedError, TypeError, ValueError):
            return False
        finally:
            if self._store.exists(probe):
                self._store.rm_file(probe)


def _create_file(path: Path, content: bytes) -> None:
    """Create a file of this machine as a whole: nobody finds it without its content."""
    aside = path.with_name(f"{path.name}.{uuid4().hex}")
    try:
        durable.replace_file(aside, content)
        path.hardlink_to(aside)
        durable.sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _creates_in_one_step(store: Any) -> bool:
    """Say whether a store has a way of its own to create an object; the one that all inherit looks, and then writes.

    What stands before another store, to cache it or to show a folder of it, says nothing about that one.
    """
    if isinstance(getattr(store, "fs", None), fsspec.AbstractFileSystem):
        return False
    own = hasattr(store, "_pipe_file") or type(store).pipe_file is not fsspec.AbstractFileSystem.pipe_file
    return own or isinstance(store, LocalFileSystem)
