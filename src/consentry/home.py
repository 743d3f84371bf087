"""The folder of a deployment: whether it holds one, and which.

A name that is spelled wrong, or a disk that is not mounted, must not become an empty deployment without a word: nobody
would have refused anything in it. So a new one is made only by commands that begin one, and every other asks here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from consentry.durable import only_one
from consentry.errors import NotFoundError, UnavailableError
from consentry.exhausted import require_room
from consentry.identity import IDENTITY_FILE, Identity
from consentry.settings import Settings

HOME_MODE = 0o700
"""Of a home that is made: it holds what everybody chose. One that is there keeps its mode; the doctor tells."""
_PARTS = (IDENTITY_FILE, "keys", "releases", "people/index.json")
_LOCK = "opening.lock"
_ATTEMPTS = 1_000
"""To hold the lock of a folder that others who are refused take away again: more than there are others."""
ADDRESS_FILE = "serve.json"
"""In the home while it is served: the server's address. One that was killed leaves it behind."""


def holds_deployment(settings: Settings) -> bool:
    """Say whether a home holds a deployment, or what is left of one: an identity, keys, releases, seats, a ledger.

    A ledger elsewhere, in PostgreSQL or in a file, says nothing about the folder.
    """
    home, ledger = settings.home, settings.ledger_file
    parts = [home / each for each in _PARTS]
    if ledger is not None and _is_within(ledger.parent, home):
        parts.append(ledger)
    try:
        # A link that leads nowhere is a ledger on a disk that is not mounted.
        return any(each.exists() or each.is_symlink() for each in parts)
    except OSError:
        return True  # what this user may not look at may be there


def _is_within(folder: Path, home: Path) -> bool:
    # Not `Path.resolve`, which fails where links go round in a circle.
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(home))


@contextmanager
def holding(home: Path) -> Iterator[None]:
    """Hold a home while it is opened, and make its folder. What is refused leaves none where there was none.

    Two first starts at a time would make two keys, of which one is kept.
    """
    lock = home / _LOCK
    is_new = not os.path.lexists(lock)
    made = [each for each in (home, *home.parents) if not os.path.lexists(each)]
    try:
        with _held(home, lock):
            try:
                yield
            except BaseException:
                if is_new:
                    lock.unlink(missing_ok=True)
                raise
    except BaseException:
        for each in made:
            with suppress(OSError):  # something is in it
                each.rmdir()
        raise


@contextmanager
def _held(home: Path, lock: Path) -> Iterator[None]:
    with ExitStack() as held:
        for left in reversed(range(_ATTEMPTS)):
            try:
                home.mkdir(mode=HOME_MODE, parents=True, exist_ok=True)
                held.enter_context(only_one(lock))
                break
            except (FileNotFoundError, FileExistsError):  # somebody who was refused meanwhile took the folder away
                if not left:
                    raise
        yield


def require_deployment(settings: Settings) -> None:
    """Refuse a folder that holds no deployment.

    Raises:
        NotFoundError: it holds none.
    """
    if not holds_deployment(settings):
        raise NotFoundError(
            "home-missing",
            f"`{settings.home}` holds no deployment",
            help="is it the right folder (--home, CONSENTRY_HOME), and is it mounted? `consentry init` makes a new one",
        )


def require_usable(home: Path, ledger: str) -> None:
    """Refuse a home that is not the one of a ledger any more, or cannot be written to.

    While it is served a disk can fill up, go away, or come back as another.

    Raises:
        UnavailableError: so it is.
    """
    probe = home / f".ready-{os.getpid()}"
    try:
        bound = read_identity(home)
        if bound is None or bound.ledger != ledger:
            raise _unusable("is gone, or is another's")
        with probe.open("wb", buffering=0) as stream:
            stream.write(b"?")
        probe.unlink(missing_ok=True)
    except OSError as error:
        require_room(error)
        raise _unusable(f"cannot be written to: {(error.strerror or '').lower()}") from error


def _unusable(why: str) -> UnavailableError:
    return UnavailableError(
        "home-unusable",
        f"the folder of the deployment {why}",
        help="is its disk mounted, with space left, and may this user write there? Nothing has to be started again",
    )


def read_identity(home: Path) -> Identity | None:
    """Return what belongs to a home; None: nothing was written down yet.

    Raises:
        IntegrityError: it is damaged, or a newer version wrote it.
    """
    try:
        return Identity.from_bytes((home / IDENTITY_FILE).read_bytes())
    except FileNotFoundError:
        return None
