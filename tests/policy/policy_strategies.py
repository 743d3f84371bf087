"""Generated rules, people and items: few words each, so that rules often meet."""

from __future__ import annotations

from hypothesis import strategies as st

from consentry.policy.choice import SECONDS_PER_DAY, Standing
from consentry.policy.evaluator import Request
from consentry.policy.expressions import Effect, Item, NoticeCondition, Person, Rule
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


# Made once: a strategy that is made anew for every rule takes longer than all that is drawn from it.
_effects = st.sampled_from(Effect)
_why_in = st.sampled_from([(), (("cy", "Oherwydd."),)])
_legal_bases = st.sampled_from(LegalBasis)
_purposes = st.frozensets(st.sampled_from([Purpose.TRAIN_GENAI, Purpose.TRAIN_GENAI_TEXT]), min_size=1)
_categories = st.frozensets(st.sampled_from(CATEGORIES), max_size=2)
_visibilities = st.frozensets(st.sampled_from(VISIBILITIES), max_size=1)
_ages = st.frozensets(st.sampled_from(AGES), max_size=1)
_choices = st.frozensets(st.sampled_from(ChoiceState), max_size=2)
_areas = st.frozensets(st.sampled_from(AREAS), max_size=2)
_windows = st.lists(st.sampled_from(DATES), min_size=2, max_size=2, unique=True).map(sorted)
_conditions = st.none() | st.builds(NoticeCondition, notice=st.sampled_from(NOTICES), days=st.integers(0, 2))


@st.composite
def rules(draw: st.DrawFn, *, rule_id: str = "rule", effect: Effect | None = None) -> Rule:
    first, last = draw(_windows)
    chosen = effect or draw(_effects)
    permit = chosen is Effect.PERMIT
    return Rule(
        id=rule_id,
        effect=chosen,
        why="Because.",
        why_in=draw(_why_in),
        legal_basis=draw(_legal_bases) if permit else None,
        purposes=draw(_purposes),
        categories=draw(_categories),
        visibilities=draw(_visibilities),
        ages=draw(_ages),
        choices=draw(_choices),
        inside=draw(_areas),
        outside=draw(_areas),
        created_from=first if draw(st.booleans()) else None,
        created_before=last if draw(st.booleans()) else None,
        notice=draw(_conditions) if permit else None,
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
