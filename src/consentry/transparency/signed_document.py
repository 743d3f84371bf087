"""Documents with a signature (DSSE v1.0.2, secure-systems-lab/dsse): what the signature is over, and the envelope.

Only bytes are made and taken apart here. Who holds a key signs; who has a public key checks.
"""

from __future__ import annotations

import base64
import json
from typing import Protocol

from consentry.digests import canonical_json


class Signer(Protocol):
    """Holds the deployment's signing key."""

    @property
    def key_id(self) -> str:
        """The digest of the public key."""
        ...

    def sign(self, content: bytes) -> bytes:
        """Return an Ed25519 signature (RFC 8032)."""
        ...


def pre_authentication(payload: bytes, kind: str) -> bytes:
    """Return the bytes a signature is over ("PAE"), for a payload of a kind."""
    named = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(named), named, len(payload), payload)


def envelope(payload: bytes, *, key_id: str, signature: bytes, kind: str) -> bytes:
    """Return the envelope of a signed document."""
    return canonical_json(
        {
            "payloadType": kind,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": key_id, "sig": base64.b64encode(signature).decode()}],
        }
    )


def open_envelope(content: bytes, kind: str) -> tuple[bytes, str, bytes]:
    """Return payload, key id and signature of the envelope of a document of this kind.

    INVARIANT: what `envelope` makes of them is this very content. The signature is over the payload alone, so nothing
    may stand beside it that nobody signed.

    Raises:
        ValueError, KeyError, TypeError: not such an envelope.
    """
    body = json.loads(content)
    (signature,) = body["signatures"]
    payload = base64.b64decode(body["payload"], validate=True)
    key_id, signed = signature["keyid"], base64.b64decode(signature["sig"], validate=True)
    if envelope(payload, key_id=key_id, signature=signed, kind=kind) != content:
        raise ValueError("another payload type, not canonical, or with more in it than was signed")
    return payload, str(key_id), signed
