"""Passwords as hashes: Argon2id with the parameters of RFC 9106, section 4, second choice (64 MiB, 3 passes)."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _hasher() -> Any:
    # Only here: every command imports this, and few ask for a password.
    from argon2 import PasswordHasher  # noqa: PLC0415
    from argon2.profiles import RFC_9106_LOW_MEMORY  # noqa: PLC0415

    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@cache
def _no_ones() -> str:
    # Not when this is imported: it takes a tenth of a second.
    return hashed("a password that nobody has")


def hashed(password: str) -> str:
    """Return what is stored of a password."""
    found: str = _hasher().hash(password)
    return found


def matches(stored: str, password: str) -> bool:
    """Say whether a password is the one. As much work is done where none is stored, so that nobody learns that."""
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

    try:
        _hasher().verify(stored or _no_ones(), password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(stored)
