"""Secrets of webhooks are sealed in the database, under a key that is not in it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from consentry.accounts.sql import SqlAccounts
from consentry.accounts.web_state import SECRET_PREFIX, Endpoint
from consentry.accounts.webhooks import Webhooks
from consentry.bootstrap import open_deployment
from consentry.errors import IntegrityError
from consentry.storage import SealedText

LEDGER = "0123456789abcdef" * 2
URL = "https://receiver.example/hook"
ONE, OTHER = SealedText(bytes(32)), SealedText(bytes(31) + b"x")


def opened(file: Path, sealing: SealedText = ONE) -> SqlAccounts:
    return SqlAccounts(f"sqlite:///{file}", ledger=LEDGER, sealing=sealing)


def kept(file: Path) -> dict[str, str]:
    connection = sqlite3.connect(file)
    found = dict(connection.execute("SELECT ident, secret FROM webhook_endpoints").fetchall())
    connection.close()
    return found


def add(store: SqlAccounts) -> Endpoint:
    return Webhooks(store.web, clock=lambda: 1).add(URL, kinds=frozenset(), by="olga", position=0)


def test_no_file_of_the_home_holds_a_secret(tmp_path: Path) -> None:
    deployment = open_deployment(tmp_path / "home", embedded=True)
    with deployment.admission() as admission:
        hooks = Webhooks(admission.web, clock=lambda: 1)
        made = hooks.add(URL, kinds=frozenset(), by="olga", position=0)
        files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
        assert any(path.name == "accounts.db" for path in files)
        assert not [path.name for path in files if made.secret.encode() in path.read_bytes()]
        assert [each.secret for each in hooks.all()] == [made.secret]
        assert hooks.replay(made.ident, position=0).secret == made.secret
    deployment.close()
    again = open_deployment(tmp_path / "home", embedded=True)
    with again.admission() as admission:
        assert [each.secret for each in admission.web.endpoints()] == [made.secret]
    again.close()


def test_secrets_of_before_are_sealed_when_the_store_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "accounts.db"
    store = opened(file)
    made = add(store)
    store.close()
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE webhook_endpoints SET secret = ?", (made.secret,))
    connection.close()
    assert kept(file)[made.ident] == made.secret
    store = opened(file)
    assert not kept(file)[made.ident].startswith(SECRET_PREFIX)
    assert [each.secret for each in store.web.endpoints()] == [made.secret]
    store.close()
    assert made.secret.encode() not in file.read_bytes()


def test_under_another_key_it_is_refused_and_can_be_removed(tmp_path: Path) -> None:
    file = tmp_path / "accounts.db"
    store = opened(file)
    made = add(store)
    store.close()
    store = opened(file, OTHER)
    other = add(store)
    found = {each.ident: each.secret for each in store.web.endpoints()}
    assert found == {made.ident: "", other.ident: other.secret}, "the others go on"
    before = kept(file)
    with pytest.raises(IntegrityError) as caught:
        Webhooks(store.web, clock=lambda: 0).replay(made.ident, position=0)
    assert caught.value.code == "webhook-secret-unreadable"
    assert made.ident in caught.value.message
    assert kept(file) == before, "it can be read again once the keys are restored"
    assert store.web.remove_endpoint(made.ident)
    assert store.web.endpoints() == [other]
    store.close()


def test_under_another_key_it_is_exchanged_and_stays_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "accounts.db"
    store = opened(file)
    made = add(store)
    store.close()
    store = opened(file, OTHER)
    exchanged = Webhooks(store.web, clock=lambda: 0).exchange(made.ident)
    assert exchanged.secret.startswith(SECRET_PREFIX)
    assert exchanged == replace(made, secret=exchanged.secret)
    assert exchanged.secret != made.secret
    assert store.web.endpoints() == [exchanged]
    store.close()


def test_a_secret_that_was_moved_to_another_webhook_does_not_open(tmp_path: Path) -> None:
    file = tmp_path / "accounts.db"
    store = opened(file)
    one, two = add(store), add(store)
    connection = sqlite3.connect(file)
    with connection:
        moved = "UPDATE webhook_endpoints SET secret = ? WHERE ident = ?"
        connection.execute(moved, (kept(file)[one.ident], two.ident))
    connection.close()
    found = {each.ident: each.secret for each in store.web.endpoints()}
    assert found == {one.ident: one.secret, two.ident: ""}
    store.close()


@pytest.mark.parametrize("sealed", ["", "x", "????", "AAAA", "A" * 80, "é"])
def test_what_is_no_sealed_text_does_not_open(sealed: str) -> None:
    assert ONE.open(sealed, about="webhook a") is None


def test_the_same_text_is_sealed_anew_each_time() -> None:
    one, two = (ONE.seal("a secret", about="webhook a") for _ in range(2))
    assert one != two
    assert ONE.open(one, about="webhook a") == ONE.open(two, about="webhook a") == "a secret"
    assert ONE.open(one, about="webhook b") is None
    assert OTHER.open(one, about="webhook a") is None
