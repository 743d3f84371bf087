"""A choice that somebody pressed Save for when their session was over: kept for them, and never saved by itself.

Every form of a member carries a mark of whose page it is on. It is keyed: nobody can make one, and it tells nothing to
others. If the session is over when such a form arrives, what was chosen is kept for an hour, counted for each form from
when Save was last pressed in it, under a secret that only that browser is given. Whoever signs in there next as the
same person finds it set, and is told that it is not saved. Somebody else never sees it, and a form from the page of
somebody else saves nothing.

No form takes the place of another: of several that are about the same, each no stays as far back as was chosen for
it, until it is saved, or a form is that showed it. A yes is set again only where all stands as when it was chosen. What
one person has waiting is one row of `MOST` forms with `MOST_FIELDS` fields each, so that whoever has seen a mark cannot
fill the store with it. A form that finds no room is not kept, and whoever sent it is told that nothing was saved.

INVARIANT: that row is read and written under `_TURN`: forms that come at once are all kept. One process serves a home.

What is kept are words of ours and keys of items: no id, and nothing that was typed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from threading import Lock
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
from consentry.service.pages import member_shown
from consentry.service.pages import member_words as say
from consentry.service.pages.member_asked import HOW_FAR, MADE, named_items, says_how_far
from consentry.service.pages.member_shown import Row, Rows
from consentry.service.site import UNSAVED_COOKIE, UNSAVED_S
from consentry.service.verbs import Verbs

MARK, WAITED = "whose", "waited"
"""Fields of a form: whose page it is on, and that it was shown as it waited to be saved."""
_ANSWERS = ("yes", "no", "back")
_WHATS = ("kinds", "items", MADE)
_WAS = "was-"
"""Begins the name of a field that says how an answer stood when a yes was chosen."""
_REACHES = [str(each) for each in Reach]
_DIGITS = 8
_PLACE = ("purpose", "what", "category", "which", "sort", "number")
_TAG = re.compile("[0-9a-f]{32}")
MOST = 8
"""Forms that one person can have waiting, in all browsers together."""
MOST_FIELDS = 200
"""Fields of one form that waits, whatever it was put together from; also of one that is sent."""
_MOST_PEOPLE = 4
"""People whose forms can wait in one browser."""
_TURN = Lock()


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


def found(request: Request, admission: Admission, *, person: str) -> list[dict[str, str]]:
    """Return what this person chose in this browser and could not save: the fields of each form, the oldest first."""
    waiting = _read(admission, _own_tag(request, person))
    return [each["given"] for each in waiting if each["by"] == _by(request)]


def forget(
    request: Request, admission: Admission, *, person: str, answer: Response, saved: Mapping[str, str] | None = None
) -> None:
    """Forget what waited in this browser and is in a form that was saved; without one, all that waited."""
    tag, by = _own_tag(request, person), _by(request)
    done = None if saved is None else in_our_words(request.app.state.deployment, saved)
    with _TURN:
        waiting = _read(admission, tag)
        left = [each for each in waiting if each["by"] != by]
        if done is not None:
            shown = saved is not None and saved.get(WAITED) == "yes"
            own = (each for each in waiting if each["by"] == by)
            mine = (each | {"given": _without(each["given"], done, shown=shown)} for each in own)
            left += [form for form in mine if form["given"]]
        if left:
            _write(admission, tag, left)
        elif waiting:
            admission.take(_name(tag))
    if not any(each["by"] == by for each in left):
        _forget_cookie(request, answer, tag=tag)


def merged(forms: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return several forms as one: each no stays, and goes back as far as was chosen for it.

    Of a no that several of them say, that is as far as the one that goes furthest; where a form does not say how far,
    its noes go all the way. Where all go as far, the form says so once.
    """
    together: dict[str, str] = {}
    reaches: dict[str, str] = {}
    for form in forms:
        noes = [name for name, value in form.items() if value == "no"]
        for name in noes:
            reaches[name] = max(reaches.get(name, Reach.FUTURE), _reach_in(form, name), key=_REACHES.index)
        said = {name for name, value in together.items() if value == "no"}
        together |= {name: value for name, value in form.items() if name not in said and not _is_beside(name)}
        together |= {name: value for name, value in form.items() if name.startswith(_WAS)}
    together = {name: value for name, value in together.items() if not _is_idle(name, together)}
    every = set(reaches.values())
    if len(every) > 1:
        return together | {f"{HOW_FAR}{name}": reach for name, reach in reaches.items()}
    said_so = all("reach" in form or any(map(says_how_far, form)) for form in forms if _says_no(form))
    return together | ({"reach": reach} if (reach := next(iter(every), "")) and said_so else {})


