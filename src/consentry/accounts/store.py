"""What a store of accounts promises. Whatever a method returns from is durable."""

from __future__ import annotations

from typing import Protocol

from consentry.accounts.account import Account, ApiKey, KeyChange, Session
from consentry.accounts.web_state import WebState


class Accounts(Protocol):
    """Who may sign in."""

    def account(self, handle: str) -> Account | None:
        """Return an account."""
        ...

    def accounts(self) -> list[Account]:
        """Return all accounts by handle."""
        ...

    def add_account(self, account: Account) -> None:
        """Write a new account down. ConflictError: there is one of that name."""
        ...

    def change_account(self, account: Account, *, since: Account) -> bool:
        """Write down what became of an account, and end its sessions; False: it is not as in `since` any more."""
        ...


class Sessions(Protocol):
    """Who is signed in. A session is named by the digest of its secret."""

    def begin_session(self, digest: str, session: Session, *, since: Account | None = None) -> bool:
        """Write a session down, and forget those that are over.

        False, and nothing is written: its account is not as in `since` any more. Both are one step: a change of the
        account comes before it and prevents it, or after it and ends it.
        """
        ...

    def session(self, digest: str) -> Session | None:
        """Return a session, over or not."""
        ...

    def use_session(self, digest: str, *, at: int) -> None:
        """Note that it was used. Not durable: losing it ends a session early."""
        ...

    def end_session(self, digest: str) -> None:
        """Forget a session; there need not be one."""
        ...


class OwnSessions(Protocol):
    """Where somebody is signed in."""

    def sessions_of(self, handle: str) -> dict[str, Session]:
        """Return the sessions of an account by their digests, over or not, the newest first."""
        ...


class ApiKeys(Protocol):
    """Keys of programs."""

    def put_key(self, key: ApiKey) -> None:
        """Write a key down, or what became of it."""
        ...

    def key(self, digest: str) -> ApiKey | None:
        """Return the key with this digest."""
        ...

    def all_keys(self) -> list[ApiKey]:
        """Return all keys, the newest first."""
        ...


class PublicKeys(Protocol):
    """Keys with which authorities sign what they file."""

    def put_public_key(self, handle: str, key: bytes, *, at: int) -> None:
        """Write down the raw public key of an account, in place of the one before, and that it was changed."""
        ...

    def public_key(self, handle: str) -> bytes | None:
        """Return the public key of an account."""
        ...

    def key_changes(self, handle: str) -> list[KeyChange]:
        """Return every key that was written down for an account, oldest first. None is ever forgotten."""
        ...


class Once(Protocol):
    """What may be used once: links, codes, nonces."""

    def spend(self, name: str, *, until: int, now: int) -> bool:
        """Note that something was used; False: it was used before. Forgotten after `until`."""
        ...

    def keep(self, name: str, text: str, *, until: int, now: int) -> None:
        """Keep a text for whoever takes it first, in place of what was kept under this name."""
        ...

    def take(self, name: str, *, now: int) -> str | None:
        """Return a text that was kept, once; None: there is none any more."""
        ...

    def kept(self, name: str, *, now: int) -> str | None:
        """Return a text that was kept, which stays; None: there is none any more."""
        ...


class AccountStore(Accounts, Sessions, OwnSessions, ApiKeys, PublicKeys, Once, Protocol):
    """All of it."""

    @property
    def web(self) -> WebState:
        """Small state of the web in the same database."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
