"""The newest seal or word of oversight, written down outside the ledger: an older copy is noticed.

A word is an order, a grant of a lease, something about a case, a model or a policy set, an amendment, a withdrawal. A
ledger that was restored from an older backup has forgotten them, and would give a fence that was given before, or seal
another release under a name that is taken. The file names the position of the newest one and the commitment to it; it
is written once that event is durable. Killed in between, it names an older one, which still stands.
"""

from __future__ import annotations

import json
from pathlib import Path

from consentry.digests import canonical_json
from consentry.durable import only_one, replace_file, sweep
from consentry.errors import IntegrityError
from consentry.ledger.acknowledged import GO_ON, older
from consentry.ledger.store import LedgerReader

FILE = "overseen.json"


def write_down(home: Path, ledger: LedgerReader, *, position: int) -> None:
    """Write down the event at `position`, unless a later one is."""
    (event,) = ledger.read(position, position + 1)
    body = {"position": position, "commitment": event.commitment.hex()}
    with only_one(home / f"{FILE}.lock"):
        known = _read(home)
        if known is None or known[0] < position:
            replace_file(home / FILE, canonical_json(body))


def position(home: Path) -> int:
    """Return the position that was written down, -1 if none was.

    Raises:
        IntegrityError: the file cannot be read.
    """
    known = _read(home)
    return -1 if known is None else known[0]


def require(home: Path, ledger: LedgerReader) -> None:
    """Refuse a ledger that does not have the event that was written down.

    Raises:
        IntegrityError: it has not, or the file cannot be read.
    """
    with only_one(home / f"{FILE}.lock"):
        sweep(home / FILE)
    known = _read(home)
    if known is None:
        return
    last, commitment = known
    if [event.commitment.hex() for event in ledger.read(last, last + 1)] != [commitment]:
        raise older(f"the ledger does not have the seal or word of oversight at position {last}")


def _read(home: Path) -> tuple[int, str] | None:
    try:
        body = json.loads((home / FILE).read_bytes())
        return int(body["position"]), str(body["commitment"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            "order-newest-damaged",
            f"`{FILE}` cannot be read",
            help="it names the newest seal or word of oversight: see that the ledger is the newest there is, then say "
            f"so: {GO_ON}",
        ) from error