def still_meant(
    forms: Sequence[Mapping[str, str]], rows: Mapping[str, Rows]
) -> tuple[list[Mapping[str, str]], list[str]]:
    """Return forms that wait without each yes that was chosen when another answer stood, and the names of these.

    `rows` say by purpose how answers stand now; the names are `PURPOSE/ROW`. A form in which nothing is left is none.
    """
    kept: list[Mapping[str, str]] = []
    stale: list[str] = []
    for form in forms:
        now = rows.get(form["purpose"], {})
        gone = {name for name, row in now.items() if form.get(name) == "yes" and not _stands(form, name, row)}
        stale += [f"{form['purpose']}/{name}" for name in sorted(gone)]
        left = {name: value for name, value in form.items() if name not in gone}
        if any(value in _ANSWERS for value in left.values()):
            kept.append(left)
    return kept, stale


def _stands(form: Mapping[str, str], name: str, row: Row) -> bool:
    return row.answer == "yes" or form.get(f"{_WAS}{name}") == f"{row.answer}@{row.position}"


def _reach_in(form: Mapping[str, str], name: str) -> str:
    return form.get(f"{HOW_FAR}{name}") or form.get("reach") or Reach.EVERYTHING


def _is_beside(name: str) -> bool:
    """Say whether a field says something of an answer rather than being one, or how far back all of a form goes."""
    return name == "reach" or name.startswith((HOW_FAR, _WAS))


def _is_idle(name: str, form: Mapping[str, str]) -> bool:
    """Say whether a field says how an answer stood that is no yes: a no is recorded whatever stood there."""
    return name.startswith(_WAS) and form.get(name.removeprefix(_WAS)) != "yes"


def _forget_cookie(request: Request, answer: Response, *, tag: str) -> None:
    """Take a person out of the cookie; what other people have waiting in this browser stays."""
    tags, secret = _cookie(request)
    others = [each for each in tags if each != tag]
    if others and secret:
        kept = f"{'-'.join(others)}.{secret}"
        answer.set_cookie(UNSAVED_COOKIE, kept, max_age=UNSAVED_S, secure=True, httponly=True, samesite="lax")
    elif secret:
        answer.delete_cookie(UNSAVED_COOKIE, secure=True, httponly=True, samesite="lax")


async def _keep(request: Request) -> None:
    """Keep what a form says if one of our pages made it: who else sends one has no mark."""
    try:
        form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    except HTTPException:
        return
    deployment: Deployment = request.app.state.deployment
    wanted = {name: value for name, value in form.items() if isinstance(value, str)}
    tag, given = _tag_of(deployment, wanted.get(MARK, "")), _chosen(deployment, wanted)
    if tag is None or not given:
        return
    tags, secret = _cookie(request)
    tags, secret = tuple(dict.fromkeys((*tags, tag))), secret or new_secret()
    calling: Verbs = request.app.state.verbs
    if len(tags) <= _MOST_PEOPLE and await calling(
        _keep_beside, request.app.state.admission, tag, by=digest_of(secret), given=given
    ):
        request.state.unsaved = f"{'-'.join(tags)}.{secret}"


def _keep_beside(admission: Admission, tag: str, *, by: str, given: dict[str, str]) -> bool:
    """Keep a form beside those that wait; say whether there was room. Those that say no to nothing make room."""
    with _TURN:
        waiting = _read(admission, tag)
        same = [each for each in waiting if each["by"] == by and _about(each["given"]) == _about(given)]
        others = [each for each in waiting if each not in same]
        while len(others) >= MOST and (idle := next((each for each in others if not _says_no(each["given"])), None)):
            others.remove(idle)
        together = merged([*(each["given"] for each in same), given])
        if len(others) >= MOST or len(together) > MOST_FIELDS:
            return False
        _write(admission, tag, [*others, {"by": by, "given": together, "until": admission.moment() + UNSAVED_S}])
        return True


def _read(admission: Admission, tag: str) -> list[dict[str, Any]]:
    """Return all forms of a person that wait, of every browser: `by` is the digest of its secret, `until` its time.

    A form that was kept before forms had a time of their own gets one, which stays with it once the row is written.
    """
    text, now = admission.kept(_name(tag)), admission.moment()
    forms = [] if text is None else [{"until": now + UNSAVED_S, **each} for each in json.loads(text)]
    return [each for each in forms if each["until"] >= now]


def _write(admission: Admission, tag: str, forms: Sequence[Mapping[str, Any]]) -> None:
    """Keep the forms of a person, at least one, until the time of the last of them."""
    last = max(each["until"] for each in forms)
    admission.keep(_name(tag), json.dumps(forms), seconds=last - admission.moment())


