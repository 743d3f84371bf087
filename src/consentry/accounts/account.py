"""Accounts, sessions and keys: what is stored of each, and what makes a good one.

A member has no account here: the platform vouches for them with a signed link, and their session names a pseudonym.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from consentry.accounts.access import Action, Role, Scope, scope_of
from consentry.corpus.areas import places_named
from consentry.errors import InputError
from consentry.policy.jurisdictions import area_advice, known_area
from consentry.policy.policy_parser import IDENTIFIER

SESSION_S = 8 * 3600
"""How long a session of staff lasts at most."""
IDLE_S = 30 * 60
"""How long it lasts without being used."""
MEMBER_SESSION_S = 60 * 60
SHORTEST_PASSWORD = 15
"""Characters, where the password is all there is (NIST SP 800-63B-4, section 3.1.1.2)."""
LONGEST_PASSWORD = 256
FOR_EVALUATION = (
    "FOR EVALUATION ONLY: there are accounts with a password of this server. For real use people sign in with your "
    "organisation (settings `oidc_issuer` and `oidc_client_id`). Passwords hold no more then."
)
"""To be said wherever a password is made or used."""
_BYTES = 32
_GROUPS, _GROUP_BYTES = 8, 2
_LONGEST_HANDLE = 60
_NO_ACCOUNTS = frozenset({Role.MEMBER, Role.WORKLOAD, Role.PLATFORM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who signs in: staff, an administrator, or an authority.

    Attributes:
        handle: the name that the ledger has of them.
        roles: never `member` or `workload`.
        areas: codes of the places and groups an authority is responsible for; of others empty.
        password: a hash, or empty: signs in elsewhere (OIDC).
        subject: issuer and subject of who signed in elsewhere first; nobody else does afterwards.
        disabled: signs in no more; sessions have ended.
    """

    handle: str
    roles: frozenset[Role]
    areas: frozenset[str] = frozenset()
    password: str = field(default="", repr=False)
    subject: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key of a program. Only its digest is stored.

    Attributes:
        ident: what it is called in lists; not secret.
        name: what it is for.
        expires_at: seconds; None: until it is revoked.
    """

    ident: str
    name: str
    roles: frozenset[Role]
    digest: str = field(repr=False)
    made_by: str
    made_at: int
    expires_at: int | None = None
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """A public key was registered for an authority: 32 raw bytes, at a time in seconds."""

    key: bytes
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody signed in. The store knows it by the digest of the cookie.

    Attributes:
        handle: of an account; None for a member.
        person: the pseudonym of a member; None for an account.
        facts: what the platform said of the member in the link: a display name for the page, where to go back to.
    """

    handle: str | None = None
    person: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    begun_at: int
    used_at: int

    @property
    def is_member(self) -> bool:
        """Whether it is a person of the platform who decides about their own content."""
        return self.person is not None

    def holds_at(self, now: int) -> bool:
        """Say whether it still holds at a time."""
        longest = MEMBER_SESSION_S if self.is_member else SESSION_S
        return self.begun_at <= now + IDLE_S and now < self.begun_at + longest and now < self.used_at + IDLE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSession:
    """A session as its owner sees it.

    Attributes:
        ident: its name on the page; it opens nothing.
        ends_at: at the latest.
        asks: whether it is the one that asks.
    """

    ident: str
    begun_at: int
    used_at: int
    ends_at: int
    asks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking.

    Attributes:
        roles: none for somebody who is not signed in.
        handle: the name of staff or an authority, or of a key; empty for a member.
        areas: of an authority.
        person: the pseudonym of a member.
        has_password: whether they sign in here with a password, which they can change.
    """

    roles: frozenset[Role] = frozenset()
    handle: str = ""
    areas: frozenset[str] = frozenset()
    person: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    has_password: bool = False

    @property
    def is_known(self) -> bool:
        """Whether somebody is signed in, or a key was shown."""
        return bool(self.roles)

    def scope(self, action: Action) -> Scope | None:
        """Return in which scope they may do something; None: not at all."""
        return scope_of(action, self.roles)

    def may(self, action: Action) -> bool:
        """Say whether they may do something, in whatever scope."""
        return action is Action.ANYONE or self.scope(action) is not None


NOBODY = Principal()


def new_password() -> str:
    """Return a password that is made up, of 128 bits, in groups that can be read out and typed."""
    return "-".join(secrets.token_hex(_GROUP_BYTES) for _ in range(_GROUPS))


def new_secret() -> str:
    """Return a new secret of 256 bits for a cookie, a key or a private link."""
    return secrets.token_urlsafe(_BYTES)


def digest_of(secret: str) -> str:
    """Return what is stored of a secret. It is random and long, so that a plain hash does (OWASP ASVS 5, 11.4)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_handle(handle: str) -> None:
    """Refuse what is no handle.

    Raises:
        InputError: the ledger would not take it for a handle.
    """
    if len(handle) > _LONGEST_HANDLE or not IDENTIFIER.fullmatch(handle):
        raise InputError(
            "account-handle",
            f"`{handle}` is no name for an account",
            help=f"use at most {_LONGEST_HANDLE} lower-case letters, digits and single hyphens: the ledger keeps it",
        )


def check_password(password: str, *, handle: str) -> None:
    """Refuse a password that is too short, or is the name. There are no rules about kinds of characters.

    Raises:
        InputError: choose another.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or handle in password.lower():
        raise InputError(
            "account-password",
            "the password cannot be used",
            help=f"choose {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters without the account's name in them; "
            "several words are easy to remember",
        )


def check_roles(roles: frozenset[Role], areas: frozenset[str]) -> None:
    """Refuse roles an account cannot have.

    Raises:
        InputError: none, one that is no account's, an authority without areas, or one that is staff as well.
    """
    wrong = roles & _NO_ACCOUNTS
    if not roles or wrong:
        raise InputError(
            "account-roles",
            f"an account cannot be `{min(wrong)}`" if wrong else "the account has no role",
            help="roles: " + ", ".join(role for role in Role if role not in _NO_ACCOUNTS),
        )
    if (Role.AUTHORITY in roles) != bool(areas):
        raise InputError(
            "account-areas",
            "an authority has jurisdictions, and nobody else has",
            help="name them for an authority: --area UK --area EU",
        )
    for area in sorted(areas):
        if not known_area(area):
            advice = area_advice(area, places_named(area))
            raise InputError("account-areas", f"`{area}` is no jurisdiction", help=advice)
    if Role.AUTHORITY in roles and len(roles) > 1:
        raise InputError(
            "account-roles",
            "an authority cannot be anything else as well",
            help="make two accounts of different people",
        )
