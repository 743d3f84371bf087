"""The verbs of Consentry: all that the command line and the service may call.

Each verb is short and keeps the order that makes it safe: read, decide, write, then say so in the ledger. What a verb
returns is plain data; how it is shown is the caller's business.

One `ControlPlane` may be used by several threads: a lock guards the present, and the ledger's head lock guards sealing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from consentry.corpus import census
from consentry.corpus.registration import Corpus, Registration, open_corpus, register
from consentry.corpus.sidecar import Identities
from consentry.digests import Digest
from consentry.errors import ConflictError, ConsentryError, NotFoundError
from consentry.ledger.envelope import Event
from consentry.ledger.events import (
    ChoiceMade,
    CorpusRegistered,
    NoticeServed,
    PeopleLoaded,
    PersonLinked,
    PolicyPublished,
    Pseudonym,
)
from consentry.ledger.state import Sealed
from consentry.ledger.store import Ledger, PersonalEvents, SealingSession
from consentry.policy.choice import Seconds
from consentry.policy.expressions import Effect, Rule
from consentry.policy.matrix import MatrixCompiler
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.release import builder, compare, explain, materialise, plan, sealed, sealing
from consentry.release.basis import Basis, lay_out, people_of, rules_for
from consentry.release.iceberg import write_table
from consentry.release.iceberg_schema import FormatVersion
from consentry.release.materialise import CopyFormat
from consentry.release.present import Cohorts, PeopleTables, Present, Registry
from consentry.release.reproduce import check_registered, reproduce, sidecars_of

Progress = Callable[[int], None]
_ATTEMPTS = 5


class ObjectStore(Protocol):
    """Documents by digest. When `put` returns the document is durable; `get` checks what it returns."""

    def put(self, content: bytes) -> Digest:
        """Store a document and return its digest."""
        ...

    def get(self, name: Digest) -> bytes:
        """Return a document."""
        ...


class PeopleStore(Registry, PeopleTables, Cohorts, Protocol):
    """Everything about people: seats, tables, cohorts. See the three protocols."""

    def load_people(self, path: Path, *, progress: Progress | None) -> Any:
        """Read a people table and return a report with `snapshot` and `rows`."""
        ...

    def store_cohort(self, people: Sequence[Pseudonym]) -> Digest:
        """Store a list of people."""
        ...

    def close(self, people: Sequence[Pseudonym]) -> None:
        """Close the seats of these people, durably, and know them again if they come back."""
        ...

    def forget(self, people: Sequence[Pseudonym]) -> None:
        """Delete what leads from these people's ids to their seats."""
        ...


class Pseudonymiser(Protocol):
    """Turns raw ids into what is stored of them."""

    def person(self, person: str) -> Pseudonym:
        """Return the pseudonym of a person id."""
        ...

    def item(self, corpus: str, item: str) -> Pseudonym:
        """Return the pseudonym of an item id of a corpus."""
        ...

    def identities(self, corpus: str) -> Identities:
        """Return what turns whole columns of ids of a corpus into seats and keys."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a control plane is made of. `bootstrap` puts it together."""

    home: Path
    ledger: Ledger
    personal: PersonalEvents
    objects: ObjectStore
    people: PeopleStore
    pseudonyms: Pseudonymiser
    runner: builder.Runner
    signer: builder.Signer
    check_signature: sealed.CheckSignature
    clock: Callable[[], Seconds]


