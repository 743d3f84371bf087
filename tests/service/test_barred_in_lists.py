"""Who looks at the console sees of a release that nobody may read which order bars it, in the list and at the start."""

from __future__ import annotations

import pytest

from consentry.control_plane import public_view
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from service.at_work import POLICY
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


def test_whoever_looks_somebody_up_sees_which_release_of_theirs_nobody_may_read(own: Office) -> None:
    sue = own.visitor("sue")

    def looked(of: str) -> tuple[str, str | None]:
        form = {"person": of, "reason": "ticket 7"}
        (used,) = sue.post("/console/people?format=json", form).json()["uses"]["releases"]
        return words(sue.post("/console/people", form)), used["barred_by"]

    assert looked("us")[1] is None
    assert "Nobody may read it" not in looked("us")[0]
    own.deployment.control.orders.suspend(
        Scope(areas=frozenset({"US"})), case="us", origin=Origin.OWN_DECISION, reference="x"
    )
    assert looked("us")[1] == "us.1"
    assert "barred Nobody may read it: order us.1" in looked("us")[0]


def test_everybody_is_told_how_many_collections_a_suspension_keeps_from_use(
    own: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another release than the one that an order hits is not counted, nor one that was withdrawn."""
    monkeypatch.setattr(public_view, "FEWEST", 0)
    control = own.deployment.control
    control.orders.suspend(Scope(areas=frozenset({"US"})), case="us", origin=Origin.OWN_DECISION, reference="x")
    assert control.public_view.document()["counts"]["releases_barred"] == {"count": 1}
    control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
    counts = control.public_view.document()["counts"]
    assert (counts["releases"], counts["releases_barred"]) == ({"count": 2}, {"count": 1})
    control.releases.withdraw(own.release, "x", by="olga")
    counts = control.public_view.document()["counts"]
    assert (counts["releases"], counts["releases_barred"]) == ({"count": 1}, {"count": 0})


def test_an_authority_sees_that_a_release_is_barred_and_by_which_of_its_orders_but_none_of_others(own: Office) -> None:
    suspend, ico = own.deployment.control.orders.suspend, own.visitor("ico")

    def row() -> tuple[str, str | None]:
        (found,) = ico.get("/authority/releases?format=json").json()["releases"]
        return found["state"], found["barred_by"]

    suspend(Scope(areas=frozenset({"US"})), case="us", origin=Origin.OWN_DECISION, reference="x")
    assert row() == ("barred", None), "that somebody may read it would not be so"
    assert "us.1" not in words(ico.get("/authority/releases")) + ico.get("/authority/releases?format=csv").text
    suspend(Scope(areas=frozenset({"UK"})), case="uk", origin=Origin.OWN_DECISION, reference="x")
    assert row() == ("barred", "uk.1")
    assert "uk.1" in words(ico.get("/authority/releases"))
    assert own.deployment.control.authority_view.releases(frozenset({"UK"}))["releases"][0]["barred"] == {
        "order": "uk.1",
        "ended": None,
    }


def test_a_program_reads_of_every_release_in_the_list_whether_an_order_bars_it(own: Office) -> None:
    own.deployment.control.orders.suspend(
        Scope(areas=frozenset({"US"})), case="us", origin=Origin.OWN_DECISION, reference="letter"
    )
    (found,) = own.visitor("mel").get("/v1/releases").json()["releases"]
    assert found["barred"]["order"] == "us.1"
    assert found["barred"]["ended"] is None
