"""The newest seal, written down outside the ledger: an older copy of the ledger is noticed before it is built on.

A ledger that was restored from an older backup has forgotten refusals, and would seal another release under a name that
is taken. The file says at which position the newest release was sealed, and by which manifest; it is written after the
seal. Killed in between, it names an older seal, which still stands.
"""

from __future__ import annotations

import json
from pathlib import Path

from consentry.digests import Digest, canonical_json
from consentry.durable import only_one, replace_file
from consentry.errors import IntegrityError
from consentry.ledger.acknowledged import older
from consentry.ledger.events import ReleaseSealed
from consentry.ledger.store import Ledger

FILE = "sealed.json"


def write_down(home: Path, manifest: Digest, *, position: int) -> None:
    """Write down a release that was sealed at a position, by its manifest."""
    body = {"position": position, "manifest": manifest}
    with only_one(home / f"{FILE}.lock"):
        replace_file(home / FILE, canonical_json(body))


def position(home: Path) -> int:
    """Return the position of the newest seal that was written down, -1 if none was.

    Raises:
        IntegrityError: the file cannot be read.
    """
    known = _read(home)
    return -1 if known is None else known[0]


def require(home: Path, ledger: Ledger) -> None:
    """Refuse a ledger that does not have the newest seal.

    Raises:
        IntegrityError: it has not, or the file cannot be read.
    """
    known = _read(home)
    if known is None:
        return
    sealed, manifest = known
    found = [event.body for event in ledger.read(sealed, sealed + 1)]
    if not found or not isinstance(found[0], ReleaseSealed) or found[0].manifest != manifest:
        raise older(f"the ledger does not have the release that was sealed at position {sealed}")


def _read(home: Path) -> tuple[int, str] | None:
    try:
        body = json.loads((home / FILE).read_bytes())
        return int(body["position"]), str(body["manifest"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            "release-newest-damaged",
            f"`{FILE}` cannot be read",
            help="it names the newest release; remove it if the ledger is the newest one there is",
        ) from error


def is_sealed(ledger: Ledger, manifest: Digest, *, position: int) -> bool:
    """Say whether a ledger sealed a release with this manifest at a position."""
    bodies = [event.body for event in ledger.read(position, position + 1)]
    return any(isinstance(body, ReleaseSealed) and body.manifest == manifest for body in bodies)
