"""Every refusal, with the line it points at."""

from __future__ import annotations

import pytest
from good_policy import GOOD, found, instead
from hypothesis import given
from hypothesis import strategies as st

from consentry.errors import PolicyError
from consentry.policy.choice import Standing
from consentry.policy.expressions import Effect, NoticeCondition
from consentry.policy.jurisdictions import instant
from consentry.policy.library import shipped
from consentry.policy.policy_diff import diff
from consentry.policy.policy_parser import check, load
from consentry.policy.policy_prose import describe, describe_diff
from consentry.policy.policy_set import OUT_OF_FORCE
from consentry.policy.vocabulary import Age, Category, ChoiceState, LegalBasis, Purpose, Visibility


def test_the_good_one_is_read_as_it_is_written() -> None:
    policy_set = load(GOOD, "p.toml")
    assert (policy_set.name, policy_set.version, policy_set.title) == ("good", "1", "A good one")
    assert policy_set.purposes == {Purpose.TRAIN_GENAI}
    assert policy_set.notices == {"told"}
    permit, forbid = policy_set.rules
    assert (permit.id, permit.effect, permit.line) == ("posts", Effect.PERMIT, 7)
    assert permit.legal_basis is LegalBasis.LEGITIMATE_INTERESTS
    assert permit.purposes == forbid.purposes == {Purpose.TRAIN_GENAI}
    assert permit.categories == {Category.POST}
    assert permit.ages == {Age.ADULT}
    assert permit.inside == frozenset()
    assert permit.outside == {"EU"}
    assert permit.created_from == instant("2010-01-01")
    assert permit.created_before == instant("2024-05-07T10:00:00")
    assert permit.notice == NoticeCondition(notice="told", days=30)
    assert (forbid.id, forbid.effect, forbid.line) == ("private", Effect.FORBID, 17)
    assert forbid.visibilities == {Visibility.PRIVATE}
    (example,) = policy_set.examples
    assert (example.title, example.allowed, example.because) == ("a post", False, ("gap:created-unknown",))


def test_what_an_example_can_say_of_people() -> None:
    given_ = (
        '{ places = ["US", "CA-QC"], established = false, age = "minor", account = "dormant", choice = "refused", '
        'since = 2024-01-01, notices = { told = 2023-12-01 }, category = "post", created = 2024-01-02, '
        'visibility = "public", purpose = "train-genai-text", involves = [{ place = "FR" }], at = 2024-02-01 }'
    )
    text = instead('{ place = "US", age = "adult", category = "post", at = 2024-01-01 }', given_)
    request = load(text, "p.toml").examples[0].given
    owner, other = request.people
    assert request.purpose is Purpose.TRAIN_GENAI_TEXT
    assert request.at == instant("2024-02-01")
    assert (request.item.category, request.item.visibility) == (Category.POST, Visibility.PUBLIC)
    assert request.item.created == instant("2024-01-02")
    assert (sorted(owner.places), owner.established, owner.age) == (["CA-QC", "US"], False, Age.MINOR)
    assert owner.standing == Standing(ChoiceState.REFUSED, instant("2024-01-01"))
    assert owner.notices == {"told": instant("2023-12-01")}
    assert (list(other.places), other.established, other.age) == (["FR"], True, Age.UNKNOWN)


