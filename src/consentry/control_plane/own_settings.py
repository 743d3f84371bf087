"""What a person sees of the use of their own content. Asked by pseudonym, never by id.

Nobody gets a seat by looking. What is shown costs what the person has: postings, and what is known of one seat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from consentry.control_plane.asker import Asker, concerns, find
from consentry.control_plane.desk import Desk
from consentry.control_plane.in_force import by_purpose, in_turn
from consentry.control_plane.known import Known
from consentry.control_plane.own_list import OwnFile
from consentry.control_plane.own_since import Held, Spell, held, joined
from consentry.control_plane.own_suspensions import resumed_at
from consentry.corpus.registration import Corpus, open_corpus
from consentry.digests import Digest
from consentry.errors import ConsentryError
from consentry.ledger.envelope import Event
from consentry.ledger.events import Pseudonym
from consentry.ledger.state import Published, Sealed, Stated
from consentry.oversight.lost_events import Lost
from consentry.oversight.order import Order
from consentry.policy.choice import SECONDS_PER_DAY, Seconds
from consentry.policy.evaluator import Reason, ReasonKind
from consentry.policy.expressions import Effect, Part
from consentry.policy.matrix import STRANGER, MatrixCompiler, PersonClass
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release.basis import Asked, Knowledge, rules_for
from consentry.release.own_items import OwnItem, OwnItems
from consentry.release.situation import Question, Situation, Stands, stands
from consentry.stages import stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many items of one category somebody has, how many may be used, and why not the others.

    `due` are those that are used once they were told and had time to say no, by when that is (None: not settled);
    `asked_for` those that are used if they say yes. These are not among `why_not`. `unmet` says of those that nothing
    permits what keeps the permits from them.
    """

    items: int = 0
    used: int = 0
    others: int = 0
    due: Mapping[Seconds | None, int] = field(default_factory=dict)
    asked_for: int = 0
    why_not: Mapping[Reason, int] = field(default_factory=dict)
    unmet: Mapping[frozenset[Part], int] = field(default_factory=dict)


class Missing(NamedTuple):
    """When what somebody said may have been lost, as far as that is known: after `since`, before `until`."""

    since: Seconds | None
    until: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnUse:
    """A use, and how it stands for one person.

    Attributes:
        policy: the set that decides, None if none does, and the `digest` under which it was published; `since` is when
            it was put in force, `resumed` when the last suspension ended that stopped all of it for them, if one did.
        held: since when it stands as it does, whichever set came to that, but for what is in `resumed` and `said`.
        counted: their items by category, those of no permitted category included.
        beside: how many items by others involve them.
        complete: whether all of their items could be counted.
        said: what they said that counts here: about this purpose, those above it and those below it. `spoke`: whether
            they said anything about these, if only to take it back; `taken_back` is when they last took back what
            they had said about all of it.
        orders: the orders among the obstacles, among those of a kind, and in `counted`, by id.
        places: where they may live; `established` says whether anything but a weak sign says so.
        served: the notices they were served, with the time.
        missing: when what they said about it may have been lost, if they said nothing about it since.
    """

    purpose: Purpose
    policy: PolicySet | None
    digest: Digest
    since: Seconds | None
    resumed: Seconds | None
    held: Held
    stands: Stands
    counted: Mapping[Category, Counted]
    beside: int
    complete: bool
    said: Sequence[Stated]
    spoke: bool
    taken_back: Seconds | None
    orders: Mapping[str, Order]
    places: frozenset[str]
    established: bool
    served: Mapping[str, Seconds]
    erased: bool
    missing: Missing | None = None


