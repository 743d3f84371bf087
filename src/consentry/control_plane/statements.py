"""Saying things: policy sets, corpora, people, choices, links, erasures; what people are told is in `notices.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from consentry.control_plane.amendments import AmendmentVerbs
from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.recording import ChoiceRecording, Erasures
from consentry.corpus.areas import places_named
from consentry.corpus.broken import NOTHING
from consentry.corpus.registration import Registration, forget_earlier, register
from consentry.errors import ConflictError, IntegrityError, NotFoundError, names_there_are
from consentry.ledger.events import (
    ChoiceMade,
    CorpusRegistered,
    PeopleLoaded,
    PersonLinked,
    PolicyPublished,
    Pseudonym,
    made_too_late,
)
from consentry.ledger.groups import parted
from consentry.ledger.state import Registered
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import OUT_OF_FORCE, PolicySet, withdrawals
from consentry.progress import Progress
from consentry.release.reaching import reaches_back


class StatementVerbs:
    """Verbs that put something into the ledger."""

    def __init__(self, desk: Desk, *, archive: Archive, amendments: AmendmentVerbs) -> None:
        self.desk = desk
        self.archive = archive
        self.amendments = amendments
        self._erasures = Erasures(desk)

    def publish(self, text: str, filename: str) -> tuple[PolicySet, int]:
        """Put a policy set in force. Return it with the position."""
        policy = load(text, filename, places_named=places_named)
        document = self.desk.parts.objects.put(text.encode())
        published = PolicyPublished(name=policy.name, version=policy.version, digest=document)
        return policy, self.desk.parts.ledger.append([published])[0]

    def withdraw(self, name: str) -> int:
        """Take the policy set of a name out of force: a set that decides nothing takes its place. Return the position.

        Raises:
            NotFoundError: none of this name is in force.
            ConflictError: it was withdrawn already.
        """
        published = self.desk.present().state.policy(name)
        # By its digest: also a set that this version cannot read can be withdrawn.
        if published is None:
            known = sorted({each.name for each in self.desk.newest.state.policies})
            raise NotFoundError(
                "policy-not-published",
                f"no policy set `{name}` is in force",
                help=names_there_are(known, "published", otherwise="there is nothing to withdraw"),
            )
        if published.digest in withdrawals(name):
            raise ConflictError(
                "policy-withdrawn", f"policy set `{name}` is out of force already", help="there is nothing to do"
            )
        return self.publish(OUT_OF_FORCE.format(name=name), name)[1]

    def register_corpus(self, descriptor: Path, *, progress: Progress | None = None) -> Registration:
        """Build the sidecars that are missing or stale, and record the corpus as it is now.

        Another descriptor may name in further items who refused before, and so may what is built in place of a sidecar
        that was damaged or lost: these leave the releases that are sealed.
        """
        done = register(
            descriptor,
            self.desk.corpora,
            identities=self.desk.parts.pseudonyms.identities,
            threads=self.desk.parts.runner,
            erased=self.desk.erased,
            numbered=lambda name: known.position + 1 if (known := self._registered(name)) is not None else 0,
            progress=progress,
        )
        known = self._registered(done.corpus.name)
        mended = known is not None and not done.broken.nothing
        new = known is None or known.snapshot != done.corpus.snapshot or mended
        if new:
            self.desk.parts.ledger.append([CorpusRegistered(name=done.corpus.name, snapshot=done.corpus.snapshot)])
        with once_recorded("perhaps no release follows it yet", anything=new):
            made_up = done.broken if self.amendments.hear_of(done.corpus.name, mended=mended) else NOTHING
            # INVARIANT: the event comes first. No release is sealed after it with what was in force before.
            forget_earlier(self.desk.corpora, done.corpus.name, wanted=self.archive.snapshots(), made_up=made_up)
        return done

    def _registered(self, name: str) -> Registered | None:
        return self.desk.present().state.corpora.get(name)

    def load_people(
        self, descriptor: Path, *, batches: Iterable[Any] | None = None, progress: Progress | None = None
    ) -> Any:
        """Replace what is known of people by what their table says now. Seats stay.

        The table is in the Parquet files that the descriptor names, or in Arrow batches with the columns it names.
        """
        before = self._linked()
        report = self.desk.parts.people.load_people(descriptor, batches=batches, progress=progress)
        self.desk.parts.ledger.append([PeopleLoaded(snapshot=report.snapshot, rows=report.rows)])
        # The table may say that accounts are one person's: what one refused, all did.
        self.amendments.amend_recorded()
        with once_recorded("nobody can tell yet which links are gone by it"):
            report.links_gone = parted(before, self.desk.present().groups)
        return report

    def _linked(self) -> Mapping[int, tuple[int, ...]]:
        """Return who is linked; nobody where that is lost: to load the table again is then the way on."""
        try:
            return self.desk.present().groups
        except (NotFoundError, IntegrityError):
            return {}

    def require_corpus(self, name: str) -> None:
        """Refuse a corpus that is not registered: what is said about its items would concern nothing."""
        known = self.desk.present().state.corpora
        if name not in known:
            raise NotFoundError(
                "corpus-unknown",
                f"no corpus `{name}`",
                help=names_there_are(sorted(known), "registered", otherwise="register it: consentry corpus register"),
            )

    def choose(
        self,
        choices: Iterable[ChoiceMade],
        *,
        batch: int = 1000,
        recorded: Callable[[range], None] | None = None,
        left_out: Callable[[ChoiceMade], None] | None = None,
    ) -> int:
        """Record choices, `batch` at a time; each batch is durable when the next begins. Return how many.

        `recorded` is called with the positions of each batch, once it is durable. Refusals with reach `everything`
        amend the sealed releases when all are recorded, once each. Nothing may be kept of people who were erased:
        `left_out` is called with each choice about one of them; without it they are refused.

        Raises:
            ChoiceError: a choice says it was made at a time to come: it would outlast everything said until then. Or it
                is about somebody who was erased.
        """
        count, reaching = 0, False
        recording = ChoiceRecording(self.desk, erasures=self._erasures, left_out=left_out)
        stream = map(self._made, choices)
        try:
            while waiting := list(islice(stream, batch)):
                with once_recorded(f"only the first {count} of them are for sure", anything=count > 0):
                    positions = recording.record(waiting)
                count += len(positions)
                reaching = reaching or any(reaches_back(each.choice) for each in waiting)
                if recorded is not None and positions:
                    recorded(positions)
        finally:
            # Interrupted as well: what was recorded holds, and readers of tables ask nobody.
            if reaching:
                self.amendments.amend_recorded()
        return count

    def _made(self, choice: ChoiceMade) -> ChoiceMade:
        if choice.choice.at > self.desk.parts.clock():
            raise made_too_late(choice.choice.at)
        return choice

    def link(self, one: Pseudonym, other: Pseudonym) -> int:
        """Record that two ids are one person. Return the position."""
        position = self.desk.parts.ledger.append([PersonLinked(person=one, same_as=other)])[0]
        self.amendments.amend_recorded()
        return position

    def erase(self, people: Sequence[Pseudonym]) -> int:
        """Erase what was said by and about people, on all their accounts; return the number of accounts.

        Their items stay denied. Interrupted, it can be asked for again: until the last step the accounts are found.
        """
        with self.desk.lock:
            present = self.desk.present()
            seats = self.desk.parts.people.seats_of(people).tolist()
            others = (each for seat in seats for each in self.desk.accounts(present, seat))
            accounts = list(dict.fromkeys([*people, *others]))
            linked = [each for each in map(present.accounts, seats) if len(each) > 1]
        self.desk.kept.drop()
        # Seats first: a crash in between leaves closed seats with their choices, never open seats without them.
        self.desk.parts.people.close(accounts, linked=linked)
        with once_recorded("perhaps not all of it is erased yet"):
            self.desk.parts.personal.erase(accounts)
        # Their items leave what was sealed before what leads to them is forgotten.
        self.amendments.amend_recorded()
        self.desk.parts.people.forget(accounts)
        # Again: another process may have kept the state in between.
        self.desk.kept.drop()
        return len(accounts)
