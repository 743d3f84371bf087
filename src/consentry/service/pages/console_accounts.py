"""Accounts and keys, for administrators. A secret is shown once, on the page that made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action, Role
from consentry.accounts.account import Account, Principal, new_password
from consentry.accounts.admission import Admission
from consentry.errors import ConflictError, ConsentryError, InputError, StateError
from consentry.policy.choice import Seconds
from consentry.public_key import key_id, read_public_key
from consentry.service.gate import Admitting, Control
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import REFUSED, SEE_OTHER, Staff, areas_of, day_of, kept, told, twin
from consentry.service.site import page

ROUTER = APIRouter()
Managing = Annotated[Principal, Depends(Staff(Action.ACCOUNT_MANAGE))]
Text = Annotated[str, Form()]
_OF_ACCOUNTS = [str(each) for each in Role if each not in {Role.MEMBER, Role.WORKLOAD, Role.PLATFORM}]
_MOST_OF_A_KEY = 4_096
"""Bytes; a public key has about a hundred."""
_PROGRAMS = (Role.PLATFORM, Role.WORKLOAD, Role.ML_ENGINEER, Role.AUDITOR)
_ACCOUNTS = Listing(
    name="accounts",
    columns=(
        Column("handle", N_("Name")),
        Column("roles", N_("Roles"), kind="list", chosen_from=True),
        Column("areas", N_("Jurisdictions"), kind="list"),
        Column("signs_in", N_("Signs in"), chosen_from=True),
        Column("state", N_("State"), kind="state", chosen_from=True),
    ),
    sort="handle",
)
_KEYS = Listing(
    name="keys",
    columns=(
        Column("ident", N_("Key")),
        Column("name", N_("For")),
        Column("roles", N_("Roles"), kind="list", chosen_from=True),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("made_by", N_("Made by")),
        Column("made_at", N_("Made"), kind="time"),
        Column("expires_at", N_("Ends"), kind="time"),
    ),
    sort="-made_at",
)


@ROUTER.get("/console/accounts")
def accounts(request: Request, admission: Admitting, *, _: Managing) -> Response:
    """List all accounts."""
    return _accounts(request, admission)


@ROUTER.post("/console/accounts")
def add(
    *,
    request: Request,
    admission: Admitting,
    _: Managing,
    handle: Text = "",
    roles: Annotated[list[str], Form()] = [],  # noqa: B006 - never changed
    areas: Text = "",
    elsewhere: Text = "",
) -> Response:
    """Make an account, and show its password once; without one if it signs in elsewhere."""
    given = kept(handle=handle, roles=roles, areas=areas, elsewhere=elsewhere)
    password = "" if elsewhere else new_password()
    try:
        admission.add(handle.strip(), roles=_roles(roles), areas=areas_of(areas), password=password)
    except ConsentryError as error:
        field = "areas" if error.code == "account-areas" else "handle"
        return _accounts(request, admission, problem=told(error, field=field), given=given)
    if not password:
        return RedirectResponse("/console/accounts", SEE_OTHER)
    return _accounts(request, admission, made={"handle": handle.strip(), "password": password})


@ROUTER.get("/console/accounts/{handle}")
def one(request: Request, admission: Admitting, *, handle: str, _: Managing) -> Response:
    """Show an account, and what can be changed of it."""
    return _one(request, admission, handle)


@ROUTER.post("/console/accounts/{handle}/roles")
def change_roles(
    *,
    request: Request,
    admission: Admitting,
    handle: str,
    who: Managing,
    roles: Annotated[list[str], Form()] = [],  # noqa: B006 - never changed
    areas: Text = "",
) -> Response:
    """Give an account other roles, or an authority other jurisdictions; all its sessions end."""
    try:
        if handle == who.handle:
            raise StateError(
                "account-own", "nobody changes what they themselves may do", help="ask another administrator"
            )
        admission.change_roles(handle, roles=_roles(roles), areas=areas_of(areas))
    except (InputError, StateError, ConflictError) as error:
        return _one(request, admission, handle, problem=told(error), given=kept(roles=roles, areas=areas))
    return RedirectResponse(f"/console/accounts/{quote(handle, safe='')}?done=roles", SEE_OTHER)


@ROUTER.post("/console/accounts/{handle}/key")
def set_key(
    *,
    request: Request,
    admission: Admitting,
    handle: str,
    _: Managing,
    file: UploadFile | None = None,
    key: Annotated[str, Form(max_length=4_000)] = "",
) -> Response:
    """Let an authority sign with a key from now on, and with no other."""
    uploaded = b"" if file is None else file.file.read(_MOST_OF_A_KEY)
    try:
        admission.set_public_key(handle, read_public_key(uploaded or key.encode()))
    except (InputError, StateError) as error:
        return _one(request, admission, handle, problem=told(error, field="file"))
    return RedirectResponse(f"/console/accounts/{quote(handle, safe='')}?done=key", SEE_OTHER)


@ROUTER.post("/console/accounts/{handle}/disable")
def disable(request: Request, admission: Admitting, *, handle: str, who: Managing) -> Response:
    """Let somebody sign in no more."""
    try:
        if handle == who.handle:
            raise StateError(
                "account-own", "nobody closes their own account", help="ask another administrator to close it"
            )
        admission.disable(handle)
    except StateError as error:
        return _accounts(request, admission, problem=told(error))
    return RedirectResponse("/console/accounts", SEE_OTHER)


@ROUTER.post("/console/accounts/{handle}/password")
def renew_password(request: Request, admission: Admitting, *, handle: str, _: Managing) -> Response:
    """Make a new password, and show it once; all sessions of the account end."""
    password = new_password()
    admission.set_password(handle, password)
    return _accounts(request, admission, made={"handle": handle, "password": password})


@ROUTER.get("/console/keys")
def keys(request: Request, admission: Admitting, *, control: Control, _: Managing) -> Response:
    """List all keys of programs."""
    return _keys(request, admission, control.desk.parts.clock())


@ROUTER.post("/console/keys")
def add_key(
    *,
    request: Request,
    admission: Admitting,
    control: Control,
    who: Managing,
    name: Text = "",
    roles: Annotated[list[str], Form()] = [],  # noqa: B006 - never changed
    expires: Text = "",
) -> Response:
    """Make a key, and show it once."""
    now = control.desk.parts.clock()
    try:
        ends = day_of(expires, what="last day", end=True)
        if ends is not None and ends <= now:
            raise InputError("form-day", "the last day of the key is over", help="give a day that has not ended")
        key, secret = admission.add_key(name, roles=_roles(roles), by=who.handle, expires_at=ends)
    except ConsentryError as error:
        given = kept(name=name, roles=roles, expires=expires)
        return _keys(request, admission, now, problem=told(error, field="name"), given=given)
    return _keys(request, admission, now, made={"name": key.name, "secret": secret})


@ROUTER.post("/console/keys/{ident}/revoke")
def revoke(admission: Admitting, ident: str, *, _: Managing) -> Response:
    """Let a key open nothing any more."""
    admission.revoke_key(ident)
    return RedirectResponse("/console/keys", SEE_OTHER)


def _roles(words: list[str]) -> frozenset[Role]:
    try:
        return frozenset(map(Role, words))
    except ValueError:
        raise InputError("form-word", "there is no such role", help="choose from what the form offers") from None


def _one(
    request: Request,
    admission: Admission,
    handle: str,
    *,
    problem: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Response:
    account, public = admission.get(handle), admission.public_key(handle)
    return twin(request, lambda: _document(admission, account)) or page(
        request,
        "console/account.html",
        status=200 if problem is None else REFUSED,
        problem=problem,
        given=given or kept(roles=sorted(map(str, account.roles)), areas=" ".join(sorted(account.areas))),
        done=request.query_params.get("done", "") if problem is None else "",
        account=account,
        is_authority=Role.AUTHORITY in account.roles,
        key=None if public is None else key_id(public),
        roles=[(each, each) for each in _OF_ACCOUNTS if each != Role.AUTHORITY],
    )


def _document(admission: Admission, account: Account) -> dict[str, Any]:
    """Return an account as a document. Its password is in none."""
    public = admission.public_key(account.handle)
    changes = [{"key": key_id(each.key), "at": each.at} for each in admission.key_changes(account.handle)]
    return {
        "handle": account.handle,
        "roles": sorted(map(str, account.roles)),
        "areas": sorted(account.areas),
        "signs_in": "with a password" if account.password else "elsewhere",
        "state": "closed" if account.disabled else "open",
        "signing_key": {"key": None if public is None else key_id(public), "changes": changes},
    }


def _accounts(
    request: Request,
    admission: Admission,
    *,
    problem: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
    made: Mapping[str, str] | None = None,
) -> Response:
    rows = [
        {
            "handle": each.handle,
            "roles": sorted(map(str, each.roles)),
            "areas": sorted(each.areas),
            "signs_in": "with a password" if each.password else "elsewhere",
            "state": "closed" if each.disabled else "open",
        }
        for each in admission.all()
    ]
    answer = _ACCOUNTS.answer(
        request,
        rows,
        template="console/accounts.html",
        problem=problem,
        given=given or kept(handle="", roles=[], areas="", elsewhere=""),
        made=made,
        roles=[(each, each) for each in _OF_ACCOUNTS],
    )
    answer.status_code = 200 if problem is None else REFUSED
    return answer


def _keys(
    request: Request,
    admission: Admission,
    now: Seconds,
    *,
    problem: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
    made: Mapping[str, str] | None = None,
) -> Response:
    rows = [
        {
            "ident": each.ident,
            "name": each.name,
            "roles": sorted(map(str, each.roles)),
            "state": "revoked"
            if each.revoked_at is not None
            else "ended"
            if each.expires_at is not None and each.expires_at <= now
            else "good",
            "made_by": each.made_by,
            "made_at": each.made_at,
            "expires_at": each.expires_at,
        }
        for each in admission.all_keys()
    ]
    answer = _KEYS.answer(
        request,
        rows,
        template="console/keys.html",
        problem=problem,
        given=given or kept(name="", roles=["workload"], expires=""),
        made=made,
        roles=[(str(each), str(each)) for each in _PROGRAMS],
    )
    answer.status_code = 200 if problem is None else REFUSED
    return answer