def test_rules_stand_in_the_order_of_the_text() -> None:
    text = (
        GOOD.replace("[[permit]]", "[[later]]").replace("[[forbid]]", "[[permit]]").replace("[[later]]", "[[forbid]]")
    )
    text = (
        text.replace('legal_basis = "legitimate-interests"\n', "")
        .replace("notice = {", "#")
        .replace('id = "private"', 'id = "private"\nlegal_basis = "contract"')
    )
    text = text[: text.index("[[example]]")]
    assert [rule.id for rule in load(text, "p.toml").rules] == ["posts", "private"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (instead('version = "1"', "version = 1 1"), 3),
        (instead('id = "posts"', 'id = "posts'), 8),
        (instead('name = "good"', 'name = "good"\nname = "good"'), 3),
        (instead('category = ["post"]', 'category = ["post"'), 12),
        (instead("[[forbid]]", "[[forbid]"), 17),
        (instead("created = {", "created = {\n"), 14),
        ("[policy_set]\nname =", 2),
        ("\n\n\na = [", 4),
        ("a = " + "[" * 100_000, 1),
        ("a = \x00", 1),
    ],
)
def test_syntax(text: str, line: int) -> None:
    assert found(text) == [("policy-syntax", line)]


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "advice"),
    [
        ('["post"]', '["pots"]', 11, "unknown category `pots` in permit `posts`", "did you mean `post`?"),
        ('["post"]', '[\n"post", # one\n"Article"]', 13, "unknown category `Article` in", "did you mean `article`?"),
        ('["post"]', '["qqqq"]', 11, "unknown category `qqqq`", "use one of: ai-feedback, ai-output, ai-prompt,"),
        ('["post"]', '["unknown"]', 11, "unknown category `unknown`", "a gap always denies"),
        ('["adult"]', '["adults"]', 12, "unknown age `adults`", "did you mean `adult`?"),
        ('["adult"]', '["unknown"]', 12, "unknown age `unknown`", "a gap always denies"),
        ('visibility = "private"', 'visibility = "secret"', 20, "unknown visibility `secret`", "use one of: c"),
        ("legitimate-interests", "legitimate interest", 10, "unknown legal basis", "`legitimate-interests`?"),
        ('["train-genai"]', '["train"]', 5, "unknown purpose `train` in [policy_set]", "did you mean `train-ai`?"),
        ('["EU"]', '["EUU"]', 13, "unknown area `EUU` in `where` of permit `posts`", "did you mean `EU`?"),
        ('["EU"]', '["uk"]', 13, "unknown area `uk`", "did you mean `UK`?"),
        ('["EU"]', '["EU", "CA-QB"]', 13, "unknown area `CA-QB` in `where` of permit `posts`", "`CA-QC`"),
        ('["EU"]', '["US-CAL"]', 13, "unknown area `US-CAL` in `where` of permit `posts`", "`US-CA`"),
        ('place = "US"', 'place = "US-CAL"', 24, "unknown place `US-CAL`", "`US-CA`"),
        ('place = "US"', 'place = "EU"', 24, "unknown place `EU`", "`GB`"),
        ('"deny"', '"denied"', 25, "unknown expect `denied`", "did you mean `deny`?"),
        ('gap:created-unknown', 'gap:created', 26, "unknown reason `gap:created`", "`gap:created-unknown`?"),
        ('gap:created-unknown', 'forbidden:privat', 26, "unknown reason", "did you mean `forbidden:private`?"),
        ('gap:created-unknown', 'forbidden:posts', 26, "unknown reason `forbidden:posts`", "`forbidden:private`"),
        ('gap:created-unknown', 'refusal', 26, "unknown reason `refusal`", "did you mean `refused`?"),
        ('place = "US"', 'notices = { tolt = 2024-01-01 }', 24, "unknown notice `tolt`", "did you mean `told`?"),
        ('age = "adult", category', 'choice = "no", category', 24, "unknown choice `no`", "use one of: allowed"),
    ],
)  # fmt: skip
def test_unknown_words(old: str, new: str, line: int, message: str, advice: str) -> None:
    text = instead(old, new)
    assert found(text) == [("policy-unknown-word", line)]
    (problem,) = check(text, "p.toml")
    assert message in problem.message
    assert advice in problem.help


@pytest.mark.parametrize(
    ("old", "new", "line", "advice"),
    [
        ("version =", "verison = 1\nversion =", 3, "did you mean `version`?"),
        ("[[forbid]]", "[[forbids]]\n[[forbid]]", 17, "did you mean `forbid`?"),
        ('id = "private"', 'id = "private"\nlegal_basis = "consent"', 19, "delete the line"),
        ('id = "private"', 'id = "private"\nnotice = { id = "a" }', 19, "write it into a permit"),
        ("where.outside", "where.ouside", 13, "did you mean `outside`?"),
        ("before =", "until =", 14, "use one of: before, from"),
        ("days =", "day =", 15, "did you mean `days`?"),
        ('place = "US"', 'plaice = "US"', 24, "did you mean `place`?"),
        ('place = "US"', 'involves = [{ category = "post" }]', 24, "use one of: account"),
        ("expect =", 'expects = "deny"\nexpect =', 25, "did you mean `expect`?"),
    ],
)
def test_unknown_keys(old: str, new: str, line: int, advice: str) -> None:
    text = instead(old, new)
    assert found(text) == [("policy-unknown-key", line)]
    assert advice in check(text, "p.toml")[0].help


