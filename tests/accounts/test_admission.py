"""Who is let in: accounts, sessions, keys, and what may be used once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentry.accounts import passwords
from consentry.accounts.access import TABLE, Action, Role, Scope, scope_of
from consentry.accounts.account import IDLE_S, MEMBER_SESSION_S, NOBODY, SESSION_S, new_password
from consentry.accounts.admission import Admission
from consentry.accounts.sql import SqlAccounts
from consentry.accounts.tries import browser_of, mark_of
from consentry.errors import ConflictError, InputError, NotFoundError, StateError
from consentry.storage import SealedText

LEDGER = "0123456789abcdef" * 2
PASSWORD = "correct horse battery staple"
OFFICER = frozenset({Role.PRIVACY_OFFICER})
HASHER = passwords._hasher
"""The real one: this is read before the tests begin, for which it is made quick."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'accounts.db'}"


@pytest.fixture
def admission(file: str, clock: Clock) -> Iterator[Admission]:
    store = SqlAccounts(file, ledger=LEDGER, sealing=SealedText(bytes(32)))
    yield Admission(store, clock=clock)
    store.close()


def test_nobody_may_do_what_the_table_does_not_say() -> None:
    assert scope_of(Action.CASE_READ, frozenset()) is None
    assert scope_of(Action.ANYONE, frozenset(Role)) is None, "not in the table: asked for nothing"
    for action in TABLE:
        assert scope_of(action, frozenset({Role.MEMBER})) in {None, Scope.OWN}
        assert TABLE[action].get(Role.AUTHORITY) in {None, Scope.AREAS}
        assert Role.AUDITOR not in TABLE[action] or action.value.endswith(":read")
    assert scope_of(Action.OWN_CHOOSE, frozenset(Role) - {Role.MEMBER}) is None, "nobody chooses for a member"


def test_the_widest_scope_counts() -> None:
    assert scope_of(Action.ORDER_ISSUE, frozenset({Role.AUTHORITY, Role.PRIVACY_OFFICER})) is Scope.ALL
    assert scope_of(Action.ORDER_ISSUE, frozenset({Role.AUTHORITY, Role.AUDITOR})) is Scope.AREAS


def test_a_session_ends_when_it_is_idle_or_old(admission: Admission, clock: Clock) -> None:
    admission.add("olga", roles=OFFICER, password=PASSWORD)
    secret = admission.sign_in("olga", PASSWORD)
    begun = clock.now
    while clock.now < begun + SESSION_S - IDLE_S:
        assert admission.by_session(secret).handle == "olga"
        clock.now += IDLE_S - 1
    clock.now = begun + SESSION_S
    assert admission.by_session(secret) is NOBODY
    idle = admission.sign_in("olga", PASSWORD)
    clock.now += IDLE_S
    assert admission.by_session(idle) is NOBODY


def test_a_session_outlives_a_restart_and_no_longer(file: str, admission: Admission, clock: Clock) -> None:
    admission.add("olga", roles=OFFICER, password=PASSWORD)
    secret = admission.sign_in("olga", PASSWORD)
    again = SqlAccounts(file, ledger=LEDGER, sealing=SealedText(bytes(32)))
    assert Admission(again, clock=clock).by_session(secret).handle == "olga"
    again.close()


def test_a_member_is_known_by_pseudonym_only(admission: Admission, clock: Clock, file: str) -> None:
    secret = admission.admit_member("ab" * 16, {"name": "Ada"})
    found = admission.by_session(secret)
    assert (found.roles, found.person, found.handle) == (frozenset({Role.MEMBER}), "ab" * 16, "")
    assert secret.encode() not in Path(file.removeprefix("sqlite:///")).read_bytes()
    clock.now += MEMBER_SESSION_S
    assert admission.by_session(secret) is NOBODY


def test_disabling_and_a_new_password_end_sessions(admission: Admission) -> None:
    admission.add("olga", roles=OFFICER, password=PASSWORD)
    first = admission.sign_in("olga", PASSWORD)
    admission.set_password("olga", PASSWORD + " again")
    assert admission.by_session(first) is NOBODY
    second = admission.sign_in("olga", PASSWORD + " again")
    admission.disable("olga")
    assert admission.by_session(second) is NOBODY
    with pytest.raises(StateError, match="name or the password"):
        admission.sign_in("olga", PASSWORD + " again")
    with pytest.raises(StateError, match="no account here"):
        admission.admit("olga", subject="https://idp.example/#1")


