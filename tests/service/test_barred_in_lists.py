"""Who looks at the console sees of a release that nobody may read which order bars it, in the list and at the start."""

from __future__ import annotations

from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from service.staff import Office
from service.visitor import words


def test_a_release_that_an_order_bars_is_not_shown_as_usable(own: Office) -> None:
    mel = own.visitor("mel")

    def row() -> tuple[str, str | None]:
        (found,) = mel.get("/console/releases?format=json").json()["releases"]
        return found["state"], found.get("barred_by")

    assert row()[0] == "sealed"
    assert not row()[1]
    assert "Nobody may read it" not in words(own.visitor("olga").get("/console/overview"))
    own.deployment.control.orders.suspend(
        Scope(areas=frozenset({"US"})), case="us", origin=Origin.OWN_DECISION, reference="x"
    )
    assert row() == ("barred", "us.1")
    assert "us.1" in words(mel.get("/console/releases"))
    assert "Nobody may read it: order us.1" in words(own.visitor("olga").get("/console/overview"))
