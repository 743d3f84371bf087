"""What holds a model from being served, and what does not any more.

Rules:

* It is held if it or a base is gone, if a deadline passed, and if an order in force covers serving (every use, if it
  names none) and hits a release that is in its weights: one that it or a base was trained on, and was not trained anew
  since.
* An order that names models holds those alone, and what is built on them; whatever they were trained on if all content
  is in its scope, and if nobody knows what they, or one they were made of, were trained on.
* **Trained before.** The end of an order gives serving back as it gives every use back: what was learned before the
  suspension was learned on the terms of then, and whoever wants it undone says so by an order that goes on. So it is
  served, and it is said which suspension it was trained before (record 0045).
* That it was trained before has to be known: under a lease it was, for none is granted afterwards. One that is said to
  be trained on a release after an order barred this is held, whether the order ended or not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from consentry.control_plane.desk import Desk
from consentry.control_plane.hits import Hits
from consentry.ledger.state import Sealed
from consentry.oversight.lineage import Model, Models, Use, Weights
from consentry.oversight.model_standing import ModelStanding
from consentry.oversight.order import Order, Scope, in_words
from consentry.oversight.overseen import Overseen
from consentry.policy.vocabulary import Purpose


class Learned(NamedTuple):
    """That a model was trained on a release, itself or as a base; `model` is the one that was."""

    model: str
    use: Use


class InWeights(NamedTuple):
    """The releases that a model learned from, itself or by those it was made of."""

    releases: Collection[str]
    untold: bool
    """Nobody knows what it, or one it was made of, was trained on: neither a release nor a base."""


class Seen(NamedTuple):
    """What oversight knows, the releases that were sealed, and the orders in force that cover serving."""

    overseen: Overseen
    releases: Mapping[str, Sealed]
    stopping: tuple[Order, ...]


class HeldModels:
    """Says why models may not be served."""

    def __init__(self, desk: Desk, *, hits: Hits) -> None:
        self.desk = desk
        self.hits = hits

    def reasons(self, model: Model, stands: ModelStanding, *, known: Seen | None = None) -> list[str]:
        """Return what holds a model now; nothing if it may be served. `known`: for whoever asks about many."""
        left = model.destroyed or model.withdrawn
        reasons = []
        if left is not None:
            what = "destroyed" if model.destroyed is not None else "withdrawn"
            reasons.append(f"it was {what} at position {left.position}")
        reasons += [
            f"model `{each.model}`, which it is built on, was withdrawn or destroyed at position {each.position}"
            for each in stands.losses
            if each.release is None
        ]
        if stands.late(self.desk.parts.clock()):
            reasons.append(f"it is {stands.stage}, and the deadline for the next step has passed")
        known = known or self.known()
        lineage = known.overseen.lineage
        ancestry = lineage.ancestry(model.name)
        weights = in_weights(lineage, model.name)
        reasons += [
            f"order {order.order} ({order.reference}) suspends its use"
            for order in known.stopping
            if self._stops(order, ancestry, weights)
        ]
        return [*reasons, *self._trained_against(known, model.name)]

    def _stops(self, order: Order, ancestry: list[str], weights: InWeights) -> bool:
        """Say whether an order stops serving a model, given with those it is built on and what it learned from."""
        if not order.scope.names(ancestry):
            return False
        # Without the lock: it takes a moment, and leases are renewed meanwhile.
        return covers_learned(order.scope, weights, hit=lambda release: self._hits(order, release))

    def _hits(self, order: Order, release: str) -> bool:
        """Say whether an order, unless it ended meanwhile, hits a release: what is found of one in force is kept."""
        with self.desk.lock:
            order = self.desk.newest.overseen.orders.get(order.order) or order
        return order.ended is None and self.hits.found_out(order, release)

    def _trained_against(self, known: Seen, name: str) -> Iterator[str]:
        """Yield that a model is said to be trained on a release since an order barred it, for each of both."""
        said = [each for each in learned(known.overseen.lineage, name) if each.use.lease is None]
        since = min((sealed for each in said if (sealed := _sealed(known, each.use)) is not None), default=None)
        # What was issued before all of them were sealed bars none.
        for order, each in product(() if since is None else known.overseen.orders.after(since), said):
            if each.use.position > order.position and self._barred(order, each.use, known):
                yield (
                    f"that `{each.model}` was trained on release `{each.use.release}` was said at position "
                    f"{each.use.position}, after order {order.order} ({order.reference}) suspended reading it"
                )

    def trained_before(self, name: str) -> list[dict[str, Any]]:
        """Return the suspensions that ended and that a model was trained before, each with a release that it hit."""
        known = self.known()
        weights, found = list(learned(known.overseen.lineage, name)), []
        first = min((each.use.position for each in weights), default=None)
        for order in () if first is None else known.overseen.orders.after(first):
            uses = (each for each in weights if order.ended is not None and each.use.position < order.position)
            hit = next((each for each in uses if self._barred(order, each.use, known)), None)
            if hit is not None and order.ended is not None:
                found.append(
                    {
                        "order": order.order,
                        "scope": in_words(order.scope),
                        "ended": str(order.ended.how),
                        "ended_at": order.ended.at,
                        "model": hit.model,
                        "release": hit.use.release,
                    }
                )
        return found

    def known(self) -> Seen:
        """Return what is known now."""
        # With the lock: another thread that fails to take events in leaves no orders at all for a moment.
        with self.desk.lock:
            present = self.desk.present()
            orders = present.overseen.orders.in_force()
            stopping = tuple(order for order in orders if order.scope.concerns(Purpose.SERVE))
            return Seen(present.overseen, present.state.releases, stopping)

    def _barred(self, order: Order, use: Use, known: Seen) -> bool:
        """Say whether an order made a release unread that was sealed before it."""
        sealed = _sealed(known, use)
        if sealed is None or sealed > order.position or not order.bars(sealed):
            return False
        return order.scope.names(None) and self.hits.hit(order, use.release)


def covers_learned(scope: Scope, weights: InWeights, *, hit: Callable[[str], bool]) -> bool:
    """Say whether a scope that is about a model, by name or as about any, covers what that was trained on.

    Args:
        scope: the scope.
        weights: what the model learned from.
        hit: whether a release holds something in the scope.
    """
    if scope.models and (weights.untold or scope == Scope(purposes=scope.purposes, models=scope.models)):
        return True
    return any(map(hit, weights.releases))


def _sealed(known: Seen, use: Use) -> int | None:
    """Return where a release was sealed; None if it is not known."""
    sealed = known.releases.get(use.release)
    return None if sealed is None else sealed.position


def in_weights(lineage: Models, name: str) -> InWeights:
    """Return what a model learned from."""
    made_of = lineage.made_of(name)
    untold = any(not _uses(lineage, each) and not lineage.bases_of(each) for each in made_of)
    return InWeights(dict.fromkeys(use.release for each in made_of for use in _uses(lineage, each)), untold)


def learned(lineage: Models, name: str) -> Iterator[Learned]:
    """Yield what a model was trained on that is in its weights, those it was made of included."""
    for weights in lineage.made_of(name):
        yield from (Learned(weights.model, use) for use in _uses(lineage, weights))


def _uses(lineage: Models, weights: Weights) -> list[Use]:
    model = lineage.get(weights.model)
    return [] if model is None else [each for each in model.uses if each.position >= model.trained_since(at=weights.at)]
