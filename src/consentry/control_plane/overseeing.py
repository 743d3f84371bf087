"""Suspending: orders, what they would hit, what they hit, and when the last job has stopped.

An order takes effect at its position. Appending it is the COMMIT POINT: a build that seals afterwards sees it at the
head and decides again; a lease that is asked for or renewed afterwards is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from consentry.control_plane import newest_word
from consentry.control_plane.amending import Amending
from consentry.control_plane.known import Known
from consentry.control_plane.parts import Parts
from consentry.control_plane.wording import is_name, require_handle, require_texts
from consentry.corpus.registration import open_corpus
from consentry.errors import ConsentryError, InputError
from consentry.ledger.case_events import CaseEnd, CaseOpened, Handle
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import LeaseEnd, OrderDrained, OrderEnd, OrderEnded, Origin
from consentry.oversight.lease import Lease
from consentry.oversight.order import Order, Scope, in_words, issue, unknown_models
from consentry.policy.choice import Seconds
from consentry.policy.expressions import Rule
from consentry.policy.jurisdictions import contains
from consentry.policy.vocabulary import Purpose
from consentry.release.data_file import excluded_positions
from consentry.release.in_scope import lay_out, people_in_scope, rows_in_scope
from consentry.release.manifest import ReleaseFile
from consentry.release.reproduce import sidecars_of
from consentry.release.tallies import NOBODY_PLACE, UNRESOLVED_PLACE

_APART = "|"


class _Question(NamedTuple):
    """Whether an order hits a release, by what is known: what the answer depends on."""

    order: str
    release: str
    joined: int
    links: int
    erased: int
    amended: int
    decided: bool
    """The release was sealed while the order was in force: only who was joined with somebody since can be hit."""


class Overseeing(Amending):
    """Verbs about orders."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._hits: dict[_Question, bool] = {}
        self._scans: dict[tuple[str, str], Lock] = {}

    def suspend(
        self,
        scope: Scope,
        *,
        case: str,
        origin: Origin,
        reference: str,
        by: Handle | None = None,
        along: Callable[[str], Sequence[Body]] | None = None,
    ) -> Order:
        """Put an order in force, and return it. `along` returns what is said of it in the same append, by its name.

        Raises:
            PolicyError: an area or a model that is not known here.
            InputError: a window in which nothing can be created, no name for the case, or no line as a reference.
            StateError: the case was lifted or withdrawn.
        """
        if (origin is Origin.AUTHORITY) != (along is not None):
            raise InputError(
                "order-unsigned",
                "only an authority's signed statement makes an order of the authority itself",
                help="record a letter as `authority-request`; a signed statement: docs/authority.md",
            )
        self._check(scope, case)
        require_texts(reference=reference)
        if by is not None:
            require_handle(by)
        with self.lock, self.parts.ledger.sealing() as session:
            self._advance(session.read_delta(self.newest.position))
            opening = self._opening(case, scope, reference, by=by)
            number = len(self.newest.record.orders.of(case)) + 1
            body = issue(
                scope,
                order=f"{case}.{number}",
                case=case,
                origin=origin,
                reference=reference,
                by=by,
                at_ms=self.parts.milliseconds(),
            )
            positions = session.append([*opening, body, *(along(body.order) if along is not None else ())])
        newest_word.write_down(self.parts.home, self.parts.ledger, position=positions[-1])
        self.drain()
        order = self.present().record.orders.get(body.order)
        assert order is not None, "an order that was appended is known"
        return order

    def _opening(self, case: str, scope: Scope, reference: str, *, by: Handle | None) -> list[CaseOpened]:
        """Return what has to be said first if nobody has heard of the case. A prohibited one may still be widened."""
        known = self.newest.record.cases.get(case)
        if known is None:
            return [CaseOpened(case=case, title=f"suspended: {in_words(scope)}", reference=reference, by=by)]
        if known.over is None or known.over.how is not CaseEnd.PROHIBITED:
            known.require_open()
        return []

    def _check(self, scope: Scope, case: str) -> None:
        if not is_name(case):
            raise InputError(
                "case-name",
                f"`{case}` is no name of a case",
                help="use lower-case letters, digits and single hyphens",
            )
        scope.check()
        unknown = unknown_models(scope, self.present().record.models)
        if unknown is not None:
            raise unknown

    def orders(self) -> list[Order]:
        """Return all orders, oldest first."""
        return list(self.present().record.orders)

    def end_orders(self, names: Iterable[str], how: OrderEnd) -> list[OrderEnded]:
        """Return the events that end orders which hold; the caller appends them, holding the head."""
        known = self.newest.record.orders
        held = [order for name in names if (order := known.get(name)) is not None and order.ended is None]
        return [OrderEnded(order=order.order, case=order.case, how=how) for order in held]

    def what_if(self, scope: Scope) -> dict[str, Any]:
        """Say what an order would hit: items and people by corpus, releases, leases that are read under, models."""
        self._check(scope, "what-if")
        present, at = self.present(), self.parts.clock()
        rule = scope.rule("what-if", why="")
        releases = {
            name: hit
            for name, sealed in present.state.releases.items()
            if sealed.withdrawn is None and scope.concerns(sealed.purpose) and (hit := self._items_hit(name, rule, at))
        }
        leases = [lease for lease in present.record.leases if lease.release in releases and scope.names(lease.model)]
        return {
            "scope": scope.to_json(),
            "corpora": {name: self._corpus_hit(name, rule, at) for name in present.state.corpora},
            "releases": releases if not scope.models else {},
            "leases": [lease.lease for lease in leases if lease.ended is None],
            "jobs": sorted({lease.job for lease in leases if lease.ended is None}),
            "models": sorted({lease.model for lease in leases}),
            "no_longer_served": sorted({each.model for each in leases}) if scope.concerns(Purpose.SERVE) else [],
        }

    def _corpus_hit(self, name: str, rule: Rule, at: Seconds) -> dict[str, int]:
        corpus = self.corpus(name)
        with self.lock:
            classes = self.present().knowledge(Purpose.TRAIN_AI, at=at).classes
        look = lay_out(rule, classes, items=corpus.items, at=at)
        counts = self.parts.runner.map(lambda each: int(rows_in_scope(each, look).sum()), corpus.sidecars)
        return {"items": sum(counts), "of": corpus.rows, "people": people_in_scope(look)}

    def hitting(self, lease: Lease) -> Order | None:
        """Return an order that makes a lease stop, if there is one.

        One that was issued under it does even if it has ended since. An older one does while it is in force: people may
        have moved into its areas.
        """
        for order in self.newest.record.orders:
            concerns = order.position > lease.fence or order.ended is None
            if concerns and order.scope.names(lease.model) and self.hits(order, lease.release):
                return order
        return None

    def suspended_by(self, release: str) -> Order | None:
        """Return an order in force that hits a release, whatever model is trained; None if there is none."""
        with self.lock:
            orders = [order for order in self.present().record.orders.in_force() if order.scope.names(None)]
            return next((order for order in orders if self.hits(order, release)), None)

    def hits(self, order: Order, release: str) -> bool:
        """Say whether a release holds items in the scope of an order, by what was known then or what is known now.

        A release that was sealed after the order was decided by it: only who moved or was linked since can be hit. That
        is not so for an order that names models, as a release is for none.
        """
        return order.scope.concerns(self.newest.state.releases[release].purpose) and self.holds(order, release)

    def holds(self, order: Order, release: str) -> bool:
        """Say the same, whatever purposes the order is about: for the use of what was trained on the release."""
        with self.lock:
            key = self._asked_of(order, release)
            found = False if key is None else self._hits.get(key)
        if found is None and key is not None:
            # By what is known from here on: the key is of then, and none comes back.
            at = self.parts.clock()
            found = (not key.decided and self._held_then(release, order)) or bool(
                self._items_hit(release, order.rule, at, but_left=key.decided)
            )
            self._hits[key] = found
        return bool(found)

    def _asked_of(self, order: Order, release: str) -> _Question | None:
        """Return by what an answer is remembered, None if a release holds nothing. The caller holds the lock."""
        state = self.newest.state
        sealed, joined = state.releases[release], self.newest.reaching.joined
        decided = sealed.position > order.position and order.scope.concerns(sealed.purpose) and order.scope.names(None)
        if decided and joined <= sealed.position:
            return None
        # Where people live changes with their table, and with which accounts are one person. An erasure undoes links.
        amended = len(self.newest.amendments.of(release)) if decided else 0
        return _Question(order.order, release, joined, len(state.links), len(state.erased), amended, decided)

    def foresee(self, leases: Iterable[str] | None = None, *, asked: tuple[str, str] | None = None) -> None:
        """Find out what orders hit of what is read under leases, all that are open if None.

        `asked`: or of the release that somebody asks for, with a model. It takes time: whoever takes the lock
        afterwards need not hold it for so long, and nobody else waits.

        INVARIANT: the caller does not hold the lock.
        """
        with self.lock:
            record = self.present().record
            found = record.leases.open() if leases is None else [record.leases.get(name) for name in leases]
            reads = [(each.release, each.model, each.fence) for each in found if each is not None]
            first = min((fence for *_, fence in reads), default=0)
            newer = [order for order in record.orders if order.position > first]
            pairs = [
                (order, release)
                for order in newer
                for release, model, fence in reads
                if order.position > fence and order.scope.names(model)
            ]
            if asked is not None:
                pairs = [(order, asked[0]) for order in record.orders.in_force() if order.scope.names(asked[1])]
            unknown = dict.fromkeys(pair for pair in pairs if (key := self._asked_of(*pair)) and key not in self._hits)
        for order, release in unknown:
            with self._scans.setdefault((order.order, release), Lock()):
                self.hits(order, release)

    def _held_then(self, name: str, order: Order) -> bool:
        """Say whether the counts of a release name eligible items in scope. They know no dates."""
        scope = order.scope
        if scope.created_from is not None or scope.created_before is not None:
            return False
        try:
            tally = self.release(name).tally()
        except (ConsentryError, OSError):
            # What a release that cannot be read holds is not known, and what is not known is hit.
            return True
        for place, kind in {(tally.places[p], tally.kinds[k]) for p, k in _eligible_cells(tally)}:
            such = not scope.categories or kind.category in {*scope.categories, "unknown"}
            seen = not scope.visibilities or kind.visibility in {*scope.visibilities, "unknown"}
            if such and seen and may_lie_in(place, scope, at=order.at):
                return True
        return False

    def _items_hit(self, name: str, rule: Rule, at: Seconds, *, but_left: bool = False) -> int:
        """Count the items of a release that a rule may match by what is known of people now.

        With `but_left` those that left by amendments are none of it: of who was erased nothing is known any more.
        """
        try:
            return self._rows_hit(name, rule, at, but_left=but_left)
        except (ConsentryError, OSError):
            # What cannot be read is not known, and what is not known is hit. Nobody else's lease is in doubt by that.
            return 1

    def _rows_hit(self, name: str, rule: Rule, at: Seconds, *, but_left: bool) -> int:
        release = self.release(name)
        corpus = sidecars_of(release.manifest, open_corpus(self.corpora, release.manifest.corpus))
        missing = len(release.manifest.files) - len(corpus.sidecars)
        left = self.removed(self.newest.amendments.newest(name)) if but_left else {}
        with self.lock:
            classes = self.newest.knowledge(release.manifest.purpose, at=at).classes
        look = lay_out(rule, classes, items=corpus.items, at=at)
        files = dict(zip((each.pin for each in corpus.sidecars), corpus.sidecars, strict=True))

        def count(index: int, file: ReleaseFile) -> int:
            sidecar = files.get(file.pin)
            if sidecar is None:
                return 0
            mask = rows_in_scope(sidecar, look)
            mask[excluded_positions(release.data_file(file, corpus.base))] = False
            if index in left:
                mask[np.asarray(left[index].to_array(), dtype=np.int64)] = False
            return int(np.count_nonzero(mask))

        return sum(self.parts.runner.map(lambda each: count(*each), list(enumerate(release.manifest.files)))) + missing

    def drain(self) -> list[Order]:
        """Note in the ledger which orders nobody reads against any more, and return those that were noted now."""
        self.foresee()
        with self.lock:
            present = self.present()
            waiting = [order for order in present.record.orders if order.drained is None]
            done = [body for order in waiting if (body := self._drained(order, present)) is not None]
            if done:
                with self.parts.ledger.sealing() as session:
                    self._advance(session.read_delta(self.newest.position))
                    known = self.newest.record.orders
                    session.append(
                        [body for body in done if (found := known.get(body.order)) and found.drained is None]
                    )
        names = [body.order for body in done]
        return [order for order in self.present().record.orders if order.order in names]

    def made_to_stop(self, order: Order) -> list[Lease]:
        """Return the leases that an order revoked, as they are now."""
        with self.lock:
            return self._made_to_stop(order, self.present())

    def _made_to_stop(self, order: Order, present: Known) -> list[Lease]:
        return [
            lease
            for lease in present.record.leases
            if lease.fence < order.position
            and (lease.ended is None or lease.ended.position > order.position)
            and order.scope.names(lease.model)
            and self.hits(order, lease.release)
        ]

    def _drained(self, order: Order, present: Known) -> OrderDrained | None:
        hit = self._made_to_stop(order, present)
        if any(lease.ended is None for lease in hit):
            return None
        how = [lease.ended.how for lease in hit if lease.ended is not None]
        return OrderDrained(
            order=order.order,
            stopped=how.count(LeaseEnd.STOPPED),
            expired=how.count(LeaseEnd.EXPIRED),
            released=how.count(LeaseEnd.RELEASED),
            took_ms=max(0, self.parts.milliseconds() - order.at_ms),
        )

    def _advance(self, events: Iterable[Any]) -> None:
        self.newest.advance(events)


def _eligible_cells(tally: Any) -> Iterator[tuple[int, int]]:
    kept = tally.allowed & (tally.items > 0)
    return zip(tally.place[kept].tolist(), tally.kind[kept].tolist(), strict=True)


def may_lie_in(place: str, scope: Scope, *, at: Seconds) -> bool:
    """Say whether people whose items are counted under a place may be in the areas of a scope."""
    if not scope.areas or place in (NOBODY_PLACE, UNRESOLVED_PLACE):
        return True
    countries = place.split(_APART)
    return any(contains(area, country, at=at) is not False for area in scope.areas for country in countries)
