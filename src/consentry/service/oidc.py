"""Signing in with an organisation: OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636, S256).

Staff sign in with their own provider, members with their platform's. What a browser has to bring back is kept here
under a digest, for ten minutes and for one use: a state nobody began is refused, so is one that is used again.

A provider that hangs holds up those who sign in and nobody else: few threads wait for it at a time, and for some
seconds after a failure it is not asked again.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from consentry.accounts.account import digest_of, new_secret
from consentry.accounts.admission import Admission
from consentry.errors import StateError, UnavailableError

ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"]
"""Of ID tokens. `none` and those with a shared secret are not among them."""
COOKIE = "__Host-signing-in"
PENDING_S = 600
_LEEWAY_S = 60
_TIMEOUT_S = 10.0
_KEYS_FOR_S = 600
KEYS_AGAIN_S = 10.0
"""A token that names a key we do not know has the keys fetched again, as a provider changes its keys now and then: at
most so often, whoever sends such tokens."""
SILENT_S = 5.0
"""So long a provider that failed is not asked again."""
_AT_ONCE = 8
"""Threads that wait for one provider: of a hundred for all pages."""
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Begun(NamedTuple):
    """Where to send the browser, and what it keeps until it comes back."""

    address: str
    secret: str


@dataclass(slots=True, kw_only=True)
class Provider:
    """Somebody who signs people in.

    Attributes:
        issuer: its address; `/.well-known/openid-configuration` below it says the rest.
        scope: what is asked for.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = "openid profile"
    _read: dict[str, tuple[float, Any]] = field(default_factory=dict, repr=False)
    _waiting: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_AT_ONCE), repr=False)
    _silent_until: float = field(default=0.0, repr=False)

    def begin(self, admission: Admission, *, callback: str, next: str) -> Begun:  # noqa: A002 - what it is called
        """Begin to sign somebody in.

        Raises:
            UnavailableError: the provider does not answer.
        """
        secret, nonce, verifier, state = new_secret(), new_secret(), secrets.token_urlsafe(48), new_secret()
        with self._client(callback) as client:
            address, _ = client.create_authorization_url(
                self._metadata()["authorization_endpoint"], state=state, code_verifier=verifier, nonce=nonce
            )
        pending = {"state": state, "nonce": nonce, "verifier": verifier, "next": next, "callback": callback}
        admission.keep(f"sign-in:{digest_of(secret)}", json.dumps(pending), seconds=PENDING_S)
        return Begun(address, secret)

    def finish(
        self, admission: Admission, *, callback: str, secret: str, answer: dict[str, str]
    ) -> tuple[dict[str, Any], str]:
        """Return what the provider says of who came back, and where they were going.

        Raises:
            StateError: nobody began this, it was begun too long ago, or what the provider says does not hold.
            UnavailableError: the provider does not answer.
        """
        kept = admission.take(f"sign-in:{digest_of(secret)}") if secret else None
        pending = {} if kept is None else json.loads(kept)
        same_state = secrets.compare_digest(answer.get("state", "").encode(), pending.get("state", "?").encode())
        if not same_state or pending["callback"] != callback or answer.get("iss", self.issuer) != self.issuer:
            raise _wrong("it was not begun here, or too long ago")
        if "code" not in answer:
            raise _wrong("the provider did not sign you in")
        try:
            address = self._metadata()["token_endpoint"]
            with self._asked(), self._client(callback) as client:
                token = client.fetch_token(address, code=answer["code"], code_verifier=pending["verifier"])
            claims = self._claims(str(token.get("id_token", "")), nonce=pending["nonce"])
        except httpx2.HTTPError as error:
            raise _silent() from error
        except (AuthlibBaseError, JoseError, ValueError, KeyError) as error:
            raise _wrong("what the provider says does not hold") from error
        return claims, str(pending["next"])

    def _claims(self, token: str, *, nonce: str) -> dict[str, Any]:
        found = self._decoded(token)
        options = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.client_id},
            "sub": {"essential": True},
            "exp": {"essential": True},
            "iat": {"essential": True},
            "nonce": {"essential": True, "value": nonce},
        }
        params = {"nonce": nonce, "client_id": self.client_id}
        claims = CodeIDToken(found.claims, found.header, options, params)
        claims.validate(leeway=_LEEWAY_S)
        return dict(claims)

    def _decoded(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, KeySet.import_key_set(self._keys()), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            keys = self._keys(for_s=KEYS_AGAIN_S)
            return jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)

    def _metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = self._get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise _wrong("the provider calls itself otherwise")
        # Codes and secrets go to these: never over less than the way by which they were found.
        scheme = urlsplit(self.issuer).scheme
        if any(urlsplit(str(found.get(name))).scheme != scheme for name in _ENDPOINTS):
            raise _wrong("the provider has an address that others could listen to")
        return found

    def _keys(self, *, for_s: float = _KEYS_FOR_S) -> Any:
        return self._get(self._metadata()["jwks_uri"], for_s=for_s)

    def _get(self, address: str, *, for_s: float = _KEYS_FOR_S) -> Any:
        """Return what is at an address of the provider; what was read is good for so many seconds."""
        read_at, found = self._read.get(address, (0.0, None))
        if found is None or time.monotonic() - read_at > for_s:
            try:
                with self._asked():
                    found = self._got(address)
            except (httpx2.HTTPError, ValueError) as error:
                raise _silent() from error
            self._read[address] = (time.monotonic(), found)
        return found

    def _got(self, address: str) -> Any:
        """Ask for what is at an address, with a turn: who gets the turn next knows if this failed."""
        try:
            answer = httpx2.get(address, timeout=_TIMEOUT_S, headers={"accept": "application/json"})
            answer.raise_for_status()
            return answer.json()
        except (httpx2.HTTPError, ValueError):
            self._silent_until = time.monotonic() + SILENT_S
            raise

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Ask the provider in the block.

        Raises:
            UnavailableError: it failed a moment ago, or as many wait for it as may.
        """
        if not self._waiting.acquire(blocking=False):
            raise _silent()
        try:
            # With a turn, not before: whoever gets the turn of one that failed knows that it failed.
            if time.monotonic() < self._silent_until:
                raise _silent()
            yield
        except httpx2.TransportError:
            self._silent_until = time.monotonic() + SILENT_S
            raise
        finally:
            self._waiting.release()

    def _client(self, callback: str) -> OAuth2Client:
        return OAuth2Client(
            self.client_id,
            self.client_secret or None,
            token_endpoint_auth_method="client_secret_basic" if self.client_secret else "none",
            scope=self.scope,
            redirect_uri=callback,
            code_challenge_method="S256",
            timeout=_TIMEOUT_S,
        )


def _wrong(why: str) -> StateError:
    return StateError("sign-in-elsewhere", f"signing in did not work: {why}", help="go back and sign in again")


def _silent() -> UnavailableError:
    return UnavailableError(
        "sign-in-unavailable", "who signs people in does not answer", help="try again in a minute; nothing was lost"
    )
