r"""Receipts: what a person keeps of a choice or an objection, signed, and checked without us.

A receipt is one line of canonical JSON (RFC 8785) with these members:

| member | what |
|---|---|
| `format` | `consentry/receipt/v1` |
| `receipt` | what it says, see `Receipt` |
| `signature` | `keyid`, and `sig`: Ed25519 over the DSSE pre-authentication encoding of `receipt` in canonical JSON |
| `proof` | may be missing: a proof of inclusion in a transparency log, `{"type": …, …}` |

Every byte of the file counts: it is refused if it is not exactly what its members are written as. The signature is not
over `proof`, which may be added later and proves itself; one of a type that this version does not know is refused.

**What it reveals.** A receipt names nobody. `ledger.commitment` is what a log shows of the event. `opening`, if it is
there, has the salt and the document of the event, so that the holder can show which commitment is theirs. The document
holds the person's pseudonym, and of single items their pseudonyms: who has the key of the deployment can tell whose
receipt it is, and nobody else. Who leaves the opening out shows only that somebody chose this. Erasing the person in
the ledger does not reach a receipt that they kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from consentry.digests import Digest, canonical_json, commitment, digest
from consentry.errors import IntegrityError
from consentry.policy.choice import Seconds
from consentry.public_key import read_public_key, verify_signature
from consentry.transparency.signed_document import Signer, pre_authentication

FORMAT = "consentry/receipt/v1"
PAYLOAD_TYPE = "application/vnd.consentry.receipt+json"
PROOFS: frozenset[str] = frozenset()
"""The types of proofs that this version can check."""

_MEMBERS = {"format", "receipt", "signature"}
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in which ledger the event stands, and what a log shows of it (hexadecimal)."""

    id: str
    position: int
    kind: str
    version: int
    commitment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What opens the commitment: salt and document, base64."""

    salt: str
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInForce:
    """A policy set that was in force."""

    name: str
    version: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRead:
    """Which notice the person had before them, and which version of it was the newest (None: nobody wrote one).

    Where there was none they read what a policy set says of itself: `notice` is its `name/version/digest`.
    """

    notice: str
    version: int | None

    @property
    def is_policy(self) -> bool:
        """Whether it is a policy set: no name of a notice has a `/`."""
        return "/" in self.notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt says. `about` is what was said: `{"what": "choice", …}` or `{"what": "objection", …}`."""

    about: Mapping[str, Any]
    effective_at: Seconds
    """When it was recorded: from then on it counts."""
    ledger: Place
    policies: tuple[PolicyInForce, ...]
    notice: NoticeRead | None
    opening: Opening | None = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "about": dict(self.about),
            "effective_at": self.effective_at,
            "ledger": _plain(self.ledger),
            "policies": [_plain(each) for each in self.policies],
            "notice": _plain(self.notice),
            "opening": _plain(self.opening),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Receipt:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        found = cls(
            about=dict(body["about"]),
            effective_at=body["effective_at"],
            ledger=Place(**body["ledger"]),
            policies=tuple(PolicyInForce(**each) for each in body["policies"]),
            notice=None if body["notice"] is None else NoticeRead(**body["notice"]),
            opening=None if body["opening"] is None else Opening(**body["opening"]),
        )
        if found.to_json() != body:
            raise ValueError("it has other members")
        return found

    def without_opening(self) -> Receipt:
        """Return it without what opens the commitment."""
        return replace(self, opening=None)


def issue(receipt: Receipt, signer: Signer) -> bytes:
    """Return a signed receipt as bytes."""
    body = receipt.to_json()
    signature = signer.sign(pre_authentication(canonical_json(body), PAYLOAD_TYPE))
    signed = {"keyid": signer.key_id, "sig": base64.b64encode(signature).decode("ascii")}
    return canonical_json({"format": FORMAT, "receipt": body, "signature": signed})


def key_id_of(content: bytes) -> str:
    """Return by which key a receipt says it is signed.

    Raises:
        IntegrityError: it is no receipt.
    """
    return str(_read(content)["signature"]["keyid"])