@pytest.mark.parametrize(
    ("old", "line"),
    [
        ('name = "good"\n', 1),
        ('version = "1"\n', 1),
        ('title = "A good one"\n', 1),
        ('purposes = ["train-genai"]\n', 1),
        ('id = "private"\n', 17),
        ('title = "a post"\n', 22),
        ('expect = "deny"\n', 22),
        ('given = { place = "US", age = "adult", category = "post", at = 2024-01-01 }\n', 22),
        (', at = 2024-01-01', 24),
        ('category = "post", ', 24),
        ('id = "told", ', 15),
    ],
)  # fmt: skip
def test_missing_keys(old: str, line: int) -> None:
    assert ("policy-missing-key", line) in found(instead(old, ""))


def test_a_file_without_a_head_is_no_policy_set() -> None:
    assert found("") == [("policy-missing-key", 1)]


def test_a_purpose_must_be_given_where_there_is_a_choice() -> None:
    text = instead('["train-genai"]', '["train-genai", "serve"]')
    assert found(text) == [("policy-missing-key", 24)]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('name = "good"', "name = 1", 2),
        ('name = "good"', 'name = "Good one"', 2),
        ('version = "1"', "version = 2024-01-01", 3),
        ('title = "A good one"', 'title = " "', 4),
        ('purposes = ["train-genai"]', "purposes = []", 5),
        ('id = "private"', 'id = "Private"', 18),
        ('category = ["post"]', "category = []", 11),
        ('category = ["post"]', "category = [1]", 11),
        ('category = ["post"]', "category = true", 11),
        ("from = 2010-01-01", "from = 2010-01-01T00:00:00", 14),
        ("from = 2010-01-01", 'from = "2010-01-01"', 14),
        ("from = 2010-01-01", "from = 2010", 14),
        ("from = 2010-01-01", "from = 10:00:00", 14),
        ("days = 30", "days = -1", 15),
        ("days = 30", "days = 1.5", 15),
        ("days = 30", "days = true", 15),
        ("days = 30", "days = 36501", 15),
        ("notice = { id", 'notice = "told" # {', 15),
        ("where.outside", "where", 13),
        ('visibility = "private"', "visibility = { a = 1 }", 20),
        ('place = "US"', 'place = "US", established = "yes"', 24),
        ("at = 2024-01-01", "at = 2024-01-01T00:00:00", 24),
        ('place = "US"', 'involves = ["US"]', 24),
    ],
)
def test_wrong_values(old: str, new: str, line: int) -> None:
    assert ("policy-wrong-value", line) in found(instead(old, new))


def test_a_set_without_rules_may_decide_about_nothing() -> None:
    text = OUT_OF_FORCE.format(name="good")
    assert check(text, "f") == []
    loaded = load(text, "f")
    assert not any(map(loaded.decides, Purpose))
    assert "Decides about no use, and permits nothing: it takes the place of a set that was in force." in describe(
        loaded
    )
    assert describe_diff(diff(load(GOOD, "f"), loaded, at=0))


def test_a_list_that_is_no_list_of_tables() -> None:
    assert found("permit = 1\n" + GOOD.replace("[[permit]]", "[[example]]")) != []
    text = '[policy_set]\nname = "a"\nversion = "1"\ntitle = "a"\npurposes = ["serve"]\n[permit]\nid = "a"\n'
    assert found(text) == [("policy-wrong-value", 6)]


def test_a_local_time_gets_advice_about_zones() -> None:
    (problem,) = check(instead("from = 2010-01-01", "from = 2010-01-01 00:00:00"), "p.toml")
    assert "without a zone" in problem.message
    assert "`Z`" in problem.help


def test_a_permit_without_a_legal_basis() -> None:
    text = instead('legal_basis = "legitimate-interests"\n', "")
    assert found(text) == [("policy-no-legal-basis", 7)]
    assert "legitimate-interests" in check(text, "p.toml")[0].help


def test_an_id_used_twice() -> None:
    text = instead('id = "private"', 'id = "posts"')
    assert found(text) == [("policy-duplicate-id", 18)]
    assert "line 7" in check(text, "p.toml")[0].help


def test_a_title_used_twice() -> None:
    text = GOOD + GOOD[GOOD.index("[[example]]") :]
    assert found(text) == [("policy-duplicate-id", 28)]


