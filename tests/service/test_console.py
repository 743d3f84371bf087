"""The console as a whole: who sees what, its overview, and what holds for every page."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

import service.staff as staff
from consentry.accounts.access import Role
from consentry.accounts.webhooks import Webhooks
from consentry.bootstrap import open_deployment
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.service.gate import COOKIE
from service.at_work import in_thread, prepare
from service.staff import OVERSEERS, STAFF, Office, may
from service.visitor import Visitor, words

place = staff.place


def test_who_sees_what(place: Office) -> None:
    for path in ("/console/releases", f"/console/releases/{place.release}", "/console/compare-releases"):
        assert may(place.statuses(path)) == OVERSEERS
    assert may(place.statuses("/console/jobs")) == OVERSEERS
    assert may(place.statuses("/console/models")) == OVERSEERS
    for path in ("/console/policies", "/console/proposals", "/console/compare-policies", "/console/notices"):
        assert may(place.statuses(path)) == OVERSEERS | {"sue"}
    assert may(place.statuses("/console/propose-policy")) == {"olga", "petra"}
    assert may(place.statuses("/console/people")) == {"olga", "petra", "sue"}
    for path in ("/console/accounts", "/console/keys"):
        assert may(place.statuses(path)) == {"ada"}


def test_no_page_that_somebody_begins_with_leads_where_they_may_not_go(own: Office) -> None:
    own.deployment.control.orders.suspend(
        Scope(areas=frozenset({"UK"})), case="uk-1", origin=Origin.OWN_DECISION, reference="x"
    )
    began = dict.fromkeys(("olga", "paul", "mel", "audrey", "sue"), ("/console/overview", "/console/sessions"))
    began |= {"ada": ("/console/accounts", "/console/sessions")}
    began |= {"ico": ("/authority", "/console/sessions")}
    for handle, paths in began.items():
        visitor = own.visitor(handle)
        pages = {path: visitor.get(path).text for path in paths}
        links = {link: path for path, text in pages.items() for link in re.findall(r'<a [^>]*?href="(/[^"#]*)', text)}
        assert len(links) > 5, handle
        dead = {link: path for link, path in links.items() if visitor.get(unescape(link)).status_code == 403}
        assert dead == {}, handle
    assert "uk-1.1: " in words(own.visitor("sue").get("/console/overview"))
    assert "File something" in words(own.visitor("ico").get("/console/sessions"))


def test_an_empty_deployment_says_what_to_do(empty: Office) -> None:
    olga, ada = empty.visitor("olga"), empty.visitor("ada")
    for visitor, path, said in (
        (olga, "/console/releases", "No release was built yet"),
        (olga, "/console/compare-releases", "There are not two releases yet"),
        (olga, "/console/jobs", "No job was ever given a lease"),
        (olga, "/console/models", "No model was trained or registered yet"),
        (olga, "/console/policies", "No policy set is in force yet"),
        (olga, "/console/compare-policies", "No policy set is in force yet"),
        (olga, "/console/proposals", "Nothing was proposed yet"),
        (olga, "/console/notices", "No notice was written or served yet"),
        (ada, "/console/keys", "No key was made yet"),
    ):
        assert said in words(visitor.get(path)), path


def test_pages_hold_no_script_or_style_of_their_own_and_one_heading(place: Office) -> None:
    paths = ["overview", "cases", "orders", "suspend", "open-case", "jobs", "releases", f"releases/{place.release}"]
    paths += ["models", "policies", "proposals", "propose-policy", "compare-policies", "people", "notices"]
    for path in paths:
        text = place.visitor("olga").get(f"/console/{path}").text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", text), path
        assert text.count("<h1") == 1, path
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), (path, sorted(each for each in ids if ids.count(each) > 1))


def test_what_a_page_shows_is_there_as_json(own: Office) -> None:
    olga, control = own.visitor("olga"), own.deployment.control
    control.notices.write("told", b"We use posts.", languages=["en"], channel="mail", audience="all", by="olga")
    control.models.register("drafts", releases=[own.release])
    control.cases.open("uk-1", title="Posts", reference="letter", by="olga")
    proposal = control.proposals.propose(shipped()["november-2025"], reason="newer", by="olga").proposal
    objection = control.objections.file("a post", answer_to="me@example.org").objection
    first, *_ = (str(each.position) for each in control.desk.present().state.policies)
    item = "gb-1"
    paths = (
        f"/console/releases/{own.release}", "/console/models/drafts", "/console/notices/told", "/console/cases/uk-1",
        f"/console/proposals/{proposal}", f"/console/objections/{objection}", "/console/overview",
        f"/console/policies/{first}", f"/console/compare-policies?before={first}&after={first}",
        f"/console/compare-releases?before={own.release}&after={own.release}",
        f"/console/releases/{own.release}/explain?item={item}",
    )  # fmt: skip
    for path in paths:
        _twin(olga, path)
    with own.deployment.admission() as admission:
        hooks = Webhooks(admission.web, clock=control.desk.parts.clock)
        hook = hooks.add("https://hooks.example/x", kinds=frozenset({"order.issued"}), by="ada", position=0)
    ada = own.visitor("ada")
    assert hook.secret not in json.dumps(_twin(ada, f"/console/webhooks/{hook.ident}"))
    assert _twin(ada, "/console/accounts/ico")["areas"] == ["UK"]
    looked = olga.post("/console/people?format=json", {"person": "gb", "reason": "ticket 7"})
    assert looked.json()["person"] == own.deployment.person("gb")


def _twin(visitor: Visitor, path: str) -> dict[str, Any]:
    """Return the twin of a page, which the page names in its head and links to."""
    text = visitor.get(path).text
    link = re.search(r'href="([^"]+)">The same as JSON', text)
    assert link is not None, path
    assert f'<link rel="alternate" type="application/json" href="{link[1]}">' in text, path
    answer = visitor.get(urljoin(path, unescape(link[1])))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), path
    return dict(answer.json())


def test_the_overview_asks_for_the_register_of_an_open_case_once(own: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    control, asked = own.deployment.control, list[str]()
    for name in ("open-1", "open-2", "over"):
        control.cases.open(name, title=name, reference="letter", by="olga")
    control.orders.suspend(
        Scope(areas=frozenset({"BR"})), case="over", origin=Origin.OWN_DECISION, reference="letter", by="olga"
    )
    control.cases.prohibit("over", reference="decision", by="olga")
    plain = control.cases.register_of

    def noted(name: str) -> Any:
        asked.append(name)
        return plain(name)

    monkeypatch.setattr(control.cases, "register_of", noted)
    assert own.visitor("olga").get("/console/overview").status_code == 200
    assert asked == ["open-1", "open-2"]
    rows = {row["case"]: row for row in own.visitor("olga").get("/console/cases?format=json").json()["cases"]}
    assert (rows["over"]["standing"], rows["over"]["open_points"]) == ("prohibited", 0)
    assert rows["over"]["suspends"], "it stays suspended for good"


@pytest.mark.parametrize("path", ["/console/overview", "/console/models"])
def test_releases_are_brought_up_to_date_once_however_many_models_there_are(
    own: Office, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    control, times = own.deployment.control, 0
    for name in ("drafts-1", "drafts-2", "drafts-3"):
        control.models.register(name, releases=[own.release])
    plain = control.models.standings.amendments.amend

    def counted() -> list[str]:
        nonlocal times
        times += 1
        return plain()

    monkeypatch.setattr(control.models.standings.amendments, "amend", counted)
    assert own.visitor("olga").get(path).status_code == 200
    assert times == 1


def test_a_key_of_a_program_changes_nothing_on_the_pages(place: Office) -> None:
    with place.deployment.admission() as admission:
        _, secret = admission.add_key("audit", roles=frozenset({STAFF["audrey"]}), by="ada")
    bearer = {"authorization": f"Bearer {secret}"}
    assert place.visitor().get("/console/orders", **bearer).status_code == 200
    assert place.visitor().post("/console/suspend", {}, **bearer).status_code == 403


def test_objections_that_wait_too_long_are_on_the_overview(tmp_path: Path) -> None:
    ahead = [0]
    deployment = open_deployment(tmp_path / "home", embedded=True, ahead=lambda: ahead[0])
    filed = [deployment.control.objections.file(f"post {n}", answer_to="me@example.org") for n in range(2)]
    ahead[0] = filed[0].due - filed[0].received + 1
    deployment.control.objections.file("post 3", answer_to="me@example.org")
    with deployment.admission() as admission, in_thread(deployment) as ask:
        for handle, role in {"sam": Role.SUPPORT, "ada": Role.AUDITOR}.items():
            admission.add(handle, roles=frozenset({role}), password="")
            visitor = Visitor(ask.url, {COOKIE: admission.admit(handle, subject=f"https://idp.example/#{handle}")})
            said = words(visitor.get("/console/overview"))
            assert ("Objections to answer 3 2 are overdue" in said) is (handle == "sam"), said
    deployment.close()


def test_models_that_nobody_decided_about_are_overdue_and_a_list_says_that_it_was_cut(tmp_path: Path) -> None:
    ahead = [0]
    deployment = open_deployment(tmp_path / "home", embedded=True, ahead=lambda: ahead[0])
    release = prepare(tmp_path, deployment)
    for number in range(12):
        deployment.control.models.register(f"m-{number}", releases=[release])
    deployment.control.releases.withdraw(release, "a mistake", by="olga")
    with deployment.admission() as admission, in_thread(deployment) as ask:
        admission.add("ada", roles=frozenset({Role.AUDITOR}), password="")
        cookie = admission.admit("ada", subject="https://idp.example/#ada")
        assert "Overdue 0" in words(Visitor(ask.url, {COOKIE: cookie}).get("/console/overview"))
        ahead[0] = 4000 * 86_400
        cookie = admission.admit("ada", subject="https://idp.example/#ada")
        said = words(Visitor(ask.url, {COOKIE: cookie}).get("/console/overview"))
        assert "Overdue 12" in said
        assert "The first 10 of 12 are shown. All of them" in said
        assert "decide what is done about it model m-0" in said
        rows = Visitor(ask.url, {COOKIE: cookie}).get("/console/overdue?format=json").json()["overdue"]
        assert {(row["what"], row["name"]) for row in rows} == {
            ("decide what is done about it", f"m-{number}") for number in range(12)
        }
    deployment.close()
