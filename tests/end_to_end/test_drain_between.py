"""An order that is given while the tables of another are removed is not noted as drained unseen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane.issuing import Issuing
from consentry.control_plane.orders import OrderVerbs
from consentry.ledger.oversight_events import OrderDrained, Origin
from consentry.oversight.order import Order, Scope
from end_to_end.suspended_network import build, place, suspend

__all__ = ["place"]
BRAZIL = Scope(areas=frozenset({"BR"}))


def drained(deployment: Deployment) -> dict[str, bool]:
    return {each.case: each.drained is not None for each in deployment.control.orders.every()}


def test_its_tables_go_before_it_is_noted(place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    other = open_deployment(folder / "home")
    remove, plain = control.orders.handouts.remove, OrderVerbs.drain
    tables: list[Path] = []

    def killed(_: OrderVerbs) -> list[Order]:
        raise InterruptedError

    def then_brazil() -> None:
        """Remove the tables; then another process writes one, gives an order that hits it, and is killed."""
        remove()
        if not tables:
            without_the_uk = build(other)
            tables.append(Path(other.control.releases.table(without_the_uk, 2)["metadata"]))
            with monkeypatch.context() as patch:
                patch.setattr(OrderVerbs, "drain", killed)
                with pytest.raises(InterruptedError):
                    other.control.orders.suspend(BRAZIL, case="br", origin=Origin.OWN_DECISION, reference="a test")
            assert OrderVerbs.drain is plain

    control.releases.table(release, 2)
    with monkeypatch.context() as patch:
        patch.setattr(OrderVerbs, "drain", killed)
        with pytest.raises(InterruptedError):
            suspend(deployment)
    monkeypatch.setattr(control.orders.handouts, "remove", then_brazil)
    note, noted = Issuing.note_drained, list[tuple[set[str], bool]]()

    def with_its_tables(issuing: Issuing, done: Sequence[OrderDrained]) -> None:
        noted.append(({body.order for body in done}, tables[0].exists()))
        note(issuing, done)

    monkeypatch.setattr(Issuing, "note_drained", with_its_tables)
    control.orders.drain()
    assert noted == [({"ico-2024.1", "br.1"}, False)]
    assert drained(deployment) == {"ico-2024": True, "br": True}
    other.close()
