"""The deployment's folder: objects that are put once, and the keys.

Trust: whoever can write here can replace a release, which its digest in the ledger shows; whoever can read `keys/`
can turn pseudonyms of guessed ids into matches and sign manifests. Keep `keys/` apart in a deployment that matters.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consentry.digests import Digest, digest
from consentry.durable import flushed, only_one, replace_file, take_name
from consentry.errors import IntegrityError, NotFoundError, StateError

_WRITING = ".writing"
_KEY_BYTES = 32
_PREFIX = "sha256:"
PUBLIC_KEY = "signing.pub.pem"
"""Beside the secret keys, for giving away: what checks the signatures of releases."""


class Objects:
    """Documents by digest. What was put is never changed; `get` checks every byte."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, content: bytes) -> Digest:
        """Store a document, durably, and return its digest."""
        name = digest(content)
        path = self._path(name)
        if not path.exists():
            writing = self.folder / _WRITING
            writing.mkdir(parents=True, exist_ok=True)
            with only_one(writing / ".lock"):
                for left in writing.glob("[!.]*"):  # of somebody who was killed: who holds the lock writes alone
                    left.unlink()
                with flushed(writing / path.name) as stream:
                    stream.write(content)
                take_name(writing / path.name, path)
        return name

    def get(self, name: Digest) -> bytes:
        """Return a document.

        Raises:
            NotFoundError: there is none with this digest.
            IntegrityError: the bytes on disk have another digest.
        """
        try:
            content = self._path(name).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(
                "object-missing", f"no object `{name}`", help="restore the objects folder from a backup"
            ) from error
        if digest(content) != name:
            raise IntegrityError(
                "object-damaged", f"object `{name}` has other content", help="restore the objects folder from a backup"
            )
        return content

    def _path(self, name: Digest) -> Path:
        return self.folder / name.removeprefix(_PREFIX)


class Keys:
    """The key files of a deployment, made at first use, readable by their owner only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pseudonym_key(self, *, create: bool) -> bytes:
        """Return the 32-byte secret behind all pseudonyms. Losing it makes every stored pseudonym meaningless."""
        return self._secret("pseudonym.key", create=create)

    def signer(self, *, create: bool) -> Ed25519Signer:
        """Return the key that signs manifests."""
        return Ed25519Signer(self._secret("signing.key", create=create))

    def publish(self, signer: Ed25519Signer) -> None:
        """Put the public key beside the secret ones. The caller has made sure that it is the right one."""
        published = self.folder / PUBLIC_KEY
        if not published.exists() or published.read_bytes() != signer.public_pem:
            replace_file(published, signer.public_pem)

    def _secret(self, name: str, *, create: bool) -> bytes:
        path = self.folder / name
        if not path.exists():
            if not create:
                raise StateError(
                    "key-missing",
                    f"`{name}` is missing from the keys folder",
                    help="restore it from a backup; a new key would not fit what is stored",
                )
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(path, secrets.token_bytes(_KEY_BYTES), mode=0o600)
        secret = path.read_bytes()
        if len(secret) != _KEY_BYTES:
            raise IntegrityError(
                "key-damaged", f"`{name}` is not {_KEY_BYTES} bytes long", help="restore it from a backup"
            )
        return secret


class Ed25519Signer:
    """Signs with Ed25519 (RFC 8032). `key_id` is the digest of the raw public key."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> bytes:
        """The 32 raw bytes of the public key."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def public_pem(self) -> bytes:
        """The public key as other people's tools read it: PEM, SubjectPublicKeyInfo (RFC 8410)."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_id(self) -> str:
        """The digest of the public key."""
        return digest(self.public_key)

    def sign(self, content: bytes) -> bytes:
        """Return the 64-byte signature of `content`."""
        return self._key.sign(content)
