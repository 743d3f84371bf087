"""Lineage: which model was trained on what, and what becomes of it when some of that is withdrawn.

    clear -> affected -> remedy chosen -> remedied, or withdrawn -> destroyed

Rules:

* A model comes from releases, from leases (what a job consumed under them) and from a base model. One that a lease
  names is known without being registered.
* A state is never typed in: it follows from what was handed out, what was withdrawn, and which remedies are done.
* A model is affected by a *loss*: an item it consumed left its release by an amendment, or the release was withdrawn.
  Who did not say what they consumed consumed the whole release. A loss of its base model is one of its own, until the
  base is remedied.
* A remedy covers the losses before the position where it was chosen. What is lost later begins anew. Training a model
  anew takes no mark off that its base still has.
* After `retrain` only what was handed out after the choice counts.
* Choosing again does not give more time: the clock runs from the first choice since the last remedy.

`Models` is what the ledger says. `standing` is derived from it and from the losses, which the caller looks up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from consentry.digests import Digest
from consentry.ledger.envelope import Event
from consentry.ledger.lineage_events import (
    Destroyed,
    DestructionCertified,
    ModelRegistered,
    ModelRemedied,
    ModelWithdrawn,
    Remedy,
    RemedyApproved,
    RemedyChosen,
)
from consentry.ledger.oversight_events import ItemsConsumed, LeaseGranted
from consentry.policy.choice import Seconds
from consentry.policy.policy_set import Remedies

APPROVALS = 2
TAKE_TWO = (Remedy.ACCEPT, Remedy.DROP_ADAPTER)
"""Remedies of which the ledger shows nothing but somebody's word: two people give it."""
TRAINED_ANEW = (Remedy.RETRAIN, Remedy.RETRAIN_SHARD)
_DAY = 86_400


class Stage(StrEnum):
    """Where a model stands."""

    CLEAR = "clear"
    AFFECTED = "affected"
    REMEDY_CHOSEN = "remedy chosen"
    REMEDIED = "remedied"
    WITHDRAWN = "withdrawn"
    DESTROYED = "destroyed"


class Consumed(NamedTuple):
    """Items that a job said it was trained on."""

    position: int
    at: Seconds
    body: ItemsConsumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A release that a model was trained on, under a lease or by registration; `position` is where it was said."""

    release: str
    lease: str | None
    position: int
    at: Seconds


class Choice(NamedTuple):
    """A remedy that was chosen, and who approved it since."""

    remedy: Remedy
    reason: str
    by: str
    position: int
    at: Seconds
    approved: tuple[str, ...] = ()


class Done(NamedTuple):
    """A remedy that is done; it covers what was lost before `chosen`."""

    remedy: Remedy
    chosen: int
    position: int
    at: Seconds
    by: str


class Left(NamedTuple):
    """A model that was withdrawn or destroyed."""

    reason: str
    by: str
    position: int
    at: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as the ledger knows it."""

    name: str
    base: str | None = None
    digest: Digest | None = None
    uses: tuple[Use, ...] = ()
    choices: tuple[Choice, ...] = ()
    done: tuple[Done, ...] = ()
    withdrawn: Left | None = None
    destroyed: Left | None = None

    @property
    def chosen(self) -> Choice | None:
        """The remedy that was chosen and is not done."""
        finished = max((each.position for each in self.done), default=-1)
        return next((each for each in reversed(self.choices) if each.position > finished), None)

    @property
    def covered(self) -> int:
        """Losses before this position are remedied."""
        return max((each.chosen for each in self.done), default=0)

    @property
    def base_covered(self) -> int:
        """Losses of its base before this position are remedied for it: training it anew began with the same base."""
        return max((each.chosen for each in self.done if each.remedy not in TRAINED_ANEW), default=0)

    @property
    def trained_since(self) -> int:
        """What was handed out before this position no longer counts: the model was trained anew."""
        return max((each.chosen for each in self.done if each.remedy is Remedy.RETRAIN), default=0)


