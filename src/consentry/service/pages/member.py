"""The page where a member decides: coming in by the platform's link, how each use stands, and saying yes and no.

Saying no is one step: it is saved at once, asks nothing, and is never counted or slowed down. Saying yes asks for the
notice to be read, and its name is recorded with the choice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import MEMBER_SESSION_S, Principal
from consentry.accounts.member_link import LinkKeys, used_up, why_refused
from consentry.bootstrap import Deployment
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.own_content import Aim, Effect
from consentry.control_plane.plane import ControlPlane
from consentry.digests import canonical_json
from consentry.errors import ConflictError, NotFoundError, StateError, UnavailableError
from consentry.ledger.events import Source
from consentry.policy.policy_set import SignalMeaning
from consentry.policy.vocabulary import Purpose
from consentry.service.gate import COOKIE, Admitting, Deployed, Needs, principal_of
from consentry.service.languages import LANGUAGES, language_of
from consentry.service.offered import offered_by
from consentry.service.pages import member_unsaved as unsaved
from consentry.service.pages import member_words as say
from consentry.service.pages.member_asked import (
    HALF_SAVED,
    LESS_FAR,
    MADE,
    Written,
    asked,
    block_of,
    person_of,
    require_fits,
    require_read,
)
from consentry.service.pages.member_blocks import Block, blocks
from consentry.service.pages.member_document import document
from consentry.service.pages.member_held import held_still, reaching, told_of
from consentry.service.pages.member_items import AFFORDABLE, looks, shown_again
from consentry.service.pages.member_saved import just_saved, meanwhile
from consentry.service.pages.member_shown import Rows, of_use, written
from consentry.service.pages.member_signal import is_sent, record_no
from consentry.service.pages.sign_in import with_session
from consentry.service.problem_words import plainly
from consentry.service.problems import LOG, status_of
from consentry.service.site import away, page, wants_document

ROUTER = APIRouter()
Member = Annotated[Principal, Depends(Needs(Action.OWN_READ))]
Chooser = Annotated[Principal, Depends(unsaved.Keeping(Action.OWN_CHOOSE))]
_SHOWN = ("purpose", "category", "which", "sort", "number")
"""What the list of items shows: fields of its form, and of its address."""
MOST_ROWS = 50
_VARY = {"vary": "accept, accept-language, cookie, sec-gpc"}


@ROUTER.get("/me/enter", dependencies=[Depends(Needs(Action.ANYONE))])
def enter(*, request: Request, deployment: Deployed, admission: Admitting, token: str = "") -> Response:
    """Let a member in whom the platform vouches for, and lead on, so that the link is in no history.

    Not in the place of somebody else: whoever sends around a link of their own would have others decide for them.
    """
    now, settings = deployment.control.desk.parts.clock(), deployment.settings
    try:
        link = LinkKeys(settings.home / "keys").read(token, audience=settings.audience, now=now)
        person, who = deployment.person(link.person), principal_of(request)
        if who.is_known and who.person != person:
            raise StateError(
                "sign-in-link-somebody-else",
                "somebody else is signed in in this browser",
                help="sign out first, then click again",
            )
        if not admission.spend(link.once, until=link.until):
            raise used_up()
    except UnavailableError:
        raise
    except StateError as error:
        LOG.warning(
            "a link of the platform was refused: %s",
            error.code,
            extra={"facts": {"code": error.code, "reason": why_refused(error)}},
        )
        return away(request, status=422, error=error)
    old = request.cookies.get(COOKIE)
    secret = admission.admit_member(person, link.facts)
    if old:
        admission.sign_out(old)
    locale = link.facts.get("locale", "").replace("-", "_").partition("_")[0].lower()
    onward = f"/me?{urlencode({'lang': locale})}" if locale in LANGUAGES else "/me"
    return with_session(RedirectResponse(onward, 303), secret, seconds=MEMBER_SESSION_S)


@ROUTER.get("/me")
def show(
    *,
    request: Request,
    deployment: Deployed,
    admission: Admitting,
    who: Member,
    saved: Annotated[list[str], Query(max_length=10)] = [],  # noqa: B006 - never changed
    changed: Annotated[list[str], Query(max_length=MOST_ROWS)] = [],  # noqa: B006 - never changed
    form: Annotated[str, Query(alias="format", max_length=10)] = "",
) -> Response:
    """Show how each use stands, with what was just saved, or could not be."""
    control, person = deployment.control, person_of(who)
    if wants_document(request, form):
        found = _blocks(request, control, who)
        effects, _ = _effects(control, person, found)
        told = told_of(found, held_still(control, found, effects=effects))
        body = canonical_json(document(told, effects))
        return Response(body, headers=_VARY, media_type="application/json")
    signalled = _signalled(request, control, who)
    done = just_saved(control, person, positions=[*map(str, signalled or ()), *saved])
    given = unsaved.found(request, admission, person=person)
    recorded = signalled is not None
    return _shown(
        request, deployment, who, done=done, given=given, changed=changed, waiting=True, signal_recorded=recorded
    )


def _signalled(request: Request, control: ControlPlane, who: Principal) -> list[int] | None:
    """Return where it was recorded what a signal of the browser counts as.

    None: the ledger does not answer. Nobody is kept from their page for that: the next one that they open records it.
    """
    try:
        return record_no(request, control, person=person_of(who)) if who.may(Action.OWN_CHOOSE) else []
    except UnavailableError as error:
        LOG.warning("a signal of a browser was not recorded: %s", error.code, extra={"facts": {"code": error.code}})
        return None


@ROUTER.post("/me/choices")
def choose(*, request: Request, deployment: Deployed, admission: Admitting, who: Chooser, wanted: Written) -> Response:
    """Record a choice, and lead back to the page that says what it does.

    A no is recorded before a yes is looked at: nothing that a yes lacks may hold it up.
    """
    control, person = deployment.control, person_of(who)
    unsaved.require_own(deployment, person, wanted=wanted)
    since = control.desk.present().position
    use = block_of(control, who, purpose=wanted.get("purpose", ""))
    positions: list[int] = []
    changed: Sequence[str] = ()
    try:
        wants = asked(control, who, use=use, wanted=wanted)
        changed = wants.changed
        positions.extend(control.own_choices.choose(person, choice) for choice in wants.noes)
        require_fits(wants)
        if wants.others:
            require_read(use, wanted)
            beside = frozenset(positions)
            positions += control.own_choices.agree(person, wants.others, notice=use.read, since=since, beside=beside)
    except NotFoundError:
        raise
    except StateError as error:
        with once_recorded(anything=bool(positions) or error.code == "ledger-outcome-unknown"):
            return _once_more(
                request, deployment, who, use=use, wanted=wanted, error=error, positions=positions, changed=changed
            )
    back, shown = _back(use, wanted)
    names = [name if back == "/me/items" else f"{use.purpose}/{name}" for name in changed]
    query = [*(("saved", str(each)) for each in positions), *(("changed", each) for each in names)]
    answer = RedirectResponse(f"{back}?{urlencode([*shown, *(query or [('unchanged', str(use.purpose))])])}", 303)
    # It is saved: where what waited cannot be forgotten, it goes on waiting.
    with suppress(UnavailableError):
        unsaved.forget(request, admission, person=person, answer=answer, saved=wanted)
    return answer


@ROUTER.post("/me/unsaved")
def discard(
    *, request: Request, admission: Admitting, who: Annotated[Principal, Depends(Needs(Action.OWN_CHOOSE))]
) -> Response:
    """Forget what was chosen when nobody was signed in any more."""
    answer = RedirectResponse("/me", 303)
    unsaved.forget(request, admission, person=person_of(who), answer=answer)
    return answer


def _once_more(
    request: Request,
    deployment: Deployment,
    who: Principal,
    *,
    use: Block,
    wanted: Mapping[str, str],
    error: StateError,
    positions: Sequence[int],
    changed: Sequence[str],
) -> Response:
    """Show the page of a form that was not recorded, or in part: why, and what was chosen in it.

    What may stand otherwise than the page showed is shown as it stands, not as it was chosen there.
    """
    stale = frozenset(changed) | (_yeses(wanted) if error.code == "choice-changed" else frozenset())
    plain = plainly(error)
    help_ = HALF_SAVED.get(error.code, HALF_SAVED[""]) if positions else plain.help
    field = f"{use.purpose}-{'yes' if error.code == LESS_FAR else 'read'}"
    problem = {"message": plain.message, "help": help_, "field": field, "status": _status_after(error)}
    done = just_saved(deployment.control, person_of(who), positions=[str(each) for each in positions])
    given = {name: value for name, value in wanted.items() if name not in stale}
    if wanted.get("what") == "items":
        return shown_again(
            request=request,
            deployment=deployment,
            who=who,
            use=use,
            given=given,
            problem=problem,
            done=done,
            changed=changed,
        )
    return _shown(
        request,
        deployment,
        who,
        problem=problem,
        given=[given],
        done=done,
        changed=[f"{use.purpose}/{name}" for name in changed],
    )


def _status_after(error: StateError) -> int:
    """Return the status of the page that says why a form was not recorded."""
    return status_of(error) if isinstance(error, (ConflictError, UnavailableError)) else 422


def _yeses(wanted: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for name, value in wanted.items() if value == "yes")


def _back(use: Block, wanted: Mapping[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """Return the page that a form came from, and what it showed."""
    if wanted.get("what") != "items":
        return "/me", []
    shown = {**{name: wanted.get(name, "") for name in _SHOWN}, "purpose": str(use.purpose)}
    return "/me/items", [(name, value[:30]) for name, value in shown.items() if value]


def _effects(
    control: ControlPlane, person: str, found: Sequence[Block]
) -> tuple[dict[str, Effect], dict[str, dict[str, Effect]]]:
    """Return in numbers what a no would undo, as far as that comes at once: of each use, and of each kind in it."""
    content, left = control.own_content, AFFORDABLE
    aims: dict[tuple[str, str], Aim] = {}
    for use in reaching(control, found):
        cost = looks(control, use)
        if cost <= left:
            left -= cost
            aims[use.purpose, ""] = Aim(purpose=use.purpose)
            aims |= {
                (use.purpose, each.category): Aim(purpose=use.purpose, categories=frozenset({each.category}))
                for each in use.kinds
                if each.can_choose and each.items and not each.refused
            }
    effects = content.effects(person, aims)
    kinds: dict[str, dict[str, Effect]] = {use.purpose: {} for use in found}
    for (purpose, kind), effect in effects.items():
        kinds[purpose] |= {kind: effect} if kind else {}
    return {purpose: effect for (purpose, kind), effect in effects.items() if not kind}, kinds


def _blocks(request: Request, control: ControlPlane, who: Principal) -> list[Block]:
    notice = who.facts.get("notice", "")
    return blocks(control, person_of(who), from_notice=notice, language=language_of(request).code)


def _given(forms: Sequence[Mapping[str, str]], purpose: str, what: str) -> Mapping[str, str]:
    """Return the fields of the form about a use, all of it (no `what`) or kinds, that is to be shown as it was sent."""
    such = (each for each in forms if (each.get("purpose"), each.get("what", "")) == (purpose, what))
    return next(such, {})


def _waiting(form: Mapping[str, str], found: Sequence[Block], held: Collection[str]) -> dict[str, Any]:
    """Say of a form that could not be saved where it is still set, and whether it still can be saved."""
    made = form.get("what") == MADE
    use = next((each for each in found if each.purpose == form["purpose"] and each.can_choose), None)
    covered = use is not None and form.get("what") == "kinds" and (use.no is not None or bool(use.wider))
    address = f"/me/items?{urlencode({name: text for name, text in form.items() if name in _SHOWN})}"
    return {
        "title": say.PURPOSES[Purpose(form["purpose"])],
        "offered": form["purpose"] in held if made else use is not None and not covered,
        "made": made,
        "elsewhere": address if form.get("what") == "items" else "",
    }


def _has_apart(use: Block, found: Sequence[Block]) -> bool:
    """Say whether a use that is decided about has others on the page that belong to it and are decided apart."""
    below = (each for each in found if each is not use and use.purpose.covers(each.purpose))
    return bool(use.policy) and any(each.policy not in ("", use.policy) for each in below)


def _of(use: Block, names: Sequence[str]) -> list[str]:
    """Return those of some names `PURPOSE/ROW` that are of a use, as its rows have them."""
    return [row for each in names for purpose, _, row in [each.partition("/")] if purpose == use.purpose]


def _shown(
    request: Request,
    deployment: Deployment,
    who: Principal,
    *,
    done: Sequence[Mapping[str, Any]] = (),
    problem: dict[str, Any] | None = None,
    given: Sequence[Mapping[str, str]] = (),
    changed: Sequence[str] = (),
    waiting: bool = False,
    signal_recorded: bool = True,
) -> Response:
    """Show the page. `given` are forms as they were sent; `changed` are answers that are another meanwhile."""
    control, person = deployment.control, person_of(who)
    # Before anything else: what changes while the page is made, it is told of afterwards.
    offered = offered_by(control)
    found = _blocks(request, control, who)
    effects, of_kinds = _effects(control, person, found)
    held = held_still(control, found, effects=effects)
    found = told_of(found, held)
    rows: dict[str, Rows] = {use.purpose: of_use(use) for use in found}
    if waiting:
        given, stale = unsaved.still_meant(given, rows)
        changed = [*changed, *stale]
    return page(
        request,
        "member/settings.html",
        status=200 if problem is None else problem["status"],
        headers=_VARY,
        offered=offered,
        blocks=found,
        effects=effects,
        held=held,
        besides={use.purpose: say.BESIDES[use.purpose] for use in found if _has_apart(use, found)},
        of_kinds=of_kinds,
        reaches=say.REACHES,
        done=done,
        problem=problem,
        given=partial(_given, given),
        rows=rows,
        written=written,
        changed=[each for use in found for each in meanwhile(use, rows[use.purpose], names=_of(use, changed))],
        waiting=[_waiting(each, found, held) for each in given] if waiting else [],
        mark_of_page=unsaved.mark_of(deployment, person),
        signal=is_sent(request),
        signal_recorded=signal_recorded,
        suggested=any(use.signal is SignalMeaning.SUGGEST and use.can_choose for use in found),
        counted=any(_is_signalled(use, recorded=signal_recorded) for use in found),
    )


def _is_signalled(use: Block, *, recorded: bool) -> bool:
    """Say whether a no stands that a signal of the browser counted as, or would if it could have been recorded.

    None does where they are asked, or while a browser fetches the page ahead.
    """
    if use.signal is not SignalMeaning.REFUSE or not use.can_choose:
        return False
    stands = use.no is not None and use.no.source == say.SOURCES[Source.SIGNAL]
    return stands or not (recorded or use.spoke)
