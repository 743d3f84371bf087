"""What an authority sees: documents of what concerns its jurisdictions, at the position of the ledger's head.

Whatever does not concern it is not there: asked for by name, the answer is the same as for what does not exist.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from consentry.control_plane.archive import Archive
from consentry.control_plane.casebook import CaseBook
from consentry.control_plane.conditions import Looked, asked_of, looked_at
from consentry.control_plane.content_there import ContentFound, ContentThere
from consentry.control_plane.hits import Hits
from consentry.control_plane.known import Known
from consentry.control_plane.losses import Losses
from consentry.control_plane.removals import Removals
from consentry.control_plane.rows_there import Held
from consentry.control_plane.trained_on import TrainedOn
from consentry.errors import ConsentryError, NotFoundError
from consentry.oversight.authority_view import (
    Sight,
    case_document,
    case_line,
    delivered_to,
    notices_of,
    order_document,
    papers_seen,
    reports_of,
)
from consentry.oversight.case import Answers, Case
from consentry.oversight.jurisdiction import Areas
from consentry.oversight.objection_form import FORM
from consentry.oversight.order import Order
from consentry.oversight.paper import the_one
from consentry.policy.choice import Seconds

FORMAT = "consentry/authority-view/v1"
_Checked = Mapping[str, Answers]
"""What the checks of cases find, by case."""


class AuthorityView:
    """Documents for authorities."""

    def __init__(
        self,
        archive: Archive,
        *,
        removals: Removals,
        trained_on: TrainedOn,
        losses: Losses,
        book: CaseBook,
        hits: Hits,
    ) -> None:
        self._desk = archive.desk
        self._book = book
        self._telling = book.telling
        self._content = ContentThere(archive, removals=removals, trained_on=trained_on, losses=losses)
        self._hits = hits

    @contextmanager
    def _looking(self, areas: Areas) -> Iterator[tuple[Known, Sight]]:
        with self._desk.lock:
            known = self._desk.present()
            yield known, Sight(areas=areas, at=self._as_of(known.position))

    @contextmanager
    def _looking_at_content(self, areas: Areas) -> Iterator[tuple[Known, Sight, ContentFound]]:
        """Do as `_looking` does, and give what was found of their content without the lock.

        Again if it was changed meanwhile, with less to look for each time: who withdraws all the time holds up nobody.
        """
        held: Held = {}
        while True:
            found = self._content.find(areas, held)
            with self._looking(areas) as (known, sight):
                if self._content.still(found, known):
                    yield known, sight, found
                    return

    @contextmanager
    def _looking_at_cases(self, areas: Areas, name: str | None = None) -> Iterator[tuple[Known, Sight, _Checked]]:
        """Do as `_looking` does, and give what the checks of cases find.

        They are run without the lock, again if what they look at was changed meanwhile. Whom the notices of the cases
        did not reach is counted without it too: with it, it is quick afterwards.
        """

        def seen(known: Known, sight: Sight) -> tuple[list[Case], dict[str, Looked]]:
            cases = [each for each in sight.cases(known.overseen) if name in (None, each.case)]
            return cases, {each.case: looked_at(each, self._desk) for each in cases}

        while True:
            with self._looking(areas) as (known, sight):
                cases, looked = seen(known, sight)
                asked = {each.case: asked_of(each, self._desk, at=sight.at, form=FORM) for each in cases}
                tellings = [self._telling.asked(each, at=sight.at) for each in cases]
            for telling in tellings:
                self._telling.count(telling)
            checked = {each: answers() for each, answers in asked.items()}
            with self._looking(areas) as (known, sight):
                if seen(known, sight)[1] == looked:
                    yield known, sight, checked
                    return

    def _as_of(self, position: int) -> Seconds:
        if not position:
            return 0
        (last,) = self._desk.parts.ledger.read(position - 1, position)
        return last.recorded_at

    def start(self, areas: Areas) -> dict[str, Any]:
        """Return an overview: cases, orders in force, reports, and counts of what is trained on."""
        while True:
            content = self._content.find(areas)
            with self._looking_at_cases(areas) as (known, sight, checked):
                if self._content.still(content, known):
                    return self._start(known, sight, checked=checked, content=content)

    def _start(self, known: Known, sight: Sight, *, checked: _Checked, content: ContentFound) -> dict[str, Any]:
        overseen, cases = known.overseen, sight.cases(known.overseen)
        releases = self._content.releases(content, known)
        return {
            **_head("start", known, sight=sight),
            "cases": [self._line(each, known, sight=sight, answers=checked[each.case]) for each in cases],
            "orders_in_force": [order_document(each) for each in sight.orders(overseen) if each.ended is None],
            "reports": [one for each in cases for one in reports_of(each, overseen, sight=sight)],
            "trained_on": {
                "releases": sum(bool(each["items"]) for each in releases),
                "items_in_newest": {each["corpus"]: _still_there(each) for each in releases if not each["withdrawn"]},
                "models": len(self._content.models(content, known)),
            },
        }

    def case(self, name: str, areas: Areas) -> dict[str, Any]:
        """Return a case.

        Raises:
            NotFoundError: there is none of this name, or it does not concern them.
        """
        with self._looking_at_cases(areas, name) as (known, sight, checked):
            case = self._seen(name, known, sight=sight)
            found = case_document(
                case,
                known.overseen,
                sight=sight,
                answers=checked[case.case],
                not_reached=self._telling.not_reached(case, at=sight.at),
                events=self._book.timeline(case),
            )
            head = _head("case", known, sight=sight)
        return {**head, **found, "statements": [{**each, **self._kept(each)} for each in found["statements"]]}

    def _kept(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was signed of a statement, the signature and the key, in Base64; `kept` is None if it is gone."""
        try:
            return {"kept": json.loads(self._desk.parts.objects.get(statement["document"]))}
        except ConsentryError:
            return {"kept": None}

    def cases(self, areas: Areas) -> dict[str, Any]:
        """Return the cases that concern them."""
        with self._looking_at_cases(areas) as (known, sight, checked):
            cases = sight.cases(known.overseen)
            found = [self._line(each, known, sight=sight, answers=checked[each.case]) for each in cases]
            return {**_head("cases", known, sight=sight), "cases": found}

    def orders(self, areas: Areas) -> dict[str, Any]:
        """Return the orders that concern them, in force or not."""
        with self._looking(areas) as (known, sight):
            found = [order_document(each) for each in sight.orders(known.overseen)]
            return {**_head("orders", known, sight=sight), "orders": found}

    def models(self, areas: Areas) -> dict[str, Any]:
        """Return the models that were trained on content of their jurisdictions, and on how much of it.

        `in_releases`: how many such items there are in the `releases` that they were trained on. `items`: how many of
        these they read, by what their jobs said, row by row. None of either: that is not known.
        """
        with self._looking_at_content(areas) as (known, sight, found):
            return {**_head("models", known, sight=sight), "models": self._content.models(found, known)}

    def releases(self, areas: Areas) -> dict[str, Any]:
        """Return the releases with content of their jurisdictions, and how much.

        `barred`: by which order, which is named if it concerns them.

        What an order hits is looked up without the lock: it may take time.
        """
        with self._looking_at_content(areas) as (known, sight, content):
            found, orders = self._content.releases(content, known), sight.orders(known.overseen)
            head = _head("releases", known, sight=sight)
        rows = [{**each, "barred": self._barred(each["release"], orders)} for each in found]
        return {**head, "releases": rows, "unreadable": content.unreadable}

    def _barred(self, release: str, orders: Sequence[Order]) -> dict[str, Any] | None:
        """Say by which of some orders nobody may read a release, those in force first; None if nothing bars it.

        Of an order that is none of these it is said that there is one, and nothing else.
        """
        for order in sorted(orders, key=lambda each: each.ended is not None):
            if self._hits.bars(order, release):
                return {"order": order.order, "ended": None if order.ended is None else str(order.ended.how)}
        return None if self._hits.barring(release) is None else {"order": None, "ended": None}

    def notices(self, areas: Areas) -> dict[str, Any]:
        """Return the notices that their cases require, and until when people can object."""
        with self._looking(areas) as (known, sight):
            return {
                **_head("notices", known, sight=sight),
                "notices": notices_of(sight.cases(known.overseen), known.overseen),
            }

    def reports(self, areas: Areas) -> dict[str, Any]:
        """Return the reports on their cases, due and delivered."""
        with self._looking(areas) as (known, sight):
            cases = sight.cases(known.overseen)
            found = [one for each in cases for one in reports_of(each, known.overseen, sight=sight)]
            return {**_head("reports", known, sight=sight), "reports": found}

    def report(self, name: str, report: str, *, areas: Areas) -> bytes:
        """Return the bytes of a report that was delivered.

        Raises:
            NotFoundError: there is no such report, it was not delivered, or is about the matters of others as well.
        """
        with self._looking(areas) as (known, sight):
            case = self._seen(name, known, sight=sight)
            owed = case.reports.get(report)
            found = None if owed is None else delivered_to(owed, case, overseen=known.overseen, sight=sight)
            if found is None:
                raise NotFoundError(
                    "case-report-unknown",
                    "no such report was delivered",
                    help="the list of reports has those there are",
                )
            document = found[0].document
        return self._desk.parts.objects.get(document)

    def paper(self, name: str, position: int, *, areas: Areas, part: int = 0) -> tuple[dict[str, Any], bytes]:
        """Return a document that was given in a case, as a page and its download have it, and its bytes.

        Raises:
            NotFoundError: there is no such case or document, or it may be about the matters of others.
        """
        with self._looking(areas) as (known, sight):
            case = self._seen(name, known, sight=sight)
            papers = papers_seen(case, known.overseen, sight=sight, events=self._book.timeline(case))
            found = the_one(papers, position, part=part)
            head = _head("paper", known, sight=sight)
        content = self._desk.parts.objects.get(found.document)
        given = {"position": found.position, "part": found.part, "at": found.at}
        said = {"case": name, "kind": str(found.kind), "name": found.name, "document": found.document, "given": given}
        return {**head, **said, "content": base64.b64encode(content).decode("ascii")}, content

    def model_names(self, areas: Areas) -> frozenset[str]:
        """Return the models that may have been trained on content of their jurisdictions: their releases hold it."""
        with self._looking_at_content(areas) as (known, _, found):
            return found.built_on_it(known)

    def orders_that_wait(self, areas: Areas, handle: str) -> dict[str, list[str]]:
        """Return the orders in force that wait for this account to sign that they may be lifted, by case."""
        with self._looking(areas) as (known, sight):
            found = {
                case.case: [order for order, missing in case.unsigned().items() if handle in missing]
                for case in sight.cases(known.overseen)
            }
        return {case: orders for case, orders in found.items() if orders}

    def _seen(self, name: str, known: Known, *, sight: Sight) -> Case:
        case = known.overseen.cases.get(name)
        if case is None or not sight.sees(case, known.overseen):
            raise NotFoundError("case-unknown", "no such case concerns you", help="the start page has those that do")
        return case

    def _line(self, case: Case, known: Known, *, sight: Sight, answers: Answers) -> dict[str, Any]:
        not_reached = self._telling.not_reached(case, at=sight.at)
        return case_line(case, known.overseen, sight=sight, answers=answers, not_reached=not_reached)


def _still_there(release: Mapping[str, Any]) -> int | None:
    """Return how many items of some areas a release holds without those that have left it; None if not known."""
    items, left = release["items"], release["left"]
    return None if items is None or left is None else items - left


def _head(what: str, known: Known, *, sight: Sight) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "what": what,
        "areas": sorted(sight.areas),
        "position": known.position,
        "as_of": sight.at,
    }
