"""Lineage: which model was trained on what, and what becomes of it when some of that is withdrawn.

    clear -> affected -> remedy chosen -> remedied, or withdrawn -> destroyed

Rules:

* A model comes from releases, from leases (what a job consumed under them) and from a base model. One that a lease
  names is known without being registered.
* A state is never typed in: it follows from what was handed out, what was withdrawn, and which remedies are done.
* A model is affected by a *loss*: an item it consumed left its release by an amendment, or the release was withdrawn.
  Who did not say what they consumed consumed the whole release. A loss of its base model is one of its own, until the
  base is remedied.
* A model is affected as well by a base that was withdrawn or destroyed, and so are those built on that: the weights
  are in it. Nothing that is done about the base takes that off. Accepting it does, and so does training anew on
  another base; dropping an adapter leaves the base.
* Bases add up: one that was said stays until the model was trained anew with `retrain` and another was said since.
* A remedy covers the losses before the position where it was chosen. What is lost later begins anew. Training a model
  anew takes no mark off that its base still has.
* After `retrain` only what was handed out after the choice counts.
* Choosing again does not give more time: the clock runs from the first choice since the last remedy.
* What is withdrawn is destroyed: the clock runs from the withdrawal.

`Models` is what the ledger says. `standing` is derived from it and from the losses, which the caller looks up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
_GONE = -1


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


class Base(NamedTuple):
    """A model that another one is built on, as was said at `position`."""

    model: str
    position: int


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
    bases: tuple[Base, ...] = ()
    digest: Digest | None = None
    uses: tuple[Use, ...] = ()
    choices: tuple[Choice, ...] = ()
    done: tuple[Done, ...] = ()
    withdrawn: Left | None = None
    destroyed: Left | None = None

    @property
    def base(self) -> str | None:
        """The newest base that was said."""
        return self.bases[-1].model if self.bases else None

    @property
    def gone(self) -> Left | None:
        """That it was withdrawn or destroyed, whichever was first."""
        return self.withdrawn or self.destroyed

    def built_on(self, *, at: int | None = None) -> tuple[Base, ...]:
        """Return the bases that count, each as it was said first; no remedy done after `at` has taken one away yet.

        Trained anew, it began with those that were said since; with the same ones if none was.
        """
        done = [each for each in self.done if each.remedy is Remedy.RETRAIN and (at is None or each.position <= at)]
        anew = max((each.chosen for each in done), default=0)
        counted = [each.model for each in self.bases if each.position >= anew] or [each.model for each in self.bases]
        first = {each.model: each for each in reversed(self.bases)}
        return tuple(first[each] for each in dict.fromkeys(counted))

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
    def gone_covered(self) -> int:
        """That a base was gone before this position is accepted: what drops an adapter has the base left."""
        return max((each.chosen for each in self.done if each.remedy is Remedy.ACCEPT), default=0)

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

    def ancestry(self, name: str, *, at: int | None = None) -> list[str]:
        """Return a model and those it is built on, itself first, and each before its own bases.

        With `at`, no remedy that was done after this position has taken a base away yet.
        """
        found: list[str] = []
        seen, waiting = {name}, [(name, self._bases(name, at))]
        while waiting:
            model, bases = waiting[-1]
            base = next(bases, None)
            if base is None:
                found.append(model)
                waiting.pop()
            elif base not in seen:
                seen.add(base)
                waiting.append((base, self._bases(base, at)))
        return found[::-1]

    def _bases(self, name: str, at: int | None) -> Iterator[str]:
        model = self._models.get(name)
        return iter([] if model is None else [each.model for each in model.built_on(at=at)])

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
            bases = model.bases if body.base is None else (*model.bases, Base(body.base, position))
            self._models[body.model] = replace(model, bases=bases, digest=body.digest or model.digest)
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
    ancestry = models.ancestry(name)
    strictest = _strictest(each for ancestor in ancestry for each in terms(ancestor))
    left = _outstanding(models, ancestry, losses, strictest)
    if model.destroyed is not None:
        return ModelStanding(stage=Stage.DESTROYED, losses=left)
    if model.withdrawn is not None:
        deadline = model.withdrawn.at + _DAY * strictest.destroy_within_days
        return ModelStanding(stage=Stage.WITHDRAWN, losses=left, deadline=deadline)
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


def _outstanding(
    models: Models, ancestry: Sequence[str], losses: Callable[[str], Sequence[Loss]], terms: Remedies
) -> tuple[Loss, ...]:
    """Return the losses of the first of some models that are not remedied, those of the models it is built on too."""
    left: dict[str, _Left] = {}
    for name in reversed(ancestry):
        model = models.get(name)
        if model is None:
            continue
        found = left[name] = _inherited(models, model, left, terms)
        own = [loss for loss in losses(name) if loss.used >= model.trained_since]
        found |= {(name, number): loss for number, loss in enumerate(own) if loss.position >= model.covered}
    return tuple(sorted(left.get(ancestry[0], {}).values(), key=lambda loss: loss.position))


def _inherited(models: Models, model: Model, left: Mapping[str, _Left], terms: Remedies) -> _Left:
    """Return what is left of the losses of a model's bases; what was remedied before a base was said is not covered."""
    found: _Left = {}
    for said in model.built_on():
        base = models.get(said.model)
        inherited = dict(left.get(said.model, {}))
        if base is not None and (gone := base.gone) is not None:
            inherited[said.model, _GONE] = Loss(gone.position, gone.at, said.model, None, 0, said.position, terms)
        for key, loss in inherited.items():
            covered = model.base_covered if loss.release is not None else model.gone_covered
            if max(loss.position, said.position) >= covered:
                found[key] = loss
    return found
