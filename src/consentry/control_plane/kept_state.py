"""The state kept on disk, so that a start need not read the whole ledger.

A kept state is a cache: deleting it costs time and nothing else. Its name says which ledger and position it is of: the
position, and the commitment of the event before it. Behind the image stands a mark of both, under a key of the
deployment: what somebody else wrote there would let refused people in, and is not believed.

It holds what people chose. INVARIANT: no kept state outlives an erasure that came after it. Who erases drops them all,
and who keeps one looks for erasures since when it is written: one of the two sees the other.
"""

from __future__ import annotations

import hmac
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from consentry.durable import replace_file
from consentry.errors import ConsentryError, IntegrityError
from consentry.exhausted import listed
from consentry.ledger import image
from consentry.ledger.events import PersonErased
from consentry.ledger.state import State
from consentry.ledger.store import LedgerReader

EVERY = 50_000
"""How many events are read before it pays to keep the state anew."""
_PATTERN = "state-*.image"
_MARK_BYTES = 32


class KeptState:
    """Owns the kept states in a folder."""

    def __init__(self, folder: Path, ledger: LedgerReader, *, key: bytes, every: int = EVERY) -> None:
        self.folder = folder
        self.ledger = ledger
        self.every = every
        self._key = key
        self.position = 0

    def read(self) -> State | None:
        """Return the newest state that is one of this ledger, None if there is none."""
        state = self.at(range(1, self.ledger.head() + 1))
        if state is not None:
            self.position = state.position
        return state

    def at(self, positions: range) -> State | None:
        """Return the newest state of this ledger that was kept at one of `positions`, None if there is none."""
        for path in sorted(listed(self.folder, _PATTERN), key=_position_of, reverse=True):
            position = _position_of(path)
            if position in positions and path.name == self._name(position):
                with suppress(IntegrityError, OSError):
                    return image.from_bytes(self._unmarked(path))
        return None

    def is_due(self, state: State) -> bool:
        """Say whether enough was said since the last one to keep a state."""
        return state.position - self.position >= self.every

    def keep(self, state: State) -> None:
        """Write a state down if that is due. What cannot be written is not kept, nor tried again before long.

        It takes as long as there are many choices: the caller holds no lock. One thread at a time.
        """
        if not self.is_due(state):
            return
        try:
            self._write(state)
        except (ConsentryError, OSError):
            self.position = state.position

    def _write(self, state: State) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        older = listed(self.folder, _PATTERN)
        kept = self.folder / self._name(state.position)
        try:
            content = image.to_bytes(state)
            replace_file(kept, content + self._mark(kept, content), shared=True)
            erased = any(isinstance(event.body, PersonErased) for event in self.ledger.read(state.position))
        except BaseException:
            kept.unlink(missing_ok=True)
            raise
        if erased:
            # Whoever erased somebody meanwhile may have dropped what there was before this came to be there.
            kept.unlink(missing_ok=True)
            return
        self.position = state.position
        for each in older:
            if each != kept:
                each.unlink(missing_ok=True)

    def drop(self) -> None:
        """Delete every kept state: somebody is about to be erased."""
        for each in (*listed(self.folder, _PATTERN), *listed(self.folder, ".state-*.staged")):
            each.unlink(missing_ok=True)
        self.position = 0

    def _mark(self, path: Path, content: bytes) -> bytes:
        mark = blake2b(path.name.encode(), digest_size=_MARK_BYTES, key=self._key)
        mark.update(b"\0")
        mark.update(content)
        return mark.digest()

    def _unmarked(self, path: Path) -> bytes:
        """Return the image in a file; nothing, which is none, if its mark is not ours."""
        found = path.read_bytes()
        content, mark = found[:-_MARK_BYTES], found[-_MARK_BYTES:]
        return content if hmac.compare_digest(self._mark(path, content), mark) else b""

    def _name(self, position: int) -> str:
        (last,) = self.ledger.read(position - 1, position)
        return f"state-{position}-{last.commitment.hex()[:32]}.image"


def _position_of(path: Path) -> int:
    middle = path.name.split("-")[1]
    return int(middle) if middle.isdigit() else 0
