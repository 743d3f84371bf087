"""The deployment's folder: objects that are put once, and the keys.

Trust: whoever can write here can replace a release, which its digest in the ledger shows; whoever can read `keys/`
can turn pseudonyms of guessed ids into matches and sign manifests. Keep `keys/` apart in a deployment that matters.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consentry.digests import Digest, digest
from consentry.durable import flushed, only_one, replace_file, take_name
from consentry.errors import IntegrityError, NotFoundError, StateError
from consentry.exhausted import require_room

_WRITING = ".writing"
_KEY_BYTES = 32
_PREFIX = "sha256:"
PUBLIC_KEY = "signing.pub.pem"
"""Beside the secret keys, for giving away: what checks the signatures of releases."""


TEXT_KEY = "objections.key"
_NONCE_BYTES = 12


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

    def text_key(self, *, create: bool) -> bytes:
        """Return the 32-byte secret behind what objectors wrote. Losing it loses what they wrote, and no refusal."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with only_one(self.folder / f"{TEXT_KEY}.lock"):
            return self._secret(TEXT_KEY, create=create)

    def as_they_are(self, *, texts: bool) -> tuple[bytes, Ed25519Signer]:
        """Return the keys that are on the disk now, and make none; `texts` says that there is one for texts as well.

        Raises:
            StateError: one is missing, or cannot be read.
            IntegrityError: one is cut.
        """
        try:
            if texts:
                self._secret(TEXT_KEY, create=False)
            return self.pseudonym_key(create=False), self.signer(create=False)
        except OSError as error:
            require_room(error)
            reason = (error.strerror or "").lower()
            raise StateError(
                "key-missing", f"the keys cannot be read: {reason}", help="let the user that serves read them"
            ) from error

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


class SealedText:
    """Encrypts short secrets that are kept in a database, with AES-256-GCM (`accounts.web_sql.Sealing`)."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, text: str, *, about: str) -> str:
        """Encrypt a text under a random nonce, as base64."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), about.encode())).decode()

    def open(self, sealed: str, *, about: str) -> str | None:
        """Decrypt a text; None: it was sealed with another key, about something else, or was changed."""
        try:
            content = b64decode(sealed, validate=True)
            return self._cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], about.encode()).decode()
        except (InvalidTag, ValueError):
            return None


class TextKey:
    """Encrypts what objectors wrote with AES-256-GCM, under a key read at first use (`control_plane.parts.TextSealer`).

    A deployment that nobody objected in has no such key. `may_create` says whether that is so: a key that is gone is
    not replaced by another one.
    """

    def __init__(self, keys: Keys, *, may_create: Callable[[], bool]) -> None:
        self._keys = keys
        self._may_create = may_create
        self._lock = Lock()
        self._derived: tuple[AESGCM, bytes] | None = None

    def seal(self, text: bytes, *, about: str) -> bytes:
        """Encrypt a text under a random nonce."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._secrets()[0].encrypt(nonce, text, about.encode())

    def open(self, sealed: bytes, *, about: str) -> bytes:
        """Decrypt a text.

        Raises:
            IntegrityError: it was sealed with another key, about something else, or was changed.
        """
        try:
            return self._secrets()[0].decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise IntegrityError(
                "objection-text-unreadable",
                "what was written about an objection cannot be decrypted",
                help=f"restore `keys/{TEXT_KEY}` from a backup: another key does not open it",
            ) from error

    def fingerprint(self, content: bytes) -> str:
        """Return the first 128 bits of an HMAC-SHA-256."""
        return hmac.digest(self._secrets()[1], content, "sha256").hex()[:32]

    def _secrets(self) -> tuple[AESGCM, bytes]:
        with self._lock:
            if self._derived is None:
                there = (self._keys.folder / TEXT_KEY).exists()
                key = self._keys.text_key(create=not there and self._may_create())
                sealing = hmac.digest(key, b"consentry/objections/seal/v1", "sha256")
                self._derived = AESGCM(sealing), hmac.digest(key, b"consentry/objections/alike/v1", "sha256")
            return self._derived
