"""The link with which a platform sends a member here: a JSON Web Token (RFC 7519) it signs, good once.

| claim | what |
|---|---|
| `sub` | the platform's own id of the person. It becomes a pseudonym at once, and is neither stored nor logged |
| `aud` | this site: `site_url` of the settings, or `site_name` where no address is set |
| `exp` | when the link ends, at most five minutes ahead, in seconds since 1970 |
| `nbf` | may be missing: when the link begins, in seconds since 1970 |
| `jti` | a name that no other link has: 8 to 200 characters |
| `name` | may be missing: how to greet them |
| `back` | may be missing: the https address that leads back to the platform |
| `locale` | may be missing: the language of the page, for example `cy` |
| `notice` | may be missing: the notice from which they come |

Which algorithm is good is never told by the token. With `keys/link.pub` (the platform's public Ed25519 key, PEM) it is
Ed25519, and else HS256 with `keys/link.key`, which is made at first use and given to the platform.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, OKPKey

from consentry.accounts.account import digest_of
from consentry.durable import replace_file
from consentry.errors import IntegrityError, StateError

KEY_FILE, PUBLIC_FILE = "link.key", "link.pub"
LONGEST_S = 300
"""How far ahead a link may end."""
_SKEW_S = 30
"""By how much the clocks of platform and deployment may differ."""
_BYTES, _SHORTEST_KEY = 32, 32
_LONGEST_TOKEN, _LONGEST_ID, _LONGEST_FACT = 4096, 512, 200
_NONCE = range(8, 201)
_SHARED, _PUBLIC = ("HS256",), ("Ed25519", "EdDSA")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_NOTICE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_AGAIN = "go back to the platform and click again: each link is good once, for a few minutes"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLink:
    """What a link says.

    Attributes:
        person: the platform's id of the person. Never to be stored, shown or logged.
        once: a name for the link itself, by which it is used up.
        until: when the link ends, in seconds since 1970.
        facts: what else it says: `name`, `back`, `locale`, `notice`.
    """

    person: str = field(repr=False)
    once: str
    until: int
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """What links are signed and checked with: the files `link.key` and `link.pub` of the folder `keys/`."""

    folder: Path

    def shared(self) -> str:
        """Return the key that the platform signs with, made at first use and readable by its owner only.

        Raises:
            IntegrityError: the file holds none.
        """
        path = self.folder / KEY_FILE
        if not path.exists():
            replace_file(path, secrets.token_urlsafe(_BYTES).encode(), mode=0o600)
        key = path.read_text("ascii", "replace").strip()
        if len(key) < _SHORTEST_KEY or not key.isascii():
            raise _no_key(KEY_FILE)
        return key

    def signed(self, claims: Mapping[str, Any]) -> str:
        """Return a link's token under the shared key: what the platform's server does."""
        return jwt.encode({"alg": _SHARED[0]}, dict(claims), OctKey.import_key(self.shared()))

    def read(self, token: str, *, audience: str, now: int) -> MemberLink:
        """Check a token and return what it says. Whoever admits by it uses it up (`once`).

        Raises:
            StateError: it is over, for another site, or not what this platform signed.
        """
        claims = self._claims(token)
        until = claims.get("exp")
        if not isinstance(until, int) or isinstance(until, bool):
            raise _incomplete("it does not say when it ends")
        if until <= now - _SKEW_S:
            raise StateError("sign-in-link-expired", "the link is over", help=_AGAIN)
        if until > now + LONGEST_S + _SKEW_S:
            raise _incomplete(f"it ends more than {LONGEST_S // 60} minutes ahead")
        begins = claims.get("nbf", now)
        if not isinstance(begins, int) or isinstance(begins, bool) or begins > now + _SKEW_S:
            raise _incomplete("it has not begun")
        if audience not in _listed(claims.get("aud")):
            raise StateError("sign-in-link-elsewhere", "the link is for another site", help=_AGAIN)
        person, nonce = claims.get("sub"), claims.get("jti")
        if not isinstance(person, str) or not 0 < len(person) <= _LONGEST_ID:
            raise _incomplete("it names nobody")
        if not isinstance(nonce, str) or len(nonce) not in _NONCE:
            raise _incomplete("it has no name of its own (`jti`)")
        return MemberLink(person=person, once=f"link-{digest_of(nonce)}", until=until + _SKEW_S, facts=_facts(claims))

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            if len(token) > _LONGEST_TOKEN:
                raise ValueError
            key, algorithms = self._checking()
            return dict(jwt.decode(token, key, algorithms=list(algorithms)).claims)
        except (JoseError, ValueError, TypeError) as error:
            # What is wrong with it is for nobody who forges one to learn: it is for the log (`why_refused`).
            raise StateError(
                "sign-in-link-damaged", "the link was not signed by the platform, or it was cut off", help=_AGAIN
            ) from error

    def _checking(self) -> tuple[OctKey | OKPKey, tuple[str, ...]]:
        path = self.folder / PUBLIC_FILE
        if not path.exists():
            return OctKey.import_key(self.shared()), _SHARED
        try:
            key = OKPKey.import_key(path.read_bytes())
            if key.curve_name != "Ed25519" or key.is_private:
                raise ValueError
        except (JoseError, ValueError, TypeError):
            raise _no_key(PUBLIC_FILE) from None
        return key, _PUBLIC


def why_refused(error: StateError) -> str:
    """Return in a few words why a link was refused, for the log: nothing of what stood in it."""
    if isinstance(cause := error.__cause__, JoseError):
        return cause.error.replace("_", "-")
    return "malformed" if cause is not None else error.message


def claims_for(person: str, *, audience: str, now: int, facts: Mapping[str, str]) -> dict[str, Any]:
    """Return the claims of a link that is good from now on, as long as one may be."""
    return {"sub": person, "aud": audience, "exp": now + LONGEST_S, "jti": secrets.token_urlsafe(16), **facts}


def _facts(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return what a link says for the page. What cannot be used is left out: nobody is turned away for it."""
    found = {
        name: " ".join(value.split())
        for name in ("name", "back", "locale", "notice")
        if isinstance(value := claims.get(name), str) and 0 < len(value) <= _LONGEST_FACT and value.isprintable()
    }
    if "back" in found and not _is_https(found["back"]):
        del found["back"]
    for name, form in (("locale", _LOCALE), ("notice", _NOTICE)):
        if name in found and form.fullmatch(found[name]) is None:
            del found[name]
    return found


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc and "\\" not in address


def _listed(audience: object) -> list[object]:
    return audience if isinstance(audience, list) else [audience]


def _incomplete(what: str) -> StateError:
    return StateError("sign-in-link-incomplete", f"the link cannot be used: {what}", help="docs/embedding.md says how")


def _no_key(name: str) -> IntegrityError:
    return IntegrityError(
        "sign-in-link-key",
        f"`{name}` holds no key for links",
        help="link.key: at least 32 ASCII characters, made anew if removed; link.pub: a public Ed25519 key as PEM",
    )


def used_up() -> StateError:
    """Return the error for a link that was used before."""
    return StateError("sign-in-link-used", "the link was used before", help=_AGAIN)
