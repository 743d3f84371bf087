"""Orders: suspensions of a use, each with a scope.

Rules:

* An order holds from its position in the ledger on, until it ends. What was sealed before stays sealed, but nobody may
  read it any more if the order hits it.
* A scope is the conjunction of its parts: jurisdictions, purposes, categories, visibilities, a window of creation
  [from, before), models. An empty part means all. Of several orders the union holds: each forbids by itself.
* Groups of places are asked as of the time of the decision, as in a policy.
* An order that names models is about those models and all that are built on them, by however many steps: they are
  not trained, and not served, on what is in the rest of it. It bars no release, for a release is for no model.
* What cannot be known is hit: somebody who may live there, an item that may be of that date.
* Ending an order gives nothing back to a lease that it made stop.
* What a lift or a narrowing gives back is decided anew. A release that was sealed before the order and is hit by it was
  decided on the terms of before: nobody may read it after that either. A withdrawn order was given in error, and
  nothing was decided anew: its end gives such releases back.

An order becomes a rule of its own (`Effect.SUSPEND`) beside those of the policy set, so it is decided by the same
evaluator, matrix and kernel as everything else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from consentry.errors import InputError, PolicyError, names_there_are
from consentry.ledger.envelope import Event
from consentry.ledger.oversight_events import (
    Milliseconds,
    OrderDrained,
    OrderDrainedV1,
    OrderEnd,
    OrderEnded,
    OrderIssued,
    Origin,
)
from consentry.policy.choice import SECONDS_PER_DAY, Seconds
from consentry.policy.expressions import Effect, Rule
from consentry.policy.jurisdictions import contains, known_area
from consentry.policy.policy_classes import known_places
from consentry.policy.vocabulary import Category, Purpose, Visibility


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an order is about; an empty part means all, None an open end."""

    areas: frozenset[str] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    categories: frozenset[Category] = frozenset()
    visibilities: frozenset[Visibility] = frozenset()
    created_from: Seconds | None = None
    created_before: Seconds | None = None
    models: frozenset[str] = frozenset()

    def check(self) -> None:
        """Refuse a scope that nothing can be in.

        Raises:
            PolicyError: an area that is neither a group nor a place.
            InputError: a window that ends before it begins.
        """
        if not all(map(known_area, self.areas)):
            # Only now: who stops a use does not wait for what only people and content need.
            from consentry.corpus.areas import require_areas  # noqa: PLC0415

            require_areas(self.areas)
        if (
            self.created_from is not None
            and self.created_before is not None
            and self.created_before <= self.created_from
        ):
            raise InputError(
                "order-window-empty",
                "the window of creation ends before it begins",
                help="nothing can be created in it: exchange the two dates, the second is not in the window",
            )

    def rule(self, id: str, *, why: str) -> Rule:  # noqa: A002
        """Return the rule that forbids what is in the scope. Models are not its business."""
        return Rule(
            id=id,
            effect=Effect.SUSPEND,
            why=why,
            purposes=self.purposes,
            categories=self.categories,
            visibilities=self.visibilities,
            inside=self.areas,
            created_from=self.created_from,
            created_before=self.created_before,
        )

    def concerns(self, purpose: Purpose) -> bool:
        """Say whether a use for `purpose` can be in the scope."""
        return not self.purposes or any(named.covers(purpose) or purpose.covers(named) for named in self.purposes)

    def names(self, ancestry: list[str] | None) -> bool:
        """Say whether the scope holds for a model, given with those it is built on; None: for none in particular."""
        return not self.models or not self.models.isdisjoint(ancestry or ())

    def to_json(self) -> dict[str, object]:
        """Return the scope as plain values."""
        return {
            "areas": sorted(self.areas),
            "purposes": sorted(self.purposes),
            "categories": sorted(self.categories),
            "visibilities": sorted(self.visibilities),
            "created_from": self.created_from,
            "created_before": self.created_before,
            "models": sorted(self.models),
        }


