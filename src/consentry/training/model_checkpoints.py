"""Keeping model checkpoints: only those of a lease that lives, confirmed by the control plane, are ever seen as one.

    ROOT/NAME/                      a model checkpoint; its `consentry.json` says of which lease, fence and step it is
    ROOT/.consentry/fence.json      the highest fence that was seen here: an older lease writes nothing more (in a
                                    store without locks, a log instead: `consentry.training.fsspec`)
    ROOT/.consentry/staged/         what is being written; nobody reads it
    ROOT/quarantine/NAME-FENCE-STEP what came too late, with `quarantine.json`: lease, fence, step, reason, digest (null
                                    where there is none: of links and special files no digest says what they are)

Content is written aside and digested. Then the lease and the fence are asked, the control plane confirms, both are
asked again, and the content takes its name in one step. Whoever was frozen just before that looks once more after
it: what took its name too late goes to quarantine as well. A crash leaves content in `staged/`, which may be deleted.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from consentry import digests, durable
from consentry.errors import ConflictError, ConsentryError, InputError, IntegrityError, UnavailableError
from consentry.training.client import Lease
from consentry.training.lease_requests import refusal

STATE, QUARANTINE = ".consentry", "quarantine"
NOTE, QUARANTINE_NOTE = "consentry.json", "quarantine.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_AGAIN_S = 0.2
_STALE = "checkpoint-fence-stale"


class OvertakenError(Exception):
    """A later lease writes here."""


class Place(Protocol):
    """Where model checkpoints are kept. After a crash what was put there is there as a whole, or is not seen as one.

    `scratch` is the folder of this machine to write to first; None leaves the choice to the system. `known_as` is the
    name by which the control plane keeps the order of who writes there; None where the place itself does.
    """

    scratch: Path | None
    known_as: str | None

    def only_one(self) -> AbstractContextManager[None]:
        """Hold the place alone, as far as it can be held."""

    def fence(self, own: int) -> int:
        """Return the highest fence, raised to one's own if that is higher. It is kept before this returns."""

    def put(self, folder: Path, target: str, *, fence: int | None) -> None:
        """Give the content of a folder of this machine a name; `fence` is None for quarantine.

        Raises:
            FileExistsError: the name is taken.
            OvertakenError: a later lease was here, and nothing has the name.
        """

    def withdraw(self, name: str, target: str, *, note: bytes) -> None:
        """Give what has a name another one, with a note in place of its own."""


