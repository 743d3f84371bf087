"""What all verbs share: the parts, the present, and how policy sets, corpora and bases are found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock, Thread

import numpy as np
import numpy.typing as npt

from consentry.control_plane import newest_word
from consentry.control_plane.kept_state import KeptState
from consentry.control_plane.known import Known, KnownThen
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.parts import Parts
from consentry.control_plane.table_folder import tables_of
from consentry.corpus.registration import Corpus, open_corpus
from consentry.corpus.sidecar import NOBODY, FilePin, Sidecar
from consentry.digests import Digest
from consentry.errors import ConflictError, IntegrityError, NotFoundError, names_there_are
from consentry.ledger.acknowledged import older
from consentry.ledger.events import (
    Pseudonym,
)
from consentry.ledger.store import SealingSession
from consentry.policy.choice import Seconds
from consentry.policy.expressions import Rule
from consentry.policy.matrix import MatrixCompiler
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.progress import watched
from consentry.release.basis import Basis, lay_out, rules_for
from consentry.stages import stage

_FAR = 1_000
"""From how many events on reading them may take a moment."""


class Desk:
    """Where verbs are carried out. Several threads may share one: `lock` guards `newest`, the present."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.lock = RLock()
        self.newest = Known(parts)
        self.kept = KeptState(parts.home / "cache", parts.ledger, key=parts.cache_key)
        self._still = False
        self._keeping: Thread | None = None
        self._compilers: dict[tuple[Digest, Purpose, tuple[Rule, ...]], MatrixCompiler] = {}
        self._documents: dict[Digest, PolicySet] = {}
        self._opened: dict[str, Corpus] = {}
        self._times: dict[int, Seconds] = {}

    @property
    def corpora(self) -> Path:
        """The folder of the registered corpora."""
        return self.parts.home / "corpora"

    @property
    def releases(self) -> Path:
        """The folder of the releases."""
        return self.parts.home / "releases"

    @property
    def tables(self) -> Path:
        """The folder of the Iceberg tables."""
        return tables_of(self.parts.home)

    def present(self) -> Known:
        """Return what is known now, advanced to the head of the ledger."""
        with self.lock:
            if self._still:
                return self.newest
            if self.newest.position:
                return self._present()
            with self.parts.watching() as progress:
                if progress is not None:
                    progress.begin("opening", total=None, unit="events")
                if (kept := self.kept.read()) is not None:
                    self.newest.restore(kept)
                return self._present()

    @contextmanager
    def held_still(self) -> Iterator[Known]:
        """Hold the lock, with the present advanced to the head once: whoever asks for it within is told that.

        For what asks a thousand times. INVARIANT: nothing is said within, and it is not for long: leases are renewed
        under this lock.
        """
        with self.lock:
            present, before = self.present(), self._still
            self._still = True
            try:
                yield present
            finally:
                self._still = before

    def _present(self) -> Known:
        restored = self.newest.position
        head = self.parts.ledger.head()
        if head == restored > 0:
            self._require_whole()
            self._keep()
            return self.newest
        if head < restored:
            raise older(f"the ledger ends before position {restored}, up to which it was read before")
        self.carry_on(self.newest, head)
        if self.newest.state.newest_erasure >= restored:
            # A process that was killed may have left a state of before the erasure.
            self.kept.drop()
        if self.newest.unaccounted > 0 and self.parts.ledger.head() > head:
            return self._present()  # an erasure that came while this was read accounts for it
        self._require_whole()
        self._keep()
        return self.newest

    def _require_whole(self) -> None:
        """Refuse to go on without what people said: a refusal may be among it, and what is not there denies nothing."""
        if (gone := self.newest.unaccounted) > 0:
            raise IntegrityError(
                "ledger-documents-deleted",
                f"what people said is gone from {gone} event{'s' * (gone > 1)}, and no erasure accounts for it",
                help="restore the ledger from a backup, and find out who can write to it",
            )

    def _keep(self) -> None:
        """Begin to keep the state if that is due: nothing in it changes any more, and nobody waits for it.

        The caller holds the lock; so may whoever called that one, and renewals of leases would wait a minute for it.
        """
        state = self.newest.state
        if self.kept.is_due(state) and (self._keeping is None or not self._keeping.is_alive()):
            self._keeping = Thread(target=self.kept.keep, args=(state,), name="consentry-keep", daemon=True)
            self._keeping.start()

    def settle(self) -> None:
        """Wait for the state that is being kept. The caller holds no lock."""
        if self._keeping is not None:
            self._keeping.join()

    def carry_on(self, known: KnownThen, position: int) -> None:
        """Carry what is known forward to a position of the ledger; whoever watches sees it if it is far."""
        start = known.position
        with stage("ledger.read", events=position - start):
            events = self.parts.ledger.read(start, position)
            if position - start < _FAR:
                known.advance(events)
                return
            with self.parts.watching() as progress:
                total = position - start
                known.advance(watched(events, progress, what="reading the ledger", total=total, unit="events"))

    @contextmanager
    def at_head(self) -> Iterator[SealingSession]:
        """Hold the lock and the head of the ledger, with the present advanced to it: nobody else says anything."""
        with self.lock, self.parts.ledger.sealing() as session:
            if (unread := session.position - self.newest.position) > 0:
                with stage("ledger.read", events=unread):
                    self.newest.advance(session.read_delta(self.newest.position))
            self._require_whole()
            yield session

    def write_down(self, position: int) -> None:
        """Write down outside of the ledger a seal or word of oversight that is durable: an older copy is noticed."""
        with once_recorded():
            newest_word.write_down(self.parts.home, self.parts.ledger, position=position)

    def policy(self, name: str) -> tuple[PolicySet, Digest]:
        """Return the policy set in force under a name, with the digest of its document."""
        published = self.present().state.policy(name)
        if published is None:
            known = sorted({each.name for each in self.present().state.policies})
            raise NotFoundError(
                "policy-not-published",
                f"no policy set `{name}` is in force",
                help=names_there_are(known, "published", otherwise="publish one: consentry policy publish FILE"),
            )
        return self.document(published.digest), published.digest

    def document(self, document: Digest) -> PolicySet:
        """Return the policy set whose text has this digest. A set read once is remembered: its text cannot change."""
        found = self._documents.get(document)
        if found is None:
            found = self._documents[document] = load(self.parts.objects.get(document).decode(), document, accepted=True)
        return found

    def recorded_at(self, position: int) -> Seconds:
        """Return when the event at a position was recorded; it is remembered, as it cannot change."""
        if position not in self._times:
            (event,) = self.parts.ledger.read(position, position + 1)
            self._times[position] = event.recorded_at
        return self._times[position]

    def policy_at_head(self, name: str) -> tuple[PolicySet, Digest]:
        """Return the policy set in force in the present as it is, without reading the ledger."""
        published = self.newest.state.policy(name)
        if published is None:
            raise NotFoundError("policy-not-published", f"no policy set `{name}` is in force", help="publish it")
        return self.document(published.digest), published.digest

    def corpus(self, name: str) -> Corpus:
        """Open a registered corpus as the ledger knows it, its files unchanged."""
        found = self.opened(name)
        recorded = self.present().state.corpora.get(name)
        if recorded is None or recorded.snapshot != found.snapshot:
            raise ConflictError(
                "corpus-not-recorded",
                f"the registration of corpus `{name}` was not finished",
                help="register it again: consentry corpus register DESCRIPTOR",
            )
        found.check_files()
        return found

    def opened(self, corpus: str) -> Corpus:
        """Open a registered corpus as it is on disk; sidecars that did not change are those opened before."""
        found = self._opened[corpus] = open_corpus(self.corpora, corpus, like=self._opened.get(corpus))
        return found

    def sidecars(self, corpus: str) -> dict[FilePin, Sidecar]:
        """Return the sidecars of a corpus by their files, as they are on disk."""
        return {sidecar.pin: sidecar for sidecar in self.opened(corpus).sidecars}

    def basis(
        self,
        present: KnownThen,
        corpus: Corpus,
        *,
        policy: PolicySet,
        document: Digest,
        purpose: Purpose,
        at: Seconds,
        like: Basis | None = None,
    ) -> Basis:
        """Return what decisions about a corpus rest on; compiled rules are remembered, and so is what `like` has."""
        orders = present.suspensions(purpose)
        compiler = self._compilers.get((document, purpose, orders))
        if compiler is None:
            rules = rules_for(policy.rules, decides=policy.decides(purpose))
            compiler = self._compilers[document, purpose, orders] = MatrixCompiler((*rules, *orders), purpose)
        knowledge = present.knowledge(purpose, at=at)
        return lay_out(compiler, at=at, knowledge=knowledge, items=corpus.items, sidecars=corpus.sidecars, like=like)

    def erased(self) -> npt.NDArray[np.uint32]:
        """Return the seats of erased people."""
        return self.parts.people.erased(self.present().state.erased)

    def accounts(self, present: KnownThen, seat: int) -> list[Pseudonym]:
        """Return the pseudonyms of a person's accounts, that in `seat` first; none for nobody."""
        seats = [seat, *(other for other in present.accounts(seat) if other != seat)]
        return self.parts.people.pseudonyms_of(seats) if seat != NOBODY else []
