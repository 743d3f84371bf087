"""Generated rules, people and items: few words each, so that rules often meet."""

from __future__ import annotations

from hypothesis import strategies as st

from consentry.policy.choice import Standing
from consentry.policy.evaluator import Request
from consentry.policy.expressions import SECONDS_PER_DAY, Effect, Item, NoticeCondition, Person, Rule
from consentry.policy.jurisdictions import instant
from consentry.policy.vocabulary import Account, Age, Category, ChoiceState, LegalBasis, Purpose, Visibility

AT = instant("2025-06-01")
PLACES = ("GB", "FR", "US", "US-CA", "CA", "CA-QC", "NO", "CH", "HR")
AREAS = ("EU", "EEA", "UK", "US-CA", "CA-QC", "CA", "US-STATE-LAW", "US")
CATEGORIES = (Category.POST, Category.RESUME, Category.DIRECT_MESSAGE)
VISIBILITIES = (Visibility.PUBLIC, Visibility.PRIVATE)
AGES = (Age.ADULT, Age.MINOR)
NOTICES = ("told", "asked")
DATES = (0, 100, 200)


def times(centre: int) -> st.SearchStrategy[int]:
    return st.integers(-2, 2).map(lambda days: centre + days * SECONDS_PER_DAY)


@st.composite
def rules(draw: st.DrawFn, *, rule_id: str = "rule", effect: Effect | None = None) -> Rule:
    created = sorted(draw(st.lists(st.sampled_from(DATES), min_size=2, max_size=2, unique=True)))
    chosen = effect or draw(st.sampled_from(Effect))
    permit = chosen is Effect.PERMIT
    return Rule(
        id=rule_id,
        effect=chosen,
        why="Because.",
        why_in=draw(st.sampled_from([(), (("cy", "Oherwydd."),)])),
        legal_basis=draw(st.sampled_from(LegalBasis)) if permit else None,
        purposes=draw(st.frozensets(st.sampled_from([Purpose.TRAIN_GENAI, Purpose.TRAIN_GENAI_TEXT]), min_size=1)),
        categories=draw(st.frozensets(st.sampled_from(CATEGORIES), max_size=2)),
        visibilities=draw(st.frozensets(st.sampled_from(VISIBILITIES), max_size=1)),
        ages=draw(st.frozensets(st.sampled_from(AGES), max_size=1)),
        choices=draw(st.frozensets(st.sampled_from(ChoiceState), max_size=2)),
        inside=draw(st.frozensets(st.sampled_from(AREAS), max_size=2)),
        outside=draw(st.frozensets(st.sampled_from(AREAS), max_size=2)),
        created_from=draw(st.none() | st.just(created[0])),
        created_before=draw(st.none() | st.just(created[1])),
        notice=draw(st.none() | st.builds(NoticeCondition, notice=st.sampled_from(NOTICES), days=st.integers(0, 2)))
        if permit
        else None,
    )


@st.composite
def rule_lists(draw: st.DrawFn, *, max_size: int = 5) -> tuple[Rule, ...]:
    """Up to `max_size` rules, and often a permit without conditions, so that not everything is denied."""
    size = draw(st.integers(0, max_size))
    found = [draw(rules(rule_id=f"rule-{number}")) for number in range(size)]
    if draw(st.booleans()):
        found.append(Rule(id="all", effect=Effect.PERMIT, why="Because.", purposes=frozenset({Purpose.TRAIN_GENAI})))
    return tuple(found)


standings = st.builds(Standing, st.sampled_from([ChoiceState.UNSET, ChoiceState.ALLOWED])) | st.builds(
    Standing, st.just(ChoiceState.REFUSED), st.none() | st.sampled_from(DATES)
)
served = st.dictionaries(st.sampled_from(NOTICES), times(AT - SECONDS_PER_DAY))
adults = st.builds(
    Person,
    places=st.frozensets(st.sampled_from(PLACES), min_size=1, max_size=2),
    established=st.just(True),
    age=st.just(Age.ADULT),
    standing=standings,
    notices=served,
)
people = adults | st.builds(
    Person,
    places=st.frozensets(st.sampled_from(PLACES), max_size=2),
    established=st.booleans(),
    age=st.sampled_from(Age),
    account=st.sampled_from(Account),
    known=st.booleans(),
    standing=standings,
    notices=served,
)
items = st.builds(
    Item,
    category=st.sampled_from((*CATEGORIES, Category.UNKNOWN)),
    visibility=st.sampled_from((*VISIBILITIES, Visibility.UNKNOWN)),
    created=st.none() | st.sampled_from((-1, 0, 99, 100, 199, 200, 201)),
)
requests = st.builds(
    Request,
    purpose=st.sampled_from([Purpose.TRAIN_GENAI, Purpose.TRAIN_GENAI_TEXT]),
    item=items,
    people=st.lists(people, min_size=1, max_size=2).map(tuple),
    at=st.just(AT),
)
