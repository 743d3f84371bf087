"""Holding a lease: a job reads a release only inside `hold`, and only as long as the control plane renews.

    with hold("comments", job="run-7", model="small") as lease:
        for step, batch in enumerate(loader):
            ...
            lease.check(step)       # before the optimiser steps; raises LeaseOverError
            optimizer.step()
            lease.committed(step, ranges)

Beside the job run a thread that renews, one that sends what was consumed, one that watches for news, and the watchdog
process, which kills the job if it goes on past the deadline. `check` asks none of them: it reads memory. No answer, an
answer nobody understands, a dead thread or a dead watchdog all end the same way: the lease is over. Whoever renews does
nothing else: a control plane that takes long to note what was consumed must not cost a job its lease. When there is
nothing to renew any more, that thread keeps the deadline beside the watchdog, which may have been killed.

The journal of what was consumed is in `state_folder`. After a crash it is still there, and `deliver` sends it.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from consentry.errors import ConsentryError, InputError, LeaseOverError, StateError, UnavailableError
from consentry.training.boot_clock import boot_seconds
from consentry.training.consumption import Journal, Ranges
from consentry.training.held_release import HeldRelease
from consentry.training.holding import (
    ENDED,
    EXPIRED,
    HOLDER_FAILED,
    TERMINAL,
    TTL_LEAST_S,
    TTL_MOST_S,
    WATCHDOG_GONE,
    Holding,
)
from consentry.training.http import Answer, Requests
from consentry.training.lease_grant import grant
from consentry.training.lease_requests import over, posted, unsent
from consentry.training.other_leases import OtherLeases
from consentry.training.refusals import Meaning, meaning
from consentry.training.shared_deadline import LeaseState
from consentry.training.watchdog import kill_this_job
from consentry.training.watched import Watched

DEFAULT_URL = "http://127.0.0.1:8799"
_FAREWELL_S = 15.0
_SEND_S = 10.0
_RENEWAL_S = 20.0
_GLANCE_S = 1.0
_WATCH_STATES = {"revoked": "lease-revoked", "expired": EXPIRED, "ended": ENDED}
_log = logging.getLogger(__name__)


class Lease:
    """A lease that is held. Made by `hold`; its methods may be called from any thread of the job."""

    def __init__(self, *, holding: Holding, release: HeldRelease, job: str, journal: Journal) -> None:
        self.release = release
        self.job = job
        self.ranks_patience_s: float | None = None
        """How long to wait for the word of another rank at most; None: as long as the group does, once all began."""
        self.others: OtherLeases | None = None
        """What says how it is with the leases of other ranks."""
        self.wait_for_devices: Callable[[], None] | None = None
        """What returns when devices have done what the job gave them. Until then the job has not stopped."""
        self._holding = holding
        self._requests, self._shared, self._journal = release.requests, release.shared, journal
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._watching, self._renewing = Requests(release.requests.url), Requests(release.requests.url)
        self._message = ""
        self._step = 0
        self._how: str | None = None
        self._refused: ConsentryError | None = None
        self._watched: Watched | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(loop,), name=f"consentry-{name}", daemon=True)
            for name, loop in (
                ("renewal", self._renewals),
                ("consumption", self._consumption),
                ("watch", self._watch),
            )
        ]
        self._publish()

    @property
    def fence(self) -> int:
        """The number of this lease: a later lease has a higher one."""
        return self._holding.fence

    @property
    def ttl_s(self) -> float:
        """How long it lives if nobody renews it."""
        return self._holding.ttl_s

    @property
    def amendment(self) -> int:
        """The newest amendment of the release that is known here."""
        return self._shared.amendment

    def is_over(self) -> bool:
        """Whether the job may not go on. From memory; once true it stays true."""
        if self._how is None and self._watched is not None and not self._watched.alive():
            self._end(WATCHDOG_GONE, "the process that would stop this job is gone")
        return self._shared.is_over()

    def check(self, step: int | None = None) -> None:
        """Raise LeaseOverError if the job may not go on. Call it before the optimiser steps; it reads memory only."""
        if self.is_over():
            self._end(EXPIRED)
            raise over(self._holding.over or EXPIRED, self._message)
        if step is not None:
            self._step = step

    def patience_s(self) -> float:
        """Return how long whoever waits may go on waiting: until half of the time for stopping is left.

        Then there is time to raise before the watchdog kills. Each renewal makes it longer again; from memory.
        """
        self.is_over()  # if the watchdog is gone, nothing is renewed from here on
        return self._shared.remaining_s() - self._holding.stopping_s / 2

    def unless_over(self, action: Callable[[], None]) -> None:
        """Do something that is not done any more once the lease is over. The job does not end it meanwhile."""
        with self._lock:
            if not self._shared.is_over():
                action()

    def committed(self, step: int, ranges: Ranges) -> None:
        """Say what an optimiser step that was taken consumed: (file, first row, end row), half-open.

        Also after the end of the lease: what was trained on was trained on.

        Raises:
            InputError: steps do not count upwards.
        """
        self._step = step
        self._journal.committed(step, ranges, amendment=self.amendment)

    def confirm(self, name: str, *, step: int, digest: str, quarantined: bool = False) -> Answer:
        """Say that a model checkpoint is about to be kept, or is in quarantine; return what the control plane says.

        Raises:
            UnavailableError: no answer.
        """
        body: dict[str, Any] = {"step": step, "name": name, "digest": digest}
        if quarantined:
            body["quarantined"] = True
        timeout_s = max(min(self._shared.remaining_s(), self._holding.ttl_s), 1)
        return self._requests.post("model-checkpoints", body, timeout_s=timeout_s)

    def released(self) -> None:
        """Say that the job came to its end. What follows may not read the release."""
        self._finish("released")

    def stopped(self) -> None:
        """Say that the job stopped before its end, and does nothing more."""
        self._finish("stopped")

    def _start(self, *, watchdog: bool) -> None:
        # First what renews: the job does not run yet, and a machine with much to do takes seconds to start a process.
        for thread in self._threads:
            thread.start()
        if watchdog:
            self._watched = Watched(self._shared.path, self._journal.path)

    def _guarded(self, loop: Any) -> None:
        """Run a thread; if it fails, so does the lease: nothing would renew it, or hear of an order."""
        try:
            loop()
        except Exception:
            _log.exception("the lease of job %s cannot be held any more", self.job)
            self._end(HOLDER_FAILED, "the thread that holds the lease failed")

    def _renewals(self) -> None:
        wait_s = self._pause_s(3)
        while not self._done.wait(self._at_most(wait_s)) and not self.is_over():
            wait_s = self._pause_s(3) if self._renew() else min(self._pause_s(10), 1)
        if not self._done.is_set():
            self._end(EXPIRED)
            self._keep_deadline()

    def _keep_deadline(self) -> None:
        """Kill the job at the deadline if it has not stopped: its watchdog may be gone, or stand still."""
        while self._watched is not None and not self._done.wait(self._at_most(_GLANCE_S)):
            if self._shared.remaining_s() <= 0:
                kill_this_job()

    def _at_most(self, seconds: float) -> float:
        """Return so many seconds, or what is left until the deadline."""
        return max(min(seconds, self._shared.remaining_s()), 0)

    def _consumption(self) -> None:
        while not self._done.wait(self._pause_s(3)):
            # What is refused may be taken once somebody has seen to the cause; no more when the lease is over.
            if self._refused is None or not self._shared.is_over():
                self._send(timeout_s=min(self._holding.ttl_s, _SEND_S))

    def _send(self, *, timeout_s: float) -> bool:
        """Send what was consumed. What is refused is kept in the journal, and sent again the next time."""
        before, self._refused = self._refused, None
        try:
            return self._journal.send(
                lambda body: posted(self._requests, "consumption", body=body, timeout_s=timeout_s)
            )
        except ConsentryError as error:
            if before is None or before.code != error.code:
                _log.error("what job %s trained on is refused: %s", self.job, error)
            self._refused = error
            if isinstance(error, LeaseOverError):
                self._end(error.code, error.message)
            return False

    def _pause_s(self, part: int) -> float:
        return self._holding.ttl_s / part * random.uniform(0.8, 1)  # noqa: S311  # jitter is no secret

    def _renew(self) -> bool:
        with self._lock:
            self._holding, asked = self._holding.ask(secrets.token_hex(16), now=boot_seconds())
            fence, timeout_s = self._holding.fence, self._at_most(min(self._holding.ttl_s / 3, _RENEWAL_S))
        body = {"job": self.job, "fence": fence, "sequence": asked.sequence, "nonce": asked.nonce, "step": self._step}
        try:
            answer = self._requests.post("renewal", body, timeout_s=timeout_s, requests=self._renewing)
        except UnavailableError:
            return False
        if not answer.ok and meaning(answer.status, answer.text("code")) is Meaning.OVER:
            self._end(answer.text("code"), answer.text("title"))
        with self._lock:
            before = self._holding.deadline
            if answer.ok:
                self._holding = self._holding.answered(asked, answer.json(), now=boot_seconds())
        self._publish()
        return self._holding.deadline > before

    def _watch(self) -> None:
        while not self._done.is_set() and not self._shared.is_over():
            wait_s = min(self._holding.ttl_s / 3, 20)
            began = boot_seconds()
            try:
                news = self._requests.watch(self._watching, wait_s=wait_s, amendment=self.amendment)
            except UnavailableError:
                news = {}
            state, reason, code = (str(news.get(name, "")) for name in ("state", "reason", "code"))
            if state in _WATCH_STATES:
                self._end(code if code in TERMINAL else _WATCH_STATES[state], reason)
                return
            known = self.amendment
            with self._lock:
                self._holding = self._holding.amended(news.get("amendment"))
            self._publish()
            if self.amendment == known and boot_seconds() - began < wait_s / 2:
                self._done.wait(0.2)  # whoever does not wait is not asked in a circle

    def _end(self, reason: str, message: str = "") -> None:
        with self._lock:
            if self._holding.over is None:
                silent_s = self._holding.unanswered_s(boot_seconds())
                unheard = (
                    f"the lease is over: no renewal was answered for {silent_s:.1f} s" if reason == EXPIRED else ""
                )
                self._message = message or unheard
            self._holding = self._holding.ended(reason)
            self._shared.end(LeaseState.OVER, reason=self._holding.over or reason)

    def _publish(self) -> None:
        with self._lock:
            held = self._holding
            self._shared.publish(deadline=held.deadline, stops_at=held.stops_at, amendment=held.amendment)

    def _finish(self, how: str) -> None:
        """Tell the watchdog first: from here on nothing of the job reads the release, on devices neither."""
        if self._how is None:
            self._end(ENDED)
            self._wait_for_devices()
            self._how = how
            self._shared.end(LeaseState.STOPPED)
            self._done.set()
            self._watching.abort()
            self._renewing.abort()

    def _wait_for_devices(self) -> None:
        """Nothing renews the lease by now: the watchdog kills a job with a device that does not get done."""
        if self.wait_for_devices is None:
            return
        try:
            self.wait_for_devices()
        except Exception:
            _log.exception("what a device was given by job %s has failed", self.job)

    def _close(self) -> None:
        """Send what was consumed and say farewell; what cannot be sent is left in the journal.

        Raises:
            StateError: something is left.
        """
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        until = boot_seconds() + _FAREWELL_S
        while not (arrived := self._send(timeout_s=_SEND_S)) and self._refused is None and boot_seconds() < until:
            threading.Event().wait(0.5)
        self._journal.close()
        with suppress(ConsentryError):  # nothing is to be done about it: the lease ends by itself
            posted(self._requests, "end", body={"how": self._how, "step": self._step}, timeout_s=5)
        if self._watched is not None:
            self._watched.close()
        self._shared.path.unlink(missing_ok=True)
        if not arrived:
            raise unsent(self.job, self._refused, where=str(self._journal.path))


@contextmanager
def hold(
    release: str,
    *,
    job: str,
    model: str,
    ttl_s: float = 60,
    url: str | None = None,
    credential: str | None = None,
    state_folder: Path | None = None,
    watchdog: bool = True,
    ranks_patience_s: float | None = None,
) -> Iterator[Lease]:
    """Hold a lease on a release for a job; when the block ends, the job has stopped.

    `url` and `credential` are CONSENTRY_URL and CONSENTRY_TOKEN of the environment if not given. Several ranks of one
    job each hold a lease of their own, with a name of their own for the job. Without the watchdog only the job itself
    stops the job: leave it out in notebooks and tests only. For the word of another rank it waits `ranks_patience_s` at
    most, if given.

    Raises:
        InputError: something given is wrong.
        ConsentryError: the control plane refuses the lease.
        UnavailableError, StateError: it does not answer; at the end, what was consumed was not sent, or is refused.
        LeaseOverError: inside the block, from `check` and from reading.
    """
    _require_time_to_live(ttl_s)
    address = url or os.environ.get("CONSENTRY_URL") or DEFAULT_URL
    who = credential or os.environ.get("CONSENTRY_TOKEN") or ""
    asked = {"release": release, "job": job, "model": model, "ttl_s": ttl_s}
    given = grant(address, asked, credential=who, folder=state_folder or _state_folder())
    lease = Lease(holding=given.holding, release=given.release, job=job, journal=given.journal)
    lease.ranks_patience_s, lease.others = ranks_patience_s, OtherLeases(url=address, credential=who)
    how = "released"
    try:
        lease._start(watchdog=watchdog)
        yield lease
    except BaseException as error:
        how = "failed" if _failed(error) and not lease.is_over() else "stopped"
        raise
    finally:
        lease._finish(how)
        try:
            lease._close()
        except StateError as error:
            if how == "released":
                raise
            _log.error("%s", error)  # the failure of the job is what is raised


def _failed(error: BaseException) -> bool:
    """Say whether a job that held its lease failed by itself; else it had to stop, or whoever runs it stopped it."""
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return isinstance(error, Exception) and not isinstance(error, LeaseOverError)


def _require_time_to_live(ttl_s: float) -> None:
    if not TTL_LEAST_S <= ttl_s <= TTL_MOST_S:
        raise InputError(
            "lease-time-to-live",
            f"a lease cannot live for `{ttl_s}` seconds",
            help=f"name something from {TTL_LEAST_S:.0f} to {TTL_MOST_S:.0f}",
        )


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "consentry"
