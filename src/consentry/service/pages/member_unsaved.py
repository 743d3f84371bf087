"""A choice that somebody pressed Save for when their session was over: kept for them, and never saved by itself.

Every form of a member carries a mark of whose page it is on. It is keyed: nobody can make one, and it tells nothing to
others. If the session is over when such a form arrives, what was chosen is kept for an hour under a secret that only
that browser is given. Whoever signs in there next as the same person finds it set, and is told that it is not saved.
Somebody else never sees it, and a form from the page of somebody else saves nothing. Of each person the newest is kept
and no other, so that whoever has seen a mark cannot fill the store with it.

What is kept are words of ours and keys of items: no id, and nothing that was typed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from consentry.accounts.account import Principal, digest_of, new_secret
from consentry.accounts.admission import Admission
from consentry.bootstrap import Deployment
from consentry.control_plane.own_content import shown_key
from consentry.errors import StateError
from consentry.policy.vocabulary import Category, Purpose, Reach
from consentry.service.gate import Needs
from consentry.service.pages.member_asked import named_items
from consentry.service.site import UNSAVED_COOKIE, UNSAVED_S
from consentry.service.verbs import Verbs

MARK = "whose"
"""The field of a form that says whose page it is on."""
_ANSWERS = ("yes", "no", "back")
_WHATS = ("kinds", "items")
_DIGITS = 8


class Keeping(Needs):
    """Lets those through who may choose. Of whoever is not signed in any more it keeps what they chose."""

    async def __call__(self, request: Request) -> Principal:  # noqa: D102
        try:
            return await super().__call__(request)
        except StateError as error:
            if error.code == "access-unknown":
                await _keep(request)
            raise


def mark_of(deployment: Deployment, person: str) -> str:
    """Return the mark of a person: what only this deployment can make, twice 32 hexadecimal digits."""
    tag = _keyed(deployment, f"whose {person}")
    return f"{tag}.{_keyed(deployment, f'made here {tag}')}"


def require_own(deployment: Deployment, person: str, *, wanted: Mapping[str, str]) -> None:
    """Refuse a form from the page of somebody else, who was signed in here before.

    Raises:
        StateError: it is.
    """
    tag = _tag_of(deployment, wanted.get(MARK, ""))
    if tag is not None and tag != _keyed(deployment, f"whose {person}"):
        raise StateError(
            "choice-somebody-else",
            "this page was opened by somebody else, who was signed in before you",
            help="nothing was saved: open your own page and choose there",
        )


def found(request: Request, admission: Admission, *, person: str) -> dict[str, str]:
    """Return what this person chose in this browser and could not save, as the fields of the form; else nothing."""
    secret = request.cookies.get(UNSAVED_COOKIE, "")
    text = admission.kept(_name(secret)) if secret else None
    said = {} if text is None else json.loads(text)
    deployment: Deployment = request.app.state.deployment
    is_theirs = said.get("of") == _keyed(deployment, f"whose {person}") and said.get("by") == digest_of(secret)
    return dict(said["given"]) if is_theirs else {}


def forget(request: Request, admission: Admission, *, answer: Response) -> None:
    """Forget what was kept for this browser."""
    secret = request.cookies.get(UNSAVED_COOKIE, "")
    if secret:
        text = admission.kept(_name(secret))
        if text is not None and json.loads(text).get("by") == digest_of(secret):
            admission.take(_name(secret))
        answer.delete_cookie(UNSAVED_COOKIE, secure=True, httponly=True, samesite="lax")


async def _keep(request: Request) -> None:
    """Keep what a form says if one of our pages made it: who else sends one has no mark."""
    try:
        form = await request.form(max_files=0, max_fields=200)
    except HTTPException:
        return
    deployment: Deployment = request.app.state.deployment
    wanted = {name: value for name, value in form.items() if isinstance(value, str)}
    tag, given = _tag_of(deployment, wanted.get(MARK, "")), in_our_words(deployment, wanted)
    if tag is None or not given:
        return
    admission: Admission = request.app.state.admission
    calling: Verbs = request.app.state.verbs
    secret = f"{tag}.{new_secret()}"
    text = json.dumps({"of": tag, "by": digest_of(secret), "given": given})
    await calling(admission.keep, _name(secret), text, seconds=UNSAVED_S)
    request.state.unsaved = secret


def in_our_words(deployment: Deployment, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return those fields of a form that hold a word we know; items by the keys that lists of them have."""
    purpose = wanted.get("purpose", "")
    if purpose not in set(Purpose):
        return {}
    allowed: dict[str, Any] = {"answer": _ANSWERS, "reach": set(Reach), "what": _WHATS, "category": set(Category)}
    allowed |= {f"kind-{each}": _ANSWERS for each in Category}
    given = {name: value for name, value in wanted.items() if value in allowed.get(name, ())}
    number = wanted.get("number", "")
    if number.isascii() and number.isdecimal() and len(number) <= _DIGITS:
        given["number"] = number
    for corpus, id_, answer in named_items(wanted):
        if id_ and answer in _ANSWERS:
            given[f"answer-{shown_key(deployment.item(corpus, id_))}"] = answer
    return {"purpose": purpose, **given}


def _tag_of(deployment: Deployment, mark: str) -> str | None:
    """Return whose page a mark is of; None if this deployment did not make it."""
    tag, _, sealed = mark.partition(".")
    made = _keyed(deployment, f"made here {tag}")
    return tag if hmac.compare_digest(sealed.encode(), made.encode()) else None


def _keyed(deployment: Deployment, text: str) -> str:
    key = deployment.pseudonyms.key.for_forms()
    return hashlib.blake2b(text.encode("utf-8", "replace"), key=key, digest_size=16).hexdigest()


def _name(secret: str) -> str:
    """Return under which name it is kept: one for each person, whose tag the secret begins with."""
    return f"unsaved:{digest_of(secret.partition('.')[0])}"