def is_inside(scope: Scope, other: Scope, *, at: Seconds) -> bool:
    """Say whether everything in a scope is in another one for sure, as of `at`."""
    parts = (
        (scope.categories, other.categories),
        (scope.visibilities, other.visibilities),
        (scope.models, other.models),
    )
    within: tuple[tuple[frozenset[str], frozenset[str]], ...] = parts
    return (
        all(not theirs or (mine and mine <= theirs) for mine, theirs in within)
        and (
            not other.purposes
            or (
                bool(scope.purposes)
                and all(any(named.covers(each) for named in other.purposes) for each in scope.purposes)
            )
        )
        and _areas_inside(scope.areas, other.areas, at=at)
        and (
            other.created_from is None or (scope.created_from is not None and scope.created_from >= other.created_from)
        )
        and (
            other.created_before is None
            or (scope.created_before is not None and scope.created_before <= other.created_before)
        )
    )


def _areas_inside(areas: frozenset[str], others: frozenset[str], *, at: Seconds) -> bool:
    if not others:
        return True
    places = known_places(areas | others)
    members = {
        area: [place for place in places if contains(area, place, at=at) is not False] for area in areas - others
    }
    return bool(areas) and all(
        any(contains(other, place, at=at) is True for other in others) for found in members.values() for place in found
    )


def in_words(scope: Scope) -> str:
    """Return a scope as a few words in a fixed order; of models with those that an order reaches through them."""
    if not scope.models:
        return _in_words_but_for_models(scope)
    one = len(scope.models) == 1
    named = f"{'model' if one else 'models'} {', '.join(sorted(scope.models))}"
    reached = f"{named} and what is built on {'it' if one else 'them'}"
    rest = replace(scope, models=frozenset())
    return reached if rest == Scope() else f"{_in_words_but_for_models(rest)}; {reached}"


def _in_words_but_for_models(scope: Scope) -> str:
    parts = [
        ", ".join(sorted(each)) for each in (scope.areas, scope.purposes, scope.categories, scope.visibilities) if each
    ]
    if scope.created_from is not None or scope.created_before is not None:
        parts.append(_window_in_words(scope.created_from, scope.created_before))
    return "; ".join(parts) or "everything"


def _window_in_words(first: Seconds | None, end: Seconds | None) -> str:
    """Say which dates of creation are in a window; the second is not in it."""
    bounds = (("from", first), ("before", end))
    return "created " + ", ".join(f"{word} {_date(at)}" for word, at in bounds if at is not None)