class LocalFolder:
    """A folder of this machine, or one that it mounts."""

    known_as: str | None = None

    def __init__(self, root: Path) -> None:
        self._root = root
        self.scratch: Path | None = root / STATE / "staged"
        self.scratch.mkdir(parents=True, exist_ok=True)

    def only_one(self) -> AbstractContextManager[None]:
        """Hold a lock file."""
        return durable.only_one(self._root / STATE / "lock")

    def fence(self, own: int) -> int:
        """Return the highest fence. The caller holds the place alone."""
        path = self._root / STATE / "fence.json"
        known = fence_in(path.read_bytes() if path.exists() else None)
        if own > known:
            durable.replace_file(path, fence_document(own))
        return max(known, own)

    def put(self, folder: Path, target: str, *, fence: int | None) -> None:  # noqa: ARG002  the lock is held
        """Flush the folder and rename it."""
        path = self._root / target
        if path.exists():
            raise FileExistsError(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.sync_tree(folder)
        durable.take_name(folder, path)

    def withdraw(self, name: str, target: str, *, note: bytes) -> None:
        """Rename the folder, then note why."""
        path = self._root / target
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.take_name(self._root / name, path)
        durable.sync(self._root)
        (path / NOTE).unlink(missing_ok=True)
        durable.replace_file(path / QUARANTINE_NOTE, note)


class ModelCheckpoints:
    """The model checkpoints of one model, written under one lease."""

    def __init__(self, place: Place, lease: Lease) -> None:
        self._place = place
        self._lease = lease

    @contextmanager
    def writing(self, name: str, *, step: int) -> Iterator[Path]:
        """Yield a folder to write a model checkpoint to; when the block ends, it is kept under its name.

        If it may not be kept, its content goes to quarantine. If the block raises, nothing is kept.

        Raises:
            InputError: the name cannot be one, or there are links in the folder: `checkpoint-not-plain`.
            IntegrityError: the fence of this place cannot be read.
            ConflictError: there is one of this name, or a later lease wrote here: `checkpoint-fence-stale`.
            LeaseOverError: the lease is over.
        """
        if not _NAME.fullmatch(name) or name == QUARANTINE:
            raise InputError(
                "checkpoint-name",
                f"`{name}` cannot name a model checkpoint",
                help="use letters, digits, dots, dashes and underscores, at most 100",
            )
        prefix = f"{name}-{self._lease.fence}-"
        scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=self._place.scratch))
        try:
            yield scratch
            self._keep(scratch, name, step=step)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _keep(self, folder: Path, name: str, *, step: int) -> None:
        lease = self._lease.release.requests.lease
        note: dict[str, Any] = {"lease": lease, "fence": self._lease.fence, "step": step, "digest": None}
        try:
            digest = note["digest"] = digest_folder(folder)
            self._ask(step)
            position = self._confirmed(name, step=step, digest=digest)
            (folder / NOTE).write_bytes(_document({**note, "position": position}))
            with self._place.only_one():  # a later lease waits here, and then finds this one or has kept it out
                self._ask(step)
                self._put(folder, name)
        except BaseException as error:  # whatever it is: hours of training may lie in the folder
            if folder.is_dir():  # it is not where it took its name, and only that could not be made durable
                self._set_aside(folder, name, note=note, error=error)
            raise
        self._look_again(name, note)

    def _set_aside(self, folder: Path, name: str, *, note: dict[str, Any], error: BaseException) -> None:
        reason = error.code if isinstance(error, ConsentryError) else type(error).__name__
        (folder / NOTE).unlink(missing_ok=True)
        (folder / QUARANTINE_NOTE).write_bytes(_document({**note, "reason": reason}))
        self._put_into_quarantine(folder, name, step=note["step"])
        # Without a digest it was not confirmed. What has the name already may be the same, and stands.
        if note["digest"] is not None and not isinstance(error.__cause__, FileExistsError):
            self._tell(name, note)

    def _look_again(self, name: str, note: dict[str, Any]) -> None:
        """Whoever was stopped between the last look and the name wakes up here."""
        try:
            with self._place.only_one():
                self._ask(note["step"])
        except ConsentryError as error:
            target = f"{QUARANTINE}/{name}-{note['fence']}-{note['step']}"
            self._place.withdraw(name, target, note=_document({**note, "reason": error.code}))
            self._tell(name, note)
            raise

    def _put(self, folder: Path, name: str) -> None:
        try:
            self._place.put(folder, name, fence=self._lease.fence)
        except OvertakenError:
            raise _stale() from None
        except FileExistsError as error:
            raise ConflictError(
                "checkpoint-exists",
                f"there is a model checkpoint `{name}` already",
                help="name each differently: by job and step, for example",
            ) from error
        except OSError as error:
            raise UnavailableError(
                "checkpoint-store-failed",
                f"model checkpoint `{name}` could not be kept: the store failed ({type(error).__name__})",
                help="what was written is in quarantine, if the store took it; keep it again under another name",
            ) from error

    def _put_into_quarantine(self, folder: Path, name: str, *, step: int) -> None:
        for attempt in count():
            again = f"-{attempt}" if attempt else ""
            try:
                self._place.put(folder, f"{QUARANTINE}/{name}-{self._lease.fence}-{step}{again}", fence=None)
            except FileExistsError:
                continue
            return

    def _ask(self, step: int) -> None:
        """Raise unless the lease lives and no later one was here."""
        self._lease.check(step)
        if self._place.fence(self._lease.fence) > self._lease.fence:
            raise _stale()

    def _confirmed(self, name: str, *, step: int, digest: str) -> int:
        """Return the position at which the control plane noted the model checkpoint. Ask until the lease is over."""
        while True:
            try:
                answer = self._lease.confirm(self._known(name), step=step, digest=digest)
                if answer.ok:
                    return int(answer.json().get("position", 0))
                error = refusal(answer)
                raise _stale() if error.code == _STALE else error
            except UnavailableError:
                self._lease.check(step)
                time.sleep(_AGAIN_S)

    def _tell(self, name: str, note: dict[str, Any]) -> None:
        """Have the control plane note what went to quarantine: it may have confirmed it before."""
        with suppress(UnavailableError):  # the note in quarantine says it all the same
            self._lease.confirm(self._known(name), step=note["step"], digest=note["digest"], quarantined=True)

    def _known(self, name: str) -> str:
        """Return the name under which the control plane knows a model checkpoint."""
        return name if self._place.known_as is None else f"@{self._place.known_as}/{name}"


def digest_folder(folder: Path) -> str:
    """Return the digest of a folder: of the names and digests of its files.

    Raises:
        InputError: there is a link or a special file in it.
    """
    try:
        files = sorted(digests.plain_files(folder))
    except digests.NotPlainError as error:
        raise InputError(
            "checkpoint-not-plain",
            str(error),
            help="write copies: the digest of a model checkpoint does not hold what a link leads to",
        ) from error
    return digests.digest_json({path.relative_to(folder).as_posix(): digests.digest_file(path) for path in files})


def fence_document(fence: int) -> bytes:
    """Return the content of the fence file."""
    return _document({"fence": fence})


def fence_in(document: bytes | None) -> int:
    """Return the fence in a fence file; without a file no lease was here.

    Raises:
        IntegrityError: it is damaged.
    """
    try:
        return 0 if document is None else int(json.loads(document)["fence"])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise IntegrityError(
            "checkpoint-fence-damaged",
            "what says which lease wrote model checkpoints here last is damaged",
            help="end every other job that writes here, then remove `.consentry/fence.json` (in a store without locks: "
            "`.consentry/log/`): the next lease writes it anew. What was written is in quarantine",
        ) from error


def _stale() -> ConflictError:
    return ConflictError(
        _STALE,
        "a later lease writes model checkpoints here",
        help="stop this job: it was replaced. What it wrote is in quarantine",
    )


def _document(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"
