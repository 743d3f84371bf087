"""What holds at a position: the fold of every event before it.

    state = fold(EMPTY, ledger.read())

Rules:

* `fold(fold(s, a), b) == fold(s, a + b)`: a state may be kept and carried forward, and equals one rebuilt from nothing.
* Of a person's choices about one thing (`ChoiceKey`) the one made last is live. A refusal counts from when it is
  recorded, beside those made later, and ends none that undoes more; what is no refusal does not count if something made
  later is known. So nothing that is imported late undoes what was said since. UNSET is kept like any other choice,
  because it too is newer than what was said before.
* Links between ids join them to one group. What one of a group refuses, all of them refuse; an allowance counts only
  for the id that gave it.
* Erasing a person takes away everything they said before, in a state carried forward as in one rebuilt, and leaves a
  token: `is_erased` stays true if the id comes back. A state *before* the erasure no longer shows their refusals, so a
  decision about the past must ask `is_erased` of the newest state as well.
* An item that was excluded stays excluded: nothing takes that back, and no erasure does.
* What is about orders, cases, leases, models and the course of objections is not here: see `consentry.oversight`.
* An erased event is skipped. Whether every one of them was erased by the ledger is for `unexplained` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from consentry.digests import Digest
from consentry.errors import IntegrityError
from consentry.ledger.envelope import Event
from consentry.ledger.events import (
    CHANGES_NO_STATE,
    ChoiceMade,
    CorpusRegistered,
    NoticeServed,
    PeopleLoaded,
    PersonErased,
    PersonLinked,
    PolicyPublished,
    Pseudonym,
    suppression_token,
)
from consentry.ledger.groups import groups_of, joined
from consentry.ledger.layered import carried, merged
from consentry.ledger.objection_events import ItemsExcluded, ObjectionErased
from consentry.ledger.release_events import (
    ReleaseSealed,
    ReleaseSealedV1,
    ReleaseWithdrawn,
    ReleaseWithdrawnV1,
    Sealing,
    Withdrawing,
)
from consentry.policy.choice import ChoiceKey, LiveChoice, Seconds, replaces
from consentry.policy.vocabulary import ChoiceState, Purpose


class Stated(NamedTuple):
    """A live choice and the position of the event that made it."""

    choice: LiveChoice
    position: int


class Published(NamedTuple):
    """A policy set in force from `position` on."""

    name: str
    version: str
    digest: Digest
    position: int


class Registered(NamedTuple):
    """The newest snapshot of a corpus."""

    snapshot: Digest
    position: int


class Loaded(NamedTuple):
    """The newest people snapshot."""

    snapshot: Digest
    rows: int
    position: int


class Served(NamedTuple):
    """A notice served to the people of a cohort."""

    notice: str
    at: Seconds
    cohort: Digest
    size: int
    position: int


class Withdrawn(NamedTuple):
    """Why a release may no longer be read, and the position of the event that says so."""

    reason: str
    position: int


class Sealed(NamedTuple):
    """A release, and how it was withdrawn if it was."""

    manifest: Digest
    policy: Digest
    purpose: Purpose
    corpus: str
    position: int
    withdrawn: Withdrawn | None


class Excluded(NamedTuple):
    """An item, by pseudonym, that is not used for a purpose because somebody objected who is not its owner."""

    item: Pseudonym
    purpose: Purpose


class Link(NamedTuple):
    """Two ids of one person, the lower first."""

    one: Pseudonym
    other: Pseudonym


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What holds after the first `position` events. Treat every part as read-only."""

    position: int = 0
    latest: Seconds = 0
    """The latest time at which an event was recorded, whatever the clock said afterwards."""
    policies: tuple[Published, ...] = ()
    corpora: Mapping[str, Registered] = field(default_factory=dict)
    people: Loaded | None = None
    notices: tuple[Served, ...] = ()
    choices: Mapping[Pseudonym, tuple[Stated, ...]] = field(default_factory=dict)
    links: Mapping[Link, int] = field(default_factory=dict)
    """Each link with the position of the newest event that stated it."""
    erased: Mapping[str, int] = field(default_factory=dict)
    """Each suppression token with the position of the newest erasure."""
    newest_erasure: int = -1
    """The last of these positions."""
    releases: Mapping[str, Sealed] = field(default_factory=dict)
    excluded: Mapping[Excluded, int] = field(default_factory=dict)
    """Each excluded item with the position at which it was excluded first."""
    groups: Mapping[Pseudonym, tuple[Pseudonym, ...]] = field(default_factory=dict, compare=False)
    """Derived from `links`: for every linked id its whole group in order."""

    def group_of(self, person: Pseudonym) -> tuple[Pseudonym, ...]:
        """Return all ids of the person behind `person`, at least that one, in order."""
        return self.groups.get(person, (person,))

    def statements_of(self, person: Pseudonym) -> tuple[Stated, ...]:
        """Return what everybody in the group of `person` chose and did not take back, oldest first."""
        said = (each for one in self.group_of(person) for each in self.choices.get(one, ()))
        return tuple(sorted((each for each in said if each.choice.state is not ChoiceState.UNSET), key=_position))

    def is_erased(self, person: Pseudonym) -> bool:
        """Say whether `person` was ever erased: all their items are denied."""
        return bool(self.erased) and suppression_token(person) in self.erased

    def excluded_from(self, purpose: Purpose, *, since: int = 0) -> Iterator[Pseudonym]:
        """Yield the items excluded at `since` or later from a use: said about it, a purpose above or one below it."""
        for (item, refused), position in self.excluded.items():
            if position >= since and (refused in purpose.lineage or purpose.covers(refused)):
                yield item

    def policy(self, name: str) -> Published | None:
        """Return the policy set in force under `name`: the last one published."""
        return next((each for each in reversed(self.policies) if each.name == name), None)


