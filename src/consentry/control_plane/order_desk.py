"""Where orders are given with nothing open but the ledger: what oversight knows is read, and nobody's choices are.

Open events say all of it, and an index leads to them: of millions of events those about single people are all but a
few. What jobs report as consumed is left out as well: no order needs it, and in time it is nearly all open events. What
is damaged in what is read is for whoever reads it else; it keeps nobody from stopping a use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from consentry.control_plane import newest_word
from consentry.control_plane.once_recorded import once_recorded
from consentry.ledger.acknowledged import older
from consentry.ledger.envelope import Event
from consentry.ledger.store import Ledger, SealingSession
from consentry.oversight.overseen import Overseen


class Heard:
    """What oversight knows of the first `position` events."""

    def __init__(self) -> None:
        self.position = 0
        self.overseen = Overseen()

    def advance(self, events: Iterable[Event], *, to: int) -> None:
        """Take in the events that follow, up to a position; none about single people or consumed items is needed."""
        self.overseen.advance(events)
        self.position = to


class OrderDesk:
    """A place (`issuing.Place`) for one command: it is opened, gives an order, and is let go of. For one thread.

    After an error of the ledger what is known may be known in part: it is of no use any more.
    """

    def __init__(self, home: Path, ledger: Ledger) -> None:
        self.newest = Heard()
        self._home = home
        self._ledger = ledger

    def present(self) -> Heard:
        """Return what is known now, advanced to the head of the ledger."""
        known, head = self.newest, self._ledger.head()
        if head < known.position:
            raise older(f"the ledger ends before position {known.position}, up to which it was read before")
        if head > known.position:
            known.advance(self._ledger.read(known.position, head, only_open=True, consumed=False), to=head)
        return known

    @contextmanager
    def at_head(self) -> Iterator[SealingSession]:
        """Hold the head of the ledger, with the present advanced to it."""
        # Nearly all of it is read before: others wait for whoever holds the head.
        known = self.present()
        with self._ledger.sealing() as session:
            known.advance(session.read_delta(known.position), to=session.position)
            yield session

    def write_down(self, position: int) -> None:
        """Write down outside of the ledger what oversight said last, once it is durable."""
        with once_recorded():
            newest_word.write_down(self._home, self._ledger, position=position)
