"""What a page showed of each answer when it was opened: every form says it, so that an old page takes nothing back.

A page can be hours old when somebody presses Save on it, and a form sends all of its answers, also those that nobody
touched. So it says as well how each stood: the answer, and the position of what was said last about it. What was
not touched is recorded as nobody's choice; a yes only where it still stands as it was shown.

It is not signed: who changes it changes what they said themselves, and could have said the same on a new page.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from consentry.control_plane.own_content import shown_key
from consentry.ledger.state import Stated
from consentry.policy.vocabulary import Category
from consentry.release.own_items import OwnItem
from consentry.service.pages.member_blocks import Block

FIELD = "shown"
GONE = "none"
"""The answer where there is none to give."""
_ROW = re.compile(r"([a-z0-9-]{1,60})=(yes|no|none|)@(-1|[0-9]{1,15})")
_MOST = 200


class Row(NamedTuple):
    """How an answer stands: `yes`, `no`, `none`, or empty where they are asked; and the position of what was said last.

    That is -1 where nothing was said.
    """

    answer: str
    position: int


NOT_THERE = Row(GONE, -1)
Rows = Mapping[str, Row]
"""By the names that forms which wait have for answers: `answer`, `kind-CATEGORY`, `answer-KEY` of an item."""


def of_use(use: Block) -> dict[str, Row]:
    """Return how the answer about all of a use stands, and that about each kind in it."""
    found = {"answer": Row(use.answer if use.can_choose else GONE, _last(use.stated))}
    by_kind = use.can_choose and not use.no and not use.wider
    for each in use.kinds:
        stands = "no" if each.refused else "yes" if each.on or use.answer == "yes" else ""
        answer = stands if by_kind and each.can_choose else GONE
        found[f"kind-{each.category}"] = Row(answer, _last(use.stated, category=each.category))
    return found


def of_items(use: Block, items: Mapping[str, OwnItem], *, refused: Collection[str]) -> dict[str, Row]:
    """Return how the answers about single items stand; `items` are these and `refused` those refused, by their keys."""
    found = {}
    for key, item in items.items():
        stands = "no" if key in refused else "" if item.is_asked_for else "yes" if item.used or item.is_due else GONE
        position = _last(use.stated, category=item.category, key=key)
        found[f"answer-{key}"] = Row(stands if use.can_choose else GONE, position)
    return found


def written(rows: Rows) -> str:
    """Return rows as the text of the field."""
    return " ".join(f"{name}={row.answer}@{row.position}" for name, row in rows.items())


def read(form: Mapping[str, str]) -> dict[str, Row]:
    """Return the rows of the field of a form; what is not understood was not shown."""
    found = (_ROW.fullmatch(part) for part in form.get(FIELD, "").split(" ", _MOST)[:_MOST])
    return {each[1]: Row(each[2], int(each[3])) for each in found if each is not None}


def _last(said: Iterable[Stated], *, category: Category | None = None, key: str = "") -> int:
    """Return the position of what was said last about all of a use, or also about a category, or an item; else -1."""
    about = (
        each.position
        for each in said
        if each.choice.key.category in (None, category)
        and (each.choice.key.item is None or shown_key(each.choice.key.item) == key)
    )
    return max(about, default=-1)
