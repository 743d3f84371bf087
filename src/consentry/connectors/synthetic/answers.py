"""What the made-up people chose: a refusal by one in twelve, in every shape a real form and inbox brings."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import NamedTuple

from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach

_SETTING_SHOWN = 1_722_470_400
"""2024-08-01: the day the made-up network turned the use on and showed the setting."""
_LAST_ANSWER = 1_725_926_399
_EARLY = 1_675_209_600
_GUEST_REFUSALS = 0.3
_LIMITS = (
    (Category.IMAGE, Category.VIDEO),
    (Category.RESUME,),
    (Category.PROFILE, Category.RESUME),
    (Category.DIRECT_MESSAGE, Category.GROUP_MESSAGE),
    (Category.AI_PROMPT,),
)


class Answer(NamedTuple):
    """A row of the choices file."""

    person: str
    purpose: Purpose
    state: ChoiceState
    reach: Reach
    categories: str
    items: str
    at: int
    source: str


def answers(
    members: Sequence[str], guests: Sequence[str], *, items_of: Callable[[int], Sequence[str]], seed: int
) -> list[Answer]:
    """Return what members (and guests, and some who are not there yet) chose, in the order of time.

    `items_of` gives the ids of a member's items.
    """
    random = Random(f"{seed}/choices")  # noqa: S311  # made-up people, not secrets
    found: list[Answer] = []
    for number, person in enumerate(members):
        chance = random.random()
        if chance < 0.08:
            found += _refusal(random, person, items_of(number))
        elif chance < 0.095:
            found.append(_answer(random, person, state=ChoiceState.ALLOWED))
    found += [_answer(random, person, source="form") for person in guests if random.random() < _GUEST_REFUSALS]
    absent = max(1, len(members) // 1_000)
    found += [_answer(random, f"m9{number:05}", source="form") for number in range(absent)]
    return sorted(found, key=lambda answer: (answer.at, answer.person))


def _refusal(random: Random, person: str, items: Sequence[str]) -> list[Answer]:
    """Return a refusal, and what some people do about it later."""
    limit, single = "", ""
    if random.random() < 0.1:
        limit = ";".join(random.choice(_LIMITS))
    elif items and random.random() < 0.05:
        single = ";".join(random.sample(items, k=min(len(items), random.randint(1, 3))))
    first = _answer(random, person, categories=limit, items=single)
    if random.random() >= 0.08:
        return [first]
    state = random.choice((ChoiceState.UNSET, ChoiceState.ALLOWED))
    later = min(first.at + random.randint(60, 90 * 86_400), _LAST_ANSWER)
    return [first, first._replace(state=state, at=later, source="settings")]


def _answer(
    random: Random,
    person: str,
    *,
    state: ChoiceState = ChoiceState.REFUSED,
    categories: str = "",
    items: str = "",
    source: str | None = None,
) -> Answer:
    purposes = (Purpose.TRAIN_GENAI, Purpose.TRAIN_AI, Purpose.TRAIN_GENAI_TEXT, Purpose.TRAIN_GENAI_IMAGE)
    reach = random.choices((Reach.UNTRAINED, Reach.FUTURE, Reach.EVERYTHING), weights=(60, 25, 15))[0]
    if state is ChoiceState.ALLOWED:
        reach = Reach.UNTRAINED
    start = _EARLY if reach is Reach.FUTURE else _SETTING_SHOWN
    return Answer(
        person=person,
        purpose=random.choices(purposes, weights=(80, 10, 6, 4))[0],
        state=state,
        reach=reach,
        categories=categories,
        items=items,
        at=random.randint(start, _LAST_ANSWER),
        source=source or random.choices(("settings", "form", "signal"), weights=(90, 7, 3))[0],
    )


def write_answers(path: Path, found: Sequence[Answer]) -> None:
    """Write the choices file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Answer._fields)
        for answer in found:
            at = datetime.fromtimestamp(answer.at, tz=UTC).isoformat().replace("+00:00", "Z")
            writer.writerow(answer._replace(at=at))  # type: ignore[arg-type]  # the same row, as text
