"""Lineage: what models were made of, and what people decided and did about them. Where each stands: `model_standing`.

Rules:

* A model comes from releases, from leases (what a job consumed under them) and from base models. One that a lease
  names is known without being registered.
* Bases add up: one that was said stays until the model was trained anew with `retrain` and another was said since.
* A model is built on its base *as that was* when it was said to be one, or when the model was trained anew: to train a
  base anew changes its weights, and none that were made of them. Who says it later says that it is the later one.
* After `retrain` only what was handed out after the choice counts.
* Whoever approved that a model was trained anew approved what had been registered of it by then: what is registered
  later takes approvals of two again.

`Models` is what the ledger says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from consentry.digests import Digest
from consentry.ledger.envelope import Event
from consentry.ledger.lineage_events import (
    AnyCertified,
    Destroyed,
    DestructionCertified,
    DestructionCertifiedV1,
    ModelRegistered,
    ModelRemedied,
    ModelSaidGone,
    ModelWithdrawn,
    Remedy,
    RemedyApproved,
    RemedyChosen,
)
from consentry.ledger.oversight_events import ItemsConsumed, LeaseGranted, ModelCheckpointWritten
from consentry.oversight.remains import Remains
from consentry.policy.choice import Seconds

APPROVALS = 2
TAKE_TWO = (Remedy.ACCEPT, Remedy.DROP_ADAPTER)
"""Remedies of which the ledger shows nothing but somebody's word: two people give it."""
TRAINED_ANEW = (Remedy.RETRAIN, Remedy.RETRAIN_SHARD)
"""Remedies that a job shows in the ledger. Where none did, two people give their word here as well (`retraining`)."""
_OWN_ONLY = (Remedy.RETRAIN_SHARD, Remedy.DROP_ADAPTER)


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


class KnownDigest(NamedTuple):
    """A digest of the weights of a model, as was said at `position`."""

    digest: Digest
    position: int


class Weights(NamedTuple):
    """A model as it was at a position, None: as it is."""

    model: str
    at: int | None


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
    digests: tuple[KnownDigest, ...] = ()
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
    def digest(self) -> Digest | None:
        """The newest digest of its weights that was said."""
        return self.digests[-1].digest if self.digests else None

    @property
    def gone(self) -> Left | None:
        """That it was withdrawn or destroyed, whichever was first."""
        return self.withdrawn or self.destroyed

    def trained_since(self, *, at: int | None = None) -> int:
        """Return before which position what was handed out counts no longer: the model was trained anew by `at`."""
        return max((e.chosen for e in self.done if e.remedy is Remedy.RETRAIN and _by(e, at)), default=0)

    def built_on(self, *, at: int | None = None) -> tuple[Base, ...]:
        """Return the bases that count, each as it was said first; no remedy done after `at` has taken one away yet.

        Trained anew, it began with those that were said since; with the same ones if none was.
        """
        anew = self.trained_since(at=at)
        counted = [each.model for each in self.bases if each.position >= anew] or [each.model for each in self.bases]
        first = {each.model: each for each in reversed(self.bases)}
        return tuple(first[each] for each in dict.fromkeys(counted))

    def began(self, *, at: int | None = None) -> int:
        """Return where training it anew began, as far as is known: with the first that was said of it since."""
        anew = self.trained_since(at=at)
        said = [*(each.position for each in self.uses), *(each.position for each in self.bases)]
        return min((each for each in said if each >= anew), default=anew) if anew else 0

    @property
    def chosen(self) -> Choice | None:
        """The remedy that was chosen and is not done."""
        finished = max((each.position for each in self.done), default=-1)
        return next((each for each in reversed(self.choices) if each.position > finished), None)

    def remedied(self, lost: int, *, inherited: bool, at: int | None = None) -> bool:
        """Say whether its weights as they were at `at` are remedied of what was lost at a position.

        What was accepted is so for all that is made of them. Any other remedy changes weights, those it has from there
        on, and nothing that its bases brought along (`inherited`).
        """
        for each in self.done:
            if each.chosen <= lost or (inherited and each.remedy in _OWN_ONLY):
                continue
            if each.remedy is Remedy.ACCEPT:
                return True
            if not _by(each, at):
                return False
            if not inherited:
                return True
        return False


def _by(done: Done, at: int | None) -> bool:
    return at is None or done.position <= at