def test_an_administrator_ends_every_session_of_an_account(admission: Admission) -> None:
    admission.add("olga", roles=OFFICER, password=PASSWORD)
    admission.add("otto", roles=OFFICER, password=PASSWORD)
    ended, other = [admission.sign_in("olga", PASSWORD) for _ in range(2)], admission.sign_in("otto", PASSWORD)
    admission.end_sessions("olga")
    assert [admission.by_session(secret) for secret in ended] == [NOBODY, NOBODY]
    assert admission.by_session(other).handle == "otto"
    assert admission.by_session(admission.sign_in("olga", PASSWORD)).handle == "olga"
    with pytest.raises(NotFoundError, match="no account"):
        admission.end_sessions("nobody")


def test_who_has_no_account_is_told_what_a_wrong_password_is_told(admission: Admission) -> None:
    admission.add("olga", roles=OFFICER, password=PASSWORD)
    admission.add("elsewhere", roles=OFFICER, password="")
    admission.add("closed", roles=OFFICER, password=PASSWORD)
    admission.disable("closed")
    told = set()
    for handle in ("olga", "nobody", "elsewhere", "closed"):
        for _ in range(11):
            with pytest.raises(StateError) as caught:
                admission.sign_in(handle, PASSWORD + "!")
            told.add((handle, caught.value.code, caught.value.message, caught.value.help))
    assert len({each[1:] for each in told}) == 2
    assert len(told) == 8, "one who is not there is made to wait as well"


def test_a_password_counts_as_it_is_typed_and_may_be_anything_long_enough(admission: Admission, clock: Clock) -> None:
    for number, good in enumerate(
        ("aaaaaaaaaaaaaaa", "パスワードは長い方がよい。とても", "x" * 256, " spaces count here ")
    ):
        admission.add(f"n{number}", roles=OFFICER, password=good)
        assert admission.sign_in(f"n{number}", good)
        for near in (good.swapcase(), good.strip(), good[:-1], good + " "):
            if near != good:
                with pytest.raises(StateError, match="is wrong"):
                    admission.sign_in(f"n{number}", near)
    clock.now += 10 * 365 * 86_400
    assert admission.sign_in("n0", "a" * 15), "none ends by the calendar"


