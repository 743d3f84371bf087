"""One commit for many appends: durability costs one flush to disk, however many events share it.

There is no thread of its own. Whoever finds nobody leading leads: waits for a short window, takes everything that is
queued, commits it, wakes everybody in it and passes the lead to the first of those who queued meanwhile. While a commit
is being flushed the queue grows, so the batch adapts to the load, and a window of zero is a sound choice.

Everybody gets their own positions or their own error: a request that conflicts is left out, and the others go ahead.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from consentry.errors import ConflictError, ConsentryError, UnavailableError
from consentry.ledger.envelope import Draft
from consentry.ledger.store import Check, no_check
from consentry.stages import stage

DEFAULT_WINDOW = 0.001
MAX_BATCH_EVENTS = 20_000


class Request:
    """Events to append together, what is checked before they are, and what became of them."""

    __slots__ = ("check", "drafts", "error", "leads", "positions", "woken")

    def __init__(self, drafts: Sequence[Draft], check: Check = no_check) -> None:
        self.drafts = drafts
        self.check = check
        self.positions: range | None = None
        self.error: BaseException | None = None
        self.leads = False
        self.woken = threading.Event()

    @property
    def settled(self) -> bool:
        """Say whether the outcome is known."""
        return self.positions is not None or self.error is not None

    def outcome(self) -> range:
        """Return the positions, or raise what went wrong."""
        if self.error is not None:
            raise self.error
        assert self.positions is not None, "an outcome is asked for only once it is settled"
        return self.positions


class Commits:
    """How long it took until events were durable, in seconds, for whoever wants to be told: `told`, on any thread."""

    def __init__(self) -> None:
        self.told: Callable[[float], None] = lambda _: None

    def done(self, asked: float) -> None:
        """Tell of events that are durable now and were to be recorded since `asked`, a time of `perf_counter`."""
        self.told(time.perf_counter() - asked)


class GroupCommit:
    """Batches requests for `commit`, which must settle every request it is given before it returns, or raise.

    `_turn` is held by whoever writes, and so is the in-process lock of the head: `exclusive` holds it for a sealing
    session or an erasure. `_mutex` guards the queue, and is held for moments only.

    Invariant: if the queue is not empty somebody leads, and will take the first in it or pass the lead on.
    """

    def __init__(self, commit: Callable[[Sequence[Request]], None], *, window: float = DEFAULT_WINDOW) -> None:
        self.commits = Commits()
        self._commit = commit
        self._window = window
        self._turn = threading.Lock()
        self._holder: int | None = None
        self._mutex = threading.Lock()
        self._queue: deque[Request] = deque()
        self._led = False

    def submit(self, request: Request) -> range:
        """Return when `request` is committed, with its positions, or raise its error."""
        self._refuse_within()
        asked = time.perf_counter()
        with stage("ledger.append", events=len(request.drafts)):
            self._settle(request)
        positions = request.outcome()
        self.commits.done(asked)
        return positions

    def _settle(self, request: Request) -> None:
        with self._mutex:
            self._queue.append(request)
            request.leads = not self._led
            self._led = True
        try:
            if not request.leads:
                request.woken.wait()
            if request.leads:
                self._lead()
        finally:
            self._leave(request)

    @contextmanager
    def exclusive(self) -> Iterator[float]:
        """Hold the turn, and say when it was asked for, as `perf_counter` does.

        Asking for it again from within would wait for ever, and is refused.
        """
        asked = time.perf_counter()
        with stage("ledger.hold"), self._holding_turn():
            yield asked

    @contextmanager
    def _holding_turn(self) -> Iterator[None]:
        self._refuse_within()
        with self._turn:
            self._holder = threading.get_ident()
            try:
                yield
            finally:
                self._holder = None

    def _refuse_within(self) -> None:
        if self._holder == threading.get_ident():
            raise ConflictError(
                "ledger-head-held",
                "this thread already holds the head of the ledger",
                help="inside a sealing block, append through the session",
            )

    def _lead(self) -> None:
        with self._holding_turn():
            if self._window > 0:
                time.sleep(self._window)
            with self._mutex:
                batch = self._take()
            try:
                self._commit(batch)
            except BaseException as error:
                # Also for an interrupt: the others in the batch wait for an outcome that nobody else would bring.
                for request in batch:
                    if not request.settled:
                        request.error = _own(error)
                if not isinstance(error, Exception):
                    raise
            finally:
                for request in batch:
                    request.woken.set()

    def _leave(self, request: Request) -> None:
        """Pass the lead on. A request that was interrupted while it queued is taken back: nobody waits for it."""
        with self._mutex:
            if not request.settled and request in self._queue:
                self._queue.remove(request)
            if not request.leads:
                return
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].woken.set()
            else:
                self._led = False

    def _take(self) -> list[Request]:
        batch = [self._queue.popleft()]
        size = len(batch[0].drafts)
        while self._queue and size + len(self._queue[0].drafts) <= MAX_BATCH_EVENTS:
            size += len(self._queue[0].drafts)
            batch.append(self._queue.popleft())
        return batch


def _own(error: BaseException) -> BaseException:
    """Return an error of the same meaning for one request: threads must not share a traceback."""
    if isinstance(error, ConsentryError):
        own: BaseException = type(error)(error.code, error.message, help=error.help, where=error.where)
    elif isinstance(error, Exception):
        return error
    else:
        own = UnavailableError(
            "ledger-outcome-unknown",
            "the commit was interrupted: these events are in the ledger, or none of them is",
            help="read the ledger, then retry what is missing",
        )
    own.__cause__ = error
    return own
