"""Which of several policy sets decides about a use, and until when one did."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from consentry.control_plane.in_force import by_purpose, deciding, every_one, every_set, history, in_turn, withdraws
from consentry.digests import digest
from consentry.ledger.state import Published
from consentry.policy.policy_set import OUT_OF_FORCE, PolicySet
from consentry.policy.vocabulary import Purpose

AI, GENAI, TEXT, SERVE = Purpose.TRAIN_AI, Purpose.TRAIN_GENAI, Purpose.TRAIN_GENAI_TEXT, Purpose.SERVE
SETS: dict[str, PolicySet] = {}


def read(digest: str) -> PolicySet:
    return SETS[digest]


def published(*sets: tuple[str, Iterable[Purpose]]) -> list[Published]:
    """Return sets that were published one after the other, by name and uses."""
    found = []
    for position, (name, purposes) in enumerate(sets):
        made = PolicySet(name=name, version=str(position), title=name, purposes=frozenset(purposes), rules=())
        SETS[made.digest] = made
        found.append(Published(name, str(position), made.digest, position))
    return found


def name_of(found: Published | None) -> str | None:
    return None if found is None else f"{found.name} {found.version}"


def test_of_two_names_for_one_use_the_one_published_last_decides() -> None:
    found = by_purpose(published(("old", [GENAI]), ("new", [GENAI])), read)
    assert name_of(deciding(found, GENAI)) == "new 1"
    found = by_purpose(published(("old", [GENAI]), ("new", [GENAI]), ("old", [GENAI])), read)
    assert name_of(deciding(found, GENAI)) == "old 2"


def test_who_names_the_use_itself_goes_before_who_names_one_above_it() -> None:
    found = by_purpose(published(("narrow", [GENAI]), ("wide", [AI])), read)
    assert name_of(deciding(found, GENAI)) == "narrow 0"
    assert name_of(deciding(found, TEXT)) == "narrow 0"
    assert name_of(deciding(found, AI)) == "wide 1"
    assert deciding(found, SERVE) is None


def test_a_version_that_was_replaced_decides_nothing_though_it_named_more() -> None:
    found = by_purpose(published(("a", [GENAI, SERVE]), ("a", [GENAI])), read)
    assert deciding(found, SERVE) is None


def test_what_decided_in_turn_goes_back_to_when_nothing_did() -> None:
    def turns(*sets: tuple[str, Iterable[Purpose]]) -> list[tuple[int, str | None]]:
        return [(position, name_of(each)) for position, each in in_turn(published(*sets), read, purpose=GENAI)]

    assert turns(("a", [GENAI]), ("b", [SERVE]), ("a", [GENAI])) == [(0, "a 0"), (2, "a 2")]
    assert turns(("a", [GENAI]), ("a", []), ("b", [GENAI])) == [(2, "b 2")]
    assert turns(("a", [AI]), ("b", [GENAI]), ("b", [])) == [(0, "a 0"), (1, "b 1"), (2, "a 0")]
    assert turns(("a", [SERVE])) == turns() == []


def test_the_history_says_until_when_a_set_decided() -> None:
    sets = published(("a", [GENAI]), ("b", [SERVE]), ("c", [GENAI]), ("b", [SERVE]))
    told = {name_of(each.published): (each.purposes, each.until) for each in history(sets, read)}
    assert told == {"b 3": ((SERVE,), None), "c 2": ((GENAI,), None), "b 1": ((), 3), "a 0": ((), 2)}


def test_a_set_that_decides_again_is_in_force() -> None:
    sets = published(("a", [GENAI]), ("b", [GENAI, SERVE]), ("b", [SERVE]))
    told = {name_of(each.published): (each.purposes, each.until) for each in history(sets, read)}
    assert told["a 0"] == ((GENAI,), None)
    assert told["b 1"] == ((), 2)


def withdrawal(name: str, position: int) -> Published:
    return Published(name, "withdrawn", digest(OUT_OF_FORCE.format(name=name).encode()), position)


def test_a_set_is_in_force_until_it_is_replaced_or_withdrawn() -> None:
    old, other, new = published(("a", [GENAI]), ("b", [SERVE]), ("a", [GENAI, SERVE]))
    sets = [old, other, new, withdrawal("b", 3)]
    told = [(name_of(each.published), each.state, each.ended and each.ended.position) for each in every_set(sets)]
    assert told == [("a 0", "replaced", 2), ("b 1", "withdrawn", 3), ("a 2", "in force", None)]


def test_what_was_withdrawn_before_a_withdrawal_had_a_title_in_each_language_stays_withdrawn() -> None:
    text = (
        '[policy_set]\nname = "a"\nversion = "withdrawn"\ntitle = "Withdrawn: this set permits nothing any more"\n'
        "purposes = []\n"
    )
    assert withdraws(Published("a", "withdrawn", digest(text.encode()), 0))
    assert not withdraws(Published("b", "withdrawn", digest(text.encode()), 0))


def test_what_is_published_only_to_withdraw_is_no_set_and_a_set_can_come_back_after_it() -> None:
    first, _, again = published(("a", [GENAI]), ("-", []), ("a", [GENAI]))
    sets = [first, withdrawal("a", 1), again]
    assert [each.state for each in every_one(sets)] == ["withdrawn", "withdrawal", "in force"]
    assert [name_of(each.published) for each in every_set(sets)] == ["a 0", "a 2"]


def test_a_withdrawal_is_of_its_own_name() -> None:
    (first,) = published(("a", [GENAI]))
    assert [each.state for each in every_set([first, withdrawal("b", 1)])] == ["in force"]


_SETS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sets(st.sampled_from([AI, GENAI, TEXT, SERVE]), min_size=1)), max_size=8
)


@given(_SETS)
def test_every_use_is_decided_by_one_set_in_force_at_most(sets: list[tuple[str, set[Purpose]]]) -> None:
    every = published(*sets)
    newest = {each.name: each for each in every}
    told = history(every, read)
    assert [each.published for each in told] == every[::-1]
    decided = [purpose for each in told for purpose in each.purposes]
    assert len(decided) == len(set(decided))
    assert set(decided) == {purpose for each in newest.values() for purpose in read(each.digest).purposes}
    for each in told:
        assert not (each.purposes and each.until is not None)
        assert not each.purposes or newest[each.published.name] == each.published
