"""No page of the console is without an answer for programs: an exported list, a twin, or a form that names one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest

from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.service.gate import COOKIE
from consentry.service.site import FOLDER
from service.staff import Office, office
from service.visitor import Visitor

FORMS = {
    "objections": "a list that a form searches, and exports: test_every_list.py",
    "open_case": "a form: POST /v1/cases",
    "password": "a form, and a password that is shown once",
    "people": "a form with a second button: the same as JSON",
    "propose_policy": "a form: POST /v1/policy-sets/check says the same, POST /v1/policy-proposals does it",
    "suspend": "a form: POST /v1/orders/what-if says the same, POST /v1/orders does it",
    "write_notice": "a form: POST /v1/notices",
}
PIECES = {"frame", "parts", "policy_parts", "objection_words", "paper_body"}
"""Templates that are no pages."""
CASE = "ico-posts"


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    """A case with a document of the operator and a concern that nobody signed."""
    with office() as made:
        form = {"case": CASE, "reference": "letter 7", "areas": "UK", "text": "Posts of May."}
        filed = made.visitor("ico").post("/authority/concern", {f"concern-{name}": each for name, each in form.items()})
        assert filed.status_code == 303
        conditions = made.deployment.control.conditions
        conditions.add(
            ConditionAdded(
                case=CASE, condition="deleted", title="They are gone", owner="olga", due=4_000_000_000, check=None,
                policy=None, parameters=(), by="olga",
            )
        )  # fmt: skip
        conditions.meet(CASE, "deleted", evidence=b"Deleted on 3 May.", by="olga")
        yield made


def twin(visitor: Visitor, path: str) -> dict[str, Any]:
    """Return the twin of a page, which the page names in its head."""
    page = visitor.get(path)
    assert page.status_code == 200, path
    link = re.search(r'<link rel="alternate" type="application/json" href="([^"]+)">', page.text)
    assert link is not None, path
    answer = visitor.get(urljoin(path, link[1]))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), path
    return dict(answer.json())


def test_no_page_is_without_an_answer_for_programs() -> None:
    pages = {path.stem: path.read_text("utf-8") for path in (FOLDER / "templates" / "console").glob("*.html")}
    without = {name for name, text in pages.items() if "parts.listing(" not in text and "json_at" not in text}
    assert without - PIECES == set(FORMS)


def test_sessions_are_taken_away_without_what_opens_them(place: Office) -> None:
    for handle in ("ada", "ico"):
        found = twin(place.visitor(handle), "/console/sessions")
        (session,) = found["sessions"]
        assert set(session) == {"ident", "begun_at", "used_at", "ends_at", "asks"}
        assert session["asks"] is True
        assert place.cookies[handle] not in json.dumps(found)
        table = place.visitor(handle).get("/console/sessions?format=csv").text.splitlines()
        assert table[0] == "ident,begun_at,used_at,ends_at,asks"
        assert [row.split(",")[0] for row in table[1:]] == [session["ident"]]
        assert 'href="?format=csv"' in place.visitor(handle).get("/console/sessions").text
    nobody = place.visitor().get("/console/sessions?format=json")
    assert (nobody.status_code, COOKIE in nobody.headers.get("set-cookie", "")) == (303, False)


def test_the_papers_of_a_case_are_there_as_json(place: Office) -> None:
    olga, mel = place.visitor("olga"), place.visitor("mel")
    papers = {str(each.kind): each for each in place.deployment.control.cases.papers(CASE)}
    evidence = twin(olga, f"/console/cases/{CASE}/papers/{papers['evidence'].position}")
    assert (evidence["case"], evidence["kind"], evidence["text"]) == (CASE, "evidence", "Deleted on 3 May.")
    assert (evidence["document"], evidence["filed"]) == (papers["evidence"].document, None)
    filed = twin(olga, f"/console/cases/{CASE}/papers/{papers['statement'].position}")["filed"]
    assert (filed["statement"]["says"], filed["statement"]["text"]) == ("concern", "Posts of May.")
    assert (filed["signed_with"], filed["holds"]) == (None, False)
    path = f"/console/cases/{CASE}/papers/{papers['statement'].position}?format=json"
    assert mel.get(path).status_code == 403


def test_twins_are_there_while_an_order_bars_the_newest_release(place: Office) -> None:
    """The same are asked for before: what an order changes is in them as plain values."""
    olga, ada = place.visitor("olga"), place.visitor("ada")
    release = f"/console/releases/{place.release}"
    asked = [(olga, each) for each in ("/console/overview", "/console/sessions", release, f"/console/cases/{CASE}")]
    asked += [(ada, f"/console/accounts/{handle}") for handle in ("olga", "ico")]
    before = {path: twin(visitor, path) for visitor, path in asked}
    order = place.deployment.control.orders.suspend(
        Scope(areas=frozenset({"US"})), case=CASE, origin=Origin.OWN_DECISION, reference="x"
    )
    after = {path: twin(visitor, path) for visitor, path in asked}
    assert {path: set(each) for path, each in after.items()} == {path: set(each) for path, each in before.items()}
    ((was,), (now,)) = (each["/console/overview"]["purposes"] for each in (before, after))
    assert was["barred"] is None
    assert now["barred"] == {"order": order.order, "case": CASE, "at": order.at}
    assert after[release]["barred"]["order"] == order.order
