"""Going on with an older copy of a ledger, where the newest is lost for good. Somebody says so, and it is on record.

Every position that was acknowledged and is not in the copy is taken by an event that says that it is lost. So nothing
new ever stands where a receipt, a fence or a release says something else stood. What people said at these positions is
for the operator to record again: nothing here can know it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from consentry.control_plane import newest_word
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import require_handle, require_texts
from consentry.durable import sync, take_name
from consentry.errors import IntegrityError, StateError
from consentry.ledger.acknowledged import Acknowledged, older
from consentry.ledger.case_events import Handle
from consentry.ledger.events import EventLost
from consentry.ledger.release_events import Sealing
from consentry.ledger.store import Ledger, LedgerReader

LOST_RELEASES = "lost-releases"


class GoneOn(NamedTuple):
    """The positions that are lost, and the releases that the ledger does not know any more."""

    lost: range
    aside: tuple[str, ...]


def require_newest(home: Path, ledger: LedgerReader, *, acknowledged: Acknowledged) -> None:
    """Refuse a ledger that does not have the newest event, seal or word of oversight that was acknowledged.

    Raises:
        IntegrityError: it has not, or a note of it cannot be read.
    """
    newest, head = acknowledged.newest(), ledger.head()
    if newest is None and head:
        # A home of before there were notes, or one that was interrupted before the first: from here on there is one.
        (last,) = ledger.read(head - 1, head)
        acknowledged.note(last.position, last.commitment)
    elif newest is not None:
        found = [event.commitment for event in ledger.read(newest.position, newest.position + 1)]
        if found != [newest.commitment]:
            raise older(f"the ledger does not have the event that was acknowledged at {newest.position}")
        with suppress(OSError):
            acknowledged.note(*newest)  # a note elsewhere that is new, or was left behind, is as new from here on
    newest_word.require(home, ledger)


def go_on(home: Path, ledger: Ledger, *, acknowledged: Acknowledged, by: Handle, reference: str) -> GoneOn:
    """Take an older copy of the ledger for the newest there is.

    Nobody else may have the home open. Killed at any point, it is either refused as before or has gone on: the lost
    positions are taken in one append.

    Raises:
        StateError: it has forgotten nothing.
    """
    require_handle(by)
    require_texts(reference=reference)
    head = ledger.head()
    last = max(_noted(home, acknowledged), head - 1)
    if last == head - 1 and _is_newest(home, ledger, acknowledged=acknowledged):
        raise StateError(
            "ledger-not-older",
            "the ledger has the newest event that was acknowledged: nothing is lost",
            help="nothing is to be done; if a home is refused for another reason, its error says which",
        )
    lost = ledger.append([EventLost(reference=reference, by=by)] * max(1, last + 1 - head))
    # From here on the copy is the newest ledger. What is written down elsewhere is of the one that is lost.
    with once_recorded():
        aside = _put_aside(home, ledger)  # first: once the home opens, a build takes them for leftovers
        (newest,) = ledger.read(lost[-1], lost[-1] + 1)
    acknowledged.take_for_newest(newest.position, newest.commitment)
    (home / newest_word.FILE).unlink(missing_ok=True)
    return GoneOn(lost, tuple(aside))


def _noted(home: Path, acknowledged: Acknowledged) -> int:
    """Return the last position that is written down anywhere and can be read, -1 if none is.

    What a damaged note said nobody knows. That somebody goes on all the same is on record.
    """
    last = -1
    with suppress(IntegrityError):
        if (noted := acknowledged.newest()) is not None:
            last = noted.position
    with suppress(IntegrityError):
        last = max(last, newest_word.position(home))
    return last


def _is_newest(home: Path, ledger: LedgerReader, *, acknowledged: Acknowledged) -> bool:
    try:
        require_newest(home, ledger, acknowledged=acknowledged)
    except IntegrityError:
        return False
    return True


def _put_aside(home: Path, ledger: LedgerReader) -> list[str]:
    """Move the folders of releases that the ledger does not know: the next build would take them for leftovers."""
    known = {
        event.body.release for event in ledger.read(only_open=True, consumed=False) if isinstance(event.body, Sealing)
    }
    releases, aside = home / "releases", home / LOST_RELEASES
    lost = [each for each in releases.iterdir() if each.name not in known] if releases.exists() else []
    for folder in lost:
        aside.mkdir(exist_ok=True)
        take_name(folder, aside / folder.name)
    if lost:
        sync(aside)
    return sorted(each.name for each in lost)
