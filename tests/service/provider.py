"""A provider that signs everybody in at once, after OpenID Connect Core 1.0, and lies on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey


@dataclass
class Idp:
    """What the provider says; tests change it."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "1", "preferred_username": "olga"})
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    signs_with: RSAKey | None = None
    unsigned: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    keys_fetched: int = 0

    def authorize(self, address: str) -> str:
        """Return where a browser that goes to `address` is sent back to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["response_type"] == "code"
        code = secrets.token_hex(8)
        self.codes[code] = asked
        return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"], "iss": self.url})

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        asked = self.codes.pop(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": asked["client_id"],
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            **self.claims,
        }
        if self.unsigned:
            parts = (json.dumps({"alg": "none"}), json.dumps(claims))
            plain = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
            return {"access_token": "x", "token_type": "Bearer", "id_token": plain + "."}
        key = self.signs_with or self.key
        signed = jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)
        return {"access_token": "x", "token_type": "Bearer", "id_token": signed}


@contextmanager
def provider() -> Iterator[Idp]:
    """Run a provider at a free port."""
    idp = Idp()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith("/openid-configuration"):
                names = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
                self._say({"issuer": idp.url, **{name: f"{idp.url}/{path}" for name, path in names.items()}})
            else:
                idp.keys_fetched += 1
                self._say(KeySet([idp.key]).as_dict(private=False))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._say(idp.token({name: values[0] for name, values in parse_qs(body).items()}))

        def _say(self, found: object) -> None:
            content = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        idp.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield idp
        finally:
            server.shutdown()
            thread.join()
