"""The lists of an authority: searched, narrowed, sorted, paged, exported and signed, and never about others."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest

from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.public_key import read_public_key
from consentry.service.listing import PAGE_ROWS
from consentry.transparency.download import opened
from service.staff import Office, office
from service.visitor import words

LISTS = ("cases", "orders", "releases", "models", "notices", "reports")
OF_A_CASE = ("conditions", "statements", "timeline")
PATHS = {
    **{name: f"/authority/{name}" for name in LISTS},
    **{name: f"/authority/cases/{'ico-1' if name == 'statements' else 'uk-1'}/{name}" for name in OF_A_CASE},
}
_DUE = 2_000_000_000


def condition(case: str, name: str) -> ConditionAdded:
    return ConditionAdded(
        case=case, condition=name, title=f"The window of {case}", owner="olga", due=4_000_000_000, check=None,
        policy=None, parameters=(), by="olga",
    )  # fmt: skip


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
            control.conditions.add(condition(case, "window"))
        control.notices.write("notice-uk-1", b"Text", languages=["en"], channel="mail", audience="all", by="olga")
        control.notices.serve("notice-uk-1", [made.deployment.person("gb")], at=control.desk.parts.clock())
        concern = {"case": "ico-1", "reference": "letter 7", "areas": "UK", "text": "Posts were used."}
        filed = made.visitor("ico").post(
            "/authority/concern", {f"concern-{key}": each for key, each in concern.items()}
        )
        assert filed.status_code == 303, words(filed)
        made_up = control.reports.generate("uk-1", "first")
        control.reports.deliver("uk-1", "first", position=made_up["position"], by="olga")
        for number in range(PAGE_ROWS + 5):
            control.reports.schedule("uk-2", f"r-{number}", title="Again", due=_DUE + number, by="olga")
        control.models.register("drafts", base=None, releases=[made.release], leases=[], digest=None)
        yield made


@pytest.mark.parametrize("name", PATHS)
def test_a_list_is_exported_as_it_is_shown_and_holds_nothing_of_others(place: Office, name: str) -> None:
    ico, path = place.visitor("ico"), PATHS[name]
    rows = ico.get(f"{path}?format=json").json()[name]
    assert ico.get(path, accept="application/json").json()[name] == rows
    assert '<link rel="alternate" type="application/json" href="?format=json">' in ico.get(path).text
    assert rows
    table = list(csv.DictReader(io.StringIO(ico.get(f"{path}?format=csv").text)))
    assert len(table) == len(rows)
    assert set(table[0]) == set(rows[0])
    shown = ico.get(path)
    assert "br-1" not in shown.text + str(rows)
    assert "CSV" in words(shown)
    assert ico.get(f"{path}?q=no-such-word&format=json").json() == {name: []}
    first = next(iter(rows[0]))
    ordered = ico.get(f"{path}?sort={first}&format=json").json()[name]
    turned = ico.get(f"{path}?sort=-{first}&format=json").json()[name]
    assert [row[first] for row in ordered] == [row[first] for row in turned][::-1]


@pytest.mark.parametrize("name", PATHS)
def test_the_whole_list_is_taken_away_signed(place: Office, name: str) -> None:
    key = read_public_key((place.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())
    document = opened(place.visitor("ico").get(f"{PATHS[name]}?q=nothing&format=signed").content, key)
    assert document["what"] == name
    assert document[name]
    others = {each for each in PATHS if each != name} & set(document)
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


def test_the_pages_show_the_newest_and_lead_to_all_of_them(place: Office) -> None:
    control, ico = place.deployment.control, place.visitor("ico")
    for number in range(40):
        control.conditions.add(condition("uk-2", f"c-{number}"))
    for path, tables in {
        "/authority": {"Reports to you": 10},
        "/authority/cases/uk-2": {"Conditions": 20, "Reports on this case": 10},
    }.items():
        shown = ico.get(path)
        for caption, most in tables.items():
            table = shown.text.partition(f"<caption>{caption}</caption>")[2].partition("</table>")[0]
            assert table.count("<tr>") == most + 1, caption
        assert "All of them, to search, sort and take away" in words(shown)
    assert f"The newest 10 of {PAGE_ROWS + 7} are shown." in words(ico.get("/authority"))
    case = ico.get("/authority/cases/uk-2")
    assert case.text.partition("<h2>Timeline</h2>")[2].count("<li>") == 30
    for address in ("/conditions", "/timeline"):
        assert f'href="/authority/cases/uk-2{address}"' in case.text
    whole = ico.get("/authority/cases/uk-2?format=json").json()
    assert (len(whole["conditions"]), len(whole["reports"])) == (41, PAGE_ROWS + 6)
    assert len(ico.get("/authority/cases/uk-2/conditions?format=json").json()["conditions"]) == 41
    assert ico.get("/authority?format=json").json()["what"] == "start"
    assert ico.get("/authority", accept="application/json").json()["what"] == "start"
    assert '<link rel="alternate" type="application/json" href="?format=json">' in ico.get("/authority").text


@pytest.mark.parametrize("name", OF_A_CASE)
def test_the_lists_of_a_case_of_others_are_not_there(place: Office, name: str) -> None:
    for form in ("", "?format=json", "?format=csv", "?format=signed"):
        there = place.visitor("ico").get(f"/authority/cases/br-1/{name}{form}")
        made_up = place.visitor("ico").get(f"/authority/cases/no-such-case/{name}{form}")
        assert there.status_code == made_up.status_code == 404


def test_a_report_that_was_delivered_and_is_not_shown_is_owed_no_more() -> None:
    with office() as own:
        control, ico = own.deployment.control, own.visitor("ico")
        for areas in ("UK", "BR"):
            control.orders.suspend(
                Scope(areas=frozenset({areas})), case="both", origin=Origin.BINDING_ORDER, reference=f"carta {areas}"
            )
        for name in ("first", "second"):
            control.reports.schedule("both", name, title="Of both", due=1, by="olga")
        control.reports.deliver("both", "first", position=None, by="olga")
        rows = {each["report"]: each["state"] for each in ico.get("/authority/reports?format=json").json()["reports"]}
        assert rows == {"first": "delivered, not shown here", "second": "overdue"}
        for path in ("/authority", "/authority/cases/both", "/authority/reports"):
            said = words(ico.get(path))
            assert "Ask the platform for one of yours" in said
            assert "Of both" not in said
        assert "Reports not delivered yet 1" in words(ico.get("/authority"))
        assert {each["not_shown"] for each in control.authority_view.reports(frozenset({"UK"}))["reports"]} == {
            True,
            False,
        }
