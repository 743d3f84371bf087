"""The lists of an authority: searched, narrowed, sorted, paged, exported and signed, and never about others."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest

from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.public_key import read_public_key
from consentry.service.listing import PAGE_ROWS
from consentry.transparency.download import opened
from service.staff import Office, office
from service.visitor import words

LISTS = ("cases", "orders", "releases", "models", "notices", "reports")
_DUE = 2_000_000_000


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    with office() as made:
        control = made.deployment.control
        for case, areas in (("uk-1", "UK"), ("uk-2", "GB-SCT"), ("br-1", "BR")):
            control.orders.suspend(
                Scope(areas=frozenset({areas})),
                case=case,
                origin=Origin.AUTHORITY_REQUEST,
                reference=f"of {case}",
            )
            control.cases.require_notice(case, f"notice-{case}", days=30, by="olga")
            control.reports.schedule(case, "first", title=f"What was done in {case}", due=_DUE, by="olga")
        control.notices.write("notice-uk-1", b"Text", languages=["en"], channel="mail", audience="all", by="olga")
        control.notices.serve("notice-uk-1", [made.deployment.person("gb")], at=control.desk.parts.clock())
        made_up = control.reports.generate("uk-1", "first")
        control.reports.deliver("uk-1", "first", position=made_up["position"], by="olga")
        for number in range(PAGE_ROWS + 5):
            control.reports.schedule("uk-2", f"r-{number}", title="Again", due=_DUE + number, by="olga")
        control.models.register("drafts", base=None, releases=[made.release], leases=[], digest=None)
        yield made


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_exported_as_it_is_shown_and_holds_nothing_of_others(place: Office, name: str) -> None:
    ico = place.visitor("ico")
    rows = ico.get(f"/authority/{name}?format=json").json()[name]
    assert rows
    table = list(csv.DictReader(io.StringIO(ico.get(f"/authority/{name}?format=csv").text)))
    assert len(table) == len(rows)
    assert set(table[0]) == set(rows[0])
    shown = ico.get(f"/authority/{name}")
    assert "br-1" not in shown.text + str(rows)
    assert "CSV" in words(shown)
    assert ico.get(f"/authority/{name}?q=no-such-word&format=json").json() == {name: []}
    first = next(iter(rows[0]))
    ordered = ico.get(f"/authority/{name}?sort={first}&format=json").json()[name]
    turned = ico.get(f"/authority/{name}?sort=-{first}&format=json").json()[name]
    assert [row[first] for row in ordered] == [row[first] for row in turned][::-1]


@pytest.mark.parametrize("name", LISTS)
def test_the_whole_list_is_taken_away_signed(place: Office, name: str) -> None:
    key = read_public_key((place.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())
    document = opened(place.visitor("ico").get(f"/authority/{name}?q=nothing&format=signed").content, key)
    assert document["what"] == name
    assert document[name]
    others = {each for each in LISTS if each != name} & set(document)
    assert not others, "it holds what its page shows"


def test_a_list_is_narrowed_and_paged(place: Office) -> None:
    ico = place.visitor("ico")
    assert [row["case"] for row in ico.get("/authority/orders?case=uk-1&format=json").json()["orders"]] == ["uk-1"]
    said = words(ico.get("/authority/reports?case=uk-2"))
    assert "Page 1 of 2" in said
    assert "Page 2 of 2" in words(ico.get("/authority/reports?case=uk-2&page=2"))


def test_what_is_linked_is_there(place: Office) -> None:
    ico = place.visitor("ico")
    assert 'href="/authority/cases/uk-1"' in ico.get("/authority/orders?case=uk-1").text
    shown = ico.get("/authority/reports?state=delivered").text
    assert 'href="/authority/reports/uk-1/first"' in shown
    assert ico.get("/authority/reports/uk-1/first").status_code == 200


def test_a_case_that_is_about_others_as_well_shows_no_text_in_a_list() -> None:
    with office() as own:
        control = own.deployment.control
        for areas in ("UK", "BR"):
            control.orders.suspend(
                Scope(areas=frozenset({areas})), case="both", origin=Origin.BINDING_ORDER, reference=f"carta {areas}"
            )
        ico = own.visitor("ico")
        (row,) = ico.get("/authority/cases?format=json").json()["cases"]
        assert (row["title"], row["reference"]) == (None, None)
        (order,) = ico.get("/authority/orders?format=json").json()["orders"]
        assert (order["order"], order["reference"]) == ("both.1", "carta UK")
