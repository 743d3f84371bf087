"""What collections from before hold of a member of whom nothing new is used: that is told, and can be left.

Also where no rules are in force any more: a policy set that was withdrawn takes back nothing that was sealed under it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consentry.control_plane.own_content import Effect
from consentry.control_plane.plane import ControlPlane
from consentry.policy.vocabulary import Reach
from consentry.release.situation import Situation
from consentry.service.pages import member_words as say
from consentry.service.pages.member_blocks import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How many collections hold something by or about a member.

    Attributes:
        read: may be read now. Of `unknown` that may be read nobody can tell any more whether they hold something.
        paused: may be read again once a suspension ends.
        looked: whether anybody looked; if not, it takes too long to do it here, and any may hold something.
        headline: what is said in place of that of the use.
    """

    headline: str
    read: int = 0
    unknown: int = 0
    paused: int = 0
    looked: bool = True


def reaching(control: ControlPlane, found: Sequence[Block]) -> list[Block]:
    """Return the uses by which something can leave what was made: those with rules, and then those without.

    Of those without, the ones that reach a release that none with rules does: else the choice is offered there.
    """
    concerned = {use.purpose: set(control.own_content.concerned(use.purpose)) for use in found}
    ruled = [use for use in found if use.policy]
    reached = {each for use in ruled for each in concerned[use.purpose]}
    others = [use for use in found if not use.policy and concerned[use.purpose] - reached]
    return [use for use in (*ruled, *others) if not use.erased]


def held_still(control: ControlPlane, found: Sequence[Block], *, effects: Mapping[str, Effect]) -> dict[str, Held]:
    """Return by use, where nothing new of theirs is used, what is held all the same; nothing where that is nothing.

    `effects` are what a no to each use would undo, as far as that was looked up. Whose use is suspended and nothing
    else is told of that, and not of the collections that are suspended with it.
    """
    held: dict[str, Held] = {}
    for use in reaching(control, found):
        if use.policy and use.situation not in say.HELD_STILL:
            continue
        effect = effects.get(use.purpose)
        if effect is None:
            held |= {} if use.reach is Reach.EVERYTHING else {use.purpose: Held(headline=_headline(use), looked=False)}
            continue
        stands = control.own_content.readable([*effect.releases, *effect.unknown])
        known = [stands[each] for each in effect.releases if each in stands]
        only_suspended = bool(use.obstacles) and all(each.suspends for each in use.obstacles)
        held[use.purpose] = Held(
            headline=_headline(use),
            read=known.count(True),
            unknown=[stands.get(each) for each in effect.unknown].count(True),
            paused=0 if only_suspended else known.count(False),
        )
    return {purpose: each for purpose, each in held.items() if each != Held(headline=each.headline)}


def told_of(found: Sequence[Block], held: Mapping[str, Held]) -> list[Block]:
    """Return the uses to tell of: one that nobody decides about where they spoke, or something of theirs is held."""
    return [use for use in found if use.policy or use.stated or use.purpose in held]


def _headline(use: Block) -> str:
    if use.minor:
        return say.HELD_STILL_MINOR
    # A yes turns nothing on that nobody decides about.
    stands = use.situation if use.policy or use.situation is Situation.OFF else Situation.STOPPED
    return say.HELD_STILL.get(stands, use.headline)