def _without(given: Mapping[str, str], done: Mapping[str, str], *, shown: bool) -> dict[str, str]:
    """Return what is left of a form that waits once another was saved; nothing if no no is left in it.

    What was `shown` in the form that was saved is settled by it, else only each no that it says as well. How far back
    the form goes stays with each no that is left: without it, that no would go all the way.
    """
    if not _are_alike(given, done):
        return dict(given)
    settled = {name for name, value in done.items() if shown or value == "no"} - {*_PLACE, "reach"}
    about = {f"{beside}{name}" for name in settled for beside in (HOW_FAR, _WAS)}
    left = {name: value for name, value in given.items() if name not in settled | about}
    return left if _says_no(left) else {}


def _are_alike(given: Mapping[str, str], done: Mapping[str, str]) -> bool:
    """Say whether two forms are about the same use, and both about all of it, about kinds or about items."""
    return all(given.get(name) == done.get(name) for name in ("purpose", "what"))


def _says_no(given: Mapping[str, str]) -> bool:
    return "no" in given.values()


def _about(given: Mapping[str, str]) -> tuple[str | None, ...]:
    """Return what a form is about: a use, all of it or kinds; of items a part of the list."""
    names = _PLACE if given.get("what") == "items" else _PLACE[:2]
    return tuple(given.get(name) for name in names)


def in_our_words(deployment: Deployment, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return those fields of a form that hold a word we know; items by the keys that lists of them have."""
    purpose = wanted.get("purpose", "")
    if purpose not in set(Purpose):
        return {}
    allowed: dict[str, Any] = {"answer": _ANSWERS, "reach": set(Reach), "what": _WHATS, "category": set(Category)}
    allowed |= {"which": set(say.WHICH_ITEMS), "sort": set(say.ITEM_ORDERS)}
    allowed |= {f"kind-{each}": _ANSWERS for each in Category}
    given = {name: value for name, value in wanted.items() if value in allowed.get(name, ())}
    number = wanted.get("number", "")
    if number.isascii() and number.isdecimal() and len(number) <= _DIGITS:
        given["number"] = number
    for corpus, id_, answer in named_items(wanted):
        if id_ and answer in _ANSWERS:
            given[f"answer-{shown_key(deployment.item(corpus, id_))}"] = answer
    for name in [name for name, answer in given.items() if answer == "no"]:
        if wanted.get(f"{HOW_FAR}{name}") in _REACHES:
            given[f"{HOW_FAR}{name}"] = wanted[f"{HOW_FAR}{name}"]
    return {"purpose": purpose, **given}


def _chosen(deployment: Deployment, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return what somebody chose in a form, in our words: no answer that the page showed and nobody touched.

    A yes has beside it how it stood, so that it is shown as chosen only where it still stands like that. The answer
    about all of a use is the one of its form: whoever saves it says it.
    """
    given, was = in_our_words(deployment, wanted), member_shown.read(wanted)
    untouched = {name for name, row in was.items() if name != "answer" and given.get(name) == row.answer}
    chosen = {name: value for name, value in given.items() if name not in untouched}
    stood = {f"{_WAS}{name}": f"{row.answer}@{row.position}" for name, row in was.items() if chosen.get(name) == "yes"}
    return chosen | stood if any(value in _ANSWERS for value in chosen.values()) else {}


def _tag_of(deployment: Deployment, mark: str) -> str | None:
    """Return whose page a mark is of; None if this deployment did not make it."""
    tag, _, sealed = mark.partition(".")
    made = _keyed(deployment, f"made here {tag}")
    return tag if hmac.compare_digest(sealed.encode(), made.encode()) else None


def _keyed(deployment: Deployment, text: str) -> str:
    key = deployment.pseudonyms.key.for_forms()
    return hashlib.blake2b(text.encode("utf-8", "replace"), key=key, digest_size=16).hexdigest()


def _own_tag(request: Request, person: str) -> str:
    return _keyed(request.app.state.deployment, f"whose {person}")


def _cookie(request: Request) -> tuple[tuple[str, ...], str]:
    """Return whose forms wait in this browser, by their tags, and its secret; nothing if it has none."""
    tags, _, secret = request.cookies.get(UNSAVED_COOKIE, "").partition(".")
    known = tuple(each for each in tags.split("-") if _TAG.fullmatch(each))
    return (known, secret) if known and secret else ((), "")


def _by(request: Request) -> str:
    """Return the digest of the secret of this browser; empty, which no form is kept by, if it has none."""
    _, secret = _cookie(request)
    return digest_of(secret) if secret else ""


def _name(tag: str) -> str:
    """Return under which name it is kept: one for each person."""
    return f"unsaved:{digest_of(tag)}"
