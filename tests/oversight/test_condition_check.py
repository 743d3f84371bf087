"""Checks of conditions: what a policy set lets through, asked of the evaluator."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.errors import ConsentryError
from consentry.oversight.condition_check import Answer, System, require_check, run
from consentry.oversight.objection_form import FORM, Form
from consentry.policy.choice import NO_CHOICE, SECONDS_PER_DAY, Standing
from consentry.policy.evaluator import Request, evaluate
from consentry.policy.expressions import Effect, Item, NoticeCondition, Person, Rule
from consentry.policy.jurisdictions import instant
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Age, Category, ChoiceState, LegalBasis, Purpose, Visibility

AT = instant("2025-11-20")
UK = frozenset({"UK"})
GENAI = frozenset({Purpose.TRAIN_GENAI})
PERMIT = Rule(id="all", effect=Effect.PERMIT, why="x", legal_basis=LegalBasis.CONSENT, purposes=GENAI)
WINDOW = ("from=2024-05-07", "before=2024-08-02")


def policy(*rules: Rule) -> PolicySet:
    return PolicySet(name="p", version="1", title="t", purposes=GENAI, rules=rules)


def found(check: str, *parameters: str, rules: tuple[Rule, ...], areas: frozenset[str] = UK) -> Answer:
    require_check(check, parameters, policy="p")
    return run(check, parameters, system=System(policy=policy(*rules), areas=areas, at=AT))


def forbid(**conditions: object) -> Rule:
    return Rule(id="no", effect=Effect.FORBID, why="x", purposes=GENAI, **conditions)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("check", "parameters", "expected"),
    [
        ("no-minors", (), True),
        ("no-direct-messages", (), True),
        ("objections-kept", (), True),
        ("categories-out", ("salary", "payment"), True),
        ("categories-out", ("post",), False),
        ("waiting-days", ("30",), True),
        ("waiting-days", ("31",), False),
        ("date-window", WINDOW, False),
        ("objection-steps", ("2",), False),
    ],
)
def test_a_shipped_set(check: str, parameters: tuple[str, ...], *, expected: bool) -> None:
    november = load(shipped()["november-2025"], "november-2025")
    answer = run(check, parameters, system=System(policy=november, areas=UK, at=AT))
    assert answer.met is expected, answer.found


def test_minors_are_found_out_even_if_only_one_place_lets_them_through() -> None:
    scotland = forbid(ages=frozenset({Age.MINOR}), outside=frozenset({"GB-SCT"}))
    answer = found("no-minors", rules=(PERMIT, scotland))
    assert not answer.met
    assert "`minor` in `GB-SCT`" in answer.found
    assert found("no-minors", rules=(PERMIT, scotland), areas=frozenset({"FR"})).met
    assert found("no-minors", rules=(PERMIT, forbid(ages=frozenset({Age.MINOR})))).met


def test_a_window_is_out_to_the_second_and_so_is_what_has_no_date() -> None:
    first, end = instant("2024-05-07"), instant("2024-08-02")
    assert found("date-window", *WINDOW, rules=(PERMIT, forbid(created_from=first, created_before=end))).met
    late = found("date-window", *WINDOW, rules=(PERMIT, forbid(created_from=first + 1, created_before=end)))
    early = found("date-window", *WINDOW, rules=(PERMIT, forbid(created_from=first, created_before=end - 1)))
    gap = replace(forbid(created_from=first, created_before=first + 60), id="a")
    rest = replace(forbid(created_from=first + 61, created_before=end), id="b")
    inner = found("date-window", *WINDOW, rules=(PERMIT, gap, rest))
    assert not any(each.met for each in (late, early, inner))


def test_days_are_demanded_of_every_permit() -> None:
    told = replace(PERMIT, notice=NoticeCondition(notice="n", days=28))
    assert found("waiting-days", "28", rules=(told,)).met
    assert not found("waiting-days", "29", rules=(told,)).met
    assert not found("waiting-days", "1", rules=(told, replace(PERMIT, id="other"))).met


def test_who_was_not_told_is_asked_about_too() -> None:
    told = replace(forbid(categories=frozenset({Category.POST})), notice=NoticeCondition(notice="n", days=3))
    assert not found("categories-out", "post", rules=(PERMIT, told)).met, "who was told yesterday is let through"
    always = replace(told, id="always", notice=None)
    assert found("categories-out", "post", rules=(PERMIT, told, always)).met


def test_what_cannot_be_run_is_open() -> None:
    nothing = System(policy=None, areas=UK, at=AT)
    assert not run("no-minors", (), system=nothing).met
    assert not run("who-knows", (), system=nothing).met
    assert not run("no-minors", ("7",), system=nothing).met
    assert run("objection-steps", ("2",), system=nothing).found == "no form for objections is served: start the server"


def _steps(most: str, form: Form) -> Answer:
    return run("objection-steps", (most,), system=System(policy=None, areas=UK, at=AT, form=form))


def test_the_steps_of_the_form_that_is_served_are_counted() -> None:
    (step,) = FORM.steps
    one, three = _steps("2", FORM), _steps("2", replace(FORM, steps=(step, step, step)))
    assert one == Answer(met=True, found="the form for objections takes 1 step, 2 required fields, no login")
    assert three == Answer(met=False, found="the form for objections takes 3 steps, 6 required fields, no login")
    assert _steps("3", replace(FORM, steps=(step, step, step))).met
    assert not _steps("2", replace(FORM, login=True)).met, "a login is a step that nobody counted"
    behind = _steps("2", replace(FORM, steps=(), login=True))
    assert behind == Answer(met=False, found="the form for objections is behind a login")


@pytest.mark.parametrize(
    ("check", "parameters", "code"),
    [
        ("no-miners", (), "case-check-unknown"),
        ("no-minors", ("x",), "case-check-parameters"),
        ("date-window", ("from=2024-05-07",), "case-check-parameters"),
        ("date-window", ("from=2024-08-02", "before=2024-05-07"), "case-check-parameters"),
        ("date-window", ("from=May", "before=June"), "case-check-parameters"),
        ("waiting-days", ("0",), "case-check-parameters"),
        ("waiting-days", ("²",), "case-check-parameters"),
        ("categories-out", (), "case-check-parameters"),
        ("categories-out", ("unknown",), "case-check-parameters"),
        ("objection-steps", (), "case-check-parameters"),
    ],
)
def test_a_check_that_could_never_be_run_is_refused(check: str, parameters: tuple[str, ...], code: str) -> None:
    with pytest.raises(ConsentryError) as caught:
        require_check(check, parameters, policy="p")
    assert caught.value.code == code


def test_a_check_of_a_policy_set_names_one() -> None:
    require_check("objection-steps", ("2",), policy=None)
    with pytest.raises(ConsentryError) as caught:
        require_check("no-minors", (), policy=None)
    assert caught.value.code == "case-check-policy"


RULES = st.builds(
    Rule,
    id=st.integers(0, 10**9).map(lambda number: f"r{number}"),
    effect=st.sampled_from([Effect.PERMIT, Effect.PERMIT, Effect.FORBID]),
    why=st.just("x"),
    purposes=st.just(GENAI),
    categories=st.frozensets(st.sampled_from([Category.POST, Category.DIRECT_MESSAGE]), max_size=1),
    visibilities=st.frozensets(st.sampled_from([Visibility.PUBLIC, Visibility.PRIVATE]), max_size=1),
    ages=st.frozensets(st.sampled_from([Age.ADULT, Age.MINOR]), max_size=1),
    inside=st.frozensets(st.sampled_from(["UK", "EU", "GB-SCT", "FR"]), max_size=2),
    created_from=st.none() | st.integers(0, 3),
    notice=st.none() | st.builds(NoticeCondition, notice=st.sampled_from(["n", "m"]), days=st.integers(0, 3)),
)
PEOPLE = st.builds(
    Person,
    places=st.sampled_from([frozenset({each}) for each in ("GB", "GB-SCT", "FR", "DE")]),
    established=st.just(True),
    age=st.sampled_from(list(Age)),
    standing=st.sampled_from([NO_CHOICE, Standing(ChoiceState.ALLOWED), Standing(ChoiceState.REFUSED)]),
    notices=st.dictionaries(st.sampled_from(["n", "m"]), st.integers(0, 4).map(lambda d: AT - d * SECONDS_PER_DAY)),
)
ITEMS = st.builds(
    Item,
    category=st.sampled_from([Category.POST, Category.DIRECT_MESSAGE, Category.IMAGE]),
    visibility=st.sampled_from(list(Visibility)),
    created=st.none() | st.integers(-1, 4),
)


@settings(max_examples=60)
@given(st.lists(RULES, max_size=4, unique_by=lambda rule: rule.id), PEOPLE, ITEMS)
def test_what_a_check_says_is_out_is_never_let_through(rules: list[Rule], person: Person, item: Item) -> None:
    """Whoever is asked about afterwards: nothing that a met check excludes is allowed."""
    request = Request(purpose=Purpose.TRAIN_GENAI, item=item, people=(person,), at=AT)
    if not evaluate(tuple(rules), request).allowed:
        return
    areas = frozenset(person.places)
    days = min((AT - at) // SECONDS_PER_DAY for at in person.notices.values()) if person.notices else 0
    assert not found("categories-out", str(item.category), rules=tuple(rules), areas=areas).met
    assert found("no-minors", rules=tuple(rules), areas=areas).met is False or person.age is Age.ADULT
    assert person.standing.state is not ChoiceState.REFUSED
    assert not found("waiting-days", str(days + 1), rules=tuple(rules), areas=areas).met or len(person.notices) > 1


def test_every_other_set_that_decides_a_suspended_use_has_to_meet_it_as_well() -> None:
    told = replace(PERMIT, notice=NoticeCondition(notice="n", days=30))
    named, other = policy(told), replace(policy(PERMIT), name="other", version="2")

    def asked(*others: PolicySet, suspended: frozenset[Purpose] = GENAI) -> Answer:
        system = System(policy=named, areas=UK, at=AT, others=others, suspended=suspended)
        return run("waiting-days", ("30",), system=system)

    assert asked().found.endswith("cases")
    answer = asked(other)
    assert not answer.met
    assert answer.found.startswith("other 2, in force as well, lets `")
    assert answer.found.endswith("less than 30 days after every notice: replace or withdraw it")
    assert asked(other, suspended=frozenset({Purpose.SERVE})).met
    assert asked(replace(other, rules=(told,))).found.endswith("cases, and neither does other 2")
    assert asked(replace(other, rules=(told,)), replace(other, rules=())).found.endswith(
        "and neither do 2 others in force"
    )
    # A set that permits nothing meets a condition about it, but nobody who names it has shown anything.
    nothing = System(policy=replace(named, purposes=frozenset(), rules=()), areas=UK, at=AT)
    assert run("no-minors", (), system=nothing) == Answer(met=False, found="p 1 decides about no use")
