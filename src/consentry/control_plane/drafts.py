"""Drafts of releases: planned, decided, brought up to date, and sealed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from consentry.control_plane.desk import Desk
from consentry.control_plane.wording import require_handle
from consentry.corpus import census, kept_census
from consentry.corpus.classes import PersonClasses
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import Sidecar, Version
from consentry.digests import Digest
from consentry.errors import ConflictError, ConsentryError, InputError
from consentry.ledger.case_events import Handle
from consentry.ledger.envelope import Event
from consentry.ledger.state import Registered
from consentry.ledger.store import SealingSession
from consentry.oversight.order import Scope, in_words
from consentry.policy.choice import Seconds, as_date
from consentry.policy.expressions import Rule
from consentry.policy.jurisdictions import DECISIONS_BEGIN, boundaries
from consentry.policy.matrix import MatrixCompiler
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.progress import Progress
from consentry.release import builder, plan, sealing
from consentry.release.basis import Basis, only_moved, rules_for
from consentry.release.reaching import KeptRows, kept_rows
from consentry.stages import stage

_ATTEMPTS = 5


class _Decided(NamedTuple):
    """Decisions about a corpus, as registered, by the policy set whose document has this digest, and by orders."""

    corpus: Corpus
    registered: Registered | None
    document: Digest
    orders: tuple[Rule, ...]
    draft: builder.Draft


_Kind = tuple[Digest, tuple[Path, ...], Purpose, Digest, tuple[Rule, ...]]
"""What two drafts must have in common so that one can be continued: corpus, sidecars, purpose, policy set, orders."""


class _Kept(NamedTuple):
    """A draft, and the versions of the files it decides."""

    draft: builder.Draft
    files: tuple[Version, ...]


class Drafts:
    """Decides items and seals them. The newest draft and census are remembered: the next differ in little."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._drafts: dict[_Kind, _Kept] = {}
        self._counted: kept_census.KeptCensus | None = None
        self._excluded: KeptRows | None = None

    def plan(
        self, corpus: str, purpose: Purpose, *, policy: PolicySet, at: Seconds, suspended: Scope | None = None
    ) -> plan.Plan:
        """Say what a release would hold, from the census; as if a scope were `suspended`. No content is opened.

        Raises:
            InputError: nothing can be in that scope.
        """
        opened = self.desk.corpus(corpus)
        with self.desk.lock:
            present = self.desk.present()
            knowledge, orders = present.knowledge(purpose, at=at), present.suspensions(purpose)
        counted = self._census(opened, knowledge.classes)
        self._excluded = excluded = kept_rows(
            self._excluded,
            opened.sidecars,
            files=counted.files,
            items=frozenset(knowledge.excluded),
            threads=self.desk.parts.runner,
        )
        rules = rules_for(policy.rules, decides=policy.decides(purpose))
        compiler = MatrixCompiler((*rules, *orders, *_what_if(suspended)), purpose)
        return plan.plan(
            counted.census,
            compiler=compiler,
            knowledge=knowledge,
            items=opened.items,
            sidecars=opened.sidecars,
            excluded_rows=excluded.of(counted.files),
            at=at,
        )

    def build(
        self,
        corpus: str,
        purpose: Purpose,
        *,
        policy: str,
        at: Seconds | None = None,
        by: Handle | None = None,
        progress: Progress | None = None,
    ) -> sealing.Built:
        """Build and seal a release, as of now or of an earlier time; `by` is who says so, as far as that is said.

        Raises:
            InputError: a time that has not come: people would be older and notices longer served than they are. Or one
                before `DECISIONS_BEGIN`: groups of places would be those of a past in which nobody asked. Or one before
                a place came under an order that is in force or into a group that the policy set names, or left it.
                Or `by` is no handle.
        """
        if by is not None:
            require_handle(by)
        if at is not None:
            _require_time(at, now=self.desk.parts.clock())
        for _ in range(_ATTEMPTS):
            with stage("release.decide"):
                decided = self._decide(
                    corpus, purpose, policy, at=self.desk.parts.clock() if at is None else at, progress=progress
                )
            try:
                with stage("release.seal"):
                    built = self._seal(decided, purpose, policy, by=by)
            except BaseException:
                self._clean_up()
                raise
            if built is not None:
                self.desk.write_down(built.manifest.position)
                return built
        raise ConflictError(
            "release-overtaken",
            "the policy set, the people table or the files kept changing while the release was built",
            help="build again when the imports are done",
        )

    def _decide(
        self, corpus: str, purpose: Purpose, policy: str, *, at: Seconds, progress: Progress | None
    ) -> _Decided:
        """Decide every item that may come out differently than in the last release: of people, files, changed cells."""
        # Before it is opened: what is registered in between is decided anew.
        registered = self.desk.present().state.corpora.get(corpus)
        opened = self.desk.corpus(corpus)
        with self.desk.lock:
            present = self.desk.present()
            document, digest_ = self.desk.policy(policy)
            orders = present.suspensions(purpose)
            now = self.desk.parts.clock()
            _require_same_places(orders, at, now=now)
            _require_same_law(document.rules, at, now=now)
            kind = (opened.snapshot, tuple(each.folder for each in opened.sidecars), purpose, digest_, orders)
            drafts = self._drafts
            last = drafts.get(kind)
            basis = self.desk.basis(
                present,
                opened,
                policy=document,
                document=digest_,
                purpose=purpose,
                at=at,
                like=None if last is None else last.draft.basis,
            )
            kept = None if last is None else self._continued(last, opened, basis)
        if kept is None:
            kept = self._made(opened, basis, newest=next(iter(drafts.values()), None), progress=progress)
        self._drafts = {kind: kept}
        return _Decided(opened, registered, digest_, orders, kept.draft)

    def _made(self, corpus: Corpus, basis: Basis, *, newest: _Kept | None, progress: Progress | None) -> _Kept:
        """Decide the files that are new or that a difference to the newest draft concerns, and rows of the others."""
        counted = self._census(corpus, basis.knowledge.classes)
        standing = None
        if newest is not None:
            known = {file: place for place, file in enumerate(newest.files)}
            place = {index: known[file] for index, file in enumerate(counted.files) if file in known}
            standing = builder.standing(newest.draft, basis, place=place, census=counted.census) if place else None
        left = corpus.rows - sum(corpus.sidecars[index].rows for index in (standing.place if standing else ()))
        if progress is not None and left:
            progress.begin("deciding", total=left, unit="items")
        draft = builder.decide(
            corpus.sidecars,
            basis,
            census=counted.census,
            runner=self.desk.parts.runner,
            progress=progress,
            kept=standing,
        )
        return _Kept(draft, counted.files)

    def _census(self, corpus: Corpus, classes: PersonClasses) -> kept_census.KeptCensus:
        """Count the items of a corpus by class: of files counted before, of those who have another class since."""
        width, runner = len(corpus.items), self.desk.parts.runner

        def count(sidecars: Sequence[Sidecar]) -> census.Census:
            with self.desk.parts.watching() as progress:
                return census.take(
                    sidecars,
                    classes.codes,
                    classes=len(classes.members),
                    width=width,
                    runner=runner,
                    progress=progress,
                )

        self._counted = found = kept_census.brought_up_to_date(
            self._counted, corpus.sidecars, classes=classes, width=width, threads=runner, count=count
        )
        return found

    def _continued(self, last: _Kept, corpus: Corpus, basis: Basis) -> _Kept | None:
        """Return the decisions of `last`, brought up to date; None if they may differ for more than some people."""
        draft = last.draft
        seats = self.desk.newest.changed_since(draft.basis.knowledge.position)
        if seats is None or not only_moved(draft.basis, basis, seats=seats):
            return None
        draft = builder.bring_up_to_date(
            draft, corpus.sidecars, basis=basis, seats=seats, runner=self.desk.parts.runner
        )
        return _Kept(draft, last.files)

    def _seal(self, decided: _Decided, purpose: Purpose, policy: str, *, by: Handle | None) -> sealing.Built | None:
        """Bring the decisions up to date under the head lock and seal them; None if they cannot be."""
        corpus, registered, decided_by, orders, draft = decided
        made = builder.content(draft, corpus.sidecars, runner=self.desk.parts.runner)
        with self.desk.lock, self.desk.parts.ledger.sealing() as session:
            delta = self._catch_up(session, since=draft.basis.knowledge.position)
            change = self.desk.newest.change(delta)
            document, digest_ = self.desk.policy_at_head(policy)
            found = digest_, self.desk.newest.state.corpora[corpus.name], self.desk.newest.suspensions(purpose)
            if change.structural or found != (decided_by, registered, orders):
                return None
            corpus.check_files()
            if not change.nothing:
                basis = self.desk.basis(
                    self.desk.newest,
                    corpus,
                    policy=document,
                    document=digest_,
                    purpose=purpose,
                    at=draft.basis.at,
                    like=draft.basis,
                )
                draft = builder.bring_up_to_date(
                    draft, corpus.sidecars, basis=basis, seats=change.seats, runner=self.desk.parts.runner
                )
                made = builder.content(draft, corpus.sidecars, runner=self.desk.parts.runner)
            return sealing.seal(
                corpus,
                draft,
                made=made,
                session=session,
                state=self.desk.newest.state,
                policy=sealing.policy_pin(document, digest_),
                folder=self.desk.releases,
                signer=self.desk.parts.signer,
                by=by,
            )

    def _catch_up(self, session: SealingSession, *, since: int) -> list[Event]:
        """Advance the present to the head that `session` holds, and return the events since a position.

        INVARIANT: the delta begins where the draft was decided, not where the present is: other threads move that.
        """
        start = min(since, self.desk.newest.position)
        events = list(session.read_delta(start))
        self.desk.newest.advance(events[self.desk.newest.position - start :])
        return events[since - start :]

    def _clean_up(self) -> None:
        """Remove the folder that a failed build may have left; if the ledger does not answer, the next build will."""
        with suppress(ConsentryError, OSError), self.desk.at_head() as session:
            builder.sweep(self.desk.releases, self.desk.newest.state.releases, head=session.position)


