"""The kinds of content on the made-up network, in its own words, and how often each occurs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from consentry.connectors.synthetic import phrases
from consentry.connectors.synthetic.phrases import Phrases
from consentry.policy.vocabulary import Category, Visibility


class Kind(NamedTuple):
    """One kind of content.

    `category` is None for a word that the descriptor does not know. `style` is None for content without words.
    `audiences` are visibilities in the network's words, one of which is drawn. `others` is how many further people are
    involved: with chance `others[0]`, from one to `others[1]` of them.
    """

    word: str
    category: Category | None
    share: float
    style: Mapping[str, Phrases] | None
    audiences: tuple[str, ...]
    others: tuple[float, int] = (0.0, 0)
    media: str | None = None


AUDIENCES: Mapping[str, Visibility] = {
    "anyone": Visibility.PUBLIC,
    "signed-in": Visibility.MEMBERS,
    "network": Visibility.CONNECTIONS,
    "group": Visibility.GROUP,
    "participants": Visibility.PRIVATE,
}

_OPEN = ("anyone", "anyone", "anyone", "signed-in", "network")
_GROUP = ("group",)
_PRIVATE = ("participants",)

KINDS: tuple[Kind, ...] = (
    Kind("status_update", Category.POST, 0.30, phrases.TALK, _OPEN, (0.12, 3)),
    Kind("comment", Category.COMMENT, 0.21, phrases.TALK, _OPEN, (0.15, 1)),
    Kind("direct_message", Category.DIRECT_MESSAGE, 0.08, phrases.NOTE, _PRIVATE, (1.0, 1)),
    Kind("reaction", Category.REACTION, 0.08, phrases.REACTION, _OPEN),
    Kind("photo", Category.IMAGE, 0.06, None, _OPEN, (0.18, 3), "jpg"),
    Kind("group_post", Category.GROUP_POST, 0.05, phrases.TALK, _GROUP, (0.05, 2)),
    Kind("profile_section", Category.PROFILE, 0.045, phrases.RESUME, ("anyone", "signed-in")),
    Kind("group_message", Category.GROUP_MESSAGE, 0.03, phrases.NOTE, _PRIVATE, (1.0, 6)),
    Kind("resume", Category.RESUME, 0.02, phrases.RESUME, _PRIVATE),
    Kind("article", Category.ARTICLE, 0.02, phrases.TALK, ("anyone",), (0.1, 2)),
    Kind("application_answer", Category.JOB_APPLICATION_ANSWER, 0.02, phrases.ANSWER, _PRIVATE),
    Kind("assistant_prompt", Category.AI_PROMPT, 0.02, phrases.PROMPT, _PRIVATE),
    Kind("poll_vote", Category.POLL_ANSWER, 0.018, phrases.REACTION, ("signed-in", "network")),
    Kind("assistant_draft", Category.AI_OUTPUT, 0.012, phrases.NOTE, _PRIVATE),
    Kind("recommendation", Category.RECOMMENDATION, 0.01, phrases.TALK, ("anyone", "network"), (1.0, 1)),
    Kind("certificate", Category.CREDENTIAL, 0.008, phrases.PAPER, ("anyone", "network")),
    Kind("salary_entry", Category.SALARY, 0.007, phrases.SALARY, _PRIVATE),
    Kind("assistant_rating", Category.AI_FEEDBACK, 0.007, phrases.RATING, _PRIVATE),
    Kind("video", Category.VIDEO, 0.005, None, _OPEN, (0.2, 2), "mp4"),
    Kind("invoice", Category.PAYMENT, 0.004, phrases.PAPER, _PRIVATE),
    Kind("voice_note", Category.AUDIO, 0.003, None, _PRIVATE, (1.0, 1), "ogg"),
    Kind("story_highlight_v2", None, 0.002, phrases.TALK, _OPEN),
)
