"""What somebody has to give for content to be usable, when none of it is."""

from __future__ import annotations

from collections.abc import Mapping

from consentry.cli.output import counted
from consentry.policy.evaluator import ReasonKind
from consentry.policy.expressions import GapKind

_WHAT_TO_GIVE: Mapping[GapKind, tuple[str, str]] = {
    GapKind.OWNER: (
        "nobody is named as the author of",
        "fill in the column that `author` names, and register the corpus again",
    ),
    GapKind.PERSON: (
        "people are named who stand in no people table, in",
        "give the ids of `author` and `involves` as `person` has them, and load the people table",
    ),
    GapKind.RESIDENCE: (
        "nobody knows the country of somebody named in",
        "give `country` or another signal of where people live, and load the people table",
    ),
    GapKind.SUBDIVISION: (
        "nobody knows the part of the country of somebody named in",
        "give parts of a country, as in `CA-QC`, in `country`, and load the people table",
    ),
    GapKind.AGE: (
        "nobody knows the age of somebody named in",
        "give `birth_year` or `age`, and load the people table",
    ),
    GapKind.CATEGORY: (
        "nobody knows what kind of content is in",
        "map your words under `[categories]` of the corpus descriptor, and register the corpus again",
    ),
    GapKind.VISIBILITY: (
        "nobody knows who can see",
        "name the column `visibility`, map its words under `[visibilities]`, and register the corpus again",
    ),
    GapKind.CREATED: (
        "nobody knows when somebody made",
        "name the column `created` in the corpus descriptor, and register the corpus again",
    ),
    GapKind.ACCOUNT: (
        "nobody understands the state of the account of somebody named in",
        "map your words under `[accounts]` of the people descriptor, and load the people table",
    ),
}
"""Of each gap, what it is, and what to do.

Who is in no table has no age either: what has to be mended first stands first.
"""


_NOT_PERMITTED = str(ReasonKind.NOT_PERMITTED)


def nothing_eligible(by_gap: Mapping[str, int], *, by_reason: Mapping[str, int], items: int) -> str:
    """Say what stands in the way of most items, when nothing is eligible; empty if no one thing does.

    Gaps are counted also of items that would be denied without them: they stand in the way where they are the reason.
    """
    unpermitted = sum(count for reason, count in by_reason.items() if reason.endswith(_NOT_PERMITTED))
    if 2 * unpermitted > items:
        lets = f"the policy set permits this use of none of {counted(unpermitted, 'item')}"
        return f"Nothing is eligible: {lets}. What it permits: consentry policy show NAME"
    known = [kind for kind in _WHAT_TO_GIVE if by_gap.get(kind)]
    if not known or 2 * sum(count for reason, count in by_reason.items() if "gap:" in reason) < items:
        return ""
    widest = max(known, key=lambda kind: by_gap[kind])
    what, advice = _WHAT_TO_GIVE[widest]
    of = "all " if by_gap[widest] == items else ""
    return f"Nothing is eligible: {what} {of}{counted(by_gap[widest], 'item')}. What helps: {advice}."