def _date(at: Seconds) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return moment.strftime("%Y-%m-%d" if at % SECONDS_PER_DAY == 0 else "%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """When nobody read under a lease in an order's scope any more. Said again where leases came to it since."""

    position: int
    at: Seconds  # when that was written down
    stopped: int
    expired: int
    released: int
    failed: int
    took_ms: Milliseconds | None
    """From the issue of the order on; None: unknown."""

    @property
    def leases(self) -> int:
        """How many leases were in the scope of the order. A job of several ranks has one for each."""
        return self.stopped + self.expired + self.released + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an order ended."""

    how: OrderEnd
    position: int
    at: Seconds

    def in_words(self) -> str:
        """Say how an order ended and on which day, in UTC."""
        return f"{self.how} on {datetime.fromtimestamp(self.at, UTC).strftime('%Y-%m-%d')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A suspension. `position` is where it took effect."""

    order: str
    case: str
    scope: Scope
    origin: Origin
    reference: str
    by: str | None
    position: int
    at: Seconds
    at_ms: Milliseconds
    ended: Ended | None = None
    drained: Drained | None = None

    def bars(self, sealed: int) -> bool:
        """Say whether nobody may read a release that was sealed at this position, if the order hits it.

        While it is in force, that is; after it was lifted or narrowed if the release was sealed before the order.
        """
        if self.ended is None:
            return True
        return self.ended.how is not OrderEnd.WITHDRAWN and sealed < self.position

    @property
    def rule(self) -> Rule:
        """The rule by which it denies."""
        return self.scope.rule(
            self.order, why=f"suspended by order {self.order} of case {self.case} ({self.origin}, {self.reference})"
        )


class Orders:
    """All orders, folded from events: `take` each event in turn."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._of_case: dict[str, list[str]] = {}
        self._in_force: dict[str, None] = {}
        self._issued: list[tuple[int, str]] = []
        """Where each was issued, and its name, oldest first. Names are new ones; one that comes twice is the last."""

    def __iter__(self) -> Iterator[Order]:
        # Of a copy: to find out what an order hits, the present is asked for, and that may take new events in.
        return iter(tuple(self._orders.values()))

    def __len__(self) -> int:
        return len(self._orders)

    def get(self, order: str) -> Order | None:
        """Return an order."""
        return self._orders.get(order)

    def of(self, case: str) -> tuple[Order, ...]:
        """Return the orders of a case, oldest first."""
        return tuple(self._orders[name] for name in self._of_case.get(case, ()))

    def after(self, position: int) -> tuple[Order, ...]:
        """Return the orders that were issued after a position, oldest first."""
        first = bisect_right(self._issued, position, key=lambda each: each[0])
        return tuple(self._orders[name] for name in dict.fromkeys(name for _, name in self._issued[first:]))

    def that_may_bar(self, sealed: int) -> tuple[Order, ...]:
        """Return the orders that can bar a release sealed at a position, or stop who reads it, oldest first."""
        before = (order for order in self.in_force() if order.position <= sealed)
        return (*before, *self.after(sealed))

    def in_force(self) -> tuple[Order, ...]:
        """Return the orders that hold, oldest first."""
        return tuple(self._orders[name] for name in tuple(self._in_force))

    def suspensions(self) -> tuple[Rule, ...]:
        """Return the rules of the orders that hold for the training of no model in particular."""
        return tuple(order.rule for order in self.in_force() if order.scope.names(None))

    def take(self, event: Event) -> None:
        """Take one event in, if it is about orders."""
        body = event.body
        if isinstance(body, OrderIssued):
            if body.order not in self._orders:
                self._of_case.setdefault(body.case, []).append(body.order)
            self._issued.append((event.position, body.order))
            self._orders.pop(body.order, None)
            self._orders[body.order] = issued(body, position=event.position, at=event.recorded_at)
            self._in_force[body.order] = None
        elif isinstance(body, OrderEnded) and (order := self._orders.get(body.order)) is not None:
            ended = Ended(how=body.how, position=event.position, at=event.recorded_at)
            self._orders[body.order] = replace(order, ended=order.ended or ended)
            self._in_force.pop(body.order, None)
        elif isinstance(body, OrderDrainedV1 | OrderDrained) and (order := self._orders.get(body.order)) is not None:
            drained = Drained(
                position=event.position,
                at=event.recorded_at,
                stopped=body.stopped,
                expired=body.expired,
                released=body.released,
                failed=body.failed if isinstance(body, OrderDrained) else 0,
                took_ms=body.took_ms,
            )
            self._orders[body.order] = replace(order, drained=drained)


def issued(body: OrderIssued, *, position: int, at: Seconds) -> Order:
    """Return the order that an event issues."""
    return Order(
        order=body.order,
        case=body.case,
        scope=Scope(
            areas=frozenset(body.areas),
            purposes=frozenset(body.purposes),
            categories=frozenset(body.categories),
            visibilities=frozenset(body.visibilities),
            created_from=body.created_from,
            created_before=body.created_before,
            models=frozenset(body.models),
        ),
        origin=body.origin,
        reference=body.reference,
        by=body.by,
        position=position,
        at=at,
        at_ms=body.at_ms,
    )


def issue(
    scope: Scope,
    *,
    order: str,
    case: str,
    origin: Origin,
    reference: str,
    at_ms: Milliseconds,
    by: str | None = None,
) -> OrderIssued:
    """Return the event that puts an order in force."""
    return OrderIssued(
        order=order,
        case=case,
        areas=tuple(sorted(scope.areas)),
        purposes=tuple(sorted(scope.purposes)),
        categories=tuple(sorted(scope.categories)),
        visibilities=tuple(sorted(scope.visibilities)),
        created_from=scope.created_from,
        created_before=scope.created_before,
        models=tuple(sorted(scope.models)),
        origin=origin,
        reference=reference,
        by=by,
        at_ms=at_ms,
    )


def unknown_models(scope: Scope, known: Mapping[str, object]) -> PolicyError | None:
    """Return the error for a model that nobody ever trained or registered; None if all are known."""
    unknown = sorted(scope.models - known.keys())
    if not unknown:
        return None
    return PolicyError(
        "order-unknown-model",
        f"no model `{unknown[0]}`",
        help=names_there_are(sorted(known), otherwise="no model was ever trained or registered here"),
    )
