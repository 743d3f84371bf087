"""Short ways to say things in tests, and Hypothesis strategies for everything that can be said."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from hypothesis import strategies as st

from consentry.digests import digest
from consentry.ledger.envelope import Event, Stored, draft, restore
from consentry.ledger.events import (
    OVERSEEN,
    Body,
    ChoiceMade,
    CorpusRegistered,
    EventLost,
    NoticeServed,
    PeopleLoaded,
    PersonErased,
    PersonLinked,
    PolicyPublished,
    Source,
    suppression_token,
)
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.ledger.objection_events import ItemsExcluded, ObjectionTold
from consentry.ledger.oversight_events import ItemsConsumed
from consentry.ledger.release_events import ReleaseSealed, ReleaseSealedV1, ReleaseWithdrawn, ReleaseWithdrawnV1
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach

REFUSED, ALLOWED, UNSET = ChoiceState.REFUSED, ChoiceState.ALLOWED, ChoiceState.UNSET


def person(number: int) -> str:
    return f"{number:032x}"


def chose(
    number: int,
    state: ChoiceState = REFUSED,
    *,
    at: int = 500,
    category: Category | None = None,
    reach: Reach = Reach.UNTRAINED,
) -> ChoiceMade:
    categories = frozenset[Category]() if category is None else frozenset({category})
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=state, at=at, categories=categories, reach=reach)
    return ChoiceMade(person=person(number), choice=choice, source=Source.SETTINGS)


def published(version: str) -> PolicyPublished:
    return PolicyPublished(name="standard", version=version, digest=digest(version.encode()))


def consumed(step: int, lease: str = "lease-1") -> ItemsConsumed:
    return ItemsConsumed(lease=lease, from_step=step, to_step=step, amendment=0, items=1, ranges=digest(b"[]"))


def sealed(release: str, position: int) -> ReleaseSealed:
    return ReleaseSealed(
        release=release,
        manifest=digest(b"manifest"),
        policy=digest(b"policy"),
        purpose=Purpose.TRAIN_GENAI_TEXT,
        corpus="network",
        position=position,
    )


def event(position: int, body: Body) -> Event:
    made = draft(body, recorded_at=1_000 + position, salt=position.to_bytes(32, "big"))
    return restore(
        Stored(position, made.recorded_at, body.KIND, body.VERSION, made.commitment, made.salt, made.document)
    )


def emptied(full: Event) -> Event:
    """Return what is left of a personal event once it is erased."""
    return restore(Stored(full.position, full.recorded_at, full.kind, full.version, full.commitment, None, None))


PEOPLE = st.integers(0, 5).map(person)
WORDS = st.text(max_size=8).filter(lambda word: word.isprintable())
DIGESTS = st.binary(max_size=2).map(digest)
SECONDS = st.integers(-(2**31), 2**40)
CHOICES = st.builds(
    Choice,
    purpose=st.sampled_from(list(Purpose)),
    state=st.sampled_from(list(ChoiceState)),
    reach=st.sampled_from(list(Reach)),
    at=SECONDS,
    categories=st.frozensets(st.sampled_from([Category.POST, Category.IMAGE, Category.COMMENT]), max_size=2),
    items=st.frozensets(PEOPLE, max_size=2),
)
CHOSEN = st.builds(
    ChoiceMade, person=PEOPLE, choice=CHOICES, source=st.sampled_from(list(Source)), notice=st.none() | WORDS
)
LINKED = (
    st.tuples(PEOPLE, PEOPLE)
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: PersonLinked(person=pair[0], same_as=pair[1]))
)
ERASED = st.builds(PersonErased, token=PEOPLE.map(suppression_token), events=st.integers(0, 9))
COUNTS = st.integers(0, 2**40)
LOOKED_UP = st.builds(PersonLookedUp, person=PEOPLE, reason=WORDS, by=WORDS)


def _fields(body: type) -> dict[str, st.SearchStrategy[Any]]:
    """Return strategies for the fields of a plain body that JSON can hold."""
    known: dict[Any, st.SearchStrategy[Any]] = {int: COUNTS, str: WORDS, int | None: st.none() | COUNTS}
    known |= {str | None: st.none() | WORDS}
    hints = {each.name: get_type_hints(body)[each.name] for each in fields(body)}
    return {name: known.get(kind, st.from_type(kind)) for name, kind in hints.items()}


RELEASES = st.sampled_from(["one", "two"])
OPEN = st.one_of(
    st.builds(PolicyPublished, name=WORDS, version=WORDS, digest=DIGESTS),
    st.builds(CorpusRegistered, name=WORDS, snapshot=DIGESTS),
    st.builds(PeopleLoaded, snapshot=DIGESTS, rows=st.integers(0, 2**40)),
    st.builds(NoticeServed, notice=WORDS, at=SECONDS, cohort=DIGESTS, count=st.integers(0, 2**40)),
    st.builds(
        ReleaseSealed,
        release=RELEASES,
        manifest=DIGESTS,
        policy=DIGESTS,
        purpose=st.sampled_from(list(Purpose)),
        corpus=WORDS,
        position=st.integers(0, 2**40),
        by=st.none() | WORDS,
    ),
    st.builds(ReleaseSealedV1, **_fields(ReleaseSealedV1)),
    st.builds(ReleaseWithdrawn, release=RELEASES, reason=WORDS, by=WORDS),
    st.builds(ReleaseWithdrawnV1, release=RELEASES, reason=WORDS),
    *(st.builds(body, **_fields(body)) for body in (*OVERSEEN, EventLost)),
)
TOLD = st.builds(ObjectionTold, objection=PEOPLE, beside=st.none() | PEOPLE, sealed=WORDS)
EXCLUDED = st.builds(
    ItemsExcluded,
    objection=PEOPLE,
    purpose=st.sampled_from(list(Purpose)),
    items=st.lists(PEOPLE, max_size=3).map(tuple),
)
BODIES: st.SearchStrategy[Body] = st.one_of(CHOSEN, LINKED, ERASED, TOLD, EXCLUDED, LOOKED_UP, OPEN)
