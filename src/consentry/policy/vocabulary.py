"""The words a policy can use: purposes, categories, visibilities, ages, account states, legal bases.

Codes are positions in the enumerations below and are stored in sidecars: members are only ever appended.
"""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """What a use is for. A purpose covers the purposes below it (`parent`)."""

    TRAIN_AI = "train-ai"
    TRAIN_GENAI = "train-genai"
    TRAIN_GENAI_TEXT = "train-genai-text"
    TRAIN_GENAI_IMAGE = "train-genai-image"
    EVALUATE = "evaluate"
    SERVE = "serve"
    IMPROVE_FROM_FEEDBACK = "improve-from-feedback"

    @property
    def parent(self) -> Purpose | None:
        """The purpose that covers this one, or None at a root."""
        return _PARENT.get(self)

    @property
    def lineage(self) -> tuple[Purpose, ...]:
        """This purpose and everything that covers it, nearest first."""
        found: list[Purpose] = [self]
        while (parent := found[-1].parent) is not None:
            found.append(parent)
        return tuple(found)

    def covers(self, other: Purpose) -> bool:
        """Say whether a statement about this purpose is also about `other`."""
        return self in other.lineage


_PARENT: dict[Purpose, Purpose] = {
    Purpose.TRAIN_GENAI: Purpose.TRAIN_AI,
    Purpose.TRAIN_GENAI_TEXT: Purpose.TRAIN_GENAI,
    Purpose.TRAIN_GENAI_IMAGE: Purpose.TRAIN_GENAI,
}


class Category(StrEnum):
    """What kind of content an item is. `unknown` is a gap: it is never permitted."""

    UNKNOWN = "unknown"
    PROFILE = "profile"
    POST = "post"
    COMMENT = "comment"
    ARTICLE = "article"
    POLL_ANSWER = "poll-answer"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    RESUME = "resume"
    JOB_APPLICATION_ANSWER = "job-application-answer"
    GROUP_POST = "group-post"
    GROUP_MESSAGE = "group-message"
    DIRECT_MESSAGE = "direct-message"
    REACTION = "reaction"
    RECOMMENDATION = "recommendation"
    AI_PROMPT = "ai-prompt"
    AI_OUTPUT = "ai-output"
    AI_FEEDBACK = "ai-feedback"
    SALARY = "salary"
    CREDENTIAL = "credential"
    PAYMENT = "payment"


class Visibility(StrEnum):
    """Who could see an item on the platform."""

    UNKNOWN = "unknown"
    PUBLIC = "public"
    MEMBERS = "members"
    CONNECTIONS = "connections"
    GROUP = "group"
    PRIVATE = "private"


class Age(StrEnum):
    """Whether a person is of age. `unknown` is a gap."""

    UNKNOWN = "unknown"
    ADULT = "adult"
    MINOR = "minor"


class Account(StrEnum):
    """The state of a person's account with the platform. Items of a `closed` account are never used.

    `unknown` is where the platform says nothing: not every platform keeps such a state. What it says and nobody
    understands is `unclear`, which is a gap: the word may have meant closed.
    """

    UNKNOWN = "unknown"
    ACTIVE = "active"
    DORMANT = "dormant"
    CLOSED = "closed"
    NONE = "none"
    """A non-member: somebody that content is about."""
    UNCLEAR = "unclear"
    """There is a word for it that nobody mapped, or that says it is unknown."""


class ChoiceState(StrEnum):
    """What a person's choices add up to for one purpose and category."""

    UNSET = "unset"
    ALLOWED = "allowed"
    REFUSED = "refused"


class Reach(StrEnum):
    """What a refusal undoes."""

    FUTURE = "future"
    """Items created at or after the refusal."""
    UNTRAINED = "untrained"
    """Everything not yet in a sealed release."""
    EVERYTHING = "everything"
    """Sealed releases as well: they are amended, and models that used them are marked."""


class LegalBasis(StrEnum):
    """The grounds of GDPR Article 6(1)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal-obligation"
    VITAL_INTERESTS = "vital-interests"
    PUBLIC_TASK = "public-task"
    LEGITIMATE_INTERESTS = "legitimate-interests"

    @property
    def article(self) -> str:
        """The point of GDPR Article 6(1), for example `6(1)(f)`."""
        return f"6(1)({_POINT[self]})"

    @property
    def iri(self) -> str:
        """The term of the W3C Data Privacy Vocabulary, EU GDPR extension."""
        return f"https://w3id.org/dpv/legal/eu/gdpr#A6-1-{_POINT[self]}"


_POINT: dict[LegalBasis, str] = dict(zip(LegalBasis, "abcdef", strict=True))

CATEGORIES: tuple[Category, ...] = tuple(Category)
KNOWN_CATEGORIES: tuple[Category, ...] = tuple(each for each in Category if each is not Category.UNKNOWN)
VISIBILITIES: tuple[Visibility, ...] = tuple(Visibility)
AGES: tuple[Age, ...] = tuple(Age)
ACCOUNTS: tuple[Account, ...] = tuple(Account)