def _require_time(at: Seconds, *, now: Seconds) -> None:
    """Refuse a time that has not come, and one before decisions begin."""
    if at > now:
        raise InputError(
            "release-time-to-come",
            "a release cannot be decided as of a time that has not come",
            help="leave the time out, or look ahead with `consentry release plan --at`",
        )
    if at < DECISIONS_BEGIN:
        raise InputError(
            "release-time-too-early",
            f"a release cannot be decided as of `{as_date(at)}`, before decisions begin",
            help="give a time from 2024-01-01 on: what holds for places is asked as of the time of the decision",
        )


def _require_same_places(orders: Sequence[Rule], at: Seconds, *, now: Seconds) -> None:
    """Refuse to decide as of a time when a group that an order suspends had other members than now."""
    if any(at < edge <= now for edge in boundaries(area for order in orders for area in order.inside)):
        raise InputError(
            "release-time-before-order",
            f"an order is in force whose areas had other members at `{as_date(at)}` than they have now",
            help="leave the time out: what is suspended now would be sealed",
        )


def _require_same_law(rules: Sequence[Rule], at: Seconds, *, now: Seconds) -> None:
    """Refuse to decide as of a time when a group that a rule names had other members than now."""
    named = {area for rule in rules for area in rule.inside | rule.outside}
    for area in sorted(named):
        if any(at < edge <= now for edge in boundaries([area])):
            raise InputError(
                "release-time-other-places",
                f"`{area}`, which the policy set names, had other members at `{at}` than it has now",
                help="leave the time out: what holds for people now would be decided by where it held then",
            )


def _what_if(suspended: Scope | None) -> tuple[Rule, ...]:
    """Return the rule by which a scope is forbidden in a what-if."""
    if suspended is None:
        return ()
    suspended.check()
    return (suspended.rule("what-if", why=f"what if this were suspended: {in_words(suspended)}"),)