def check_receipt(content: bytes, *, public_key: bytes) -> Receipt:
    """Check a receipt against a published key, and return what it says. It takes no deployment.

    Args:
        content: the bytes of the file.
        public_key: that of the deployment, in PEM.

    Raises:
        InputError: that is no key.
        IntegrityError: it is no receipt, of another version, by another key, or not as it was signed.
    """
    key = read_public_key(public_key)
    body = _read(content)
    signature, named = _signature(body["signature"])
    if named != digest(key):
        raise IntegrityError(
            "receipt-of-another-key",
            f"this receipt says it is signed by key `{named}`, and the one given is `{digest(key)}`",
            help="ask the platform for the public key of the deployment that gave the receipt",
        )
    said = pre_authentication(canonical_json(body["receipt"]), PAYLOAD_TYPE)
    if not verify_signature(key, signature=signature, content=said):
        raise IntegrityError(
            "receipt-signature-wrong",
            "the signature of this receipt does not match what it says",
            help="it was changed since it was given, or somebody else made it: use the file as it was saved",
        )
    try:
        receipt = Receipt.from_json(body["receipt"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged("what it says is not what a receipt says") from error
    _check_opening(receipt)
    return receipt


def _read(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
        version = body.get("format")
    except (ValueError, AttributeError, RecursionError) as error:
        raise _damaged("it cannot be read") from error
    if isinstance(version, str) and version.startswith("consentry/receipt/") and version != FORMAT:
        raise IntegrityError(
            "receipt-version-unknown",
            f"this receipt is of the format `{version}`, which this version does not know",
            help="check it with a newer Consentry",
        )
    if version != FORMAT or not body.keys() - {"proof"} == _MEMBERS:
        raise _damaged("its members are others")
    if "proof" in body:
        _require_known(body["proof"])
    try:
        exact = canonical_json(body) == content
    except (TypeError, ValueError, RecursionError):
        exact = False
    if not exact:
        raise _damaged("it is not canonical")
    return dict(body)


def _require_known(proof: Any) -> None:
    kind = proof.get("type") if isinstance(proof, dict) else None
    if kind not in PROOFS:
        raise IntegrityError(
            "receipt-proof-unknown",
            "this receipt carries a proof of a type that this version does not know",
            help="check it with a newer Consentry: a proof that nobody looked at proves nothing",
        )


def _signature(body: Any) -> tuple[bytes, str]:
    try:
        written = body["sig"]
        signature = base64.b64decode(written, validate=True)
        # Base64 leaves bits unused at its end: only one way of writing them is taken.
        same = base64.b64encode(signature).decode("ascii") == written
        if body.keys() == {"keyid", "sig"} and len(signature) == _SIGNATURE_BYTES and same:
            return signature, str(body["keyid"])
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise _damaged("its signature cannot be read")


def _check_opening(receipt: Receipt) -> None:
    if receipt.opening is None:
        return
    try:
        salt = base64.b64decode(receipt.opening.salt, validate=True)
        document = base64.b64decode(receipt.opening.document, validate=True)
        opened = commitment(salt=salt, document=document).hex() == receipt.ledger.commitment
        same = _says_the_same(json.loads(document), receipt)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged("its opening cannot be read") from error
    if not opened or not same:
        raise _damaged("its opening is not of what it says")


def _says_the_same(document: Mapping[str, Any], receipt: Receipt) -> bool:
    """Say whether the document of the event says what the receipt says of it."""
    place, choice = receipt.ledger, document["body"].get("choice", {})
    if (document["type"], document["v"], document["at"]) != (place.kind, place.version, receipt.effective_at):
        return False
    words = ("purpose", "state", "reach", "categories")
    return all(choice[word] == receipt.about[word] for word in words if choice)


def _damaged(why: str) -> IntegrityError:
    return IntegrityError(
        "receipt-damaged",
        f"this is no receipt as it was given: {why}",
        help="use the file as it was saved: not a byte of it may differ",
    )


def _plain(value: Place | PolicyInForce | NoticeRead | Opening | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {name: getattr(value, name) for name in value.__slots__}
