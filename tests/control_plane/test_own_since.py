"""Since when a use stands as it does for one person: back through every set that came to the same for them."""

from __future__ import annotations

from dataclasses import replace

from consentry.control_plane.own_since import MOST, Held, Spell, held, joined
from consentry.policy.choice import SECONDS_PER_DAY
from consentry.policy.expressions import Effect, NoticeCondition, Rule
from consentry.policy.library import shipped
from consentry.policy.matrix import PersonClass
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Account, Age, Category, Purpose
from consentry.release.basis import rules_for
from consentry.release.situation import Question, Situation, stands

AT = 1_760_000_000
RULES = rules_for((SET := load(shipped()["august-2024"], "set")).rules, decides=SET.decides(Purpose.TRAIN_GENAI))
PERMITS = tuple(each for each in RULES if each.effect is Effect.PERMIT)


def without(category: Category, rules: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    return tuple(replace(each, categories=each.categories - {category}) for each in rules)


def somebody(place: str, notices: tuple[tuple[str, int], ...] = ()) -> Question:
    where = frozenset({place})
    facts = PersonClass(places=where, established=True, age=Age.ADULT, account=Account.ACTIVE, notices=notices)
    return Question(purpose=Purpose.TRAIN_GENAI, rules=(), facts=facts, said=(), seen_by={}, at=AT)


def told_first(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return rules whose permits wait for a notice and thirty days."""
    return tuple(
        replace(each, notice=NoticeCondition(notice="n", days=30)) if each.legal_basis else each for each in rules
    )


POSTS_GONE = without(Category.POST)


def test_what_came_to_the_same_is_one_time() -> None:
    spells = [Spell(30, POSTS_GONE), Spell(20, without(Category.COMMENT)), Spell(10, RULES)]
    assert held(somebody("US"), spells).since == 10
    assert stands(replace(somebody("US"), rules=POSTS_GONE)).situation is Situation.ON
    assert held(somebody("US"), [Spell(30, RULES), Spell(20, ()), Spell(10, RULES)]).since == 30
    assert held(somebody("US"), []) == Held()


def test_an_exclusion_holds_since_the_rule_did() -> None:
    spells = [Spell(30, POSTS_GONE), Spell(20, RULES), Spell(10, PERMITS)]
    found = held(somebody("DE"), spells)
    reasons = stands(replace(somebody("DE"), rules=RULES)).obstacles
    assert reasons
    assert {each: found.obstacles[each] for each in reasons} == dict.fromkeys(reasons, 20)


def test_who_waited_was_not_in_use() -> None:
    waits, served = told_first(RULES), 40 * SECONDS_PER_DAY
    begins = served + 30 * SECONDS_PER_DAY
    told = somebody("US", (("n", served),))
    early = 10 * SECONDS_PER_DAY
    assert held(told, [Spell(begins + 9, POSTS_GONE), Spell(early, waits)]).since == begins
    assert held(told, [Spell(begins - 9, waits), Spell(early, RULES)]).since == begins, "the older set did not wait"
    assert held(told, [Spell(begins + 9, waits), Spell(early, RULES)]).since == early
    assert held(told, [Spell(begins - 9, RULES), Spell(early, waits)]).since == begins - 9, "it would have waited on"
    assert held(somebody("US"), [Spell(30, without(Category.POST, waits)), Spell(20, waits)]).since == 20


def test_beyond_what_is_looked_at_nothing_is_said() -> None:
    turns = [Spell(100 - number, POSTS_GONE if number % 2 else RULES) for number in range(MOST + 1)]
    assert held(somebody("US"), turns).since is None
    assert set(held(somebody("DE"), turns).obstacles.values()) == {None}
    assert held(somebody("US"), turns[:MOST]).since == 100 - MOST + 1
    assert held(somebody("US"), [Spell(200, RULES), Spell(150, ()), *turns]).since == 200


def test_the_same_rules_once_more_are_no_other_spell() -> None:
    spells = [Spell(1, RULES), Spell(2, RULES), Spell(3, ()), Spell(4, RULES)]
    assert joined(spells) == [Spell(1, RULES), Spell(3, ()), Spell(4, RULES)]
