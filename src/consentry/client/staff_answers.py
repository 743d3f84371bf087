"""What a server answers to staff, about objections, notices and policy sets, as types.

Made of its description by `tests/service/client_answers.py`: write nothing in here.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from consentry.client.answers import Purpose

Effect = Literal["permit", "forbid", "suspend"]
LawfulGround = Literal["manifestly-unfounded", "excessive", "not-identifiable", "compelling-grounds", "legal-claims"]
LegalBasis = Literal[
    "consent",
    "contract",
    "legal-obligation",
    "vital-interests",
    "public-task",
    "legitimate-interests",
]
ObjectionState = Literal["received", "looked-at", "asked", "matched", "not-found", "declined", "withdrawn"]
ProposalEnd = Literal["published", "withdrawn"]


class BeforeAndAfter(TypedDict):
    """How many items, and how many afterwards."""

    before: int
    after: int


class Checked(TypedDict):
    """What is wrong with a text; nothing in both lists: it can be proposed. Then `differences` and `effects` count."""

    problems: list[Wrong]
    failing: list[Failing]
    name: str | None
    version: str | None
    against: list[str]
    differences: list[str] | None
    effects: list[PolicyEffect]


class Differences(TypedDict):
    """What changes from one policy set to another, in words: rules, and answers."""

    differences: list[str]


class Failing(TypedDict):
    """An example of a policy set that does not hold."""

    title: str
    line: int
    failure: str


class Filed(TypedDict):
    """It is durable. `link` is a secret of the objector's, shown once: `/object/follow/LINK` is their private page.

    It is null in the answer to a request that was sent again: it was shown, and is kept nowhere.
    """

    objection: str
    link: str | None
    position: int
    received: int
    due: int


class Notice(TypedDict):
    """A notice, its versions and servings oldest first."""

    notice: str
    versions: list[NoticeVersion]
    servings: list[Serving]


class NoticeText(TypedDict):
    """A text of a notice, and the languages it is in."""

    languages: list[str]
    document: str


class NoticeVersion(TypedDict):
    """What a notice says: one text, or one for each of its languages. `document` is the one that was written first."""

    number: int
    document: str
    languages: list[str]
    texts: list[NoticeText]
    channel: str
    audience: str
    by: str | None
    position: int
    at: int


class Objection(TypedDict):
    """An objection, without a word of what was written."""

    objection: str
    purpose: Purpose
    state: ObjectionState
    position: int
    received: int
    due: int
    overdue: bool
    by: str | None
    extended: int
    ground: LawfulGround | None
    people: int
    items: int
    messages: int
    changed: int
    erased: bool


class ObjectionEvent(TypedDict):
    """Something that was said about it. What `words` holds depends on `what`."""

    position: int
    at: int
    what: str
    words: dict[str, Any]


class PolicyEffect(TypedDict):
    """What would change of what is used for a purpose, counted from the census.

    What decides about the purpose now is compared with what would if the set were published. `release` is the newest,
    if there is one. Numbers by place, category and reason are changes. `undecided` items depend on when they were
    created; those `involving_several` people may be denied because of them.
    `problem` says why nothing could be counted, and then there are no numbers.
    """

    corpus: str
    purpose: Purpose
    release: str | None
    problem: str
    undecided: int | None
    involving_several: int | None
    eligible: BeforeAndAfter | None
    by_place: dict[str, int]
    by_category: dict[str, int]
    by_reason: dict[str, int]


class PolicySet(TypedDict):
    """A policy set in force, from its position on. `title_in` is its title in other languages than English."""

    name: str
    version: str
    title: str
    title_in: dict[str, str]
    digest: str
    document: str
    position: int
    purposes: list[Purpose]
    notices: list[str]


class PolicyVersion(TypedDict):
    """A policy set that is or was in force under a name, from its position on."""

    version: str
    digest: str
    position: int


class PolicyVersions(TypedDict):
    """What was in force under a name, oldest first. The last one is."""

    versions: list[PolicyVersion]


class Proposal(TypedDict):
    """A proposed policy set. It comes into force with the approval of as many different people as are `needed`."""

    proposal: str
    name: str
    version: str
    document: str
    reason: str
    by: str
    position: int
    at: int
    approved: list[str]
    needed: int
    overtaken: bool
    ended: ProposalEnd | None
    ended_by: list[str]
    ended_at: int | None


class Rule(TypedDict):
    """A rule: what it does, and why. `why_in` says it in other languages than English."""

    id: str
    effect: Effect
    why: str
    why_in: dict[str, str]
    purposes: list[Purpose]
    legal_basis: LegalBasis | None


class Serving(TypedDict):
    """To how many people a notice was served at once; version 0: its text is kept elsewhere."""

    version: int
    people: int
    at: int
    position: int


class VersionText(TypedDict):
    """A version with its texts; `text` is the one that was written first."""

    number: int
    document: str
    languages: list[str]
    texts: list[NoticeText]
    channel: str
    audience: str
    by: str | None
    position: int
    at: int
    text: str
    contents: list[WholeText]


class WholeObjection(TypedDict):
    """An objection with everything that was said, oldest first, and the ids of exact duplicates."""

    objection: str
    purpose: Purpose
    state: ObjectionState
    position: int
    received: int
    due: int
    overdue: bool
    by: str | None
    extended: int
    ground: LawfulGround | None
    people: int
    items: int
    messages: int
    changed: int
    erased: bool
    course: list[ObjectionEvent]
    alike: list[str]


class WholePolicySet(TypedDict):
    """A policy set with its rules and its text (TOML)."""

    name: str
    version: str
    title: str
    title_in: dict[str, str]
    digest: str
    document: str
    position: int
    purposes: list[Purpose]
    notices: list[str]
    rules: list[Rule]
    text: str


class WholeProposal(TypedDict):
    """A proposal with its text (TOML), and while it is open what it would change.

    `against` names what `differences` are to: the set in force under its name, and those that decide now about what it
    is for. They are null where there is none.
    """

    proposal: str
    name: str
    version: str
    document: str
    reason: str
    by: str
    position: int
    at: int
    approved: list[str]
    needed: int
    overtaken: bool
    ended: ProposalEnd | None
    ended_by: list[str]
    ended_at: int | None
    text: str
    against: list[str]
    differences: list[str] | None
    effects: list[PolicyEffect]


class WholeText(TypedDict):
    """A text of a notice, in words."""

    languages: list[str]
    document: str
    text: str


class Wrong(TypedDict):
    """Something that is wrong with a text."""

    code: str
    line: int | None
    message: str
    help: str
