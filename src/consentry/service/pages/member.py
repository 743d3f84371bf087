"""The page where a member decides: coming in by the platform's link, how each use stands, and saying yes or no.

Saying no is one step: it is saved at once, asks nothing, and is never counted or slowed down. Saying yes asks for the
notice to be read, and its name is recorded with the choice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from consentry.accounts.access import Action
from consentry.accounts.account import MEMBER_SESSION_S, Principal
from consentry.accounts.member_link import LinkKeys, used_up
from consentry.control_plane.own_content import Aim, Effect
from consentry.control_plane.plane import ControlPlane
from consentry.errors import NotFoundError, StateError
from consentry.ledger.events import Pseudonym
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, ChoiceState, Reach
from consentry.service.gate import COOKIE, Admitting, Control, Deployed, Needs, principal_of
from consentry.service.languages import LANGUAGES
from consentry.service.pages import member_words as say
from consentry.service.pages.member_blocks import Block, blocks
from consentry.service.pages.member_lists import KEY_HEX_DIGITS, refused_items
from consentry.service.pages.member_saved import just_saved
from consentry.service.pages.sign_in import with_session
from consentry.service.site import away, page

ROUTER = APIRouter()
Member = Annotated[Principal, Depends(Needs(Action.OWN_READ))]
Chooser = Annotated[Principal, Depends(Needs(Action.OWN_CHOOSE))]
N_ = str
AFFORDABLE = 12
"""How many sealed releases are looked into for the numbers beside the answers: the page has to come at once. Where
there are more of them, the numbers are a click away (`/me/check`)."""


async def _form(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=200)


Form = Annotated[FormData, Depends(_form)]


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
    except StateError as error:
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
    control: Control,
    who: Member,
    saved: Annotated[list[str], Query(max_length=10)] = [],  # noqa: B006 - never changed
) -> Response:
    """Show how each use stands, with what was just saved."""
    return _shown(request, control, who, done=just_saved(control, _person(who), positions=saved))


@ROUTER.get("/me/check")
def check(*, request: Request, control: Control, who: Member, purpose: str = "", category: str = "") -> Response:
    """Show in numbers what a no would undo, for each reach, before it is said."""
    person, use = _person(who), _block_of(control, who, purpose)
    categories = frozenset(each.category for each in use.kinds if each.category == category)
    effect = control.own_content.effect(person, Aim(purpose=use.purpose, categories=categories))
    return page(
        request,
        "member/check.html",
        use=use,
        kind=next((each for each in use.kinds if each.category in categories), None),
        effect=effect,
        reaches=say.REACHES,
    )


@ROUTER.post("/me/choices")
def choose(*, request: Request, control: Control, who: Chooser, form: Form) -> Response:
    """Record a choice, and lead back to the page that says what it does.

    A no is recorded before a yes is looked at: nothing that a yes lacks may hold it up.
    """
    wanted = {name: value for name, value in form.items() if isinstance(value, str)}
    use = _block_of(control, who, wanted.get("purpose", ""))
    positions: list[int] = []
    try:
        said = _asked(control, who, use, wanted)
        noes = (choice for choice in said if choice.state is not ChoiceState.ALLOWED)
        positions.extend(control.own_settings.choose(_person(who), choice, notice=None) for choice in noes)
        for choice in said:
            if choice.state is ChoiceState.ALLOWED:
                _require_read(use, wanted)
                notice = use.notice.name if use.notice else None
                positions.append(control.own_settings.choose(_person(who), choice, notice=notice))
    except NotFoundError:
        raise
    except StateError as error:
        saved = N_("your no is saved; the yes is not")
        problem = {"message": error.message, "help": saved if positions else error.help, "field": f"{use.purpose}-read"}
        done = just_saved(control, _person(who), positions=[str(each) for each in positions])
        return _shown(request, control, who, status=422, problem=problem, given=wanted, done=done)
    back, shown = _back(use, wanted)
    query = [("saved", str(each)) for each in positions] or [("unchanged", str(use.purpose))]
    return RedirectResponse(f"{back}?{urlencode([*shown, *query])}", 303)


def _back(use: Block, wanted: Mapping[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """Return the page that a form came from, and what it showed."""
    if wanted.get("what") != "items":
        return "/me", []
    shown = {"purpose": str(use.purpose), "category": wanted.get("category", ""), "number": wanted.get("number", "")}
    return "/me/items", [(name, value[:30]) for name, value in shown.items() if value]


def _asked(control: ControlPlane, who: Principal, use: Block, wanted: dict[str, str]) -> list[Choice]:
    """Return the choices that a form asks for; none where nothing would change.

    Raises:
        StateError: there is nothing to choose, or no answer was given.
    """
    if not use.can_choose:
        raise StateError("choice-not-offered", N_("this cannot be chosen now"), help=N_("the page says why"))
    reach = Reach(wanted["reach"]) if wanted.get("reach") in set(Reach) else Reach.EVERYTHING
    making = _Making(use, reach, control.desk.parts.clock())
    if wanted.get("what") == "items":
        return making.items(
            _items(control, who, wanted), refused=refused_items(control, _person(who), purpose=use.purpose)
        )
    return making.kinds(wanted) if wanted.get("what") == "kinds" else making.whole(wanted.get("answer", ""))


def _items(control: ControlPlane, who: Principal, wanted: Mapping[str, str]) -> dict[Pseudonym, str]:
    """Return the answers to single items, which stand in fields `item-N`, `corpus-N` and `answer-N`.

    Raises:
        NotFoundError: one of them is not theirs.
    """
    found = {}
    for name, id_ in wanted.items():
        field, _, number = name.partition("-")
        if field == "item" and wanted.get(f"answer-{number}"):
            item = control.own_content.own_item(_person(who), wanted.get(f"corpus-{number}", ""), id=id_)
            found[item] = wanted[f"answer-{number}"]
    return found


@dataclass(frozen=True, slots=True)
class _Making:
    use: Block
    reach: Reach
    at: int

    def choice(
        self, state: ChoiceState, *, categories: Sequence[Category] = (), items: frozenset[str] = frozenset()
    ) -> Choice:
        # A choice that is no refusal reaches nowhere; the word stands in the ledger all the same.
        reach = self.reach if state is ChoiceState.REFUSED else Reach.UNTRAINED
        return Choice(
            purpose=self.use.purpose,
            state=state,
            reach=reach,
            at=self.at,
            categories=frozenset(categories),
            items=items,
        )

    def whole(self, answer: str) -> list[Choice]:
        if answer == "no":
            # Said again with the same reach, it would say nothing new.
            again = self.use.no is not None and self.use.no.reach is self.reach
            return [] if again else [self.choice(ChoiceState.REFUSED)]
        if answer == "back" and not self.use.policy:
            return [self.choice(ChoiceState.UNSET)]
        if answer == "yes":
            stays = self.use.answer == "yes"
            return [] if stays else [self.choice(ChoiceState.ALLOWED)]
        raise StateError("choice-no-answer", N_("choose yes or no"), help=N_("then press Save"))

    def items(self, answers: Mapping[Pseudonym, str], *, refused: Collection[str]) -> list[Choice]:
        """Say no to what was not refused before, and take back what was; a yes to one item is no choice of its own."""
        known = {item: item[:KEY_HEX_DIGITS] in refused for item in answers}
        off = frozenset(item for item, answer in answers.items() if answer == "no" and not known[item])
        back = frozenset(item for item, answer in answers.items() if answer == "yes" and known[item])
        made = [self.choice(ChoiceState.REFUSED, items=off)] if off else []
        return made + ([self.choice(ChoiceState.UNSET, items=back)] if back else [])

    def kinds(self, wanted: dict[str, str]) -> list[Choice]:
        answers = [(each, wanted.get(f"kind-{each.category}")) for each in self.use.kinds if each.can_choose]
        off = [each.category for each, answer in answers if answer == "no" and not each.refused]
        on = [each.category for each, answer in answers if answer == "yes" and (each.refused or not each.on)]
        on = [each for each in on if self.use.answer != "yes" or _is_refused(self.use, each)]
        made = [self.choice(ChoiceState.REFUSED, categories=off)] if off else []
        return made + ([self.choice(ChoiceState.ALLOWED, categories=on)] if on else [])


def _is_refused(use: Block, category: Category) -> bool:
    return any(each.refused for each in use.kinds if each.category is category)


def _require_read(use: Block, wanted: dict[str, str]) -> None:
    if use.notice is None:
        return
    if wanted.get("read") != "yes":
        raise StateError(
            "choice-notice-unread",
            N_("tick that you have read the notice, or leave it at no"),
            help=N_("the notice says what your content would be used for; nothing has changed"),
        )
    if wanted.get("version") != f"{use.notice.name}/{use.notice.number}":
        raise StateError(
            "choice-notice-newer",
            N_("the notice has changed: please read it again"),
            help=N_("nothing has changed for you"),
        )


def _person(who: Principal) -> str:
    assert who.person is not None  # the table gives these actions to members only
    return who.person


def _block_of(control: ControlPlane, who: Principal, purpose: str) -> Block:
    found = blocks(control, _person(who), from_notice=who.facts.get("notice", ""))
    use = next((each for each in found if each.purpose == purpose), None)
    if use is None:
        raise StateError("choice-no-such-use", "nothing is decided here about this use", help="open your page again")
    return use


def _effects(control: ControlPlane, person: str, found: Sequence[Block]) -> dict[str, Effect]:
    """Return in numbers what a no would undo, of each use that can be chosen, as far as that comes at once."""
    content, left, effects = control.own_content, AFFORDABLE, {}
    for use in found:
        if not use.policy or not use.can_choose:
            continue
        left -= len(content.concerned(use.purpose))
        if left >= 0:
            effects[str(use.purpose)] = content.effect(person, Aim(purpose=use.purpose))
    return effects


def _shown(
    request: Request,
    control: ControlPlane,
    who: Principal,
    *,
    status: int = 200,
    done: Sequence[Mapping[str, Any]] = (),
    problem: dict[str, Any] | None = None,
    given: dict[str, str] | None = None,
) -> Response:
    found = blocks(control, _person(who), from_notice=who.facts.get("notice", ""))
    return page(
        request,
        "member/settings.html",
        status=status,
        headers={"vary": "accept-language, cookie, sec-gpc"},
        blocks=found,
        effects=_effects(control, _person(who), found),
        reaches=say.REACHES,
        done=done,
        problem=problem,
        given=given or {},
        signal=request.headers.get("sec-gpc") == "1",
    )