@pytest.mark.parametrize(
    ("old", "new"),
    [('place = "US"', 'place = "US", places = ["FR"]'), ('place = "US"', 'place = "US", since = 2024-01-01')],
)
def test_an_example_that_contradicts_itself(old: str, new: str) -> None:
    assert found(instead(old, new)) == [("policy-contradiction", 24)]


def test_every_problem_is_found_in_one_go_and_in_order() -> None:
    text = GOOD.replace('["post"]', '["pots"]').replace("why =", "way =").replace('version = "1"', "version = 1")
    assert found(text) == [
        ("policy-wrong-value", 3),
        ("policy-missing-key", 7),
        ("policy-unknown-key", 9),
        ("policy-unknown-word", 11),
        ("policy-missing-key", 17),
        ("policy-unknown-key", 19),
    ]


def test_loading_raises_the_first_and_counts_the_others() -> None:
    text = GOOD.replace('["post"]', '["pots"]').replace('version = "1"', "version = 1")
    with pytest.raises(PolicyError) as caught:
        load(text, "folder/p.toml")
    assert caught.value.code == "policy-wrong-value"
    assert caught.value.where == "folder/p.toml:3"
    assert "and 1 more" in caught.value.help


def test_one_problem_is_not_counted() -> None:
    with pytest.raises(PolicyError) as caught:
        load(instead('["post"]', '["pots"]'), "p.toml")
    assert str(caught.value) == "p.toml:11: unknown category `pots` in permit `posts` [policy-unknown-word]"
    assert caught.value.help == "did you mean `post`?"


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    written = load("\ufeff" + GOOD.replace("\n", "\r\n"), "p.toml")
    assert written.digest == load(GOOD, "p.toml").digest
    assert written.rules == load(GOOD, "p.toml").rules


_LINES = GOOD.splitlines(keepends=True)
_SCRAPS = st.sampled_from(
    [
        "permit = 1",
        "[policy_set]",
        "[[example]]",
        "given = 1",
        'because = "x"',
        "where = 1",
        "x = [[[{}]]]",
        "created = []",
    ]
)


@given(st.lists(st.integers(0, len(_LINES) - 1)), st.lists(st.tuples(st.integers(0, len(_LINES)), _SCRAPS), max_size=3))
def test_whatever_is_deleted_or_added_ends_in_a_set_or_in_problems(
    deleted: list[int], added: list[tuple[int, str]]
) -> None:
    lines = [line for number, line in enumerate(_LINES) if number not in deleted]
    for number, scrap in added:
        lines.insert(number, scrap + "\n")
    text = "".join(lines)
    problems = check(text, "p.toml")
    if problems:
        with pytest.raises(PolicyError):
            load(text, "p.toml")
        assert all(1 <= int(problem.where.removeprefix("p.toml:")) <= max(1, len(lines)) for problem in problems)
    else:
        load(text, "p.toml")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert check(text, "p.toml") != []


@pytest.mark.parametrize("name", shipped())
def test_shipped_sets_have_no_problems(name: str) -> None:
    assert check(shipped()[name], name) == []


def test_what_is_given_stands_in_a_line_or_in_a_table_with_its_times() -> None:
    line = 'given = { place = "US", age = "adult", category = "post", at = 2024-01-01 }\n'
    assert GOOD.count(line) == 1
    moved = GOOD.replace(line, "")
    for at, seconds in (
        ("2024-01-01", 1_704_067_200),
        ("2024-01-01T00:00:00Z", 1_704_067_200),
        ("2024-01-01 02:00:00+02:00", 1_704_067_200),
        ("2024-01-01T12:30:00-01:00", 1_704_067_200 + 13 * 3600 + 1800),
    ):
        in_a_line = GOOD.replace("at = 2024-01-01", f"at = {at}")
        keys = f'[example.given]\nplace = "US"\nage = "adult"\ncategory = "post"\nat = {at}\n'
        in_a_table = moved + keys
        (first,), (second,) = (load(text, "p.toml").examples for text in (in_a_line, in_a_table))
        assert first == second
        assert first.given.at == seconds
    wrong = moved + '[example.given]\nplace = "US"\ncategory = "post"\nat = 2024-01-01T00:00:00\n'
    assert found(wrong) == [("policy-wrong-value", wrong.count("\n"))]