class OwnSettings:
    """Verbs with which a person looks at how the use of their own content stands."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._opened: dict[str, Corpus] = {}
        self._spells: dict[Purpose, tuple[int, list[Spell]]] = {}
        self._known: dict[Purpose, tuple[tuple[int, int, int], Knowledge]] = {}

    def asker(self, person: Pseudonym) -> Asker:
        """Return who asks. Nobody gets a seat by it."""
        return find(self.desk, person)

    def unsaid(self, person: Pseudonym) -> list[Purpose]:
        """Return the uses that are decided about and that the person said nothing about with any account."""
        asker = self.asker(person)
        with self.desk.lock:
            deciding = self._deciding(self.desk.present())
        return [each for each in Purpose if each in deciding and not asker.spoke_about(each)]

    def uses(self, person: Pseudonym) -> list[OwnUse]:
        """Return every use for training that is decided about, or that they said something about.

        Beside those, the uses for which releases were made before, and are not withdrawn.
        """
        asker = self.asker(person)
        corpora, complete = self.corpora()
        with self.desk.lock:
            present = self.desk.present()
            deciding = self._deciding(present)
            further = {
                said.choice.key.purpose for said in asker.said if Purpose.TRAIN_AI.covers(said.choice.key.purpose)
            }
            purposes = _with_sealed({*deciding, *further}, present.state.releases.values())
            at = self.desk.parts.clock()
            known = {purpose: self.knowledge(present, purpose, at=at) for purpose in purposes}
            rules = {purpose: present.suspensions(purpose) for purpose in purposes}
            orders = {order.order: order for order in present.overseen.orders}
            lost = list(present.overseen.lost)
            published = list(present.state.policies)
        found = []
        for purpose in purposes:
            decides = deciding.get(purpose) or self._covering(deciding, purpose)
            policy = None if decides is None else self.desk.document(decides.digest)
            decided = () if policy is None else rules_for(policy.rules, decides=policy.decides(purpose))
            asked = MatrixCompiler((*decided, *rules[purpose]), purpose), known[purpose]
            with stage("decision.own-items", purpose=str(purpose)):
                use = self._use(
                    asker,
                    *asked,
                    corpora=corpora,
                    complete=complete,
                    at=at,
                    policy=policy,
                    published=decides,
                    spells=self._spells_of(purpose, published),
                    orders=orders,
                )
            found.append(use)
        return [replace(use, missing=self._missing(asker, use.purpose, lost=lost)) for use in found]

    def missing(self, person: Pseudonym) -> Missing | None:
        """Return when something that a person said may have been lost; None if nothing is, or they spoke since."""
        asker = self.asker(person)
        with self.desk.lock:
            lost = list(self.desk.present().overseen.lost)
        return self._missing(asker, None, lost=lost)

    def _missing(self, asker: Asker, purpose: Purpose | None, *, lost: Sequence[Lost]) -> Missing | None:
        concerned = [each for each in lost if not asker.spoke_about(purpose, since=each.last + 1)]
        if not concerned or asker.erased:
            return None
        first = min(each.first for each in concerned)
        return Missing(self.desk.recorded_at(first - 1) if first else None, max(each.at for each in concerned))

    def _use(
        self,
        asker: Asker,
        compiler: MatrixCompiler,
        known: Knowledge,
        *,
        corpora: Sequence[Corpus],
        complete: bool,
        at: Seconds,
        policy: PolicySet | None,
        published: Published | None,
        spells: Sequence[Spell],
        orders: Mapping[str, Order],
    ) -> OwnUse:
        facts = _facts(known, asker)
        files = list(self.each_file(asker, compiler, known=known, corpora=corpora, at=at))
        items = [own for file in files for own in file.own()]
        question = Question(
            purpose=compiler.purpose,
            rules=compiler.rules,
            facts=facts,
            said=[each.choice for each in asker.said],
            seen_by=_seen_by(items),
            at=at,
        )
        found = stands(question) if policy is not None else _undecided(question)
        counted = _counted(items)
        against = [*found.obstacles, *(each for kind in found.kinds for each in kind.against)]
        named = {each.reference for each in (*against, *(why for each in counted.values() for why in each.why_not))}
        permitting = replace(question, rules=[each for each in question.rules if each.effect is not Effect.SUSPEND])
        return OwnUse(
            purpose=compiler.purpose,
            policy=policy,
            digest="" if published is None else published.digest,
            since=None if published is None else self.desk.recorded_at(published.position),
            resumed=resumed_at(permitting, orders.values()),
            held=held(permitting, spells),
            stands=found,
            counted=counted,
            beside=sum(file.beside.size for file in files),
            complete=complete,
            said=[each for each in asker.said if concerns(each.choice, compiler.purpose)],
            spoke=bool(asker.spoke_about(compiler.purpose)),
            taken_back=asker.took_back(compiler.purpose),
            orders={name: order for name, order in orders.items() if name in named},
            places=facts.places,
            established=facts.established,
            served=dict(facts.notices),
            erased=asker.erased,
        )

    def _spells_of(self, purpose: Purpose, published: Sequence[Published]) -> list[Spell]:
        """Return under which rules a use was decided, the newest first; remembered until a set is published."""
        if self._spells.get(purpose, (None,))[0] != len(published):
            turns = in_turn(published, self.desk.document, purpose=purpose)
            spells = []
            for position, each in turns:
                policy = self.desk.document(each.digest)
                rules = rules_for(policy.rules, decides=policy.decides(purpose))
                spells.append(Spell(self.desk.recorded_at(position), rules))
            self._spells[purpose] = len(published), joined(spells)[::-1]
        return self._spells[purpose][1]

    def each_file(
        self, asker: Asker, compiler: MatrixCompiler, *, known: Knowledge, corpora: Sequence[Corpus], at: Seconds
    ) -> Iterator[OwnFile]:
        """Yield every content file, for what is by or about a person to be decided one by one."""
        seats = np.array(asker.seats, dtype=np.uint32)
        for corpus in corpora if asker.seats else ():
            deciding = OwnItems(Asked(compiler, at, known, corpus.items), [each.choice for each in asker.said])
            for number, sidecar in enumerate(corpus.sidecars):
                rows = sidecar.rows_of(seats)
                mine = np.isin(sidecar.person[rows], seats)
                yield OwnFile(corpus, number, deciding, rows[mine], rows[~mine])

    def corpora(self) -> tuple[list[Corpus], bool]:
        """Return the registered corpora that can be read, and whether these are all."""
        found, complete = [], True
        for name in self.desk.present().state.corpora:
            try:
                opened = open_corpus(self.desk.corpora, name, like=self._opened.get(name))
            except ConsentryError:
                complete = False
                continue
            self._opened[name] = opened
            found.append(opened)
        return found, complete

    def deciding(self, purpose: Purpose) -> Published | None:
        """Return the policy set that decides about a purpose: of those in force, the one published last."""
        with self.desk.lock:
            deciding = self._deciding(self.desk.present())
        return deciding.get(purpose) or self._covering(deciding, purpose)

    def _deciding(self, present: Known) -> dict[Purpose, Published]:
        found = by_purpose(present.state.policies, self.desk.document)
        return {purpose: each for purpose, each in found.items() if Purpose.TRAIN_AI.covers(purpose)}

    def _covering(self, deciding: Mapping[Purpose, Published], purpose: Purpose) -> Published | None:
        return next((deciding[each] for each in purpose.lineage if each in deciding), None)

    def history(self, person: Pseudonym) -> list[Event]:
        """Return what was said by a person and their other accounts, oldest first. What was erased is gone."""
        accounts = self.asker(person).accounts
        events = {event.position: event for each in accounts for event in self.desk.parts.personal.history(each)}
        return [events[position] for position in sorted(events)]

    def knowledge(self, present: Known, purpose: Purpose, *, at: Seconds) -> Knowledge:
        """Return what is known for a purpose, remembered while nothing is said: with millions of people it takes time.

        The lock of the desk is held.
        """
        key = present.position, present.registry.seats, at // SECONDS_PER_DAY
        if self._known.get(purpose, (None,))[0] != key:
            self._known[purpose] = key, present.knowledge(purpose, at=at)
        return self._known[purpose][1]


def _with_sealed(uses: Collection[Purpose], releases: Iterable[Sealed]) -> list[Purpose]:
    """Return uses with those of releases that are not withdrawn, where a no to none of the others reaches these."""
    sealed = {each.purpose for each in releases if each.withdrawn is None}
    found = set(uses)
    for purpose in (each for each in Purpose if each in sealed and Purpose.TRAIN_AI.covers(each)):
        if not any(each.covers(purpose) or purpose.covers(each) for each in found):
            found.add(purpose)
    return [each for each in Purpose if each in found]


def _undecided(question: Question) -> Stands:
    """Say how a use stands that no policy set decides about: nothing is used, and what they said counts below it."""
    found = stands(question)
    spoke = any(concerns(each, question.purpose) for each in question.said)
    situation = Situation.OFF if found.whole else Situation.ASKS if spoke else Situation.STOPPED
    return replace(found, situation=situation, obstacles=())


def _facts(known: Knowledge, asker: Asker) -> PersonClass:
    if not asker.seats or asker.seats[0] >= known.classes.codes.size:
        return STRANGER
    return known.classes.members[int(known.classes.codes[asker.seats[0]])] or STRANGER


def _seen_by(items: Sequence[tuple[Corpus, int, OwnItem]]) -> dict[Category, set[Visibility]]:
    found: dict[Category, set[Visibility]] = {}
    for _, _, item in items:
        found.setdefault(item.category, set()).add(item.visibility)
    return found


def _counted(items: Sequence[tuple[Corpus, int, OwnItem]]) -> dict[Category, Counted]:
    tally: dict[Category, list[OwnItem]] = {}
    for _, _, item in items:
        tally.setdefault(item.category, []).append(item)
    found = {}
    for category in (each for each in Category if each in tally):
        mine = tally[category]
        against = [item for item in mine if not item.decision.allowed and item.lacks is None]
        found[category] = Counted(
            items=len(mine),
            used=sum(item.used for item in mine),
            others=sum(item.others and (item.decision.allowed or item.lacks is not None) for item in mine),
            due=Counter(item.begins for item in mine if item.is_due),
            asked_for=sum(item.is_asked_for for item in mine),
            why_not=Counter(item.decision.primary for item in against),
            unmet=Counter(each.unmet for each in against if each.decision.primary.kind is ReasonKind.NOT_PERMITTED),
        )
    return found
