"""The folder of a deployment: whether it holds one, and which.

A name that is spelled wrong, or a disk that is not mounted, must not become an empty deployment without a word: nobody
would have refused anything in it. So a new one is made only by commands that begin one, and every other asks here.
"""

from __future__ import annotations

from pathlib import Path

from consentry.errors import NotFoundError
from consentry.identity import IDENTITY_FILE, Identity
from consentry.settings import Settings

HOME_MODE = 0o700
"""Of a home that is made: it holds what everybody chose. One that is there keeps its mode; the doctor tells."""
ADDRESS_FILE = "serve.json"
"""In the home while it is served: the server's address. One that was killed leaves it behind."""
_KEYS = "keys"


def holds_deployment(settings: Settings) -> bool:
    """Say whether a home holds a deployment, or what is left of one: an identity, keys, or a ledger in a file.

    A ledger in PostgreSQL says nothing about the folder.
    """
    ledger = settings.ledger_file
    parts = [settings.home / IDENTITY_FILE, settings.home / _KEYS, *([] if ledger is None else [ledger])]
    try:
        return any(each.exists() for each in parts)
    except OSError:
        return True  # what this user may not look at may be there


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


def read_identity(home: Path) -> Identity | None:
    """Return what belongs to a home; None: nothing was written down yet.

    Raises:
        IntegrityError: it is damaged, or a newer version wrote it.
    """
    try:
        return Identity.from_bytes((home / IDENTITY_FILE).read_bytes())
    except FileNotFoundError:
        return None
