"""Documents that are taken away: canonical JSON in a DSSE envelope, signed with the deployment's key.

Whoever has the public key checks them without us. There is one envelope for a document and a key: every byte counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from consentry.digests import canonical_json
from consentry.errors import IntegrityError
from consentry.public_key import key_id, verify_signature
from consentry.transparency.signed_document import Signer, envelope, open_envelope, pre_authentication

PAYLOAD_TYPE = "application/vnd.consentry.download+json"


def signed(document: Mapping[str, Any], signer: Signer) -> bytes:
    """Return a document in its envelope. The same document gives the same bytes: Ed25519 draws nothing at random."""
    payload = canonical_json(document)
    signature = signer.sign(pre_authentication(payload, PAYLOAD_TYPE))
    return envelope(payload, key_id=signer.key_id, signature=signature, kind=PAYLOAD_TYPE)


def opened(content: bytes, public_key: bytes) -> dict[str, Any]:
    """Return the document in an envelope.

    Raises:
        IntegrityError: it is no such envelope, or not signed by this key as it is.
    """
    try:
        payload, named, signature = open_envelope(content, PAYLOAD_TYPE)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(
            "download-damaged", "this is no signed download, or not as it was", help="take it away again from its page"
        ) from error
    # Base64 can write the same bytes in several ways: the envelope has to be the one that we would make.
    whole = envelope(payload, key_id=key_id(public_key), signature=signature, kind=PAYLOAD_TYPE) == content
    said = pre_authentication(payload, PAYLOAD_TYPE)
    if not whole or not verify_signature(public_key, signature=signature, content=said):
        raise IntegrityError(
            "download-signature",
            f"this is not signed by key `{key_id(public_key)}`"
            if named != key_id(public_key)
            else "this is not what was signed",
            help="get the public key of the deployment from whoever runs it, and the file again from its page",
        )
    found: dict[str, Any] = json.loads(payload)
    return found
