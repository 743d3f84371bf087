"""What an order hits is remembered, and after a link only those who were linked are looked at."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from consentry.control_plane import order_rows
from consentry.control_plane.hits import Hits
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Category, Purpose
from consentry.release.in_scope import rows_in_scope
from end_to_end.network import RawItem, RawPerson, populated
from end_to_end.telling import told_then

NOW = 1_730_000_000
POLICY = "august-2024"
COUNTRIES = ("US", "US", "FR", "BR", "GB", None, "US", "US")
PEOPLE = [RawPerson(id=f"p{number}", country=country) for number, country in enumerate(COUNTRIES)]
ITEMS = [
    *(RawItem(id=f"i{number}", author=f"p{number}", created=1_000) for number in range(len(PEOPLE))),
    RawItem(id="both", author="p0", involves=("p6",), created=1_000),
]
SCOPES = (
    Scope(areas=frozenset({"UK"})),
    Scope(areas=frozenset({"EU"}), categories=frozenset({Category.POST}), created_before=2_000),
    Scope(areas=frozenset({"EU"}), categories=frozenset({Category.IMAGE})),
    Scope(areas=frozenset({"BR"}), created_from=2_000),
)
LINKS = ((0, 1), (2, 3), (1, 6), (0, 4), (5, 7), (5, 2), (7, 6))


def test_after_a_link_only_those_who_were_linked_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned = Mock(wraps=rows_in_scope)
    with populated([ITEMS[:4], ITEMS[4:]], PEOPLE, POLICY) as (_, deployment):
        control, ids = deployment.control, [deployment.person(str(each.id)) for each in PEOPLE]
        control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)
        for number, scope in enumerate(SCOPES):
            control.orders.suspend(scope, case=f"c{number}", origin=Origin.AUTHORITY_REQUEST, reference="letter")
        control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)
        found, names = control.orders.hits, list(control.desk.present().state.releases)
        pairs = [(order, name) for order in control.desk.present().overseen.orders for name in names]

        def answers(these: Hits) -> list[bool]:
            control.desk.present()
            return [these.holds(*pair) for pair in pairs]

        def anew() -> list[bool]:
            return answers(Hits(control.desk, archive=found.archive, removals=found.removals))

        first = answers(found)
        assert first == anew()
        seen = {tuple(first)}
        for one, other in LINKS:
            doubtful = [each for each in found._known.values() if each.hit and not each.always]
            control.statements.link(ids[one], ids[other])
            monkeypatch.setattr(order_rows, "rows_in_scope", scanned)
            after = answers(found)
            assert scanned.call_count <= 2 * len(doubtful), "all files were looked through for a link"
            scanned.reset_mock()
            monkeypatch.undo()
            assert after == anew()
            told_then(deployment, f"n{one}{other}", [ids[one]], at=NOW)  # said since, and nobody moved
            assert answers(found) == after
            seen.add(tuple(after))
        assert len(seen) > 2, "links make orders hit more"
        assert len(found._known) <= len(pairs), "older answers are forgotten"
        control.statements.erase([ids[4]])
        assert answers(found) == anew()
