"""Which forbids, together, leave nothing of a permit: one inside a country and one outside of it, or one for each age.

On the representatives of each dimension (`policy_classes`) a rule is a *box*: it is about a set of them in every
dimension, and nothing joins the dimensions. A permit never permits anything if its box is covered by those of forbids.
The box is cut along one forbid after the other until no piece is left, or one that no forbid meets.

Boxes can be cut in very many ways. The work is bounded: `Work` is what may still be done, and who has used it up knows
nothing, which is not *covered*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consentry.policy.expressions import Truth
from consentry.policy.policy_classes import Truths

Box = tuple[int, ...]
"""For each dimension the representatives that are in it, as bits."""


@dataclass(slots=True)
class Work:
    """How many pieces may still be looked at."""

    left: int


def box(table: Truths, *, unknown: bool) -> Box:
    """Return where a rule holds, or with `unknown` where it holds or may hold: there a forbid denies."""
    return tuple(
        sum(1 << bit for bit, truth in enumerate(row) if truth is Truth.YES or (unknown and truth is Truth.UNKNOWN))
        for row in table.values()
    )


def covering(permit: Box, forbids: Sequence[Box], *, work: Work) -> list[int] | None:
    """Return which forbids (their indices) cover a permit, none of them needlessly; None if they do not."""
    needed = [index for index, forbid in enumerate(forbids) if _meet(permit, forbid)]
    if not _covered(permit, [forbids[index] for index in needed], work=work):
        return None
    for index in tuple(needed):
        rest = [other for other in needed if other != index]
        if _covered(permit, [forbids[other] for other in rest], work=work):
            needed = rest
    return needed


def _covered(whole: Box, forbids: Sequence[Box], *, work: Work) -> bool:
    pieces = [(whole, forbids)]
    while pieces:
        piece, near = pieces.pop()
        near = [forbid for forbid in near if _meet(piece, forbid)]
        if not near or work.left <= 0:
            return False
        work.left -= 1
        widest = min(near, key=lambda forbid: _sides(piece, forbid))
        pieces += [(each, near) for each in _outside(piece, widest)]
    return True


def _meet(one: Box, other: Box) -> bool:
    return all(mine & theirs for mine, theirs in zip(one, other, strict=True))


def _sides(piece: Box, forbid: Box) -> int:
    """Return in how many dimensions a piece sticks out of a forbid."""
    return sum(bool(mine & ~theirs) for mine, theirs in zip(piece, forbid, strict=True))


def _outside(piece: Box, forbid: Box) -> list[Box]:
    """Return what a forbid leaves of a piece, as boxes that do not overlap."""
    found: list[Box] = []
    for dimension, (mine, theirs) in enumerate(zip(piece, forbid, strict=True)):
        if mine & ~theirs:
            found.append((*piece[:dimension], mine & ~theirs, *piece[dimension + 1 :]))
            piece = (*piece[:dimension], mine & theirs, *piece[dimension + 1 :])
    return found