EMPTY = State()


def fold(state: State, events: Iterable[Event]) -> State:
    """Carry `state` over `events`, which must follow it without a gap. `state` itself is left as it is.

    Raises:
        IntegrityError: an event is missing or stands at another position.
    """
    folding = _Folding(state)
    apply = folding.steps()
    position, latest = state.position, state.latest
    for event in events:
        if event.position != position:
            raise IntegrityError(
                "ledger-gap",
                f"event {position} was expected, but event {event.position} followed",
                help="the ledger lost events: restore it from a backup",
            )
        if event.body is not None and not isinstance(event.body, CHANGES_NO_STATE):
            apply[type(event.body)](event.body, position)
        if event.recorded_at > latest:
            latest = event.recorded_at
        position += 1
    return folding.finish(position, latest)


def unexplained(events: Iterable[Event]) -> int:
    """Return how many of all `events` are empty though no erasure accounts for it.

    More than none means that somebody deleted what people said, refusals among it, without the ledger.
    """
    found = 0
    for event in events:
        if event.erased:
            found += 1
        elif isinstance(event.body, PersonErased):
            found -= event.body.events
        elif isinstance(event.body, ObjectionErased):
            found -= event.body.texts
    return found


class _Folding:
    """A state being carried forward: the only place where one is mutable."""

    def __init__(self, start: State) -> None:
        self.start = start
        self.policies = list(start.policies)
        self.corpora = dict(start.corpora)
        self.people = start.people
        self.notices = list(start.notices)
        self.said: dict[Pseudonym, tuple[Stated, ...] | None] = {}
        self.linked: dict[Link, int | None] = {}
        self.erased: dict[str, int | None] = {}
        self.releases = dict(start.releases)
        self.excluded: dict[Excluded, int | None] = {}
        self.newest_erasure = start.newest_erasure
        self.keys: dict[ChoiceKey, ChoiceKey] = {}

    def steps(self) -> dict[type, Callable[[Any, int], None]]:
        return {
            PolicyPublished: self.publish,
            CorpusRegistered: self.register,
            PeopleLoaded: self.load,
            NoticeServed: self.serve,
            ReleaseSealed: self.seal,
            ReleaseSealedV1: self.seal,
            ReleaseWithdrawn: self.withdraw,
            ReleaseWithdrawnV1: self.withdraw,
            ChoiceMade: self.choose,
            PersonLinked: self.link,
            PersonErased: self.erase,
            ItemsExcluded: self.exclude,
        }

    def publish(self, body: PolicyPublished, position: int) -> None:
        self.policies.append(Published(body.name, body.version, body.digest, position))

    def register(self, body: CorpusRegistered, position: int) -> None:
        self.corpora[body.name] = Registered(body.snapshot, position)

    def load(self, body: PeopleLoaded, position: int) -> None:
        self.people = Loaded(body.snapshot, body.rows, position)

    def serve(self, body: NoticeServed, position: int) -> None:
        self.notices.append(Served(body.notice, body.at, body.cohort, body.count, position))

    def seal(self, body: Sealing, position: int) -> None:
        self.releases[body.release] = Sealed(body.manifest, body.policy, body.purpose, body.corpus, position, None)

    def withdraw(self, body: Withdrawing, position: int) -> None:
        if (sealed := self.releases.get(body.release)) is not None:
            self.releases[body.release] = sealed._replace(withdrawn=Withdrawn(body.reason, position))

    def choose(self, body: ChoiceMade, position: int) -> None:
        choice, keys = body.choice, body.choice.keys()
        earlier = self.earlier(body.person)
        if earlier:
            about = set(keys)
            earlier = tuple(
                each for each in earlier if each.choice.key not in about or not replaces(choice, each.choice)
            )
            if choice.state is not ChoiceState.REFUSED:
                later = {each.choice.key for each in earlier}
                keys = tuple(key for key in keys if key not in later)
        shared = self.keys.setdefault
        said = (Stated(LiveChoice(shared(key, key), choice.state, choice.reach, choice.at), position) for key in keys)
        self.said[body.person] = (*earlier, *said) or None

    def earlier(self, person: Pseudonym) -> tuple[Stated, ...]:
        """Return what a person has said so far, since they were last erased."""
        found = self.said[person] if person in self.said else self.start.choices.get(person)
        if found and self.newest_erasure >= 0:
            until = self.erased_at(suppression_token(person))
            found = tuple(each for each in found if each.position > until)
        return found or ()

    def erased_at(self, token: str) -> int:
        found = self.erased.get(token)
        return self.start.erased.get(token, -1) if found is None else found

    def link(self, body: PersonLinked, position: int) -> None:
        one, other = sorted((body.person, body.same_as))
        self.linked[Link(one, other)] = position

    def erase(self, body: PersonErased, position: int) -> None:
        self.erased[body.token] = self.newest_erasure = position

    def exclude(self, body: ItemsExcluded, position: int) -> None:
        for item in body.items:
            about = Excluded(item, body.purpose)
            if about not in self.start.excluded:
                self.excluded.setdefault(about, position)

    def finish(self, position: int, latest: Seconds) -> State:
        choices, links = carried(self.start.choices, self.said), carried(self.start.links, self.linked)
        groups = joined(self.start.groups, self.linked)
        if self.erased:
            stated = len(links)
            choices, links = self.without_erased(merged(choices), merged(links))
            groups = groups if len(links) == stated else groups_of(links)
        return State(
            position=position,
            latest=latest,
            policies=tuple(self.policies),
            corpora=self.corpora,
            people=self.people,
            notices=tuple(self.notices),
            choices=choices,
            links=links,
            erased=carried(self.start.erased, self.erased),
            newest_erasure=self.newest_erasure,
            releases=self.releases,
            excluded=carried(self.start.excluded, self.excluded),
            groups=groups,
        )

    def without_erased(
        self, choices: Mapping[Pseudonym, tuple[Stated, ...]], links: Mapping[Link, int]
    ) -> tuple[Mapping[Pseudonym, tuple[Stated, ...]], Mapping[Link, int]]:
        """Drop what erased people said before they were erased: one pass over everybody, as tokens do not lead back."""
        said: dict[Pseudonym, tuple[Stated, ...] | None] = {}
        for person, stated in choices.items():
            if (until := self.erased_at(suppression_token(person))) >= 0:
                said[person] = tuple(each for each in stated if each.position > until) or None
        tokens = {person: suppression_token(person) for link in links for person in link}
        linked: dict[Link, int | None] = {
            link: None
            for link, stated_at in links.items()
            if any(self.erased_at(tokens[person]) > stated_at for person in link)
        }
        # Merged: what was said by somebody erased must not lie below in memory.
        return merged(carried(choices, said)), merged(carried(links, linked))


def _position(stated: Stated) -> int:
    return stated.position
