"""What the page of a member shows of each use: plain values, made of what the verbs return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from consentry.control_plane.own_settings import Counted, Missing, OwnUse
from consentry.control_plane.plane import ControlPlane
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade, Pseudonym
from consentry.ledger.state import Stated
from consentry.oversight.order import Order
from consentry.policy.choice import LiveChoice, Seconds
from consentry.policy.evaluator import Reason, ReasonKind
from consentry.policy.expressions import Effect, GapKind, Part, Rule
from consentry.policy.policy_set import SignalMeaning, Signals
from consentry.policy.vocabulary import Age, Category, ChoiceState, LegalBasis, Purpose, Reach
from consentry.release.situation import KindStands, Situation
from consentry.service.languages import DEFAULT
from consentry.service.pages.member_notice import NoticeShown, named_by, notice_for, own_description
from consentry.service.pages.member_words import (
    BADGES,
    BASES,
    HEADLINES,
    KINDS,
    NOT_AGREED,
    OFF_IN_PART,
    OLDER_LEFT,
    ORIGINS,
    OTHERS,
    PURPOSES,
    SOURCES,
    Told,
    due,
    told,
    told_unmet,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why there is nothing to choose. `areas` are codes; `since` is None where no date is known.

    What `suspends` is an order, of the platform or an authority; the rest is what the rules say.
    """

    told: Told
    since: Seconds | None = None
    areas: Sequence[str] = ()
    reference: str = ""
    suspends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of content in the list of a use. `against`: why none can be used, where others can."""

    category: Category
    word: str
    items: int
    used: int
    why_not: Sequence[tuple[Told, int]]
    permitted: bool
    on: bool
    refused: bool
    reach: Reach | None
    """How far back their own no to this kind goes, for this use; None if there is none."""
    can_choose: bool
    against: Sequence[Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something the person said that counts: when, where, and how far back it reaches."""

    at: Seconds
    position: int
    source: str
    reach: Reach
    purpose: str
    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A use on the page.

    Attributes:
        since: of the state in words; None if not known.
        no: the refusal of all of it that counts, None if there is none or it is about this use as it stands.
        spoke: whether they said anything about it, if only to take it back. `stated` is what counts of it.
        wider: refusals of all of it that were said about another use, or with another account: they count here too.
        notice: what to read of this use; `to_read` is that, and what to read of the uses below that it turns on.
        places: codes of where they may live; several if it is not known which. `established` says whether anything
            but a weak sign, such as the time zone of a device, says so.
        orders: those that stand against any of it, by id.
        missing: when what they said about it may have been lost, if they said nothing about it since.
        kinds: what they have, and what the rules permit; `never` are kinds that no rule permits.
        beside: how many items by others involve them.
    """

    purpose: Purpose
    title: str
    situation: Situation
    badge: tuple[str, str]
    headline: str
    since: Seconds | None
    begins: Seconds | None
    agreed: bool
    spoke: bool
    stated: Sequence[Stated]
    yes: Said | None
    no: Said | None
    wider: Sequence[Said]
    legal_bases: Sequence[LegalBasis]
    own_words: Sequence[Rule]
    """The rules that permit it: each sentence once."""
    policy: str
    rules_since: Seconds | None
    notice: NoticeShown | None
    served: Mapping[str, Seconds]
    places: Sequence[str]
    established: bool
    obstacles: Sequence[Obstacle]
    orders: Mapping[str, Order]
    kinds: Sequence[Kind]
    never: Sequence[Kind]
    beside: int
    complete: bool
    erased: bool
    missing: Missing | None
    minor: bool
    signal: SignalMeaning
    to_read: Sequence[NoticeShown] = ()

    @property
    def bases(self) -> list[str]:
        """The legal bases, each in a sentence."""
        return [BASES[each] for each in self.legal_bases]

    @property
    def can_choose(self) -> bool:
        """Whether there is a choice to offer."""
        return self.situation is not Situation.STOPPED and not self.erased

    @property
    def answer(self) -> str:
        """Which answer is chosen as it stands: `yes`, `no`, or neither where they are asked and have not answered."""
        if self.situation is Situation.OFF:
            return "no" if self.no or self.wider else ""
        return "" if self.situation is Situation.ASKS else "yes"

    @property
    def reach(self) -> Reach | None:
        """How far back their no to this use itself goes; None if there is none."""
        own = [each.reach for each in (self.no, *self.wider) if each and each.mine and each.purpose == self.title]
        return max(own, key=list(Reach).index, default=None)

    @property
    def reaches(self) -> list[Reach]:
        """How far back a no can be made to go: no less far than the one that stands."""
        return list(Reach)[0 if self.reach is None else list(Reach).index(self.reach) :]

    @property
    def pins(self) -> str:
        """What a form sends back of all there is to read."""
        return " ".join(each.pin for each in self.to_read)

    @property
    def read(self) -> str | None:
        """What is recorded of all there is to read; None if there is nothing."""
        return ", ".join(each.read for each in self.to_read) or None

    @property
    def items(self) -> int:
        """How many items they have."""
        return sum(each.items for each in (*self.kinds, *self.never))

    @property
    def used(self) -> int:
        """How many of these may be used."""
        return sum(each.used for each in (*self.kinds, *self.never))


def blocks(control: ControlPlane, person: Pseudonym, *, from_notice: str = "", language: str = DEFAULT) -> list[Block]:
    """Return every use as the page shows it, in a language.

    `from_notice` is the notice that led the person here, if one did.
    """
    uses = control.own_settings.uses(person)
    events = {event.position: event for event in control.own_settings.history(person)} if uses else {}
    further = [from_notice] if from_notice else []
    about = {use.purpose: set(_notices_of(use)) for use in uses}
    found = []
    for use in uses:
        elsewhere = set().union(*about.values()) - about[use.purpose]
        told = [each for each in (*further, *use.served) if each not in elsewhere]
        shown = notice_for(control, [*named_by(use.stands.permits), *told], language=language)
        shown = shown or own_description(use, language=language)
        found.append(_block(use, person=person, events=events, notice=shown))
    return [replace(each, to_read=_to_read(each, found)) for each in found]


def _notices_of(use: OwnUse) -> list[str]:
    """Return the notices that the rules about a use wait for, whoever they are about."""
    rules = () if use.policy is None else use.policy.rules
    return named_by([each for each in rules if each.effect is Effect.PERMIT and each.applies_to(use.purpose)])


def _to_read(use: Block, found: Sequence[Block]) -> list[NoticeShown]:
    """Return what to read before what takes a no to a use back: of it, and of those below that it may turn on."""
    below = [each for each in found if use.purpose in each.purpose.lineage and each is not use]
    opened = [each for each in below if each.can_choose and each.no is None and each.answer != "yes"]
    notices = [each.notice for each in (use, *opened) if each.notice is not None]
    return list({each.pin: each for each in notices}.values())


def _block(use: OwnUse, *, person: Pseudonym, events: Mapping[int, Event], notice: NoticeShown | None) -> Block:
    found = use.stands
    whole = [_said(each, events, person) for each in use.said if each.choice in found.whole]
    own = [each for each in whole if each.mine and each.purpose == PURPOSES[use.purpose]]
    yes = [_said(each, events, person) for each in use.said if found.agreed and _is_yes(each)]
    mine = [each.choice for each in use.said if _said(each, events, person).mine]
    kinds, never = _kinds(use, reaches=_own_reaches(mine, use.purpose))
    no = own[0] if own else None
    since = no.at if no else whole[0].at if whole else _since(use, yes=yes[-1].at if yes else None)
    in_part = found.situation is Situation.OFF and _leaves_some(use, whole)
    return Block(
        purpose=use.purpose,
        title=PURPOSES[use.purpose],
        situation=found.situation,
        badge=OFF_IN_PART if in_part else BADGES[found.situation],
        headline=OLDER_LEFT if in_part else HEADLINES[found.situation],
        since=None if found.situation is Situation.STOPPED else since,
        begins=found.begins,
        agreed=found.agreed,
        spoke=use.spoke,
        stated=use.said,
        yes=yes[-1] if yes else None,
        no=no,
        wider=[each for each in whole if each is not no],
        legal_bases=[basis for basis in LegalBasis if basis in {rule.legal_basis for rule in found.permits}],
        own_words=list({(rule.why, rule.why_in): rule for rule in found.permits}.values()),
        policy="" if use.policy is None else f"{use.policy.name}, {use.policy.version}",
        rules_since=use.since,
        notice=notice,
        served=use.served,
        places=sorted(each for each in use.places if not any(part.startswith(f"{each}-") for part in use.places)),
        established=use.established,
        obstacles=_obstacles(use),
        orders=use.orders,
        kinds=kinds,
        never=never,
        beside=use.beside,
        complete=use.complete,
        erased=use.erased,
        missing=use.missing,
        signal=(Signals() if use.policy is None else use.policy.signals).global_privacy_control,
        minor=any(_is_about_age(use, reason) for reason in _in_the_way(use)),
    )


def _leaves_some(use: OwnUse, whole: Sequence[Said]) -> bool:
    """Say whether older content may be used all the same: what cannot be counted may be, where no no reaches it."""
    new_only = bool(whole) and all(each.reach is Reach.FUTURE for each in whole)
    return any(each.used or each.due for each in use.counted.values()) or (new_only and not use.complete)


def _is_yes(stated: Stated) -> bool:
    return stated.choice.state is ChoiceState.ALLOWED and stated.choice.key.item is None


def _said(stated: Stated, events: Mapping[int, Event], person: Pseudonym) -> Said:
    position, choice = stated.position, stated.choice
    body = events[position].body if position in events else None
    chosen = body if isinstance(body, ChoiceMade) else None
    return Said(
        at=choice.at,
        position=position,
        source=SOURCES[chosen.source] if chosen else "",
        reach=choice.reach,
        purpose=PURPOSES[choice.key.purpose],
        mine=chosen is not None and chosen.person == person,
    )


def _since(use: OwnUse, *, yes: Seconds | None) -> Seconds | None:
    """Return since when a use is as it is: their `yes`, or the rules, whichever set of them came to the same.

    If it was suspended for them after that, or they took back what they said: since then.
    """
    since = use.held.since if yes is None else yes
    later = [use.resumed, use.taken_back if yes is None else None]
    return None if since is None else max([since, *(each for each in later if each is not None)])


def _in_the_way(use: OwnUse) -> list[Reason]:
    """Return the obstacles. That somebody is not known at all explains every other gap: only that is told."""
    unknown = [
        each for each in use.stands.obstacles if each.kind is ReasonKind.GAP and each.reference == GapKind.PERSON
    ]
    return [each for each in use.stands.obstacles if each.kind is not ReasonKind.GAP or not unknown or each in unknown]


def _obstacles(use: OwnUse) -> list[Obstacle]:
    found = []
    for reason in _in_the_way(use):
        order = use.orders.get(reason.reference)
        if reason.kind is ReasonKind.SUSPENDED and order is not None:
            areas, said = sorted(order.scope.areas), Told(ORIGINS[order.origin])
            found.append(Obstacle(told=said, since=order.at, areas=areas, reference=order.reference, suspends=True))
        elif reason.kind is ReasonKind.NOT_PERMITTED:
            found += [
                Obstacle(told=each, since=use.held.obstacles.get(reason)) for each in told_unmet(use.stands.unmet)
            ]
        elif reason.kind is not ReasonKind.REFUSED:
            rule = _rule(use, reason)
            since = use.held.obstacles.get(reason) if reason.kind is ReasonKind.FORBIDDEN else None
            areas = sorted(rule.inside) if rule is not None else []
            found.append(Obstacle(told=told(reason, rule=rule), since=since, areas=areas))
    return found


def _rule(use: OwnUse, reason: Reason) -> Rule | None:
    rules = () if use.policy is None else use.policy.rules
    return next((rule for rule in rules if rule.id == reason.reference and rule.effect is not Effect.SUSPEND), None)


def _is_about_age(use: OwnUse, reason: Reason) -> bool:
    if reason.kind is ReasonKind.GAP:
        return reason.reference == GapKind.AGE
    if reason.kind is ReasonKind.NOT_PERMITTED and Part.AGE in use.stands.unmet:
        rules = () if use.policy is None else use.policy.rules
        ages = {each.ages for each in rules if each.effect is Effect.PERMIT and each.applies_to(use.purpose)}
        return ages == {frozenset({Age.ADULT})}
    rule = _rule(use, reason) if reason.kind is ReasonKind.FORBIDDEN else None
    return rule is not None and Age.MINOR in rule.ages


def _kinds(use: OwnUse, *, reaches: Mapping[Category | None, Reach]) -> tuple[list[Kind], list[Kind]]:
    permitted = {each.category: each for each in use.stands.kinds}
    kinds: list[Kind] = []
    never: list[Kind] = []
    for category in Category:
        stands, counted = permitted.get(category), use.counted.get(category, Counted())
        if stands is None and not counted.items:
            continue
        kind = Kind(
            category=category,
            word=KINDS[category],
            items=counted.items,
            used=counted.used,
            why_not=_why_not(use, counted),
            permitted=stands is not None,
            on=stands is not None and stands.on,
            refused=stands is not None and stands.refused,
            reach=reaches.get(category),
            can_choose=stands is not None and stands.can_choose,
            against=() if stands is None or use.stands.obstacles else _against(use, stands),
        )
        (kinds if stands is not None else never).append(kind)
    return kinds, never


def _own_reaches(said: Iterable[LiveChoice], purpose: Purpose) -> dict[Category | None, Reach]:
    """Return how far back each no goes that somebody said to a kind, for a use."""
    noes = (each for each in said if each.state is ChoiceState.REFUSED and each.key.item is None)
    return {each.key.category: each.reach for each in noes if each.key.purpose is purpose}


def _why_not(use: OwnUse, counted: Counted) -> list[tuple[Told, int]]:
    found = []
    for reason, count in counted.why_not.items():
        if reason.kind is not ReasonKind.NOT_PERMITTED:
            found.append((_told(use, reason), count))
    found += [(told_unmet(unmet)[0], count) for unmet, count in counted.unmet.items()]
    found += [(due(begins), count) for begins, count in counted.due.items()]
    if counted.asked_for:
        found.append((Told(NOT_AGREED), counted.asked_for))
    if counted.others:
        found.append((Told(OTHERS), counted.others))
    return found


def _told(use: OwnUse, reason: Reason) -> Told:
    return told(reason, rule=_rule(use, reason), order=use.orders.get(reason.reference))


def _against(use: OwnUse, stands: KindStands) -> list[Told]:
    """Return the reasons in words, each once; that nothing permits it only where there is no other."""
    telling = [_told(use, each) for each in stands.against if each.kind is not ReasonKind.NOT_PERMITTED]
    return list(dict.fromkeys(telling)) or (told_unmet(stands.unmet) if stands.against else [])
