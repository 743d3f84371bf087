"""What anybody may know: what content is used for, under which rules, and where the use is suspended.

Nothing here is about a person: no names, no cases, and no count below ten, which could single people out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Any

from consentry.control_plane.desk import Desk
from consentry.control_plane.in_force import history
from consentry.control_plane.known import Known
from consentry.errors import ConsentryError
from consentry.oversight.order import Order, Orders
from consentry.policy.expressions import Effect, Rule
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.release.sealed import SealedRelease

FORMAT = "consentry/transparency/v2"
FEWEST = 10
"""Smaller counts are not told."""
MOST_EARLIER = 20
"""Suspensions that have ended and are listed: the last ones."""


class PublicView:
    """The document behind the transparency page."""

    def __init__(
        self, desk: Desk, *, release: Callable[[str], SealedRelease], barring: Callable[[str], Order | None]
    ) -> None:
        self._desk = desk
        self._barring = barring
        self._release = release
        self._used: dict[str, dict[str, int]] = {}
        self._last: dict[str, Any] | None = None
        self._complete = True
        """Whether every release of the last document could be counted: one that could not is tried again."""
        self._turn = Lock()

    def document(self) -> dict[str, Any]:
        """Return what anybody may know, as of the ledger's head. Nobody changes it.

        It is made once for each position, and by one visitor at a time: others are told what was so a moment ago. So
        staff wait for one visitor at most, however many come.
        """
        last = self._last
        if not self._turn.acquire(blocking=last is None):
            assert last is not None, "who does not wait has something to show"
            return last
        try:
            if not self._complete or self._last is None or self._last["position"] != self._desk.parts.ledger.head():
                self._complete = True
                self._last = self._made()
            return self._last
        finally:
            self._turn.release()

    def _made(self) -> dict[str, Any]:
        with self._desk.lock:
            known = self._desk.present()
            sealed = [name for name, each in known.state.releases.items() if each.withdrawn is None]
            models = [each for each in known.overseen.lineage if each.withdrawn is None and each.destroyed is None]
            found = {
                "format": FORMAT,
                "position": known.position,
                **self._policies(known),
                "suspensions": [_suspension(each) for each in known.overseen.orders.in_force()],
                **_earlier(known.overseen.orders),
                "counts": {
                    "releases": bounded(len(sealed)),
                    "models": bounded(len(models)),
                    "newest": self._by_use(known),
                },
            }
        # Not under the lock: who is the first to ask about an order looks at items, and leases are renewed meanwhile.
        found["counts"]["releases_barred"] = bounded(sum(self._barring(each) is not None for each in sealed))
        return found

    def _policies(self, known: Known) -> dict[str, Any]:
        """Return the sets that decide about some use now, and those that did, or were never asked: newest first."""
        published = known.state.policies
        found = history(published, self._desk.document)
        counts = {known.state.releases[name].policy for name in _newest(known).values()}
        return {
            "policies": [
                {
                    **described(self._desk.document(each.published.digest)),
                    "in_force_for": list(each.purposes),
                    "since": self._desk.recorded_at(each.published.position),
                }
                for each in found
                if each.purposes
            ],
            "earlier_policies": [
                {
                    **_named(self._desk.document(each.published.digest)),
                    "since": self._desk.recorded_at(each.published.position),
                    "until": None if each.until is None else self._desk.recorded_at(each.until),
                    "newest_data": each.published.digest in counts,
                }
                for each in found
                if not each.purposes
            ],
        }

    def _by_use(self, known: Known) -> list[dict[str, Any]]:
        """Return for each use how many items of each category its newest releases use, of each corpus one.

        They are counted as they were sealed, and how many left since, of any category. Uses are not added up: an item
        may be used for several.
        """
        found: dict[Purpose, Counter[str]] = {}
        left: Counter[Purpose] = Counter()
        for (_, purpose), name in _newest(known).items():
            if counted := self._counted(name):
                found.setdefault(purpose, Counter()).update(counted)
                noted = known.amendments.newest(name)
                left[purpose] += 0 if noted is None else noted.items
        return [
            {
                "purpose": str(purpose),
                "items_by_category": {category: bounded(n) for category, n in sorted(items.items()) if n},
                "items_left_since": bounded(left[purpose]),
            }
            for purpose, items in sorted(found.items())
            if items.total()
        ]

    def _counted(self, name: str) -> dict[str, int]:
        if name not in self._used:
            try:
                counts = self._release(name).manifest.counts["by_category"]
            except ConsentryError:
                self._complete = False
                return {}
            self._used[name] = {category: each["eligible"] for category, each in counts.items()}
        return self._used[name]


def _newest(known: Known) -> dict[tuple[str, Purpose], str]:
    """Return the newest release of each corpus and use that is not withdrawn."""
    releases = known.state.releases.items()
    return {(each.corpus, each.purpose): name for name, each in releases if each.withdrawn is None}


def bounded(count: int) -> dict[str, int]:
    """Return a count that may be told: itself, or that it is below ten."""
    return {"count": count} if count >= FEWEST else {"fewer_than": FEWEST}


def described(policy: PolicySet) -> dict[str, Any]:
    """Return what a policy set says, rule by rule, as words of the vocabulary."""
    return {
        **_named(policy),
        "digest": policy.digest,
        "purposes": sorted(policy.purposes),
        "permits": [_rule(each) for each in policy.rules if each.effect is Effect.PERMIT],
        "forbids": [_rule(each) for each in policy.rules if each.effect is Effect.FORBID],
    }


def _named(policy: PolicySet) -> dict[str, Any]:
    return {
        "name": policy.name,
        "version": policy.version,
        "title": policy.title,
        "title_in": dict(policy.title_in),
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "why": rule.why,
        "why_in": dict(rule.why_in),
        "legal_basis": None if rule.legal_basis is None else str(rule.legal_basis),
        "purposes": sorted(rule.purposes),
        "categories": sorted(rule.categories),
        "visibilities": sorted(rule.visibilities),
        "ages": sorted(rule.ages),
        "inside": sorted(rule.inside),
        "outside": sorted(rule.outside),
        "created_from": rule.created_from,
        "created_before": rule.created_before,
        "choices": sorted(rule.choices),
        "waits_days": None if rule.notice is None else rule.notice.days,
    }


def _earlier(orders: Orders) -> dict[str, Any]:
    """Return the orders that have ended, the one that ended last first, with how that was; and how many there are."""
    over = [(each.ended, each) for each in orders if each.ended is not None]
    over.sort(key=lambda each: each[0].position, reverse=True)
    shown = [_suspension(each) | {"until": ended.at, "ended": str(ended.how)} for ended, each in over[:MOST_EARLIER]]
    return {"earlier_suspensions": shown, "earlier_suspensions_in_all": len(over)}


def _suspension(order: Order) -> dict[str, Any]:
    """Return an order without its case: what is suspended, where, and since when."""
    scope = order.scope
    return {
        "areas": sorted(scope.areas),
        "purposes": sorted(scope.purposes),
        "categories": sorted(scope.categories),
        "visibilities": sorted(scope.visibilities),
        "created_from": scope.created_from,
        "created_before": scope.created_before,
        "some_models_only": bool(scope.models),
        "since": order.at,
    }
