"""Signing in and out, and who it is that shows a cookie or a key: the verbs around accounts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import BoundedSemaphore

from consentry.accounts import passwords
from consentry.accounts.access import Role
from consentry.accounts.account import (
    NOBODY,
    SESSION_S,
    Account,
    ApiKey,
    KeyChange,
    OwnSession,
    Principal,
    Session,
    check_handle,
    check_password,
    check_roles,
    digest_of,
    new_secret,
)
from consentry.accounts.store import AccountStore
from consentry.accounts.tries import WITHIN_S, Tries
from consentry.errors import ConflictError, InputError, NotFoundError, StateError, UnavailableError

KEY_PREFIX = "ck_"
"""Of every API key, so that whoever finds one in a file knows what it is."""
OF_KEYS = frozenset({Role.PLATFORM, Role.WORKLOAD, Role.ML_ENGINEER, Role.AUDITOR})
"""What a program can be."""
_USED_EVERY_S = 60
_NAME_DIGITS = 16
_AT_ONCE, _HASHING_S = 2, 5.0


class Admission:
    """Accounts, sessions and keys of one deployment."""

    def __init__(self, store: AccountStore, *, clock: Callable[[], int]) -> None:
        self._store = store
        self.web = store.web
        self._clock = clock
        self._tries = Tries()
        # Each takes 64 MiB and some tenths of a second of a processor.
        self._hashing = BoundedSemaphore(_AT_ONCE)
        self.revoked = 0
        """How many keys were revoked through this object."""

    def add(
        self, handle: str, *, roles: frozenset[Role], areas: frozenset[str] = frozenset(), password: str
    ) -> Account:
        """Make an account. An empty password: it signs in elsewhere.

        Raises:
            InputError: a name, role, area or password that cannot be.
            ConflictError: there is one of that name.
        """
        check_handle(handle)
        check_roles(roles, areas)
        if password:
            check_password(password, handle=handle)
        if Role.AUTHORITY in roles:
            self._require_apart(handle)
        made = Account(handle=handle, roles=roles, areas=areas, password=passwords.hashed(password) if password else "")
        self._store.add_account(made)
        return made

    def _require_apart(self, handle: str) -> None:
        """Refuse an authority whose cases could not be told from another one's: their names begin with its handle."""
        for other in self._store.accounts():
            if Role.AUTHORITY in other.roles and (
                other.handle.startswith(f"{handle}-") or handle.startswith(f"{other.handle}-")
            ):
                raise InputError(
                    "account-handle",
                    f"`{handle}` and `{other.handle}` could not be told apart in the names of cases",
                    help="choose a name of which neither is the beginning of the other",
                )

    def all(self) -> list[Account]:
        """Return every account."""
        return self._store.accounts()

    def get(self, handle: str) -> Account:
        """Return an account.

        Raises:
            NotFoundError: there is none of this name.
        """
        return self._account(handle)

    def change_roles(self, handle: str, *, roles: frozenset[Role], areas: frozenset[str] = frozenset()) -> Account:
        """Give an account other roles, or an authority other jurisdictions, in place of those it has; sessions end.

        Raises:
            NotFoundError: there is no such account.
            InputError: roles it cannot have, or an authority would become staff or the other way round.
            ConflictError: the account was changed by somebody else meanwhile.
        """
        account = self._account(handle)
        check_roles(roles, areas)
        if (Role.AUTHORITY in roles) != (Role.AUTHORITY in account.roles):
            raise InputError(
                "account-roles",
                "an authority stays one, and nobody becomes one",
                help="the ledger has what it said under its name: make an account of another name",
            )
        changed = replace(account, roles=roles, areas=areas)
        if not self._store.change_account(changed, since=account):
            raise _changed_meanwhile(handle)
        return changed

    def disable(self, handle: str) -> None:
        """Let somebody sign in no more; their sessions end.

        Raises:
            NotFoundError: there is no such account.
        """
        account = self._account(handle)
        # What somebody else changes meanwhile stays, and this comes after it.
        while not self._store.change_account(replace(account, disabled=True), since=account):
            account = self._account(handle)

    def set_password(self, handle: str, password: str) -> None:
        """Change a password; all sessions end.

        Raises:
            NotFoundError: there is no such account.
            InputError: choose another password.
            ConflictError: the account was changed by somebody else meanwhile.
        """
        account = self._account(handle)
        if not account.password:
            raise StateError(
                "account-elsewhere",
                f"account `{handle}` signs in with an organisation",
                help="a password would go round what the organisation asks for: make another account",
            )
        check_password(password, handle=handle)
        if not self._store.change_account(replace(account, password=passwords.hashed(password)), since=account):
            raise _changed_meanwhile(handle)

    def sign_in(self, handle: str, password: str, *, browser: str = "") -> str:
        """Begin a session and return its secret; `browser` is one that signed in under this name before.

        Raises:
            StateError: the name or the password is wrong, or too many were.
            UnavailableError: too many are signing in at this moment.
        """
        now = self._clock()
        if self._tries.is_one_too_many(handle, browser=browser, now=now):
            raise StateError(
                "sign-in-too-often",
                "there were too many wrong passwords for this name",
                help=f"wait {WITHIN_S // 60} minutes, or ask an administrator for a new one",
            )
        account = self._store.account(handle)
        if not self._hashing.acquire(timeout=_HASHING_S):
            raise UnavailableError(
                "sign-in-busy", "too many are signing in at this moment", help="try again in a minute"
            )
        try:
            is_right = passwords.matches("" if account is None else account.password, password)
        finally:
            self._hashing.release()
        secret = None
        if account is not None and not account.disabled and is_right:
            # The password took its time: it counts only if it is still the one.
            secret = self._begin(Session(handle=handle, begun_at=now, used_at=now), since=account)
        if secret is None:
            raise StateError("sign-in-wrong", "the name or the password is wrong", help="check both and try again")
        self._tries.forget(handle, browser=browser)
        return secret

    def admit(self, handle: str, *, subject: str) -> str:
        """Begin a session for somebody who signed in elsewhere, and return its secret.

        Not into an account with a password: that was never meant to be opened from elsewhere. A name at a provider can
        be given to somebody else later. So the first `subject` who signs in with it is remembered; another is refused.

        Raises:
            StateError: no such account, a disabled one, or somebody else's.
        """
        while True:
            account = self._store.account(handle)
            is_open = account is not None and not account.disabled and not account.password
            if account is None or not is_open or account.subject not in {"", subject}:
                raise StateError(
                    "sign-in-no-account",
                    "you are signed in with your organisation, but have no account here",
                    help="ask an administrator of this server for one with the name your organisation knows you by",
                )
            bound = replace(account, subject=subject)
            if bound != account and not self._store.change_account(bound, since=account):
                continue
            now = self._clock()
            secret = self._begin(Session(handle=handle, begun_at=now, used_at=now), since=bound)
            if secret is not None:
                return secret
            # Somebody changed the account in between: looked at again, it may be somebody else's, or disabled.

    def admit_member(self, person: str, facts: Mapping[str, str]) -> str:
        """Begin a session for a person whom the platform vouches for; `person` is their pseudonym."""
        now, secret = self._clock(), new_secret()
        self._store.begin_session(digest_of(secret), Session(person=person, facts=facts, begun_at=now, used_at=now))
        return secret

    def _begin(self, session: Session, *, since: Account) -> str | None:
        """Begin the session of an account; None: it was changed meanwhile."""
        secret = new_secret()
        return secret if self._store.begin_session(digest_of(secret), session, since=since) else None

    def sign_out(self, secret: str) -> None:
        """End a session."""
        self._store.end_session(digest_of(secret))

    def end_sessions(self, handle: str) -> None:
        """End every session of an account, which stays as it is.

        Raises:
            NotFoundError: there is no such account.
        """
        account = self._account(handle)
        while not self._store.change_account(account, since=account):
            account = self._account(handle)

    def sessions_of(self, handle: str, *, asked_with: str) -> list[OwnSession]:
        """Return where an account is signed in now, the newest first; `asked_with` is the secret of who asks."""
        now, asking = self._clock(), digest_of(asked_with)
        return [
            OwnSession(
                ident=digest[:_NAME_DIGITS],
                begun_at=each.begun_at,
                used_at=each.used_at,
                ends_at=each.begun_at + SESSION_S,
                asks=digest == asking,
            )
            for digest, each in self._store.sessions_of(handle).items()
            if each.holds_at(now)
        ]

    def end_session_of(self, handle: str, ident: str) -> None:
        """End the session of this account that has a name; there need not be one."""
        for digest in self._store.sessions_of(handle):
            if digest[:_NAME_DIGITS] == ident:
                self._store.end_session(digest)

    def by_session(self, secret: str) -> Principal:
        """Return who shows this cookie; nobody, if the session is over."""
        now = self._clock()
        digest = digest_of(secret)
        session = self._store.session(digest)
        if session is None or not session.holds_at(now):
            return NOBODY
        if now - session.used_at >= _USED_EVERY_S:
            self._store.use_session(digest, at=now)
        if session.person is not None:
            return Principal(roles=frozenset({Role.MEMBER}), person=session.person, facts=session.facts)
        account = self._store.account(session.handle or "")
        if account is None or account.disabled:
            return NOBODY
        has_password = bool(account.password)
        return Principal(roles=account.roles, handle=account.handle, areas=account.areas, has_password=has_password)

    def add_key(
        self, name: str, *, roles: frozenset[Role], by: str, expires_at: int | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key of a program; return it with its secret, which is not to be had again.

        Raises:
            InputError: no name, no role, or one a program cannot have.
        """
        if not name.strip() or not roles or roles - OF_KEYS:
            raise InputError(
                "key-roles",
                "the key has no name, or roles a program cannot have",
                help="a key is a platform, workload, ml-engineer or auditor: whoever suspends or approves signs in",
            )
        secret = KEY_PREFIX + new_secret()
        key = ApiKey(
            ident=secrets.token_hex(4),
            name=name.strip()[:100],
            roles=roles,
            digest=digest_of(secret),
            made_by=by,
            made_at=self._clock(),
            expires_at=expires_at,
        )
        self._store.put_key(key)
        return key, secret

    def all_keys(self) -> list[ApiKey]:
        """Return every key, the newest first."""
        return self._store.all_keys()

    def revoke_key(self, ident: str) -> None:
        """Let a key open nothing any more.

        Raises:
            NotFoundError: there is no such key.
        """
        found = next((key for key in self._store.all_keys() if key.ident == ident), None)
        if found is None:
            raise NotFoundError("key-unknown", f"no key `{ident}`", help="list them: consentry account keys")
        if found.revoked_at is None:
            self._store.put_key(replace(found, revoked_at=self._clock()))
            self.revoked += 1

    def by_key(self, secret: str) -> Principal:
        """Return who shows this key; nobody, if it opens nothing."""
        key = self._store.key(digest_of(secret)) if secret.startswith(KEY_PREFIX) else None
        now = self._clock()
        if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            return NOBODY
        return Principal(roles=key.roles, handle=f"key-{key.ident}")

    def set_public_key(self, handle: str, key: bytes) -> None:
        """Let an authority sign with this key (32 raw bytes) from now on, and with no other.

        Raises:
            NotFoundError, StateError, InputError: as `authority`; nobody else signs anything.
        """
        self.authority(handle)
        self._store.put_public_key(handle, key, at=self._clock())

    def public_key(self, handle: str) -> bytes | None:
        """Return the public key of an account; None if it has none."""
        return self._store.public_key(handle)

    def key_changes(self, handle: str) -> list[KeyChange]:
        """Return every key that was registered for an account, oldest first, also one that was there for a moment."""
        return self._store.key_changes(handle)

    def authority(self, handle: str) -> Account:
        """Return the account of an authority that may file statements now.

        Raises:
            NotFoundError: there is no such account.
            StateError: it is disabled.
            InputError: it is no authority.
        """
        found = self._account(handle)
        if found.disabled:
            raise StateError("sign-in-disabled", f"account `{handle}` is disabled", help="ask an administrator")
        if Role.AUTHORITY not in found.roles:
            raise InputError(
                "account-no-authority", f"`{handle}` is no authority", help="only authorities file signed statements"
            )
        return found

    def spend(self, name: str, *, until: int) -> bool:
        """Note that something that may be used once was used; False: it was used before."""
        return self._store.spend(name, until=until, now=self._clock())

    def moment(self) -> int:
        """Return the time by the clock of this object, in seconds since 1970."""
        return self._clock()

    def keep(self, name: str, text: str, *, seconds: int) -> None:
        """Keep a text for whoever takes it first, in place of what was kept under this name."""
        now = self._clock()
        self._store.keep(name, text, until=now + seconds, now=now)

    def take(self, name: str) -> str | None:
        """Return a text that was kept, once; None: there is none any more."""
        return self._store.take(name, now=self._clock())

    def kept(self, name: str) -> str | None:
        """Return a text that was kept, and leave it there; None: there is none any more."""
        return self._store.kept(name, now=self._clock())

    def _account(self, handle: str) -> Account:
        found = self._store.account(handle)
        if found is None:
            known = ", ".join(account.handle for account in self._store.accounts())
            raise NotFoundError("account-unknown", f"no account `{handle}`", help=f"there are: {known or 'none'}")
        return found


def _changed_meanwhile(handle: str) -> ConflictError:
    return ConflictError(
        "account-changed",
        f"account `{handle}` was changed by somebody else at the same time",
        help="look at it again: consentry account list",
    )