class Models:
    """All models, folded from events."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._leases: dict[str, Use] = {}
        self._consumed: dict[str, list[Consumed]] = {}
        self._steps: dict[str, set[tuple[int, int, Digest]]] = {}
        self._uses: dict[str, dict[Use, None]] = {}
        self.remains = Remains()

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
        """Return a model and those it was made of, itself first, and each before its own bases.

        With `at`, no remedy that was done after this position has taken a base away yet.
        """
        names = dict.fromkeys(each.model for each in reversed(self.made_of(name, at=at)))
        return [name, *(each for each in reversed(names) if each != name)]

    def made_of(self, name: str, *, at: int | None = None) -> list[Weights]:
        """Return a model and those it was made of, as each was then; itself first, and each before its own bases."""
        found: list[Weights] = []
        start = Weights(name, at)
        seen, waiting = {start}, [(start, iter(self.bases_of(start)))]
        while waiting:
            weights, bases = waiting[-1]
            _, base = next(bases, (None, None))
            if base is None:
                found.append(weights)
                waiting.pop()
            elif base not in seen:
                seen.add(base)
                waiting.append((base, iter(self.bases_of(base))))
        return found[::-1]

    def bases_of(self, weights: Weights) -> list[tuple[Base, Weights]]:
        """Return the bases of some weights as they were said, and as they were when these were made of them."""
        model = self.get(weights.model)
        return [] if model is None else _bases(model, at=weights.at)

    def beneath(self, model: Model, *, chosen: int) -> tuple[list[Weights], list[Weights]]:
        """Return what a model is made of beside itself: as it was when a remedy was chosen, and once trained anew."""
        before = replace(model, bases=tuple(each for each in model.bases if each.position < chosen))
        done = Done(Remedy.RETRAIN, chosen=chosen, position=chosen, at=0, by="")
        anew = replace(model, done=(*model.done, done))
        return self._beneath(_bases(before, at=chosen)), self._beneath(_bases(anew, at=None))

    def _beneath(self, bases: Iterable[tuple[Base, Weights]]) -> list[Weights]:
        return list(dict.fromkeys(each for _, base in bases for each in self.made_of(base.model, at=base.at)))

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
            model = _weighed(replace(model, bases=bases), body.digest, position)
            self._models[body.model] = replace(model, choices=_without_approvals(model.choices))
        elif isinstance(body, ModelCheckpointWritten):
            self.remains.wrote(body.lease, body.digest, name=body.name)
        elif isinstance(body, AnyCertified):
            self._destroyed(body, event)
        elif isinstance(body, ModelSaidGone):
            self.remains.said(body)
            if self.remains.is_settled(body.model):
                self._settle(body.model, Left(body.reason, body.by, position, at))
        elif isinstance(body, RemedyChosen | RemedyApproved | ModelRemedied | ModelWithdrawn):
            model = self._models.get(body.model)
            if model is not None:
                self._models[body.model] = _after(model, body, event)
            if isinstance(body, ModelWithdrawn):
                self.remains.withdrew(body.model, recorded=bool(self.known_of(body.model)))

    def _destroyed(self, body: AnyCertified, event: Event) -> None:
        """Note what a certificate says. INVARIANT: what an older ledger says was destroyed stays destroyed."""
        if body.what is not Destroyed.MODEL:
            return
        left = Left(body.certificate, body.by, event.position, event.recorded_at)
        if not isinstance(body, DestructionCertifiedV1):
            self.remains.deleted(body)
            if not isinstance(body, DestructionCertified) or self.remains.is_settled(body.name):
                self._settle(body.name, left)
        elif (model := self._models.get(body.name)) is not None:
            self._models[body.name] = replace(model, destroyed=left)

    def _settle(self, name: str, left: Left) -> None:
        model = self._models.get(name)
        if model is not None and not self.left_of(name):
            self._models[name] = replace(model, destroyed=left)

    def known_of(self, name: str) -> dict[Digest, str]:
        """Return the digests of the weights of a model that are known, and as what."""
        model = self.get(name)
        if model is None:
            return {}
        leases = [use.lease for use in model.uses if use.lease is not None]
        return self.remains.known([each.digest for each in model.digests], leases=leases)

    def left_of(self, name: str) -> dict[Digest, str]:
        """Return those of them that are not known to be gone."""
        return {each: what for each, what in self.known_of(name).items() if not self.remains.is_gone(name, each)}

    def _add(self, name: str, uses: tuple[Use, ...]) -> Model:
        self._uses.setdefault(name, {}).update(dict.fromkeys(uses))
        return self._models.setdefault(name, Model(name=name))


def _bases(model: Model, *, at: int | None) -> list[tuple[Base, Weights]]:
    """Return the bases of a model as it was at `at`, each as it was said, and as it was when this was made of it."""
    began = model.began(at=at)
    said = [(base, max(base.position, began)) for base in model.built_on(at=at)]
    # INVARIANT: never later than `at`: what mended a base since gives nothing back to these weights.
    return [(base, Weights(base.model, then if at is None else min(then, at))) for base, then in said]


def _after(model: Model, body: RemedyChosen | RemedyApproved | ModelRemedied | ModelWithdrawn, event: Event) -> Model:
    position, at = event.position, event.recorded_at
    if isinstance(body, RemedyChosen):
        return replace(model, choices=(*model.choices, Choice(body.remedy, body.reason, body.by, position, at)))
    if isinstance(body, ModelRemedied):
        done = Done(body.remedy, body.chosen, position, at, body.by)
        return _weighed(replace(model, done=(*model.done, done)), body.digest, position)
    if isinstance(body, ModelWithdrawn):
        return replace(model, withdrawn=model.withdrawn or Left(body.reason, body.by, position, at))
    if not model.choices:
        return model
    *earlier, last = model.choices
    return replace(model, choices=(*earlier, last._replace(approved=tuple(dict.fromkeys([*last.approved, body.by])))))


def _weighed(model: Model, digest: Digest | None, position: int) -> Model:
    return model if digest is None else replace(model, digests=(*model.digests, KnownDigest(digest, position)))


def _without_approvals(choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Return choices after something else was registered: nobody has approved that as training anew."""
    if not choices or choices[-1].remedy not in TRAINED_ANEW:
        return choices
    return (*choices[:-1], choices[-1]._replace(approved=()))
