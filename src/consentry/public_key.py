"""Ed25519 public keys as other people's tools write them, and whether a signature is by one of them."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from consentry.digests import Digest, digest
from consentry.errors import InputError


def read_public_key(content: bytes) -> bytes:
    """Return the 32 raw bytes of a public key in PEM (SubjectPublicKeyInfo, RFC 8410).

    Raises:
        InputError: no such key, or one of another algorithm.
    """
    try:
        found = load_pem_public_key(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PublicKey):
        raise InputError(
            "signing-key-unreadable",
            "this is no Ed25519 public key in PEM",
            help="make a pair: openssl genpkey -algorithm ed25519 -out my.key; "
            "give away: openssl pkey -in my.key -pubout -out my.pub.pem",
        )
    return found.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(public_key: bytes) -> Digest:
    """Return what a key is called: the digest of its 32 raw bytes."""
    return digest(public_key)


def verify_signature(public_key: bytes, *, signature: bytes, content: bytes) -> bool:
    """Say whether `signature` is the key's signature of `content`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