class Models:
    """All models, folded from events."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._leases: dict[str, Use] = {}
        self._consumed: dict[str, list[Consumed]] = {}
        self._steps: dict[str, set[tuple[int, int, Digest]]] = {}
        self._uses: dict[str, dict[Use, None]] = {}

    def __iter__(self) -> Iterator[Model]:
        return iter([model for name in tuple(self._models) if (model := self.get(name)) is not None])

    def __contains__(self, name: object) -> bool:
        return name in self._models

    def get(self, name: str) -> Model | None:
        """Return a model."""
        found = self._models.get(name)
        if found is not None and len(found.uses) != len(self._uses[name]):
            found = self._models[name] = replace(found, uses=tuple(self._uses[name]))
        return found

    def consumed(self, lease: str) -> Sequence[Consumed]:
        """Return what was said to be consumed under a lease, oldest first."""
        return self._consumed.get(lease, ())

    def ancestry(self, name: str) -> list[str]:
        """Return a model and those it is built on, itself first."""
        found: list[str] = []
        at: str | None = name
        while at is not None and at not in found:
            found.append(at)
            model = self._models.get(at)
            at = None if model is None else model.base
        return found

    def take(self, event: Event) -> None:
        """Take one event in, if it is about models."""
        body, position, at = event.body, event.position, event.recorded_at
        model: Model | None
        if isinstance(body, LeaseGranted):
            use = Use(release=body.release, lease=body.lease, position=position, at=at)
            self._leases[body.lease] = use
            self._add(body.model, (use,))
        elif isinstance(body, ItemsConsumed):
            steps, said = (body.from_step, body.to_step, body.ranges), self._steps.setdefault(body.lease, set())
            if steps not in said:
                said.add(steps)
                self._consumed.setdefault(body.lease, []).append(Consumed(position, at, body))
        elif isinstance(body, ModelRegistered):
            whole = tuple(Use(release=each, lease=None, position=position, at=at) for each in body.releases)
            model = self._add(body.model, (*whole, *(self._leases[e] for e in body.leases if e in self._leases)))
            self._models[body.model] = replace(model, base=body.base or model.base, digest=body.digest or model.digest)
        elif isinstance(body, DestructionCertified):
            model = self._models.get(body.name) if body.what is Destroyed.MODEL else None
            if model is not None:
                self._models[body.name] = replace(model, destroyed=Left(body.certificate, body.by, position, at))
        elif isinstance(body, RemedyChosen | RemedyApproved | ModelRemedied | ModelWithdrawn):
            model = self._models.get(body.model)
            if model is not None:
                self._models[body.model] = _after(model, body, event)

    def _add(self, name: str, uses: tuple[Use, ...]) -> Model:
        self._uses.setdefault(name, {}).update(dict.fromkeys(uses))
        return self._models.setdefault(name, Model(name=name))


def _after(model: Model, body: RemedyChosen | RemedyApproved | ModelRemedied | ModelWithdrawn, event: Event) -> Model:
    position, at = event.position, event.recorded_at
    if isinstance(body, RemedyChosen):
        return replace(model, choices=(*model.choices, Choice(body.remedy, body.reason, body.by, position, at)))
    if isinstance(body, ModelRemedied):
        return replace(model, done=(*model.done, Done(body.remedy, body.chosen, position, at, body.by)))
    if isinstance(body, ModelWithdrawn):
        return replace(model, withdrawn=model.withdrawn or Left(body.reason, body.by, position, at))
    if not model.choices:
        return model
    *earlier, last = model.choices
    return replace(model, choices=(*earlier, last._replace(approved=tuple(dict.fromkeys([*last.approved, body.by])))))


class Loss(NamedTuple):
    """Items that a model was trained on were withdrawn, as was said at `position`; `used` is where it got them.

    `model` is the one that was trained on them: the model itself, or one it is built on.
    """

    position: int
    at: Seconds
    model: str
    release: str
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


def standing(models: Models, name: str, *, losses: Callable[[str], Sequence[Loss]]) -> ModelStanding:
    """Return where a known model stands; `losses` looks up what a model itself lost, whatever was remedied."""
    model = models.get(name)
    if model is None:
        # Never clear: whoever asks has seen that the model is known.
        raise KeyError(name)
    left = _outstanding(models, models.ancestry(name), losses)
    if model.destroyed is not None:
        return ModelStanding(stage=Stage.DESTROYED, losses=left)
    if model.withdrawn is not None:
        return ModelStanding(stage=Stage.WITHDRAWN, losses=left)
    if not left:
        return ModelStanding(stage=Stage.REMEDIED if model.done else Stage.CLEAR)
    chosen = model.chosen
    covered = [each for each in left if chosen is not None and each.position < chosen.position]
    if chosen is None or not covered:
        return ModelStanding(stage=Stage.AFFECTED, losses=left, deadline=_to_choose(left))
    first = next(each for each in model.choices if each.position > covered[0].position)
    deadline = first.at + _DAY * min(each.terms.finish_within_days for each in covered)
    if later := [each for each in left if each.position >= chosen.position]:
        deadline = min(deadline, _to_choose(later))
    return ModelStanding(stage=Stage.REMEDY_CHOSEN, losses=left, deadline=deadline, chosen=chosen)


def _to_choose(losses: Sequence[Loss]) -> Seconds:
    return min(each.at + _DAY * each.terms.choose_within_days for each in losses)


def _outstanding(models: Models, ancestry: Sequence[str], losses: Callable[[str], Sequence[Loss]]) -> tuple[Loss, ...]:
    """Return the losses of the first of some models that are not remedied, those of the models it is built on too."""
    left: list[Loss] = []
    for name in reversed(ancestry):
        model = models.get(name)
        if model is not None:
            inherited = [loss for loss in left if loss.position >= model.base_covered]
            own = [loss for loss in losses(name) if loss.used >= model.trained_since]
            left = [*inherited, *(loss for loss in own if loss.position >= model.covered)]
    return tuple(sorted(left, key=lambda loss: loss.position))
