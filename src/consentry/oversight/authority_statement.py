"""Signed statements of authorities: what one says, which bytes are signed, and when one is taken.

A statement is canonical JSON (RFC 8785), signed as it is, byte by byte, with the Ed25519 key of the authority's
account. Rules:

* It names the deployment it is for (by the id of its signing key), the account it is of, and when it was made: within
  the last seven days. The same statement counts once. So nobody replays it, here or elsewhere.
* What it suspends lies inside the areas of the account.
* A new case has a name that begins with the name of the account, so that no name says what other cases there are.
* That orders may be lifted is said by whoever issued them, of each by its name: a later order needs a later statement.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consentry.digests import Digest, canonical_json, digest
from consentry.errors import InputError, StateError
from consentry.ledger.statement_events import Says
from consentry.oversight.order import Scope, is_inside
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import Category, Purpose, Visibility

FORMAT = "consentry/authority-statement/v1"
KEPT_FORMAT = "consentry/kept-statement/v1"
MOST_BYTES = 64 << 10
LONGEST_TEXT = 10_000
"""Characters of what an authority writes in its own words."""
FRESH_S = 7 * 86_400
_AHEAD_S = 300
_TOO_LONG = "longer than 64 KiB"
_ANOTHER = "another format"
_NOT_CANONICAL = "not canonical JSON, or with more in it than a statement has"
_REASONS = (_TOO_LONG, _ANOTHER, _NOT_CANONICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """An authority's account, as far as its statements are concerned. `key` is the raw public key; None: none yet."""

    handle: str
    areas: frozenset[str]
    key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityStatement:
    """What an authority says.

    Attributes:
        to: the id of the signing key of the deployment that it is for.
        by: the account.
        case: an existing case that concerns them, or a new name.
        reference: of the letter or decision, in a line.
        text: in their own words; may be empty. It is kept beside the ledger, for ever.
        scope: what it is about. Nothing of it where orders are named that may be lifted.
        orders: those that may be lifted.
        at: when it was made.
    """

    says: Says
    to: Digest
    by: str
    case: str
    reference: str
    at: Seconds
    text: str = ""
    scope: Scope = field(default_factory=Scope)
    orders: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical_json(
            {
                "format": FORMAT,
                "says": str(self.says),
                "to": self.to,
                "by": self.by,
                "case": self.case,
                "reference": self.reference,
                "text": self.text,
                "scope": self.scope.to_json(),
                "orders": list(self.orders),
                "at": self.at,
            }
        )

    @property
    def digest(self) -> Digest:
        """The digest of the bytes that are signed."""
        return digest(self.to_bytes())

    @classmethod
    def from_bytes(cls, content: bytes) -> AuthorityStatement:
        """Read what `to_bytes` wrote.

        Raises:
            InputError: it is no statement of this format, not canonical, or too long.
        """
        try:
            if len(content) > MOST_BYTES:
                raise ValueError(_TOO_LONG)
            body = json.loads(content)
            if body["format"] != FORMAT:
                raise ValueError(_ANOTHER)
            found = cls(
                says=Says(body["says"]),
                to=_text(body["to"]),
                by=_text(body["by"]),
                case=_text(body["case"]),
                reference=_text(body["reference"]),
                text=_text(body["text"]),
                scope=_scope(body["scope"]),
                orders=tuple(map(_text, body["orders"])),
                at=_number(body["at"]),
            )
            if found.to_bytes() != content:
                raise ValueError(_NOT_CANONICAL)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                "statement-unreadable",
                f"this is no statement that can be taken: {_reason(error)}",
                help="have it made by the page, or by `consentry authority draft`, and sign the file as it is",
            ) from None
        return found


def check(statement: AuthorityStatement, who: Signatory, *, to: Digest, now: Seconds) -> None:
    """Refuse a statement that this account cannot make here and now. Signature and case are looked at elsewhere.

    Raises:
        InputError: it says something that cannot be.
        StateError: it is for somebody else, by somebody else, or of another time.
    """
    if statement.by != who.handle:
        raise StateError(
            "statement-of-another",
            f"this statement is by `{statement.by}`, not by `{who.handle}`",
            help="each account files its own statements",
        )
    if statement.to != to:
        raise StateError(
            "statement-for-another",
            "this statement is for another deployment",
            help=f"its `to` has to be `{to}`, the id of the key that signs here",
        )
    if not now - FRESH_S <= statement.at <= now + _AHEAD_S:
        raise StateError(
            "statement-not-fresh",
            "this statement was not made within the last seven days",
            help="make and sign a new one; is the clock of the machine right?",
        )
    if len(statement.text) > LONGEST_TEXT:
        raise InputError(
            "statement-text", f"the text is longer than {LONGEST_TEXT} characters", help="say less, or send a letter"
        )
    if statement.says is Says.MAY_BE_LIFTED:
        if not statement.orders or statement.scope != Scope():
            raise InputError(
                "statement-orders",
                "it does not say which orders may be lifted, or says more than that",
                help="name the orders, and leave the scope empty",
            )
        return
    if statement.orders:
        raise InputError("statement-orders", "a new concern or suspension names no orders", help="leave `orders` empty")
    require_own_areas(statement.scope, who, now=now)


def require_own_areas(scope: Scope, who: Signatory, *, now: Seconds) -> None:
    """Refuse a scope that does not lie inside the areas of an account.

    Raises:
        PolicyError: an area that nobody knows.
        InputError: part of it is the matter of others, or a window in which nothing can be.
    """
    scope.check()
    if not is_inside(Scope(areas=scope.areas), Scope(areas=who.areas), at=now):
        raise InputError(
            "statement-areas",
            "this is not only about the jurisdictions of this account",
            help=f"name places inside {', '.join(sorted(who.areas))}; naming none means every place",
        )


def _scope(body: Mapping[str, Any]) -> Scope:
    return Scope(
        areas=frozenset(map(_text, body["areas"])),
        purposes=frozenset(map(Purpose, body["purposes"])),
        categories=frozenset(map(Category, body["categories"])),
        visibilities=frozenset(map(Visibility, body["visibilities"])),
        created_from=None if body["created_from"] is None else _number(body["created_from"]),
        created_before=None if body["created_before"] is None else _number(body["created_before"]),
        models=frozenset(map(_text, body["models"])),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return value


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a number was expected")
    return value


def _reason(error: Exception) -> str:
    """Say what was wrong without repeating what was given."""
    if isinstance(error, KeyError):
        return "something is missing"
    return str(error) if str(error) in _REASONS else "it does not have the form of one"
