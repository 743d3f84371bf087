"""The words of the pages for members: what ours mean to somebody in a hurry. Templates translate what is marked here.

Each is a short sentence or the name of a thing, and says nothing that has to be looked up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from consentry.ledger.events import Source
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.oversight_events import Origin
from consentry.oversight.model_standing import Stage
from consentry.oversight.order import Order
from consentry.policy.choice import Seconds
from consentry.policy.evaluator import Reason, ReasonKind
from consentry.policy.expressions import GapKind, Part, Rule
from consentry.policy.vocabulary import Category, ChoiceState, LegalBasis, Purpose, Reach
from consentry.release.own_items import Lack, OwnItem
from consentry.release.situation import Situation
from consentry.service.languages import N_

PURPOSES = {
    Purpose.TRAIN_AI: N_("Training of AI models of any kind"),
    Purpose.TRAIN_GENAI: N_("Training of AI that writes texts and makes pictures"),
    Purpose.TRAIN_GENAI_TEXT: N_("Training of AI that writes texts"),
    Purpose.TRAIN_GENAI_IMAGE: N_("Training of AI that makes pictures"),
    Purpose.EVALUATE: N_("Testing of AI models"),
    Purpose.SERVE: N_("Answers of an AI model to you"),
    Purpose.IMPROVE_FROM_FEEDBACK: N_("Improving AI models with feedback"),
}

BESIDES = {
    Purpose.TRAIN_AI: N_("Training of AI models of any kind, other than those below"),
    Purpose.TRAIN_GENAI: N_("Training of AI that writes texts and makes pictures, other than those below"),
}
"""Uses by the name that they have where one that belongs to them is decided apart."""

KINDS = {
    Category.UNKNOWN: N_("Content of an unknown kind"),
    Category.PROFILE: N_("Profile"),
    Category.POST: N_("Posts"),
    Category.COMMENT: N_("Comments"),
    Category.ARTICLE: N_("Articles"),
    Category.POLL_ANSWER: N_("Answers to polls"),
    Category.IMAGE: N_("Pictures"),
    Category.VIDEO: N_("Videos"),
    Category.AUDIO: N_("Sound recordings"),
    Category.RESUME: N_("Résumés"),
    Category.JOB_APPLICATION_ANSWER: N_("Answers in job applications"),
    Category.GROUP_POST: N_("Posts in groups"),
    Category.GROUP_MESSAGE: N_("Messages in groups"),
    Category.DIRECT_MESSAGE: N_("Private messages"),
    Category.REACTION: N_("Reactions"),
    Category.RECOMMENDATION: N_("Recommendations"),
    Category.AI_PROMPT: N_("What you asked an AI"),
    Category.AI_OUTPUT: N_("What an AI answered you"),
    Category.AI_FEEDBACK: N_("Your feedback on AI answers"),
    Category.SALARY: N_("Salary"),
    Category.CREDENTIAL: N_("Passwords and sign-in details"),
    Category.PAYMENT: N_("Payment details"),
}

WHICH_ITEMS = {"used": N_("Yes"), "left-out": N_("No")}
"""Which of their items somebody asks for: those AI may learn from, or the others."""

ITEM_ORDERS = {"oldest": N_("Oldest first")}
"""Other orders of their items than the newest first."""

BASES = {
    LegalBasis.CONSENT: N_("Consent: it is used only if you say yes, and you can take that back at any time."),
    LegalBasis.CONTRACT: N_("Contract: the platform says it needs this to do what it has agreed with you."),
    LegalBasis.LEGAL_OBLIGATION: N_("Legal obligation: the platform says that a law requires it."),
    LegalBasis.VITAL_INTERESTS: N_("Vital interests: the platform says that it protects somebody's life."),
    LegalBasis.PUBLIC_TASK: N_("Public task: the platform says that it does this in the public interest."),
    LegalBasis.LEGITIMATE_INTERESTS: N_(
        "Legitimate interests: the platform says that its interest weighs more than yours. "
        "You can say no at any time, without a reason."
    ),
}

SOURCES = {
    Source.SETTINGS: N_("on this page or in your settings"),
    Source.FORM: N_("with a form"),
    Source.IMPORT: N_("on the platform, which told us"),
    Source.SIGNAL: N_("with a signal of your browser"),
}

ORIGINS = {
    Origin.OWN_DECISION: N_("The platform has stopped this use itself."),
    Origin.AUTHORITY_REQUEST: N_("A data protection authority has asked the platform to stop this use."),
    Origin.COURT_UNDERTAKING: N_("The platform has promised a court to stop this use."),
    Origin.BINDING_ORDER: N_("An authority has ordered the platform to stop this use."),
    Origin.AUTHORITY: N_("A data protection authority has stopped this use itself."),
}

STATES = {
    ChoiceState.REFUSED: N_("You said no"),
    ChoiceState.ALLOWED: N_("You said yes"),
    ChoiceState.UNSET: N_("You took back what you said before"),
}

REACHES = {
    Reach.EVERYTHING: N_("Everything: what you have, and what is already in collections for training"),
    Reach.UNTRAINED: N_("Everything that is not yet in a collection for training"),
    Reach.FUTURE: N_("Only what you create from now on"),
}

GAPS = {
    GapKind.OWNER: N_("We do not know whose content it is."),
    GapKind.PERSON: N_("The platform has told us nothing about you yet."),
    GapKind.RESIDENCE: N_("We do not know for sure where you live."),
    GapKind.SUBDIVISION: N_("We know your country, but not the part of it that the rules ask for."),
    GapKind.AGE: N_("We do not know how old you are."),
    GapKind.CATEGORY: N_("We do not know what kind of content it is."),
    GapKind.VISIBILITY: N_("We do not know who could see it."),
    GapKind.CREATED: N_("We do not know when it was created."),
    GapKind.ACCOUNT: N_("We do not know what state your account is in."),
}

ADVICE = {
    GapKind.PERSON: N_("If you have just joined, look again tomorrow. Otherwise tell the platform."),
    GapKind.RESIDENCE: N_(
        "Add your country in the profile of each account that you have if you want it to be known. You need not."
    ),
    GapKind.SUBDIVISION: N_("Add your state or province in your profile if you want it to be known. You need not."),
    GapKind.AGE: N_("Add your date of birth in your profile if you want it to be known. You need not."),
    GapKind.ACCOUNT: N_("Ask the platform about your account."),
}

MEANINGS = {
    ReasonKind.REFUSED: N_("You said no."),
    ReasonKind.OBJECTED: N_("Somebody objected to this item."),
    ReasonKind.ACCOUNT_CLOSED: N_("Your account is closed."),
    ReasonKind.SUSPENDED: N_("The use is suspended."),
    ReasonKind.FORBIDDEN: N_("The rules leave this out."),
    ReasonKind.NOT_PERMITTED: N_("Nothing permits this use."),
}
UNMET = {
    Part.CATEGORY: MEANINGS[ReasonKind.FORBIDDEN],
    Part.AGE: N_("The rules do not permit this use at your age."),
    Part.PLACE: N_("The rules do not permit this use where you live."),
    Part.CREATED: N_("The rules do not permit this use, because of when it was created."),
    Part.VISIBILITY: N_("The rules do not permit this use, because of who could see it."),
}
"""Why nothing permits a use, what is plainest first."""
OTHERS = N_("Somebody else appears in it whose content may not be used.")
NOT_TOLD = N_("Not yet: you have not been told about this use.")
NOT_BEFORE = N_("Not yet: from %(day)s, unless you say no.")
NOT_AGREED = N_("You have not said yes.")

HEADLINES = {
    Situation.ON: N_("Your content may be used."),
    Situation.WAITING: N_("Your content is not used before you had time to say no."),
    Situation.ASKS: N_("Nothing is used unless you say yes."),
    Situation.OFF: N_("You said no."),
    Situation.STOPPED: N_("Your content is not used, and there is nothing you need to do."),
}
HELD_STILL = {
    Situation.WAITING: N_("Nothing of yours goes into a new collection before you had time to say no."),
    Situation.ASKS: N_("Nothing of yours goes into a new collection unless you say yes."),
    Situation.STOPPED: N_("Nothing of yours goes into a new collection."),
}
"""Said in place of a headline where collections that were made before hold something of theirs and may be read."""
HELD_STILL_MINOR = N_("Nothing of yours goes into a new collection, because of your age.")
BADGES = {
    Situation.ON: (N_("On"), "go"),
    Situation.WAITING: (N_("Not yet"), "hold"),
    Situation.ASKS: (N_("Off"), "plain"),
    Situation.OFF: (N_("Off"), "stop"),
    Situation.STOPPED: (N_("Off"), "hold"),
}

OFF_IN_PART = N_("Off in part"), "hold"
OLDER_LEFT = N_("You said no to new content only. Older content may still be used.")
"""Where a no goes back no further than to the day it was said."""

STAGES = {
    Stage.AFFECTED: N_(
        "It is marked since %(day)s: it learned from something that was taken back later. "
        "The platform has to say what it does about that."
    ),
    Stage.REMEDY_CHOSEN: N_(
        "It learned from something that was taken back later. On %(day)s the platform said what it will do:"
    ),
    Stage.REMEDIED: N_("It had learned from something that was taken back later. On %(day)s this was done:"),
    Stage.WITHDRAWN: N_("It is not used any more since %(day)s."),
    Stage.DESTROYED: N_("It was destroyed on %(day)s."),
}
REMEDIES = {
    Remedy.RETRAIN: N_("It is trained again without that."),
    Remedy.RETRAIN_SHARD: N_("The part that learned from it is trained again."),
    Remedy.DROP_ADAPTER: N_("The part that learned from it is taken out."),
    Remedy.ACCEPT: N_("It stays as it is, for a reason that two people approved."),
}
"""What became of a model; nothing is said of one that is clear."""


class Told(NamedTuple):
    """A reason in words; `text` may name a `day`.

    `rule` is the one whose own sentence says more, in the languages it was written in. Of an order it says `since` when
    it holds, and the codes of the `areas` where.
    """

    text: str
    rule: Rule | None = None
    advice: str = ""
    day: Seconds | None = None
    since: Seconds | None = None
    areas: tuple[str, ...] = ()


def told(reason: Reason, *, rule: Rule | None = None, order: Order | None = None) -> Told:
    """Return a reason in words; `rule` or `order` is the one that it names."""
    if reason.kind is ReasonKind.SUSPENDED and order is not None:
        return Told(ORIGINS[order.origin], since=order.at, areas=tuple(sorted(order.scope.areas)))
    if reason.kind is ReasonKind.GAP:
        gap = GapKind(reason.reference)
        return Told(GAPS[gap], advice=ADVICE.get(gap, ""))
    return Told(MEANINGS.get(reason.kind, MEANINGS[ReasonKind.NOT_PERMITTED]), rule)


def told_unmet(unmet: Collection[Part]) -> list[Told]:
    """Return in words why nothing permits a use, each reason by itself."""
    return [Told(UNMET[part]) for part in UNMET if part in unmet] or [Told(MEANINGS[ReasonKind.NOT_PERMITTED])]


def due(begins: Seconds | None) -> Told:
    """Return why something is not used yet, for lack of time; `begins`: when it is."""
    return Told(NOT_TOLD) if begins is None else Told(NOT_BEFORE, day=begins)


def told_of(item: OwnItem, *, orders: Mapping[str, Order]) -> Told | None:
    """Return why an item is not used; None if it is. `orders` are those that may stand against it, by id."""
    if item.used:
        return None
    if item.decision.allowed or (item.lacks is not None and item.others):
        return Told(OTHERS)
    if item.lacks is Lack.TIME:
        return due(item.begins)
    if item.lacks is Lack.YES:
        return Told(NOT_AGREED)
    primary = item.decision.primary
    if primary.kind is ReasonKind.NOT_PERMITTED:
        return told_unmet(item.unmet)[0]
    return told(primary, order=orders.get(primary.reference))
