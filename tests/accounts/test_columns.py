"""Whatever somebody sends is looked for, in either store: nobody has it, and that is no error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.test_belonging import opened
from consentry.accounts.access import Role
from consentry.accounts.account import Account
from consentry.accounts.sql import SqlAccounts
from ledger.conftest import Place
from ledger.conftest import postgres_place as postgres_place  # noqa: PLC0414 - fixtures
from ledger.conftest import postgres_template as postgres_template  # noqa: PLC0414
from ledger.conftest import postgres_url as postgres_url  # noqa: PLC0414

SENT = ("a\0b", "\0", "olga\0", "x" * 300, "\ufffd", "é\n'\"%_")


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlAccounts]:
    place: Place | None = None if request.param == "sqlite" else request.getfixturevalue("postgres_place")
    found = opened(tmp_path / "accounts.db" if place is None else place.address)
    found.add_account(Account(handle="olga", roles=frozenset({Role.PRIVACY_OFFICER})))
    yield found
    found.close()


@pytest.mark.parametrize("sent", SENT, ids=ascii)
def test_nobody_has_it(store: SqlAccounts, sent: str) -> None:
    assert store.account(sent) is None
    assert store.session(sent) is None
    assert store.sessions_of(sent) == {}
    assert store.key(sent) is None
    assert store.public_key(sent) is None
    assert store.key_changes(sent) == []
    assert store.kept(sent, now=1) is None
    assert not store.web.remove_endpoint(sent)
    assert [each.handle for each in store.accounts()] == ["olga"]


def test_what_is_kept_is_kept_but_for_what_no_store_can_hold(store: SqlAccounts) -> None:
    store.keep("name", "a\0b é", until=10, now=1)
    assert store.take("name", now=1) == "a\ufffdb é"
