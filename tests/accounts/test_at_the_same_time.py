"""Accounts that are changed at the same time: nothing acknowledged is lost, and no session outlives a change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from consentry.accounts import passwords
from consentry.accounts.access import Role
from consentry.accounts.account import NOBODY, Account, Session
from consentry.accounts.admission import Admission
from consentry.accounts.sql import SqlAccounts
from consentry.errors import ConflictError, ConsentryError, StateError
from consentry.storage import SealedText

LEDGER = "0123456789abcdef" * 2
OLD, NEW, OTHER = ("correct horse battery staple", "another long line of words", "a third long line of words")
OFFICER = frozenset({Role.PRIVACY_OFFICER})
SUBJECT = "https://idp.example/#1"
ROUNDS = 25


class Careless(SqlAccounts):
    """The control: writes whole rows and sessions, whatever became of the account meanwhile."""

    def change_account(self, account: Account, *, since: Account) -> bool:  # noqa: ARG002 - that is what is wrong
        while (found := self.account(account.handle)) is not None:
            if super().change_account(account, since=found):
                return True
        return False

    def begin_session(self, digest: str, session: Session, *, since: Account | None = None) -> bool:  # noqa: ARG002
        return super().begin_session(digest, session)


def lost(store: SqlAccounts) -> int:
    """Disable accounts while somebody binds an identity to them, and return how often one of both was lost."""
    count, admission = 0, Admission(store, clock=lambda: 1_800_000_000)
    for number in range(ROUNDS):
        handle = f"olga-{number}"
        admission.add(handle, roles=OFFICER, password="")
        meet, let_in = threading.Barrier(2), list[str]()
        plain, first = store.account, set[int]()

        def meeting(handle: str, plain: Callable[[str], Account | None] = plain) -> Account | None:
            found = plain(handle)
            if threading.get_ident() not in first:  # noqa: B023 - of this round
                first.add(threading.get_ident())  # noqa: B023
                with suppress(threading.BrokenBarrierError):
                    meet.wait(2)  # noqa: B023 - both have read before either writes
            return found

        def bind(handle: str = handle, let_in: list[str] = let_in) -> None:
            with suppress(StateError):
                let_in.append(admission.admit(handle, subject=SUBJECT))

        store.account = meeting  # type: ignore[method-assign]
        together(bind, lambda handle=handle: admission.disable(handle))  # type: ignore[misc]
        store.account = plain  # type: ignore[method-assign]
        found = store.account(handle)
        assert found is not None
        count += not found.disabled or (bool(let_in) and not found.subject)
        count += any(admission.by_session(secret) is not NOBODY for secret in let_in)
    return count


def together(*calls: Callable[[], None]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'accounts.db'}"


def test_disabling_and_binding_do_not_undo_each_other(url: str) -> None:
    store = SqlAccounts(url, ledger=LEDGER, sealing=SealedText(bytes(32)))
    assert lost(store) == 0
    store.close()


def test_the_harness_notices_what_is_lost(url: str) -> None:
    store = Careless(url, ledger=LEDGER, sealing=SealedText(bytes(32)))
    assert lost(store) >= ROUNDS
    store.close()


def signed_in_meanwhile(store: SqlAccounts, change: Callable[[Admission], None], patch: pytest.MonkeyPatch) -> bool:
    """Change the account of somebody whose password is being looked at; return whether they are in afterwards."""
    admission = Admission(store, clock=lambda: 1_800_000_000)
    admission.add("olga", roles=OFFICER, password=OLD)
    plain = passwords.matches

    def slow(stored: str, password: str) -> bool:
        found = plain(stored, password)
        change(admission)
        return found

    patch.setattr(passwords, "matches", slow)
    try:
        secret = admission.sign_in("olga", OLD)
    except StateError:
        return False
    return admission.by_session(secret) is not NOBODY


CHANGES: list[Callable[[Admission], None]] = [
    lambda admission: admission.set_password("olga", NEW),
    lambda admission: admission.disable("olga"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_sign_in_does_not_outlive_a_change(
    url: str, change: Callable[[Admission], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqlAccounts(url, ledger=LEDGER, sealing=SealedText(bytes(32)))
    assert not signed_in_meanwhile(store, change, monkeypatch)
    assert not store.session("x")
    store.close()


def test_the_control_lets_the_old_password_in(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Careless(url, ledger=LEDGER, sealing=SealedText(bytes(32)))
    assert signed_in_meanwhile(store, CHANGES[0], monkeypatch)
    store.close()


def test_of_two_new_passwords_one_is_refused_and_the_other_holds(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqlAccounts(url, ledger=LEDGER, sealing=SealedText(bytes(32)))
    admission = Admission(store, clock=lambda: 1_800_000_000)
    admission.add("olga", roles=OFFICER, password=OLD)
    meet, plain = threading.Barrier(2), passwords.hashed

    def hashed(password: str) -> str:
        found = plain(password)
        meet.wait(30)
        return found

    monkeypatch.setattr(passwords, "hashed", hashed)
    refused: list[str] = []

    def set_to(password: str) -> Callable[[], None]:
        def run() -> None:
            try:
                admission.set_password("olga", password)
            except ConflictError:
                refused.append(password)

        return run

    together(set_to(NEW), set_to(OTHER))
    assert len(refused) == 1
    (held,) = {NEW, OTHER} - set(refused)
    assert admission.sign_in("olga", held)
    with pytest.raises(ConsentryError):
        admission.sign_in("olga", refused[0])
    store.close()


def test_a_change_is_of_what_was_read(url: str) -> None:
    store = SqlAccounts(url, ledger=LEDGER, sealing=SealedText(bytes(32)))
    account = Account(handle="olga", roles=OFFICER)
    store.add_account(account)
    bound = replace(account, subject=SUBJECT)
    assert store.change_account(bound, since=account)
    assert not store.change_account(replace(account, disabled=True), since=account)
    assert store.account("olga") == bound
    assert not store.begin_session("d", Session(handle="olga", begun_at=1, used_at=1), since=account)
    assert store.session("d") is None
    assert store.begin_session("d", Session(handle="olga", begun_at=1, used_at=1), since=bound)
    store.close()
