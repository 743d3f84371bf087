"""The identity of a deployment: the ledger and the keys that belong to its home.

With another pseudonym key nobody is recognised, and everybody is given a second seat. With another ledger the choices
of other people count, and the next build sweeps away every release that this ledger does not know. Neither would say a
word. So the first opening writes down what belongs together, and every later one compares before it writes anything.

The ledger is named by its id, the pseudonym key by a fingerprint that helps nobody to guess an id, the signing key by
the digest of its public half. Nothing in an identity is secret.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from json import loads
from typing import NoReturn

from consentry.digests import canonical_json, digest_json
from consentry.errors import IntegrityError

IDENTITY_FILE = "identity.json"
"""In the home. Written once; a crash before that leaves a home that is bound at its next opening."""

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What belongs together."""

    ledger: str
    pseudonym_key: str
    signing_key: str

    def to_bytes(self) -> bytes:
        """Return the document, with a digest of its own."""
        body = {"format": _FORMAT, **asdict(self)}
        return canonical_json({**body, "check": digest_json(body)})

    @classmethod
    def from_bytes(cls, content: bytes) -> Identity:
        """Read a document written by `to_bytes`.

        Raises:
            IntegrityError: it is damaged, or a newer version wrote it.
        """
        try:
            body = loads(content)
            check, written = body.pop("check"), body.pop("format")
            whole = check == digest_json({"format": written, **body})
        except (ValueError, AttributeError, KeyError, TypeError):
            _damaged()
        if not whole:
            _damaged()
        if written != _FORMAT:
            raise IntegrityError(
                "identity-format",
                f"`{IDENTITY_FILE}` has format {written}, this version reads {_FORMAT}",
                help="use the version of consentry that wrote it, or a newer one",
            )
        try:
            return cls(**body)
        except TypeError:
            _damaged()


def require_ledger(known: str, found: str | None) -> None:
    """Refuse a ledger whose id is not the `known` one; None: it has none yet.

    Raises:
        IntegrityError: it is another.
    """
    if found is None:
        raise IntegrityError(
            "ledger-of-another-deployment",
            f"this home belongs to ledger `{known}`, and this one has no id: it is new, or older than ids",
            help="name the right one in `ledger_url`, or restore it from a backup. If the backup is older than ids, "
            f"remove `{IDENTITY_FILE}` first: it is made anew",
        )
    if found != known:
        raise IntegrityError(
            "ledger-of-another-deployment",
            f"this home belongs to ledger `{known}`, and this is ledger `{found}`",
            help="name the right one in `ledger_url`, or restore it from a backup; a new deployment needs a new home",
        )


def require_pseudonym_key(known: str, found: str) -> None:
    """Refuse a pseudonym key whose fingerprint is not the `known` one.

    Raises:
        IntegrityError: it is another.
    """
    if found != known:
        raise IntegrityError(
            "key-of-another-deployment",
            "`pseudonym.key` is not the key that this deployment's pseudonyms are made with",
            help="restore the right one from a backup: with another key nobody would be recognised",
        )


def require_signing_key(known: str, found: str) -> None:
    """Refuse a signing key whose key id is not the `known` one.

    Raises:
        IntegrityError: it is another.
    """
    if found != known:
        raise IntegrityError(
            "signing-key-of-another-deployment",
            f"`signing.key` is not the key `{known}` that signs for this deployment",
            help="restore the right one from a backup; a signing key cannot be exchanged for a new one yet",
        )


def _damaged() -> NoReturn:
    raise IntegrityError(
        "identity-damaged",
        f"`{IDENTITY_FILE}` is not what was written",
        help="restore it from a backup. If there is none, make sure that ledger and keys are the right ones, then "
        "remove it: it is made anew from them",
    )
