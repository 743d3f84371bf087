"""Recording choices, and nothing of people who were erased: not in a long import either, or by another process.

A no waits for nobody who holds the desk. So what is known says who was erased, and the ledger who was since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from consentry.control_plane.desk import Desk
from consentry.errors import ChoiceError
from consentry.ledger.events import ChoiceMade, PersonErased, Pseudonym, suppression_token

_ERASED = "choice-person-erased"


class Erasures:
    """Who was erased. Read by whoever holds the head of the ledger, asked by any thread.

    INVARIANT: what was known when it was read says who was before `_begun`, the ledger who was in [`_begun`, `_read`).
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._begun, self._read = 1, 0
        self._tokens: tuple[Collection[str], frozenset[str]] = (), frozenset()

    def read(self) -> None:
        """Take in who was erased up to now, though the present may be behind, or forgotten and read again."""
        state, ledger = self._desk.newest.state, self._desk.parts.ledger
        since = self._tokens[1]
        if not self._begun <= state.position <= self._read:
            self._begun = self._read = state.position
            since = frozenset()
        start, head = self._read, ledger.head()
        if start < head:
            events = ledger.read(start, head, only_open=True, consumed=False, beside=(PersonErased.KIND,))
            if tokens := {event.body.token for event in events if isinstance(event.body, PersonErased)}:
                since |= tokens
            self._read = head
        self._tokens = state.erased, since

    def __contains__(self, person: Pseudonym) -> bool:
        """Say whether somebody was erased, as far as it was read."""
        known, since = self._tokens
        return bool(known or since) and ((token := suppression_token(person)) in known or token in since)


class ChoiceRecording:
    """Choices that are recorded one batch after the other. Owned by one thread.

    `left_out` is called with each choice about somebody who was erased; without it they are refused.
    """

    def __init__(self, desk: Desk, *, erasures: Erasures, left_out: Callable[[ChoiceMade], None] | None) -> None:
        self._desk = desk
        self._erasures = erasures
        self._left_out = left_out
        self._seen = 0

    def record(self, made: Sequence[ChoiceMade]) -> range:
        """Record choices, durably, all or none, and return their positions.

        Raises:
            ChoiceError: one is about somebody who was erased, and is not to be left out.
        """
        if not self._desk.newest.position:
            self._desk.present()
        kept, positions = made, None
        while positions is None:
            try:
                positions = self._desk.parts.ledger.append(kept, check=partial(self._require_kept, kept))
            except ChoiceError as error:
                if error.code != _ERASED or self._left_out is None:
                    raise
                kept = self._without_erased(kept, self._left_out)
        self._seen += len(made)
        return positions

    def _require_kept(self, made: Sequence[ChoiceMade]) -> None:
        """Refuse choices about somebody who was erased. The head is held: nobody is until they are recorded."""
        self._erasures.read()
        for number, each in enumerate(made, self._seen + 1):
            if each.person in self._erasures:
                raise ChoiceError(
                    _ERASED,
                    f"choice {number} is about somebody who was erased: nothing may be kept of them",
                    help="leave it out; nothing of theirs is used, whatever is said",
                )

    def _without_erased(self, made: Sequence[ChoiceMade], left_out: Callable[[ChoiceMade], None]) -> list[ChoiceMade]:
        kept = []
        for each in made:
            if each.person in self._erasures:
                left_out(each)
            else:
                kept.append(each)
        return kept
