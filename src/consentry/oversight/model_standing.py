"""Where models stand, and what becomes of one when some of what it was trained on is withdrawn.

    clear -> affected -> remedy chosen -> remedied, or withdrawn -> destroyed

Rules:

* A state is never typed in: it follows from what was handed out, what was withdrawn, and which remedies are done.
* A model is affected by a *loss*: an item it consumed left its release by an amendment, or the release was withdrawn.
  Who did not say what they consumed consumed the whole release.
* What its bases lost is lost to it as well. So is a base that was withdrawn or destroyed: the weights are in it.
* A remedy covers what was lost before the position where it was chosen. What is lost later begins anew.
* What a remedy takes off, from whom:

      remedy         what the model lost itself   what its bases brought along          what is built on it
      accept         yes                          yes, with bases that are gone         yes: the loss was accepted
      retrain        yes                          what the bases it is now built on     nothing
                                                  have no more
      retrain-shard  yes                          nothing                               nothing
      drop-adapter   yes                          nothing: the base is what is left     nothing

  None takes anything off its bases. Withdrawing and destroying take nothing off anybody: they are marks themselves.
* Whatever changes weights changes those of one model. Others that were made of them before are made of what they were
  (`Weights`), until they are trained anew.
* Choosing again does not give more time: the clock runs from the first choice since the last remedy. Choosing what
  cannot take a mark off gives none for that.
* What is withdrawn is destroyed: the clock runs from the withdrawal.

`standing` derives it from `Models` and from the losses, which the caller looks up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from consentry.ledger.lineage_events import Remedy
from consentry.oversight.lineage import Choice, Model, Models, Weights
from consentry.policy.choice import SECONDS_PER_DAY, Seconds
from consentry.policy.policy_set import Remedies

_GONE = -1


class Stage(StrEnum):
    """Where a model stands."""

    CLEAR = "clear"
    AFFECTED = "affected"
    REMEDY_CHOSEN = "remedy chosen"
    REMEDIED = "remedied"
    WITHDRAWN = "withdrawn"
    DESTROYED = "destroyed"


class Loss(NamedTuple):
    """Items that a model was trained on were withdrawn, as was said at `position`; `used` is where it got them.

    `model` is the one that was trained on them: the model itself, or one it is built on. No release: `model` is one it
    is built on, and was withdrawn or destroyed itself.
    """

    position: int
    at: Seconds
    model: str
    release: str | None
    items: int
    used: int
    terms: Remedies


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStanding:
    """Where a model stands, and until when the next step has to be taken; `losses` are those not remedied."""

    stage: Stage
    losses: tuple[Loss, ...] = ()
    deadline: Seconds | None = None
    chosen: Choice | None = field(default=None)

    def late(self, now: Seconds) -> bool:
        """Say whether the deadline passed."""
        return self.deadline is not None and now > self.deadline


def standing(
    models: Models, name: str, *, losses: Callable[[str], Sequence[Loss]], terms: Callable[[str], Iterable[Remedies]]
) -> ModelStanding:
    """Return where a known model stands.

    Args:
        models: all of them.
        name: which one.
        losses: looks up what a model itself lost, whatever was remedied.
        terms: looks up what the policies of the releases say that a model itself was trained on.
    """
    model = models.get(name)
    if model is None:
        # Never clear: whoever asks has seen that the model is known.
        raise KeyError(name)
    strictest = _strictest(each for ancestor in models.ancestry(name) for each in terms(ancestor))
    left = _outstanding(models, name, losses=losses, terms=strictest)
    if model.destroyed is not None:
        return ModelStanding(stage=Stage.DESTROYED, losses=left)
    if model.withdrawn is not None:
        deadline = model.withdrawn.at + SECONDS_PER_DAY * strictest.destroy_within_days
        return ModelStanding(stage=Stage.WITHDRAWN, losses=left, deadline=deadline)
    if not left:
        return ModelStanding(stage=Stage.REMEDIED if model.done else Stage.CLEAR)
    chosen = model.chosen
    covered = [each for each in left if _chosen_for(chosen, each, name)]
    if chosen is None or not covered:
        return ModelStanding(stage=Stage.AFFECTED, losses=left, deadline=_to_choose(left))
    first = next(each for each in model.choices if each.position > covered[0].position)
    deadline = first.at + SECONDS_PER_DAY * min(each.terms.finish_within_days for each in covered)
    if rest := [each for each in left if not _chosen_for(chosen, each, name)]:
        deadline = min(deadline, _to_choose(rest))
    return ModelStanding(stage=Stage.REMEDY_CHOSEN, losses=left, deadline=deadline, chosen=chosen)


def can_take_off(remedy: Remedy, loss: Loss, *, model: str) -> bool:
    """Say whether a remedy can take a mark off a model at all: what its bases brought along, only some can."""
    return loss.model == model or remedy in (Remedy.ACCEPT, Remedy.RETRAIN)


def _chosen_for(chosen: Choice | None, loss: Loss, model: str) -> bool:
    return chosen is not None and loss.position < chosen.position and can_take_off(chosen.remedy, loss, model=model)


def _to_choose(losses: Sequence[Loss]) -> Seconds:
    return min(each.at + SECONDS_PER_DAY * each.terms.choose_within_days for each in losses)


def _strictest(terms: Iterable[Remedies]) -> Remedies:
    """Return the fewest days of each kind that some policies give; those of one that says nothing if there is none."""
    found = list(terms) or [Remedies()]
    return Remedies(
        choose_within_days=min(each.choose_within_days for each in found),
        finish_within_days=min(each.finish_within_days for each in found),
        destroy_within_days=min(each.destroy_within_days for each in found),
    )


_Left = dict[tuple[str, int], Loss]
"""By the model that lost and the number of the loss; what is inherited by two ways is one loss."""
_Losses = Callable[[str], Sequence[Loss]]


def _outstanding(models: Models, name: str, *, losses: _Losses, terms: Remedies) -> tuple[Loss, ...]:
    """Return the losses of a model that are not remedied, those of the models it was made of too."""
    made = models.made_of(name)
    lost = {each: losses(each) for each in dict.fromkeys(weights.model for weights in made)}
    left: dict[Weights, _Left] = {}
    for weights in reversed(made):
        model = models.get(weights.model)
        if model is None:
            continue
        found = left[weights] = _inherited(models, model, weights=weights, left=left, terms=terms)
        since = model.trained_since(at=weights.at)
        found |= {
            (model.name, number): loss
            for number, loss in enumerate(lost[model.name])
            if loss.used >= since and not model.remedied(loss.position, inherited=False, at=weights.at)
        }
    return tuple(sorted(left.get(made[0], {}).values(), key=lambda loss: loss.position))


def _inherited(
    models: Models, model: Model, *, weights: Weights, left: Mapping[Weights, _Left], terms: Remedies
) -> _Left:
    """Return what is left of the losses of a model's bases; what was remedied before a base was said is not covered."""
    found: _Left = {}
    for said, base in models.bases_of(weights):
        inherited = dict(left.get(base, {}))
        known = models.get(said.model)
        if known is not None and (gone := known.gone) is not None:
            inherited[said.model, _GONE] = Loss(gone.position, gone.at, said.model, None, 0, said.position, terms)
        for key, loss in inherited.items():
            if not model.remedied(max(loss.position, said.position), inherited=True, at=weights.at):
                found[key] = loss
    return found