class ControlPlane:
    """A deployment at work."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._lock = RLock()
        self._present = Present(parts.people, parts.people, parts.people)
        self._compilers: dict[tuple[Digest, Purpose], MatrixCompiler] = {}
        self._drafts: dict[tuple[str, Purpose, Digest], tuple[Corpus, builder.Draft]] = {}

    @property
    def corpora(self) -> Path:
        """The folder of the registered corpora."""
        return self.parts.home / "corpora"

    @property
    def releases(self) -> Path:
        """The folder of the releases."""
        return self.parts.home / "releases"

    def present(self) -> Present:
        """Return what is known now, advanced to the head of the ledger."""
        with self._lock:
            self._present.advance(self.parts.ledger.read(self._present.position))
            return self._present

    # -- saying things ------------------------------------------------------------------------------------------------

    def publish(self, text: str, filename: str) -> PolicySet:
        """Put a policy set in force."""
        policy = load(text, filename)
        document = self.parts.objects.put(text.encode())
        self.parts.ledger.append([PolicyPublished(name=policy.name, version=policy.version, digest=document)])
        return policy

    def register_corpus(self, descriptor: Path, *, progress: Progress | None = None) -> Registration:
        """Build the sidecars that are missing or stale, and record the corpus as it is now."""
        done = register(
            descriptor,
            self.corpora,
            identities=self.parts.pseudonyms.identities,
            threads=self.parts.runner,
            progress=progress,
        )
        known = self.present().state.corpora.get(done.corpus.name)
        if known is None or known.snapshot != done.corpus.snapshot:
            self.parts.ledger.append([CorpusRegistered(name=done.corpus.name, snapshot=done.corpus.snapshot)])
        return done

    def load_people(self, descriptor: Path, *, progress: Progress | None = None) -> Any:
        """Replace what is known of people by what their table says now. Seats stay."""
        report = self.parts.people.load_people(descriptor, progress=progress)
        self.parts.ledger.append([PeopleLoaded(snapshot=report.snapshot, rows=report.rows)])
        return report

    def choose(self, choices: Iterable[ChoiceMade], *, batch: int = 1000) -> int:
        """Record choices, `batch` at a time; each batch is durable when the next begins. Return how many."""
        count = 0
        waiting: list[ChoiceMade] = []
        for choice in choices:
            waiting.append(choice)
            if len(waiting) == batch:
                count += len(self.parts.ledger.append(waiting))
                waiting = []
        return count + (len(self.parts.ledger.append(waiting)) if waiting else 0)

    def serve_notice(self, notice: str, people: Sequence[Pseudonym], *, at: Seconds) -> int:
        """Record that people were told something. Return the position."""
        cohort = self.parts.people.store_cohort(people)
        return self.parts.ledger.append([NoticeServed(notice=notice, at=at, cohort=cohort, count=len(people))])[0]

    def link(self, one: Pseudonym, other: Pseudonym) -> int:
        """Record that two ids are one person. Return the position."""
        return self.parts.ledger.append([PersonLinked(person=one, same_as=other)])[0]

    def erase(self, people: Sequence[Pseudonym]) -> int:
        """Erase what was said by and about people, on all their accounts; return the number of accounts.

        Their items stay denied. Interrupted, it can be asked for again: until the last step the accounts are found.
        """
        with self._lock:
            present = self.present()
            seats = self.parts.people.seats_of(people).tolist()
            accounts = list(dict.fromkeys(each for seat in seats for each in self._accounts(present, seat)))
        # Seats first: a crash in between leaves closed seats with their choices, never open seats without them.
        self.parts.people.close(accounts)
        self.parts.personal.erase(accounts)
        self.parts.people.forget(accounts)
        return len(accounts)

    # -- looking ahead ------------------------------------------------------------------------------------------------

    def policy(self, name: str) -> tuple[PolicySet, Digest]:
        """Return the policy set in force under a name, with the digest of its document."""
        published = self.present().state.policy(name)
        if published is None:
            known = sorted({each.name for each in self.present().state.policies})
            raise NotFoundError(
                "policy-not-published",
                f"no policy set `{name}` is in force",
                help=f"published: {', '.join(known)}" if known else "publish one: consentry policy publish FILE",
            )
        return self._policy_document(published.digest), published.digest

    def _policy_document(self, document: Digest) -> PolicySet:
        return load(self.parts.objects.get(document).decode(), document)

    def corpus(self, name: str) -> Corpus:
        """Open a registered corpus as the ledger knows it, its files unchanged."""
        found = open_corpus(self.corpora, name)
        recorded = self.present().state.corpora.get(name)
        if recorded is None or recorded.snapshot != found.snapshot:
            raise ConflictError(
                "corpus-not-recorded",
                f"the registration of corpus `{name}` was not finished",
                help="register it again: consentry corpus register DESCRIPTOR",
            )
        found.check_files()
        return found

    def plan(
        self, corpus: str, purpose: Purpose, policy: PolicySet, *, at: Seconds, suspended: Sequence[str] = ()
    ) -> plan.Plan:
        """Say what a release would hold, from the census alone; as if the `suspended` areas were forbidden."""
        opened = self.corpus(corpus)
        with self._lock:
            knowledge = self.present().knowledge(purpose, at=at)
        counted = census.take(opened.sidecars, knowledge.classes, width=len(opened.items), threads=self.parts.runner)
        rules = rules_for(policy.rules, decides=policy.decides(purpose))
        compiler = MatrixCompiler((*rules, *suspension(suspended)), purpose)
        return plan.plan(counted, compiler=compiler, classes=knowledge.classes, items=opened.items, at=at)

    # -- releases -----------------------------------------------------------------------------------------------------

    def build(
        self, corpus: str, purpose: Purpose, policy: str, *, at: Seconds | None = None, progress: Progress | None = None
    ) -> sealing.Built:
        """Build and seal a release."""
        for _ in range(_ATTEMPTS):
            draft = self._decide(
                corpus, purpose, policy, at=self.parts.clock() if at is None else at, progress=progress
            )
            try:
                built = self._seal(draft, purpose, policy)
            except BaseException:
                self._clean_up()
                raise
            if built is not None:
                return built
        raise ConflictError(
            "release-overtaken",
            "policies, people or files kept changing while the release was built",
            help="build again when the imports are done",
        )

    def _decide(
        self, corpus: str, purpose: Purpose, policy: str, *, at: Seconds, progress: Progress | None
    ) -> tuple[Corpus, builder.Draft]:
        opened = self.corpus(corpus)
        with self._lock:
            present = self.present()
            document, digest_ = self.policy(policy)
            basis = self._basis(present, opened, document, digest_, purpose=purpose, at=at)
        return opened, builder.decide(opened.sidecars, basis, self.parts.runner, progress=progress)

    def _basis(
        self, present: Present, corpus: Corpus, policy: PolicySet, document: Digest, *, purpose: Purpose, at: Seconds
    ) -> Basis:
        compiler = self._compilers.get((document, purpose))
        if compiler is None:
            rules = rules_for(policy.rules, decides=policy.decides(purpose))
            compiler = self._compilers[document, purpose] = MatrixCompiler(rules, purpose)
        knowledge = present.knowledge(purpose, at=at)
        return lay_out(compiler, at=at, knowledge=knowledge, items=corpus.items, sidecars=corpus.sidecars)

    def _seal(self, decided: tuple[Corpus, builder.Draft], purpose: Purpose, policy: str) -> sealing.Built | None:
        """Bring the decisions up to date under the head lock and seal them; None if they cannot be."""
        corpus, draft = decided
        made = builder.content(draft, corpus.sidecars, self.parts.runner)
        with self._lock, self.parts.ledger.sealing() as session:
            delta = self._catch_up(session, since=draft.basis.knowledge.position)
            change = self._present.change(delta)
            if change.structural:
                return None
            corpus.check_files()
            document, digest_ = self.policy_at_head(policy)
            if change.seats.size:
                basis = self._basis(self._present, corpus, document, digest_, purpose=purpose, at=draft.basis.at)
                draft = builder.bring_up_to_date(
                    draft, corpus.sidecars, basis, seats=change.seats, runner=self.parts.runner
                )
                made = builder.content(draft, corpus.sidecars, self.parts.runner)
            return sealing.seal(
                corpus,
                draft,
                made,
                session=session,
                state=self._present.state,
                policy=sealing.policy_pin(document, digest_),
                folder=self.releases,
                signer=self.parts.signer,
            )

    def _catch_up(self, session: SealingSession, *, since: int) -> list[Event]:
        """Advance the present to the head that `session` holds, and return the events since a position.

        INVARIANT: the delta begins where the draft was decided, not where the present is: other threads move that.
        """
        start = min(since, self._present.position)
        events = list(session.read_delta(start))
        self._present.advance(events[self._present.position - start :])
        return events[since - start :]

    def _clean_up(self) -> None:
        """Remove the folder that a failed build may have left; if the ledger does not answer, the next build will."""
        with suppress(ConsentryError, OSError), self._lock, self.parts.ledger.sealing() as session:
            self._catch_up(session, since=self._present.position)
            builder.sweep(self.releases, self._present.state.releases)

    def policy_at_head(self, name: str) -> tuple[PolicySet, Digest]:
        """Return the policy set in force in the present as it is, without reading the ledger."""
        published = self._present.state.policy(name)
        if published is None:
            raise NotFoundError("policy-not-published", f"no policy set `{name}` is in force", help="publish it")
        return self._policy_document(published.digest), published.digest

    def sealed_releases(self) -> dict[str, Sealed]:
        """Return every sealed release by name, oldest first."""
        return dict(self.present().state.releases)

    def sealed_as(self, name: str) -> Sealed:
        """Return what the ledger says about a release."""
        known = self.present().state.releases
        if name not in known:
            raise NotFoundError(
                "release-unknown",
                f"no release `{name}`",
                help=f"sealed: {', '.join(known)}" if known else "build one: consentry release build",
            )
        return known[name]

    def release(self, name: str) -> sealed.SealedRelease:
        """Open a sealed release, its manifest checked against the ledger."""
        return sealed.open_release(self.releases / name, expected=self.sealed_as(name).manifest)

    def side(self, name: str) -> tuple[compare.Side, Present, Corpus]:
        """Open a release with everything it was decided by, from the ledger up to its position."""
        release = self.release(name)
        manifest = release.manifest
        then = Present(self.parts.people, self.parts.people, self.parts.people)
        then.advance(self.parts.ledger.read(0, manifest.position))
        corpus = sidecars_of(manifest, open_corpus(self.corpora, manifest.corpus))
        policy = self._policy_document(manifest.policy.digest)
        basis = self._basis(
            then, corpus, policy, manifest.policy.digest, purpose=manifest.purpose, at=manifest.decided_at
        )
        return compare.Side(release=release, basis=basis, sidecars=corpus.sidecars), then, corpus

    def explain(self, name: str, item: str) -> explain.Explanation:
        """Say why an item is in a release, or is not, and check that the bitmap says the same."""
        side, then, corpus = self.side(name)
        key = self.parts.pseudonyms.item(corpus.name, item)
        found = explain.find(corpus, item, key)
        seats = [seat for seat, _ in people_of(side.basis, found.sidecar, found.row, key)]
        people = [self._accounts(then, seat) for seat in seats]
        policy = self._policy_document(side.release.manifest.policy.digest)
        result = explain.explain(found, side.basis, key=key, policy=policy, state=then.state, people=people)
        file = next(each for each in side.release.manifest.files if each.pin == found.sidecar.pin)
        agrees = side.release.excludes(file, found.row) is not result.allowed
        erased = not agrees and bool(np.isin(self._erased(), seats).any())
        body = {**result.body, "release": name, "agrees_with_bitmap": agrees, "erased_since": erased}
        return replace(result, body=body)

    def _accounts(self, present: Present, seat: int) -> list[Pseudonym]:
        """Return the pseudonyms of a person's accounts, that in `seat` first; none for nobody."""
        seats = [seat, *(other for other in present.accounts(seat) if other != seat)]
        return [person for each in seats if (person := self.parts.people.pseudonym_of(each)) is not None]

    def _erased(self) -> npt.NDArray[np.uint32]:
        return self.parts.people.erased(self.present().state.erased)

    def examples(self, name: str) -> dict[str, str]:
        """Return for each reason that occurs in a release (or `eligible`) the id of an item counted under it."""
        side, _, corpus = self.side(name)
        corpus.check_files()
        return explain.examples(side, corpus)

    def materialise(
        self, name: str, target: Path, *, kind: CopyFormat, progress: Progress | None = None
    ) -> materialise.CopyReport:
        """Write a filtered copy of a release."""
        release = self.release(name)
        files = release.data_files(self._unchanged(release).base)
        return materialise.materialise(files, target, format=kind, progress=progress)

    def compare(self, before: str, after: str) -> dict[str, Any]:
        """Say what changed between two releases, and why."""
        return compare.compare(self.side(before)[0], self.side(after)[0])

    def table(self, name: str, format_version: FormatVersion) -> dict[str, Any]:
        """Write a release as an Iceberg table over the untouched files; an existing one is kept as it is."""
        release = self.release(name)
        manifest = release.manifest
        files = release.data_files(self._unchanged(release).base)
        folder = self.parts.home / "tables" / name / f"v{format_version}"
        if folder.exists():
            shutil.rmtree(folder)
        report = write_table(
            folder,
            files,
            schema=pq.read_schema(files[0].path),
            format_version=format_version,
            release=name,
            sealed_at=manifest.decided_at,
            properties={"consentry.release": name, "consentry.manifest": builder.manifest_digest(manifest)},
        )
        return {"metadata": str(report.metadata), "rows": report.rows, "excluded": report.excluded}

    def _unchanged(self, release: sealed.SealedRelease) -> Corpus:
        """Return the corpus of a release, whose files are those it was made from."""
        corpus = open_corpus(self.corpora, release.manifest.corpus)
        check_registered(release.manifest, corpus)
        return corpus

    def verify(self, name: str, *, decide: bool = False, progress: Progress | None = None) -> Iterator[sealed.Finding]:
        """Check a release; with `decide`, decide every item again and compare the bitmaps byte by byte."""
        self.sealed_as(name)
        try:
            release = self.release(name)
            corpus = open_corpus(self.corpora, release.manifest.corpus)
        except ConsentryError as error:
            yield sealed.Finding(check="manifest", problem=error.message, code=error.code)
            return
        yield from sealed.verify(release, corpus.base, check_signature=self.parts.check_signature, progress=progress)
        if decide:
            yield self._decide_again(release, corpus)

    def _decide_again(self, release: sealed.SealedRelease, corpus: Corpus) -> sealed.Finding:
        try:
            side, _, opened = self.side(release.manifest.release)
            if len(opened.sidecars) < len(release.manifest.files):
                check_registered(release.manifest, corpus)
            return reproduce(release, side.basis, opened.sidecars, erased=self._erased(), runner=self.parts.runner)
        except ConsentryError as error:
            return sealed.Finding(check="decisions", problem=error.message, code=error.code)


def suspension(areas: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rule by which areas are forbidden in a what-if; none without areas."""
    if not areas:
        return ()
    named = ", ".join(areas)
    return (Rule(id="what-if", effect=Effect.FORBID, why=f"what if {named} were suspended", inside=frozenset(areas)),)