def test_what_is_stored_of_a_password_is_slow_to_guess(admission: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", HASHER)
    stored = admission.add("olga", roles=OFFICER, password=PASSWORD).password
    other = admission.add("otto", roles=OFFICER, password=PASSWORD).password
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert stored != other, "each has a salt"


def test_too_many_wrong_passwords(admission: Admission, clock: Clock) -> None:
    admission.add("olga", roles=OFFICER, password=PASSWORD)
    for _ in range(10):
        with pytest.raises(StateError, match="is wrong"):
            admission.sign_in("olga", "no")
    with pytest.raises(StateError, match="too many"):
        admission.sign_in("olga", PASSWORD)
    clock.now += 301
    assert admission.sign_in("olga", PASSWORD)


def test_a_browser_that_signed_in_before_has_a_count_of_its_own(admission: Admission) -> None:
    admission.add("olga", roles=OFFICER, password=PASSWORD)
    for _ in range(10):
        with pytest.raises(StateError, match="is wrong"):
            admission.sign_in("olga", "no")
    assert admission.sign_in("olga", PASSWORD, browser="known")
    for _ in range(10):
        with pytest.raises(StateError, match="is wrong"):
            admission.sign_in("olga", "no", browser="known")
    with pytest.raises(StateError, match="too many"):
        admission.sign_in("olga", PASSWORD, browser="known")


def test_only_this_server_marks_a_browser_and_for_one_name() -> None:
    key = bytes(32)
    mark = mark_of("abc", "olga", key=key)
    assert browser_of(mark, "olga", key=key) == "abc"
    for strange in (
        mark_of("abc", "olga", key=b"x" * 32),
        mark_of("abc", "otto", key=key),
        mark + "0",
        "abc",
        "",
        "é.",
    ):
        assert browser_of(strange, "olga", key=key) == ""
    assert browser_of(mark, "otto", key=key) == ""


@pytest.mark.parametrize(
    ("handle", "roles", "areas", "password", "code"),
    [
        ("Olga", OFFICER, set(), PASSWORD, "account-handle"),
        ("o" * 61, OFFICER, set(), PASSWORD, "account-handle"),
        ("olga", OFFICER, set(), "too short", "account-password"),
        ("olga", OFFICER, set(), "olga olga olga olga", "account-password"),
        ("olga", frozenset[Role](), set(), PASSWORD, "account-roles"),
        ("olga", frozenset({Role.MEMBER}), set(), PASSWORD, "account-roles"),
        ("olga", frozenset({Role.AUTHORITY}), set(), PASSWORD, "account-areas"),
        ("olga", OFFICER, {"UK"}, PASSWORD, "account-areas"),
        ("olga", frozenset({Role.AUTHORITY}), {"Narnia"}, PASSWORD, "account-areas"),
        ("olga", frozenset({Role.AUTHORITY, Role.AUDITOR}), {"UK"}, PASSWORD, "account-roles"),
    ],
)
def test_accounts_that_cannot_be(
    admission: Admission, handle: str, roles: frozenset[Role], areas: set[str], password: str, code: str
) -> None:
    with pytest.raises(InputError) as caught:
        admission.add(handle, roles=roles, areas=frozenset(areas), password=password)
    assert caught.value.code == code
    assert admission.all() == []


def test_one_name_one_account(admission: Admission) -> None:
    admission.add("olga", roles=OFFICER, password=PASSWORD)
    with pytest.raises(ConflictError):
        admission.add("olga", roles=OFFICER, password=PASSWORD)
    with pytest.raises(NotFoundError, match="no account"):
        admission.disable("otto")


def test_a_key_opens_until_it_is_revoked_or_expires(admission: Admission, clock: Clock) -> None:
    workload = frozenset({Role.WORKLOAD})
    key, secret = admission.add_key("trainer", roles=workload, by="olga")
    _, short = admission.add_key("short", roles=workload, by="olga", expires_at=clock.now + 10)
    assert admission.by_key(secret).roles == workload
    assert admission.by_key(secret + "x") is NOBODY
    clock.now += 10
    assert admission.by_key(short) is NOBODY
    admission.revoke_key(key.ident)
    assert admission.by_key(secret) is NOBODY
    with pytest.raises(InputError):
        admission.add_key("officer", roles=OFFICER, by="olga")
    with pytest.raises(NotFoundError):
        admission.revoke_key("nothing")


def test_a_name_elsewhere_belongs_to_who_came_first(admission: Admission) -> None:
    admission.add("olga", roles=OFFICER, password="")
    first = admission.admit("olga", subject="https://idp.example/#1")
    assert admission.by_session(first).handle == "olga"
    assert admission.admit("olga", subject="https://idp.example/#1")
    for subject in ("https://idp.example/#2", "https://other.example/#1"):
        with pytest.raises(StateError, match="no account here"):
            admission.admit("olga", subject=subject)
    with pytest.raises(StateError, match="is wrong"):
        admission.sign_in("olga", "")


def test_what_was_kept_is_taken_once(admission: Admission, clock: Clock) -> None:
    admission.keep("a", "text", seconds=60)
    assert admission.take("a") == "text"
    assert admission.take("a") is None
    admission.keep("b", "text", seconds=60)
    clock.now += 61
    assert admission.take("b") is None


def test_once_is_once(admission: Admission, clock: Clock) -> None:
    assert admission.spend("link", until=clock.now + 60)
    assert not admission.spend("link", until=clock.now + 60)
    clock.now += 61
    assert admission.spend("link", until=clock.now + 60), "forgotten after it could be used no more"


def test_cases_of_two_authorities_can_be_told_apart(admission: Admission) -> None:
    authority, areas = frozenset({Role.AUTHORITY}), frozenset({"UK"})
    admission.add("ico", roles=authority, areas=areas, password="")
    for handle in ("ico-scotland", "ico-1"):
        with pytest.raises(InputError, match="told apart"):
            admission.add(handle, roles=authority, areas=areas, password="")
    admission.add("icon", roles=authority, areas=areas, password="")
    admission.add("ico-desk", roles=OFFICER, password="")


def test_made_up_passwords_are_long_enough_and_never_the_same() -> None:
    made = {new_password() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[0-9a-f]{4}(-[0-9a-f]{4}){7}", each) for each in made), "128 bits"
